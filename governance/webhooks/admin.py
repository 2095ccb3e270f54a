"""Webhooks: who is told about events, and what became of each delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanSwitchWidget,
)

from governance.webhooks.enums import DeliveryStatus, WebhookType
from governance.webhooks.models import Delivery, Endpoint
from governance.webhooks.services import delivery_retry, endpoint_create, endpoint_set_active
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, DialogForm, Reveal, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, in_markets, moment_column
from guilds.console.page import (
    Badge,
    Fact,
    Link,
    Section,
    Table,
    Variant,
    admin_url,
    link_to,
    list_url,
    shown,
)

DELIVERY_VARIANTS: dict[str, Variant] = {
    DeliveryStatus.PENDING: "info",
    DeliveryStatus.DELIVERED: "success",
    DeliveryStatus.FAILED: "danger",
}


def delivery_badge(delivery: Delivery) -> Badge:
    return Badge(delivery.get_status_display(), DELIVERY_VARIANTS[delivery.status])


class EndpointForm(DialogForm):
    name = forms.CharField(label=_("Name"), max_length=120, widget=UnfoldAdminTextInputWidget())
    url = forms.URLField(
        label=_("Address"), max_length=500, assume_scheme="https", widget=UnfoldAdminURLInputWidget()
    )
    types = forms.MultipleChoiceField(
        label=_("What it is told"),
        choices=WebhookType.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    allow_private = forms.BooleanField(
        label=_("May be a private address"), required=False, widget=UnfoldBooleanSwitchWidget()
    )


@admin.register(Endpoint)
class EndpointAdmin(ConsoleAdmin[Endpoint]):
    intro = _("Receivers of events by Standard Webhooks. A secret is shown once, when the endpoint is made.")
    list_display = ("name", "url", "types_shown", "active_shown", moment_column("created_at", _("made")))
    search_fields = ("name",)
    ordering = ("name",)
    actions_list = ("create",)
    actions_detail = ("pause", "resume")

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

    @act(
        label=_("New endpoint"),
        question=_("It is told what happens from now on. Its signing secret is shown once."),
        roles=(Role.ADMIN,),
        form=EndpointForm,
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def create(self, actor: Actor, obj: None, values: Mapping[str, Any]) -> Answer:
        endpoint = endpoint_create(
            actor=actor,
            name=values["name"],
            url=values["url"],
            types=values["types"],
            allow_private=values["allow_private"],
        )
        return Reveal(
            title=_("New endpoint"),
            rows=[(_("Signing secret"), endpoint.secret)],
            note=_("Store the secret in the receiving system now: it is not shown again."),
            next_url=admin_url(endpoint),
        )

    @act(
        label=_("Pause"),
        question=_("Nothing is sent until it is resumed; what happens meanwhile waits in the ledger."),
        done=_("The endpoint is paused."),
        roles=(Role.ADMIN,),
        when=lambda endpoint: endpoint.is_active,
        icon="pause",
    )
    def pause(self, actor: Actor, endpoint: Endpoint, values: Mapping[str, Any]) -> Answer:
        endpoint_set_active(actor=actor, endpoint_id=endpoint.pk, active=False, reason=values["reason"])
        return None

    @act(
        label=_("Resume"),
        question=_("It is sent everything that happened since it was paused."),
        done=_("The endpoint is active again."),
        roles=(Role.ADMIN,),
        when=lambda endpoint: not endpoint.is_active,
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
    )
    def resume(self, actor: Actor, endpoint: Endpoint, values: Mapping[str, Any]) -> Answer:
        endpoint_set_active(actor=actor, endpoint_id=endpoint.pk, active=True, reason=values["reason"])
        return None


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
