"""Appeals in the console: the guild's words and files, the case beside them, and an adjudicator's answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from appeals.enums import AppealStatus, Outcome
from appeals.models import Appeal
from appeals.report_pages import report_urls
from appeals.selectors import appeals_visible_to, eligible_adjudicators, evidence_for
from appeals.services import appeal_assign, appeal_decide, appeal_message
from governance.models import Penalty
from governance.penalties.kinds import KINDS
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, DialogForm, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, of_guild
from guilds.console.page import (
    Badge,
    Fact,
    Link,
    Prose,
    Section,
    Table,
    Template,
    Variant,
    distance,
    link_to,
    severity_badge,
    shown,
)
from guilds.console.reader import staff_actor
from guilds.errors import NotFound
from guilds.models import User

OUTCOME_VARIANTS: dict[str, Variant] = {
    Outcome.UPHELD: "default",
    Outcome.REDUCED: "info",
    Outcome.OVERTURNED: "success",
}


def is_open(appeal: Appeal) -> bool:
    return appeal.status == AppealStatus.OPEN


def status_badge(appeal: Appeal) -> Badge:
    if appeal.outcome:
        return Badge(Outcome(appeal.outcome).name, OUTCOME_VARIANTS[appeal.outcome])
    return Badge(appeal.get_status_display(), "warning" if is_open(appeal) else "default")


class AssignedFilter(DropdownFilter):
    title = _("assigned")
    parameter_name = "assigned"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return (("me", _("To me")), ("nobody", _("To nobody")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Appeal]) -> QuerySet[Appeal]:
        if self.value() == "me":
            return queryset.filter(assigned_to_id=staff_actor(request).user_id)
        return queryset.filter(assigned_to=None) if self.value() == "nobody" else queryset


class AssignForm(DialogForm):
    user = forms.ModelChoiceField(
        label=_("Adjudicator"),
        queryset=User.objects.none(),
        required=False,
        empty_label=_("Nobody: back to the queue"),
        widget=UnfoldAdminSelectWidget(),
        help_text=_("Only people who took no part in the case."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["user"]
        assert isinstance(field, forms.ModelChoiceField)
        if self.obj is not None:
            field.queryset = eligible_adjudicators(self.obj)


class MessageForm(DialogForm):
    body = forms.CharField(
        label=_("Message"),
        max_length=4_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "autofocus": True}),
        help_text=_("The guild reads it in its portal."),
    )


class DecideForm(DialogForm):
    outcome = forms.ChoiceField(
        label=_("Outcome"), choices=Outcome.choices, widget=UnfoldAdminRadioSelectWidget()
    )
    days = forms.IntegerField(
        label=_("Reduced to days"), required=False, min_value=0, widget=UnfoldAdminIntegerFieldWidget()
    )
    points = forms.IntegerField(
        label=_("Reduced to points"), required=False, min_value=0, widget=UnfoldAdminIntegerFieldWidget()
    )
    answer = forms.CharField(
        label=_("Answer to the guild"),
        max_length=10_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "autofocus": True}),
        help_text=_("In words the guild understands: what you looked at, and why you decided so."),
    )


@admin.register(Appeal)
class AppealAdmin(ConsoleAdmin[Appeal]):
    intro = _(
        "Challenges of guilds to penalties. Decided by people who took no part in the case, within the market's time."
    )
    list_display = (
        "guild",
        "penalty_shown",
        "status_shown",
        "severity_shown",
        "grounds",
        "market",
        "due_shown",
        "assigned_to",
    )
    list_select_related = ("guild", "market", "penalty__violation", "assigned_to")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("outcome", ChoicesDropdownFilter),
        AssignedFilter,
        ("market", RelatedDropdownFilter),
        ("decide_by", RangeDateTimeFilter),
    )
    search_fields = ("guild__external_id",)
    search_help_text = _("A guild's id or name, or the beginning of the appeal's or penalty's id")
    object_related = (
        "guild__market",
        "market__regime",
        "penalty__violation__rule__risk",
        "penalty__violation__version__rule__risk",
        "penalty__violation__guild",
        "penalty__version__rule__risk",
        "penalty__guild",
        "penalty__notice",
        "assigned_to",
        "filed_by",
        "filed_by_client",
        "decision__adjudicator",
    )
    ordering = ("-id",)
    actions_detail = ("decide", "take", "message", "assign")

    def visible(self, actor: Actor) -> QuerySet[Appeal]:
        return appeals_visible_to(actor)

    def matching(self, term: str) -> Q:
        span = by_public_id(term)
        return span | Q(penalty__in=Penalty.objects.filter(span)) | of_guild(term)

    @display(description=_("penalty"))
    def penalty_shown(self, appeal: Appeal) -> str:
        return KINDS[appeal.penalty.kind].describe(appeal.penalty.params)

    @display(description=_("status"), ordering="status")
    def status_shown(self, appeal: Appeal) -> str:
        return shown(status_badge(appeal))

    @display(description=_("severity"))
    def severity_shown(self, appeal: Appeal) -> str:
        return shown(severity_badge(appeal.penalty.violation.severity))

    @display(description=_("decide by"), ordering="decide_by")
    def due_shown(self, appeal: Appeal) -> str:
        if not is_open(appeal):
            return shown(appeal.decide_by)
        late = appeal.decide_by < timezone.now()
        return shown([appeal.decide_by, Badge(distance(appeal.decide_by), "danger" if late else "default")])

    # --- the page -----------------------------------------------------------------------------------------------
    def headline(self, appeal: Appeal) -> str:
        return now_("Appeal of %(guild)s against %(penalty)s") % {
            "guild": appeal.guild,
            "penalty": self.penalty_shown(appeal),
        }

    def badge(self, appeal: Appeal) -> Badge:
        return status_badge(appeal)

    def facts(self, appeal: Appeal, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Guild"), link_to(appeal.guild)),
            Fact(_("Market"), f"{appeal.market.name} ({appeal.market.code})"),
            Fact(_("Penalty"), link_to(appeal.penalty, self.penalty_shown(appeal))),
            Fact(_("Severity"), severity_badge(appeal.penalty.violation.severity)),
            Fact(_("Filed"), appeal.filed_at),
            Fact(_("Filed by"), appeal.filed_by or appeal.filed_by_client),
            Fact(_("Decide by"), self.due_shown(appeal)),
            Fact(
                _("Assigned to"),
                appeal.assigned_to or Badge(_("Nobody"), "warning" if is_open(appeal) else "default"),
            ),
            Fact(_("Id"), str(appeal.public_id)),
        )

    def sections(self, appeal: Appeal, request: HttpRequest) -> Sequence[Section]:
        penalty, notice = appeal.penalty, appeal.penalty.notice
        files = [
            [
                Link(file.name, evidence_url(appeal, file.public_id)),
                file.content_type,
                filesizeformat(file.size),
                file.created_at,
            ]
            for file in appeal.evidence.order_by("id")
        ]
        case = [
            Fact(
                _("Penalty"),
                [link_to(penalty, self.penalty_shown(appeal)), Badge(penalty.get_status_display())],
            ),
            Fact(_("Violation"), link_to(penalty.violation)),
            Fact(_("Rule version"), link_to(penalty.version)),
            Fact(_("Starts"), penalty.starts_at),
            Fact(_("Ends"), penalty.ends_at or _("No end date")),
            Fact(_("What the guild was told"), Prose(notice.body) if notice else None),
        ]
        messages = list(appeal.messages.select_related("author").order_by("id"))
        words = {"appeal": appeal, "messages": messages}
        sections = [
            Section(_("What the guild says"), Template("admin/console/appeal_words.html", words)),
            Section(
                _("Files"), Table([_("Name"), _("Kind"), _("Size"), _("Handed in")], files, empty=_("None."))
            ),
            Section(_("The case"), case),
        ]
        decision = getattr(appeal, "decision", None)
        if decision is not None:
            left = ", ".join(f"{name}: {value}" for name, value in decision.reduction.items())
            decided = [
                Fact(_("Outcome"), decision.get_outcome_display()),
                Fact(_("By"), decision.adjudicator),
                Fact(_("When"), decision.decided_at),
                Fact(_("What is left"), left),
                Fact(_("Answer"), Prose(decision.answer)),
            ]
            sections.insert(0, Section(_("The decision"), decided))
        return sections

    def get_custom_urls(self) -> tuple[tuple[str, str, Callable[..., HttpResponseBase]], ...]:
        evidence = (
            "<uuid:appeal_id>/evidence/<uuid:evidence_id>",
            "appeals_appeal_evidence",
            self.evidence_view,
        )
        return (*super().get_custom_urls(), evidence, *report_urls(self))

    def evidence_view(
        self, request: HttpRequest, appeal_id: Any, evidence_id: Any, model_admin: Any = None
    ) -> FileResponse:
        """A file a guild handed in, always as a download: what a stranger wrote is never shown as a page of ours."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            evidence = evidence_for(self.actor(request), appeal_id, evidence_id)
        except NotFound as absent:
            raise Http404 from absent
        return FileResponse(
            evidence.file.open("rb"),
            as_attachment=True,
            filename=evidence.name,
            content_type="application/octet-stream",
            headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
        )

    # --- acts ---------------------------------------------------------------------------------------------------
    @act(
        label=_("Decide"),
        question=_("Overturned takes back everything that follows from the violation. A decision is final."),
        done=_("The appeal is decided and the guild is told."),
        roles=(Role.ADJUDICATOR,),
        form=DecideForm,
        when=is_open,
        icon="gavel",
        variant=ActionVariant.PRIMARY,
    )
    def decide(self, actor: Actor, appeal: Appeal, values: Mapping[str, Any]) -> Answer:
        left = {name: values[name] for name in ("days", "points") if values.get(name) is not None}
        appeal_decide(
            actor=actor,
            appeal_id=appeal.pk,
            outcome=values["outcome"],
            answer=values["answer"],
            reduction=left or None,
        )
        return None

    @act(
        label=_("Assign to me"),
        done=_("The appeal is yours."),
        roles=(Role.ADJUDICATOR,),
        form=DialogForm,
        when=is_open,
        icon="person_check",
    )
    def take(self, actor: Actor, appeal: Appeal, values: Mapping[str, Any]) -> Answer:
        appeal_assign(actor=actor, appeal_id=appeal.pk, user_id=actor.user_id)
        return None

    @act(
        label=_("Message"),
        done=_("The message is sent."),
        roles=(Role.ADJUDICATOR,),
        form=MessageForm,
        when=is_open,
        icon="chat",
    )
    def message(self, actor: Actor, appeal: Appeal, values: Mapping[str, Any]) -> Answer:
        appeal_message(actor=actor, appeal_id=appeal.pk, body=values["body"])
        return None

    @act(
        label=_("Assign"),
        done=_("The appeal is assigned."),
        roles=(Role.ADJUDICATOR, Role.ADMIN),
        form=AssignForm,
        when=is_open,
        icon="group",
    )
    def assign(self, actor: Actor, appeal: Appeal, values: Mapping[str, Any]) -> Answer:
        person = values["user"]
        appeal_assign(actor=actor, appeal_id=appeal.pk, user_id=person.pk if person else None)
        return None


def evidence_url(appeal: Appeal, evidence_id: Any) -> str:
    return reverse("admin:appeals_appeal_evidence", args=[appeal.public_id, evidence_id])
