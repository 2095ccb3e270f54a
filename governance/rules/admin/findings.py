"""Findings: what turned out wrong with a rule, and how it was settled."""

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

from governance.rules.admin.badges import finding_badge
from governance.rules.enums import FindingStatus
from governance.rules.findings import finding_close
from governance.rules.models import Finding
from governance.rules.selectors import findings_visible_to
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column
from guilds.console.page import Badge, Fact, Prose, Section, link_to, shown


@admin.register(Finding)
class FindingAdmin(ConsoleAdmin[Finding]):
    intro = _(
        "What turned out wrong with a rule, such as an overturned appeal: to be put right in its next version."
    )
    list_display = (
        "summary_shown",
        "version",
        "status_shown",
        "source_type",
        moment_column("created_at", _("made")),
    )
    list_select_related = ("version__rule",)
    list_filter = (("status", ChoicesDropdownFilter),)
    search_fields = ("version__rule__code",)
    search_help_text = _("Code of the rule, or the finding's id")
    object_related = ("version__rule__risk",)
    ordering = ("-id",)
    actions_detail = ("close",)

    def visible(self, actor: Actor) -> QuerySet[Finding]:
        return findings_visible_to(actor)

    def matching(self, term: str) -> Q:
        return Q(version__rule__code__istartswith=term) | by_public_id(term)

    @display(description=_("finding"))
    def summary_shown(self, finding: Finding) -> str:
        return finding.summary[:120]

    @display(description=_("status"), ordering="status")
    def status_shown(self, finding: Finding) -> str:
        return shown(finding_badge(finding))

    def headline(self, finding: Finding) -> str:
        return f"{finding.version}: {finding.summary[:80]}"

    def badge(self, finding: Finding) -> Badge:
        return finding_badge(finding)

    def facts(self, finding: Finding, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Rule version"), link_to(finding.version)),
            Fact(_("Raised by"), f"{finding.source_type} {finding.source_id}"),
            Fact(_("Opened"), finding.created_at),
        )

    @act(
        label=_("Close"),
        roles=(Role.ANALYST, Role.APPROVER),
        question=_("How was the rule put right, or why is there nothing to do?"),
        done=_("Closed."),
        when=lambda finding: finding.status == FindingStatus.OPEN,
        icon="check",
        variant=ActionVariant.PRIMARY,
    )
    def close(self, actor: Actor, finding: Finding, values: Mapping[str, Any]) -> None:
        finding_close(actor=actor, finding_id=finding.pk, reason=values["reason"])

    def sections(self, finding: Finding, request: HttpRequest) -> Sequence[Section]:
        sections = [Section(_("What was found"), Prose(finding.summary))]
        if finding.resolution:
            sections.append(Section(_("How it was put right"), Prose(finding.resolution)))
        return sections
