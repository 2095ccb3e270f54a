"""What a finished backtest says, from its hits. `result_of` returns JSON-able:

    totals      {"tested": {matches, guilds, creators}, "base": the same or null}
    by_market by_tier by_month   [{"name", "tested", "base"}], months in UTC as "2014-06"
    guilds creators   the most hit: [{"id", "name", "hits"}]
    penalties   {"kinds": {kind: count}, "points", "guilds", "note"}; see `penalties_of`
    precision base_precision   {"n", "right", "low", "high", "point", "state"}; see `precision_of`
    compared    {"both", "only_tested", "only_base"}, null without a base
    overlap     [{"rule", "both", "share"}] of the tested hits
    per_day     {"days", "mean", "busiest", "busiest_day", "series": [[day, hits]]}; `days` counts all of the span

`base` is the other side of each pair, 0 where nothing is compared. Nothing here writes.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, deque
from typing import Any

from django.db import connection

from governance.backtests.enums import Side
from governance.backtests.models import Backtest, BacktestHit
from governance.engine.intervals import Share
from governance.penalties.ladders import LadderSpec, points_of

#: The most hit guilds and creators that are named.
NAMED = 20
#: Days drawn one by one at most; a longer run keeps the latest.
DAYS = 400

_BY = """
SELECT {name} AS name, count(*) FILTER (WHERE h.side = 'tested'), count(*) FILTER (WHERE h.side = 'base')
FROM governance_backtesthit h {join} WHERE h.backtest_id = %s GROUP BY 1 ORDER BY 1"""

_TOTALS = """
SELECT side, count(*), count(DISTINCT guild_id), count(DISTINCT creator_id)
FROM governance_backtesthit WHERE backtest_id = %s GROUP BY side"""

_MOST_HIT = """
SELECT g.external_id, g.name, count(*) FROM governance_backtesthit h JOIN {table} g ON g.id = h.{column}
WHERE h.backtest_id = %s AND h.side = 'tested' GROUP BY g.id, g.external_id, g.name ORDER BY 3 DESC, 1 LIMIT %s"""

# People decided about a violation when one of them reviewed, dismissed or overturned it. A hit that is evidence of several
# is right when any of them stands.
_LABELS = """
SELECT count(*), count(*) FILTER (WHERE stands) FROM (
    SELECT h.id, bool_or(v.status = 'confirmed') AS stands
    FROM governance_backtesthit h CROSS JOIN LATERAL (
        SELECT v.id, v.status FROM governance_violation v
        WHERE v.guild_id = h.guild_id AND v.code = %(code)s AND v.occurred_at = h.occurred_at AND v.subject = h.subject
        UNION
        SELECT v.id, v.status FROM governance_detection d JOIN governance_violation v ON v.id = d.violation_id
        WHERE d.signal_key_id = h.signal_id AND v.code = %(code)s
    ) AS v
    WHERE h.backtest_id = %(backtest)s AND h.side = %(side)s AND (
        v.status IN ('dismissed', 'overturned')
        OR (v.status = 'confirmed' AND EXISTS (SELECT 1 FROM governance_review r WHERE r.violation_id = v.id))
    )
    GROUP BY h.id
) AS labelled"""

_COMPARED = """
SELECT count(*) FILTER (WHERE t.id IS NOT NULL AND b.id IS NOT NULL), count(*) FILTER (WHERE b.id IS NULL),
    count(*) FILTER (WHERE t.id IS NULL)
FROM (SELECT * FROM governance_backtesthit WHERE backtest_id = %(backtest)s AND side = 'tested') AS t
FULL JOIN (SELECT * FROM governance_backtesthit WHERE backtest_id = %(backtest)s AND side = 'base') AS b
    ON t.subject = b.subject AND t.occurred_at = b.occurred_at"""

_OVERLAP = """
SELECT r.code, count(DISTINCT h.id)
FROM governance_backtesthit h
JOIN governance_detection d ON d.signal_key_id = h.signal_id
JOIN governance_ruleversion v ON v.id = d.version_id JOIN governance_rule r ON r.id = v.rule_id
WHERE h.backtest_id = %(backtest)s AND h.side = 'tested' AND v.rule_id <> %(rule)s
GROUP BY r.code ORDER BY 2 DESC, 1 LIMIT %(named)s"""

_PER_DAY = """
SELECT (occurred_at AT TIME ZONE 'UTC')::date, count(*) FROM governance_backtesthit
WHERE backtest_id = %s AND side = 'tested' GROUP BY 1 ORDER BY 1"""


def result_of(backtest: Backtest) -> dict[str, Any]:
    """All of it. Reads every hit a few times; takes seconds for a million."""
    compares = backtest.compared_with_id is not None
    totals: dict[str, Any] = {
        row[0]: {"matches": row[1], "guilds": row[2], "creators": row[3]}
        for row in _rows(_TOTALS, [backtest.pk])
    }
    nothing = {"matches": 0, "guilds": 0, "creators": 0}
    tested = totals.get(Side.TESTED, nothing)
    code = backtest.spec["violation"]["code"]
    base_code = backtest.compared_with.violation_code if backtest.compared_with else code
    return {
        "totals": {"tested": tested, "base": totals.get(Side.BASE, nothing) if compares else None},
        "by_market": _by(backtest, "m.code", "JOIN guilds_market m ON m.id = h.market_id"),
        "by_tier": _by(
            backtest, "coalesce(nullif(g.tier, ''), '–')", "JOIN guilds_guild g ON g.id = h.guild_id"
        ),
        "by_month": _by(backtest, "to_char(h.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM')", ""),
        "guilds": _most_hit(backtest, "guilds_guild", "guild_id"),
        "creators": _most_hit(backtest, "guilds_creator", "creator_id"),
        "penalties": penalties_of(backtest),
        "precision": precision_of(backtest, Side.TESTED, code),
        "base_precision": precision_of(backtest, Side.BASE, base_code) if compares else None,
        "compared": _compared(backtest) if compares else None,
        "overlap": [
            {"rule": rule, "both": both, "share": both / tested["matches"]}
            for rule, both in _rows(
                _OVERLAP, {"backtest": backtest.pk, "rule": backtest.version.rule_id, "named": NAMED}
            )
        ],
        "per_day": _per_day(backtest),
    }


def precision_of(backtest: Backtest, side: Side, code: str) -> dict[str, Any]:
    """Of the hits on which people have decided before, how many they confirmed; with the Wilson interval of 95 %.

    A hit is decided when its signal is evidence of a violation of the same violation code, or when there is one of its
    subject at its moment: right when it was confirmed and stands, wrong when it was dismissed or overturned. Hits that nobody
    decided about are left out, so this is the precision among what was found before and looked at, not among all hits.
    `state` is "known", or "insufficient data" below ten decided hits; then point, low and high are null.
    """
    [(n, right)] = _rows(_LABELS, {"backtest": backtest.pk, "side": side.value, "code": code})
    share = Share.of(right, n)
    state = "insufficient data" if share.insufficient_data else "known"
    return {
        "n": n,
        "right": right,
        "point": share.value,
        "low": share.low,
        "high": share.high,
        "state": state,
    }


def penalties_of(backtest: Backtest) -> dict[str, Any]:
    """What the tested wording's ladder would have led to, had every hit been confirmed.

    The nth hit of a guild within the ladder's window takes the nth rung and the points of its market; guilds start with
    nothing, bands of the score, decay of points, amnesties and overturned appeals are left out.
    """
    spec = backtest.spec
    written, severity = backtest.version.ladder, spec["violation"]["severity"]
    ladders = {"": LadderSpec.read(written, severity=severity)}
    for code in written.get("by_market") or ():
        ladders[code] = LadderSpec.read(written, severity=severity, market=code)
    widest = max(ladder.window for ladder in ladders.values())
    points, guilds = 0, 0
    kinds: Counter[str] = Counter()
    guild_now: int | None = None
    seen: deque[dt.datetime] = deque()
    rows = (
        BacktestHit.objects.filter(backtest=backtest, side=Side.TESTED)
        .order_by("guild_id", "occurred_at", "id")
        .values_list("guild_id", "creator_id", "occurred_at", "market__code")
    )
    for guild_id, creator_id, moment, market in rows.iterator(chunk_size=5_000):
        if guild_now != guild_id:
            guild_now, guilds = guild_id, guilds + 1
            seen.clear()
        ladder = ladders.get(market) or ladders[""]
        while seen and seen[0] <= moment - widest:
            seen.popleft()
        seen.append(moment)
        nth = len(seen)
        if ladder.window < widest:
            nth = sum(1 for earlier in seen if earlier > moment - ladder.window)
        kinds.update(step["kind"] for step in ladder.rung(nth))
        points += points_of(ladder, spec.get("share") if creator_id else None)
    note = "Every hit taken as confirmed, guilds starting from nothing; bands of the score, decay and amnesties left out."
    return {"kinds": dict(sorted(kinds.items())), "points": points, "guilds": guilds, "note": note}


def _by(backtest: Backtest, name: str, join: str) -> list[dict[str, Any]]:
    rows = _rows(_BY.format(name=name, join=join), [backtest.pk])
    return [{"name": row[0], "tested": row[1], "base": row[2]} for row in rows]


def _most_hit(backtest: Backtest, table: str, column: str) -> list[dict[str, Any]]:
    rows = _rows(_MOST_HIT.format(table=table, column=column), [backtest.pk, NAMED])
    return [{"id": row[0], "name": row[1], "hits": row[2]} for row in rows]


def _compared(backtest: Backtest) -> dict[str, int]:
    [(both, only_tested, only_base)] = _rows(_COMPARED, {"backtest": backtest.pk})
    return {"both": both, "only_tested": only_tested, "only_base": only_base}


def _per_day(backtest: Backtest) -> dict[str, Any]:
    rows = [(f"{day:%Y-%m-%d}", hits) for day, hits in _rows(_PER_DAY, [backtest.pk])]
    days = max(1, (backtest.until - backtest.since + dt.timedelta(hours=23)).days)
    busiest = max(rows, key=lambda row: row[1], default=("", 0))
    total = sum(hits for _, hits in rows)
    return {
        "days": days,
        "mean": round(total / days, 2),
        "busiest": busiest[1],
        "busiest_day": busiest[0],
        "series": [list(row) for row in rows[-DAYS:]],
    }


def _rows(text: str, params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(text, params)
        return list(cursor.fetchall())
