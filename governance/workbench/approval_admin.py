"""Approvals: what was frozen for another person to decide about, and what they said."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import display

from governance.engine import RuleSpec
from governance.rules.differences import differences
from governance.rules.policy_yaml import spec_to_yaml
from governance.workbench.checking import compared_with
from governance.workbench.decisions import Decisions
from governance.workbench.enums import ApprovalStatus
from governance.workbench.models import Approval
from governance.workbench.page import approval_badge, page_url
from governance.workbench.selectors import (
    approval_intact,
    approvals_visible_to,
    approvals_waiting,
    spec_of,
)
from guilds.accounts.actor import Actor
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import by_public_id, moment_column
from guilds.console.page import (
    Badge,
    Code,
    Fact,
    Link,
    Prose,
    Section,
    Table,
    pretty,
    severity_badge,
    shown,
)
from guilds.console.reader import staff_actor


class WaitingFilter(DropdownFilter):
    title = _("waiting")
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, Any]]:
        return (("me", _("For me")),)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Approval]) -> QuerySet[Approval]:
        if self.value() == "me":
            return queryset.filter(pk__in=approvals_waiting(staff_actor(request)).values("pk"))
        return queryset


@admin.register(Approval)
class ApprovalAdmin(Decisions, ConsoleAdmin[Approval]):
    intro = _("Versions put before another person, with all that was frozen for them and what they said.")
    list_display = (
        "version",
        "name_shown",
        "status_shown",
        "requested_by",
        moment_column("requested_at", _("asked")),
        "decided_by",
        moment_column("decided_at", _("decided")),
    )
    list_select_related = ("version__rule", "requested_by", "decided_by")
    list_filter = (WaitingFilter, ("status", ChoicesDropdownFilter))
    search_fields = ("version__rule__code",)
    search_help_text = _("Code of the rule, or the beginning of the approval's id")
    object_related = ("version__rule__risk", "requested_by", "decided_by", "backtest")
    ordering = ("-id",)
    actions_detail = ("approve", "refuse", "withdraw", "take_back")

    def visible(self, actor: Actor) -> QuerySet[Approval]:
        return approvals_visible_to(actor)

    def matching(self, term: str) -> Q:
        return Q(version__rule__code__istartswith=term) | by_public_id(term)

    @display(description=_("name"))
    def name_shown(self, approval: Approval) -> str:
        return approval.version.name

    @display(description=_("status"), ordering="status")
    def status_shown(self, approval: Approval) -> str:
        return shown(approval_badge(approval))

    def headline(self, approval: Approval) -> str:
        return f"{approval.version} · {approval.version.name}"

    def badge(self, approval: Approval) -> Badge:
        return approval_badge(approval)

    def facts(self, approval: Approval, request: HttpRequest) -> Sequence[Fact]:
        version = approval.version
        facts = [
            Fact(_("In the workbench"), Link(str(version), page_url(version))),
            Fact(_("Severity"), severity_badge(version.severity)),
            Fact(_("Review"), version.get_review_display()),
            Fact(_("Asked by"), approval.requested_by),
            Fact(_("Asked"), approval.requested_at),
            Fact(_("Decided by"), approval.decided_by),
            Fact(_("Decided"), approval.decided_at),
        ]
        if approval.status == ApprovalStatus.APPROVED:
            intact = Badge(_("Unchanged since"), "success")
            facts.append(
                Fact(
                    _("Wording"),
                    intact if approval_intact(version) else Badge(_("Changed since: void"), "danger"),
                )
            )
        if approval.note:
            facts.append(Fact(_("Note of the author"), Prose(approval.note)))
        if approval.reason:
            facts.append(Fact(_("Reason of the decision"), Prose(approval.reason)))
        return facts

    def sections(self, approval: Approval, request: HttpRequest) -> Sequence[Section]:
        frozen = approval.frozen
        spec = RuleSpec.from_dict(frozen["spec"])
        texts = [Fact(language, Prose(words)) for language, words in sorted(frozen["text"].items())]
        examples = [
            [
                example["name"],
                Badge(_("must match"), "warning") if example["must_match"] else Badge(_("must not match")),
                pretty(example["facts"].get("data")),
                pretty(example["measures"]),
            ]
            for example in frozen["examples"]
        ]
        return (
            Section(_("What changes"), *self._changes(approval, spec)),
            Section(_("Wording for guilds"), texts or Prose("–")),
            Section(_("The rule"), Code(spec_to_yaml(spec).rstrip()), note=_("As in the policy file.")),
            Section(
                _("Examples"),
                Table([_("Example"), "", _("Signal"), _("Measures")], examples, empty=_("None.")),
            ),
            Section(_("What it costs"), pretty(frozen["ladder"])),
            Section(_("Backtest"), self._backtest(frozen["backtest"])),
        )

    def _changes(self, approval: Approval, spec: RuleSpec) -> tuple[Any, Any]:
        other = compared_with(approval.version)
        if other is None:
            return Prose(now_("A new rule: nothing to compare with.")), ""
        changes = differences(
            spec_of(other), spec, old_ladder=other.ladder or None, new_ladder=approval.frozen["ladder"]
        )
        return Prose("\n".join(f"• {change}" for change in changes) or now_("Nothing.")), now_(
            "Against %(version)s."
        ) % {"version": other}

    def _backtest(self, frozen: Mapping[str, Any]) -> Prose | Sequence[Fact]:
        if "none" in frozen:
            return Prose(str(frozen["none"]))
        since, until = (dt.datetime.fromisoformat(frozen[name]) for name in ("since", "until"))
        return [
            Fact(_("Span"), f"{since:%d %b %Y} – {until:%d %b %Y}"),
            Fact(_("Markets"), ", ".join(frozen["markets"]) or now_("All of the rule's")),
            Fact(_("Signals"), f"{frozen['signals']:,}"),
            Fact(_("Errors"), f"{frozen['faults']:,}"),
            Fact(_("Result"), pretty(frozen["result"].get("totals") or frozen["result"])),
        ]
