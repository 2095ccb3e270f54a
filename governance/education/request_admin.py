"""What guilds were asked to learn, and their goes at quizzes, as lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display

from governance.education.enums import AssignmentSource
from governance.education.models import Assignment, Attempt
from governance.education.sections import state_badge
from governance.education.selectors import OPEN, assignments_visible_to, attempts_visible_to
from governance.education.services import assignment_cancel
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column, of_guild
from guilds.console.page import Badge, Fact, link_to, shown


class StateFilter(DropdownFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("open", _("Still to do")),
            ("overdue", _("Overdue")),
            ("done", _("Done")),
            ("cancelled", _("Cancelled")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Assignment]) -> QuerySet[Assignment]:
        states = {
            "open": OPEN,
            "overdue": OPEN & Q(due_at__lt=timezone.now()),
            "done": Q(completed_at__isnull=False, cancelled_at__isnull=True),
            "cancelled": Q(cancelled_at__isnull=False),
        }
        wanted = states.get(self.value() or "")
        return queryset if wanted is None else queryset.filter(wanted)


def may_be_cancelled(assignment: Assignment) -> bool:
    standing = assignment.completed_at is None and assignment.cancelled_at is None
    return standing and assignment.source != AssignmentSource.PENALTY


@admin.register(Assignment)
class AssignmentAdmin(ConsoleAdmin[Assignment]):
    intro = _("Lessons guilds were asked to do: by staff, before a launch, or as part of a penalty.")
    list_display = (
        "lesson_shown",
        "guild",
        "market_shown",
        "source",
        "state_shown",
        moment_column("assigned_at", _("asked")),
        moment_column("due_at", _("due")),
        moment_column("completed_at", _("done")),
        "reminders",
    )
    list_select_related = ("lesson", "guild__market")
    list_filter = (
        StateFilter,
        ("lesson", RelatedDropdownFilter),
        ("source", ChoicesDropdownFilter),
        ("guild__market", RelatedDropdownFilter),
        ("due_at", RangeDateTimeFilter),
    )
    search_fields = ("guild__external_id",)
    search_help_text = _("A guild's id or name, or a lesson's code")
    object_related = ("lesson__rule", "guild__market")
    ordering = ("-id",)
    actions_detail = ("cancel",)
    bulk_acts = ("cancel",)

    def visible(self, actor: Actor) -> QuerySet[Assignment]:
        return assignments_visible_to(actor)

    def matching(self, term: str) -> Q:
        return by_public_id(term) | Q(lesson__code__istartswith=term) | of_guild(term)

    @display(description=_("lesson"), ordering="lesson__code")
    def lesson_shown(self, assignment: Assignment) -> str:
        return assignment.lesson.code

    @display(description=_("market"), ordering="guild__market__code")
    def market_shown(self, assignment: Assignment) -> str:
        return assignment.guild.market.code

    @display(description=_("state"))
    def state_shown(self, assignment: Assignment) -> str:
        return shown(self.badge(assignment))

    def headline(self, assignment: Assignment) -> str:
        return f"{assignment.lesson.code} · {assignment.guild}"

    def badge(self, assignment: Assignment) -> Badge:
        return state_badge(assignment, timezone.now())

    def facts(self, assignment: Assignment, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Lesson"), link_to(assignment.lesson)),
            Fact(_("Guild"), link_to(assignment.guild)),
            Fact(_("Market"), link_to(assignment.guild.market)),
            Fact(_("Why"), assignment.get_source_display()),
            Fact(_("Of"), assignment.source_id),
            Fact(_("Asked"), assignment.assigned_at),
            Fact(_("Due"), assignment.due_at),
            Fact(_("Done"), assignment.completed_at),
            Fact(_("Cancelled"), assignment.cancelled_at),
            Fact(_("Reminders sent"), assignment.reminders),
            Fact(_("Last reminder"), assignment.reminded_at),
            Fact(_("Id"), str(assignment.public_id)),
        )

    @act(
        label=_("Cancel"),
        question=_("The guild need not do the lesson. One that belongs to a penalty ends with the penalty."),
        done=_("It is cancelled."),
        roles=(Role.ANALYST,),
        when=may_be_cancelled,
        icon="block",
    )
    def cancel(self, actor: Actor, assignment: Assignment, values: Mapping[str, Any]) -> Answer:
        assignment_cancel(actor=actor, assignment_id=assignment.pk, reason=values["reason"])
        return None


@admin.register(Attempt)
class AttemptAdmin(ConsoleAdmin[Attempt]):
    intro = _("Every go at a quiz. Never changed.")
    list_display = (
        "lesson",
        "guild",
        "market_shown",
        "user",
        "right",
        "asked",
        "passed",
        "language",
        moment_column("created_at", _("when")),
    )
    list_select_related = ("lesson", "guild__market", "user")
    list_filter = (
        ("lesson", RelatedDropdownFilter),
        "passed",
        ("guild__market", RelatedDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    )
    search_fields = ("guild__external_id",)
    search_help_text = _("A guild's id or name, or a lesson's code")
    object_related = ("lesson__rule", "guild__market", "user")
    ordering = ("-id",)

    def visible(self, actor: Actor) -> QuerySet[Attempt]:
        return attempts_visible_to(actor)

    def matching(self, term: str) -> Q:
        return Q(lesson__code__istartswith=term) | of_guild(term)

    @display(description=_("market"), ordering="guild__market__code")
    def market_shown(self, attempt: Attempt) -> str:
        return attempt.guild.market.code

    def headline(self, attempt: Attempt) -> str:
        return f"{attempt.lesson.code} · {attempt.guild}"

    def badge(self, attempt: Attempt) -> Badge:
        return Badge(_("Passed"), "success") if attempt.passed else Badge(_("Failed"), "warning")

    def facts(self, attempt: Attempt, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Lesson"), link_to(attempt.lesson)),
            Fact(_("Guild"), link_to(attempt.guild)),
            Fact(_("By"), attempt.user),
            Fact(_("Right"), f"{attempt.right}/{attempt.asked}"),
            Fact(_("Language"), attempt.language),
            Fact(_("When"), attempt.created_at),
        )
