"""What is counted per risk and market, against a world small enough to count by hand."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pytest
from django.utils import timezone

from governance.insights.risk_facts import risk_assessments, risk_facts
from governance.insights.tasks import assess_risks
from governance.ledger.models import Event
from governance.models import Assessment, Feedback, LivePeriod, Risk, RuleVersion
from governance.risks.scoring import Facts
from governance.risks.selectors import latest_assessments, overall
from governance.risks.services import assessments_record
from guilds.accounts.actor import Actor
from guilds.errors import NotAllowed
from guilds.models import Activity, Guild, Market
from tests import factories

pytestmark = pytest.mark.django_db

TODAY = dt.date(2026, 6, 30)


def noon(days_ago: int) -> dt.datetime:
    return dt.datetime.combine(TODAY, dt.time(12), dt.UTC) - dt.timedelta(days=days_ago)


def midnight(days_ago: int) -> dt.datetime:
    return dt.datetime.combine(TODAY, dt.time(), dt.UTC) - dt.timedelta(days=days_ago)


def streamed(guild: Guild, days_ago: int, hours: float) -> None:
    Activity.objects.create(
        guild=guild, date=TODAY - dt.timedelta(days=days_ago), live_hours=hours, active_creators=1
    )


def told(market: Market | None, risk: Risk | None, days_ago: int = 3, **fields: object) -> Feedback:
    return Feedback.objects.create(
        source="reviewer",
        channel="console",
        body="Something is going on there.",
        market=market,
        risk=risk,
        created_at=noon(days_ago),
        **fields,
    )


@dataclass
class World:
    north: Market
    south: Market
    risk: Risk
    version: RuleVersion


@pytest.fixture
def world(db: None) -> World:
    north, south = factories.market("NORTH"), factories.market("SOUTH")
    risk = Risk.objects.create(code="GFT", name="Gifts", harm=3, likelihood=2, owner="Payments")
    version = factories.version(factories.rule("GFT-1", risk=risk))
    Risk.objects.filter(code="RSK").delete()  # the builder's own
    ann, ben, idle = (factories.guild(name, market=north) for name in ("ann", "ben", "idle"))
    cem = factories.guild("cem", market=south)
    # Activity: 400 hours in the north's window (100 + 300), 200 in the window before; 400 and 100 in the south.
    for guild, days_ago, hours in (
        (ann, 1, 60),
        (ann, 90, 40),
        (ann, 91, 200),
        (ben, 30, 300),
        (idle, 30, 0),
        (cem, 10, 400),
        (cem, 100, 100),
        (ann, 0, 5),  # today: the window ends before it
        (ann, 181, 70),  # before both windows
    ):
        streamed(guild, days_ago, hours)
    for guild, status, at in (
        (ann, "confirmed", noon(5)),
        (ann, "confirmed", midnight(90)),  # the first moment of the window
        (ann, "confirmed", midnight(0)),  # the first moment after it
        (ann, "confirmed", midnight(90) - dt.timedelta(seconds=1)),  # the last of the window before
        (ann, "confirmed", noon(200)),
        (ann, "dismissed", noon(6)),
        (ann, "overturned", noon(7)),
        (ben, "open", noon(8)),
    ):
        factories.violation(guild, version, status=status, occurred_at=at, evidence=False)
    # A guild of the south, charged in the north: its live hours are not the north's.
    factories.violation(cem, version, status="confirmed", occurred_at=noon(4), market=north, evidence=False)
    # Messages: two of the north, one of them merged into the other; one of no market, one too old, one about nothing.
    first = told(north, risk)
    told(north, None, status="merged", merged_into=first)
    told(None, risk)
    told(north, risk, days_ago=91)
    told(north, None)
    told(north, risk, guild=cem)
    return World(north, south, risk, version)


def test_what_is_counted(world: World) -> None:
    found = risk_facts(on=TODAY)
    assert found[world.risk.pk, world.north.pk] == Facts(
        live_hours=400,
        live_hours_before=200,
        guilds=2,
        violations=5,
        undecided=1,
        upheld=2,
        upheld_before=1,
        guilds_upheld=1,
        feedback=2,
        watched=True,
        watched_throughout=True,
    )
    assert found[world.risk.pk, world.south.pk] == Facts(
        live_hours=400, live_hours_before=100, guilds=1, watched=True, watched_throughout=True
    )


def test_a_shorter_window_counts_less(world: World) -> None:
    facts = risk_facts(on=TODAY, window_days=10)[world.risk.pk, world.north.pk]
    assert (facts.live_hours, facts.guilds, facts.violations, facts.upheld, facts.upheld_before) == (
        60,
        1,
        4,
        1,
        0,
    )


def test_the_assessments_made_of_it(world: World) -> None:
    north, south = sorted(
        (row for row in risk_assessments(on=TODAY) if row.risk_id == world.risk.pk),
        key=lambda row: row.market.code,
    )
    # Mean (1 + 0) ÷ (2 + 1) = ⅓. North (1 + 20 ÷ 3) ÷ 22 = 0.348: likelihood 5, 60 × 15 ÷ 25 = 36. Trend of 3 cases:
    # unknown, 7.5. Two messages. 400 of at most 400 hours: 15. South (0 + 20 ÷ 3) ÷ 21 = 0.317: the same severity.
    assert [part["points"] for part in north.parts] == [36, 7.5, 2, 15]
    assert north.parts[0]["prevalence"] == pytest.approx((1 + 20 / 3) / 22)
    assert (north.priority, north.trend, north.rate, north.rate_before) == (60.5, "unknown", 5.0, 5.0)
    assert (south.priority, south.rate, south.rate_before) == (58.5, 0.0, 0.0)
    assert (north.on, north.window_days, north.upheld, north.violations) == (TODAY, 90, 2, 5)


@pytest.mark.parametrize(
    ("period", "watched", "throughout"),
    [
        ({"starts_at": noon(300)}, True, True),
        ({"starts_at": noon(20)}, True, False),
        ({"starts_at": noon(300), "ends_at": noon(20)}, True, False),
        ({"starts_at": noon(300), "ends_at": noon(95)}, False, False),
        ({"starts_at": noon(-1)}, False, False),
    ],
)
def test_a_risk_is_watched_where_a_rule_is_live(
    world: World, period: dict[str, dt.datetime], watched: bool, throughout: bool
) -> None:
    LivePeriod.objects.all().delete()
    LivePeriod.objects.create(version=world.version, market=world.north, opened_by="wave:1", **period)
    found = risk_facts(on=TODAY)
    north, south = found[world.risk.pk, world.north.pk], found[world.risk.pk, world.south.pk]
    assert (north.watched, north.watched_throughout) == (watched, throughout)
    assert (south.watched, south.watched_throughout) == (False, False)


def test_a_rule_for_some_markets_watches_no_others(world: World) -> None:
    other = Risk.objects.create(code="OTH", name="Other", harm=1, likelihood=1, owner="X")
    factories.version(factories.rule("OTH-1", risk=other), markets=["SOUTH"])
    found = risk_facts(on=TODAY)
    assert found[other.pk, world.south.pk].watched
    assert not found[other.pk, world.north.pk].watched


def test_retired_risks_are_not_assessed(world: World) -> None:
    Risk.objects.filter(pk=world.risk.pk).update(retired_at=timezone.now())
    assert {row.risk_id for row in risk_assessments(on=TODAY)} == set()


def test_a_later_run_of_the_day_replaces_the_earlier_one(world: World) -> None:
    actor = Actor.staff(factories.staff("analyst"))
    kept = assessments_record(actor=actor, rows=risk_assessments(on=TODAY))
    told(world.north, world.risk)
    assert assessments_record(actor=actor, rows=risk_assessments(on=TODAY)) == kept == 2
    assert Assessment.objects.get(risk=world.risk, market=world.north).feedback == 3
    assert Assessment.objects.count() == 2
    [first, second] = Event.objects.filter(act="risks.assessed").order_by("id")
    assert first.after == {"assessments": 2, "risks": 1, "markets": 2, "window_days": 90}
    assert (first.object_id, second.object_id) == ("2026-06-30", "2026-06-30")


def test_who_reaches_some_markets_assesses_those(world: World) -> None:
    analyst = Actor.staff(factories.staff("analyst", markets=[world.north]))
    everything = risk_assessments(on=TODAY)
    for actor, rows in (
        (analyst, everything),
        (Actor.staff(factories.staff("auditor")), everything),
    ):
        with pytest.raises(NotAllowed):
            assessments_record(actor=actor, rows=rows)
    assert (Assessment.objects.count(), Event.objects.filter(act="risks.assessed").count()) == (0, 0)

    assessments_record(actor=analyst, rows=risk_assessments(on=TODAY, market_ids=analyst.market_ids))

    [north] = Assessment.objects.all()
    # Compared with all markets all the same.
    assert (north.market, north.priority) == (world.north, 60.5)


def test_the_daily_task_runs_once_a_day(world: World) -> None:
    analyst = Actor.staff(factories.staff("analyst"))
    today = timezone.now().date()
    assessments_record(actor=analyst, rows=risk_assessments(on=today))
    # What a person did does not stand in for the schedule.
    assert assess_risks() == Assessment.objects.filter(on=today).count() > 0
    assert assess_risks() == 0
    assert Event.objects.filter(act="risks.assessed").count() == 2


def test_all_markets_at_once(world: World) -> None:
    actor = Actor.system("test")
    assessments_record(actor=actor, rows=risk_assessments(on=TODAY - dt.timedelta(days=1)))
    assessments_record(actor=actor, rows=risk_assessments(on=TODAY))
    rows = list(latest_assessments(Actor.staff(factories.staff("auditor"))))
    assert {row.on for row in rows} == {TODAY}
    whole = overall(rows)[world.risk.pk]
    # Guilds 3, one of them with an upheld violation: the mean itself, ⅓. All of the live hours: 15.
    assert (whole.facts.guilds, whole.facts.upheld, whole.facts.live_hours, whole.markets) == (3, 2, 800, 2)
    assert whole.score.rate == 2.5
    assert [part["points"] for part in whole.score.parts] == [36, 7.5, 2, 15]
    near = list(latest_assessments(Actor.staff(factories.staff("auditor", markets=[world.south]))))
    assert [row.market for row in near] == [world.south]
