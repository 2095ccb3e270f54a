"""Notice periods and deadlines as the law counts them: in whole days of the market's own calendar. No database.

A local day may be 23, 24 or 25 hours long, or be missing altogether where a country changed its side of the date line. So a
period is never a number of hours: it ends where a calendar day ends there, found from where the next one begins.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from governance.notices.enums import ImmediateGround

#: The smallest step PostgreSQL keeps.
TICK = dt.timedelta(microseconds=1)
#: The key of a ladder step that names the ground for terminating without notice.
GROUND_KEY = "immediate_ground"


def day_begins(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """The first moment of a calendar day, aware UTC; where its midnight is skipped, the moment of the skip."""
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)


def local_day(moment: dt.datetime, timezone: str) -> dt.date:
    return moment.astimezone(ZoneInfo(timezone)).date()


def last_moment(since: dt.datetime, days: int, timezone: str) -> dt.datetime:
    """The last microsecond of the `days`-th local day after the day of `since`, aware UTC: what is done then is in time."""
    day = local_day(since, timezone) + dt.timedelta(days=days + 1)
    return day_begins(day, ZoneInfo(timezone)) - TICK


def whole_days_after(since: dt.datetime, days: int, timezone: str) -> dt.datetime:
    """When `days` whole local days have gone by since the day of `since`, which itself does not count; aware UTC.

    Without any days to wait, `since` itself.
    """
    if days <= 0:
        return since
    return day_begins(local_day(since, timezone) + dt.timedelta(days=days + 1), ZoneInfo(timezone))


def termination_begins(
    now: dt.datetime, *, termination_days: int, timezone: str, immediate_ground: str | None = None
) -> dt.datetime:
    """When a termination told now may take effect, aware UTC: after the notice of the regime, or at once on a legal ground.

    The grounds are those of Regulation (EU) 2019/1150, article 4 (4): a legal duty that leaves no time, or demonstrated
    repeated infringement. The notice states which. Raises ValueError for any other.
    """
    if immediate_ground:
        ImmediateGround(immediate_ground)
        return now
    return whole_days_after(now, termination_days, timezone)
