"""Lessons for guilds, and who has acknowledged them."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from governance.education.models import Lesson
from governance.education.selectors import in_language
from guilds.accounts.actor import Actor
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import in_markets
from guilds.console.page import Badge, Fact, Prose, Section, Table, link_to, shown


@admin.register(Lesson)
class LessonAdmin(ConsoleAdmin[Lesson]):
    intro = _("What guilds are taught about a rule, in their language, and asked to acknowledge.")
    list_display = ("code", "title_shown", "rule", "languages_shown", "published_shown")
    list_select_related = ("rule",)
    search_fields = ("code",)
    object_related = ("rule",)
    ordering = ("code",)

    def visible(self, actor: Actor) -> QuerySet[Lesson]:
        return Lesson.objects.all()

    def matching(self, term: str) -> Q:
        return Q(code__istartswith=term) | Q(rule__code__istartswith=term)

    @display(description=_("title"))
    def title_shown(self, lesson: Lesson) -> str:
        return in_language(lesson.title, "en")[1]

    @display(description=_("languages"))
    def languages_shown(self, lesson: Lesson) -> str:
        return ", ".join(sorted(lesson.title))

    @display(description=_("published"), ordering="published_at")
    def published_shown(self, lesson: Lesson) -> str:
        return shown(self.badge(lesson))

    def headline(self, lesson: Lesson) -> str:
        return in_language(lesson.title, "en")[1] or lesson.code

    def badge(self, lesson: Lesson) -> Badge:
        return Badge(_("Published"), "success") if lesson.published_at else Badge(_("Draft"))

    def facts(self, lesson: Lesson, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Code"), lesson.code),
            Fact(_("About"), link_to(lesson.rule)),
            Fact(_("Published"), lesson.published_at),
        )

    def sections(self, lesson: Lesson, request: HttpRequest) -> Sequence[Section]:
        done = in_markets(lesson.completions.all(), self.actor(request), "guild__market_id")
        rows = [
            [link_to(row.guild), row.user, row.completed_at]
            for row in done.select_related("guild", "user").order_by("-completed_at")[:50]
        ]
        texts = [
            Section(f"{lesson.title.get(language, lesson.code)} ({language})", Prose(text))
            for language, text in sorted(lesson.body.items())
        ]
        completions = Table([_("Guild"), _("By"), _("When")], rows, empty=_("Nobody yet."))
        return (*texts, Section(_("Acknowledged by"), completions, note=_("The latest 50.")))
