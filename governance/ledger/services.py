"""The writers of the ledger: record acts and seal them into the chain."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.db import connection, transaction
from django.utils import timezone

from governance.ledger.chain import GENESIS, chained
from governance.ledger.models import Event, EventSeal
from governance.ledger.selectors import EVENT_COLUMNS, final_horizon
from guilds.accounts.actor import Actor

#: The advisory lock under which one process at a time extends the chain.
SEAL_LOCK = 7_170_001
#: The columns a writer gives; id and transaction are PostgreSQL's.
COPIED = EVENT_COLUMNS[2:]


class Recordable(Protocol):
    @property
    def ledger_type(self) -> str: ...
    @property
    def public_id(self) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One act on one object, as `record_many` takes it. `before` and `after` hold the changed fields only, JSON-able."""

    act: str
    object_type: str
    object_id: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    guild_id: int | None = None
    market_id: int | None = None


def record(
    *,
    actor: Actor,
    act: str,
    obj: Recordable,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    guild_id: int | None = None,
    market_id: int | None = None,
) -> None:
    """Write one event in the caller's transaction, which must be open: an act and its record stand or fall together."""
    entry = Entry(
        act=act,
        object_type=obj.ledger_type,
        object_id=str(obj.public_id),
        before=before or {},
        after=after or {},
        reason=reason,
        guild_id=guild_id,
        market_id=market_id,
    )
    record_many(actor=actor, entries=[entry])


def record_many(*, actor: Actor, entries: Sequence[Entry], at: dt.datetime | None = None) -> None:
    """Write many events by one actor in the order given, by COPY: the ledger is on the path of every batch.

    The text is checked by the columns' own limits; a value that JSON cannot hold raises TypeError. `at` is aware.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("ledger events are written inside the transaction of the act they record")
    if not entries:
        return
    now = at or timezone.now()
    who = (actor.kind, actor.id, actor.label)
    request_id = actor.request_id[:64]
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {Event._meta.db_table} ({', '.join(COPIED)}) FROM STDIN") as copy,
    ):
        for entry in entries:
            copy.write_row(
                (
                    now,
                    entry.act,
                    entry.object_type,
                    entry.object_id,
                    *who,
                    entry.guild_id,
                    entry.market_id,
                    json.dumps(dict(entry.before)),
                    json.dumps(dict(entry.after)),
                    entry.reason,
                    request_id,
                )
            )


@transaction.atomic
def seal(*, limit: int = 5000) -> int:
    """Extend the hash chain by at most `limit` final events and return how many were sealed.

    Only events of transactions older than every running one are taken, in (transaction, id) order, so the order of the chain
    is the order of the feed and is never revised. One process at a time; a second one returns 0.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SEAL_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    head = EventSeal.objects.order_by("-sequence").first()
    sequence, digest = (head.sequence, bytes(head.digest)) if head else (0, GENESIS)
    events = Event.objects.filter(transaction__lt=final_horizon())
    if head:
        events = events.after(head.transaction, head.event_id)
    rows = list(events.order_by("transaction", "id").values_list(*EVENT_COLUMNS)[:limit])
    now = timezone.now()
    seals = []
    for row in rows:
        sequence += 1
        digest = chained(digest, row)
        seals.append(
            EventSeal(sequence=sequence, event_id=row[0], transaction=row[1], digest=digest, sealed_at=now)
        )
    EventSeal.objects.bulk_create(seals, batch_size=1000)
    return len(seals)


def seal_everything(*, progress: Callable[[int], None] | None = None) -> int:
    """Seal until nothing final is left; returns how many events were sealed."""
    total = 0
    while sealed := seal():
        total += sealed
        if progress:
            progress(sealed)
    return total
