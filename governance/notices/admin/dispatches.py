"""System › Mail: what left by mail, to where, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from governance.notices.enums import DispatchStatus
from governance.notices.mail import message_id, text_of
from governance.notices.models import Dispatch
from governance.notices.selectors import dispatches_visible_to
from governance.notices.services import dispatch_retry
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column, of_guild
from guilds.console.page import Badge, Fact, Prose, Section, Table, Variant, link_to, shown

DISPATCH_VARIANTS: dict[str, Variant] = {
    DispatchStatus.PENDING: "info",
    DispatchStatus.SENT: "default",
    DispatchStatus.RECEIVED: "success",
    DispatchStatus.FAILED: "danger",
    DispatchStatus.CANCELLED: "default",
}


def dispatch_badge(dispatch: Dispatch) -> Badge:
    return Badge(dispatch.get_status_display(), DISPATCH_VARIANTS[dispatch.status])


def dispatch_table(dispatches: Iterable[Dispatch]) -> Table:
    """Dispatches with their notices loaded, one a row."""
    rows = [
        [
            link_to(dispatch, dispatch.address),
            link_to(dispatch.notice),
            dispatch_badge(dispatch),
            dispatch.attempts,
            dispatch.sent_at,
            dispatch.received_at,
            dispatch.error,
        ]
        for dispatch in dispatches
    ]
    headers = [_("To"), _("Notice"), _("Status"), _("Tries"), _("Handed over"), _("Confirmed"), _("Error")]
    return Table(headers, rows, empty=_("Nothing was sent by mail."))


def has_failed(dispatch: Dispatch) -> bool:
    return dispatch.status == DispatchStatus.FAILED


@admin.register(Dispatch)
class DispatchAdmin(ConsoleAdmin[Dispatch]):
    intro = _(
        "Notices on their way by mail. Handed over: a mail server took it. Received: somebody pressed the link in it. The portal "
        "has every notice in any case."
    )
    list_display = (
        "address",
        "about",
        "guild",
        "status_shown",
        "attempts",
        moment_column("sent_at", _("handed over")),
        moment_column("created_at", _("made")),
    )
    list_select_related = ("notice__guild",)
    list_filter = (("status", ChoicesDropdownFilter),)
    search_fields = ("address",)
    search_help_text = _("A guild's id or name, the whole address, or the mail's id")
    object_related = ("notice__guild__market", "contact")
    ordering = ("-id",)
    actions_detail = ("send_again",)
    bulk_acts = ("send_again",)

    def visible(self, actor: Actor) -> QuerySet[Dispatch]:
        return dispatches_visible_to(actor)

    def matching(self, term: str) -> Q:
        return of_guild(term, "notice__guild") | Q(address__iexact=term) | by_public_id(term)

    @display(description=_("notice"))
    def about(self, dispatch: Dispatch) -> str:
        return dispatch.notice.subject

    @display(description=_("guild"))
    def guild(self, dispatch: Dispatch) -> str:
        return str(dispatch.notice.guild)

    @display(description=_("status"), ordering="status")
    def status_shown(self, dispatch: Dispatch) -> str:
        return shown(dispatch_badge(dispatch))

    def headline(self, dispatch: Dispatch) -> str:
        return f"{dispatch.address} · {dispatch.notice.subject}"

    def badge(self, dispatch: Dispatch) -> Badge:
        return dispatch_badge(dispatch)

    def facts(self, dispatch: Dispatch, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Notice"), link_to(dispatch.notice)),
            Fact(_("Guild"), link_to(dispatch.notice.guild)),
            Fact(_("To"), dispatch.address),
            Fact(_("As"), link_to(dispatch.contact) or _("an owner of the guild")),
            Fact(_("Tries"), dispatch.attempts),
            Fact(_("Next try"), dispatch.next_attempt_at),
            Fact(_("Handed over"), dispatch.sent_at),
            Fact(_("Confirmed by the reader"), dispatch.received_at),
            Fact(_("Message-ID"), dispatch.receipt or message_id(dispatch)),
            Fact(_("Last error"), dispatch.error),
        )

    def sections(self, dispatch: Dispatch, request: HttpRequest) -> Sequence[Section]:
        # The link itself stays with the reader: whoever presses it says that the mail has arrived.
        text = text_of(dispatch, receipt_url=now_("[the reader's own link]"))
        return (
            Section(_("Subject"), Prose(dispatch.notice.subject)),
            Section(_("Text"), Prose(text), note=_("As it is sent; the same as simple HTML beside it.")),
        )

    @act(
        label=_("Send again"),
        question=_("It is tried from the first rung again, under the same Message-ID."),
        done=_("It is on its way again."),
        roles=(Role.ADMIN, Role.ENFORCER),
        when=has_failed,
        icon="forward_to_inbox",
    )
    def send_again(self, actor: Actor, dispatch: Dispatch, values: Mapping[str, Any]) -> Answer:
        dispatch_retry(actor=actor, dispatch_id=dispatch.pk, reason=values["reason"])
        return None
