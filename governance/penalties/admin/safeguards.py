"""Safeguards in the console: when a guild is large, how long a won appeal shields, how long a held penalty may wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from governance.penalties.models import Safeguard
from governance.penalties.services.safeguards import LIMITS, safeguard_set
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, ReasonForm, act
from guilds.console.base import ConsoleAdmin
from guilds.console.page import Fact, admin_url, link_to
from guilds.models import Market


def _number(name: str, label: Any, help_text: Any, initial: int) -> forms.IntegerField:
    least, most = LIMITS[name]
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        min_value=least,
        max_value=most,
        initial=initial,
        widget=UnfoldAdminIntegerFieldWidget(),
    )


class SafeguardForm(ReasonForm):
    market_id = forms.ModelChoiceField(
        label=_("Market"),
        queryset=Market.objects.none(),
        required=False,
        empty_label=_("All without their own"),
        widget=UnfoldAdminSelectWidget(),
    )
    large_creators = _number(
        "large_creators",
        _("Creators that make a guild large"),
        _("From so many on, every penalty but a warning waits for a second person."),
        500,
    )
    shield_days = _number(
        "shield_days",
        _("Days a won appeal shields"),
        _("Meanwhile suspension, clear-out and the last step of a ladder wait for a second person."),
        90,
    )
    hold_hours = _number(
        "hold_hours",
        _("Hours a held penalty may wait"),
        _("Then those above are told."),
        72,
    )
    field_order = ("market_id", "large_creators", "shield_days", "hold_hours", "reason")

    def __init__(self, *args: Any, obj: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, obj=obj, **kwargs)
        if isinstance(obj, Safeguard):
            del self.fields["market_id"]
            self.initial = {name: getattr(obj, name) for name in LIMITS}
            return
        markets = Market.objects.order_by("name")
        if self.actor.market_ids is not None:
            markets = markets.filter(pk__in=self.actor.market_ids)
        cast("forms.ModelChoiceField[Market]", self.fields["market_id"]).queryset = markets


@admin.register(Safeguard)
class SafeguardAdmin(ConsoleAdmin[Safeguard]):
    intro = _(
        "What protects guilds from haste. A market's own goes before the one for all; without any: 500 creators, 90 days,"
        " 72 hours. What is decided keeps what held on its day."
    )
    list_display = ("market_shown", "large_creators", "shield_days", "hold_hours")
    list_select_related = ("market",)
    search_fields = ("market__code",)
    ordering = ("market",)
    object_related = ("market",)
    actions_list = ("create",)
    actions_detail = ("edit",)

    def visible(self, actor: Actor) -> QuerySet[Safeguard]:
        """Those of the actor's markets and the one for all, which holds in them too."""
        rows = Safeguard.objects.all()
        if actor.market_ids is not None:
            rows = rows.filter(Q(market__isnull=True) | Q(market__in=actor.market_ids))
        return rows

    def matching(self, term: str) -> Q:
        return Q(market__code__iexact=term) | Q(market__name__icontains=term)

    @display(description=_("market"), ordering="market")
    def market_shown(self, safeguard: Safeguard) -> str:
        return str(safeguard.market or _("All without their own"))

    def facts(self, safeguard: Safeguard, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(
                _("Market"),
                link_to(safeguard.market, safeguard.market.name)
                if safeguard.market
                else _("All without their own"),
            ),
            Fact(_("Creators that make a guild large"), f"{safeguard.large_creators:,}"),
            Fact(_("Days a won appeal shields"), safeguard.shield_days),
            Fact(_("Hours a held penalty may wait"), safeguard.hold_hours),
        )

    @act(
        label=_("Set for a market"),
        roles=(Role.ADMIN,),
        question=_("Holds for what is decided from now on."),
        form=SafeguardForm,
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def create(self, actor: Actor, safeguard: None, values: Mapping[str, Any]) -> Answer:
        market = values["market_id"]
        return admin_url(_set(actor, market.pk if market else None, values))

    @act(
        label=_("Change"),
        roles=(Role.ADMIN,),
        question=_("Holds for what is decided from now on."),
        done=_("The safeguard is changed."),
        form=SafeguardForm,
        icon="edit",
    )
    def edit(self, actor: Actor, safeguard: Safeguard, values: Mapping[str, Any]) -> Answer:
        _set(actor, safeguard.market_id, values)
        return None


def _set(actor: Actor, market_id: int | None, values: Mapping[str, Any]) -> Safeguard:
    return safeguard_set(
        actor=actor,
        market_id=market_id,
        large_creators=values["large_creators"],
        shield_days=values["shield_days"],
        hold_hours=values["hold_hours"],
        reason=values["reason"],
    )
