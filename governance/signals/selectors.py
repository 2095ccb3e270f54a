"""Questions to the signals: what an actor may see, what waits, and what of it the registry knows by now."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from governance.signals.enums import QuarantineStatus
from governance.signals.models import SHARDS, PendingSignal, QuarantinedSignal, Signal
from guilds.accounts.actor import Actor
from guilds.models import Guild, Market, Membership


@dataclass(frozen=True)
class SignalCounts:
    """`signals` is PostgreSQL's own estimate, exact only after an ANALYZE: the table is too long to count."""

    signals: int
    pending: int
    quarantined: int


def signals_visible_to(actor: Actor) -> QuerySet[Signal]:
    """Signals charged to the actor's guild, or of its markets, or all."""
    if actor.guild_id is not None:
        return Signal.objects.filter(guild_id=actor.guild_id)
    if actor.market_ids is not None:
        return Signal.objects.filter(market_id__in=actor.market_ids)
    return Signal.objects.all()


def quarantine_visible_to(actor: Actor) -> QuerySet[QuarantinedSignal]:
    """Quarantined signals: all for who reaches every market, those naming one of their markets for other staff."""
    if actor.guild_id is not None:
        return QuarantinedSignal.objects.none()
    if actor.market_ids is not None:
        codes = Market.objects.filter(pk__in=actor.market_ids).values("code")
        return QuarantinedSignal.objects.filter(market_ref__in=codes)
    return QuarantinedSignal.objects.all()


def quarantine_ready() -> QuerySet[QuarantinedSignal]:
    """Waiting signals of which the registry now knows enough to try again, longest untried first."""
    held = Membership.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=OuterRef("key__time")),
        creator__external_id=OuterRef("creator_ref"),
        starts_at__lte=OuterRef("key__time"),
    )
    return (
        QuarantinedSignal.objects.filter(status=QuarantineStatus.WAITING)
        .filter(Q(market_ref="") | Exists(Market.objects.filter(code=OuterRef("market_ref"))))
        .filter(
            Exists(Guild.objects.filter(external_id=OuterRef("guild_ref")))
            | (~Q(guild_ref="") & ~Q(market_ref=""))
            | Exists(held)
        )
        .order_by(F("last_attempt_at").asc(nulls_first=True), "pk")
    )


def quarantine_ready_for_update(*, limit: int) -> list[QuarantinedSignal]:
    """The first `limit` of `quarantine_ready`, locked; rows that somebody else has locked are passed over."""
    rows = quarantine_ready().select_related("key__source", "client")
    return list(rows.select_for_update(of=("self",), skip_locked=True)[:limit])


def signal_counts() -> SignalCounts:
    """How much is stored, waits for detection, and waits in quarantine; what waits for a paused version is not pending."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COALESCE(sum(GREATEST(c.reltuples, 0)), 0)::bigint FROM pg_inherits i "
            "JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'governance_signal'::regclass"
        )
        estimate = int(cursor.fetchone()[0])
    return SignalCounts(
        signals=estimate,
        pending=PendingSignal.objects.filter(shard__lt=SHARDS).count(),
        quarantined=QuarantinedSignal.objects.filter(status=QuarantineStatus.WAITING).count(),
    )
