"""What is known about each risk in each market: counted by SQL over a window, scored by governance.risks.scoring.

A window is whole days: [on − window_days, on) in UTC for what happened, in the market's own dates for activity. What is counted:

- live hours and guilds: `Activity` of the guilds of the market; a guild is active with more than no live hours.
- violations: of the rules against the risk, by when they happened. Upheld are those confirmed and not overturned; open ones are
  counted apart, and with their verdict they join in later, which may lift the newest weeks a little.
- feedback: messages linked to the risk, by arrival; a merged one counts where the one it was merged into is linked.
- Only guilds of the market count: a violation or message charged there to a guild that sits elsewhere does not, for its live
  hours are not in the market's either.
- watched: a version of a rule against the risk was live there in the window; throughout, when one was at the beginning of the
  window before and one is at the end of this.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from governance.risks.models import Assessment, Risk
from governance.risks.scoring import Background, Facts, score

WINDOW_DAYS = 90

QUERY = """
WITH hours AS (
    SELECT g.market_id,
           coalesce(sum(a.live_hours) FILTER (WHERE a.date >= %(since)s), 0) AS live_hours,
           coalesce(sum(a.live_hours) FILTER (WHERE a.date < %(since)s), 0) AS live_hours_before,
           count(DISTINCT a.guild_id) FILTER (WHERE a.date >= %(since)s AND a.live_hours > 0) AS guilds
    FROM guilds_activity a JOIN guilds_guild g ON g.id = a.guild_id
    WHERE a.date >= %(before)s AND a.date < %(until)s
    GROUP BY g.market_id
), cases AS (
    SELECT r.risk_id, v.market_id,
           count(*) FILTER (WHERE v.occurred_at >= %(since_at)s) AS violations,
           count(*) FILTER (WHERE v.occurred_at >= %(since_at)s AND v.status = 'open') AS undecided,
           count(*) FILTER (WHERE v.occurred_at >= %(since_at)s AND v.status = 'confirmed') AS upheld,
           count(*) FILTER (WHERE v.occurred_at < %(since_at)s AND v.status = 'confirmed') AS upheld_before,
           count(DISTINCT v.guild_id) FILTER (WHERE v.occurred_at >= %(since_at)s AND v.status = 'confirmed') AS guilds_upheld
    FROM governance_violation v
    JOIN governance_rule r ON r.id = v.rule_id
    JOIN guilds_guild g ON g.id = v.guild_id AND g.market_id = v.market_id
    WHERE v.occurred_at >= %(before_at)s AND v.occurred_at < %(until_at)s
    GROUP BY r.risk_id, v.market_id
), heard AS (
    SELECT coalesce(target.risk_id, f.risk_id) AS risk_id, f.market_id, count(*) AS feedback
    FROM governance_feedback f
    LEFT JOIN governance_feedback target ON target.id = f.merged_into_id
    LEFT JOIN guilds_guild g ON g.id = f.guild_id
    WHERE f.created_at >= %(since_at)s AND f.created_at < %(until_at)s
      AND (f.guild_id IS NULL OR g.market_id = f.market_id)
    GROUP BY 1, f.market_id
), watched AS (
    SELECT r.risk_id, m.id AS market_id,
           bool_or(p.ends_at IS NULL OR p.ends_at > %(since_at)s) AS watched,
           bool_or(p.starts_at <= %(before_at)s) AND bool_or(p.ends_at IS NULL OR p.ends_at >= %(until_at)s) AS throughout
    FROM governance_liveperiod p
    JOIN governance_ruleversion v ON v.id = p.version_id
    JOIN governance_rule r ON r.id = v.rule_id
    JOIN guilds_market m
      ON (p.market_id IS NULL OR p.market_id = m.id) AND ('*' = ANY(v.markets) OR m.code = ANY(v.markets))
    WHERE p.starts_at < %(until_at)s AND (p.ends_at IS NULL OR p.ends_at > %(before_at)s)
    GROUP BY r.risk_id, m.id
)
SELECT risk.id, market.id,
       coalesce(hours.live_hours, 0), coalesce(hours.live_hours_before, 0), coalesce(hours.guilds, 0),
       coalesce(cases.violations, 0), coalesce(cases.undecided, 0), coalesce(cases.upheld, 0),
       coalesce(cases.upheld_before, 0), coalesce(cases.guilds_upheld, 0), coalesce(heard.feedback, 0),
       coalesce(watched.watched, false), coalesce(watched.watched AND watched.throughout, false)
FROM governance_risk risk
CROSS JOIN guilds_market market
LEFT JOIN hours ON hours.market_id = market.id
LEFT JOIN cases ON cases.risk_id = risk.id AND cases.market_id = market.id
LEFT JOIN heard ON heard.risk_id = risk.id AND heard.market_id = market.id
LEFT JOIN watched ON watched.risk_id = risk.id AND watched.market_id = market.id
WHERE risk.retired_at IS NULL
  AND (hours.guilds > 0 OR cases.violations > 0 OR heard.feedback > 0 OR watched.watched)
ORDER BY risk.id, market.id
"""

COUNTED = (
    "live_hours live_hours_before guilds violations undecided upheld upheld_before guilds_upheld feedback"
    " watched watched_throughout"
).split()


def risk_facts(*, on: dt.date, window_days: int = WINDOW_DAYS) -> dict[tuple[int, int], Facts]:
    """Facts by (risk id, market id), for standing risks and markets where anything was streamed, found, said or watched."""
    since, before = on - dt.timedelta(days=window_days), on - dt.timedelta(days=2 * window_days)
    asked: dict[str, Any] = {"since": since, "before": before, "until": on}
    asked |= {f"{name}_at": dt.datetime.combine(day, dt.time(), dt.UTC) for name, day in asked.items()}
    with connection.cursor() as cursor:
        cursor.execute(QUERY, asked)
        rows = cursor.fetchall()
    return {(row[0], row[1]): _facts(row[2:]) for row in rows}


def _facts(counted: Sequence[Any]) -> Facts:
    """The columns of QUERY after the two keys; PostgreSQL's numerics as floats."""
    values: dict[str, Any] = dict(zip(COUNTED, counted, strict=True))
    return Facts(**values | {name: float(values[name]) for name in ("live_hours", "live_hours_before")})


def risk_assessments(
    *, on: dt.date, window_days: int = WINDOW_DAYS, market_ids: Collection[int] | None = None
) -> list[Assessment]:
    """Assessments of the day, not yet saved, of every market or of those named; each is compared with all markets either way."""
    by_risk: dict[int, dict[int, Facts]] = defaultdict(dict)
    for (risk_id, market_id), facts in risk_facts(on=on, window_days=window_days).items():
        by_risk[risk_id][market_id] = facts
    risks, now = Risk.objects.in_bulk(list(by_risk)), timezone.now()
    return [
        _assessment(risks[risk_id], market_id, facts, background, on, window_days, now)
        for risk_id, markets in by_risk.items()
        for background in [Background.of(list(markets.values()))]
        for market_id, facts in markets.items()
        if market_ids is None or market_id in market_ids
    ]


def _assessment(
    risk: Risk,
    market_id: int,
    facts: Facts,
    background: Background,
    on: dt.date,
    window_days: int,
    now: dt.datetime,
) -> Assessment:
    scored = score(facts, background, harm=risk.harm, likelihood=risk.likelihood)
    return Assessment(
        risk=risk,
        market_id=market_id,
        on=on,
        window_days=window_days,
        live_hours=Decimal(str(facts.live_hours)),
        guilds=facts.guilds,
        violations=facts.violations,
        upheld=facts.upheld,
        guilds_upheld=facts.guilds_upheld,
        feedback=facts.feedback,
        rate=scored.rate,
        rate_before=scored.rate_before,
        trend=scored.trend,
        priority=scored.priority,
        parts=scored.parts,
        made_at=now,
    )
