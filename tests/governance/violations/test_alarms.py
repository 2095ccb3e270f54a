"""Alarms: the exact test against independently computed values, when there is too little to test, and who closes one."""

from __future__ import annotations

import datetime as dt
import uuid
from fractions import Fraction
from math import comb
from typing import Any

import pytest
from django.utils import timezone

from governance.models import Alarm, Event, LivePeriod, Rule, RuleVersion, Violation
from governance.rules.services import version_pause, version_resume
from governance.violations.alarm_readings import Reading, outliers, readings, watched
from governance.violations.alarm_test import rejected, silence_p, surge_p
from governance.violations.alarms import alarm_close, alarms_raise
from governance.violations.enums import AlarmKind, AlarmState
from governance.violations.selectors import alarms_visible_to
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Market
from tests import factories

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)


# --- the test -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("test", "observed", "before", "baseline", "by_hand"),
    [
        (surge_p, 5, 0, 28, 1 / 29**5),  # all five of five in one day of twenty-nine: 4.88e-8
        (surge_p, 1, 0, 1, 0.5),
        (surge_p, 0, 9, 28, 1.0),
        (surge_p, 3, 1, 1, 5 / 16),  # heads at least three times of four
        (silence_p, 0, 0, 28, 1.0),
        (silence_p, 0, 10, 1, 1 / 1024),
        (silence_p, 0, 140, 28, (28 / 29) ** 140),  # 0.0073: five a day may well pause for one
        (silence_p, 0, 280, 28, (28 / 29) ** 280),  # 5.4e-5: ten a day hardly
        (silence_p, 1, 3, 1, 5 / 16),
    ],
)
def test_tails_by_hand(test: Any, observed: int, before: int, baseline: int, by_hand: float) -> None:
    assert test(observed, before, baseline) == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("baseline", [14, 28])
@pytest.mark.parametrize(
    ("observed", "before"), [(12, 56), (2, 56), (9, 140), (40, 700), (11, 700), (25, 700)]
)
def test_tails_in_exact_fractions(observed: int, before: int, baseline: int) -> None:
    n, p = observed + before, Fraction(1, 1 + baseline)

    def chance(k: int) -> Fraction:
        return comb(n, k) * p**k * (1 - p) ** (n - k)

    above = sum(chance(k) for k in range(observed, n + 1))
    below = sum(chance(k) for k in range(observed + 1))
    assert surge_p(observed, before, baseline) == pytest.approx(float(above), rel=1e-9)
    assert silence_p(observed, before, baseline) == pytest.approx(float(below), rel=1e-9)


def test_great_counts_neither_overflow_nor_stall() -> None:
    assert surge_p(1_000_000, 1_000, 28) == 0.0  # smaller than any double
    assert surge_p(35_000, 28 * 35_000, 28) == pytest.approx(0.5, abs=0.01)
    assert silence_p(35_000, 28 * 35_000, 28) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ([], []),
        ([0.001], [True]),
        ([0.0011], [False]),
        # 0.0002 ≤ 0.001/3, 0.0005 ≤ 0.001/2, 0.0009 ≤ 0.001/1: in whatever order they stand
        ([0.0009, 0.0002, 0.0005], [True, True, True]),
        # 0.0004 > 0.001/3 stops it at the first, although 0.0009 would pass alone
        ([0.0009, 0.0004, 0.0005], [False, False, False]),
        ([0.0002, 0.0011, 0.0001], [True, False, True]),
    ],
)
def test_holm_by_hand(p_values: list[float], expected: list[bool]) -> None:
    assert rejected(p_values) == expected


def test_a_small_difference_in_great_numbers_is_no_alarm() -> None:
    def reading(observed: int) -> Reading:
        return Reading(
            rule_id=1,
            market_id=1,
            until=timezone.now(),
            observed=observed,
            before=28_000,
            baseline_days=28,
            tested=frozenset(AlarmKind),
        )

    # a thousand a day; each of these is rejected by the test alone
    assert surge_p(1_300, 28_000, 28) < 1e-9
    assert silence_p(750, 28_000, 28) < 1e-9
    assert outliers([reading(1_300), reading(750)]) == []
    assert [outlier.kind for outlier in outliers([reading(1_500), reading(600)])] == ["surge", "silence"]


# --- from violations to alarms --------------------------------------------------------------------------------------
NOW = dt.datetime(2026, 5, 20, 12, tzinfo=dt.UTC)


@pytest.fixture
def here(db: None) -> Market:
    return factories.market("HERE")


def live(days: float = 100, **fields: Any) -> RuleVersion:
    """A version whose rule exists, and which is live everywhere, for so many days before NOW."""
    version = factories.version(live_since=NOW - days * DAY, review="human", **fields)
    Rule.objects.filter(pk=version.rule_id).update(created_at=NOW - 500 * DAY)
    return version


def fired(version: RuleVersion, market: Market, *, today: int = 0, a_day: int = 0, days: int = 28) -> None:
    """Violations detected within the last day, and on every day before it."""
    guild = factories.guild(market=market)
    moments = [NOW - HOUR] * today + [NOW - day * DAY - HOUR for day in range(1, days + 1)] * a_day
    Violation.objects.bulk_create(
        Violation(
            rule_id=version.rule_id,
            version=version,
            code=version.violation_code,
            severity="S3",
            review="human",
            guild=guild,
            market=market,
            subject=str(uuid.uuid4()),
            occurred_at=moment,
            detected_at=moment,
        )
        for moment in moments
    )


def raised() -> list[tuple[str, str, int, float, int]]:
    rows = Alarm.objects.order_by("id").values_list(
        "market__code", "kind", "observed", "expected", "baseline_days"
    )
    return list(rows)


def test_a_rule_that_fires_far_more_than_it_used_to_raises_a_surge(here: Market) -> None:
    version, calm = live(), live()
    there = factories.market("THERE")
    fired(version, here, today=20, a_day=2)
    fired(version, there, today=2, a_day=2)
    fired(calm, here, today=6, a_day=5)
    (alarm,) = alarms_raise(NOW)
    assert raised() == [("HERE", "surge", 20, 2.0, 28)]
    assert (alarm.window_start, alarm.window_end, alarm.status) == (NOW - DAY, NOW, "open")
    # P(X ≥ 20) of 76 at 1/29, in exact fractions
    p = Fraction(1, 29)
    exact = sum(comb(76, k) * p**k * (1 - p) ** (76 - k) for k in range(20, 77))
    assert alarm.p_value == pytest.approx(float(exact), rel=1e-9)
    event = Event.objects.get()
    assert (event.act, event.actor_label, event.market) == ("alarm.raised", "alarms", here)
    assert (event.after["rule"], event.after["kind"], event.after["observed"]) == (
        version.rule.code,
        "surge",
        20,
    )


def test_a_rule_that_falls_silent_raises_a_silence(here: Market) -> None:
    version = live()
    fired(version, here, today=0, a_day=15)
    alarms_raise(NOW)
    assert raised() == [("HERE", "silence", 0, 15.0, 28)]


def test_every_version_of_the_rule_counts(here: Market) -> None:
    version = live()
    newer = factories.version(version.rule, live_since=NOW - DAY)
    fired(version, here, a_day=10)
    fired(newer, here, today=10)
    assert alarms_raise(NOW) == []


@pytest.mark.parametrize(
    ("live_days", "today", "a_day", "days_tested"),
    [
        (100, 4, 0, 28),  # four are few, whatever the history
        (14.9, 40, 1, 13),  # thirteen full days before the last one
    ],
)
def test_too_little_is_insufficient_and_raises_nothing(
    here: Market, live_days: float, today: int, a_day: int, days_tested: int
) -> None:
    version = live(live_days)
    fired(version, here, today=today, a_day=a_day, days=int(live_days) - 1 if live_days < 28 else 28)
    assert alarms_raise(NOW) == []
    assert not Event.objects.exists()
    reading = next(reading for reading in readings(NOW) if reading.market_id == here.pk)
    assert (reading.tested, reading.baseline_days) == (frozenset(), days_tested)


def test_history_is_as_long_as_the_rule_was_live_there(here: Market) -> None:
    version = factories.version(live_since=None, review="human")
    Rule.objects.filter(pk=version.rule_id).update(created_at=NOW - 500 * DAY)
    LivePeriod.objects.create(version=version, market=here, starts_at=NOW - 21 * DAY)
    LivePeriod.objects.create(version=version, market=factories.market("THERE"), starts_at=NOW - 90 * DAY)
    fired(version, here, today=30, a_day=1, days=20)
    alarms_raise(NOW)
    assert raised() == [("HERE", "surge", 30, 1.0, 20)]


def test_a_back_dated_period_is_no_history(here: Market) -> None:
    version = live(3000)
    Rule.objects.filter(pk=version.rule_id).update(created_at=NOW - 2 * DAY)
    fired(version, here, today=500)
    assert alarms_raise(NOW) == []


@pytest.mark.parametrize("status", ["paused", "retired", "shadow"])
def test_a_rule_that_is_not_live_is_not_tested(here: Market, status: str) -> None:
    version = live()
    fired(version, here, a_day=20)
    RuleVersion.objects.filter(pk=version.pk).update(status=status)
    assert readings(NOW) == []
    assert alarms_raise(NOW) == []


def test_a_pause_within_the_day_is_no_silence(here: Market) -> None:
    version = live()
    fired(version, here, a_day=20)
    launcher = Actor.system("launcher")
    version_pause(actor=launcher, version_id=version.pk, reason="Look.")
    version_resume(actor=launcher, version_id=version.pk, reason="Fine.")
    now = timezone.now()
    reading = Reading(
        rule_id=version.rule_id,
        market_id=here.pk,
        until=NOW,
        observed=0,
        before=560,
        baseline_days=28,
        tested=frozenset(AlarmKind),
    )
    assert [outlier.kind for outlier in outliers([reading])] == ["silence"]
    Violation.objects.update(detected_at=now - 5 * DAY)
    Rule.objects.update(created_at=now - 500 * DAY)
    (tested,) = {found.tested for found in readings(now) if found.market_id == here.pk}
    assert tested == {AlarmKind.SURGE}
    assert alarms_raise(now) == []


def test_one_alarm_at_a_time_and_not_again_for_the_same_day(here: Market) -> None:
    version = live()
    fired(version, here, today=40, a_day=2)
    (alarm,) = alarms_raise(NOW)
    assert alarms_raise(NOW + HOUR) == []
    analyst = Actor.staff(factories.staff("analyst"))
    alarm_close(actor=analyst, alarm_id=alarm.pk, reason="A bot farm.")
    assert alarms_raise(NOW + 2 * HOUR) == []
    assert Alarm.objects.count() == 1
    # the next day has its own numbers
    Violation.objects.filter(detected_at=NOW - HOUR).update(detected_at=NOW + DAY)
    assert [found.kind for found in alarms_raise(NOW + DAY + 2 * HOUR)] == ["surge"]


def test_the_number_of_queries_does_not_grow(here: Market, django_assert_max_num_queries: Any) -> None:
    for _ in range(4):
        fired(live(), here, today=6, a_day=5)
        fired(live(), factories.market(), today=6, a_day=5)
    with django_assert_max_num_queries(7):
        assert len(readings(NOW)) == 8 * 5


# --- what a rule's page says ----------------------------------------------------------------------------------------
def test_the_three_states_of_a_rule(here: Market) -> None:
    now = timezone.now()
    version = live()
    Rule.objects.update(created_at=now - 500 * DAY)
    LivePeriod.objects.update(starts_at=now - 400 * DAY)
    calm, new = factories.market("CALM"), factories.market("NEW")
    fired(version, here, today=50, a_day=2)
    fired(version, calm, today=6, a_day=6)
    shift = now - NOW
    for violation in Violation.objects.all():
        Violation.objects.filter(pk=violation.pk).update(detected_at=violation.detected_at + shift)
    alarms_raise()
    states = {one.market.code: one.state for one in watched(version.rule, market_ids=None)}
    assert states == {
        "HERE": AlarmState.RAISED,
        "CALM": AlarmState.QUIET,
        "NEW": AlarmState.INSUFFICIENT,
    }
    assert next(iter(states)) == "HERE"
    assert [one.market.code for one in watched(version.rule, market_ids=[new.pk])] == ["NEW"]
    (here_alone,) = watched(version.rule, market_ids=[here.pk])
    assert [alarm.kind for alarm in here_alone.alarms] == ["surge"]


# --- closing ----------------------------------------------------------------------------------------------------------
def alarm_in(market: Market) -> Alarm:
    return Alarm.objects.create(
        rule=factories.rule(),
        market=market,
        kind="surge",
        window_start=NOW - DAY,
        window_end=NOW,
        observed=9,
        expected=1,
        baseline_days=28,
        p_value=1e-6,
        raised_at=NOW,
    )


@pytest.mark.parametrize("role", Role.values)
def test_who_may_close_an_alarm(here: Market, role: str) -> None:
    alarm, actor = alarm_in(here), Actor.staff(factories.staff(role))
    if role in {"analyst", "approver", "launcher"}:
        alarm_close(actor=actor, alarm_id=alarm.pk, reason="A bot farm.")
        alarm.refresh_from_db()
        assert (alarm.status, alarm.resolution, alarm.closed_by_id) == (
            "closed",
            "A bot farm.",
            actor.user_id,
        )
        event = Event.objects.get()
        assert (event.act, event.reason, event.market) == ("alarm.closed", "A bot farm.", here)
        with pytest.raises(InvalidTransition):
            alarm_close(actor=actor, alarm_id=alarm.pk, reason="Again.")
        assert Event.objects.count() == 1
    else:
        with pytest.raises(NotAllowed):
            alarm_close(actor=actor, alarm_id=alarm.pk, reason="A bot farm.")
        alarm.refresh_from_db()
        assert alarm.status == "open"
        assert not Event.objects.exists()


def test_the_market_and_a_reason_bound_closing(here: Market) -> None:
    alarm = alarm_in(here)
    outsider = Actor.staff(factories.staff("analyst", markets=[factories.market()]))
    with pytest.raises(NotFound):
        alarm_close(actor=outsider, alarm_id=alarm.pk, reason="Not mine.")
    with pytest.raises(InvalidInput):
        alarm_close(actor=Actor.staff(factories.staff("analyst")), alarm_id=alarm.pk, reason=" ")
    with pytest.raises(NotAllowed):
        alarm_close(
            actor=Actor.guild_user(factories.seat(factories.guild(market=here))),
            alarm_id=alarm.pk,
            reason="So.",
        )
    assert not alarms_visible_to(outsider).exists()
    assert alarms_visible_to(Actor.staff(factories.staff("auditor", markets=[here]))).get() == alarm
    alarm.refresh_from_db()
    assert alarm.status == "open"
    assert not Event.objects.exists()
