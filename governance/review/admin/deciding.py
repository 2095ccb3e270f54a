"""What a reviewer does on the desk: one form for every decision, the way to the next case, and the pulse of the open page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.review.admin.forms import HOLDS, DecisionForm
from governance.review.admin.words import (
    claim_words,
    claimed_until,
    clock,
    is_open,
    is_waiting,
    lost,
    outcome,
)
from governance.review.enums import CaseKind, Opinion
from governance.review.models import Case
from governance.review.presence import look, looking_at
from governance.review.selectors import next_case
from governance.review.services import (
    case_claim,
    case_decide,
    case_escalate,
    case_heartbeat,
    case_hold,
    case_release,
)
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.accounts.models import User
from guilds.console.page import admin_url, badge_css
from guilds.errors import Conflict, DomainError, InvalidTransition, NotAllowed

#: Others take cases too: after so many that were gone before they could be claimed, the list is shown instead.
TRIES = 5


def decide(actor: Actor, case: Case, values: Mapping[str, Any]) -> str:
    """Do what the reviewer chose; returns what became of the case, in words. Raises what the services raise."""
    choice, reason, revision = values["choice"], values["reason"], values["revision"]
    if choice == "escalate":
        case_escalate(actor=actor, case_id=case.pk, reason=reason, revision=revision)
        return _("escalated")
    if choice == "unclear" and case.kind == CaseKind.VERDICT:
        # Offered on every case, or its absence would tell which are audits. What has to be decided goes to somebody else.
        case_escalate(actor=actor, case_id=case.pk, reason=reason, revision=revision)
        return _("your answer is noted")
    if choice == "hold":
        _words, time = HOLDS[values["until"] or "1d"]
        until = timezone.now() + time
        case_hold(actor=actor, case_id=case.pk, until=until, reason=reason, revision=revision)
        return _("on hold until %(until)s UTC") % {"until": f"{until.astimezone(dt.UTC):%d %b %H:%M}"}
    done = case_decide(
        actor=actor,
        case_id=case.pk,
        opinion=Opinion(choice),
        reason=reason,
        code=values["code"],
        revision=revision,
    )
    return outcome(done)


def decided(
    request: HttpRequest,
    actor: Actor,
    case: Case,
    *,
    again: Callable[[dict[str, Any], list[str], int], HttpResponse],
    told: Callable[[Case], str],
) -> HttpResponse:
    """Answer the form of the desk: on to the next case, or the same page `again` with what was typed and why it was refused."""
    form = DecisionForm(request.POST, actor=actor, obj=case)
    typed = {name: request.POST.get(name, "") for name in ("choice", "reason", "until", "code")}
    if not form.is_valid():
        return again(typed, [str(error) for errors in form.errors.values() for error in errors], 422)
    try:
        became = decide(actor, case, form.cleaned_data)
    except DomainError as error:
        return again(
            typed,
            [
                error.message,
                *(str(one["message"]) for one in error.errors if one["message"] != error.message),
            ],
            error.status,
        )
    case.refresh_from_db()
    messages.success(request, f"{case}: {became}. {told(case)}".strip())
    return HttpResponseRedirect(on(actor, case))


def on(actor: Actor, after: Case | None) -> str:
    """Claim the next case that is still free and say where it is; the reviewer's list when there is none."""
    for _try in range(TRIES):
        coming = next_case(actor, after=after)
        if coming is None:
            break
        try:
            case_claim(actor=actor, case_id=coming.pk)
        except (Conflict, InvalidTransition, NotAllowed):
            after = coming
        else:
            return admin_url(coming)
    return reverse("admin:governance_case_mine")


def leave(actor: Actor, case: Case) -> None:
    """Give a claim back. Whoever holds none has nothing to give back."""
    if case.claimed_by_id == actor.user_id and is_waiting(case):
        try:
            case_release(actor=actor, case_id=case.pk)
        except (Conflict, InvalidTransition):
            return


# --- the open page ----------------------------------------------------------------------------------------------------
def pulse(request: HttpRequest, actor: Actor, case: Case) -> JsonResponse:
    """The open page says that somebody is there: their claim goes on, and they learn who else is, and whether it is lost.

    {"state": "mine" | "free" | "lost", "lost": text, "claim": text, "looking": text, "clock": {"text", "css"}}
    """
    user = cast("User", request.user)
    case = hold_on(actor, case)
    look(case, user)
    return JsonResponse(standing(actor, case, user))


def hold_on(actor: Actor, case: Case) -> Case:
    """Keep one's claim, or take a free case that is meant for nobody else. Never takes one that another is at."""
    if not actor.has_role(Role.REVIEWER) or not is_waiting(case):
        return case
    mine = case.claimed_by_id == actor.user_id
    free = claimed_until(case) is None and case.assigned_to_id in (None, actor.user_id)
    if not (mine or free):
        return case
    try:
        if mine:
            case_heartbeat(actor=actor, case_id=case.pk)
        else:
            case_claim(actor=actor, case_id=case.pk)
    except DomainError:
        # Somebody was faster, or it is not for this reviewer: the state below says so.
        pass
    return Case.objects.select_related("queue", "claimed_by", "assigned_to", "done_by", "violation").get(
        pk=case.pk
    )


def standing(actor: Actor, case: Case, user: User) -> dict[str, Any]:
    gone = lost(case, actor, opened=True)
    mine = claimed_until(case) is not None and case.claimed_by_id == actor.user_id
    badge = clock(case)
    return {
        "state": "lost" if gone else ("mine" if mine else "free"),
        "lost": gone,
        "claim": claim_words(case, actor) if is_open(case) else "",
        "looking": looking_words(looking_at(case, besides=user)),
        "clock": {"text": str(badge.text), "css": badge_css(badge)},
    }


def looking_words(names: list[str]) -> str:
    return _("Also looking: %(names)s") % {"names": ", ".join(names)} if names else ""
