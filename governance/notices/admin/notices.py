"""Notices as they were issued, by which ways they went out, and whether they reached anybody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from governance.notices.admin.dispatches import dispatch_table
from governance.notices.models import Notice
from governance.notices.selectors import deliveries_of, notices_visible_to, unaddressed, unreached
from guilds.accounts.actor import Actor
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column, of_guild
from guilds.console.page import Badge, Fact, Prose, Section, Table, link_to, pretty, shown


class ReachFilter(DropdownFilter):
    title = _("reach")
    parameter_name = "reach"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return (
            ("nobody", _("Every mail failed and nobody opened it")),
            ("no_address", _("There was no address, and nobody opened it")),
        )

    def queryset(self, request: HttpRequest, queryset: QuerySet[Notice]) -> QuerySet[Notice]:
        if self.value() == "nobody":
            return unreached(queryset, timezone.now())
        return unaddressed(queryset) if self.value() == "no_address" else queryset


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
    list_filter = (ReachFilter, ("kind", ChoicesDropdownFilter), ("issued_at", RangeDateTimeFilter))
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
            *self._ways(notice),
            Section(_("Statement of reasons as fields"), pretty(notice.statement)),
        )

    def _ways(self, notice: Notice) -> Sequence[Section]:
        """Portal, mail and webhooks, each with its receipt."""
        mails = notice.dispatches.select_related("notice").order_by("pk")
        deliveries = [
            [
                link_to(row, row.endpoint.name),
                row.get_status_display(),
                row.attempts,
                row.delivered_at,
                row.error,
            ]
            for row in deliveries_of(notice)[:50]
        ]
        portal = (
            Fact(_("There since"), notice.issued_at),
            Fact(_("Opened by the guild"), notice.read_at or _("not yet")),
        )
        headers = [_("Endpoint"), _("Status"), _("Tries"), _("Delivered"), _("Error")]
        nothing = _("No endpoint asks for notices, or none has been told yet.")
        return (
            Section(_("In the portal"), portal),
            Section(_("By mail"), dispatch_table(mails)),
            Section(_("By webhook"), Table(headers, deliveries, empty=nothing)),
        )
