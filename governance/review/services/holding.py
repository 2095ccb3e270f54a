"""Putting a case off, and handing it up.

The clock stops while a case is on hold: the promise and the place in the queue move by the time held, and the ledger says from
when to when. Escalation does not move the promise; it moves the case to the top, for everybody but whoever escalated it.
"""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.ledger.services import record
from governance.review import ranking, transitions
from governance.review.enums import CaseStatus
from governance.review.models import Case
from governance.review.selectors import locked_case
from governance.review.services.claims import (
    refusal_of,
    require_judge,
    require_revision,
    told,
    unclaim,
)
from governance.review.services.verdicts import required
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition

#: A case is put off for at most so long at a time.
LONGEST_HOLD = dt.timedelta(days=30)
CLAIM = ("claimed_by", "claimed_at", "claimed_until")


@transaction.atomic
def case_hold(
    *, actor: Actor, case_id: int, until: dt.datetime, reason: str, revision: int | None = None
) -> Case:
    """Put the case off until a moment, an aware time at most 30 days ahead; a sweep resumes it then.

    What it is due by and its place in the queue move by the time held. Records `case.held`. Reviewers of the market. Raises
    NotFound, NotAllowed, InvalidInput, InvalidTransition, and Conflict as `case_claim`, or `stale`.
    """
    case = _mine(actor, case_id, revision, CaseStatus.ON_HOLD)
    reason, now = required(reason), timezone.now()
    if timezone.is_naive(until) or not now < until <= now + LONGEST_HOLD:
        raise InvalidInput(_("Hold it until a moment within the next 30 days."), field="until")
    before = {"status": case.status, "due_at": case.due_at.isoformat()}
    _shift(case, until - now)
    case.status, case.held_until, case.hold_reason = CaseStatus.ON_HOLD, until, reason
    case.revision += 1
    unclaim(case)
    case.save(
        update_fields=["status", "held_until", "hold_reason", "due_at", "urgent_at", "revision", *CLAIM]
    )
    record(
        actor=actor,
        act="case.held",
        obj=case,
        before=before,
        after={"status": case.status, "held_until": until.isoformat(), "due_at": case.due_at.isoformat()},
        reason=reason,
        guild_id=case.guild_id,
        market_id=case.market_id,
    )
    return case


@transaction.atomic
def case_resume(*, actor: Actor, case_id: int, reason: str) -> Case:
    """End a hold before its time; what is left of it comes off the due moment again. Records `case.resumed`.

    Reviewers of the market. Raises NotFound, NotAllowed, InvalidInput, InvalidTransition.
    """
    case = locked_case(case_id)
    require_judge(actor, case)
    if case.status != CaseStatus.ON_HOLD:
        raise InvalidTransition(_("This case is not on hold."))
    resume(actor, case, timezone.now(), required(reason))
    return case


def resume(actor: Actor, case: Case, now: dt.datetime, reason: str) -> None:
    """Let the locked case wait again. A hold that ended by itself has moved the clock already."""
    transitions.check(case.status, CaseStatus.WAITING)
    assert case.held_until is not None
    before = {"status": case.status, "due_at": case.due_at.isoformat()}
    _shift(case, -max(case.held_until - now, dt.timedelta(0)))
    case.status, case.held_until, case.hold_reason = CaseStatus.WAITING, None, ""
    case.revision += 1
    case.save(update_fields=["status", "held_until", "hold_reason", "due_at", "urgent_at", "revision"])
    record(
        actor=actor,
        act="case.resumed",
        obj=case,
        before=before,
        after={"status": case.status, "due_at": case.due_at.isoformat()},
        reason=reason,
        guild_id=case.guild_id,
        market_id=case.market_id,
    )


@transaction.atomic
def case_escalate(*, actor: Actor, case_id: int, reason: str, revision: int | None = None) -> Case:
    """Hand the case up: to the top of the queue, for every reviewer but this one, whoever it was assigned to.

    Enforcers see escalated S1 cases too. Records `case.escalated`. Reviewers of the market. Raises NotFound, NotAllowed,
    InvalidInput, InvalidTransition, and Conflict as `case_claim`, `stale`, or `escalated` for one that is at the top already.
    """
    case = _mine(actor, case_id, revision, CaseStatus.DONE)
    if case.escalated_at is not None:
        raise Conflict(_("This case is escalated already."), code="escalated")
    reason, now = required(reason), timezone.now()
    before = {"assigned_to": str(case.assigned_to)} if case.assigned_to else {}
    case.escalated_at, case.escalated_by_id, case.escalation = now, actor.user_id, reason
    case.urgent_at -= ranking.ESCALATION_LEAD
    case.assigned_to_id = case.assigned_at = None
    case.revision += 1
    unclaim(case)
    case.save(
        update_fields=[
            *("escalated_at", "escalated_by", "escalation", "urgent_at", "assigned_to", "assigned_at"),
            *("revision", *CLAIM),
        ]
    )
    record(
        actor=actor,
        act="case.escalated",
        obj=case,
        before=before,
        after={"escalated_by": actor.label},
        reason=reason,
        guild_id=case.guild_id,
        market_id=case.market_id,
    )
    return case


def _mine(actor: Actor, case_id: int, revision: int | None, to: CaseStatus) -> Case:
    """The case, locked, if the actor could decide it now."""
    case = locked_case(case_id)
    require_judge(actor, case)
    if revision is not None and case.status in (CaseStatus.DONE, CaseStatus.WITHDRAWN):
        raise Conflict(told(case), code="stale")
    require_revision(case, revision)
    if (refusal := refusal_of(actor, case, timezone.now())) is not None:
        raise refusal
    transitions.check(case.status, to)
    return case


def _shift(case: Case, by: dt.timedelta) -> None:
    case.due_at += by
    case.urgent_at += by
