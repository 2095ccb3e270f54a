"""The way of a batch into PostgreSQL: COPY into a temporary table, then one statement that counts each signal once.

The temporary table hands out the ids. `SignalKey` decides which events are new, in the order of (source, event id), so
that two senders of the same events wait for each other and never deadlock; signals, the queue of detection and the
quarantine take only the new ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection

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

_NULL = "\\N"


class SignalRow(NamedTuple):
    """One signal about to be written; `time` is aware UTC, `data` JSON."""

    source_id: int
    event_id: str
    time: datetime
    type: str
    guild_id: int
    named_guild_id: int | None
    creator_id: int | None
    market_id: int
    data: bytes


class QuarantineRow(NamedTuple):
    """One event about to be quarantined; `event` is the whole event as JSON."""

    source_id: int
    event_id: str
    time: datetime
    reason: str
    guild_ref: str
    creator_ref: str
    market_ref: str
    event: bytes


class Counted(NamedTuple):
    """How many rows were new, and the shards in which detection has work now."""

    placed: int
    quarantined: int
    shards: list[int]


def write(
    signals: Sequence[SignalRow],
    quarantined: Sequence[QuarantineRow],
    *,
    received_at: datetime,
    client_id: int | None = None,
) -> Counted:
    """Write what is new of these rows; what is there already, or twice among them, is left out. Needs a transaction."""
    with connection.cursor() as cursor:
        ensure_months(row.time for row in signals)
        cursor.execute(_TABLE)
        if signals:
            with cursor.copy(_COPY_SIGNALS) as copy:
                copy.write("".join(map(_signal_line, signals)))
        if quarantined:
            with cursor.copy(_COPY_QUARANTINED) as copy:
                copy.write("".join(map(_quarantine_line, quarantined)))
        cursor.execute(_COUNT_ONCE, {"now": received_at, "client": client_id})
        counts = dict(cursor.fetchall())
    held = counts.pop(-1)
    return Counted(sum(counts.values()), held, sorted(counts))


def ensure_months(times: Iterable[datetime]) -> None:
    """Make the partitions these times (aware UTC) need, oldest first."""
    months = sorted({(time.year, time.month) for time in times})
    if months:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT governance_signal_month(month) FROM unnest(%s::timestamptz[]) month",
                [[datetime(year, month, 1, tzinfo=UTC) for year, month in months]],
            )


def _escaped(text: str) -> str:
    """Control characters never come here (`cloudevents` refuses them), so only the backslash means something to COPY."""
    return text.replace("\\", "\\\\") if "\\" in text else text


def _signal_line(row: SignalRow) -> str:
    source, event_id, time, type_, guild, named, creator, market, content = row
    return (
        f"{source}\t{_escaped(event_id)}\t{time.isoformat()}\t{_escaped(type_)}\t{guild}\t{named or _NULL}\t"
        f"{creator or _NULL}\t{market}\t{_escaped(content.decode())}\n"
    )


def _quarantine_line(row: QuarantineRow) -> str:
    source, event_id, time, reason, *refs, event = row
    guild, creator, market = map(_escaped, refs)
    return (
        f"{source}\t{_escaped(event_id)}\t{time.isoformat()}\t{reason}\t{guild}\t{creator}\t{market}\t"
        f"{_escaped(event.decode())}\n"
    )
