"""A record of what a guild suffered under a penalty that did not stand, from its opening to its settlement."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone

from governance.models import Compensation, Event, Penalty, Violation
from governance.penalties import services
from guilds.accounts.actor import Actor
from guilds.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Activity, Guild
from tests import factories

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def clock() -> Iterator[list[dt.datetime]]:
    """The time, which only a test moves; noon, so that days do not begin by accident."""
    time = [timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)]
    with mock.patch("django.utils.timezone.now", side_effect=lambda: time[0]):
        yield time


@pytest.fixture
def guild(clock: list[dt.datetime]) -> Guild:
    return factories.guild(market=factories.market(timezone="Asia/Tokyo"))


@pytest.fixture
def adjudicator(clock: list[dt.datetime]) -> Actor:
    return Actor.staff(factories.staff("adjudicator"))


def earn(guild: Guild, clock: list[dt.datetime], *, before: int, during: int, days: int) -> None:
    """So much gift revenue a day in the ten days before now, and so much in the days from today on."""
    today = (clock[0] + dt.timedelta(hours=9)).date()
    for number in range(-10, days):
        Activity.objects.create(
            guild=guild,
            date=today + dt.timedelta(days=number),
            live_hours=5,
            active_creators=3,
            gift_revenue=before if number < 0 else during,
        )


def offend(guild: Guild, *steps: list[dict[str, Any]]) -> Violation:
    version = factories.version(ladder={**factories.LADDER, "steps": list(steps)})
    violation = factories.violation(guild, version, status="confirmed", occurred_at=timezone.now())
    settle()
    return violation


def settle() -> None:
    services.sanctions_decide_due()
    services.penalties_apply_due()
    services.penalties_lift_due()


def overturn(actor: Actor, violation: Violation) -> None:
    penalty = violation.penalties.filter(crossing__isnull=True).latest("pk")
    services.penalty_overturn(actor=actor, penalty_id=penalty.pk, reason="mistaken")


@pytest.mark.parametrize(
    ("step", "estimate"),
    [
        # Four dates in force: three days and the one begun; 100 a day before, 40 a day during.
        ({"kind": "settlement_hold", "days": 30}, Decimal("160.00")),
        ({"kind": "reward_freeze", "days": 30, "share": 0.5}, Decimal("80.00")),
        ({"kind": "income_deduction", "share": 0.25}, Decimal("40.00")),
        ({"kind": "traffic_limit", "days": 30}, Decimal("240.00")),
        ({"kind": "suspension", "days": 30}, Decimal("240.00")),
        ({"kind": "reward_forfeiture"}, None),
    ],
)
def test_each_costly_kind_is_reckoned_in_its_way(
    guild: Guild, adjudicator: Actor, clock: list[dt.datetime], step: dict[str, Any], estimate: Decimal | None
) -> None:
    earn(guild, clock, before=100, during=40, days=9)
    violation = offend(guild, [step])
    clock[0] += 3 * DAY

    overturn(adjudicator, violation)

    row = Compensation.objects.get()
    assert (row.status, row.estimate, row.guild, row.market) == ("open", estimate, guild, guild.market)
    assert row.basis == {
        "measure": step["kind"],
        "days": 3.0,
        "from": (clock[0] - 3 * DAY).isoformat(),
        "until": clock[0].isoformat(),
        "gift_revenue": "160.00",
        "per_day_before": "100.00",
        "share": step.get("share"),
    }
    event = Event.objects.get(act="compensation.opened")
    assert (event.object_id, event.after["days"]) == (row.public_id, 3.0)


def test_nothing_is_owed_for_what_cost_nothing_or_never_began(
    guild: Guild, adjudicator: Actor, clock: list[dt.datetime]
) -> None:
    free = offend(guild, [{"kind": "warning"}, {"kind": "tier_removal", "days": 9}])
    pending = offend(guild, [{"kind": "suspension", "days": 9, "grace": "9d"}])
    clock[0] += 3 * DAY
    short = offend(guild, [{"kind": "settlement_hold", "days": 9}])
    clock[0] += dt.timedelta(minutes=59)
    for violation in (free, pending, short):
        overturn(adjudicator, violation)
    assert not Compensation.objects.exists()


def test_a_traffic_limit_under_which_a_guild_earned_more_costs_nothing(
    guild: Guild, adjudicator: Actor, clock: list[dt.datetime]
) -> None:
    earn(guild, clock, before=10, during=40, days=9)
    violation = offend(guild, [{"kind": "traffic_limit", "days": 9}])
    clock[0] += 3 * DAY
    overturn(adjudicator, violation)
    assert Compensation.objects.get().estimate == 0


def test_time_that_a_milder_rung_would_have_taken_anyway_is_not_made_good(
    guild: Guild, adjudicator: Actor, clock: list[dt.datetime]
) -> None:
    ladder = {
        **factories.LADDER,
        "steps": [[{"kind": "traffic_limit", "days": 4}], [{"kind": "traffic_limit", "days": 20}]],
    }
    version = factories.version(ladder=ladder)
    first = factories.violation(guild, version, status="confirmed", occurred_at=timezone.now())
    settle()
    clock[0] += 4 * DAY
    settle()
    second = factories.violation(guild, version, status="confirmed", occurred_at=timezone.now())
    settle()
    clock[0] += 10 * DAY

    overturn(adjudicator, first)

    rows = {row.penalty.violation_id: row.basis["days"] for row in Compensation.objects.all()}
    assert rows == {first.pk: 4.0, second.pk: 6.0}
    assert Penalty.objects.get(violation=second, status="reversed").params["days"] == 20


def test_a_reduction_makes_good_what_was_too_long(
    guild: Guild, adjudicator: Actor, clock: list[dt.datetime]
) -> None:
    violation = offend(guild, [{"kind": "suspension", "days": 10}])
    clock[0] += 20 * DAY
    settle()
    penalty = violation.penalties.get()
    assert penalty.status == "lifted"
    services.penalty_reduce(actor=adjudicator, penalty_id=penalty.pk, days=3, reason="too long")
    assert Compensation.objects.get().basis["days"] == 17.0, "it was lifted late, which counts"
    penalty.refresh_from_db()
    assert (penalty.status, penalty.ends_at) == ("lifted", penalty.starts_at + 3 * DAY)
    assert not Event.objects.filter(act="penalty.lifted", reason="too long").exists()


def test_a_part_settled_before_is_opened_again_with_the_whole(
    guild: Guild, adjudicator: Actor, clock: list[dt.datetime]
) -> None:
    violation = offend(guild, [{"kind": "suspension", "days": 10}])
    clock[0] += 8 * DAY
    services.penalty_reduce(
        actor=adjudicator, penalty_id=violation.penalties.get().pk, days=3, reason="too long"
    )
    row = Compensation.objects.get()
    services.compensation_settle(
        actor=Actor.staff(factories.staff("admin")), compensation_id=row.pk, amount="50", note="Paid."
    )
    services.violation_undo(actor=adjudicator, violation_id=violation.pk, reason="wrong altogether")
    row.refresh_from_db()
    assert (row.status, row.amount, row.settled_at) == ("open", None, None)
    assert (row.basis["days"], row.basis["settled_before"]["amount"]) == (8.0, "50.00")


@pytest.fixture
def owed(guild: Guild, adjudicator: Actor, clock: list[dt.datetime]) -> Compensation:
    violation = offend(guild, [{"kind": "suspension", "days": 10}])
    clock[0] += 3 * DAY
    overturn(adjudicator, violation)
    return Compensation.objects.get()


@pytest.mark.parametrize("role", ["enforcer", "admin"])
def test_it_is_settled_once_by_an_enforcer_or_administrator(owed: Compensation, role: str) -> None:
    person = factories.staff(role)
    services.compensation_settle(
        actor=Actor.staff(person), compensation_id=owed.pk, amount="120.504", note=" Paid with the next. "
    )
    owed.refresh_from_db()
    assert (owed.status, owed.amount, owed.settled_by, owed.note) == (
        "settled",
        Decimal("120.50"),
        person,
        "Paid with the next.",
    )
    event = Event.objects.get(act="compensation.settled")
    assert (event.after, event.reason) == ({"status": "settled", "amount": "120.50"}, "Paid with the next.")
    with pytest.raises(InvalidTransition):
        services.compensation_decline(actor=Actor.staff(person), compensation_id=owed.pk, reason="No.")


def test_it_can_be_declined_with_a_reason(owed: Compensation) -> None:
    services.compensation_decline(
        actor=Actor.staff(factories.staff("enforcer")), compensation_id=owed.pk, reason="It streamed on."
    )
    owed.refresh_from_db()
    assert (owed.status, owed.amount, owed.note) == ("declined", None, "It streamed on.")
    assert Event.objects.get(act="compensation.declined").reason == "It streamed on."


def test_refusals_change_and_record_nothing(owed: Compensation, adjudicator: Actor) -> None:
    enforcer = Actor.staff(factories.staff("enforcer"))
    took_part = factories.staff("enforcer")
    Penalty.objects.update(released_by=took_part)
    elsewhere = Actor.staff(factories.staff("enforcer", markets=[factories.market()]))
    cases: list[tuple[Actor, int, object, str, type[DomainError]]] = [
        (enforcer, owed.pk, "0", "Paid.", InvalidInput),
        (enforcer, owed.pk, "-5", "Paid.", InvalidInput),
        (enforcer, owed.pk, "much", "Paid.", InvalidInput),
        (enforcer, owed.pk, "NaN", "Paid.", InvalidInput),
        (enforcer, owed.pk, "1e20", "Paid.", InvalidInput),
        (enforcer, owed.pk, "5", " ", InvalidInput),
        (Actor.staff(took_part), owed.pk, "5", "Paid.", NotAllowed),
        (elsewhere, owed.pk, "5", "Paid.", NotAllowed),
        (adjudicator, owed.pk, "5", "Paid.", NotAllowed),
        (Actor.system("test"), owed.pk, "5", "Paid.", NotAllowed),
        (enforcer, 0, "5", "Paid.", NotFound),
    ]
    before = (list(Compensation.objects.values()), Event.objects.count())
    for actor, key, amount, note, error in cases:
        with pytest.raises(error):
            services.compensation_settle(actor=actor, compensation_id=key, amount=amount, note=note)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        services.compensation_decline(actor=enforcer, compensation_id=owed.pk, reason="")
    assert (list(Compensation.objects.values()), Event.objects.count()) == before
