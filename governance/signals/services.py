"""The writers of signals: take events in, each exactly once, and settle what had to wait in quarantine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict

import orjson
from django.db import transaction
from django.utils import timezone

from governance.ledger.services import Entry, nudge, record, record_many
from governance.signals import cloudevents, staging
from governance.signals.cloudevents import Event, Fault
from governance.signals.enums import QuarantineReason, QuarantineStatus
from governance.signals.models import SHARDS, PendingSignal, QuarantinedSignal, Signal, SignalSource
from governance.signals.placement import Bounds, Known, Placement, place
from governance.signals.staging import QuarantineRow, SignalRow
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Client, Guild, Market
from guilds.registry.selectors import creator_ids, guild_places, holders, market_ids
from guilds.registry.services import creators_meet, guilds_meet

#: What one call over REST may carry.
BATCH_EVENTS = 5_000
BATCH_BYTES = 10 * 1024 * 1024


class Rejection(TypedDict):
    """One refused event: its place in the batch, its id where it has one, and every fault."""

    index: int
    id: str
    errors: list[Fault]


@dataclass
class IngestReport:
    """What became of a batch; the four counts add up to the number of events."""

    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    rejected: list[Rejection] = field(default_factory=list)


@transaction.atomic
def signals_ingest(
    *, actor: Actor, events: Iterable[Mapping[str, Any] | bytes], source: str = ""
) -> IngestReport:
    """Take in CloudEvents, as objects or as JSON text; `source` fills in where an event has none.

    One transaction: when this returns, and the caller's transaction commits, every event is stored, known already, or
    reported. An event that is wrong, or that the actor may not send, is reported and spoils no other. Clients, the system
    and administrators may send; raises NotAllowed for anyone else. Nothing is recorded in the ledger, for volume; rows
    of guilds and creators first met keep a history of their own.
    """
    now = timezone.now()
    latest = cloudevents.latest_time(now)
    report = IngestReport()
    good: list[tuple[int, Event]] = []
    for index, raw in enumerate(events):
        if isinstance(raw, bytes):
            event = cloudevents.check_json(raw, latest=latest, source=source)
        else:
            event = cloudevents.check(raw, latest=latest, source=source)
        if isinstance(event, Event):
            good.append((index, event))
        else:
            report.rejected.append({"index": index, "id": cloudevents.event_id(raw), "errors": event})
    events_store(actor=actor, events=good, report=report, received_at=now)
    return report


def signals_ingest_json(*, actor: Actor, body: bytes) -> IngestReport:
    """`signals_ingest` for a request body: one event or an array of events, as JSON.

    Raises InvalidInput when the body is not JSON, or is too much for one call; then nothing was taken in.
    """
    if len(body) > BATCH_BYTES:
        raise InvalidInput("At most 10 MiB a call: send smaller batches.", code="too_large")
    try:
        events = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"The body is not JSON: {error}.", code="not_json") from error
    if not isinstance(events, list):
        events = [events]
    if len(events) > BATCH_EVENTS:
        raise InvalidInput(
            f"At most {BATCH_EVENTS} events a call, not {len(events)}: send smaller batches.",
            code="too_many",
        )
    return signals_ingest(actor=actor, events=events)


@transaction.atomic
def events_store(
    *,
    actor: Actor,
    events: Sequence[tuple[int, Event]],
    report: IngestReport,
    received_at: datetime,
    wake: Callable[[list[int]], None] | None = None,
) -> None:
    """Store checked events, each with its place in the caller's batch, and add to the report what became of them.

    `wake` is told the shards with new work once they are written; without it detection is nudged on commit.
    """
    bounds = _bounds(actor)
    if not events:
        return
    known = _known(events)
    placements: list[tuple[Event, Placement]] = []
    waiting: list[tuple[Event, QuarantineReason]] = []
    may_wait = bounds is None or actor.client_id is not None
    for index, event in events:
        found = place(event, known, bounds)
        if type(found) is Placement:
            placements.append((event, found))
        elif isinstance(found, QuarantineReason) and may_wait:
            waiting.append((event, found))
        else:
            faults = _unbounded_wait(found) if isinstance(found, QuarantineReason) else list(found)
            report.rejected.append({"index": index, "id": event.id, "errors": faults})
    report.rejected.sort(key=lambda rejection: rejection["index"])
    sources = _sources([event for event, _ in placements] + [event for event, _ in waiting])
    guilds, creators = _meet(actor, placements)
    counted = staging.write(
        [
            SignalRow(
                sources[event.source],
                event.id,
                event.time,
                event.type,
                guild if type(guild) is int else guilds[guild],
                named if named is None or type(named) is int else guilds[named],
                creator if creator is None or type(creator) is int else creators[creator],
                market,
                event.data,
            )
            for event, (guild, named, creator, market) in placements
        ],
        [
            QuarantineRow(
                sources[event.source],
                event.id,
                event.time,
                reason.value,
                event.guild,
                event.creator,
                event.market,
                orjson.dumps(event.raw),
            )
            for event, reason in waiting
        ],
        received_at=received_at,
        client_id=actor.client_id,
    )
    report.accepted += counted.placed
    report.quarantined += counted.quarantined
    report.duplicates += len(placements) + len(waiting) - counted.placed - counted.quarantined
    (wake or nudge_detection)(counted.shards)


def nudge_detection(shards: Iterable[int]) -> None:
    """Wake detection for these shards once the transaction has committed."""
    for shard in shards:
        nudge("governance.violations.detect", shard)


def _bounds(actor: Actor) -> Bounds | None:
    if actor.kind == "guild_user":
        raise NotAllowed("Signals come from detectors and integrations, not from guilds.")
    if actor.kind == "staff":
        actor.require_role(Role.ADMIN)
    if actor.guild_id is None and actor.market_ids is None:
        return None
    guild_ref = None
    if actor.guild_id is not None:
        guild_ref = Guild.objects.values_list("external_id", flat=True).get(pk=actor.guild_id)
    markets = None
    if actor.market_ids is not None:
        markets = dict(Market.objects.filter(pk__in=actor.market_ids).values_list("code", "id"))
    return Bounds(guild_ref, actor.guild_id, markets)


def _unbounded_wait(reason: QuarantineReason) -> list[Fault]:
    """Only a client is remembered with what waits, so only a client's bounds can be checked again later."""
    return [{"field": "guild", "message": f"{reason.label}: name a guild and a market you may send for."}]


def _known(events: Sequence[tuple[int, Event]]) -> Known:
    creators = creator_ids({event.creator for _, event in events if event.creator})
    return Known(
        markets=market_ids({event.market for _, event in events if event.market}),
        guilds=guild_places({event.guild for _, event in events if event.guild}),
        creators=creators,
        holders=holders(
            (creators[event.creator], event.time) for _, event in events if event.creator in creators
        ),
    )


def _sources(events: Sequence[Event]) -> dict[str, int]:
    """Keys of the events' sources; new ones are made, in order."""
    uris = {event.source for event in events}
    known = dict(SignalSource.objects.filter(uri__in=uris).values_list("uri", "id"))
    if missing := sorted(uris - known.keys()):
        SignalSource.objects.bulk_create([SignalSource(uri=uri) for uri in missing], ignore_conflicts=True)
        known = dict(SignalSource.objects.filter(uri__in=uris).values_list("uri", "id"))
    return known


def _meet(
    actor: Actor, placements: Sequence[tuple[Event, Placement]]
) -> tuple[dict[str, int], dict[str, int]]:
    """Make the guilds and creators that placed events name for the first time; external id → key, for those made."""
    guilds: dict[str, int] = {}
    creators: dict[str, int] = {}
    for event, (guild, named, creator, market) in placements:
        if type(guild) is str or type(named) is str:
            guilds.setdefault(event.guild, market)
        if type(creator) is str:
            creators.setdefault(creator, market)
    if guilds:
        guilds = {ref: met.id for ref, met in guilds_meet(actor=actor, markets=guilds).items()}
    if creators:
        creators = creators_meet(actor=actor, markets=creators)
    return guilds, creators
