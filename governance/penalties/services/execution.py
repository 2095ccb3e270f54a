"""Putting penalties into effect and lifting them on time: in batches, each exactly once in effect, whoever dies where.

One transaction holds the guild locks, the kinds' changes, the status and the ledger rows, so a worker killed at any point
leaves either all of it or nothing. A task delivered twice, two workers or two beats find the status already moved. Guilds
somebody else is at work on are skipped and found by the next sweep.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Literal

import structlog
from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from governance.ledger.services import Entry, record_many
from governance.penalties import transitions
from governance.penalties.enums import PenaltyStatus
from governance.penalties.kinds import KINDS
from governance.penalties.models import Penalty
from governance.penalties.selectors import lock_guilds, with_lawfulness
from governance.violations.enums import ViolationStatus
from guilds.accounts.actor import Actor
from guilds.errors import DomainError

log = structlog.get_logger(__name__)

#: What a kind may raise on bad parameters or a row in its way. Anything else is a bug and must be seen.
FAULTS = (DomainError, DatabaseError, KeyError, ValueError)


@transaction.atomic
def penalties_apply_due(*, limit: int = 1000, now: dt.datetime | None = None) -> int:
    """Put up to `limit` scheduled penalties whose start has come into effect; returns how many were settled.

    One whose violation no longer stands, whose rule version was not live there on the day, or which has no notice is not
    applied: it fails, visibly. One that raises fails alone. Records penalty.applied or penalty.failed.
    """
    now = now or timezone.now()
    due = Penalty.objects.filter(status=PenaltyStatus.SCHEDULED, starts_at__lte=now)
    penalties = _claim(with_lawfulness(due), due.order_by("starts_at", "pk"), limit)
    lawful: list[Penalty] = []
    for penalty in penalties:
        penalty.last_error = unlawful(penalty, now)
        if not penalty.last_error:
            lawful.append(penalty)
    for kind, batch in _by_kind(lawful):
        _each(batch, lambda some, kind=kind: KINDS[kind].apply(some, now=now))  # type: ignore[misc]
        applied = [penalty for penalty in batch if not penalty.last_error]
        _settle(applied, PenaltyStatus.IN_FORCE, applied_at=now)
    failed = [penalty for penalty in penalties if penalty.last_error]
    for penalty in failed:
        penalty.attempts += 1
    Penalty.objects.bulk_update(failed, ["last_error", "attempts"], batch_size=500)
    _settle(failed, PenaltyStatus.FAILED)
    record_many(
        actor=Actor.system("penalty schedule"), entries=[_entry(penalty) for penalty in penalties], at=now
    )
    return len(penalties)


@transaction.atomic
def penalties_lift_due(*, limit: int = 1000, now: dt.datetime | None = None) -> int:
    """Lift up to `limit` penalties whose end has come; returns how many were settled. Records penalty.lifted."""
    now = now or timezone.now()
    due = Penalty.objects.filter(status=PenaltyStatus.IN_FORCE, ends_at__lte=now)
    penalties = _claim(due, due.order_by("ends_at", "pk"), limit)
    for kind, batch in _by_kind(penalties):
        KINDS[kind].reverse(batch, now=now)
        _settle(batch, PenaltyStatus.LIFTED, ended_at=now)
    record_many(
        actor=Actor.system("penalty schedule"), entries=[_entry(penalty) for penalty in penalties], at=now
    )
    return len(penalties)


def unlawful(penalty: Penalty, now: dt.datetime) -> str:
    """Why this penalty may not take effect, or an empty string. `was_live` is annotated by `with_lawfulness`."""
    if penalty.violation.status != ViolationStatus.CONFIRMED:
        return f"Its violation is {penalty.violation.get_status_display().lower()}, not confirmed."
    if not penalty.was_live:  # type: ignore[attr-defined]
        return "The rule version was not live in this market on the day of the violation."
    if penalty.notice is None or penalty.notice.issued_at > now:
        return "The guild has not been given notice."
    return ""


def _claim(penalties: QuerySet[Penalty], due: QuerySet[Penalty], limit: int) -> list[Penalty]:
    """Lock the guilds of the first due penalties, then those penalties that are still due under the locks."""
    first = list(due.values_list("pk", "guild_id")[:limit])
    guilds = lock_guilds({guild_id for _pk, guild_id in first}, skip_locked=True)
    mine = [pk for pk, guild_id in first if guild_id in guilds]
    return list(
        penalties.select_for_update(of=("self",))
        .filter(pk__in=mine)
        .select_related("violation", "notice")
        .defer("violation__explanation", "notice__body", "notice__statement")
        .order_by("pk")
    )


def _by_kind(penalties: Sequence[Penalty]) -> Iterator[tuple[str, list[Penalty]]]:
    for kind, batch in groupby(
        sorted(penalties, key=lambda penalty: (penalty.kind, penalty.pk)), lambda p: p.kind
    ):
        yield kind, list(batch)


def _each(batch: Sequence[Penalty], act: Callable[[Sequence[Penalty]], None]) -> None:
    """Do the batch at once; if that raises, one by one, so that only the bad ones carry a `last_error`."""
    try:
        with transaction.atomic():
            act(batch)
    except FAULTS:
        for penalty in batch:
            try:
                with transaction.atomic():
                    act([penalty])
            except FAULTS as fault:
                penalty.last_error = f"{type(fault).__name__}: {fault}"
                log.warning("penalty_failed", penalty=str(penalty.public_id), error=penalty.last_error)


def _settle(penalties: Sequence[Penalty], status: PenaltyStatus, **times: dt.datetime) -> None:
    """Move the status of locked penalties; writes `effect` only where a kind left something to remember."""
    for penalty in penalties:
        transitions.check(penalty.status, status)
        penalty.status = status
    Penalty.objects.filter(pk__in=[penalty.pk for penalty in penalties]).update(status=status, **times)
    if status == PenaltyStatus.IN_FORCE:
        Penalty.objects.bulk_update([p for p in penalties if p.effect], ["effect"], batch_size=500)


ACTS: dict[str, Literal["penalty.applied", "penalty.failed", "penalty.lifted"]] = {
    PenaltyStatus.IN_FORCE: "penalty.applied",
    PenaltyStatus.FAILED: "penalty.failed",
    PenaltyStatus.LIFTED: "penalty.lifted",
}


def _entry(penalty: Penalty) -> Entry:
    return Entry(
        act=ACTS[penalty.status],
        object_type=Penalty.ledger_type,
        object_id=str(penalty.public_id),
        after={
            "kind": penalty.kind,
            "status": penalty.status,
            "starts_at": penalty.starts_at.isoformat(),
            "ends_at": penalty.ends_at.isoformat() if penalty.ends_at else None,
        },
        reason=penalty.last_error,
        guild_id=penalty.guild_id,
        market_id=penalty.market_id,
    )
