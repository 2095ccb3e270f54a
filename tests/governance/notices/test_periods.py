"""Deadlines and notice periods over changes of the clock and over the date line."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.notices.periods import (
    TICK,
    last_moment,
    local_day,
    termination_begins,
    whole_days_after,
)
from governance.notices.selectors import in_words
from guilds.models import Market

UTC = dt.UTC

CASES = [
    # Fourteen hours ahead: the day of the notice is already the next one there.
    ("Pacific/Kiritimati", "2026-11-22T10:30:00Z", 15, "2026-12-08T10:00:00Z"),
    ("Pacific/Kiritimati", "2026-11-22T09:59:59Z", 15, "2026-12-07T10:00:00Z"),
    # Eleven behind: still the day before.
    ("Pacific/Pago_Pago", "2026-11-22T10:59:59Z", 15, "2026-12-07T11:00:00Z"),
    # The clock goes back on 1 November: the period has one hour more, and ends at midnight all the same.
    ("America/New_York", "2026-10-25T15:00:00Z", 7, "2026-11-02T05:00:00Z"),
    ("America/New_York", "2026-10-25T03:59:00Z", 7, "2026-11-01T04:00:00Z"),
    # The clock goes forward on 8 March.
    ("America/New_York", "2026-03-07T15:00:00Z", 1, "2026-03-09T04:00:00Z"),
    # Five hours and three quarters ahead.
    ("Asia/Kathmandu", "2026-11-22T18:14:59Z", 15, "2026-12-07T18:15:00Z"),
    ("Asia/Kathmandu", "2026-11-22T18:15:00Z", 15, "2026-12-08T18:15:00Z"),
    # The clock goes back from midnight to eleven: the last hour of the day is there twice, and the second one counts.
    ("Asia/Beirut", "2026-10-17T12:00:00Z", 7, "2026-10-24T22:00:00Z"),
    # Midnight itself is skipped.
    ("Asia/Beirut", "2026-03-27T12:00:00Z", 1, "2026-03-28T22:00:00Z"),
    # 30 December 2011 did not exist in Samoa: a day that is not there is over as soon as it would begin.
    ("Pacific/Apia", "2011-12-28T12:00:00-10:00", 2, "2011-12-30T10:00:00Z"),
    # No days: until the end of today.
    ("UTC", "2026-11-22T10:30:00Z", 0, "2026-11-23T00:00:00Z"),
]


@pytest.mark.parametrize(("zone", "told", "days", "over"), CASES)
def test_a_deadline_is_the_last_moment_of_the_nth_local_day(
    zone: str, told: str, days: int, over: str
) -> None:
    deadline = last_moment(dt.datetime.fromisoformat(told), days, zone)

    assert deadline == dt.datetime.fromisoformat(over) - TICK


@given(
    told=st.datetimes(dt.datetime(2015, 1, 1), dt.datetime(2035, 1, 1), timezones=st.just(UTC)),
    days=st.integers(0, 400),
    zone=st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})),
)
def test_in_every_zone_the_deadline_lies_on_the_nth_day_and_the_next_moment_on_another(
    told: dt.datetime, days: int, zone: str
) -> None:
    deadline = last_moment(told, days, zone)

    assert local_day(deadline, zone) == local_day(told, zone) + dt.timedelta(days=days)
    assert local_day(deadline + TICK, zone) > local_day(deadline, zone)
    assert deadline >= told
    assert whole_days_after(told, days, zone) == (deadline + TICK if days else told)


def test_termination_waits_for_whole_days_of_the_market() -> None:
    told = dt.datetime(2026, 10, 20, 22, 30, tzinfo=UTC)  # half past midnight of the 21st in Berlin

    begins = termination_begins(told, termination_days=30, timezone="Europe/Berlin")

    assert begins == dt.datetime(2026, 11, 20, 23, tzinfo=UTC)
    assert begins.astimezone(ZoneInfo("Europe/Berlin")).isoformat() == "2026-11-21T00:00:00+01:00"
    assert begins - told > dt.timedelta(days=30)


@pytest.mark.parametrize("ground", ["legal_duty", "repeated_infringement"])
def test_termination_is_immediate_on_a_legal_ground(ground: str) -> None:
    told = dt.datetime(2026, 11, 22, 9, tzinfo=UTC)

    assert (
        termination_begins(told, termination_days=30, timezone="Europe/Berlin", immediate_ground=ground)
        == told
    )


def test_any_other_ground_is_refused() -> None:
    with pytest.raises(ValueError, match="in_a_hurry"):
        termination_begins(
            dt.datetime.now(UTC), termination_days=30, timezone="UTC", immediate_ground="in_a_hurry"
        )


def test_a_regime_without_notice_terminates_at_once() -> None:
    told = dt.datetime(2026, 11, 22, 9, tzinfo=UTC)

    assert termination_begins(told, termination_days=0, timezone="UTC") == told


def test_a_moment_is_told_in_market_time_and_the_doubled_hour_with_its_distance_from_utc() -> None:
    market = Market(timezone="America/New_York")
    first, second = (dt.datetime(2026, 11, 1, hour, 30, tzinfo=UTC) for hour in (5, 6))

    assert in_words(first, market) == "2026-11-01 01:30 (America/New_York, UTC-04:00)"
    assert in_words(second, market) == "2026-11-01 01:30 (America/New_York, UTC-05:00)"
    assert in_words(second + dt.timedelta(hours=1), market) == "2026-11-01 02:30 (America/New_York)"


def test_the_last_moment_reads_as_the_last_minute_of_the_day() -> None:
    market = Market(timezone="Pacific/Kiritimati")
    deadline = last_moment(dt.datetime(2026, 11, 22, 10, 30, tzinfo=UTC), 15, market.timezone)

    assert in_words(deadline, market) == "2026-12-08 23:59 (Pacific/Kiritimati)"
