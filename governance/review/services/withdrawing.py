"""Taking back what was asked: an audit or a golden case that nobody needs an answer to any more."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from governance.ledger.services import record
from governance.review import transitions
from governance.review.enums import CaseKind, CaseStatus
from governance.review.models import Case
from governance.review.selectors import OPEN
from guilds.accounts.actor import Actor


@transaction.atomic
def cases_withdraw(*, actor: Actor, case_ids: Collection[int], reason: str) -> int:
    """Withdraw those of these cases that still wait, and return how many; the caller has checked the actor.

    Verdicts are left alone: whether one is needed is for the violation to say. Records `case.withdrawn` for each.
    """
    waiting = (
        Case.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk__in=case_ids, status__in=OPEN)
        .exclude(kind=CaseKind.VERDICT)
        .order_by("pk")
    )
    withdrawn = 0
    for case in waiting:
        transitions.check(case.status, CaseStatus.WITHDRAWN)
        before = case.status
        case.status, case.held_until = CaseStatus.WITHDRAWN, None
        case.claimed_by = case.claimed_at = case.claimed_until = None
        case.revision += 1
        case.save(
            update_fields=["status", "held_until", "revision", "claimed_by", "claimed_at", "claimed_until"]
        )
        record(
            actor=actor,
            act="case.withdrawn",
            obj=case,
            before={"status": before},
            after={"status": case.status.value},
            reason=reason,
            guild_id=case.guild_id,
            market_id=case.market_id,
        )
        withdrawn += 1
    return withdrawn
