"""The writers of violations: detection in batches and the way back after an appeal. Verdicts are given in review."""

from __future__ import annotations

from django.db import transaction

from governance.ledger.services import record
from governance.signals.models import PendingSignal, Signal
from governance.violations import transitions
from governance.violations.detection import BATCH_SIGNALS, evaluate_batch
from governance.violations.detection_facts import shard_of
from governance.violations.enums import FaultStatus, ViolationStatus
from governance.violations.models import EvaluationFault, Violation
from governance.violations.selectors import locked_violation
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, InvalidTransition, NotFound
from guilds.nudges import nudge

DETECT = "governance.violations.detect"


def detect_batch(*, shard: int, limit: int = BATCH_SIGNALS) -> int:
    """Judge the shard's oldest pending signals, at most `limit`; returns how many left the queue.

    0 when nothing is pending, or another worker holds the shard. Records `violation.confirmed`, `violation.opened`,
    `rule_version.paused`.
    """
    batch = evaluate_batch(shard=shard, limit=limit)
    return batch.signals if batch is not None else 0


@transaction.atomic
def violation_overturn(*, actor: Actor, violation_id: int, reason: str) -> Violation:
    """An appeal against its penalty succeeded: the violation no longer stands. The caller has checked the actor.

    Records `violation.overturned`. Raises NotFound, InvalidTransition.
    """
    violation = locked_violation(violation_id)
    transitions.check(violation.status, ViolationStatus.OVERTURNED)
    violation.status = ViolationStatus.OVERTURNED
    violation.sanction_due = False
    violation.save(update_fields=["status", "sanction_due"])
    record(
        actor=actor,
        act="violation.overturned",
        obj=violation,
        before={"status": ViolationStatus.CONFIRMED.value},
        after=after_of(violation),
        reason=reason,
        guild_id=violation.guild_id,
        market_id=violation.market_id,
    )
    return violation


def after_of(violation: Violation) -> dict[str, object]:
    """What the ledger says of a violation, the same whether a rule or a person decided."""
    return {
        "status": str(violation.status),
        "rule": violation.rule.code,
        "rule_version": violation.version.number,
        "code": violation.code,
        "severity": violation.severity,
        "guild": violation.guild.external_id,
        "creator": violation.creator.external_id if violation.creator else None,
        "market": violation.market.code,
        "occurred_at": violation.occurred_at.isoformat(),
    }


@transaction.atomic
def fault_retry(*, actor: Actor, fault_id: int, reason: str) -> EvaluationFault:
    """Put the signal back into the queue for the version that failed on it. Records `evaluation_fault.retried`.

    Raises NotFound, NotAllowed, InvalidTransition, InvalidInput.
    """
    fault = (
        EvaluationFault.objects.select_for_update(of=("self",))
        .select_related("signal_key", "version__rule")
        .filter(pk=fault_id)
        .first()
    )
    if fault is None:
        raise NotFound("There is no such fault.")
    if fault.status != FaultStatus.OPEN:
        raise InvalidTransition("The fault has been retried already.")
    actor.require_role(Role.REVIEWER, Role.ANALYST, Role.LAUNCHER)
    if not reason.strip():
        raise InvalidInput("Give a reason.", field="reason")
    signal = Signal.objects.filter(pk=fault.signal_key_id, time=fault.signal_key.time).first()
    if signal is None:
        raise NotFound("The signal is no longer stored.")
    actor.require_role(Role.REVIEWER, Role.ANALYST, Role.LAUNCHER, market_id=signal.market_id)
    fault.status = FaultStatus.RETRIED
    fault.save(update_fields=["status"])
    shard = shard_of(signal.guild_id)
    PendingSignal.objects.create(signal_id=signal.pk, shard=shard, time=signal.time, version=fault.version)
    record(
        actor=actor,
        act="evaluation_fault.retried",
        obj=fault,
        before={"status": FaultStatus.OPEN.value},
        after={"status": FaultStatus.RETRIED.value, "version": fault.version.public_id},
        reason=reason.strip(),
        guild_id=signal.guild_id,
        market_id=signal.market_id,
    )
    nudge(DETECT, shard)
    return fault
