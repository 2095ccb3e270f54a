"""Whether other systems hold against guilds what we do: questions about confirmations and differences."""

from __future__ import annotations

import datetime as dt

from django.db.models import Exists, OuterRef, Q, QuerySet

from governance.penalties.enums import Effect, PenaltyStatus
from governance.penalties.models import Acknowledgement, Difference, Penalty, Reconciliation, Restriction
from guilds.accounts.actor import Actor

#: How long other systems may take to follow before anybody asks.
LAG = dt.timedelta(minutes=15)


def restricting() -> Q:
    """Penalties that other systems have something to do about: those with a restriction."""
    return Q(Exists(Restriction.objects.filter(penalty=OuterRef("pk"))))


def start_unconfirmed(now: dt.datetime) -> Q:
    """In force for longer than LAG, and no system has confirmed it."""
    confirmed = Acknowledgement.objects.filter(penalty=OuterRef("pk"))
    return Q(status=PenaltyStatus.IN_FORCE, applied_at__lte=now - LAG) & restricting() & ~Q(Exists(confirmed))


def end_unconfirmed(now: dt.datetime) -> Q:
    """Over for longer than LAG, and a system that confirmed the start has not confirmed the end."""
    ended = Acknowledgement.objects.filter(
        penalty=OuterRef("penalty"), client=OuterRef("client"), effect=Effect.ENDED
    )
    started = Acknowledgement.objects.filter(~Q(Exists(ended)), penalty=OuterRef("pk"), effect=Effect.APPLIED)
    return Q(Exists(started)) & Q(
        status__in=[PenaltyStatus.LIFTED, PenaltyStatus.REVERSED], ended_at__lte=now - LAG
    )


def expected_of(penalties: QuerySet[Penalty]) -> QuerySet[Penalty]:
    """Those of the penalties whose restriction stands now."""
    return penalties.filter(status=PenaltyStatus.IN_FORCE, restriction__lifted_at__isnull=True)


def reconciliations_visible_to(actor: Actor) -> QuerySet[Reconciliation]:
    """A comparison of one market is for those of that market; of all markets, for those of all."""
    found = Reconciliation.objects.select_related("client", "market")
    if actor.guild_id is not None:
        return found.none()
    return found if actor.market_ids is None else found.filter(market__in=actor.market_ids)


def differences_visible_to(actor: Actor) -> QuerySet[Difference]:
    """Differences about penalties of the actor's markets; one about no penalty of ours goes by its comparison's market."""
    found = Difference.objects.select_related(
        "reconciliation__client", "reconciliation__market", "penalty__guild", "penalty__market", "settled_by"
    )
    if actor.guild_id is not None:
        return found.none()
    if actor.market_ids is None:
        return found
    return found.filter(
        Q(penalty__market__in=actor.market_ids)
        | Q(penalty__isnull=True, reconciliation__market__in=actor.market_ids)
    )


def open_with(reconciliation: Reconciliation) -> QuerySet[Difference]:
    """Everything still open with the system a comparison was made with, this and earlier ones."""
    same = Q(reconciliation__client=reconciliation.client_id)
    if reconciliation.client_id is None:
        same &= Q(reconciliation__source=reconciliation.source)
    return Difference.objects.filter(same, settled_at__isnull=True)
