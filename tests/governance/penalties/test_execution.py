"""Penalties start and end on time, once, lawfully, each on its own."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from governance.models import Event, LivePeriod, Notice, Penalty, Restriction, Violation
from governance.penalties import services
from guilds.models import Guild
from tests import factories

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
FREEZE = {**factories.LADDER, "steps": [[{"kind": "recruitment_freeze", "days": 7}]]}


def scheduled(guild: Guild | None = None) -> Penalty:
    version = factories.version(ladder=FREEZE)
    violation = factories.violation(guild or factories.guild(), version, status="confirmed")
    services.sanctions_decide_due(limit=100)
    return Penalty.objects.get(violation=violation)


def test_a_penalty_takes_effect_and_is_lifted_on_time() -> None:
    penalty = scheduled()

    assert services.penalties_apply_due() == 1
    penalty.refresh_from_db()
    assert penalty.status == "in_force"
    [restriction] = Restriction.objects.all()
    assert (restriction.kind, restriction.ends_at) == ("recruitment_freeze", penalty.ends_at)
    assert services.penalties_lift_due() == 0, "not before its time"

    assert penalty.ends_at is not None
    assert services.penalties_lift_due(now=penalty.ends_at) == 1
    penalty.refresh_from_db()
    assert (penalty.status, penalty.ended_at) == ("lifted", penalty.ends_at)
    assert not Restriction.objects.filter(lifted_at__isnull=True).exists()
    acts = Event.objects.filter(object_type="penalty").order_by("id").values_list("act", flat=True)
    assert list(acts) == ["penalty.scheduled", "penalty.applied", "penalty.lifted"]


def test_a_task_delivered_twice_does_nothing_the_second_time() -> None:
    scheduled()
    assert services.penalties_apply_due() == 1
    assert services.penalties_apply_due() == 0
    assert Restriction.objects.count() == 1
    assert Event.objects.filter(act="penalty.applied").count() == 1


def test_nothing_starts_before_its_time() -> None:
    penalty = scheduled()
    Penalty.objects.filter(pk=penalty.pk).update(starts_at=timezone.now() + DAY)
    assert services.penalties_apply_due() == 0
    assert services.penalties_apply_due(now=timezone.now() + 2 * DAY) == 1


def refused_with(penalty: Penalty, words: str) -> None:
    services.penalties_apply_due()
    penalty.refresh_from_db()
    assert (penalty.status, penalty.applied_at) == ("failed", None)
    assert words in penalty.last_error
    assert not Restriction.objects.exists()
    assert Event.objects.filter(act="penalty.failed", reason=penalty.last_error).count() == 1


def test_no_penalty_without_a_confirmed_violation() -> None:
    penalty = scheduled()
    Violation.objects.update(status="overturned")
    refused_with(penalty, "not confirmed")


def test_no_penalty_under_a_version_that_was_not_live_on_that_day() -> None:
    penalty = scheduled()
    LivePeriod.objects.update(ends_at=timezone.now() - DAY)
    refused_with(penalty, "not live")


def test_no_penalty_under_a_version_that_was_live_in_another_market_only() -> None:
    penalty = scheduled()
    LivePeriod.objects.update(market=factories.market())
    refused_with(penalty, "not live")


def test_no_penalty_before_its_notice() -> None:
    penalty = scheduled()
    late = Notice.objects.create(
        guild=penalty.guild,
        kind="penalty_imposed",
        object_type="violation",
        object_id="x",
        language="en",
        subject="s",
        body="b",
        issued_at=timezone.now() + DAY,
    )
    Penalty.objects.filter(pk=penalty.pk).update(notice=late)
    refused_with(penalty, "notice")


def test_the_database_itself_refuses_a_scheduled_penalty_without_notice() -> None:
    from django.db import IntegrityError, transaction

    penalty = scheduled()
    with pytest.raises(IntegrityError, match="penalty_has_notice_before_effect"), transaction.atomic():
        Penalty.objects.filter(pk=penalty.pk).update(notice=None)


def test_one_that_fails_does_not_stop_the_others() -> None:
    good, bad = scheduled(), scheduled()
    # A restriction already in the way of the second: its kind will run into the unique constraint.
    Restriction.objects.create(
        guild=bad.guild, penalty=bad, kind=bad.kind, starts_at=bad.starts_at, lifted_at=timezone.now()
    )
    services.penalties_apply_due()
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.status, bad.status) == ("in_force", "failed")
    assert bad.attempts == 1

    Restriction.objects.filter(penalty=bad).delete()
    enforcer = factories.staff("enforcer")
    from guilds.accounts.actor import Actor

    services.penalty_retry(actor=Actor.staff(enforcer), penalty_id=bad.pk, reason="obstacle removed")
    services.penalties_apply_due()
    bad.refresh_from_db()
    assert (bad.status, bad.last_error) == ("in_force", "")


def test_statements_do_not_multiply_with_the_batch(django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    version = factories.version(ladder=FREEZE)
    for _ in range(40):
        factories.violation(factories.guild(), version, status="confirmed", evidence=False)
    services.sanctions_decide_due(limit=100)
    with django_assert_max_num_queries(13):
        assert services.penalties_apply_due() == 40
    with django_assert_max_num_queries(10):
        assert services.penalties_lift_due(now=timezone.now() + 8 * DAY) == 40
