"""Acts upon cases: verdicts on several at once, and giving work to whoever should do it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.review.admin.forms import HOLDS, AssignForm, HoldForm
from governance.review.admin.words import is_open, is_waiting, outcome
from governance.review.enums import CaseStatus, Opinion
from governance.review.models import Case
from governance.review.services import case_assign, case_decide, case_escalate, case_hold, case_resume
from governance.review.services.assigning import MAY_ASSIGN
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act

#: Previews are worked out row by row, so there are fewer of them at once than of other acts.
VERDICTS_AT_ONCE = 25


def _follows(page: CaseActs, case: Case) -> Any:
    return page.follows(case)


def _revision(page: CaseActs, case: Case) -> int:
    return case.revision


def _became(page: CaseActs, case: Case) -> Any:
    fresh = Case.objects.select_related("violation").get(pk=case.pk)
    return outcome(fresh)


class CaseActs:
    """The acts of a case's page and of the list of cases."""

    def follows(self, case: Case) -> Any:
        """What confirming would lead to, in a line for a list of many."""
        return None

    # --- acts ---------------------------------------------------------------------------------------------------
    @act(
        label=_("Confirm"),
        question=_(
            "You say that each of them happened and that its rule forbids it. What follows cannot be taken back. Each row is"
            " reckoned as if it were the only one; several of one guild add up."
        ),
        roles=(Role.REVIEWER,),
        when=is_waiting,
        preview=_follows,
        revision=_revision,
        became=_became,
        at_once=VERDICTS_AT_ONCE,
    )
    def confirm(self, actor: Actor, case: Case, values: Mapping[str, Any]) -> Answer:
        return self._say(actor, case, Opinion.CONFIRM, values)

    @act(
        label=_("Dismiss"),
        question=_(
            "You say that none of them happened, or that its rule allows it. Nothing follows for the guilds."
        ),
        roles=(Role.REVIEWER,),
        when=is_waiting,
        preview=_follows,
        revision=_revision,
        became=_became,
        at_once=VERDICTS_AT_ONCE,
    )
    def dismiss(self, actor: Actor, case: Case, values: Mapping[str, Any]) -> Answer:
        return self._say(actor, case, Opinion.DISMISS, values)

    def _say(self, actor: Actor, case: Case, opinion: Opinion, values: Mapping[str, Any]) -> Answer:
        case_decide(
            actor=actor,
            case_id=case.pk,
            opinion=opinion,
            reason=values["reason"],
            revision=values.get("revision"),
        )
        return None

    @act(
        label=_("Hold"),
        question=_("They come back by themselves; their clocks stand still meanwhile."),
        roles=(Role.REVIEWER,),
        form=HoldForm,
        when=is_waiting,
        revision=_revision,
    )
    def hold(self, actor: Actor, case: Case, values: Mapping[str, Any]) -> Answer:
        until = timezone.now() + HOLDS[values["until"]][1]
        case_hold(
            actor=actor,
            case_id=case.pk,
            until=until,
            reason=values["reason"],
            revision=values.get("revision"),
        )
        return None

    @act(
        label=_("Escalate"),
        question=_("Somebody with more experience should decide."),
        roles=(Role.REVIEWER,),
        when=is_waiting,
        revision=_revision,
    )
    def escalate(self, actor: Actor, case: Case, values: Mapping[str, Any]) -> Answer:
        case_escalate(actor=actor, case_id=case.pk, reason=values["reason"], revision=values.get("revision"))
        return None

    @act(
        label=_("Reassign"),
        question=_("Whoever is at it now loses it and is told by whom and why."),
        done=_("The case has changed hands."),
        roles=MAY_ASSIGN,
        form=AssignForm,
        when=is_open,
        icon="swap_horiz",
    )
    def assign(self, actor: Actor, case: Case, values: Mapping[str, Any]) -> Answer:
        user = values["user"]
        case_assign(actor=actor, case_id=case.pk, user_id=user.pk if user else None, reason=values["reason"])
        return None

    @act(
        label=_("Take up again"),
        question=_("The hold ends now and the case waits again."),
        done=_("The case waits again."),
        roles=(Role.REVIEWER,),
        when=lambda case: case.status == CaseStatus.ON_HOLD,
        icon="play_arrow",
    )
    def resume(self, actor: Actor, case: Case, values: Mapping[str, Any]) -> Answer:
        case_resume(actor=actor, case_id=case.pk, reason=values["reason"])
        return None
