"""Faults: evaluations that failed, and trying them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.signals.models import Signal
from governance.violations.enums import FaultStatus
from governance.violations.models import EvaluationFault
from governance.violations.selectors import faults_visible_to
from governance.violations.services import fault_retry
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import moment_column
from guilds.console.page import Badge, Fact, Prose, Section, link_to, pretty, shown


@admin.register(EvaluationFault)
class EvaluationFaultAdmin(ConsoleAdmin[EvaluationFault]):
    intro = _(
        "Rule versions that could not be evaluated on a signal. Others went on; these wait here to be tried again."
    )
    list_display = (
        "version",
        "status_shown",
        "error_shown",
        "signal_shown",
        moment_column("created_at", _("made")),
    )
    list_select_related = ("version__rule", "signal_key")
    list_filter = (("status", ChoicesDropdownFilter), ("created_at", RangeDateTimeFilter))
    search_fields = ("version__rule__code",)
    search_help_text = _("Code of the rule, or id of the signal")
    object_related = ("version__rule", "signal_key__source")
    ordering = ("-id",)
    actions_detail = ("retry",)
    bulk_acts = ("retry",)

    def visible(self, actor: Actor) -> QuerySet[EvaluationFault]:
        return faults_visible_to(actor)

    def matching(self, term: str) -> Q:
        return Q(version__rule__code__istartswith=term) | Q(signal_key__event_id=term)

    @display(description=_("status"), ordering="status")
    def status_shown(self, fault: EvaluationFault) -> str:
        return shown(self.badge(fault))

    @display(description=_("error"))
    def error_shown(self, fault: EvaluationFault) -> str:
        return fault.error[:100]

    @display(description=_("signal"))
    def signal_shown(self, fault: EvaluationFault) -> str:
        return fault.signal_key.event_id

    def badge(self, fault: EvaluationFault) -> Badge:
        return Badge(fault.get_status_display(), "warning" if fault.status == FaultStatus.OPEN else "default")

    def headline(self, fault: EvaluationFault) -> str:
        return now_("%(version)s on signal %(signal)s") % {
            "version": fault.version,
            "signal": fault.signal_key.event_id,
        }

    def facts(self, fault: EvaluationFault, request: HttpRequest) -> Sequence[Fact]:
        signal = Signal.objects.filter(pk=fault.signal_key_id, time=fault.signal_key.time).first()
        return (
            Fact(_("Rule version"), link_to(fault.version)),
            Fact(_("Signal"), link_to(signal)),
            Fact(_("Source"), fault.signal_key.source.uri),
            Fact(_("When"), fault.created_at),
        )

    def sections(self, fault: EvaluationFault, request: HttpRequest) -> Sequence[Section]:
        signal = Signal.objects.filter(pk=fault.signal_key_id, time=fault.signal_key.time).first()
        sections = [Section(_("Error"), Prose(fault.error))]
        if signal is not None:
            sections.append(Section(_("Data of the signal"), pretty(signal.data)))
        return sections

    @act(
        label=_("Try again"),
        question=_("The signal goes back into the queue for this version alone."),
        done=_("The signal is in the queue again."),
        roles=(Role.REVIEWER, Role.ANALYST, Role.LAUNCHER),
        when=lambda fault: fault.status == FaultStatus.OPEN,
        icon="refresh",
        variant=ActionVariant.PRIMARY,
    )
    def retry(self, actor: Actor, fault: EvaluationFault, values: Mapping[str, Any]) -> Answer:
        fault_retry(actor=actor, fault_id=fault.pk, reason=values["reason"])
        return None
