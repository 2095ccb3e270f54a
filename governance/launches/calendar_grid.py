"""A month as weeks of days, with the waves on them. No storage."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from governance.launches.models import Wave


@dataclass(frozen=True)
class Day:
    date: dt.date
    waves: Sequence[Wave]
    in_month: bool
    is_today: bool


@dataclass(frozen=True)
class Month:
    """Monday first. `since` and `until` bound all days shown, aware UTC."""

    first: dt.date

    @classmethod
    def asked(cls, text: str, today: dt.date) -> Month:
        """ "2026-11"; anything else is this month."""
        found = re.fullmatch(r"(\d{4})-(\d{2})", text)
        if found and 1970 <= int(found[1]) <= 2200 and 1 <= int(found[2]) <= 12:
            return cls(dt.date(int(found[1]), int(found[2]), 1))
        return cls(today.replace(day=1))

    @property
    def previous(self) -> str:
        return f"{self.first - dt.timedelta(days=1):%Y-%m}"

    @property
    def following(self) -> str:
        return f"{self.first + dt.timedelta(days=32):%Y-%m}"

    @property
    def dates(self) -> list[list[dt.date]]:
        return calendar.Calendar().monthdatescalendar(self.first.year, self.first.month)

    @property
    def since(self) -> dt.datetime:
        return dt.datetime.combine(self.dates[0][0], dt.time(), dt.UTC)

    @property
    def until(self) -> dt.datetime:
        return dt.datetime.combine(self.dates[-1][-1] + dt.timedelta(days=1), dt.time(), dt.UTC)

    def weeks(self, waves: Iterable[Wave], today: dt.date) -> list[list[Day]]:
        """Every wave on the day it went live, else on the day it is planned, in UTC."""
        by_day: dict[dt.date, list[Wave]] = defaultdict(list)
        for wave in waves:
            by_day[(wave.live_at or wave.planned_at).astimezone(dt.UTC).date()].append(wave)
        return [
            [Day(date, by_day[date], date.month == self.first.month, date == today) for date in week]
            for week in self.dates
        ]
