"""Stays: what has not begun waits for the answer to an appeal, and goes on with the time that was left.

A scheduled penalty is stayed when its ladder step says `stops: [appeal]`; a termination always is, since what it ends cannot
be given back whole (in the spirit of P2B art. 4 and 11). What is in force already stays in force: it is made good if it falls.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from governance.ledger.services import record_many
from governance.penalties import transitions
from governance.penalties.enums import PenaltyKind, PenaltyStatus
from governance.penalties.ladders import APPEAL, stopped_by
from governance.penalties.models import Penalty, Rectification
from governance.penalties.rectification import UNANSWERED
from governance.penalties.selectors import lock_guilds
from governance.penalties.services.acts import change_notice
from governance.penalties.services.undoing import locked_penalties, penalty_entry
from guilds.accounts.actor import Actor
from guilds.models import Guild
from guilds.nudges import nudge


def stopped_by_appeal(penalty: Penalty) -> bool:
    """Whether an appeal keeps this penalty from starting while it is open."""
    return stopped_by({"kind": penalty.kind, **penalty.params}, APPEAL)


def penalties_of_case(penalty: Penalty) -> QuerySet[Penalty]:
    """What falls if an appeal against this penalty is won: all of its violation, or a penalty for a band crossing alone."""
    if penalty.crossing_id:
        return Penalty.objects.filter(pk=penalty.pk)
    return Penalty.objects.filter(violation=penalty.violation_id)


@transaction.atomic
def penalties_stay(*, actor: Actor, penalty_id: int, reason: str) -> list[Penalty]:
    """An appeal was filed against a penalty: those of its case that wait to start and that an appeal stops wait for the answer.

    The caller has checked the actor. Returns the stayed ones. Records penalty.stayed for each and one notice.sent.
    """
    asked, guild = _case(penalty_id)
    now = timezone.now()
    stayed = [
        penalty
        for penalty in locked_penalties(penalties_of_case(asked).filter(status=PenaltyStatus.SCHEDULED))
        if stopped_by_appeal(penalty)
    ]
    for penalty in stayed:
        transitions.check(penalty.status, PenaltyStatus.STAYED)
        penalty.status, penalty.stayed_at = PenaltyStatus.STAYED, now
        penalty.save(update_fields=["status", "stayed_at"])
    record_many(
        actor=actor,
        entries=[
            penalty_entry(
                "penalty.stayed",
                penalty,
                before={"status": PenaltyStatus.SCHEDULED.value, "starts_at": penalty.starts_at.isoformat()},
                after={"status": penalty.status},
                reason=reason,
            )
            for penalty in stayed
        ],
    )
    if stayed:
        change_notice(actor=actor, penalty=stayed[0], also=stayed[1:], guild=guild, reason=reason)
    return stayed


@transaction.atomic
def penalties_go_on(
    *, actor: Actor, penalty_id: int, reason: str, still: Collection[int] = (), untold: Collection[int] = ()
) -> list[Penalty]:
    """The appeal is over and the case stands: what was stayed is scheduled again, with the time that was left until its start.

    A termination never starts before the whole notice period of its regime has run since the guild was told; ends move along.
    `still` are ids that another open appeal keeps stayed; of `untold` the caller tells the guild. The caller has checked the
    actor. Returns those that go on. Records penalty.resumed for each and one notice.sent.
    """
    asked, guild = _case(penalty_id)
    now = timezone.now()
    waiting = penalties_of_case(asked).filter(status=PenaltyStatus.STAYED).exclude(pk__in=list(still))
    going_on = locked_penalties(waiting)
    for penalty in going_on:
        transitions.check(penalty.status, PenaltyStatus.SCHEDULED)
        starts_at = _resumed_start(penalty, guild, now=now)
        if penalty.ends_at is not None:
            penalty.ends_at += starts_at - penalty.starts_at
        penalty.status, penalty.starts_at, penalty.stayed_at = PenaltyStatus.SCHEDULED, starts_at, None
        penalty.save(update_fields=["status", "starts_at", "ends_at", "stayed_at"])
        Rectification.objects.filter(penalty=penalty, status__in=UNANSWERED).update(due_at=starts_at)
    _tell(actor, going_on, guild, reason=reason, untold=untold)
    if going_on:
        nudge("governance.penalties.apply_due")
    return going_on


def _case(penalty_id: int) -> tuple[Penalty, Guild]:
    guild_id = Penalty.objects.values_list("guild_id", flat=True).get(pk=penalty_id)
    guild = lock_guilds([guild_id])[guild_id]
    return Penalty.objects.get(pk=penalty_id), guild


def _resumed_start(penalty: Penalty, guild: Guild, *, now: dt.datetime) -> dt.datetime:
    stayed_at = penalty.stayed_at or now
    starts_at = now + max(penalty.starts_at - stayed_at, dt.timedelta(0))
    if penalty.kind == PenaltyKind.CLEAR_OUT and penalty.notice is not None:
        notice_days = dt.timedelta(days=guild.market.regime.termination_days)
        return max(starts_at, penalty.notice.issued_at + notice_days)
    return starts_at


def _tell(
    actor: Actor, going_on: Sequence[Penalty], guild: Guild, *, reason: str, untold: Collection[int]
) -> None:
    record_many(
        actor=actor,
        entries=[
            penalty_entry(
                "penalty.resumed",
                penalty,
                before={"status": PenaltyStatus.STAYED.value},
                after={
                    "status": penalty.status,
                    "starts_at": penalty.starts_at.isoformat(),
                    "ends_at": penalty.ends_at.isoformat() if penalty.ends_at else None,
                },
                reason=reason,
            )
            for penalty in going_on
        ],
    )
    told = [penalty for penalty in going_on if penalty.pk not in untold]
    if told:
        change_notice(actor=actor, penalty=told[0], also=told[1:], guild=guild, reason=reason)
