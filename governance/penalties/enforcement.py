"""What keeps a due penalty from starting: stops, caps, a fault being waited out. Questions only, and the locks they need."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from governance.penalties.enums import PenaltyStatus
from governance.penalties.models import EnforcementCap, EnforcementStop, Penalty
from governance.penalties.rectification import awaits_check
from guilds.accounts.actor import Actor

#: Every batch that starts penalties holds this advisory lock shared until it commits; who opens a stop takes it alone. So a
#: stop waits for the batches under way, and no later batch misses it.
GATE_LOCK = 7_180_001
#: Starts under a cap are counted by one batch at a time per kind and market; added to their numbers below.
CAP_LOCK = 7_180_002


def gate_pass() -> None:
    """Hold the gate open for this transaction. Read the stops after it, never before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [GATE_LOCK])


def gate_close() -> None:
    """Wait for every batch that starts penalties, and let no other begin before this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [GATE_LOCK])


@dataclass(frozen=True)
class Stops:
    """The stops open at one moment."""

    rows: Sequence[EnforcementStop]

    def of(self, kind: str, market_id: int) -> EnforcementStop | None:
        """The oldest stop that holds this kind in this market."""
        for stop in self.rows:
            if stop.kind in ("", kind) and stop.market_id in (None, market_id):
                return stop
        return None

    def holds(self) -> Q:
        """The penalties they hold. Written out, so that the index on starts decides which rows are looked at."""
        held = Q(pk__in=[])
        for stop in self.rows:
            one = Q(kind=stop.kind) if stop.kind else Q()
            one &= Q(market_id=stop.market_id) if stop.market_id else Q()
            held |= one or Q(pk__isnull=False)
        return held


def stops_open() -> Stops:
    rows = EnforcementStop.objects.filter(closed_at__isnull=True).select_related("market", "opened_by")
    return Stops(list(rows.order_by("pk")))


def overtaken(now: dt.datetime) -> Q:
    """Scheduled penalties whose whole time passed while a stop held them that has been closed since."""
    covering = EnforcementStop.objects.filter(
        Q(kind="") | Q(kind=OuterRef("kind")),
        Q(market__isnull=True) | Q(market=OuterRef("market_id")),
        opened_at__lt=OuterRef("ends_at"),
        closed_at__gt=OuterRef("starts_at"),
    )
    return Q(Exists(covering), status=PenaltyStatus.SCHEDULED, ends_at__lte=now)


def due_to_start(now: dt.datetime, stops: Stops) -> QuerySet[Penalty]:
    """Scheduled penalties that may start now, in no order. One that is stayed or held is not scheduled.

    Nor one that the guild may stop by putting things right, before the rule has checked.
    """
    return Penalty.objects.filter(
        Q(retry_at__isnull=True) | Q(retry_at__lte=now),
        ~awaits_check(),
        status=PenaltyStatus.SCHEDULED,
        starts_at__lte=now,
    ).exclude(stops.holds() | overtaken(now))


def due_to_fall_away(now: dt.datetime, stops: Stops) -> QuerySet[Penalty]:
    """Scheduled penalties that a stop outlasted and that nothing stops any more."""
    return Penalty.objects.filter(overtaken(now)).exclude(stops.holds())


def caps_by_place() -> dict[tuple[str, int | None], EnforcementCap]:
    """Caps by (kind, market); market None is for each market without a cap of its own."""
    return {(cap.kind, cap.market_id): cap for cap in EnforcementCap.objects.all()}


def stops_visible_to(actor: Actor) -> QuerySet[EnforcementStop]:
    """The stops that bear upon the actor's markets; those of everywhere do."""
    stops = EnforcementStop.objects.select_related("market", "opened_by", "closed_by")
    if actor.guild_id is not None:
        return stops.none()
    if actor.market_ids is not None:
        return stops.filter(Q(market__isnull=True) | Q(market__in=actor.market_ids))
    return stops


def caps_visible_to(actor: Actor) -> QuerySet[EnforcementCap]:
    """The caps of the actor's markets and those of every market."""
    caps = EnforcementCap.objects.select_related("market")
    if actor.guild_id is not None:
        return caps.none()
    if actor.market_ids is not None:
        return caps.filter(Q(market__isnull=True) | Q(market__in=actor.market_ids))
    return caps
