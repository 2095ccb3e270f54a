"""Verdicts on violations: what a reviewer says decides, alone or with a second who agrees."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from governance.ledger.services import record
from governance.rules.enums import ReviewMode
from governance.violations import transitions
from governance.violations.enums import Verdict, ViolationStatus
from governance.violations.models import Review, Violation
from governance.violations.selectors import locked_violation
from governance.violations.services import after_of
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, NotAllowed
from guilds.nudges import nudge

SANCTION_DUE = "governance.penalties.sanction_due"

#: How many agreeing verdicts decide.
VERDICTS_NEEDED = {ReviewMode.AUTO: 1, ReviewMode.HUMAN: 1, ReviewMode.DUAL: 2}

_OUTCOME = {Verdict.CONFIRM: ViolationStatus.CONFIRMED, Verdict.DISMISS: ViolationStatus.DISMISSED}


@transaction.atomic
def violation_confirm(
    *, actor: Actor, violation_id: int, reason: str, revision: int | None = None
) -> Violation:
    """A reviewer says it happened. One verdict decides, or two that agree where the rule asks for two.

    Records `violation.confirmed`, or `violation.reviewed` for a verdict that does not decide yet. Raises NotFound, NotAllowed,
    InvalidTransition, InvalidInput, Conflict.
    """
    return _verdict(actor, violation_id, Verdict.CONFIRM, reason)


@transaction.atomic
def violation_dismiss(
    *, actor: Actor, violation_id: int, reason: str, revision: int | None = None
) -> Violation:
    """A reviewer says it did not happen. Records `violation.dismissed` or `violation.reviewed`; raises as `violation_confirm`."""
    return _verdict(actor, violation_id, Verdict.DISMISS, reason)


def _verdict(
    actor: Actor, violation_id: int, verdict: Verdict, reason: str, revision: int | None = None
) -> Violation:
    violation = locked_violation(violation_id)
    outcome = _OUTCOME[verdict]
    transitions.check(violation.status, outcome)
    actor.require_role(Role.REVIEWER, market_id=violation.market_id)
    if actor.kind != "staff" or actor.user_id is None:
        raise NotAllowed("A verdict is given by a person.", code="person_required")
    if not reason.strip():
        raise InvalidInput("Give a reason.", field="reason")
    now = timezone.now()
    try:
        with transaction.atomic():
            Review.objects.create(
                violation=violation,
                reviewer_id=actor.user_id,
                verdict=verdict,
                reason=reason.strip(),
                created_at=now,
            )
    except IntegrityError as error:
        raise Conflict("You have already given your verdict.", code="already_reviewed") from error
    agreeing = violation.reviews.filter(verdict=verdict).count()
    before = {"status": violation.status}
    decided = agreeing >= VERDICTS_NEEDED[ReviewMode(violation.review)]
    if decided:
        violation.status = outcome
        violation.decided_at = now
        violation.sanction_due = outcome == ViolationStatus.CONFIRMED
        violation.save(update_fields=["status", "decided_at", "sanction_due"])
    record(
        actor=actor,
        act=f"violation.{outcome.value}" if decided else "violation.reviewed",
        obj=violation,
        before=before if decided else {},
        after=after_of(violation) if decided else {"verdicts": agreeing},
        reason=reason.strip(),
        guild_id=violation.guild_id,
        market_id=violation.market_id,
    )
    if violation.sanction_due:
        nudge(SANCTION_DUE)
    return violation
