"""The populations that samples are drawn from, each unit with the stratum it belongs to.

A unit is named "v<violation>" or "g<guild>:<date>" by internal ids; a stratum "RULE · S2 · automatic" or "MARKET · tier".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator

from django.db import connection, transaction

from governance.violations.enums import ViolationStatus

#: Between the parts of a stratum's name.
BETWEEN = " · "
AUTOMATIC, HUMAN = "automatic", "human"

# Nobody's verdict: the rule decided alone, whatever its version asks for today
_DECISIONS = """
    SELECT 'v' || v.id,
           r.code || %(between)s || v.severity || %(between)s || CASE
               WHEN EXISTS (SELECT 1 FROM governance_review AS w WHERE w.violation_id = v.id) THEN %(human)s
               ELSE %(automatic)s
           END
      FROM governance_violation AS v
      JOIN governance_rule AS r ON r.id = v.rule_id
     WHERE v.decided_at >= %(since)s AND v.decided_at < %(until)s AND v.status <> %(open)s
       AND (%(markets)s::bigint[] IS NULL OR v.market_id = ANY(%(markets)s))
"""

# A violation's day is that of the guild's market, as an activity's is; two days more on either side hold every time zone
_UNFLAGGED = """
    WITH flagged AS MATERIALIZED (
        SELECT DISTINCT v.guild_id, (v.occurred_at AT TIME ZONE m.timezone)::date AS day
          FROM governance_violation AS v
          JOIN guilds_guild AS g ON g.id = v.guild_id
          JOIN guilds_market AS m ON m.id = g.market_id
         WHERE v.occurred_at >= %(first)s::date - 2 AND v.occurred_at < %(end)s::date + 2
    )
    SELECT 'g' || g.id || ':' || a.date, m.code || %(between)s || g.tier
      FROM guilds_activity AS a
      JOIN guilds_guild AS g ON g.id = a.guild_id
      JOIN guilds_market AS m ON m.id = g.market_id
     WHERE a.date >= %(first)s AND a.date < %(end)s AND (a.live_hours > 0 OR a.active_creators > 0)
       AND (%(markets)s::bigint[] IS NULL OR g.market_id = ANY(%(markets)s))
       AND NOT EXISTS (SELECT 1 FROM flagged AS f WHERE f.guild_id = a.guild_id AND f.day = a.date)
"""

_AT_ONCE = 10_000


def decisions(
    *, since: dt.datetime, until: dt.datetime, market_ids: Collection[int] | None
) -> Iterator[tuple[str, str]]:
    """(stratum, unit) of every violation decided with since ≤ decided_at < until, by whomever and whatever became of it.

    Strata are rule × severity × automatic or human: automatic where no person gave a verdict.
    """
    return _read(
        _DECISIONS,
        {
            "since": since,
            "until": until,
            "open": ViolationStatus.OPEN.value,
            "markets": _ids(market_ids),
            "automatic": AUTOMATIC,
            "human": HUMAN,
        },
    )


def unflagged_days(
    *, first: dt.date, end: dt.date, market_ids: Collection[int] | None
) -> Iterator[tuple[str, str]]:
    """(stratum, unit) of every guild-day with activity in first ≤ day < end on which no violation of any status occurred.

    Days are those of the guild's market. Strata are market × tier of the guild as it is now.
    """
    return _read(_UNFLAGGED, {"first": first, "end": end, "markets": _ids(market_ids)})


def violation_of(unit: str) -> int:
    return int(unit.removeprefix("v"))


def guild_day_of(unit: str) -> tuple[int, dt.date]:
    guild, day = unit.removeprefix("g").split(":")
    return int(guild), dt.date.fromisoformat(day)


def _ids(market_ids: Collection[int] | None) -> list[int] | None:
    return None if market_ids is None else sorted(market_ids)


def _read(sql: str, values: dict[str, object]) -> Iterator[tuple[str, str]]:
    """One statement read by a cursor on the server: a population may be larger than memory."""
    connection.ensure_connection()
    raw = connection.connection
    with transaction.atomic(), raw.cursor(name="population") as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(sql, {"between": BETWEEN, **values})
        for unit, stratum in cursor:
            yield stratum, unit
