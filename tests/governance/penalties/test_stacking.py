"""Penalties of a kind beside one another, or one after the other."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.models import Band, Penalty
from governance.penalties import services
from guilds.accounts.actor import Actor
from guilds.models import Guild
from tests import factories

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
FREEZE = {"kind": "recruitment_freeze", "days": 7}
AFTER = {**FREEZE, "stack": "after"}


def offend(
    guild: Guild, *steps: dict[str, Any], now: dt.datetime | None = None, **spec: Any
) -> list[Penalty]:
    """The penalties of one more violation, of a rule of its own whose first rung these steps are."""
    version = factories.version(ladder={**factories.LADDER, "points": 0, "steps": [list(steps)]}, **spec)
    violation = factories.violation(guild, version, status="confirmed")
    services.sanctions_decide_due(now=now)
    return list(violation.penalties.order_by("pk"))


def test_parallel_is_what_happens_when_nothing_is_said() -> None:
    guild, now = factories.guild(), timezone.now()
    [first] = offend(guild, FREEZE, now=now)
    [second] = offend(guild, FREEZE, now=now + DAY)
    [third] = offend(guild, {**FREEZE, "stack": "parallel"}, now=now + DAY)
    assert (first.starts_at, second.starts_at, third.starts_at) == (now, now + DAY, now + DAY)


def test_after_begins_when_the_last_of_its_kind_ends_whether_in_force_or_announced() -> None:
    guild, now = factories.guild(), timezone.now()
    [first] = offend(guild, AFTER, now=now)
    services.penalties_apply_due(now=now)
    [second] = offend(guild, AFTER, now=now + DAY)
    [third] = offend(guild, AFTER, now=now + 2 * DAY)
    assert (first.starts_at, first.ends_at) == (now, now + 7 * DAY)
    assert (second.starts_at, second.ends_at) == (now + 7 * DAY, now + 14 * DAY)
    assert (third.starts_at, third.ends_at) == (now + 14 * DAY, now + 21 * DAY)


def test_after_counts_within_one_batch_and_for_bands() -> None:
    Band.objects.create(code="low", name="Low", at_or_below=90, penalties=[AFTER])
    guild, now = factories.guild(), timezone.now()
    version = factories.version(ladder={**factories.LADDER, "points": 5, "steps": [[AFTER]]})
    for hours in (3, 2, 1):
        factories.violation(guild, version, status="confirmed", occurred_at=now - dt.timedelta(hours=hours))
    services.sanctions_decide_due(now=now)
    starts = Penalty.objects.order_by("pk").values_list("starts_at", "crossing__band__code")
    assert {(start - now).days: band for start, band in starts} == {0: None, 7: None, 14: "low", 21: None}


def test_other_kinds_other_guilds_and_what_has_no_end_are_not_waited_for() -> None:
    guild, now = factories.guild(), timezone.now()
    offend(factories.guild(), FREEZE, now=now)
    offend(guild, {"kind": "reward_freeze", "days": 90}, {"kind": "recruitment_freeze"}, now=now)
    [penalty] = offend(guild, AFTER, now=now)
    assert penalty.starts_at == now


def test_grace_and_stack_together_take_the_later() -> None:
    guild, now = factories.guild(), timezone.now()
    offend(guild, FREEZE, now=now)
    [early] = offend(guild, {**AFTER, "grace": "2d"}, now=now)
    [late] = offend(guild, {**AFTER, "grace": "30d"}, now=now)
    assert (early.starts_at, late.starts_at) == (now + 7 * DAY, now + 30 * DAY)


@pytest.mark.parametrize("how", ["lifted", "cancelled", "reversed"])
def test_what_was_announced_keeps_its_dates_when_the_one_before_falls(how: str) -> None:
    guild, now = factories.guild(), timezone.now()
    [first] = offend(guild, AFTER, now=now)
    [second] = offend(guild, AFTER, now=now)
    enforcer = Actor.staff(factories.staff("enforcer"))
    if how == "cancelled":
        services.penalty_cancel(actor=enforcer, penalty_id=first.pk, reason="A mistake.")
    else:
        services.penalties_apply_due(now=now)
        if how == "lifted":
            services.penalty_lift(actor=enforcer, penalty_id=first.pk, reason="Enough.")
        else:
            adjudicator = Actor.staff(factories.staff("adjudicator"))
            services.penalty_overturn(actor=adjudicator, penalty_id=first.pk, reason="Not proven.")
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.status == how
    assert (second.status, second.starts_at, second.ends_at) == ("scheduled", now + 7 * DAY, now + 14 * DAY)
    # What comes later lines up behind those that are left.
    [third] = offend(guild, AFTER, now=now + DAY)
    assert third.starts_at == now + 14 * DAY


def test_one_that_is_over_is_not_waited_for() -> None:
    guild, now = factories.guild(), timezone.now()
    [first] = offend(guild, AFTER, now=now - 30 * DAY)
    services.penalties_apply_due(now=now - 30 * DAY)
    services.penalties_lift_due(now=now)
    first.refresh_from_db()
    assert first.status == "lifted"
    [second] = offend(guild, AFTER, now=now)
    assert second.starts_at == now


def test_a_held_one_is_not_waited_for_and_lines_up_when_it_is_released() -> None:
    guild, now = factories.guild(), timezone.now()
    [held] = offend(guild, AFTER, now=now, second_person=["recruitment_freeze"])
    [other] = offend(guild, AFTER, now=now)
    assert (held.status, other.starts_at) == ("held", now)
    enforcer = Actor.staff(factories.staff("enforcer"))
    services.penalty_release(actor=enforcer, penalty_id=held.pk, reason="Sound evidence.")
    held.refresh_from_db()
    assert (held.starts_at, held.ends_at) == (other.ends_at, now + 14 * DAY)
