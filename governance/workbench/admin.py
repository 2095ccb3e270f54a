"""The workbench and its approvals: rules written without code, tried, held to examples, and put before another person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.rules.admin.columns import VersionColumns
from governance.rules.shadow import shadow_start
from governance.workbench import facts
from governance.workbench.checking import read
from governance.workbench.decisions import Decisions
from governance.workbench.dialogs import AskForm, CommentForm, NothingForm, RuleForm, ShadowForm
from governance.workbench.endpoints import ENDPOINTS, answered
from governance.workbench.models import Draft
from governance.workbench.page import is_written, page_context, page_url, stage
from governance.workbench.selectors import (
    BEFORE_LAUNCH,
    drafts_of,
    standing_approval,
)
from governance.workbench.services import (
    approval_request,
    comment_add,
    draft_save,
    rule_create,
    version_copy,
)
from governance.workbench.services.drafts import MAY_COMMENT
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import moment_column
from guilds.console.page import (
    Badge,
    shown,
)
from guilds.console.reader import staff_actor
from guilds.errors import DomainError


# --- lists ----------------------------------------------------------------------------------------------------------
class MineFilter(DropdownFilter):
    title = _("written by")
    parameter_name = "written"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return (("me", _("Me, and not finished")),)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Draft]) -> QuerySet[Draft]:
        if self.value() == "me":
            return queryset.filter(pk__in=drafts_of(staff_actor(request)).values("pk"))
        return queryset


@admin.register(Draft)
class DraftAdmin(Decisions, VersionColumns, ConsoleAdmin[Draft]):
    intro = _(
        "Rules being written, tried and approved. Begin with a new rule, or open a version and write the next one."
    )
    object_template = "admin/console/workbench.html"
    list_display = (
        "version_shown",
        "name_shown",
        "stage_shown",
        "severity_shown",
        "markets_shown",
        "author",
        moment_column("written_at", _("last written")),
    )
    list_select_related = ("rule", "author")
    list_filter = (("status", ChoicesDropdownFilter), MineFilter)
    search_fields = ("rule__code",)
    search_help_text = _("Code of the rule or of the violation, or part of the rule's name")
    object_related = ("rule__risk", "author", "approver")
    ordering = ("-written_at",)
    actions_list = ("create",)
    actions_detail = (
        "ask",
        "approve",
        "refuse",
        "withdraw",
        "take_back",
        "shadow",
        "next_version",
        "comment",
    )

    def visible(self, actor: Actor) -> QuerySet[Draft]:
        return Draft.objects.prefetch_related("approvals")

    def matching(self, term: str) -> Q:
        return (
            Q(rule__code__istartswith=term)
            | Q(violation_code__istartswith=term)
            | Q(rule__name__icontains=term)
        )

    @display(description=_("stage"))
    def stage_shown(self, draft: Draft) -> str:
        return shown(stage(draft))

    # --- the page -----------------------------------------------------------------------------------------------
    def headline(self, draft: Draft) -> str:
        return f"{draft} · {draft.name}"

    def badge(self, draft: Draft) -> Badge:
        return stage(draft)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The workbench. A POST is the form of a browser without JavaScript: the rule as text."""
        if object_id is None:
            raise Http404
        draft = self.object_or_404(request, object_id)
        if request.method == "POST" and "yaml" in request.POST:
            return self._save_text(request, draft)
        context = page_context(self.actor(request), draft) if request.method in {"GET", "HEAD"} else {}
        return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def _save_text(self, request: HttpRequest, draft: Draft) -> HttpResponse:
        actor = self.actor(request)
        sent = {"yaml": request.POST["yaml"], "written_at": request.POST.get("written_at", "")}
        try:
            if (answer := answered_text(actor, draft, sent)) is None:
                messages.success(request, now_("Saved."))
                return HttpResponseRedirect(page_url(draft))
        except DomainError as error:
            answer = [error.message, *(str(item["message"]) for item in error.errors)]
        for line in answer:
            messages.error(request, line)
        context = {
            **self.admin_site.each_context(request),
            **page_context(actor, draft),
            "title": self.headline(draft),
            "headline": self.headline(draft),
            "opts": self.opts,
            "original": draft,
            "yaml": sent["yaml"],
            "actions_detail": [],
        }
        return TemplateResponse(request, self.object_template, context, status=422)

    def get_custom_urls(self) -> tuple[tuple[str, str, Callable[..., HttpResponseBase]], ...]:
        asked = tuple(
            (f"<path:object_id>/{name}/", f"governance_draft_{name}_answer", self._endpoint(name))
            for name in ENDPOINTS
        )
        return (*super().get_custom_urls(), *asked)

    def _endpoint(self, name: str) -> Callable[..., HttpResponseBase]:
        def view(request: HttpRequest, object_id: str, model_admin: Any = None) -> HttpResponseBase:
            draft = self.object_or_404(request, object_id)
            return answered(request, self.actor(request), draft, ENDPOINTS[name])

        view.__name__ = name
        return view

    # --- acts ---------------------------------------------------------------------------------------------------
    @act(
        label=_("New rule"),
        roles=(Role.ANALYST,),
        question=_(
            "It begins as an empty draft. Nothing is judged by it before it was approved and launched."
        ),
        form=RuleForm,
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def create(self, actor: Actor, draft: None, values: Mapping[str, Any]) -> Answer:
        version = rule_create(
            actor=actor, code=values["code"], name=values["name"], risk_code=values["risk_code"].code
        )
        return page_url(version)

    @act(
        label=_("Ask for approval"),
        roles=(Role.ANALYST,),
        question=_(
            "Somebody without a hand in it decides. Text, condition, examples and backtest are frozen as they are."
        ),
        done=_("It waits for approval now."),
        form=AskForm,
        when=lambda draft: draft.status in BEFORE_LAUNCH and standing_approval(draft) is None,
        icon="send",
        variant=ActionVariant.PRIMARY,
    )
    def ask(self, actor: Actor, draft: Draft, values: Mapping[str, Any]) -> Answer:
        approval_request(actor=actor, version_id=draft.pk, note=values["note"])
        return None

    @act(
        label=_("Start shadow"),
        roles=(Role.LAUNCHER, Role.ANALYST),
        question=_(
            "It judges what comes in from now on, without any consequence. Its wording and its examples are frozen for"
            " good: to change them, write the next version."
        ),
        done=_("The version judges in shadow."),
        form=ShadowForm,
        when=is_written,
        icon="visibility",
    )
    def shadow(self, actor: Actor, draft: Draft, values: Mapping[str, Any]) -> Answer:
        shadow_start(actor=actor, version_id=draft.pk, until=values["until"], reason=values["reason"])
        return None

    @act(
        label=_("Write the next version"),
        roles=(Role.ANALYST,),
        question=_("A draft with the same wording and examples. This version stays as it is."),
        form=NothingForm,
        when=lambda draft: not is_written(draft),
        icon="content_copy",
    )
    def next_version(self, actor: Actor, draft: Draft, values: Mapping[str, Any]) -> Answer:
        return page_url(version_copy(actor=actor, version_id=draft.pk))

    @act(label=_("Comment"), roles=MAY_COMMENT, form=CommentForm, icon="chat")
    def comment(self, actor: Actor, draft: Draft, values: Mapping[str, Any]) -> Answer:
        comment_add(actor=actor, version_id=draft.pk, body=values["body"])
        return None


def answered_text(actor: Actor, draft: Draft, sent: Mapping[str, Any]) -> list[str] | None:
    """Save a rule sent as text; None when it was saved, else what is wrong with the text."""
    form = read(draft, sent)
    if form.problems:
        return [f"{problem.message} {problem.cure}".strip() for problem in form.problems]
    expected = sent.get("written_at") or None
    draft_save(
        actor=actor,
        version_id=draft.pk,
        spec=form.spec,
        expected_written_at=facts.moment(expected) if expected else None,
    )
    return None
