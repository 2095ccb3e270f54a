"""Where other systems and we do not agree, and the comparisons that found it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.penalties.agreement import differences_visible_to, reconciliations_visible_to
from governance.penalties.enums import DifferenceKind
from governance.penalties.models import Difference, Penalty, Reconciliation
from governance.penalties.services import difference_settle
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column, of_guild
from guilds.console.page import Badge, Fact, Link, Section, Table, Variant, link_to, list_url, pretty, shown

KIND_VARIANTS: dict[str, Variant] = {
    DifferenceKind.MISSING: "danger",
    DifferenceKind.EXTRA: "danger",
    DifferenceKind.OTHER_END: "warning",
}
#: Differences on the page of a comparison at most; the list has the rest.
SHOWN = 100


def standing_badge(difference: Difference) -> Badge:
    return Badge(_("Settled"), "success") if difference.settled_at else Badge(_("Open"), "warning")


class StandingFilter(DropdownFilter):
    title = _("status")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("Open")), ("settled", _("Settled"))]

    def queryset(self, request: HttpRequest, rows: QuerySet[Difference]) -> QuerySet[Difference]:
        is_open = Q(settled_at__isnull=True)
        return {"open": rows.filter(is_open), "settled": rows.exclude(is_open)}.get(self.value() or "", rows)


@admin.register(Difference)
class DifferenceAdmin(ConsoleAdmin[Difference]):
    intro = _(
        "What enforcing systems hold against guilds, compared with what is in force here. A later list that agrees settles a"
        " difference by itself."
    )
    list_display = (
        "kind_shown",
        "standing_shown",
        "penalty_shown",
        "system_shown",
        "since_shown",
        moment_column("settled_at", _("settled")),
    )
    list_filter = (
        StandingFilter,
        ("kind", ChoicesDropdownFilter),
        ("penalty__market", RelatedDropdownFilter),
    )
    search_fields = ("penalty__guild__external_id",)
    search_help_text = _("A guild's id or name, or the beginning of a penalty's id")
    object_related = (
        "reconciliation__client",
        "penalty__guild",
        "penalty__market",
        "penalty__violation",
        "settled_by",
    )
    ordering = ("-id",)
    actions_detail = ("settle",)
    bulk_acts = ("settle",)

    def visible(self, actor: Actor) -> QuerySet[Difference]:
        return differences_visible_to(actor)

    def matching(self, term: str) -> Q:
        penalties = Penalty.objects.filter(by_public_id(term) | of_guild(term))
        return Q(penalty__in=penalties.values("pk"))

    @display(description=_("difference"), ordering="kind")
    def kind_shown(self, difference: Difference) -> str:
        return difference.get_kind_display()

    @display(description=_("status"))
    def standing_shown(self, difference: Difference) -> str:
        return shown(standing_badge(difference))

    @display(description=_("penalty"))
    def penalty_shown(self, difference: Difference) -> str:
        return str(difference.penalty or difference.reported.get("penalty", ""))

    @display(description=_("system"))
    def system_shown(self, difference: Difference) -> str:
        return difference.reconciliation.source

    @display(description=_("since"), ordering="reconciliation__at")
    def since_shown(self, difference: Difference) -> str:
        return shown(difference.reconciliation.at)

    # --- the page -----------------------------------------------------------------------------------------------
    def headline(self, difference: Difference) -> str:
        return f"{difference.get_kind_display()} · {difference.reconciliation.source}"

    def badge(self, difference: Difference) -> Badge:
        return standing_badge(difference)

    def facts(self, difference: Difference, request: HttpRequest) -> Sequence[Fact]:
        penalty = difference.penalty
        facts = [
            Fact(
                _("Difference"),
                Badge(difference.get_kind_display(), KIND_VARIANTS[difference.kind]),
            ),
            Fact(_("Penalty"), link_to(penalty) or _("None of ours")),
            Fact(_("Guild"), link_to(penalty.guild) if penalty else difference.reported.get("guild")),
            Fact(_("Ends here"), (penalty.ends_at or _("No end date")) if penalty else None),
            Fact(_("Found by"), link_to(difference.reconciliation)),
            Fact(_("Since"), difference.reconciliation.at),
        ]
        if difference.settled_at:
            facts += [
                Fact(_("Settled"), difference.settled_at),
                Fact(_("By"), difference.settled_by or _("A later comparison")),
                Fact(_("How"), difference.settlement),
            ]
        return facts

    def sections(self, difference: Difference, request: HttpRequest) -> Sequence[Section]:
        if not difference.reported:
            return ()
        return (Section(_("What the other system said"), (Fact(_("Line"), pretty(difference.reported)),)),)

    @act(
        label=_("Settle"),
        question=_("Say how it was dealt with. If the next list still differs, it is opened again."),
        done=_("The difference is settled."),
        roles=(Role.ENFORCER,),
        when=lambda difference: difference.settled_at is None,
        icon="check",
        variant=ActionVariant.PRIMARY,
    )
    def settle(self, actor: Actor, difference: Difference, values: Mapping[str, Any]) -> Answer:
        difference_settle(actor=actor, difference_id=difference.pk, reason=values["reason"])
        return None


@admin.register(Reconciliation)
class ReconciliationAdmin(ConsoleAdmin[Reconciliation]):
    intro = _("Every list an enforcing system has sent, and how far it agreed with what was in force here.")
    list_display = ("source", "place_shown", moment_column("at", _("at")), "reported", "expected", "agreed")
    list_filter = (("market", RelatedDropdownFilter),)
    search_fields = ("source",)
    ordering = ("-id",)
    object_related = ("client", "market")

    def visible(self, actor: Actor) -> QuerySet[Reconciliation]:
        return reconciliations_visible_to(actor)

    def matching(self, term: str) -> Q:
        return by_public_id(term) | Q(source__istartswith=term)

    @display(description=_("market"))
    def place_shown(self, made: Reconciliation) -> str:
        return str(made.market or _("Everywhere"))

    def facts(self, made: Reconciliation, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("System"), made.source),
            Fact(_("Market"), self.place_shown(made)),
            Fact(_("At"), made.at),
            Fact(_("Lines in its list"), made.reported),
            Fact(_("In force here"), made.expected),
            Fact(_("Agreed"), made.agreed),
        )

    def sections(self, made: Reconciliation, request: HttpRequest) -> Sequence[Section]:
        found = made.differences.select_related("penalty__guild").order_by("pk")[: SHOWN + 1]
        rows = [
            [
                link_to(difference, difference.get_kind_display()),
                difference.penalty or difference.reported.get("penalty", ""),
                standing_badge(difference),
            ]
            for difference in found[:SHOWN]
        ]
        more = Link(_("All differences"), list_url(Difference)) if len(found) > SHOWN else None
        table = Table(
            [_("Difference"), _("Penalty"), _("Status")], rows, empty=_("Nothing new differed."), more=more
        )
        return (Section(_("Differences it found first"), table),)
