"""The page of the workbench: one version, to be written or, once frozen, to be read."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from governance.backtests.enums import BacktestStatus
from governance.engine.environment import KNOWN_KEYS
from governance.penalties.enums import PenaltyKind
from governance.penalties.step_words import ladder_words, markets_of
from governance.rules.enums import ReviewMode, Severity, VersionStatus
from governance.rules.models import Ladder, RuleVersion
from governance.rules.policy_yaml import spec_to_yaml
from governance.signals.fields import known_types
from governance.workbench.checking import compared_with
from governance.workbench.endpoints import ENDPOINTS, opening
from governance.workbench.enums import ApprovalStatus
from governance.workbench.models import Approval, Draft
from governance.workbench.selectors import (
    BEFORE_LAUNCH,
    editors,
    fitting_backtest,
    reaches_all,
    spec_of,
)
from governance.workbench.words import words
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.page import Badge, Link, Table, Variant, admin_url, distance, link_to
from guilds.models import Market

COMMENTS = 50
BACKTESTS = 5

APPROVAL_VARIANTS: dict[str, Variant] = {
    ApprovalStatus.REQUESTED: "warning",
    ApprovalStatus.APPROVED: "success",
    ApprovalStatus.REFUSED: "danger",
    ApprovalStatus.WITHDRAWN: "default",
}


def approval_badge(approval: Approval) -> Badge:
    return Badge(approval.get_status_display(), APPROVAL_VARIANTS[approval.status])


def page_url(version: RuleVersion) -> str:
    """The version in the workbench."""
    return admin_url(Draft(pk=version.pk))


def is_written(version: RuleVersion) -> bool:
    """Whether the version may still be rewritten."""
    return version.status == VersionStatus.DRAFT and version.frozen_at is None


def may_write(actor: Actor, version: RuleVersion) -> bool:
    return is_written(version) and actor.has_role(Role.ANALYST) and reaches_all(actor, version.markets)


def stage(version: RuleVersion) -> Badge:
    """Where a version stands on its way, in one word."""
    if version.status not in (VersionStatus.DRAFT, VersionStatus.SHADOW):
        variants: dict[str, Variant] = {VersionStatus.LIVE: "success", VersionStatus.PAUSED: "warning"}
        return Badge(version.get_status_display(), variants.get(version.status, "default"))
    last = latest_approval(version)
    if last is not None and last.status in (ApprovalStatus.REQUESTED, ApprovalStatus.APPROVED):
        return approval_badge(last)
    if version.status == VersionStatus.SHADOW:
        return Badge(version.get_status_display(), "info")
    if last is not None and last.status == ApprovalStatus.REFUSED:
        return Badge(_("Refused: being rewritten"), "danger")
    return Badge(_("Being written"), "primary")


def latest_approval(version: RuleVersion) -> Approval | None:
    """The last approval asked for; without a query where the list has fetched them."""
    found = sorted(version.approvals.all(), key=lambda approval: approval.pk)
    return found[-1] if found else None


def page_context(actor: Actor, version: RuleVersion) -> dict[str, Any]:
    """What the template is given beside the console's own: `start` is what workbench.js begins with."""
    editable = may_write(actor, version)
    approval = latest_approval(version)
    subject = RuleVersion.objects.select_related("rule__risk").get(pk=version.pk)
    comments = version.comments.select_related("author").order_by("-id")[:COMMENTS]
    return {
        # The version itself: what its cycle and timeline are about.
        "subject": subject,
        "written_at": version.written_at.isoformat(),
        "editable": editable,
        "stage": stage(version),
        "start": _start(actor, version, editable=editable),
        "yaml": spec_to_yaml(spec_of(version)),
        "approval": approval,
        "approval_badge": approval_badge(approval) if approval else None,
        "why_read_only": "" if editable else _why_read_only(actor, version),
        "editors": editors(version),
        "comments": [(comment, distance(comment.created_at)) for comment in comments],
        "backtests": _backtests(version),
        "links": _links(actor, subject),
        "against": compared_with(version),
    }


def _why_read_only(actor: Actor, version: RuleVersion) -> str:
    if version.status != VersionStatus.DRAFT:
        return _("This version is no draft any more. To change it, write the next version.")
    if version.frozen_at is not None:
        return _("This version is frozen since approval was asked for. Withdraw that to go on writing.")
    if not actor.has_role(Role.ANALYST):
        return _("Analysts write rules; you may read, try and comment.")
    return _("This rule also governs markets outside your scope.")


def _start(actor: Actor, version: RuleVersion, *, editable: bool) -> dict[str, Any]:
    base = admin_url(Draft(pk=version.pk)).removesuffix("change/")
    markets = Market.objects.order_by("code")
    if actor.market_ids is not None:
        markets = markets.filter(pk__in=actor.market_ids)
    return {
        **opening(actor, version),
        "editable": editable,
        "overlap": _overlap(version),
        "urls": {name: f"{base}{name}/" for name in ENDPOINTS},
        "choices": {
            "types": known_types(actor.market_ids),
            "markets": [
                {"code": market.code, "name": market.name, "languages": market.languages}
                for market in markets
            ],
            "everywhere": actor.market_ids is None,
            "ladders": [
                {"code": ladder.code, "words": _ladder_words(ladder.spec)}
                for ladder in Ladder.objects.order_by("code")
            ],
            "severities": [[code, str(label)] for code, label in Severity.choices],
            "reviews": [[code, str(label)] for code, label in ReviewMode.choices],
            "kinds": [[code, str(label)] for code, label in PenaltyKind.choices],
            "known": {name: sorted(keys) for name, keys in KNOWN_KEYS.items()},
        },
        "words": words(),
    }


def _ladder_words(spec: dict[str, Any]) -> list[str]:
    """What a ladder costs, one line a rung, then what differs in which market."""
    lines = ladder_words(spec)
    for market in markets_of(spec):
        lines += [f"{market}: {line}" for line in ladder_words(spec, market=market)]
    return lines


def _backtests(version: RuleVersion) -> Table:
    fitting = fitting_backtest(version)
    rows = [
        [
            link_to(found, f"{found.since:%d %b %Y} – {found.until:%d %b %Y}"),
            found.get_status_display(),
            Badge(_("this wording"), "success")
            if fitting is not None and found.digest == fitting.digest
            else Badge(_("other wording")),
        ]
        for found in version.backtests.order_by("-id")[:BACKTESTS]
    ]
    return Table([_("Span"), _("Status"), ""], rows, empty=_("None yet."))


def _links(actor: Actor, version: RuleVersion) -> list[Link]:
    """Where the version goes from here: its test on history, its launch, what became of it."""
    wanted = []
    if version.status in BEFORE_LAUNCH and actor.has_role(Role.ANALYST):
        wanted.append((_("Start a backtest"), "admin:governance_backtest_new", f"version={version.pk}"))
    if version.status in BEFORE_LAUNCH and actor.has_role(Role.LAUNCHER):
        wanted.append((_("Plan a launch"), "admin:governance_launch_plan", f"version={version.pk}"))
    wanted += [
        (_("Backtests of this rule"), "admin:governance_backtest_changelist", f"q={version.rule.code}"),
        (_("Launches of this rule"), "admin:governance_launch_changelist", f"q={version.rule.code}"),
    ]
    found = [Link(text, f"{reverse(name)}?{query}") for text, name, query in wanted]
    page = link_to(version, _("The version's own page"))
    return [*found, page] if page is not None else found


def _overlap(version: RuleVersion) -> dict[str, Any] | None:
    """Who else caught what the last finished backtest found: of this wording, else of an earlier one of the version."""
    done = version.backtests.filter(status=BacktestStatus.DONE).order_by("-id")
    backtest = fitting_backtest(version) or done.first()
    if backtest is None:
        return None
    return {
        "span": f"{backtest.since:%d %b %Y} – {backtest.until:%d %b %Y}",
        "url": admin_url(backtest),
        "overlap": backtest.result.get("overlap") or [],
    }
