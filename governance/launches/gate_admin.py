"""The pages and acts of single gates; after an act the reader is back on the page of the launch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.launches import services
from governance.launches.enums import AUTOMATIC, GateStatus
from governance.launches.forms import AssignForm, SignForm
from governance.launches.gating import SHORTFALL, GateState, gate_states
from governance.launches.models import Gate
from governance.launches.panels import figures_of
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.page import Badge, Fact, Link, Prose, Section, admin_url, link_to, shown


def state_of(gate: Gate) -> GateState | None:
    return next((one for one in gate_states(gate.launch) if one.gate.pk == gate.pk), None)


@admin.register(Gate)
class GateAdmin(ConsoleAdmin[Gate]):
    intro = _("What must be true before a wave goes live, and who answers for it.")
    list_display = ("kind_shown", "launch", "team", "owner", "due_on", "status_shown")
    list_select_related = ("launch__version__rule", "owner")
    list_filter = (
        ("team", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("status", ChoicesDropdownFilter),
    )
    search_fields = ("launch__title",)
    search_help_text = _("Code of the rule")
    object_related = ("launch__version__rule__risk", "owner", "signed_by")
    ordering = ("due_on", "id")
    actions_detail = ("sign", "reopen", "assign")

    def visible(self, actor: Actor) -> QuerySet[Gate]:
        return Gate.objects.none() if actor.guild_id is not None else Gate.objects.all()

    def matching(self, term: str) -> Q:
        return Q(launch__version__rule__code__istartswith=term)

    @display(description=_("gate"), ordering="kind")
    def kind_shown(self, gate: Gate) -> str:
        return gate.get_kind_display()

    @display(description=_("signed"), ordering="status")
    def status_shown(self, gate: Gate) -> str:
        if gate.kind in AUTOMATIC:
            return shown(Badge(_("Read from facts"), "info"))
        return shown(
            Badge(_("Signed"), "success") if gate.status == GateStatus.PASSED else Badge(_("Open"), "warning")
        )

    def headline(self, gate: Gate) -> str:
        return f"{gate.get_kind_display()} · {gate.launch.version}"

    def badge(self, gate: Gate) -> Badge | None:
        state = state_of(gate)
        if state is None:
            return None
        return Badge(_("Passed"), "success") if state.passed else Badge(_("Open"), "warning")

    def onward(self, gate: Gate, request: HttpRequest) -> Link | None:
        return Link(_("The launch"), admin_url(gate.launch), key="l")

    def facts(self, gate: Gate, request: HttpRequest) -> Sequence[Fact]:
        state = state_of(gate)
        facts = [
            Fact(_("Launch"), link_to(gate.launch)),
            Fact(_("Team"), gate.get_team_display()),
            Fact(_("Owner"), gate.owner),
            Fact(_("Due"), gate.due_on),
            Fact(_("As it stands"), state.reason if state else ""),
            Fact(_("Signed by"), gate.signed_by),
            Fact(_("Signed"), gate.signed_at),
        ]
        if gate.evidence_url:
            facts.append(Fact(_("Where it can be seen"), Link(gate.evidence_url, gate.evidence_url)))
        if gate.evidence:
            facts.append(Fact(_("What shows that it is done"), Prose(gate.evidence)))
        return facts

    def sections(self, gate: Gate, request: HttpRequest) -> Sequence[Section]:
        state = state_of(gate)
        rows = [Fact(label, value) for label, value in figures_of(state)] if state else []
        if gate.figures.get(SHORTFALL):
            rows.append(Fact(_("Why that is enough"), Prose(gate.figures[SHORTFALL])))
        return [Section(_("The work to be expected"), rows)] if rows else []

    # --- acts: whoever answers for the gate may sign it, so every role is asked and the service decides ---------------
    @act(
        label=_("Sign"),
        roles=tuple(Role.values),
        form=SignForm,
        question=_("You answer for it that this gate is passed."),
        done=_("Signed."),
        when=lambda gate: gate.kind not in AUTOMATIC and gate.status == GateStatus.OPEN,
        icon="verified",
        variant=ActionVariant.PRIMARY,
    )
    def sign(self, actor: Actor, gate: Gate, values: Mapping[str, Any]) -> Answer:
        services.gate_sign(
            actor=actor,
            gate_id=gate.pk,
            evidence=values["evidence"],
            evidence_url=values["evidence_url"],
            capacity_hours_per_day=values.get("capacity_hours_per_day"),
            shortfall_reason=values.get("shortfall_reason", ""),
        )
        return admin_url(gate.launch)

    @act(
        label=_("Reopen"),
        roles=tuple(Role.values),
        question=_("The signature is taken back; no wave starts before it is given anew."),
        done=_("The gate is open again."),
        when=lambda gate: gate.status == GateStatus.PASSED,
        icon="lock_open",
    )
    def reopen(self, actor: Actor, gate: Gate, values: Mapping[str, Any]) -> Answer:
        services.gate_reopen(actor=actor, gate_id=gate.pk, reason=values["reason"])
        return admin_url(gate.launch)

    @act(
        label=_("Assign"),
        roles=(Role.LAUNCHER,),
        form=AssignForm,
        done=_("Assigned."),
        icon="person_add",
    )
    def assign(self, actor: Actor, gate: Gate, values: Mapping[str, Any]) -> Answer:
        owner = values["owner"]
        services.gate_assign(
            actor=actor, gate_id=gate.pk, owner_id=owner.pk if owner else None, due_on=values["due_on"]
        )
        return admin_url(gate.launch)
