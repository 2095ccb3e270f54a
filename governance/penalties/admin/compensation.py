"""Compensation in the console: what guilds suffered under penalties that did not stand, until somebody settles it."""

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
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextareaWidget

from governance.penalties.enums import CompensationStatus
from governance.penalties.kinds import KINDS
from governance.penalties.models import Compensation, Penalty
from governance.penalties.selectors import compensations_visible_to
from governance.penalties.services import compensation_decline, compensation_settle
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, DialogForm, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column, of_guild
from guilds.console.page import Badge, Fact, Prose, Section, Variant, link_to, shown

MAY_SETTLE = (Role.ENFORCER, Role.ADMIN)
VARIANTS: dict[str, Variant] = {
    CompensationStatus.OPEN: "warning",
    CompensationStatus.SETTLED: "success",
    CompensationStatus.DECLINED: "default",
}


class SettleForm(DialogForm):
    amount = forms.DecimalField(
        label=_("Amount"),
        max_digits=14,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"autofocus": True}),
        help_text=_("In the platform's reporting currency."),
    )
    note = forms.CharField(
        label=_("How it was settled"),
        max_length=2_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text=_("Kept in the ledger for good, with your name."),
    )


def is_open(row: Compensation) -> bool:
    return row.status == CompensationStatus.OPEN


def status_badge(row: Compensation) -> Badge:
    return Badge(row.get_status_display(), VARIANTS[row.status])


@admin.register(Compensation)
class CompensationAdmin(ConsoleAdmin[Compensation]):
    intro = _(
        "What guilds suffered under penalties that did not stand. The estimate is reckoned from gift revenue; what is owed is"
        " for people to say."
    )
    list_display = (
        "penalty_shown",
        "status_shown",
        "guild",
        "market",
        "estimate",
        "amount",
        moment_column("opened_at", _("opened")),
    )
    list_select_related = ("penalty__guild", "guild", "market")
    list_filter = (("status", ChoicesDropdownFilter), ("market", RelatedDropdownFilter))
    search_fields = ("guild__external_id",)
    search_help_text = _("A guild's id or name, or the beginning of a penalty's id")
    object_related = ("penalty__guild", "guild__market", "market", "settled_by")
    # Not settled comes first: PostgreSQL sorts what is missing before all else, downwards.
    ordering = ("-settled_at", "-id")
    actions_detail = ("settle", "decline")

    def visible(self, actor: Actor) -> QuerySet[Compensation]:
        return compensations_visible_to(actor)

    def matching(self, term: str) -> Q:
        return Q(penalty__in=Penalty.objects.filter(by_public_id(term))) | of_guild(term)

    @display(description=_("penalty"))
    def penalty_shown(self, row: Compensation) -> str:
        return KINDS[row.penalty.kind].describe(row.penalty.params)

    @display(description=_("status"), ordering="status")
    def status_shown(self, row: Compensation) -> str:
        return shown(status_badge(row))

    # --- the page -----------------------------------------------------------------------------------------------
    def headline(self, row: Compensation) -> str:
        return f"{self.penalty_shown(row)} · {row.guild}"

    def badge(self, row: Compensation) -> Badge:
        return status_badge(row)

    def facts(self, row: Compensation, request: HttpRequest) -> Sequence[Fact]:
        facts = [
            Fact(_("Guild"), link_to(row.guild)),
            Fact(_("Market"), f"{row.market.name} ({row.market.code})"),
            Fact(_("Penalty that did not stand"), link_to(row.penalty)),
            Fact(_("Opened"), row.opened_at),
            Fact(_("Estimate"), f"{row.estimate:,.2f}" if row.estimate is not None else _("None possible")),
        ]
        if not is_open(row):
            facts += [
                Fact(_("Amount"), f"{row.amount:,.2f}" if row.amount is not None else _("Nothing")),
                Fact(_("Settled"), row.settled_at),
                Fact(_("Settled by"), row.settled_by),
                Fact(_("Note"), Prose(row.note)),
            ]
        return facts

    def sections(self, row: Compensation, request: HttpRequest) -> Sequence[Section]:
        labels = {
            "days": _("Days in force without cause"),
            "gift_revenue": _("Gift revenue in those days"),
            "per_day_before": _("Gift revenue a day in the 30 days before"),
            "share": _("Share the measure kept back"),
        }
        facts = [
            Fact(label, row.basis[name]) for name, label in labels.items() if row.basis.get(name) is not None
        ]
        if before := row.basis.get("settled_before"):
            facts.append(Fact(_("Settled before, for a part"), before["amount"]))
        return [Section(_("What the estimate is reckoned from"), facts)]

    # --- acts ---------------------------------------------------------------------------------------------------
    @act(
        label=_("Settle"),
        question=_("Write down what was made good. The guild sees the amount."),
        done=_("The compensation is settled."),
        roles=MAY_SETTLE,
        form=SettleForm,
        when=is_open,
        icon="payments",
        variant=ActionVariant.PRIMARY,
    )
    def settle(self, actor: Actor, row: Compensation, values: Mapping[str, Any]) -> Answer:
        compensation_settle(actor=actor, compensation_id=row.pk, amount=values["amount"], note=values["note"])
        return None

    @act(
        label=_("Decline"),
        question=_("Nothing is owed. Say why."),
        done=_("The compensation is declined."),
        roles=MAY_SETTLE,
        when=is_open,
        icon="close",
    )
    def decline(self, actor: Actor, row: Compensation, values: Mapping[str, Any]) -> Answer:
        compensation_decline(actor=actor, compensation_id=row.pk, reason=values["reason"])
        return None
