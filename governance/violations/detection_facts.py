"""The facts about a batch of signals: the signals themselves and whom they are about, in a handful of queries."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from django.db import connection
from django.db.models import QuerySet

from governance.engine import SignalFacts
from governance.engine.facts import KnownRecord
from governance.signals.models import SHARDS
from guilds.models import Creator, Guild, Market


class StoredSignal(NamedTuple):
    """One row of the table of signals; `guild_id` is the holder, `named_guild_id` the guild the event named if another."""

    id: int
    time: dt.datetime
    type: str
    guild_id: int
    named_guild_id: int | None
    creator_id: int | None
    market_id: int
    data: Mapping[str, Any]

    def charged_guild(self, *, own_act: bool) -> int:
        """The holder of the creator answers, unless the rule is about the named guild's own act."""
        return self.named_guild_id or self.guild_id if own_act else self.guild_id

    def subject(self, *, own_act: bool) -> str:
        """Whom a violation is about, see `Violation.subject`."""
        guild = f"g{self.charged_guild(own_act=own_act)}"
        return guild if own_act or self.creator_id is None else f"{guild}c{self.creator_id}"


# One look into the index per signal. The constant bounds let the planner leave out the other months.
_BY_ID = """
SELECT s.id, s.time, s.type, s.guild_id, s.named_guild_id, s.creator_id, s.market_id, s.data
FROM unnest(%s::bigint[], %s::timestamptz[]) AS wanted (id, time) CROSS JOIN LATERAL (
    SELECT * FROM governance_signal s
    WHERE s.id = wanted.id AND s.time = wanted.time AND s.time BETWEEN %s AND %s OFFSET 0
) AS s
ORDER BY s.time, s.id
"""


def stored_signals(keys: Sequence[tuple[int, dt.datetime]]) -> list[StoredSignal]:
    """The signals of these (id, time), in order of time. One query."""
    if not keys:
        return []
    ids, times = zip(*keys, strict=True)
    literals = ["{" + ",".join(map(str, values)) + "}" for values in (ids, times)]
    with connection.cursor() as cursor:
        cursor.execute(_BY_ID, [*literals, min(times), max(times)])
        return rows_to_signals(cursor.fetchall())


def rows_to_signals(rows: Iterable[Sequence[Any]]) -> list[StoredSignal]:
    """Rows with the columns of StoredSignal, `data` still JSON text as Django's connection gives it."""
    return [StoredSignal._make((*row[:7], parsed(row[7]))) for row in rows]


def parsed(stored: str) -> Any:
    """JSON text of PostgreSQL. Its numbers know no bounds, so one too large for a double takes the slower way and is infinite."""
    try:
        return orjson.loads(stored)
    except orjson.JSONDecodeError:
        return json.loads(stored)


def shard_of(guild_id: int) -> int:
    return guild_id % SHARDS


NOBODY = KnownRecord({})


@dataclass(frozen=True)
class Registry:
    """What rules see of guilds, creators and markets, by internal id, as the registry is now."""

    guilds: Mapping[int, Mapping[str, Any]]
    creators: Mapping[int, Mapping[str, Any]]
    markets: Mapping[int, Mapping[str, Any]]

    def market_code(self, market_id: int) -> str:
        return str(self.markets[market_id]["code"])

    def facts(self, signal: StoredSignal) -> SignalFacts:
        return SignalFacts(
            signal=signal.data,
            signal_type=signal.type,
            signal_time=signal.time,
            guild=self.guilds[signal.guild_id],
            creator=self.creators[signal.creator_id] if signal.creator_id is not None else NOBODY,
            market=self.markets[signal.market_id],
        )


def registry_of(signals: Sequence[StoredSignal]) -> Registry:
    """Guilds, creators and markets of these signals, and the guilds they charge. Three queries."""
    guilds = {signal.guild_id for signal in signals} | {
        signal.named_guild_id for signal in signals if signal.named_guild_id is not None
    }
    creators = {signal.creator_id for signal in signals if signal.creator_id is not None}
    return Registry(
        guilds=_rows(
            Guild.objects.filter(pk__in=guilds),
            external_id="id",
            name="name",
            tier="tier",
            status="status",
            provisional="provisional",
            market__code="market",
            onboarded_at="onboarded_at",
        ),
        creators=_rows(
            Creator.objects.filter(pk__in=creators),
            external_id="id",
            name="name",
            market__code="market",
        ),
        markets=_market_rows(Market.objects.filter(pk__in={signal.market_id for signal in signals})),
    )


def market_registry() -> Registry:
    """Every market, and nobody in them. One query."""
    return Registry(guilds={}, creators={}, markets=_market_rows(Market.objects.all()))


def _market_rows(markets: QuerySet[Market]) -> dict[int, KnownRecord]:
    return _rows(
        markets,
        code="code",
        name="name",
        timezone="timezone",
        languages="languages",
        regime__code="regime",
    )


def _rows(found: QuerySet[Any], **columns: str) -> dict[int, KnownRecord]:
    """Column of the model → key that rules know it by."""
    keys = tuple(columns.values())
    return {
        row[0]: KnownRecord(dict(zip(keys, row[1:], strict=True)))
        for row in found.order_by().values_list("pk", *columns)
    }
