"""What was imposed on the guild, why, and the way to object."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from appeals.policy import appeal_refusal
from appeals.portal.forms import AppealForm, PutRightForm
from appeals.portal.plain_words import facts_of
from appeals.portal.visit import Visit, page
from appeals.services import appeal_file
from governance.education.selectors import in_language
from governance.penalties.enums import PenaltyStatus as S
from governance.penalties.enums import RectificationStatus
from governance.penalties.models import Penalty
from governance.penalties.rectification import rectification_of
from governance.penalties.selectors import penalties_visible_to
from governance.penalties.services import rectification_submit
from guilds.errors import InvalidInput, NotAllowed, NotFound

PER_PAGE = 20

#: The filters of the list, in the order shown: name in the address → label and statuses.
FILTERS = {
    "all": (gettext_lazy("All"), frozenset(S)),
    "in_force": (gettext_lazy("In force"), frozenset({S.IN_FORCE})),
    # One that could not be applied yet, or waits for the answer to an appeal, is still to come for the guild.
    "scheduled": (gettext_lazy("To come"), frozenset({S.SCHEDULED, S.STAYED, S.FAILED})),
    "lifted": (gettext_lazy("Ended"), frozenset({S.LIFTED})),
    "reversed": (gettext_lazy("Reversed"), frozenset({S.REVERSED, S.CANCELLED})),
}


@page("GET")
def penalty_list(visit: Visit) -> HttpResponse:
    wanted = visit.request.GET.get("status", "all")
    wanted = wanted if wanted in FILTERS else "all"
    mine = penalties_visible_to(visit.actor)
    counts = mine.order_by().aggregate(
        **{name: Count("pk", filter=Q(status__in=statuses)) for name, (_label, statuses) in FILTERS.items()}
    )
    found = mine.filter(status__in=FILTERS[wanted][1]).order_by("-pk").prefetch_related("appeals")
    return visit.render(
        "penalties.html",
        {
            "section": "penalties",
            "filters": [(name, label, counts[name]) for name, (label, _statuses) in FILTERS.items()],
            "chosen": wanted,
            "page": Paginator(found, PER_PAGE).get_page(visit.request.GET.get("page")),
        },
    )


@page("GET")
def penalty_page(visit: Visit, penalty_id: uuid.UUID) -> HttpResponse:
    return _penalty_page(visit, _penalty(visit, penalty_id), PutRightForm())


@page("POST")
def put_right(visit: Visit, penalty_id: uuid.UUID) -> HttpResponse:
    """The guild says that it has put right what was found."""
    penalty = _penalty(visit, penalty_id)
    form = PutRightForm(visit.request.POST)
    if form.is_valid():
        try:
            rectification_submit(
                actor=visit.actor, penalty_id=penalty.pk, statement=form.cleaned_data["statement"]
            )
        except InvalidInput as faults:
            form.add_refusal(faults)
        else:
            messages.success(visit.request, _("Thank you. The rule itself checks when the time is over."))
            return redirect("portal:penalty", penalty.public_id)
    if not visit.actor.may_act_for_guild():
        raise NotAllowed(_("Only an owner or manager of your guild can say that it is put right."))
    return _penalty_page(visit, penalty, form, status=422)


def _penalty_page(visit: Visit, penalty: Penalty, form: PutRightForm, *, status: int = 200) -> HttpResponse:
    rectification = rectification_of(penalty)
    language, wording = in_language(penalty.version.text, get_language() or "en")
    return visit.render(
        "penalty.html",
        {
            "section": "penalties",
            "penalty": penalty,
            "violation": penalty.violation,
            "wording": wording,
            "wording_language": language,
            "facts": facts_of(penalty.version.spec, penalty.violation.explanation),
            "evidence": penalty.violation.detections.filter(mode="live")
            .select_related("signal_key__source")
            .order_by("occurred_at", "pk")[:PER_PAGE],
            "compensation": getattr(penalty, "compensation", None),
            "together_with": penalties_visible_to(visit.actor)
            .filter(notice=penalty.notice)
            .exclude(pk=penalty.pk)
            .order_by("pk"),
            "appeals": sorted(penalty.appeals.all(), key=lambda appeal: -appeal.pk),
            "refusal": appeal_refusal(penalty, actor=visit.actor, now=timezone.now()),
            "rectification": rectification,
            "put_right_open": rectification is not None
            and rectification.status == RectificationStatus.OPEN
            and penalty.status in {S.SCHEDULED, S.STAYED}
            and visit.actor.may_act_for_guild(),
            "form": form,
        },
        status=status,
    )


@page("GET", "POST")
def appeal_form(visit: Visit, penalty_id: uuid.UUID) -> HttpResponse:
    penalty = _penalty(visit, penalty_id)
    refusal = appeal_refusal(penalty, actor=visit.actor, now=timezone.now())
    if refusal:
        raise refusal.error()
    request = visit.request
    form = AppealForm(request.POST, request.FILES) if request.method == "POST" else AppealForm()
    if request.method == "POST" and form.is_valid():
        try:
            appeal = appeal_file(
                actor=visit.actor,
                penalty_id=penalty.pk,
                grounds=form.cleaned_data["grounds"],
                statement=form.cleaned_data["statement"],
                files=form.cleaned_data["files"],
            )
        except InvalidInput as faults:
            form.add_refusal(faults)
        else:
            messages.success(request, _("Your appeal has been filed. You will be answered in writing."))
            return redirect("portal:appeal", appeal.public_id)
    return visit.render(
        "appeal_form.html",
        {
            "section": "penalties",
            "penalty": penalty,
            "form": form,
            "files_lost": bool(form.errors and request.FILES),
        },
        status=422 if form.errors else 200,
    )


def _penalty(visit: Visit, public_id: uuid.UUID) -> Penalty:
    """The guild's own penalty; anybody else's is not found."""
    penalty = (
        penalties_visible_to(visit.actor)
        .select_related("violation__creator", "violation__rule", "crossing__band", "compensation")
        .prefetch_related("appeals")
        .filter(public_id=public_id)
        .first()
    )
    if penalty is None:
        raise NotFound(_("There is no such penalty."))
    return penalty
