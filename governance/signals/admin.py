"""Signals as they came in, and those that wait because they name nobody we know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.signals.enums import QuarantineStatus
from governance.signals.models import QuarantinedSignal, Signal, SignalKey
from governance.signals.selectors import quarantine_visible_to
from governance.signals.services import quarantine_discard, quarantine_retry
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, DialogForm, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import in_markets, moment_column, of_guild
from guilds.console.page import (
    Badge,
    Fact,
    Section,
    Table,
    Variant,
    admin_url,
    link_to,
    list_url,
    pretty,
    shown,
)

QUARANTINE_VARIANTS: dict[str, Variant] = {
    QuarantineStatus.WAITING: "warning",
    QuarantineStatus.RELEASED: "success",
    QuarantineStatus.DISCARDED: "default",
}

#: Waiting signals tried in one go from a page; the sweep takes care of the rest.
RETRIED_AT_ONCE = 1_000


@admin.register(Signal)
class SignalAdmin(ConsoleAdmin[Signal]):
    intro = _(
        "Facts as detectors, integrations, reports and audits sent them, by the time at which they happened."
    )
    list_display = (
        moment_column("time", _("happened")),
        "type",
        "guild",
        "creator",
        "market",
        "source",
        "event_id",
    )
    list_select_related = ("guild", "creator", "market", "source")
    list_filter = (
        ("market", RelatedDropdownFilter),
        ("source", RelatedDropdownFilter),
        ("time", RangeDateTimeFilter),
    )
    search_fields = ("event_id",)
    search_help_text = _("A guild's id or name, a signal's number, or an exact signal type")
    object_related = ("guild", "creator", "market", "source", "named_guild")
    ordering = ("-time", "-id")
    # Sorting by anything else would read the whole table.
    sortable_by = ()

    def visible(self, actor: Actor) -> QuerySet[Signal]:
        return in_markets(Signal.objects.all(), actor)

    def matching(self, term: str) -> Q:
        if term.isdecimal() and len(term) < 19:
            return Q(pk=int(term)) | of_guild(term)
        return Q(type=term) if "." in term and " " not in term else of_guild(term)

    def headline(self, signal: Signal) -> str:
        return f"{signal.type} · {signal.event_id}"

    def facts(self, signal: Signal, request: HttpRequest) -> Sequence[Fact]:
        facts = [
            Fact(_("Happened"), signal.time),
            Fact(_("Received"), signal.received_at),
            Fact(_("Source"), signal.source.uri),
            Fact(_("Charged guild"), link_to(signal.guild)),
            Fact(_("Creator"), link_to(signal.creator)),
            Fact(_("Market"), signal.market),
        ]
        if signal.named_guild_id and signal.named_guild_id != signal.guild_id:
            # The other guild may be outside the reader's markets: its id only, no link.
            facts.append(
                Fact(
                    _("Guild named by the sender"),
                    signal.named_guild.external_id if signal.named_guild else "",
                )
            )
        return facts

    def sections(self, signal: Signal, request: HttpRequest) -> Sequence[Section]:
        found = SignalKey(pk=signal.pk).detections.select_related("version__rule", "violation__guild")
        rows = [
            [link_to(row.version), row.get_mode_display(), row.get_outcome_display(), link_to(row.violation)]
            for row in found.order_by("id")[:100]
        ]
        headers = [_("Rule version"), _("Mode"), _("What came of it"), _("Violation")]
        return (
            Section(_("Detections"), Table(headers, rows, empty=_("No rule matched it."))),
            Section(_("Data"), pretty(signal.data)),
        )


@admin.register(QuarantinedSignal)
class QuarantinedSignalAdmin(ConsoleAdmin[QuarantinedSignal]):
    intro = _(
        "Accepted signals that name nobody we know. Tried again whenever the registry learns something."
    )
    list_display = (
        "event_shown",
        "status_shown",
        "reason",
        "refs_shown",
        "received_at",
        "attempts",
        "last_attempt_at",
    )
    list_select_related = ("key",)
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("reason", ChoicesDropdownFilter),
        ("received_at", RangeDateTimeFilter),
    )
    search_fields = ("guild_ref",)
    search_help_text = _("The guild, creator or market named, or the signal's id")
    object_related = ("key__source", "client")
    ordering = ("-received_at",)
    actions_detail = ("retry", "discard")
    bulk_acts = ("discard",)
    actions_list = ("retry_all",)

    def visible(self, actor: Actor) -> QuerySet[QuarantinedSignal]:
        return quarantine_visible_to(actor)

    def matching(self, term: str) -> Q:
        refs = Q(guild_ref=term) | Q(creator_ref=term) | Q(market_ref__iexact=term)
        return refs | Q(key__event_id=term)

    @display(description=_("signal"))
    def event_shown(self, row: QuarantinedSignal) -> str:
        return f"{row.event.get('type', '?')} · {row.key.event_id}"

    @display(description=_("status"), ordering="status")
    def status_shown(self, row: QuarantinedSignal) -> str:
        return shown(self.badge(row))

    @display(description=_("names"))
    def refs_shown(self, row: QuarantinedSignal) -> str:
        named = ((_("guild"), row.guild_ref), (_("creator"), row.creator_ref), (_("market"), row.market_ref))
        return ", ".join(f"{label} {ref}" for label, ref in named if ref)

    def headline(self, row: QuarantinedSignal) -> str:
        return str(self.event_shown(row))

    def badge(self, row: QuarantinedSignal) -> Badge:
        return Badge(row.get_status_display(), QUARANTINE_VARIANTS[row.status])

    def facts(self, row: QuarantinedSignal, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Why it waits"), row.get_reason_display()),
            Fact(_("Guild named"), row.guild_ref),
            Fact(_("Creator named"), row.creator_ref),
            Fact(_("Market named"), row.market_ref),
            Fact(_("Sent by"), row.client),
            Fact(_("Received"), row.received_at),
            Fact(_("Tried"), row.attempts),
            Fact(_("Last tried"), row.last_attempt_at),
            Fact(_("Settled"), row.settled_at),
        )

    def sections(self, row: QuarantinedSignal, request: HttpRequest) -> Sequence[Section]:
        return [Section(_("The signal as received"), pretty(row.event))]

    @act(
        label=_("Try again now"),
        question=_("Everything that waits is tried against the registry as it is now."),
        roles=(Role.ADMIN,),
        form=DialogForm,
        when=lambda row: row.status == QuarantineStatus.WAITING,
        icon="refresh",
        variant=ActionVariant.PRIMARY,
    )
    def retry(self, actor: Actor, row: QuarantinedSignal, values: Mapping[str, Any]) -> Answer:
        quarantine_retry(actor=actor, limit=RETRIED_AT_ONCE)
        return admin_url(row)

    @act(
        label=_("Try everything again"),
        question=_("Everything that waits is tried against the registry as it is now."),
        done=_("Everything that waits was tried again."),
        roles=(Role.ADMIN,),
        form=DialogForm,
        icon="refresh",
    )
    def retry_all(self, actor: Actor, obj: None, values: Mapping[str, Any]) -> Answer:
        quarantine_retry(actor=actor, limit=RETRIED_AT_ONCE)
        return list_url(QuarantinedSignal)

    @act(
        label=_("Discard"),
        question=_("The signal will never be counted. This cannot be undone."),
        done=_("The signal was discarded."),
        roles=(Role.ADMIN,),
        when=lambda row: row.status == QuarantineStatus.WAITING,
        icon="delete",
        variant=ActionVariant.DANGER,
    )
    def discard(self, actor: Actor, row: QuarantinedSignal, values: Mapping[str, Any]) -> Answer:
        quarantine_discard(actor=actor, key_id=row.pk, reason=values["reason"])
        return None
