"""Notices as they were sent, and the wording they are made from."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from governance.notices.models import Notice, Template
from governance.notices.selectors import notices_visible_to
from guilds.accounts.actor import Actor
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column, of_guild
from guilds.console.page import Badge, Fact, Prose, Section, Table, link_to, pretty, shown


@admin.register(Notice)
class NoticeAdmin(ConsoleAdmin[Notice]):
    intro = _("Statements of reasons and other messages to guilds, word for word as they were sent.")
    list_display = (
        "subject",
        "guild",
        "kind",
        "language",
        moment_column("issued_at", _("issued")),
        "read_shown",
    )
    list_select_related = ("guild",)
    list_filter = (("kind", ChoicesDropdownFilter), ("issued_at", RangeDateTimeFilter))
    search_fields = ("guild__external_id",)
    search_help_text = _("A guild's id or name, or the notice's id")
    object_related = ("guild__market",)
    ordering = ("-id",)

    def visible(self, actor: Actor) -> QuerySet[Notice]:
        return notices_visible_to(actor)

    def matching(self, term: str) -> Q:
        return of_guild(term) | by_public_id(term)

    @display(description=_("read"), ordering="read_at")
    def read_shown(self, notice: Notice) -> str:
        return shown(self.badge(notice))

    def badge(self, notice: Notice) -> Badge:
        return Badge(_("Read"), "success") if notice.read_at else Badge(_("Not read yet"))

    def facts(self, notice: Notice, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Guild"), link_to(notice.guild)),
            Fact(_("Kind"), notice.get_kind_display()),
            Fact(_("Language"), notice.language),
            Fact(_("Issued"), notice.issued_at),
            Fact(_("Appeal until"), notice.appeal_by),
            Fact(_("Read by the guild"), notice.read_at),
        )

    def sections(self, notice: Notice, request: HttpRequest) -> Sequence[Section]:
        penalties = [
            [link_to(penalty), penalty.get_status_display()]
            for penalty in notice.penalties.select_related("guild")
        ]
        return (
            Section(_("Wording"), Prose(notice.body), note=_("Fixed when it was issued.")),
            Section(_("Penalties it tells of"), Table([_("Penalty"), _("Status")], penalties)),
            Section(_("Statement of reasons as fields"), pretty(notice.statement)),
        )


@admin.register(Template)
class TemplateAdmin(ConsoleAdmin[Template]):
    intro = _(
        "Wordings by kind and language. Where a guild's language has none, the next of its market is taken."
    )
    list_display = ("kind", "language", "subject", moment_column("updated_at", _("changed")))
    list_filter = (("kind", ChoicesDropdownFilter),)
    search_fields = ("language",)
    ordering = ("kind", "language")

    def matching(self, term: str) -> Q:
        return Q(language__iexact=term) | Q(subject__icontains=term)

    def sections(self, template: Template, request: HttpRequest) -> Sequence[Section]:
        return (Section(_("Subject"), Prose(template.subject)), Section(_("Body"), Prose(template.body)))
