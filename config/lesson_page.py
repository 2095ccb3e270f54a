"""The page of a lesson with what stands above it: what became of the guilds that did it."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from governance.education.admin import LessonAdmin
from governance.education.enums import AssignmentSource
from governance.insights.lesson_effect import DAYS, lesson_effect
from governance.models import Lesson
from guilds.accounts.actor import Actor
from guilds.console.page import Section, Tab, Table

TAB = "afterwards"


class LessonPage(LessonAdmin):
    def tabs(self, lesson: Lesson) -> Sequence[Tab]:
        known = super().tabs(lesson)
        return (*known, Tab(TAB, _("Afterwards"))) if lesson.rule_id else known

    def sections(self, lesson: Lesson, request: HttpRequest) -> Sequence[Section]:
        if self.current_tab(lesson, request) == TAB:
            return [afterwards(lesson, self.actor(request))]
        return super().sections(lesson, request)


def afterwards(lesson: Lesson, actor: Actor) -> Section:
    """Counts before and after, for guilds that did the lesson and guilds that were asked and did not."""
    rows = [
        [
            AssignmentSource(group.source).label,
            _("Done") if group.done else _("Asked, not done"),
            group.guilds,
            group.waiting,
            f"{group.violations_before} → {group.violations_after}",
            f"{group.guilds_before} → {group.guilds_after}",
            f"{group.hours_before:,.0f} → {group.hours_after:,.0f}",
        ]
        for group in lesson_effect(actor=actor, lesson_id=lesson.pk)
    ]
    headers = [
        _("Why"),
        _("Guilds that have"),
        _("Guilds"),
        _("Too recent to count"),
        _("Violations of the rule"),
        _("Guilds with any"),
        _("Live hours"),
    ]
    note = _(
        "%(days)s days before → %(days)s days after the lesson was done or asked for. Facts, not an effect: guilds that do a"
        " lesson differ from those that do not."
    ) % {"days": DAYS}
    return Section(
        _("What became of the guilds"), Table(headers, rows, empty=_("Nobody did it yet.")), note=note
    )
