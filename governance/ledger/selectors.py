"""Questions to the ledger: the timeline of an object, the feed, and whether the chain still holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet

from governance.ledger.chain import GENESIS, chained
from governance.ledger.models import Event, EventQuerySet, EventSeal
from guilds.accounts.actor import Actor

#: Every column of an event, in the order in which it is hashed. `id` and `transaction` come first.
EVENT_COLUMNS = (
    "id",
    "transaction",
    "at",
    "act",
    "object_type",
    "object_id",
    "actor_kind",
    "actor_id",
    "actor_label",
    "guild_id",
    "market_id",
    "before",
    "after",
    "reason",
    "request_id",
)


#: Who else writes in this database: (are their transactions hidden from us, their 32-bit transaction id).
WRITERS = """
    SELECT usename <> current_user AND NOT pg_has_role('pg_read_all_stats', 'USAGE'), backend_xid::text::bigint
    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    UNION ALL SELECT false, (pg_current_xact_id_if_assigned()::text::bigint) & 4294967295
"""


def final_horizon() -> int:
    """The oldest transaction still running: events of transactions before it are all visible and none will be added.

    Only writers in this database count, so that a long transaction in a neighbour does not hold the feed back. The next id to
    be given out is read before the list of those at work: whoever begins in between lies beyond the horizon anyway. Where
    another role writes here whose transactions we may not see, the horizon of the whole server is taken instead.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint,"
            " pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_stat_clear_snapshot()"
        )
        upcoming, oldest_anywhere, _cleared = cursor.fetchone()
        cursor.execute(WRITERS)
        writers = cursor.fetchall()
    if any(hidden for hidden, _xid in writers):
        return int(oldest_anywhere)
    running = [widened(xid, upcoming) for _hidden, xid in writers if xid is not None]
    return int(min([upcoming, *running]))


def widened(xid: int, near: int) -> int:
    """The 64-bit transaction id of which `xid` is the lower half, within 2^31 of the id `near`, on either side.

    A snapshot's upper end is the id after the last one that has ended: ids already given out may lie beyond it.
    """
    ahead = (xid - near) % 2**32
    return near + (ahead if ahead < 2**31 else ahead - 2**32)


def events_final() -> EventQuerySet:
    """The feed: final events in (transaction, id) order, the order of the chain."""
    return Event.objects.filter(transaction__lt=final_horizon()).order_by("transaction", "id")


def events_of(obj: Any) -> QuerySet[Event]:
    """The timeline of one object, oldest first."""
    return Event.objects.filter(object_type=obj.ledger_type, object_id=str(obj.public_id)).order_by("id")


#: What a guild learns from the feed: decisions and their consequences. Suspicions, held penalties and who works on what stay
#: with the platform.
GUILD_LEARNS = frozenset(
    "violation.confirmed violation.overturned points.charged points.expired points.reduced points.reversed "
    "points.credited lesson.assigned lesson.attempted assignment.completed assignment.cancelled "
    "rectification.asked rectification.submitted rectification.met rectification.failed "
    "penalty.scheduled penalty.applied penalty.lifted penalty.cancelled penalty.reversed penalty.reduced "
    "penalty.stayed penalty.resumed compensation.settled compensation.declined "
    "notice.sent notice.read appeal.filed appeal.withdrawn appeal.message appeal.decided lesson.completed".split()
)


def events_visible_to(actor: Actor) -> QuerySet[Event]:
    """The feed narrowed to what the actor may see: what its guild may know, its markets, or everything."""
    events = events_final()
    if actor.guild_id is not None:
        never_told = Q(act="penalty.cancelled", before__status="held")
        return events.filter(guild_id=actor.guild_id, act__in=GUILD_LEARNS).exclude(never_told)
    if actor.market_ids is not None:
        return events.filter(market_id__in=actor.market_ids)
    return events


@dataclass(frozen=True)
class Verification:
    """What `verify` found. `fault` is empty when the chain holds; `event_id` names the first bad event otherwise."""

    sealed: int
    unsealed: int
    head: str
    fault: str = ""
    event_id: int | None = None


def verify(*, progress: Callable[[int], object] | None = None) -> Verification:
    """Recompute the whole chain and compare.

    Finds an event changed, deleted, or slipped in among sealed ones. What it cannot find is a rewrite of events and seals
    together: keep the printed head outside the database to exclude that.
    """
    digest, count = GENESIS, 0
    seals = EventSeal.objects.order_by("sequence").iterator(chunk_size=5000)
    events = Event.objects.order_by("transaction", "id").values_list(*EVENT_COLUMNS).iterator(chunk_size=5000)
    for batch in iter(lambda: list(islice(seals, 5000)), []):
        for sealed in batch:
            row = next(events, None)
            fault, culprit = _compare(sealed, row, count)
            if not fault:
                assert row is not None
                digest = chained(digest, row)
                if digest != bytes(sealed.digest):
                    fault, culprit = "was changed after it was sealed", sealed.event_id
            if fault:
                return Verification(count, 0, digest.hex(), f"event {culprit} {fault}", culprit)
            count += 1
        if progress:
            progress(len(batch))
    return Verification(count, sum(1 for _ in events), digest.hex())


def _compare(sealed: EventSeal, row: tuple[Any, ...] | None, count: int) -> tuple[str, int | None]:
    if sealed.sequence != count + 1:
        return "lost its seal", sealed.event_id
    if row is None or (sealed.transaction, sealed.event_id) < (row[1], row[0]):
        return "was deleted after it was sealed", sealed.event_id
    if (sealed.transaction, sealed.event_id) > (row[1], row[0]):
        return "was slipped in among sealed events", row[0]
    return "", None


def timeline(objects: list[Any]) -> Iterator[Event]:
    """The events of several objects together, newest first, for a page that shows a case as one story."""
    found = Event.objects.none()
    for obj in objects:
        found = found | Event.objects.filter(object_type=obj.ledger_type, object_id=str(obj.public_id))
    return found.order_by("-id").iterator()
