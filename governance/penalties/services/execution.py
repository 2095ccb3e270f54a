"""Putting penalties into effect and lifting them on time: in batches, each exactly once in effect, whoever dies where.

One transaction holds the guild locks, the kinds' changes, the status and the ledger rows, so a worker killed at any point
leaves either all of it or nothing. A task delivered twice, two workers or two beats find the status already moved. Guilds
somebody else is at work on are skipped and found by the next sweep.

Lock order: the gate (shared), the guilds, their penalties, the caps. Nothing waits for the gate with a guild locked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Literal

import structlog
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from governance.ledger.services import Entry, record_many
from governance.penalties import transitions
from governance.penalties.enforcement import due_to_start, gate_pass, stops_open
from governance.penalties.enums import PenaltyStatus
from governance.penalties.kinds import KINDS
from governance.penalties.models import Penalty
from governance.penalties.selectors import lock_guilds, with_lawfulness
from governance.penalties.services.caps import within_caps
from governance.violations.enums import ViolationStatus
from guilds.accounts.actor import Actor
from guilds.errors import DomainError

log = structlog.get_logger(__name__)

#: What a kind may raise on bad parameters or a row in its way. Anything else is a bug and must be seen.
FAULTS = (DomainError, DatabaseError, KeyError, ValueError)
#: Seconds until the next try after a fault, 16 minutes in all. A start is tried again only after a passing fault of the
#: database, and fails when these are used up; a lift is tried again whatever the fault, at the last interval for ever.
RETRY_SECONDS = (15, 60, 300, 600)


@transaction.atomic
def penalties_apply_due(*, limit: int = 1000, now: dt.datetime | None = None) -> int:
    """Put up to `limit` scheduled penalties whose start has come into effect; returns how many the batch dealt with.

    What a stop holds stays scheduled, and so does what a cap does not let start: that opens a stop. One whose violation no
    longer stands, whose rule version was not live there on the day, or which has no notice is not applied: it fails,
    visibly. One that raises fails alone. Records penalty.applied, penalty.failed and enforcement_stop.opened.
    """
    now = now or timezone.now()
    gate_pass()
    due = due_to_start(now, stops_open())
    penalties = _claim(with_lawfulness(due), due.order_by("starts_at", "pk"), limit)
    lawful: list[Penalty] = []
    failed: list[Penalty] = []
    for penalty in penalties:
        penalty.last_error, penalty.retry_at = unlawful(penalty, now), None
        (failed if penalty.last_error else lawful).append(penalty)
    waiting: list[Penalty] = []
    for kind, batch in _by_kind(within_caps(lawful, now=now)):

        def apply(some: Sequence[Penalty], kind: str = kind) -> None:
            KINDS[kind].apply(some, now=now)
            _settle(some, PenaltyStatus.IN_FORCE, applied_at=now, last_error="", retry_at=None)

        for penalty, fault in _each(batch, apply):
            penalty.retry_at = _passing_until(penalty, fault, now)
            penalty.last_error = in_words(fault)
            (waiting if penalty.retry_at else failed).append(penalty)
    for penalty in (*failed, *waiting):
        penalty.attempts += 1
    Penalty.objects.bulk_update([*failed, *waiting], ["last_error", "attempts", "retry_at"], batch_size=500)
    _settle(failed, PenaltyStatus.FAILED)
    _record([penalty for penalty in penalties if penalty.status != PenaltyStatus.SCHEDULED], now)
    return len(penalties)


@transaction.atomic
def penalties_lift_due(*, limit: int = 1000, now: dt.datetime | None = None) -> int:
    """Lift up to `limit` penalties whose end has come; returns how many the batch dealt with. Nothing stops lifting.

    One that cannot be lifted does not hold up the others: it stays in force, says why, and is tried again and again.
    Records penalty.lifted, and penalty.lift_failed at the first fault.
    """
    now = now or timezone.now()
    due = Penalty.objects.filter(
        Q(retry_at__isnull=True) | Q(retry_at__lte=now), status=PenaltyStatus.IN_FORCE, ends_at__lte=now
    )
    penalties = _claim(due, due.order_by("ends_at", "pk"), limit)
    stuck: list[Penalty] = []
    first: list[Penalty] = []
    for kind, batch in _by_kind(penalties):

        def lift(some: Sequence[Penalty], kind: str = kind, whole: int = len(batch)) -> None:
            if len(some) < whole:  # one by one: what the one before handed on stands in the database only
                for penalty in some:
                    penalty.refresh_from_db(fields=["effect"])
            KINDS[kind].reverse(some, now=now)
            _settle(some, PenaltyStatus.LIFTED, ended_at=now, last_error="", retry_at=None)

        for penalty, fault in _each(batch, lift):
            if not penalty.last_error:
                first.append(penalty)
            tried = min(penalty.attempts, len(RETRY_SECONDS) - 1)
            penalty.retry_at = now + dt.timedelta(seconds=RETRY_SECONDS[tried])
            penalty.last_error, penalty.attempts = in_words(fault), min(penalty.attempts + 1, 1_000)
            stuck.append(penalty)
    Penalty.objects.bulk_update(stuck, ["last_error", "attempts", "retry_at"], batch_size=500)
    _record([penalty for penalty in penalties if penalty.status == PenaltyStatus.LIFTED], now)
    _record(first, now, act="penalty.lift_failed")
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


def _each(
    batch: Sequence[Penalty], act: Callable[[Sequence[Penalty]], None]
) -> list[tuple[Penalty, Exception]]:
    """Do the batch at once; if that raises, one by one. Returns those that raised alone, with what they raised."""
    try:
        with transaction.atomic():
            act(batch)
    except FAULTS as fault:
        _unless_lost(fault)
    else:
        return []
    faults: list[tuple[Penalty, Exception]] = []
    for penalty in batch:
        try:
            with transaction.atomic():
                act([penalty])
        except FAULTS as fault:
            _unless_lost(fault)
            log.warning("penalty_failed", penalty=str(penalty.public_id), error=in_words(fault))
            faults.append((penalty, fault))
    return faults


def _unless_lost(fault: Exception) -> None:
    """Raise on when the fault took the connection with it: then nothing of this batch has happened, or can."""
    if connection.needs_rollback or not connection.is_usable():
        raise fault


def _passing_until(penalty: Penalty, fault: Exception, now: dt.datetime) -> dt.datetime | None:
    """When to try again what a deadlock, a timeout or the like has stopped; None for any other fault, or after all tries."""
    if isinstance(fault, OperationalError) and penalty.attempts < len(RETRY_SECONDS):
        return now + dt.timedelta(seconds=RETRY_SECONDS[penalty.attempts])
    return None


def in_words(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}"


def _settle(penalties: Sequence[Penalty], status: PenaltyStatus, **fields: Any) -> None:
    """Move the status of locked penalties; writes `effect` only where a kind left something to remember."""
    for penalty in penalties:
        transitions.check(penalty.status, status)
    Penalty.objects.filter(pk__in=[penalty.pk for penalty in penalties]).update(status=status, **fields)
    if status == PenaltyStatus.IN_FORCE:
        Penalty.objects.bulk_update([p for p in penalties if p.effect], ["effect"], batch_size=500)
    for penalty in penalties:
        penalty.status = status


Act = Literal["penalty.applied", "penalty.failed", "penalty.lifted", "penalty.lift_failed"]
ACTS: dict[str, Act] = {
    PenaltyStatus.IN_FORCE: "penalty.applied",
    PenaltyStatus.FAILED: "penalty.failed",
    PenaltyStatus.LIFTED: "penalty.lifted",
}


def _record(penalties: Sequence[Penalty], now: dt.datetime, *, act: Act | None = None) -> None:
    record_many(
        actor=Actor.system("penalty schedule"),
        entries=[_entry(penalty, act or ACTS[penalty.status]) for penalty in penalties],
        at=now,
    )


def _entry(penalty: Penalty, act: Act) -> Entry:
    told = act in ("penalty.failed", "penalty.lift_failed")
    return Entry(
        act=act,
        object_type=Penalty.ledger_type,
        object_id=str(penalty.public_id),
        after={
            "kind": penalty.kind,
            "status": penalty.status,
            "starts_at": penalty.starts_at.isoformat(),
            "ends_at": penalty.ends_at.isoformat() if penalty.ends_at else None,
        },
        reason=penalty.last_error if told else "",
        guild_id=penalty.guild_id,
        market_id=penalty.market_id,
    )
