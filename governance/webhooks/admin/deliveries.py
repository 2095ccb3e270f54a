"""Deliveries: each event on its way to each endpoint, every try of it, and exactly what is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
)
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.webhooks.admin.badges import delivery_badge
from governance.webhooks.enums import DeliveryStatus, WebhookType
from governance.webhooks.models import Delivery
from governance.webhooks.selectors import body_of, message_id
from governance.webhooks.services import RETRY_LADDER, delivery_retry
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, in_markets
from guilds.console.page import Badge, Code, Fact, Section, Table, link_to, shown


class TypeFilter(DropdownFilter):
    title = _("type")
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return WebhookType.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset.filter(event__act=self.value()) if self.value() else queryset


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
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("endpoint", RelatedDropdownFilter),
        TypeFilter,
        ("created_at", RangeDateTimeFilter),
    )
    search_fields = ("public_id",)
    search_help_text = _("The delivery's id, or the number or object id of its event")
    object_related = ("event__guild", "event__market", "endpoint", "replay__endpoint")
    ordering = ("-id",)
    actions_detail = ("retry",)
    bulk_acts = ("retry",)

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
        facts = [
            Fact(_("Event"), link_to(delivery.event)),
            Fact(_("Endpoint"), link_to(delivery.endpoint)),
            Fact(_("Guild"), link_to(delivery.event.guild)),
            Fact(_("Tries"), f"{delivery.attempts} / {len(RETRY_LADDER) + 1}"),
            Fact(_("Next try"), delivery.next_attempt_at),
            Fact(_("Answer"), delivery.response_status),
            Fact(_("Delivered"), delivery.delivered_at),
            Fact(_("Error"), delivery.error),
            Fact(_("Message id"), message_id(delivery)),
        ]
        if delivery.replay is not None:
            facts.append(Fact(_("Replay"), link_to(delivery.replay)))
        return facts

    def sections(self, delivery: Delivery, request: HttpRequest) -> Sequence[Section]:
        tries = list(delivery.tries.order_by("-id")[:50])
        rows = [[row.at, row.response_status or "–", row.error, f"{row.milliseconds:,} ms"] for row in tries]
        headers = [_("When"), _("Answer"), _("Error"), _("Took")]
        sections = [
            Section(
                _("Tries"),
                Table(headers, rows, empty=_("Not tried yet, or longer ago than a month.")),
            )
        ]
        if tries:
            lines = "\n".join(f"{name}: {value}" for name, value in tries[0].headers.items())
            sections.append(Section(_("Headers of the latest try"), Code(lines)))
        sections.append(
            Section(
                _("Body"), Code(body_of(delivery.event)), note=_("Byte for byte what is signed and sent.")
            )
        )
        return sections

    @act(
        label=_("Send again"),
        question=_("It is sent from the first try on."),
        done=_("The delivery is under way again."),
        roles=(Role.ADMIN,),
        when=lambda delivery: delivery.status == DeliveryStatus.FAILED,
        icon="refresh",
        variant=ActionVariant.PRIMARY,
    )
    def retry(self, actor: Actor, delivery: Delivery, values: Mapping[str, Any]) -> Answer:
        delivery_retry(actor=actor, delivery_id=delivery.pk, reason=values["reason"])
        return None
