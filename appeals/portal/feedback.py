"""What the guild tells us, and our answers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from appeals.portal.forms import ServiceForm
from appeals.portal.visit import Visit, page
from governance.risks.enums import FeedbackStatus, FeedbackTopic
from governance.risks.models import Feedback
from governance.risks.selectors import feedback_visible_to
from governance.risks.services import feedback_send
from governance.risks.services.feedback import LONGEST_BODY, SHORTEST_BODY
from governance.rules.selectors import live_versions
from guilds.errors import Conflict, InvalidInput, NotAllowed, NotFound

PER_PAGE = 10


class FeedbackForm(ServiceForm):
    topic = forms.ChoiceField(
        label=gettext_lazy("What is it about?"),
        choices=[("", gettext_lazy("Please choose")), *FeedbackTopic.choices],
    )
    about_rule = forms.ChoiceField(label=gettext_lazy("Which rule? (optional)"), required=False)
    body = forms.CharField(
        label=gettext_lazy("Your message"),
        help_text=gettext_lazy("In any language. People read every word."),
        min_length=SHORTEST_BODY,
        max_length=LONGEST_BODY,
        widget=forms.Textarea(attrs={"rows": 7, "dir": "auto"}),
    )

    def __init__(self, *args: Any, market_code: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["about_rule"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("No particular rule")), *_rules_of(market_code)]


@dataclass(frozen=True)
class Told:
    """A message as its guild sees it: where it stands, and the answer, which a merged one shares with the other."""

    feedback: Feedback
    tone: str
    label: str
    answered: Feedback | None
    closed: bool

    @classmethod
    def of(cls, feedback: Feedback) -> Told:
        decisive = feedback.merged_into or feedback
        tone, label = {
            FeedbackStatus.NEW: ("plain", _("Received")),
            FeedbackStatus.TRIAGED: ("soon", _("Being looked at")),
            FeedbackStatus.ANSWERED: ("good", _("Answered")),
            FeedbackStatus.CLOSED: ("plain", _("Closed")),
        }[FeedbackStatus(decisive.status)]
        answered = decisive if decisive.status == FeedbackStatus.ANSWERED else None
        return cls(feedback, tone, label, answered, closed=decisive.status == FeedbackStatus.CLOSED)


@page("GET", "POST")
def feedback_page(visit: Visit) -> HttpResponse:
    """The form, and what the guild has sent so far."""
    market_code = visit.guild.market.code
    if visit.request.method != "POST":
        return _shown(visit, FeedbackForm(market_code=market_code))
    if not visit.actor.may_act_for_guild():
        raise NotAllowed(
            _("You can read here, but not write for the guild. Ask an owner or manager of your guild.")
        )
    form, status = FeedbackForm(visit.request.POST, market_code=market_code), 422
    if form.is_valid():
        try:
            feedback = feedback_send(
                actor=visit.actor,
                topic=form.cleaned_data["topic"],
                about_rule=form.cleaned_data["about_rule"],
                body=form.cleaned_data["body"],
                language=get_language() or "",
            )
        except InvalidInput as faults:
            form.add_refusal(faults)
        except Conflict as refusal:
            # Too many for today. The form comes back with every word in it.
            form.add_error(None, refusal.message)
            status = 429
        else:
            messages.success(visit.request, _("Thank you. We have your message and read every one."))
            return redirect("portal:feedback_message", feedback.public_id)
    return _shown(visit, form, status=status)


@page("GET")
def feedback_message(visit: Visit, feedback_id: uuid.UUID) -> HttpResponse:
    feedback = feedback_visible_to(visit.actor).filter(public_id=feedback_id).first()
    if feedback is None:
        raise NotFound(_("There is no such message."))
    return visit.render("feedback_message.html", {"section": "feedback", "told": Told.of(feedback)})


def _shown(visit: Visit, form: FeedbackForm, *, status: int = 200) -> HttpResponse:
    sent = feedback_visible_to(visit.actor).order_by("-pk")
    pages = Paginator(sent, PER_PAGE).get_page(visit.request.GET.get("page"))
    return visit.render(
        "feedback.html",
        {
            "section": "feedback",
            "form": form,
            "page": pages,
            "rows": [Told.of(feedback) for feedback in pages],
        },
        status=status,
    )


def _rules_of(market_code: str) -> list[tuple[str, str]]:
    """(code, name) of the rules live in the market now."""
    live = [version for version in live_versions(timezone.now()) if {"*", market_code} & set(version.markets)]
    return list({version.rule.code: f"{version.name} ({version.rule.code})" for version in live}.items())
