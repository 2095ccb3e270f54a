"""How long guilds must know of a change before it holds. Plain functions on what was announced."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from governance.launches.models import Announcement
from governance.notices.periods import whole_days_after
from governance.rules.models import RuleVersion
from guilds.models import Market


def days_of_notice(version: RuleVersion, market: Market) -> int:
    """The longer of what the law of the market and the rule itself demand. `market.regime` is loaded."""
    return max(market.regime.notice_days, int(version.spec.get("notice_days") or 0))


def over_at(sent_at: dt.datetime, days: int, market: Market) -> dt.datetime:
    """When `days` whole days in market time have gone by since the day of the notice, which itself does not count; aware UTC.

    Without any days to wait, the moment of the notice.
    """
    return whole_days_after(sent_at, days, market.timezone)


def free_at(
    announcements: Iterable[Announcement], version: RuleVersion, market: Market
) -> dt.datetime | None:
    """The earliest moment the change may hold in the market, by what its guilds were told; None while they were told nothing.

    Never before the date they were told, and never before the longest of the notice periods of then and of now is over.
    """
    days = days_of_notice(version, market)
    moments = [
        max(one.told_at, over_at(one.sent_at, max(one.notice_days, days), market))
        for one in announcements
        if one.market_id == market.pk and one.told_at is not None and one.sent_at is not None
    ]
    return min(moments, default=None)
