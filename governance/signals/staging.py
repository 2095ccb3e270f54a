"""The way of a batch into PostgreSQL: COPY into a temporary table, then one statement that counts each signal once.

The temporary table hands out the ids. `SignalKey` decides which events are new, in the order of (source, event id), so
that two senders of the same events wait for each other and never deadlock; signals, the queue of detection and the
quarantine take only the new ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import orjson
from django.db import connection
from django.utils import timezone

from governance.signals.cloudevents import Event
from governance.signals.models import SHARDS

_TABLE = """
CREATE TEMPORARY TABLE IF NOT EXISTS signal_staged (
    id bigint NOT NULL DEFAULT nextval('governance_signalkey_id_seq'),
    source_id bigint NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    time timestamptz NOT NULL,
    type text,
    guild_id bigint,
    named_guild_id bigint,
    creator_id bigint,
    market_id bigint,
    data jsonb NOT NULL,
    reason text,
    guild_ref text,
    creator_ref text,
    market_ref text
) ON COMMIT DELETE ROWS;
TRUNCATE signal_staged
"""
_COPY_SIGNALS = """
COPY signal_staged (source_id, event_id, time, type, guild_id, named_guild_id, creator_id, market_id, data) FROM STDIN
WITH (NULL '')
"""
_COPY_QUARANTINED = """
COPY signal_staged (source_id, event_id, time, reason, guild_ref, creator_ref, market_ref, data) FROM STDIN
"""
_COUNT_ONCE = f"""
WITH fresh AS (
    INSERT INTO governance_signalkey (id, source_id, event_id, time)
    SELECT id, source_id, event_id, time FROM signal_staged ORDER BY source_id, event_id, id
    ON CONFLICT (source_id, event_id) DO NOTHING
    RETURNING id
), placed AS (
    INSERT INTO governance_signal (
        id, time, type, source_id, event_id, guild_id, named_guild_id, creator_id, market_id, data, received_at
    )
    SELECT s.id, s.time, s.type, s.source_id, s.event_id, s.guild_id, s.named_guild_id, s.creator_id, s.market_id,
        s.data, %(now)s
    FROM signal_staged s JOIN fresh USING (id) WHERE s.reason IS NULL
), queued AS (
    INSERT INTO governance_pendingsignal (signal_id, shard, time)
    SELECT s.id, s.guild_id %% {SHARDS}, s.time
    FROM signal_staged s JOIN fresh USING (id) WHERE s.reason IS NULL
    RETURNING shard
), held AS (
    INSERT INTO governance_quarantinedsignal (
        key_id, status, reason, event, guild_ref, creator_ref, market_ref, client_id, received_at, attempts
    )
    SELECT s.id, 'waiting', s.reason, s.data, s.guild_ref, s.creator_ref, s.market_ref, %(client)s, %(now)s, 0
    FROM signal_staged s JOIN fresh USING (id) WHERE s.reason IS NOT NULL
    RETURNING key_id
)
SELECT shard, count(*) FROM queued GROUP BY shard UNION ALL SELECT -1, count(*) FROM held
"""  # noqa: S608 - the only thing filled in is our own constant


@dataclass
class Prepared:
    """A batch ready to be written: every row a line of COPY, everybody named known by key."""

    signals: list[str] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    #: The first moment of every month the signals fall in.
    months: set[datetime] = field(default_factory=set)
    received_at: datetime = field(default_factory=lambda: timezone.now())  # noqa: PLW0108  found when called, so that a clock may be turned
    client_id: int | None = None


class Counted(NamedTuple):
    """How many rows were new, and the shards in which detection has work now."""

    placed: int
    quarantined: int
    shards: list[int]


def write(rows: Prepared) -> Counted:
    """Write what is new of these rows; what is there already, or twice among them, is left out. Needs a transaction."""
    with connection.cursor() as cursor:
        ensure_months(rows.months)
        cursor.execute(_TABLE)
        for statement, lines in ((_COPY_SIGNALS, rows.signals), (_COPY_QUARANTINED, rows.quarantined)):
            if lines:
                with cursor.copy(statement) as copy:
                    copy.write("".join(lines))
        cursor.execute(_COUNT_ONCE, {"now": rows.received_at, "client": rows.client_id})
        counts = dict(cursor.fetchall())
    held = counts.pop(-1)
    return Counted(sum(counts.values()), held, sorted(counts))


def ensure_months(months: Iterable[datetime]) -> None:
    """Make the partitions of the months these moments (aware UTC) fall in, oldest first."""
    if wanted := sorted(months):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT governance_signal_month(month) FROM unnest(%s::timestamptz[]) month", [wanted]
            )


def signal_line(
    event: Event,
    source_id: int,
    guild_id: int,
    named_guild_id: int | None,
    creator_id: int | None,
    market_id: int,
) -> str:
    """A signal as a line of COPY, in which nothing between two tabs is null."""
    line = (
        f"{source_id}\t{event.id}\t{event.stamp}\t{event.type}\t{guild_id}\t"
        f"{named_guild_id or ''}\t{creator_id or ''}\t{market_id}\t{event.data.decode()}\n"
    )
    return _escaped(line) if "\\" in line else line


def quarantine_line(event: Event, source_id: int, reason: str) -> str:
    """A quarantined event, whole, as a line of COPY."""
    whole = orjson.dumps(event.raw).decode()
    return _escaped(
        f"{source_id}\t{event.id}\t{event.stamp}\t{reason}\t{event.guild}\t{event.creator}\t{event.market}\t{whole}\n"
    )


def _escaped(line: str) -> str:
    """Control characters never come here (`cloudevents` refuses them), so only the backslash means something to COPY."""
    return line.replace("\\", "\\\\")
