"""The writers of signals: take events in, each exactly once, and settle what had to wait in quarantine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict

from django.db import transaction
from django.utils import timezone

from governance.ledger.services import Entry, record_many
from governance.signals import cloudevents, staging, transitions
from governance.signals.cloudevents import Event, Fault
from governance.signals.enums import QuarantineReason, QuarantineStatus
from governance.signals.models import SHARDS, PendingSignal, QuarantinedSignal, Signal, SignalSource
from governance.signals.placement import Bounds, Known, Placement, place
from governance.signals.selectors import quarantine_ready_for_update, quarantine_visible_to
from governance.signals.staging import Prepared
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, NotAllowed, NotFound
from guilds.models import Guild, Market
from guilds.nudges import nudge
from guilds.registry.selectors import creator_ids, guild_places, holders, market_ids
from guilds.registry.services import creators_meet, guilds_meet

#: What one call over REST may carry.
BATCH_EVENTS = 5_000


class Rejection(TypedDict):
    """One refused event: its place in the batch, its id where it has one, and every fault."""

    index: int
    id: str | None
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
    of guilds and creators first met keep a history of their own. Detection is nudged on commit.
    """
    prepared, report = events_prepare(actor=actor, events=events, source=source)
    nudge_detection(prepared_write(prepared, report))
    return report


def events_prepare(
    *, actor: Actor, events: Iterable[Mapping[str, Any] | bytes], source: str = ""
) -> tuple[Prepared, IngestReport]:
    """The first half of `signals_ingest`: check, find out who is charged, make guilds and creators first met.

    The report holds the rejections; what is written counts later. The halves may run in two transactions, on two
    connections: a guild that was met and whose signal then never came does no harm.
    """
    bounds = _bounds(actor)
    prepared, report = Prepared(client_id=actor.client_id), IngestReport()
    latest = cloudevents.latest_time(prepared.received_at)
    good: list[tuple[int, Event]] = []
    for index, raw in enumerate(events):
        event: Event | list[Fault]
        if isinstance(raw, bytes):
            raw, event = cloudevents.check_json(raw, latest=latest, source=source)
        else:
            event = cloudevents.check(raw, latest=latest, source=source)
        if isinstance(event, Event):
            good.append((index, event))
        else:
            report.rejected.append({"index": index, "id": cloudevents.event_id(raw), "errors": event})
    if good:
        _prepare(actor, bounds, good, prepared, report)
    return prepared, report


def prepared_write(prepared: Prepared, report: IngestReport) -> list[int]:
    """The second half: write what is new, complete the report, return the shards with new work. Needs a transaction."""
    rows = len(prepared.signals) + len(prepared.quarantined)
    if not rows:
        return []
    counted = staging.write(prepared)
    report.accepted = counted.placed
    report.quarantined = counted.quarantined
    report.duplicates = rows - counted.placed - counted.quarantined
    return counted.shards


def _prepare(
    actor: Actor,
    bounds: Bounds | None,
    events: Sequence[tuple[int, Event]],
    prepared: Prepared,
    report: IngestReport,
) -> None:
    known = _known(events)
    placements: list[tuple[Event, Placement]] = []
    waiting: list[tuple[Event, QuarantineReason]] = []
    may_wait = bounds is None or actor.client_id is not None
    for index, event in events:
        found = place(event, known, bounds)
        if isinstance(found, Placement):
            placements.append((event, found))
        elif isinstance(found, QuarantineReason) and may_wait:
            waiting.append((event, found))
        else:
            faults = _may_not_wait(found) if isinstance(found, QuarantineReason) else found
            report.rejected.append({"index": index, "id": event.id, "errors": faults})
    report.rejected.sort(key=lambda rejection: rejection["index"])
    sources = _sources({event.source for event, _ in placements} | {event.source for event, _ in waiting})
    made_guilds, made_creators = _meet(actor, placements)
    for event, (guild, named, creator, market) in placements:
        prepared.signals.append(
            staging.signal_line(
                event,
                sources[event.source],
                guild if isinstance(guild, int) else made_guilds[guild],
                made_guilds[named] if isinstance(named, str) else named,
                made_creators[creator] if isinstance(creator, str) else creator,
                market,
            )
        )
    prepared.months = _months(event for event, _ in placements)
    for event, reason in waiting:
        prepared.quarantined.append(staging.quarantine_line(event, sources[event.source], reason.value))


def nudge_detection(shards: Iterable[int]) -> None:
    """Wake detection for these shards once the transaction has committed."""
    for shard in shards:
        nudge("governance.violations.detect", shard)


@transaction.atomic
def quarantine_retry(*, actor: Actor, limit: int = 1000) -> int:
    """Try again what waits and whose people the registry knows by now; returns how many became signals.

    At most `limit` rows, locked, those that others hold passed over. A signal keeps its id and the time it was received.
    One whose sender may not send for the guild found is discarded. Records quarantined_signal.released and
    quarantined_signal.discarded; nudges detection. Only the system and administrators may; raises NotAllowed.
    """
    actor.require_role(Role.ADMIN)
    now = timezone.now()
    rows = quarantine_ready_for_update(limit=limit)
    checked = {
        row.pk: cloudevents.check(row.event, latest=cloudevents.latest_time(now), source=row.key.source.uri)
        for row in rows
    }
    known = _known([(0, event) for event in checked.values() if isinstance(event, Event)])
    bounds = {
        row.client_id: row.client and _bounds(Actor.client(row.client, scopes=row.client.allowed_scopes))
        for row in rows
    }
    placements: dict[int, tuple[Event, Placement]] = {}
    entries: list[Entry] = []
    for row in rows:
        event = checked[row.pk]
        found = place(event, known, bounds[row.client_id]) if isinstance(event, Event) else event
        row.attempts += 1
        row.last_attempt_at = now
        if isinstance(found, QuarantineReason):
            row.reason = found
        elif isinstance(found, list):
            _settle(row, QuarantineStatus.DISCARDED, now)
            entries.append(
                _entry(row, reason=" ".join(f"{fault['field']}: {fault['message']}" for fault in found))
            )
        elif isinstance(event, Event):
            placements[row.pk] = (event, found)
            _settle(row, QuarantineStatus.RELEASED, now)
    signals = _release(actor, rows, placements)
    entries += [
        _entry(row, guild_id=signals[row.pk].guild_id, market_id=signals[row.pk].market_id)
        for row in rows
        if row.pk in signals
    ]
    QuarantinedSignal.objects.bulk_update(
        rows, ["status", "reason", "attempts", "last_attempt_at", "settled_at"], batch_size=1000
    )
    record_many(actor=actor, entries=entries)
    nudge_detection(sorted({signal.guild_id % SHARDS for signal in signals.values()}))
    return len(signals)


@transaction.atomic
def quarantine_discard(*, actor: Actor, key_id: int, reason: str) -> QuarantinedSignal:
    """Give up on a quarantined signal, for a reason. It stays on record, and sent again it is a duplicate.

    Records quarantined_signal.discarded. Only administrators may. Raises NotAllowed, NotFound, InvalidTransition when it is
    settled already, and InvalidInput without a reason.
    """
    actor.require_role(Role.ADMIN)
    if not reason.strip():
        raise InvalidInput("Say why this signal is discarded.", field="reason")
    rows = quarantine_visible_to(actor).select_for_update(of=("self",))
    row = rows.filter(pk=key_id).first()
    if row is None:
        raise NotFound("There is no such quarantined signal.")
    _settle(row, QuarantineStatus.DISCARDED, timezone.now())
    row.save(update_fields=["status", "settled_at"])
    record_many(actor=actor, entries=[_entry(row, reason=reason.strip())])
    return row


def _settle(row: QuarantinedSignal, status: QuarantineStatus, now: datetime) -> None:
    transitions.check(row.status, status)
    row.status = status
    row.settled_at = now


def _entry(
    row: QuarantinedSignal, *, reason: str = "", guild_id: int | None = None, market_id: int | None = None
) -> Entry:
    return Entry(
        act=f"quarantined_signal.{row.status}",
        object_type=row.ledger_type,
        object_id=row.public_id,
        before={"status": QuarantineStatus.WAITING.value},
        after={"status": QuarantineStatus(row.status).value},
        reason=reason,
        guild_id=guild_id,
        market_id=market_id,
    )


def _release(
    actor: Actor, rows: Sequence[QuarantinedSignal], placements: Mapping[int, tuple[Event, Placement]]
) -> dict[int, Signal]:
    """Write the signals of quarantined rows that found their guild; key id → signal."""
    guilds, creators = _meet(actor, list(placements.values()))
    signals: dict[int, Signal] = {}
    for row in rows:
        if row.pk not in placements:
            continue
        event, (guild, named, creator, market) = placements[row.pk]
        signals[row.pk] = Signal(
            id=row.pk,
            time=event.time,
            type=event.type,
            source_id=row.key.source_id,
            event_id=event.id,
            guild_id=guilds[guild] if isinstance(guild, str) else guild,
            named_guild_id=guilds[named] if isinstance(named, str) else named,
            creator_id=creators[creator] if isinstance(creator, str) else creator,
            market_id=market,
            data=row.event.get("data") or {},
            received_at=row.received_at,
        )
    staging.ensure_months(_months(event for event, _ in placements.values()))
    Signal.objects.bulk_create(signals.values(), batch_size=1000)
    PendingSignal.objects.bulk_create(
        [
            PendingSignal(signal_id=signal.pk, shard=signal.guild_id % SHARDS, time=signal.time)
            for signal in signals.values()
        ],
        batch_size=1000,
    )
    return signals


def _months(events: Iterable[Event]) -> set[datetime]:
    """The first moments of the months the events fall in."""
    return {
        datetime.fromisoformat(f"{month}-01T00:00:00Z") for month in {event.stamp[:7] for event in events}
    }


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


def _may_not_wait(reason: QuarantineReason) -> list[Fault]:
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


def _sources(uris: set[str]) -> dict[str, int]:
    """Keys of the sources; new ones are made, in order."""
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
        if isinstance(guild, str) or isinstance(named, str):
            guilds.setdefault(event.guild, market)
        if isinstance(creator, str):
            creators.setdefault(creator, market)
    if guilds:
        guilds = {ref: met.id for ref, met in guilds_meet(actor=actor, markets=guilds).items()}
    if creators:
        creators = creators_meet(actor=actor, markets=creators)
    return guilds, creators
