"""Lessons in the console: written without code, shown as guilds see them, assigned, and how far the guilds are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.education import editor, sections
from governance.education.enums import AssignmentSource
from governance.education.forms import AssignForm, PlainForm
from governance.education.models import Lesson
from governance.education.quiz import MOST_OPTIONS, MOST_QUESTIONS
from governance.education.selectors import guilds_to_teach, in_language
from governance.education.services import (
    fingerprint,
    is_shown,
    lesson_assign,
    lesson_publish,
    lesson_save,
    lesson_withdraw,
)
from governance.rules.models import Rule
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import csv_response
from guilds.console.page import Badge, Fact, Link, Section, Tab, admin_url, link_to, list_url, shown
from guilds.errors import DomainError, InvalidInput, NotFound


def is_hidden(lesson: Lesson) -> bool:
    return not is_shown(lesson)


class LessonAdmin(ConsoleAdmin[Lesson]):
    intro = _("What guilds are taught about a rule, in their language: text, quiz, and what passing brings.")
    list_display = (
        "code",
        "title_shown",
        "rule",
        "languages_shown",
        "quiz_shown",
        "published_shown",
        "done_shown",
    )
    list_select_related = ("rule",)
    search_fields = ("code",)
    object_related = ("rule",)
    ordering = ("code",)
    change_list_template = "admin/console/lesson_list.html"
    actions_detail = ("publish", "assign", "withdraw")

    def visible(self, actor: Actor) -> QuerySet[Lesson]:
        reach = Q() if actor.market_ids is None else Q(completions__guild__market_id__in=actor.market_ids)
        return Lesson.objects.annotate(
            question_count=Count("questions", distinct=True),
            done_count=Count("completions", filter=reach, distinct=True),
        )

    def matching(self, term: str) -> Q:
        return Q(code__istartswith=term) | Q(rule__code__istartswith=term)

    # --- the list -------------------------------------------------------------------------------------------------
    @display(description=_("title"))
    def title_shown(self, lesson: Lesson) -> str:
        return in_language(lesson.title, "en")[1]

    @display(description=_("languages"))
    def languages_shown(self, lesson: Lesson) -> str:
        return ", ".join(sorted(lesson.title))

    @display(description=_("questions"))
    def quiz_shown(self, lesson: Any) -> str:
        return str(lesson.question_count)

    @display(description=_("state"), ordering="published_at")
    def published_shown(self, lesson: Lesson) -> str:
        return shown(self.badge(lesson))

    @display(description=_("guilds done"))
    def done_shown(self, lesson: Any) -> str:
        return str(lesson.done_count)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_write = self.has_view_permission(request) and self.actor(request).has_role(Role.ANALYST)
        return super().changelist_view(request, {"may_write": may_write, **(extra_context or {})})

    # --- the page -------------------------------------------------------------------------------------------------
    def headline(self, lesson: Lesson) -> str:
        return in_language(lesson.title, "en")[1] or lesson.code

    def badge(self, lesson: Lesson) -> Badge:
        if is_shown(lesson):
            return Badge(_("Published"), "success")
        return Badge(_("Withdrawn"), "warning") if lesson.withdrawn_at else Badge(_("Draft"))

    def onward(self, lesson: Lesson, request: HttpRequest) -> Link | None:
        if not self.actor(request).has_role(Role.ANALYST):
            return None
        return Link(_("Edit"), reverse("admin:governance_lesson_edit", args=[lesson.pk]), key="e")

    def tabs(self, lesson: Lesson) -> Sequence[Tab]:
        return (
            Tab("lesson", _("Lesson")),
            Tab("preview", _("As guilds see it")),
            Tab("completion", _("Completion")),
            Tab("guilds", _("Guilds and goes")),
            Tab("requests", _("Asked")),
        )

    def facts(self, lesson: Lesson, request: HttpRequest) -> Sequence[Fact]:
        credit = now_("up to %(points)s points, once in %(days)s days") % {
            "points": lesson.credit_points,
            "days": lesson.credit_every_days,
        }
        return (
            Fact(_("Code"), lesson.code),
            Fact(_("About"), link_to(lesson.rule)),
            Fact(_("Published"), lesson.published_at),
            Fact(_("Withdrawn"), lesson.withdrawn_at),
            Fact(_("Right answers to pass"), f"{lesson.pass_percent} %"),
            Fact(_("Credit for passing"), credit if lesson.credit_points else None),
            Fact(
                _("Amnesty for a first violation"),
                now_("%(days)s days") % {"days": lesson.amnesty_days} if lesson.amnesty_days else None,
            ),
        )

    def sections(self, lesson: Lesson, request: HttpRequest) -> Sequence[Section]:
        actor = self.actor(request)
        parts: dict[str, Callable[[], Sequence[Section]]] = {
            "preview": lambda: sections.preview(lesson, request.GET.get("language", "")),
            "completion": lambda: sections.completion(lesson, actor),
            "guilds": lambda: sections.guilds(lesson, actor),
            "requests": lambda: sections.requests(lesson, actor),
        }
        return parts.get(self.current_tab(lesson, request), lambda: sections.written(lesson))()

    # --- acts -----------------------------------------------------------------------------------------------------
    @act(
        label=_("Publish"),
        question=_("Every guild can read it from now on, and it can be asked of them."),
        done=_("The lesson is published."),
        roles=(Role.ANALYST,),
        form=PlainForm,
        when=is_hidden,
        icon="publish",
        variant=ActionVariant.PRIMARY,
    )
    def publish(self, actor: Actor, lesson: Lesson, values: Mapping[str, Any]) -> Answer:
        lesson_publish(actor=actor, code=lesson.code)
        return None

    @act(
        label=_("Ask guilds to do it"),
        question=_("They are told in their language. Who has done it already is noted as done and not told."),
        done=_("The guilds are asked."),
        roles=(Role.ANALYST,),
        form=AssignForm,
        when=is_shown,
        icon="assignment",
    )
    def assign(self, actor: Actor, lesson: Lesson, values: Mapping[str, Any]) -> Answer:
        guild_ids = guilds_to_teach(
            actor,
            market_ids=[market.pk for market in values["markets"]],
            tiers=values["tiers"],
            external_ids=values["guilds"].replace(",", "\n").split("\n"),
        )
        due_on = values["due_on"]
        lesson_assign(
            actor=actor,
            lesson_id=lesson.pk,
            guild_ids=guild_ids,
            source=AssignmentSource.STAFF,
            source_id=f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
            due_at=dt.datetime.combine(due_on, dt.time(23, 59, 59), dt.UTC) if due_on else None,
        )
        return f"{admin_url(lesson)}?tab=requests"

    @act(
        label=_("Withdraw"),
        question=_("Guilds no longer see it, and what was asked is cancelled. What they have done stays."),
        done=_("The lesson is withdrawn."),
        roles=(Role.ANALYST,),
        when=is_shown,
        icon="visibility_off",
        variant=ActionVariant.DANGER,
    )
    def withdraw(self, actor: Actor, lesson: Lesson, values: Mapping[str, Any]) -> Answer:
        lesson_withdraw(actor=actor, code=lesson.code, reason=values["reason"])
        return None

    # --- writing --------------------------------------------------------------------------------------------------
    def get_custom_urls(self) -> tuple[tuple[str, str, Callable[..., HttpResponseBase]], ...]:
        return (
            *super().get_custom_urls(),
            ("new/", "governance_lesson_new", self.edit_view),
            ("<path:object_id>/edit/", "governance_lesson_edit", self.edit_view),
            ("<path:object_id>/completion.csv", "governance_lesson_completion", self.completion_view),
        )

    def edit_view(
        self, request: HttpRequest, object_id: str | None = None, model_admin: Any = None
    ) -> HttpResponse:
        """The form of a lesson. Adding and taking away rows posts the form and writes nothing; saving calls the service."""
        lesson = self.object_or_404(request, object_id) if object_id is not None else None
        if not self.has_view_permission(request) or not self.actor(request).has_role(Role.ANALYST):
            raise PermissionDenied
        if request.method not in {"GET", "POST"}:
            return HttpResponseNotAllowed(["GET", "POST"])
        errors: list[dict[str, Any]] = []
        focus, status = "", 200
        if request.method == "GET":
            draft = editor.draft_of(lesson, seen=fingerprint(lesson)) if lesson else editor.Draft()
        else:
            draft = editor.draft_from(request.POST, request.POST.getlist("language"))
            draft.code = lesson.code if lesson else draft.code
            wish = request.POST.get("do", "save")
            try:
                if wish == "save":
                    saved = self._save(self.actor(request), draft)
                    messages.success(request, now_("The lesson is saved."))
                    return HttpResponseRedirect(admin_url(saved))
                focus = editor.changed(draft, wish)
            except DomainError as refusal:
                errors = refusal.errors or [{"field": "", "message": refusal.message}]
                # htmx swaps nothing in on an error status.
                status = 200 if request.headers.get("HX-Request") else refusal.status
        context = {
            **self.admin_site.each_context(request),
            "title": now_("Edit %s") % lesson.code if lesson else now_("New lesson"),
            "opts": self.opts,
            "lesson": lesson,
            "draft": draft,
            "texts": editor.texts_of(draft),
            "questions": editor.questions_of(draft),
            "most_questions": MOST_QUESTIONS,
            "most_options": MOST_OPTIONS,
            "rules": Rule.objects.order_by("code").values_list("code", "name"),
            "errors": errors,
            "wrong": {error.get("field") for error in errors},
            "focus": focus,
            "back": admin_url(lesson) if lesson else list_url(Lesson),
        }
        return TemplateResponse(request, "admin/console/lesson_editor.html", context, status=status)

    def _save(self, actor: Actor, draft: editor.Draft) -> Lesson:
        rule = Rule.objects.filter(code=draft.rule).first() if draft.rule else None
        if draft.rule and rule is None:
            raise NotFound(now_("There is no such rule."), field="rule")
        terms = draft.terms()
        if not draft.code:
            raise InvalidInput(now_("Give the lesson a code."), field="code")
        return lesson_save(
            actor=actor,
            code=draft.code,
            title=draft.title,
            body=draft.body,
            rule=rule,
            questions=draft.quiz(),
            seen=draft.seen,
            **terms,
        )

    def completion_view(
        self, request: HttpRequest, object_id: str, model_admin: Any = None
    ) -> HttpResponseBase:
        """Every guild within reach with what it has done, as CSV."""
        lesson = self.object_or_404(request, object_id)
        return csv_response(
            f"lesson-{lesson.code}-{dt.datetime.now(dt.UTC):%Y%m%d-%H%M}",
            sections.csv_of(lesson, self.actor(request)),
        )
