"""Verdicts: what a reviewer says decides, alone or with a second who agrees, and closes the case it was asked for."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.ledger.services import record
from governance.review import transitions
from governance.review.enums import CaseKind, CaseStatus, Opinion
from governance.review.models import Case, Judgement
from governance.review.selectors import OPEN, locked_case
from governance.review.services.claims import (
    claimed_by,
    refusal_of,
    require_judge,
    require_revision,
    told,
    unclaim,
)
from governance.review.services.opening import VERDICTS_NEEDED, cases_open
from governance.rules.enums import ReviewMode
from governance.violations import transitions as violation_transitions
from governance.violations.enums import Verdict, ViolationStatus
from governance.violations.models import Review, Violation
from governance.violations.selectors import locked_violation
from governance.violations.services import after_of
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, NotAllowed, NotFound
from guilds.nudges import nudge

SANCTION_DUE = "governance.penalties.sanction_due"

#: What `Judgement.code` holds.
LONGEST_CODE = 40

_OUTCOME = {Verdict.CONFIRM: ViolationStatus.CONFIRMED, Verdict.DISMISS: ViolationStatus.DISMISSED}
_VERDICT = {Opinion.CONFIRM: Verdict.CONFIRM, Opinion.DISMISS: Verdict.DISMISS}


@transaction.atomic
def violation_confirm(
    *, actor: Actor, violation_id: int, reason: str, revision: int | None = None
) -> Violation:
    """A reviewer says it happened. One verdict decides, or two that agree where two are asked; the third decides a tie.

    Closes the reviewer's case: the one claimed, else assigned, else the first place free. Where the sweep has not opened
    the cases yet they are opened on the way. Records `violation.confirmed`, or `violation.reviewed` for a verdict that does not
    decide yet. Raises NotFound, NotAllowed, InvalidTransition, InvalidInput, and Conflict with code `already_reviewed`,
    `claimed`, `assigned`, `escalated`, or `stale` when `revision` is not the case's.
    """
    return _verdict(actor, violation_id, Verdict.CONFIRM, reason, revision)


@transaction.atomic
def violation_dismiss(
    *, actor: Actor, violation_id: int, reason: str, revision: int | None = None
) -> Violation:
    """A reviewer says it did not happen. Records `violation.dismissed` or `violation.reviewed`; raises as `violation_confirm`."""
    return _verdict(actor, violation_id, Verdict.DISMISS, reason, revision)


@transaction.atomic
def case_decide(
    *, actor: Actor, case_id: int, opinion: str, reason: str, code: str = "", revision: int | None = None
) -> Case:
    """What a reviewer says about one case: a verdict where one is asked for, else a judgement that decides nothing.

    `code` names the violation seen on an unflagged guild-day. Records as `violation_confirm`, or `case.judged`, which does not
    say what was judged: whoever judges cannot tell an audit from the rest. Raises as `violation_confirm`.
    """
    asked = Case.objects.filter(pk=case_id).values_list("kind", "violation").first()
    if asked is None:
        raise NotFound(_("There is no such case."))
    if opinion not in Opinion.values:
        raise InvalidInput(
            _("Say what you think: one of %(ones)s.") % {"ones": ", ".join(Opinion.values)}, field="opinion"
        )
    kind, violation_id = asked
    if kind != CaseKind.VERDICT:
        return _judge(actor, case_id, Opinion(opinion), reason, code, revision)
    verdict = _VERDICT.get(Opinion(opinion))
    if verdict is None:
        raise InvalidInput(
            _("A verdict confirms or dismisses. Escalate a case that cannot be told."), field="opinion"
        )
    _verdict(actor, violation_id, verdict, reason, revision, case_id)
    return Case.objects.select_related("violation").get(pk=case_id)


def _verdict(
    actor: Actor,
    violation_id: int,
    verdict: Verdict,
    reason: str,
    revision: int | None,
    case_id: int | None = None,
) -> Violation:
    violation = locked_violation(violation_id)
    outcome = _OUTCOME[verdict]
    if revision is not None and violation.status != ViolationStatus.OPEN and actor.has_role(Role.REVIEWER):
        raise Conflict(_what_became(violation, case_id), code="stale")
    violation_transitions.check(violation.status, outcome)
    actor.require_role(Role.REVIEWER, market_id=violation.market_id)
    if actor.kind != "staff" or actor.user_id is None:
        raise NotAllowed(_("A verdict is given by a person."), code="person_required")
    reason = required(reason)
    if violation.reviews.filter(reviewer=actor.user_id).exists():
        raise Conflict(_("You have already given your verdict."), code="already_reviewed")
    now = timezone.now()
    case = _place_of(actor, violation, now, revision, case_id)
    Review.objects.create(
        violation=violation, reviewer_id=actor.user_id, verdict=verdict, reason=reason, created_at=now
    )
    _close(case, actor, now)
    agreeing = violation.reviews.filter(verdict=verdict).count()
    before = {"status": violation.status}
    decided = agreeing >= VERDICTS_NEEDED[ReviewMode(violation.review)]
    if decided:
        violation.status = outcome
        violation.decided_at = now
        violation.sanction_due = outcome == ViolationStatus.CONFIRMED
        violation.save(update_fields=["status", "decided_at", "sanction_due"])
        _withdraw_rest(violation)
    record(
        actor=actor,
        act=f"violation.{outcome.value}" if decided else "violation.reviewed",
        obj=violation,
        before=before if decided else {},
        after=after_of(violation) if decided else {"verdicts": agreeing},
        reason=reason,
        guild_id=violation.guild_id,
        market_id=violation.market_id,
    )
    if not decided:
        cases_open([violation])  # the third, when two disagree
    if violation.sanction_due:
        nudge(SANCTION_DUE)
    return violation


def _place_of(
    actor: Actor, violation: Violation, now: dt.datetime, revision: int | None, case_id: int | None
) -> Case:
    """The case the verdict is given on, locked; the violation is locked already."""
    cases = _open_cases(violation)
    if not cases:
        cases_open([violation])
        cases = _open_cases(violation)
    if case_id is not None:
        case = next((one for one in cases if one.pk == case_id), None)
        if case is None:
            raise Conflict(_what_became(violation, case_id), code="stale")
    else:
        case = min(cases, key=lambda one: _nearness(actor, one, now))
    require_revision(case, revision)
    if (refusal := refusal_of(actor, case, now)) is not None:
        raise refusal
    return case


def _open_cases(violation: Violation) -> list[Case]:
    found = Case.objects.select_for_update(of=("self",), no_key=True).select_related(
        "claimed_by", "assigned_to"
    )
    return list(
        found.filter(violation=violation, kind=CaseKind.VERDICT, status__in=OPEN).order_by("place", "pk")
    )


def _nearness(actor: Actor, case: Case, now: dt.datetime) -> tuple[Any, ...]:
    """Smallest for the case that is the actor's, then for those nothing stands before."""
    return (
        not claimed_by(actor, case, now),
        case.assigned_to_id != actor.user_id,
        refusal_of(actor, case, now) is not None,
        case.place,
    )


def _what_became(violation: Violation, case_id: int | None) -> str:
    cases = Case.objects.select_related("violation").filter(violation=violation)
    case = (
        cases.filter(pk=case_id).first()
        if case_id
        else cases.filter(done_at__isnull=False).order_by("done_at").last()
    )
    if case is None:
        return _("This violation is %(status)s already.") % {"status": violation.get_status_display().lower()}
    return told(case)


def _close(case: Case, actor: Actor, now: dt.datetime) -> None:
    transitions.check(case.status, CaseStatus.DONE)
    if case.claimed_by_id == actor.user_id and case.claimed_at is not None:
        case.seconds = max(int((now - case.claimed_at).total_seconds()), 0)
    case.status = CaseStatus.DONE
    case.done_at, case.done_by_id = now, actor.user_id
    case.revision += 1
    unclaim(case)
    case.save(
        update_fields=[
            *("status", "done_at", "done_by", "seconds", "revision"),
            *("claimed_by", "claimed_at", "claimed_until"),
        ]
    )


def _withdraw_rest(violation: Violation) -> None:
    """What was still asked of others is asked no more; the violation's event tells why."""
    for case in _open_cases(violation):
        transitions.check(case.status, CaseStatus.WITHDRAWN)
        case.status, case.held_until = CaseStatus.WITHDRAWN, None
        case.revision += 1
        unclaim(case)
        case.save(
            update_fields=["status", "held_until", "revision", "claimed_by", "claimed_at", "claimed_until"]
        )


def _judge(
    actor: Actor, case_id: int, opinion: Opinion, reason: str, code: str, revision: int | None
) -> Case:
    case = locked_case(case_id)
    require_judge(actor, case)
    require_revision(case, revision)
    now = timezone.now()
    if (refusal := refusal_of(actor, case, now)) is not None:
        raise refusal
    reason, code = required(reason), code.strip()
    assert actor.user_id is not None
    if case.kind == CaseKind.COVERAGE and opinion == Opinion.CONFIRM and not code:
        raise InvalidInput(_("Name the code of the violation you saw."), field="code")
    if len(code) > LONGEST_CODE:
        raise InvalidInput(_("A code has at most 40 letters."), field="code")
    Judgement.objects.create(
        case=case, reviewer_id=actor.user_id, opinion=opinion, code=code, reason=reason, created_at=now
    )
    _close(case, actor, now)
    record(
        actor=actor,
        act="case.judged",
        obj=case,
        before={"status": CaseStatus.WAITING.value},
        after={"status": CaseStatus.DONE.value, "opinion": opinion.value, "code": code},
        reason=reason,
        guild_id=case.guild_id,
        market_id=case.market_id,
    )
    return case


def required(reason: str) -> str:
    if not reason.strip():
        raise InvalidInput(_("Give a reason."), field="reason")
    return reason.strip()
