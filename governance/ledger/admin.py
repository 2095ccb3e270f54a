"""The ledger in the console: read, searched, and checked; nothing here writes."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from governance.ledger.models import Event, EventSeal
from guilds.accounts.actor import Actor
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import in_markets, moment_column
from guilds.console.page import Badge, Fact, Prose, Section, Table, link_to, pretty, shown


@admin.register(Event)
class EventAdmin(ConsoleAdmin[Event]):
    intro = _("Who did what to which object, when and why. Append-only and sealed in a chain of hashes.")
    list_display = (
        moment_column("at", _("when")),
        "act",
        "object_shown",
        "actor_shown",
        "guild",
        "reason_shown",
    )
    list_select_related = ("guild",)
    list_filter = (("actor_kind", ChoicesDropdownFilter), ("at", RangeDateTimeFilter))
    search_fields = ("act",)
    search_help_text = _("An object's id, an act such as penalty.applied, or an actor's e-mail")
    object_related = ("guild", "market")
    ordering = ("-id",)
    change_list_template = "admin/console/ledger.html"

    def visible(self, actor: Actor) -> QuerySet[Event]:
        return in_markets(Event.objects.all(), actor)

    def matching(self, term: str) -> Q:
        if "@" in term:
            return Q(actor_label__iexact=term)
        return Q(object_id=term) | Q(act=term.lower()) | Q(actor_id=term) | Q(request_id=term)

    @display(description=_("object"))
    def object_shown(self, event: Event) -> str:
        short = event.object_id if len(event.object_id) <= 24 else f"{event.object_id[:13]}…"
        return f"{event.object_type.replace('_', ' ')} {short}"

    @display(description=_("actor"))
    def actor_shown(self, event: Event) -> str:
        return event.actor_label

    @display(description=_("reason"))
    def reason_shown(self, event: Event) -> str:
        return event.reason[:80]

    def headline(self, event: Event) -> str:
        return f"{event.act} · {event.object_type} {event.object_id}"

    def badge(self, event: Event) -> Badge:
        seal = EventSeal.objects.filter(event_id=event.pk).first()
        return Badge(_("Sealed"), "success") if seal else Badge(_("Not sealed yet"), "warning")

    def facts(self, event: Event, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("When"), event.at),
            Fact(_("Who"), f"{event.actor_label} ({event.get_actor_kind_display()})"),
            Fact(_("Guild"), link_to(event.guild)),
            Fact(_("Market"), event.market),
            Fact(_("Request or task"), event.request_id),
            Fact(_("Number"), f"{event.transaction} / {event.pk}"),
        )

    def sections(self, event: Event, request: HttpRequest) -> Sequence[Section]:
        names = sorted({*event.before, *event.after})
        rows = [[name, pretty(event.before.get(name)), pretty(event.after.get(name))] for name in names]
        sections = [
            Section(
                _("What changed"), Table([_("Field"), _("Before"), _("After")], rows, empty=_("No fields."))
            )
        ]
        if event.reason:
            sections.insert(0, Section(_("Reason"), Prose(event.reason)))
        seal = EventSeal.objects.filter(event_id=event.pk).first()
        if seal:
            sealed = (
                Fact(_("Place in the chain"), seal.sequence),
                Fact(_("Sealed"), seal.sealed_at),
                Fact(_("SHA-256"), bytes(seal.digest).hex()),
            )
            sections.append(Section(_("Seal"), sealed))
        return sections

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "chain": chain_facts()})


def chain_facts() -> Sequence[Fact]:
    """How far the chain reaches, from its ends alone: recomputing all of it is the work of `manage.py verify_ledger`."""
    head = EventSeal.objects.order_by("-sequence").first()
    if head is None:
        return (Fact(_("Chain"), Badge(_("Nothing sealed yet"), "warning")),)
    waiting = Event.objects.filter(pk__gt=head.event_id).order_by()[:1_001].count()
    behind: Badge | str = Badge(_("Up to date"), "success")
    if waiting:
        behind = Badge(_("%(count)s waiting") % {"count": "1,000+" if waiting > 1_000 else waiting}, "info")
    return (
        Fact(_("Sealed events"), f"{head.sequence:,}"),
        Fact(_("Latest seal"), head.sealed_at),
        Fact(_("Unsealed"), shown(behind)),
        Fact(_("Head (SHA-256)"), bytes(head.digest).hex()),
    )
