"""What has not begun waits for the answer to an appeal, and goes on with the time that was left."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from threading import Event as Flag
from threading import Thread
from typing import Any
from unittest import mock

import pytest
from django.db import connection, transaction
from django.utils import timezone

from appeals.models import Appeal
from appeals.services import appeal_decide, appeal_file, appeal_withdraw
from governance.models import Event, Notice, Penalty, Restriction
from governance.penalties import services
from guilds.accounts.actor import Actor
from guilds.models import Guild
from tests import factories
from tests.appeals.cases import ANSWER, STATEMENT

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
LADDER: dict[str, Any] = {
    **factories.LADDER,
    "steps": [
        [
            {"kind": "warning"},
            {"kind": "traffic_limit", "days": 10, "grace": "7d", "stops": ["appeal"]},
            {"kind": "reward_freeze", "days": 10, "grace": "7d"},
        ]
    ],
}


@pytest.fixture
def guild() -> Guild:
    regime = factories.regime(code="eu", appeal_days=180, termination_days=30)
    return factories.guild(market=factories.market(regime=regime))


@pytest.fixture
def clock() -> Iterator[list[dt.datetime]]:
    """The time, which only a test moves."""
    time = [timezone.now()]
    with mock.patch("django.utils.timezone.now", side_effect=lambda: time[0]):
        yield time


def offend(guild: Guild, ladder: dict[str, Any] = LADDER, **spec: Any) -> None:
    factories.violation(
        guild, factories.version(ladder=ladder, **spec), status="confirmed", occurred_at=timezone.now()
    )
    services.sanctions_decide_due()
    services.penalties_apply_due()


def of(kind: str) -> Penalty:
    return Penalty.objects.get(kind=kind)


def file(guild: Guild, kind: str) -> Appeal:
    return appeal_file(
        actor=Actor.guild_user(factories.seat(guild)),
        penalty_id=of(kind).pk,
        grounds="facts_wrong",
        statement=STATEMENT,
    )


def decide(appeal: Appeal, outcome: str, **reduction: int) -> None:
    appeal_decide(
        actor=Actor.staff(factories.staff("adjudicator")),
        appeal_id=appeal.pk,
        outcome=outcome,
        answer=ANSWER,
        reduction=reduction,
    )


def test_an_appeal_stays_what_it_stops_and_nothing_else(guild: Guild, clock: list[dt.datetime]) -> None:
    offend(guild)
    last = Event.objects.latest("id").id

    file(guild, "warning")

    assert [of(kind).status for kind in ("warning", "traffic_limit", "reward_freeze")] == [
        "in_force",
        "stayed",
        "scheduled",
    ]
    assert of("traffic_limit").stayed_at == clock[0]
    event = Event.objects.get(id__gt=last, act="penalty.stayed")
    assert (event.object_id, event.after["status"]) == (str(of("traffic_limit").public_id), "stayed")
    told = Notice.objects.get(kind="penalty_changed")
    assert told.statement["penalties"] == [str(of("traffic_limit").public_id)]
    assert "Stayed by an appeal" in told.body
    clock[0] += 8 * DAY
    services.penalties_apply_due()
    assert list(Restriction.objects.values_list("kind", flat=True)) == ["reward_freeze"]


@pytest.mark.parametrize("end", ["withdrawn", "upheld"])
def test_it_goes_on_with_the_time_that_was_left(guild: Guild, clock: list[dt.datetime], end: str) -> None:
    offend(guild)
    began, length = of("traffic_limit").starts_at, 10 * DAY
    clock[0] += 2 * DAY
    appeal = file(guild, "traffic_limit")
    clock[0] += 40 * DAY

    if end == "withdrawn":
        appeal_withdraw(actor=Actor.guild_user(factories.seat(guild)), appeal_id=appeal.pk)
    else:
        decide(appeal, "upheld")

    gone_on = of("traffic_limit")
    assert (gone_on.status, gone_on.stayed_at) == ("scheduled", None)
    assert (gone_on.starts_at, gone_on.ends_at) == (clock[0] + 5 * DAY, clock[0] + 5 * DAY + length)
    assert gone_on.starts_at > began
    assert Event.objects.filter(act="penalty.resumed", object_id=str(gone_on.public_id)).count() == 1
    assert Notice.objects.filter(kind="penalty_changed").count() == 2


def test_reduced_it_goes_on_for_fewer_days_and_the_guild_is_told_once(
    guild: Guild, clock: list[dt.datetime]
) -> None:
    offend(guild)
    appeal = file(guild, "traffic_limit")
    told = Notice.objects.filter(kind="penalty_changed").count()

    decide(appeal, "reduced", days=4)

    penalty = of("traffic_limit")
    assert (penalty.status, penalty.starts_at, penalty.ends_at) == (
        "scheduled",
        clock[0] + 7 * DAY,
        clock[0] + 11 * DAY,
    )
    assert Notice.objects.filter(kind="penalty_changed").count() == told + 1


def test_overturned_it_never_starts(guild: Guild, clock: list[dt.datetime]) -> None:
    offend(guild)
    decide(file(guild, "traffic_limit"), "overturned")
    assert of("traffic_limit").status == "reversed"
    clock[0] += 60 * DAY
    services.penalties_apply_due()
    assert not Restriction.objects.filter(lifted_at__isnull=True).exists()


def test_it_waits_while_another_appeal_of_the_case_is_open(guild: Guild, clock: list[dt.datetime]) -> None:
    offend(guild)
    first, second = file(guild, "warning"), file(guild, "traffic_limit")
    decide(first, "upheld")
    assert of("traffic_limit").status == "stayed"
    decide(second, "upheld")
    assert of("traffic_limit").status == "scheduled"


def test_a_termination_is_stayed_without_saying_so_and_keeps_its_whole_notice(
    guild: Guild, clock: list[dt.datetime]
) -> None:
    offend(guild, {**LADDER, "steps": [[{"kind": "warning"}, {"kind": "clear_out"}]]})
    enforcer = Actor.staff(factories.staff("enforcer"))
    services.penalty_release(actor=enforcer, penalty_id=of("clear_out").pk, reason="Beyond doubt.")
    planned, told = of("clear_out").starts_at, clock[0]
    assert planned >= told + 30 * DAY
    clock[0] += 10 * DAY
    appeal = file(guild, "warning")
    assert of("clear_out").status == "stayed"
    clock[0] += DAY
    # The law changes meanwhile.
    regime = guild.market.regime
    regime.termination_days = 60
    regime.save()

    decide(appeal, "upheld")

    assert of("clear_out").starts_at >= told + 60 * DAY


def test_an_enforcer_can_cancel_what_is_stayed(guild: Guild, clock: list[dt.datetime]) -> None:
    offend(guild)
    appeal = file(guild, "traffic_limit")
    enforcer = Actor.staff(factories.staff("enforcer"))
    services.penalty_cancel(actor=enforcer, penalty_id=of("traffic_limit").pk, reason="Not needed.")
    decide(appeal, "overturned")
    assert (of("traffic_limit").status, of("warning").status) == ("cancelled", "reversed")


@pytest.mark.django_db(transaction=True)
def test_an_appeal_filed_while_penalties_start_waits_for_whoever_came_first() -> None:
    """The guild's lock decides: with the batch at work the penalty starts, and the appeal finds it in force."""
    regime = factories.regime(code="eu", appeal_days=180)
    guild = factories.guild(market=factories.market(regime=regime))
    seat = factories.seat(guild)
    offend(guild)
    penalty = of("traffic_limit")
    Penalty.objects.filter(pk=penalty.pk).update(starts_at=timezone.now())
    started, filed = Flag(), Flag()

    def start() -> None:
        try:
            with transaction.atomic():
                services.penalties_apply_due()
                started.set()
                filed.wait(timeout=1)
        finally:
            connection.close()

    worker = Thread(target=start)
    worker.start()
    assert started.wait(timeout=20)
    appeal_file(
        actor=Actor.guild_user(seat), penalty_id=penalty.pk, grounds="facts_wrong", statement=STATEMENT
    )
    filed.set()
    worker.join(timeout=20)

    penalty.refresh_from_db()
    assert (penalty.status, Appeal.objects.count()) == ("in_force", 1)
    assert not Event.objects.filter(act="penalty.stayed").exists()


@pytest.mark.django_db(transaction=True)
def test_penalties_that_start_while_an_appeal_is_filed_leave_that_guild_alone() -> None:
    regime = factories.regime(code="eu", appeal_days=180)
    guild = factories.guild(market=factories.market(regime=regime))
    seat = factories.seat(guild)
    offend(guild)
    penalty = of("traffic_limit")
    Penalty.objects.filter(pk=penalty.pk).update(starts_at=timezone.now())
    applied: list[int] = []

    def start() -> None:
        try:
            applied.append(services.penalties_apply_due())
        finally:
            connection.close()

    with transaction.atomic():
        appeal_file(
            actor=Actor.guild_user(seat), penalty_id=penalty.pk, grounds="facts_wrong", statement=STATEMENT
        )
        worker = Thread(target=start)
        worker.start()
        worker.join(timeout=20)
    services.penalties_apply_due()

    penalty.refresh_from_db()
    assert (penalty.status, applied) == ("stayed", [0])
