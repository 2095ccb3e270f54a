"""The heat map: risks by markets, and by harm and likelihood, from the newest assessments within a reader's reach."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from governance.risks.enums import Trend
from governance.risks.explained import TREND_SIGNS, shade
from governance.risks.models import Assessment, Risk
from governance.risks.scoring import Score
from governance.risks.selectors import Overall, latest_assessments, overall, risks_standing
from guilds.accounts.actor import Actor
from guilds.console.page import admin_url
from guilds.models import Market


@dataclass(frozen=True)
class Cell:
    """One number of the map; `sign` marks what rises or falls, `words` say it all to who does not see it."""

    priority: float
    shade: int
    sign: str
    words: str
    url: str


@dataclass(frozen=True)
class Row:
    """A risk with its cell for all markets together and one a market, None where it was not assessed."""

    risk: Risk
    whole: Cell | None
    cells: Sequence[Cell | None]


@dataclass(frozen=True)
class Square:
    """One field of harm by likelihood: the risks on it, each with whether its likelihood comes from data."""

    harm: int
    likelihood: int
    shade: int
    risks: Sequence[tuple[Risk, bool]]


@dataclass(frozen=True)
class HeatMap:
    """`markets` with the most live hours first; `rows` with the greatest risk first; `on` are the first and last day assessed."""

    markets: Sequence[Market]
    rows: Sequence[Row]
    squares: Sequence[Sequence[Square]]
    on: tuple[dt.date, dt.date] | None
    window_days: int


def heat_map_of(actor: Actor, *, category: str = "") -> HeatMap:
    assessments = latest_assessments(actor)
    risks = risks_standing()
    if category:
        assessments, risks = assessments.filter(risk__category=category), risks.filter(category=category)
    found = list(assessments)
    wholes = overall(found)
    by_place = {(row.risk_id, row.market_id): row for row in found}
    hours: dict[Market, float] = {}
    for row in found:
        hours[row.market] = max(float(row.live_hours), hours.get(row.market, 0.0))
    markets = sorted(hours, key=lambda market: (-hours[market], market.code))
    rows = [
        Row(
            risk,
            _whole(wholes.get(risk.pk)),
            [_cell(by_place.get((risk.pk, market.pk))) for market in markets],
        )
        for risk in risks
    ]
    rows.sort(key=lambda row: (row.whole is None, -(row.whole.priority if row.whole else 0), row.risk.code))
    days = sorted({row.on for row in found})
    return HeatMap(
        markets,
        rows,
        _squares([row.risk for row in rows], wholes),
        (days[0], days[-1]) if days else None,
        found[0].window_days if found else 0,
    )


def _cell(row: Assessment | None) -> Cell | None:
    if row is None:
        return None
    words = f"{row.risk.name}, {row.market.name}: {row.priority:.0f}, {Trend(row.trend).label}"
    return Cell(row.priority, shade(row.priority), TREND_SIGNS.get(row.trend, ""), words, admin_url(row))


def _whole(found: Overall | None) -> Cell | None:
    if found is None:
        return None
    score: Score = found.score
    words = f"{found.risk.name}: {score.priority:.0f}, {score.trend.label}"
    return Cell(
        score.priority, shade(score.priority), TREND_SIGNS.get(score.trend, ""), words, admin_url(found.risk)
    )


def _squares(risks: Sequence[Risk], wholes: dict[int, Overall]) -> list[list[Square]]:
    """Five lines of five, harm from 5 down, likelihood from 1 up. Likelihoods come from data where there is any."""
    placed: dict[tuple[int, int], list[tuple[Risk, bool]]] = {}
    for risk in sorted(risks, key=lambda risk: risk.code):
        likelihood, from_data = risk.likelihood, False
        if risk.pk in wholes:
            severity = wholes[risk.pk].score.parts[0]
            likelihood, from_data = severity["likelihood"], severity["source"] == "data"
        placed.setdefault((risk.harm, likelihood), []).append((risk, from_data))
    return [
        [
            Square(harm, likelihood, shade(100 * harm * likelihood / 25), placed.get((harm, likelihood), []))
            for likelihood in range(1, 6)
        ]
        for harm in range(5, 0, -1)
    ]
