"""What is shown before confirming is what confirming does."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from governance.models import (
    Band,
    BandCrossing,
    Completion,
    Event,
    Penalty,
    PointEntry,
    Safeguard,
    Shield,
    Standing,
    Violation,
)
from governance.penalties import services
from governance.penalties.services.preview import Preview, preview
from guilds.models import Activity, Guild
from tests import factories

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def confirm(violation: Violation, now: dt.datetime) -> None:
    """As the verdict leaves it, then decided."""
    Violation.objects.filter(pk=violation.pk).update(status="confirmed", decided_at=now, sanction_due=True)
    services.sanctions_decide_due(now=now)


def done(violation: Violation) -> dict[str, Any]:
    """What really followed."""
    violation.refresh_from_db()
    entry = PointEntry.objects.filter(violation=violation, reason="violation").first()
    return {
        "nth": violation.sanction.nth,
        "points": entry.points if entry else 0,
        "score": Standing.objects.get(guild=violation.guild).score,
        "bands": sorted(
            BandCrossing.objects.filter(violation=violation).values_list("band__name", flat=True)
        ),
        "penalties": sorted(
            (one.kind, one.starts_at, one.ends_at, one.hold_reason, one.status == "held")
            for one in violation.penalties.all()
        ),
    }


def foreseen(found: Preview) -> dict[str, Any]:
    return {
        "nth": found.nth,
        "points": found.points,
        "score": found.score_after,
        "bands": sorted(found.bands),
        "penalties": sorted(
            (one.kind, one.starts_at, one.ends_at, one.held or "", one.held is not None)
            for one in found.measures
        ),
    }


# --- random worlds ----------------------------------------------------------------------------------------------------
KINDS = ["warning", "recruitment_freeze", "settlement_hold", "suspension", "clear_out", "training"]
step = st.fixed_dictionaries(
    {"kind": st.sampled_from(KINDS)},
    optional={
        "days": st.integers(1, 40),
        "grace": st.sampled_from(["12h", "7d"]),
        "stops": st.just(["correction"]),
        "stack": st.just("after"),
    },
)
steps = st.lists(st.lists(step, max_size=3), min_size=1, max_size=3)
values = st.fixed_dictionaries(
    {}, optional={"points": st.integers(0, 60), "window": st.sampled_from(["1d", "200d"]), "steps": steps}
)
world = st.fixed_dictionaries(
    {
        "ladder": st.fixed_dictionaries(
            {
                "window": st.sampled_from(["5d", "180d"]),
                "points": st.integers(0, 60),
                "decay": st.just("180d"),
                "steps": steps,
                "red_line": st.booleans(),
                "by_market": st.dictionaries(st.sampled_from(["P1", "P2"]), values, max_size=1),
            }
        ),
        "severity": st.sampled_from(["S1", "S2", "S3"]),
        "second_person": st.lists(st.sampled_from(KINDS), max_size=1),
        "share": st.sampled_from([None, 0.25]),
        "earlier": st.lists(st.integers(0, 20), max_size=4, unique=True),
        "waiting": st.lists(st.integers(-3, 3), max_size=2, unique=True),
        "bands": st.lists(
            st.tuples(st.integers(30, 99), st.booleans(), st.lists(step, max_size=2)),
            max_size=3,
            unique_by=lambda band: (band[0], band[1]),
        ),
        "creators": st.integers(0, 2),
        "shielded": st.booleans(),
        "excused": st.booleans(),
        "termination_days": st.sampled_from([0, 30]),
    }
)


def build(given: dict[str, Any], now: dt.datetime) -> Violation:
    """The world as drawn, with the open violation in question."""
    regime = factories.regime(
        code=f"r{given['termination_days']}", termination_days=given["termination_days"]
    )
    market = factories.market("P1", regime=regime, timezone="Asia/Tokyo")
    guild = factories.guild(market=market)
    version = factories.version(
        ladder=given["ladder"],
        severity=given["severity"],
        second_person=given["second_person"],
        share=given["share"],
    )
    for place, (threshold, own, measures) in enumerate(given["bands"]):
        Band.objects.create(
            code=f"b{place}",
            name=f"B{place}",
            at_or_below=threshold,
            penalties=measures,
            market=market if own else None,
        )
    Safeguard.objects.create(large_creators=2)
    for _ in range(given["creators"]):
        factories.membership(factories.creator(), guild, now - 50 * DAY)
    for days in given["earlier"]:
        factories.violation(
            guild, version, status="confirmed", occurred_at=now - (days + 1) * DAY, evidence=False
        )
    services.sanctions_decide_due(now=now - DAY)
    if given["shielded"] and (fallen := Penalty.objects.first()):
        Shield.objects.create(guild=guild, penalty=fallen, starts_at=now - DAY, ends_at=now + DAY)
    if given["excused"]:
        lesson = factories.lesson(version.rule, amnesty_days=30)
        Completion.objects.create(
            guild=guild, lesson=lesson, user=factories.user(), completed_at=now - 2 * DAY
        )
    for hours in given["waiting"]:
        factories.violation(
            guild, version, status="confirmed", occurred_at=now - 5 * dt.timedelta(hours=1) + hours * dt.timedelta(minutes=30),
            subject=f"w{hours}{Violation.objects.count()}", evidence=False,
        )  # fmt: skip
    charged = factories.creator() if given["share"] else None
    return factories.violation(
        guild, version, occurred_at=now - 5 * dt.timedelta(hours=1), creator=charged, evidence=False
    )


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # a world takes seconds to build: too long to shrink
)
@given(drawn=world)
def test_a_preview_is_what_confirming_then_does(drawn: dict[str, Any]) -> None:
    now = timezone.now()
    with transaction.atomic():
        violation = build(drawn, now)
        before = (Penalty.objects.count(), PointEntry.objects.count(), BandCrossing.objects.count())
        found = preview(violation, now=now)
        assert before == (Penalty.objects.count(), PointEntry.objects.count(), BandCrossing.objects.count())
        last = not Violation.objects.filter(sanction_due=True, occurred_at__gt=violation.occurred_at).exists()
        confirm(violation, now)
        really = done(violation)
        if not last:  # what comes after it in the same batch moves the score on
            really.pop("score")
        shown = foreseen(found)
        assert {name: shown[name] for name in really} == really
        transaction.set_rollback(True)


# --- the parts --------------------------------------------------------------------------------------------------------
def test_everything_a_reviewer_should_know_before_deciding() -> None:
    now = timezone.now()
    market = factories.market("DE")
    guild = factories.guild(market=market)
    ladder = {
        **factories.LADDER,
        "points": 25,
        "steps": [[{"kind": "suspension", "days": 3}], [{"kind": "clear_out"}]],
    }
    version = factories.version(ladder=ladder, second_person=["suspension"])
    Band.objects.create(
        code="watch", name="Watch", at_or_below=80, penalties=[{"kind": "interview", "days": 14}]
    )
    for days in (1, 29, 31):
        Activity.objects.create(
            guild=guild, date=(now - days * DAY).date(), live_hours=10, active_creators=days, gift_revenue=100
        )
    factories.membership(factories.creator(), guild, now - 50 * DAY)
    violation = factories.violation(guild, version)

    found = preview(violation, now=now)

    assert (found.nth, found.points, found.score_before, found.score_after) == (1, 25, 100, 75)
    assert found.bands == ("Watch",)
    suspension, interview = found.measures
    assert (suspension.words, suspension.held, suspension.band) == ("Suspension for 3 days", "rule", "")
    assert (suspension.starts_at, suspension.ends_at) == (now, now + 3 * DAY)
    assert (interview.kind, interview.held, interview.band) == ("interview", None, "Watch")
    assert found.next_measures == ("Clear-out (termination); waits for the answer to an appeal",)
    assert found.exposure.gift_revenue_30d == Decimal(200)
    assert found.exposure.live_hours_30d == Decimal(20)
    assert (found.exposure.creators, found.exposure.creators_held) == (29, 1)
    assert any("second person" in note for note in found.notes)


def test_under_amnesty_it_is_a_warning_alone_and_the_next_is_the_first() -> None:
    now = timezone.now()
    violation = factories.violation(factories.guild(), factories.version(), occurred_at=now)
    lesson = factories.lesson(violation.rule, amnesty_days=30)
    Completion.objects.create(
        guild=violation.guild, lesson=lesson, user=factories.user(), completed_at=now - DAY
    )
    found = preview(violation, now=now)
    assert (found.nth, found.points, found.lesson) == (0, 0, lesson.code)
    assert [measure.kind for measure in found.measures] == ["warning"]
    assert found.next_measures == ("Warning",)


def test_it_reckons_with_what_is_confirmed_and_not_yet_worked_out() -> None:
    guild, version, now = factories.guild(), factories.version(), timezone.now()
    factories.violation(guild, version, status="confirmed", occurred_at=now - DAY)
    violation = factories.violation(guild, version, occurred_at=now)
    found = preview(violation, now=now)
    assert (found.nth, found.score_before, found.score_after) == (2, 90, 80)
    assert [measure.kind for measure in found.measures] == ["recruitment_freeze"]
    assert any("still being worked out" in note for note in found.notes)


def test_it_writes_nothing_and_asks_as_much_of_a_guild_with_a_past_as_of_one_without() -> None:
    version, now = factories.version(), timezone.now()

    def asked(guild: Guild, offences: int) -> int:
        for days in range(offences):
            factories.violation(
                guild, version, status="confirmed", occurred_at=now - (days + 1) * DAY, evidence=False
            )
        services.sanctions_decide_due(now=now)
        violation = Violation.objects.get(pk=factories.violation(guild, version, occurred_at=now).pk)
        events = Event.objects.count()
        with CaptureQueriesContext(connection) as queries:
            preview(violation, now=now)
        assert Event.objects.count() == events
        assert not any(query["sql"].startswith(("INSERT", "UPDATE", "DELETE")) for query in queries)
        assert not any(
            "FOR " in query["sql"].rsplit("WHERE", 1)[-1] and "UPDATE" in query["sql"] for query in queries
        )
        return len(queries)

    assert asked(factories.guild(), 1) == asked(factories.guild(), 12) <= 13
