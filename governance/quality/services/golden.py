"""Golden cases: made of past violations, mixed in among the others, retired."""

from __future__ import annotations

import datetime as dt

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.ledger.services import record
from governance.quality.models import GoldenCase
from governance.quality.selectors import ASKED_BY, golden_to_ask, golden_visible_to, reviewers_to_ask
from governance.review.enums import CaseKind
from governance.review.models import Case
from governance.review.services.opening import case_ask
from governance.review.services.withdrawing import cases_withdraw
from governance.violations.enums import Verdict, ViolationStatus
from governance.violations.selectors import locked_violation
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotFound
from guilds.models import User


@transaction.atomic
def golden_make(*, actor: Actor, violation_id: int, expected: str, explanation: str) -> GoldenCase:
    """Settle what the right answer about a decided violation is, and ask reviewers from now on.

    `explanation` is what a reviewer reads after the verdict. Analysts, adjudicators and administrators of its market; whoever
    makes one is never asked it. Records `golden_case.made`, without the violation and the answer: reviewers read the ledger too.
    Raises NotFound, NotAllowed, InvalidInput, InvalidTransition (not decided yet), Conflict (`golden_already`).
    """
    violation = locked_violation(violation_id)
    actor.require_role(*ASKED_BY, market_id=violation.market_id)
    if violation.status == ViolationStatus.OPEN:
        raise InvalidTransition(_("Only a violation that has been decided becomes a golden case."))
    if expected not in Verdict.values:
        raise InvalidInput(_("Say which answer is right."), field="expected")
    if not explanation.strip():
        raise InvalidInput(_("Explain why: the reviewer learns from it."), field="explanation")
    golden = GoldenCase(
        violation=violation,
        expected=expected,
        explanation=explanation.strip(),
        made_by_id=actor.user_id,
        created_at=timezone.now(),
    )
    try:
        with transaction.atomic():
            golden.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict(_("This violation is a golden case already."), code="golden_already") from error
    record(
        actor=actor,
        act="golden_case.made",
        obj=golden,
        market_id=violation.market_id,
    )
    return golden


@transaction.atomic
def golden_retire(*, actor: Actor, golden_id: int, reason: str) -> GoldenCase:
    """Ask it of nobody any more, and count it for nobody: the answer was doubtful, or everybody knows it by now.

    What still waits is withdrawn from the queue. Analysts, adjudicators and administrators of its market. Records
    `golden_case.retired`. Raises NotFound, NotAllowed, InvalidInput, InvalidTransition.
    """
    golden = (
        golden_visible_to(actor)
        .select_related(None)
        .select_for_update(of=("self",), no_key=True)
        .filter(pk=golden_id)
        .first()
    )
    if golden is None:
        raise NotFound(_("There is no such golden case."))
    actor.require_role(*ASKED_BY)
    if not golden.is_active:
        raise InvalidTransition(_("This golden case is retired already."))
    if not reason.strip():
        raise InvalidInput(_("Give a reason."), field="reason")
    golden.is_active = False
    golden.save(update_fields=["is_active"])
    waiting = Case.objects.filter(kind=CaseKind.GOLDEN, violation=golden.violation_id)
    withdrawn = cases_withdraw(
        actor=actor, case_ids=list(waiting.values_list("pk", flat=True)), reason=reason.strip()
    )
    record(
        actor=actor,
        act="golden_case.retired",
        obj=golden,
        before={"is_active": True},
        after={"is_active": False, "withdrawn": withdrawn},
        reason=reason.strip(),
        market_id=golden.violation.market_id,
    )
    return golden


def golden_mix(*, now: dt.datetime | None = None) -> int:
    """Give each reviewer who is due one a golden case; returns how many were given. Safe twice and side by side.

    A case like any other, assigned to the reviewer. Records nothing: the ledger would tell which case is a golden one.
    """
    now = now or timezone.now()
    return sum(_give(owed.user.pk, now) for owed in reviewers_to_ask(now))


@transaction.atomic
def _give(user_id: int, now: dt.datetime) -> int:
    # Two sweeps at once: the second finds the case of the first and gives none.
    User.objects.select_for_update(of=("self",), no_key=True).get(pk=user_id)
    user = next((owed.user for owed in reviewers_to_ask(now) if owed.user.pk == user_id), None)
    golden = golden_to_ask(user) if user is not None else None
    if user is None or golden is None:
        return 0
    case_ask(kind=CaseKind.GOLDEN, violation=golden.violation, assigned_to=user)
    return 1
