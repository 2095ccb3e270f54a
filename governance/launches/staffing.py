"""How much work a version will make: hours of review and of appeals a day, from its backtest and from history.

Everything here is an expectation with its grounds beside it; where the grounds are too thin it says so instead of guessing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.utils import timezone

from governance.backtests.models import Backtest
from governance.notices.enums import NoticeKind
from governance.notices.models import Notice
from governance.penalties.models import Penalty
from governance.rules.enums import ReviewMode
from governance.rules.models import RuleVersion
from governance.workbench.selectors import fitting_backtest, standing_approval
from guilds.models import Market

#: Minutes of people per violation found, by who reviews; two reviewers each look for themselves.
REVIEW_MINUTES = {ReviewMode.AUTO.value: 0, ReviewMode.HUMAN.value: 10, ReviewMode.DUAL.value: 20}
#: Minutes of people per appeal, from reading it to answering it.
APPEAL_MINUTES = 45
#: How far back appeals are counted.
HISTORY = dt.timedelta(days=365)
#: Penalties a market needs for a rate of its own; below it the rate of all markets stands in, and below it again none.
PENALTIES_NEEDED = 30


@dataclass(frozen=True, kw_only=True)
class AppealRate:
    """Appeals per penalty in force. `grounds` is the market's own history, all markets', or insufficient (None)."""

    rate: float | None
    grounds: str


class AppealHistory:
    """Penalties and appeals of the last year by market: two queries, however many markets are asked about."""

    def __init__(self, now: dt.datetime | None = None) -> None:
        since = (now or timezone.now()) - HISTORY
        self.penalties = _by_market(
            Penalty.objects.filter(applied_at__gte=since).values_list("market_id").annotate(n=Count("id"))
        )
        received = Notice.objects.filter(
            object_type="appeal", kind=NoticeKind.APPEAL_RECEIVED, issued_at__gte=since
        )
        self.appeals = _by_market(received.values_list("guild__market_id").annotate(n=Count("id")))

    def rate(self, market_id: int) -> AppealRate:
        penalties = self.penalties.get(market_id, 0)
        if penalties >= PENALTIES_NEEDED:
            return AppealRate(rate=self.appeals.get(market_id, 0) / penalties, grounds="market")
        everywhere = sum(self.penalties.values())
        if everywhere >= PENALTIES_NEEDED:
            return AppealRate(rate=sum(self.appeals.values()) / everywhere, grounds="all_markets")
        return AppealRate(rate=None, grounds="insufficient")


def _by_market(rows: Any) -> dict[int, int]:
    return dict(rows.order_by())


@dataclass(frozen=True, kw_only=True)
class MarketWork:
    """What one market is expected to make, per day; None where it cannot be said."""

    hits: float | None
    review_hours: float | None
    appeals: float | None
    appeal_hours: float | None
    grounds: str


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """`markets` by code; empty without a backtest, and then nothing can be said."""

    backtest: str
    days: float
    minutes: int
    markets: Mapping[str, MarketWork]

    def review_figures(self) -> dict[str, Any]:
        """JSON-able: hours of review a day, all in all and by market. `hours_per_day` None: not tested everywhere."""
        return {
            **self._grounds(),
            "minutes_per_violation": self.minutes,
            "hours_per_day": self._all([work.review_hours for work in self.markets.values()]),
            "markets": {
                code: {
                    "violations_per_day": _rounded(work.hits),
                    "hours_per_day": _rounded(work.review_hours),
                }
                for code, work in self.markets.items()
            },
        }

    def appeal_figures(self) -> dict[str, Any]:
        """JSON-able: hours of appeals a day. `hours_per_day` None: not tested, or too little history, in some market."""
        return {
            **self._grounds(),
            "minutes_per_appeal": APPEAL_MINUTES,
            "hours_per_day": self._all([work.appeal_hours for work in self.markets.values()]),
            "markets": {
                code: {
                    "appeals_per_day": _rounded(work.appeals),
                    "hours_per_day": _rounded(work.appeal_hours),
                    "grounds": work.grounds,
                }
                for code, work in self.markets.items()
            },
        }

    def _all(self, hours: Sequence[float | None]) -> float | None:
        known = [value for value in hours if value is not None]
        return round(sum(known), 2) if self.backtest and len(known) == len(hours) else None

    def _grounds(self) -> dict[str, Any]:
        return {"backtest": self.backtest, "backtest_days": round(self.days, 1)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def backtest_behind(version: RuleVersion) -> Backtest | None:
    """The backtest that was approved with the version, else the newest finished one of this wording."""
    approval = standing_approval(version)
    return approval.backtest if approval is not None and approval.backtest else fitting_backtest(version)


def estimate(
    version: RuleVersion, markets: Collection[Market], history: AppealHistory | None = None
) -> Estimate:
    """The work of a version in these markets, with every guild governed.

    Each violation found is reviewed as the rule says; appeals follow from the penalties that the backtest would have caused. A
    market in which the wording was not tested has no estimate.
    """
    minutes = REVIEW_MINUTES[version.review]
    backtest = backtest_behind(version)
    if backtest is None:
        return Estimate(backtest="", days=0, minutes=minutes, markets={})
    history = history or AppealHistory()
    days = max((backtest.until - backtest.since).total_seconds() / 86_400, 1.0)
    hits, per_hit = hits_by_market(backtest), penalties_per_hit(backtest)
    work = {}
    for market in sorted(markets, key=lambda market: market.code):
        if backtest.markets and market.code not in backtest.markets:
            work[market.code] = MarketWork(
                hits=None, review_hours=None, appeals=None, appeal_hours=None, grounds="not_tested"
            )
            continue
        per_day = hits.get(market.code, 0) / days
        appealed = history.rate(market.pk)
        # Where nothing is found there is nothing to appeal, whatever the rate.
        appeals = None if appealed.rate is None and per_day else per_day * per_hit * (appealed.rate or 0)
        work[market.code] = MarketWork(
            hits=per_day,
            review_hours=per_day * minutes / 60,
            appeals=appeals,
            appeal_hours=None if appeals is None else appeals * APPEAL_MINUTES / 60,
            grounds=appealed.grounds,
        )
    return Estimate(backtest=str(backtest.public_id), days=days, minutes=minutes, markets=work)


def hits_by_market(backtest: Backtest) -> dict[str, int]:
    """Violations the tested wording would have opened, by market code."""
    return {row["name"]: row["tested"] for row in backtest.result.get("by_market", [])}


def penalties_per_hit(backtest: Backtest) -> float:
    """Penalties the tested wording would have caused per violation; 1 where that is not known."""
    matches = backtest.result.get("totals", {}).get("tested", {}).get("matches", 0)
    penalties = backtest.result.get("penalties", {}).get("kinds")
    return sum(penalties.values()) / matches if matches and penalties is not None else 1.0
