"""Stops and caps in the console: what keeps penalties from starting, and who said so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from governance.penalties.enforcement import caps_visible_to, stops_visible_to
from governance.penalties.enums import PenaltyKind, PenaltyStatus
from governance.penalties.models import EnforcementCap, EnforcementStop, Penalty
from governance.penalties.services import cap_remove, cap_set, stop_close, stop_open
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, ReasonForm, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column
from guilds.console.page import Badge, Fact, Link, admin_url, list_url, shown
from guilds.models import Market

MAY_STOP = (Role.ENFORCER, Role.ADMIN)


class PlaceForm(ReasonForm):
    """A kind and a market, either left open; a person of some markets names one of them."""

    kind = forms.ChoiceField(label=_("Kind"), required=False, widget=UnfoldAdminSelectWidget())
    market = forms.ModelChoiceField(
        label=_("Market"), queryset=Market.objects.none(), required=False, widget=UnfoldAdminSelectWidget()
    )
    field_order: tuple[str, ...] = ("kind", "market", "reason")
    every_kind: Any = _("Every kind")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = list(PenaltyKind.choices)
        self.fields["kind"].choices = [("", self.every_kind), *kinds] if self.every_kind else kinds  # type: ignore[attr-defined]
        markets = Market.objects.order_by("code")
        if self.actor.market_ids is not None:
            markets = markets.filter(pk__in=self.actor.market_ids)
            self.fields["market"].required = True
        self.fields["market"].queryset = markets  # type: ignore[attr-defined]
        self.fields["market"].empty_label = _("Everywhere")  # type: ignore[attr-defined]


class CapForm(PlaceForm):
    every_kind = None
    per_hour = forms.IntegerField(
        label=_("Starts within an hour"),
        min_value=1,
        max_value=1_000_000,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text=_("What would exceed it waits, and a person is asked."),
    )
    field_order = ("kind", "market", "per_hour", "reason")


class OpenFilter(DropdownFilter):
    title = _("status")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("now", _("Open")), ("over", _("Closed"))]

    def queryset(self, request: HttpRequest, rows: QuerySet[EnforcementStop]) -> QuerySet[EnforcementStop]:
        is_open = Q(closed_at__isnull=True)
        return {"now": rows.filter(is_open), "over": rows.exclude(is_open)}.get(self.value() or "", rows)


def stop_badge(stop: EnforcementStop) -> Badge:
    return Badge(_("Closed")) if stop.closed_at else Badge(_("Open"), "danger")


def waiting_under(stop: EnforcementStop) -> str:
    """The list of scheduled penalties that a stop keeps waiting."""
    query = f"status__exact={PenaltyStatus.SCHEDULED.value}"
    query += f"&kind__exact={stop.kind}" if stop.kind else ""
    query += f"&market__id__exact={stop.market_id}" if stop.market_id else ""
    return list_url(Penalty, query)


@admin.register(EnforcementStop)
class EnforcementStopAdmin(ConsoleAdmin[EnforcementStop]):
    intro = _(
        "While a stop is open, nothing of its kind starts in its market; what is due waits, lifting and undoing go on. Caps"
        " open stops by themselves."
    )
    list_display = (
        "place_shown",
        "status_shown",
        "reason",
        moment_column("opened_at", _("opened")),
        "by_shown",
        moment_column("closed_at", _("closed")),
    )
    list_filter = (OpenFilter, ("kind", ChoicesDropdownFilter), ("market", RelatedDropdownFilter))
    search_fields = ("public_id",)
    search_help_text = _("The beginning of a stop's id")
    object_related = ("market", "opened_by", "closed_by")
    ordering = ("-id",)
    actions_list = ("stop",)
    actions_detail = ("close",)

    def visible(self, actor: Actor) -> QuerySet[EnforcementStop]:
        return stops_visible_to(actor)

    def matching(self, term: str) -> Q:
        return by_public_id(term)

    @display(description=_("stopped"))
    def place_shown(self, stop: EnforcementStop) -> str:
        return str(stop)

    @display(description=_("status"))
    def status_shown(self, stop: EnforcementStop) -> str:
        return shown(stop_badge(stop))

    @display(description=_("by"))
    def by_shown(self, stop: EnforcementStop) -> str:
        return str(stop.opened_by or _("A cap"))

    def badge(self, stop: EnforcementStop) -> Badge:
        return stop_badge(stop)

    def facts(self, stop: EnforcementStop, request: HttpRequest) -> Sequence[Fact]:
        facts = [
            Fact(_("Kind"), stop.get_kind_display() if stop.kind else _("Every kind")),
            Fact(_("Market"), stop.market or _("Everywhere")),
            Fact(_("Opened"), stop.opened_at),
            Fact(_("By"), stop.opened_by or _("A cap")),
            Fact(_("Why"), stop.reason),
        ]
        if stop.closed_at is None:
            return [*facts, Fact(_("What waits"), Link(_("Scheduled penalties"), waiting_under(stop)))]
        return [
            *facts,
            Fact(_("Closed"), stop.closed_at),
            Fact(_("By"), stop.closed_by),
            Fact(_("Why closed"), stop.closing_reason),
        ]

    @act(
        label=_("Stop penalties"),
        question=_(
            "From now on nothing of this kind starts there, until somebody closes the stop. What is in force stays so."
        ),
        done=_("Stopped."),
        roles=MAY_STOP,
        form=PlaceForm,
        icon="pan_tool",
        variant=ActionVariant.DANGER,
    )
    def stop(self, actor: Actor, obj: Any, values: Mapping[str, Any]) -> Answer:
        market = values["market"]
        made = stop_open(
            actor=actor,
            kind=values["kind"],
            market_id=market.pk if market else None,
            reason=values["reason"],
        )
        return admin_url(made)

    @act(
        label=_("Close"),
        question=_(
            "What waited starts now, with the end that was announced. Penalties whose time is over are cancelled and their"
            " guilds are told."
        ),
        done=_("The stop is closed."),
        roles=MAY_STOP,
        when=lambda stop: stop.closed_at is None,
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
    )
    def close(self, actor: Actor, stop: EnforcementStop, values: Mapping[str, Any]) -> Answer:
        stop_close(actor=actor, stop_id=stop.pk, reason=values["reason"])
        return None


@admin.register(EnforcementCap)
class EnforcementCapAdmin(ConsoleAdmin[EnforcementCap]):
    intro = _("How many penalties of a kind may start within an hour in a market before a person is asked.")
    list_display = ("kind", "place_shown", "per_hour")
    list_filter = (("kind", ChoicesDropdownFilter), ("market", RelatedDropdownFilter))
    search_fields = ("kind",)
    ordering = ("kind", "id")
    object_related = ("market",)
    actions_list = ("set_cap",)
    actions_detail = ("remove",)

    def visible(self, actor: Actor) -> QuerySet[EnforcementCap]:
        return caps_visible_to(actor)

    def matching(self, term: str) -> Q:
        return Q(kind__startswith=term.lower())

    @display(description=_("market"))
    def place_shown(self, cap: EnforcementCap) -> str:
        return str(cap.market or _("Each without one of its own"))

    def headline(self, cap: EnforcementCap) -> str:
        return f"{cap.get_kind_display()} · {self.place_shown(cap)}"

    def facts(self, cap: EnforcementCap, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Kind"), cap.get_kind_display()),
            Fact(_("Market"), self.place_shown(cap)),
            Fact(_("Starts within an hour"), cap.per_hour),
        )

    @act(
        label=_("Set a cap"),
        question=_("A cap that is there already for this kind and market is replaced."),
        done=_("The cap is set."),
        roles=MAY_STOP,
        form=CapForm,
        icon="speed",
        variant=ActionVariant.PRIMARY,
    )
    def set_cap(self, actor: Actor, obj: Any, values: Mapping[str, Any]) -> Answer:
        market = values["market"]
        cap_set(
            actor=actor,
            kind=values["kind"],
            market_id=market.pk if market else None,
            per_hour=values["per_hour"],
            reason=values["reason"],
        )
        return None

    @act(
        label=_("Remove"),
        question=_("Without it, that of every market holds, or none."),
        done=_("The cap is removed."),
        roles=MAY_STOP,
        icon="delete",
    )
    def remove(self, actor: Actor, cap: EnforcementCap, values: Mapping[str, Any]) -> Answer:
        cap_remove(actor=actor, cap_id=cap.pk, reason=values["reason"])
        return list_url(EnforcementCap)
