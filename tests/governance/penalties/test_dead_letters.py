"""What fails stays visible, what passes is waited out, what cannot be lifted holds up nobody, what is held is not forgotten."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from governance.models import Event, Penalty, Restriction, Safeguard
from governance.penalties import services
from governance.penalties.kinds import KINDS
from governance.penalties.services.execution import RETRY_SECONDS
from guilds.accounts.actor import Actor
from guilds.console.page import list_url
from guilds.models import Guild
from tests import factories
from tests.config import console_world

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
FREEZE = {**factories.LADDER, "points": 0, "steps": [[{"kind": "recruitment_freeze", "days": 7}]]}


def scheduled(guild: Guild | None = None, ladder: dict[str, object] = FREEZE) -> Penalty:
    version = factories.version(ladder=ladder)
    violation = factories.violation(guild or factories.guild(), version, status="confirmed")
    services.sanctions_decide_due(limit=10)
    return Penalty.objects.get(violation=violation)


def faulty(
    monkeypatch: pytest.MonkeyPatch, act: str, penalty: Penalty, fault: Exception, *, times: int = 1_000
) -> None:
    """Let `apply` or `reverse` of the penalty's kind raise so often when it comes to this penalty."""
    kind = KINDS[penalty.kind]
    real: Callable[..., None] = getattr(kind, act)
    left = [times]

    def acting(penalties: Sequence[Penalty], *, now: dt.datetime) -> None:
        if left[0] and any(one.pk == penalty.pk for one in penalties):
            left[0] -= 1
            raise fault
        real(penalties, now=now)

    monkeypatch.setattr(kind, act, acting)


# --- starting ---------------------------------------------------------------------------------------------------------
def test_a_passing_fault_is_waited_out_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = scheduled(), scheduled()
    faulty(monkeypatch, "apply", bad, OperationalError("deadlock detected"))
    now = timezone.now()
    for number, seconds in enumerate(RETRY_SECONDS, start=1):
        services.penalties_apply_due(now=now)
        bad.refresh_from_db()
        assert (bad.status, bad.attempts) == ("scheduled", number)
        assert bad.retry_at == now + dt.timedelta(seconds=seconds)
        assert "deadlock" in bad.last_error
        assert services.penalties_apply_due(now=now + dt.timedelta(seconds=seconds - 1)) == 0
        now = bad.retry_at
    services.penalties_apply_due(now=now)
    bad.refresh_from_db()
    assert (bad.status, bad.attempts) == ("failed", len(RETRY_SECONDS) + 1)
    assert Event.objects.filter(act="penalty.failed", object_id=str(bad.public_id)).count() == 1
    good.refresh_from_db()
    assert (good.status, good.last_error) == ("in_force", "")


def test_after_the_fault_has_passed_it_starts_and_forgets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    penalty = scheduled()
    faulty(monkeypatch, "apply", penalty, OperationalError("lock timeout"), times=2)
    now = timezone.now()
    services.penalties_apply_due(now=now)
    services.penalties_apply_due(now=now + dt.timedelta(seconds=RETRY_SECONDS[0]))
    penalty.refresh_from_db()
    assert (penalty.status, penalty.last_error, penalty.retry_at) == ("in_force", "", None)
    assert not Event.objects.filter(act="penalty.failed").exists()


def test_any_other_fault_fails_at_once_and_waits_for_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    penalty = scheduled()
    faulty(monkeypatch, "apply", penalty, ValueError("share: must be a number"), times=2)
    services.penalties_apply_due()
    penalty.refresh_from_db()
    assert (penalty.status, penalty.attempts, penalty.retry_at) == ("failed", 1, None)
    assert services.penalties_apply_due(now=timezone.now() + DAY) == 0
    services.penalty_retry(
        actor=Actor.staff(factories.staff("enforcer")), penalty_id=penalty.pk, reason="Mended."
    )
    assert services.penalties_apply_due() == 1
    penalty.refresh_from_db()
    assert penalty.status == "in_force"


def test_several_of_one_guild_that_start_one_by_one_lie_on_one_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a fault in the batch each is applied alone; the pile on the guild's column must be the same."""
    guild = factories.guild(tier="star")
    steps = {**FREEZE, "steps": [[{"kind": "tier_removal", "days": 7}]]}
    one, two, bad = (scheduled(guild, steps) for _ in range(3))
    faulty(monkeypatch, "apply", bad, ValueError("no"))
    services.penalties_apply_due()
    heights = Penalty.objects.filter(pk__in=[one.pk, two.pk]).order_by("pk").values_list("effect", flat=True)
    assert [effect["height"] for effect in heights] == [1, 2]
    services.penalties_lift_due(now=timezone.now() + 8 * DAY)
    guild.refresh_from_db()
    assert guild.tier == "star"


# --- lifting ----------------------------------------------------------------------------------------------------------
def test_one_that_cannot_be_lifted_holds_up_nobody_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guild = factories.guild(tier="star")
    steps = {**FREEZE, "steps": [[{"kind": "tier_removal", "days": 7}]]}
    below, bad, above = (scheduled(guild, steps) for _ in range(3))
    services.penalties_apply_due()
    faulty(monkeypatch, "reverse", bad, ValueError("no"), times=3)
    now = timezone.now() + 8 * DAY
    services.penalties_lift_due(now=now)
    states = dict(Penalty.objects.values_list("pk", "status"))
    assert states == {below.pk: "lifted", bad.pk: "in_force", above.pk: "lifted"}
    bad.refresh_from_db()
    assert (bad.attempts, bad.last_error) == (1, "ValueError: no")
    assert services.penalties_lift_due(now=now) == 0
    services.penalties_lift_due(now=now + dt.timedelta(seconds=RETRY_SECONDS[0]))
    assert Event.objects.filter(act="penalty.lift_failed").count() == 1, "told once"
    services.penalties_lift_due(now=now + HOUR)
    bad.refresh_from_db()
    guild.refresh_from_db()
    assert (bad.status, bad.last_error, guild.tier) == ("lifted", "", "star")
    assert not Restriction.objects.filter(lifted_at__isnull=True).exists()


# --- the page ---------------------------------------------------------------------------------------------------------
def test_the_failed_page_groups_by_reason_and_shows_the_tries() -> None:
    here = factories.market("HERE")
    cache.clear()
    for error in ("ValueError: no share\nrow 7", "ValueError: no share\nrow 9", "KeyError: 'days'"):
        violation = factories.violation(factories.guild(market=here), status="confirmed")
        console_world.penalty(violation, "failed", last_error=error, attempts=3)
    client = Client()
    client.force_login(factories.staff("enforcer", markets=[here]))
    answer = client.get(list_url(Penalty), {"status__exact": "failed"})
    reasons = answer.context["reasons"].rows
    assert [(row[0], row[1].text, row[2]) for row in reasons] == [
        (2, "ValueError: no share", 3),
        (1, "KeyError: 'days'", 3),
    ]
    only = client.get(reasons[0][1].url)
    assert only.context["cl"].result_count == 2
    elsewhere = Client()
    elsewhere.force_login(factories.staff("enforcer", markets=[factories.market()]))
    assert elsewhere.get(list_url(Penalty), {"status__exact": "failed"}).context["reasons"].rows == []
    assert "reasons" not in client.get(list_url(Penalty)).context


def test_a_scheduled_one_shows_that_it_is_stopped() -> None:
    penalty = scheduled()
    enforcer = Actor.staff(factories.staff("enforcer"))
    services.stop_open(
        actor=enforcer, kind="recruitment_freeze", market_id=penalty.market_id, reason="Payout moves."
    )
    client = Client()
    client.force_login(factories.staff("auditor"))
    page = client.get(list_url(Penalty), {"status__exact": "scheduled"}).content.decode()
    assert "Stopped: Payout moves." in page


# --- held -------------------------------------------------------------------------------------------------------------
def held(hours: float, market: object = None) -> Penalty:
    guild = factories.guild(market=market or factories.market())
    penalty = console_world.penalty(factories.violation(guild, status="confirmed"), "held")
    Penalty.objects.filter(pk=penalty.pk).update(
        proposed_at=timezone.now() - dt.timedelta(hours=hours), hold_reason="severity"
    )
    return penalty


def test_what_is_held_for_too_long_is_told_once() -> None:
    late, young = held(73), held(71)
    assert services.penalties_escalate_due() == 1
    assert services.penalties_escalate_due() == 0
    late.refresh_from_db()
    young.refresh_from_db()
    assert (late.escalated_at is None, young.escalated_at, late.status) == (False, None, "held")
    event = Event.objects.get(act="penalty.waits_too_long")
    assert (event.object_id, event.guild_id) == (str(late.public_id), late.guild_id)


def test_a_market_may_allow_more_or_less_than_the_others() -> None:
    quick, slow = factories.market(), factories.market()
    Safeguard.objects.create(market=None, hold_hours=48)
    Safeguard.objects.create(market=quick, hold_hours=2)
    Safeguard.objects.create(market=slow, hold_hours=100)
    late = {held(3, quick).pk, held(101, slow).pk, held(49).pk}
    for hours, market in ((1, quick), (99, slow), (47, None)):
        held(hours, market)
    assert services.penalties_escalate_due() == 3
    assert set(Penalty.objects.filter(escalated_at__isnull=False).values_list("pk", flat=True)) == late


def test_the_home_of_enforcers_shows_stops_and_what_waits_too_long() -> None:
    cache.clear()
    here = factories.market()
    late = held(100, here)
    services.penalties_escalate_due()
    services.stop_open(
        actor=Actor.staff(factories.staff("admin")), kind="", market_id=here.pk, reason="Payout moves."
    )
    client = Client()
    client.force_login(factories.staff("enforcer", markets=[here]))
    page = client.get("/admin/")
    titles = {part.title for part in page.context["waiting"]}
    assert {"Held for too long", "Penalties stopped"} <= titles
    assert str(late.guild) in page.content.decode()
    assert "Payout moves." in page.content.decode()
