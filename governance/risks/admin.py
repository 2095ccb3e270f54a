"""The register of risks, read only: it comes with the policy file."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from governance.risks.models import Risk
from guilds.accounts.actor import Actor
from guilds.console.base import ConsoleAdmin
from guilds.console.page import Badge, Fact, Prose, Section, Table, Variant, link_to, shown


def priority_badge(risk: Risk) -> Badge:
    """Harm × likelihood, 1 to 25, in three tiers."""
    variant: Variant = "danger" if risk.priority >= 15 else "warning" if risk.priority >= 8 else "default"
    return Badge(risk.priority, variant)


@admin.register(Risk)
class RiskAdmin(ConsoleAdmin[Risk]):
    intro = _("Harms worth governing, scored and owned. Every rule answers to one of them.")
    list_display = ("code", "name", "priority_shown", "harm", "likelihood", "owner")
    search_fields = ("code",)
    search_help_text = _("Code or part of the name")
    ordering = ("code",)

    def visible(self, actor: Actor) -> QuerySet[Risk]:
        return Risk.objects.all()

    def matching(self, term: str) -> Q:
        return Q(code__istartswith=term) | Q(name__icontains=term)

    @display(description=_("priority"), ordering=F("harm") * F("likelihood"))
    def priority_shown(self, risk: Risk) -> str:
        return shown(priority_badge(risk))

    def badge(self, risk: Risk) -> Badge:
        return Badge(_("Priority %(score)s") % {"score": risk.priority}, priority_badge(risk).variant)

    def facts(self, risk: Risk, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Harm"), _("%(score)s of 5") % {"score": risk.harm}),
            Fact(_("Likelihood"), _("%(score)s of 5") % {"score": risk.likelihood}),
            Fact(_("Owning team"), risk.owner),
            Fact(_("Registered"), risk.created_at),
        )

    def sections(self, risk: Risk, request: HttpRequest) -> Sequence[Section]:
        rules = [[link_to(rule), rule.name] for rule in risk.rules.order_by("code")]
        table = Table([_("Rule"), _("Name")], rows=rules, empty=_("No rule answers to this risk."))
        sections = [Section(_("Rules against it"), table)]
        if risk.definition:
            sections.insert(0, Section(_("Definition"), Prose(risk.definition)))
        return sections
