"""Following an appeal: what was said and done, files, messages, taking it back."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from appeals.enums import AppealStatus
from appeals.models import Appeal
from appeals.policy import acting_refusal
from appeals.portal.forms import MessageForm, WithdrawForm
from appeals.portal.visit import Visit, page
from appeals.selectors import appeal_for, appeals_visible_to, evidence_for, timeline_of
from appeals.services import appeal_message, appeal_withdraw
from guilds.errors import InvalidInput

PER_PAGE = 20

#: What a guild sees of an appeal's record. Who on the platform's side acted stays there.
STEPS = {
    "appeal.filed": gettext_lazy("Appeal filed"),
    "appeal.assigned": gettext_lazy("Handed to a person who took no part in the decision"),
    "appeal.decided": gettext_lazy("Appeal decided"),
    "appeal.withdrawn": gettext_lazy("Appeal withdrawn"),
}


@dataclass(frozen=True)
class Step:
    """An entry of the timeline: an act, or a message when `body` is there."""

    at: dt.datetime
    title: str
    body: str = ""
    from_guild: bool = False


@page("GET")
def appeal_list(visit: Visit) -> HttpResponse:
    found = appeals_visible_to(visit.actor).order_by("-pk")
    return visit.render(
        "appeals.html",
        {"section": "appeals", "page": Paginator(found, PER_PAGE).get_page(visit.request.GET.get("page"))},
    )


@page("GET")
def appeal_page(visit: Visit, appeal_id: uuid.UUID) -> HttpResponse:
    return _appeal_page(visit, appeal_for(visit.actor, appeal_id), MessageForm())


@page("POST")
def message_add(visit: Visit, appeal_id: uuid.UUID) -> HttpResponse:
    appeal = appeal_for(visit.actor, appeal_id)
    form = MessageForm(visit.request.POST)
    if form.is_valid():
        try:
            appeal_message(actor=visit.actor, appeal_id=appeal.pk, body=form.cleaned_data["body"])
        except InvalidInput as faults:
            form.add_refusal(faults)
        else:
            messages.success(visit.request, _("Your message has been added."))
            return redirect("portal:appeal", appeal.public_id)
    refusal = acting_refusal(visit.actor)
    if refusal:
        raise refusal.error()
    return _appeal_page(visit, appeal, form, status=422)


@page("GET", "POST")
def withdraw(visit: Visit, appeal_id: uuid.UUID) -> HttpResponse:
    """GET asks, POST does."""
    appeal = appeal_for(visit.actor, appeal_id)
    refusal = acting_refusal(visit.actor)
    if refusal:
        raise refusal.error()
    form = WithdrawForm(visit.request.POST if visit.request.method == "POST" else None)
    if visit.request.method == "POST" and form.is_valid():
        appeal_withdraw(actor=visit.actor, appeal_id=appeal.pk, reason=form.cleaned_data["reason"])
        messages.success(visit.request, _("Your appeal has been withdrawn."))
        return redirect("portal:appeal", appeal.public_id)
    if appeal.status != AppealStatus.OPEN:
        return visit.refuse(_("Only an open appeal can be withdrawn."), status=409)
    return visit.render(
        "withdraw.html",
        {"section": "appeals", "appeal": appeal, "form": form},
        status=422 if form.errors else 200,
    )


@page("GET")
def evidence_download(visit: Visit, appeal_id: uuid.UUID, evidence_id: uuid.UUID) -> HttpResponse:
    """A file the guild handed in, as a download only: never shown inline, never sniffed, never cached."""
    evidence = evidence_for(visit.actor, appeal_id, evidence_id)
    response = FileResponse(evidence.file.open("rb"), content_type="application/octet-stream")
    response["Content-Disposition"] = content_disposition_header(True, evidence.name) or "attachment"
    response["Content-Length"] = str(evidence.size)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response  # type: ignore[return-value]  # the stubs keep streaming and plain responses apart


def _appeal_page(visit: Visit, appeal: Appeal, form: MessageForm, *, status: int = 200) -> HttpResponse:
    return visit.render(
        "appeal.html",
        {
            "section": "appeals",
            "appeal": appeal,
            "penalty": appeal.penalty,
            "decision": getattr(appeal, "decision", None),
            "steps": _steps(appeal),
            "files": appeal.evidence.all(),
            "form": form,
            "open": appeal.status == AppealStatus.OPEN,
        },
        status=status,
    )


def _steps(appeal: Appeal) -> list[Step]:
    steps = [
        Step(event.at, str(STEPS[event.act]))
        for event in timeline_of(appeal)
        if event.act in STEPS and (event.act != "appeal.assigned" or event.after.get("assigned_to"))
    ]
    steps += [
        Step(
            message.created_at,
            _("You wrote") if message.from_guild else _("The appeals team wrote"),
            message.body,
            message.from_guild,
        )
        for message in appeal.messages.all()
    ]
    return sorted(steps, key=lambda step: step.at)
