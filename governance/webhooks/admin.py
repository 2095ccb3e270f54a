"""Webhooks: who is told about events, and what became of each delivery."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from governance.webhooks.enums import DeliveryStatus
from governance.webhooks.models import Delivery, Endpoint
from guilds.accounts.actor import Actor
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, in_markets, moment_column
from guilds.console.page import Badge, Fact, Link, Section, Table, Variant, link_to, list_url, shown

DELIVERY_VARIANTS: dict[str, Variant] = {
    DeliveryStatus.PENDING: "info",
    DeliveryStatus.DELIVERED: "success",
    DeliveryStatus.FAILED: "danger",
}


def delivery_badge(delivery: Delivery) -> Badge:
    return Badge(delivery.get_status_display(), DELIVERY_VARIANTS[delivery.status])


@admin.register(Endpoint)
class EndpointAdmin(ConsoleAdmin[Endpoint]):
    intro = _("Receivers of events by Standard Webhooks. A secret is shown once, when the endpoint is made.")
    list_display = ("name", "url", "types_shown", "active_shown", moment_column("created_at", _("made")))
    search_fields = ("name",)
    ordering = ("name",)

    def matching(self, term: str) -> Q:
        return Q(name__icontains=term) | Q(url__icontains=term)

    @display(description=_("types"))
    def types_shown(self, endpoint: Endpoint) -> str:
        return shown([Badge(kind) for kind in endpoint.types])

    @display(description=_("active"), ordering="is_active")
    def active_shown(self, endpoint: Endpoint) -> str:
        return shown(self.badge(endpoint))

    def badge(self, endpoint: Endpoint) -> Badge:
        if endpoint.is_active:
            return Badge(_("Active"), "success")
        return Badge(_("Disabled") if endpoint.disabled_reason else _("Paused"), "warning")

    def facts(self, endpoint: Endpoint, request: HttpRequest) -> Sequence[Fact]:
        facts = [
            Fact(_("Address"), endpoint.url),
            Fact(_("Types"), [Badge(kind) for kind in endpoint.types]),
            Fact(_("May be a private address"), endpoint.allow_private),
            Fact(_("Reached in the ledger"), f"{endpoint.last_transaction} / {endpoint.last_event}"),
            Fact(_("Made"), endpoint.created_at),
        ]
        if endpoint.disabled_reason:
            facts.append(Fact(_("Why it is disabled"), endpoint.disabled_reason))
        return facts

    def sections(self, endpoint: Endpoint, request: HttpRequest) -> Sequence[Section]:
        rows = [
            [
                link_to(row, row.event.act),
                delivery_badge(row),
                row.attempts,
                row.response_status,
                row.error,
                row.created_at,
            ]
            for row in endpoint.deliveries.select_related("event").order_by("-id")[:20]
        ]
        headers = [_("Event"), _("Status"), _("Tries"), _("Answer"), _("Error"), _("Made")]
        more = Link(_("Every delivery"), list_url(Delivery, f"endpoint__id__exact={endpoint.pk}"))
        return [
            Section(
                _("Latest deliveries"), Table(headers, rows, more=more, empty=_("Nothing delivered yet."))
            )
        ]


@admin.register(Delivery)
class DeliveryAdmin(ConsoleAdmin[Delivery]):
    intro = _(
        "Each event on its way to each endpoint: tried again over a day, then failed until somebody tries it anew."
    )
    list_display = (
        "event_shown",
        "endpoint",
        "status_shown",
        "attempts",
        "response_status",
        "next_attempt_at",
        "created_at",
    )
    list_select_related = ("event", "endpoint")
    list_filter = (("status", ChoicesDropdownFilter), ("endpoint", RelatedDropdownFilter))
    search_fields = ("public_id",)
    search_help_text = _("The delivery's id, or the number or object id of its event")
    object_related = ("event__guild", "endpoint")
    ordering = ("-id",)

    def visible(self, actor: Actor) -> QuerySet[Delivery]:
        return in_markets(Delivery.objects.all(), actor, "event__market_id")

    def matching(self, term: str) -> Q:
        found = by_public_id(term) | Q(event__object_id=term)
        return found | Q(event_id=int(term)) if term.isdecimal() and len(term) < 19 else found

    @display(description=_("event"))
    def event_shown(self, delivery: Delivery) -> str:
        return delivery.event.act

    @display(description=_("status"), ordering="status")
    def status_shown(self, delivery: Delivery) -> str:
        return shown(delivery_badge(delivery))

    def badge(self, delivery: Delivery) -> Badge:
        return delivery_badge(delivery)

    def facts(self, delivery: Delivery, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Event"), link_to(delivery.event)),
            Fact(_("Endpoint"), link_to(delivery.endpoint)),
            Fact(_("Guild"), link_to(delivery.event.guild)),
            Fact(_("Tries"), delivery.attempts),
            Fact(_("Next try"), delivery.next_attempt_at),
            Fact(_("Answer"), delivery.response_status),
            Fact(_("Delivered"), delivery.delivered_at),
            Fact(_("Error"), delivery.error),
        )
