"""The emergency brake: nothing of a kind starts in a market while a stop stands. Lifting and undoing go on."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone

from governance.ledger.services import Entry, record, record_many
from governance.penalties import transitions
from governance.penalties.enforcement import due_to_fall_away, gate_close, gate_pass, stops_open
from governance.penalties.enums import PenaltyKind, PenaltyStatus
from governance.penalties.models import EnforcementStop, Penalty
from governance.penalties.selectors import lock_guilds
from governance.penalties.services.acts import change_notice
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Market
from guilds.nudges import nudge

#: Why a penalty fell away, as the guild and the ledger read it.
OVERTAKEN = "Its whole time had passed while penalties of this kind were stopped. It never took effect."


@transaction.atomic
def stop_open(*, actor: Actor, kind: str, market_id: int | None, reason: str) -> EnforcementStop:
    """Let nothing of this kind start in this market from now on. Kind "": every kind; market None: everywhere.

    Waits for the batches that are starting penalties at this moment; what they start has started, nothing later does.
    What waits stays scheduled. Records enforcement_stop.opened.
    """
    check_reach(actor, market_id, reason)
    if kind and kind not in PenaltyKind.values:
        raise InvalidInput(f"There is no kind of penalty called {kind}.", field="kind")
    if market_id is not None and not Market.objects.filter(pk=market_id).exists():
        raise NotFound("There is no such market.", field="market")
    gate_close()
    standing = EnforcementStop.objects.filter(kind=kind, market=market_id, closed_at__isnull=True).first()
    if standing is not None:
        raise Conflict(
            f"Stopped already since {standing.opened_at:%Y-%m-%d %H:%M} UTC: {standing.reason}",
            code="already_stopped",
        )
    return stop_record(
        EnforcementStop(
            kind=kind,
            market_id=market_id,
            reason=reason.strip(),
            opened_at=timezone.now(),
            opened_by_id=actor.user_id,
        ),
        actor=actor,
    )


def stop_record(stop: EnforcementStop, *, actor: Actor) -> EnforcementStop:
    """Save a stop that is about to stand and write it down."""
    stop.full_clean()
    stop.save()
    record(
        actor=actor,
        act="enforcement_stop.opened",
        obj=stop,
        after={"kind": stop.kind, "automatic": stop.automatic},
        reason=stop.reason,
        market_id=stop.market_id,
    )
    return stop


@transaction.atomic
def stop_close(*, actor: Actor, stop_id: int, reason: str) -> EnforcementStop:
    """Let penalties start again: those whose time is not over, with the end that was announced. The others fall away and
    their guilds are told, by the next `penalties_overtaken_cancel`. Records enforcement_stop.closed."""
    stop = EnforcementStop.objects.select_for_update(of=("self",)).filter(pk=stop_id).first()
    if stop is None:
        raise NotFound("There is no such stop.")
    check_reach(actor, stop.market_id, reason)
    if stop.closed_at is not None:
        raise InvalidTransition("This stop is closed already.")
    stop.closed_at = timezone.now()
    stop.closed_by_id = actor.user_id
    stop.closing_reason = reason.strip()
    stop.full_clean()
    stop.save()
    record(
        actor=actor,
        act="enforcement_stop.closed",
        obj=stop,
        before={"opened_at": stop.opened_at.isoformat()},
        after={"kind": stop.kind, "automatic": stop.automatic},
        reason=stop.closing_reason,
        market_id=stop.market_id,
    )
    nudge("governance.penalties.apply_due")
    return stop


@transaction.atomic
def penalties_overtaken_cancel(*, limit: int = 200, now: dt.datetime | None = None) -> int:
    """Cancel up to `limit` penalties that a stop, closed since, outlasted, and tell their guilds; returns how many.

    Records penalty.cancelled and notice.sent.
    """
    now = now or timezone.now()
    gate_pass()
    due = due_to_fall_away(now, stops_open())
    first = list(due.order_by("starts_at", "pk").values_list("pk", "guild_id")[:limit])
    guilds = lock_guilds({guild_id for _pk, guild_id in first}, skip_locked=True)
    penalties = list(
        due.filter(pk__in=[pk for pk, guild_id in first if guild_id in guilds])
        .select_for_update(of=("self",))
        .select_related("version", "notice")
        .order_by("pk")
    )
    actor = Actor.system("penalty schedule")
    for penalty in penalties:
        transitions.check(penalty.status, PenaltyStatus.CANCELLED)
        penalty.status, penalty.ended_at = PenaltyStatus.CANCELLED, now
        change_notice(actor=actor, penalty=penalty, guild=guilds[penalty.guild_id], reason=OVERTAKEN)
    Penalty.objects.bulk_update(penalties, ["status", "ended_at"], batch_size=500)
    record_many(
        actor=actor,
        entries=[
            Entry(
                act="penalty.cancelled",
                object_type=Penalty.ledger_type,
                object_id=str(penalty.public_id),
                before={"status": "scheduled"},
                after={"kind": penalty.kind, "status": "cancelled"},
                reason=OVERTAKEN,
                guild_id=penalty.guild_id,
                market_id=penalty.market_id,
            )
            for penalty in penalties
        ],
        at=now,
    )
    return len(penalties)


def check_reach(actor: Actor, market_id: int | None, reason: str) -> None:
    """Only an enforcer or an admin, with a reason, and for everywhere only one whose markets are all of them."""
    actor.require_role(Role.ENFORCER, Role.ADMIN, market_id=market_id)
    if market_id is None and actor.market_ids is not None:
        raise NotAllowed(
            "This bears upon every market, and yours are not all of them: name a market.",
            code="market_out_of_scope",
        )
    if not reason.strip():
        raise InvalidInput("Say why: the reason goes into the ledger.", field="reason")
