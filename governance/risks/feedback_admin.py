"""Feedback in the console: read, sort, link to a risk, merge with its like, answer; and how it comes in over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.risks.enums import FeedbackStatus
from governance.risks.feedback_trend import Grouping, trend_of
from governance.risks.forms import AnswerForm, LinkForm, MergeForm, NoteForm, TriageForm
from governance.risks.models import Feedback
from governance.risks.selectors import feedback_visible_to, is_told_by_the_guild, key_of_guild, similar_to
from governance.risks.services import (
    feedback_answer,
    feedback_close,
    feedback_link,
    feedback_merge,
    feedback_reopen,
    feedback_send,
    feedback_triage,
)
from governance.risks.services.feedback import NOTING_ROLES
from governance.risks.services.triage import TRIAGE_ROLES
from governance.risks.transitions import TRANSITIONS
from guilds.accounts.actor import Actor
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column, named, of_guild
from guilds.console.page import (
    Badge,
    Fact,
    Link,
    Prose,
    Section,
    Table,
    Variant,
    admin_url,
    link_to,
    shown,
)
from guilds.errors import InvalidInput

STATUS_VARIANTS: dict[str, Variant] = {
    FeedbackStatus.NEW: "warning",
    FeedbackStatus.TRIAGED: "info",
    FeedbackStatus.ANSWERED: "success",
    FeedbackStatus.MERGED: "default",
    FeedbackStatus.CLOSED: "default",
}
LIKE_SHOWN = 5


def may_become(*statuses: FeedbackStatus) -> Callable[[Feedback], bool]:
    """Whether a message may go to one of these from where it is."""
    return lambda feedback: bool(TRANSITIONS[FeedbackStatus(feedback.status)].intersection(statuses))


def is_unsettled(feedback: Feedback) -> bool:
    return feedback.status in (FeedbackStatus.NEW, FeedbackStatus.TRIAGED)


def is_not_merged(feedback: Feedback) -> bool:
    return feedback.status != FeedbackStatus.MERGED


def can_be_reopened(feedback: Feedback) -> bool:
    return feedback.status in (FeedbackStatus.MERGED, FeedbackStatus.CLOSED)


def status_badge(feedback: Feedback) -> Badge:
    return Badge(feedback.get_status_display(), STATUS_VARIANTS[feedback.status])


@admin.register(Feedback)
class FeedbackAdmin(ConsoleAdmin[Feedback]):
    intro = _(
        "What guilds, creators, colleagues and other systems tell us: sorted, linked to risks, answered."
    )
    list_display = (
        "body_shown",
        "status_shown",
        "topic",
        "source",
        "guild",
        "market",
        "risk_shown",
        "merged_shown",
        moment_column("created_at", _("received")),
    )
    list_select_related = ("guild", "market", "risk", "merged_into")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("topic", ChoicesDropdownFilter),
        ("source", ChoicesDropdownFilter),
        ("market", RelatedDropdownFilter),
        ("risk", RelatedDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    )
    search_fields = ("body",)
    search_help_text = _("Words of the message, a guild's id or name, or the beginning of the message's id")
    object_related = ("guild__market", "market", "risk", "merged_into", "by_user", "by_client", "answered_by")
    ordering = ("-id",)
    actions_list = ("note",)
    actions_detail = ("answer", "triage", "link", "merge", "close", "reopen")
    bulk_acts = ("triage", "link")
    change_list_template = "admin/console/feedback_list.html"

    def visible(self, actor: Actor) -> QuerySet[Feedback]:
        return feedback_visible_to(actor).annotate(merged_count=Count("merged"))

    def matching(self, term: str) -> Q:
        return by_public_id(term) | named(term, "body") | of_guild(term)

    # --- the list -------------------------------------------------------------------------------------------------
    @display(description=_("message"))
    def body_shown(self, feedback: Feedback) -> str:
        return str(feedback)

    @display(description=_("status"), ordering="status")
    def status_shown(self, feedback: Feedback) -> str:
        return shown(status_badge(feedback))

    @display(description=_("risk"), ordering="risk__code")
    def risk_shown(self, feedback: Feedback) -> str:
        return shown(feedback.risk.code if feedback.risk else None)

    @display(description=_("merged"), ordering="merged_count")
    def merged_shown(self, feedback: Any) -> str:
        return shown(f"+{feedback.merged_count}" if feedback.merged_count else None)

    # --- the page -------------------------------------------------------------------------------------------------
    def headline(self, feedback: Feedback) -> str:
        return f"{feedback.get_topic_display()} · {feedback.guild or feedback.get_source_display()}"

    def badge(self, feedback: Feedback) -> Badge:
        return status_badge(feedback)

    def facts(self, feedback: Feedback, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Who says it"), feedback.get_source_display()),
            Fact(_("Came by"), feedback.get_channel_display()),
            Fact(_("Guild"), link_to(feedback.guild)),
            Fact(_("Market"), link_to(feedback.market)),
            Fact(_("Risk"), link_to(feedback.risk)),
            Fact(_("About the rule"), feedback.about_rule),
            Fact(_("Language"), feedback.language),
            Fact(_("Received"), feedback.created_at),
            Fact(_("Sent by"), feedback.by_user or feedback.by_client),
            Fact(_("Merged into"), link_to(feedback.merged_into)),
            Fact(_("The guild sees it"), is_told_by_the_guild(feedback)),
            Fact(_("Id"), str(feedback.public_id)),
        )

    def sections(self, feedback: Feedback, request: HttpRequest) -> Sequence[Section]:
        said = [Section(_("Message"), Prose(feedback.body), note=_("Never changed."))]
        if feedback.answer:
            note = f"{feedback.answered_by or ''} · {feedback.answered_at:%d %b %Y %H:%M} UTC"
            said.append(Section(_("Our answer"), Prose(feedback.answer), note=note))
        merged = _table(feedback.merged.select_related("guild", "market").order_by("-pk"), _("Nothing."))
        said.append(Section(_("Merged into it"), merged, note=_("Counted with it and answered with it.")))
        if is_unsettled(feedback):
            alike = similar_to(feedback, self.actor(request))[:LIKE_SHOWN]
            said.append(
                Section(
                    _("Of like wording"),
                    _table(alike, _("Nothing like it.")),
                    note=_("It may repeat one of these."),
                )
            )
        return said

    # --- acts -----------------------------------------------------------------------------------------------------
    @act(
        label=_("Add feedback"),
        question=_("Note down what somebody told you."),
        roles=NOTING_ROLES,
        form=NoteForm,
        done=_("Noted."),
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def note(self, actor: Actor, obj: None, values: Mapping[str, Any]) -> Answer:
        said = dict(values)
        name, market = said.pop("guild").strip(), said.pop("market")
        sent = feedback_send(
            actor=actor,
            guild_id=key_of_guild(name) if name else None,
            market_id=market.pk if market else None,
            **said,
        )
        return admin_url(sent)

    @act(
        label=_("Answer"),
        question=_(
            "Each guild that sent this, or a message merged into it, gets the answer in its portal and a notice. It is sent once."
        ),
        roles=TRIAGE_ROLES,
        form=AnswerForm,
        when=may_become(FeedbackStatus.ANSWERED),
        done=_("Answered."),
        icon="reply",
        variant=ActionVariant.PRIMARY,
        key="a",
    )
    def answer(self, actor: Actor, feedback: Feedback, values: Mapping[str, Any]) -> Answer:
        feedback_answer(actor=actor, feedback_id=feedback.pk, answer=values["answer"])
        return None

    @act(
        label=_("Sort"),
        roles=TRIAGE_ROLES,
        form=TriageForm,
        when=is_unsettled,
        done=_("Sorted."),
        icon="label",
        key="s",
    )
    def triage(self, actor: Actor, feedback: Feedback, values: Mapping[str, Any]) -> Answer:
        feedback_triage(actor=actor, feedback_id=feedback.pk, topic=values["topic"])
        return None

    @act(
        label=_("Link to a risk"),
        question=_("It counts in the risk's priority in its market."),
        roles=TRIAGE_ROLES,
        form=LinkForm,
        when=is_not_merged,
        done=_("Linked."),
        icon="link",
        key="l",
    )
    def link(self, actor: Actor, feedback: Feedback, values: Mapping[str, Any]) -> Answer:
        risk = values["risk"]
        feedback_link(actor=actor, feedback_id=feedback.pk, risk_id=risk.pk if risk else None)
        return None

    @act(
        label=_("Merge"),
        question=_("It repeats another message, is counted with it, and answered with it."),
        roles=TRIAGE_ROLES,
        form=MergeForm,
        when=may_become(FeedbackStatus.MERGED),
        done=_("Merged."),
        icon="merge",
        key="m",
    )
    def merge(self, actor: Actor, feedback: Feedback, values: Mapping[str, Any]) -> Answer:
        feedback_merge(actor=actor, feedback_id=feedback.pk, into_id=_chosen(actor, values))
        return None

    @act(
        label=_("Close"),
        question=_(
            "It is left without an answer. The guild, if it sent it, sees that it was read and closed."
        ),
        roles=TRIAGE_ROLES,
        when=may_become(FeedbackStatus.CLOSED),
        done=_("Closed."),
        icon="do_not_disturb_on",
    )
    def close(self, actor: Actor, feedback: Feedback, values: Mapping[str, Any]) -> Answer:
        feedback_close(actor=actor, feedback_id=feedback.pk, reason=values["reason"])
        return None

    @act(
        label=_("Open again"),
        question=_("Takes the merging or closing back."),
        roles=TRIAGE_ROLES,
        when=can_be_reopened,
        done=_("Open again."),
        icon="undo",
    )
    def reopen(self, actor: Actor, feedback: Feedback, values: Mapping[str, Any]) -> Answer:
        feedback_reopen(actor=actor, feedback_id=feedback.pk, reason=values["reason"])
        return None

    # --- the trend ------------------------------------------------------------------------------------------------
    def get_custom_urls(self) -> tuple[tuple[str, str, Callable[..., HttpResponseBase]], ...]:
        return (*super().get_custom_urls(), ("trend/", "governance_feedback_trend", self.trend_view))

    def trend_view(self, request: HttpRequest, model_admin: Any = None) -> HttpResponse:
        """Messages a week, by topic or by risk."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        by: Grouping = "risk" if request.GET.get("by") == "risk" else "topic"
        context = {
            **self.admin_site.each_context(request),
            "title": now_("Feedback over time"),
            "opts": self.opts,
            "by": by,
            "trend": trend_of(feedback_visible_to(self.actor(request)), by=by),
        }
        return TemplateResponse(request, "admin/console/feedback_trend.html", context)


def _chosen(actor: Actor, values: Mapping[str, Any]) -> int:
    """The key of the message chosen from the list, or named by its id; exactly one of the two."""
    named_id = values["other"].strip()
    if bool(values["into"]) == bool(named_id):
        raise InvalidInput(now_("Choose one of the list, or give an id."), field="into")
    if values["into"]:
        return int(values["into"])
    found = list(feedback_visible_to(actor).filter(by_public_id(named_id))[:2])
    if len(found) != 1:
        raise InvalidInput(now_("There is no such message, or more than one."), field="other")
    return found[0].pk


def _table(rows: QuerySet[Feedback], empty: Any) -> Table:
    shown_rows = [
        [
            Link(str(row), admin_url(row)),
            link_to(row.guild) or row.get_source_display(),
            row.market.code if row.market else None,
            status_badge(row),
            row.created_at,
        ]
        for row in rows
    ]
    return Table([_("Message"), _("From"), _("Market"), _("Status"), _("When")], shown_rows, empty=empty)
