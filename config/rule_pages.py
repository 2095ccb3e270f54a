"""The pages of rules and of their versions, with what stands above them: how they fire, shadow beside live, and where to go on.

What a page shows beyond its own concept is a list of providers; a concept that has something to add adds one line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from governance.models import Rule, RuleVersion, Signal
from governance.rules.admin import RuleAdmin, RuleVersionAdmin
from governance.rules.enums import VersionStatus
from governance.violations.admin import watched_table
from governance.violations.alarm_readings import watched
from governance.violations.alarm_test import ALPHA
from governance.violations.shadow_report import Compared, ShadowReport, shadow_report
from guilds.accounts.actor import Actor
from guilds.console.lists import in_markets
from guilds.console.page import Badge, Fact, Link, Prose, Section, Table, link_to

#: Markets in one table; the page says when there are more.
SHOWN = 40


def firing(rule: Rule, actor: Actor) -> Sequence[Section]:
    """How the rule fires against its own history, market by market."""
    found = watched(rule, market_ids=actor.market_ids)
    note = _(
        "Violations of the last 24 hours against up to four weeks before, by an exact test at %(alpha)s over all rules. Too"
        " little history or too few violations are said to be that."
    ) % {"alpha": ALPHA}
    shown = watched_table(found[:SHOWN])
    return [Section(_("How it fires"), shown, note=_more(note, len(found)))]


def shadow_beside_live(version: RuleVersion, actor: Actor) -> Sequence[Section]:
    """What a version in shadow matched and what the live ones did; nothing for a version that never was in shadow."""
    report = shadow_report(version, market_ids=actor.market_ids)
    if report is None:
        return []
    if not report.live:
        return [
            Section(_("Shadow"), [*_span(report), Fact(_("Signals it matched"), report.total.shadow)]),
            Section(
                _("Shadow beside live"),
                Prose(
                    str(
                        _(
                            "No version of this rule was live beside it, so there is nothing to compare it with."
                        )
                    )
                ),
            ),
            *_samples(report, actor),
        ]
    rows = [[market.code, *_compared(one)] for market, one in report.markets[:SHOWN]]
    if len(rows) > 1:
        rows.append([Badge(_("All")), *_compared(report.total)])
    headers = [
        _("Market"),
        _("Both matched"),
        _("Only shadow"),
        _("Only live"),
        _("Shadow matched"),
        _("Live matched"),
        _("Agreement"),
    ]
    note = _(
        "Signals, not violations: cooldowns and caps are not in it. Agreement is the share of matched signals that both match."
    )
    return [
        Section(_("Shadow"), _span(report)),
        Section(
            _("Shadow beside live"),
            Table(headers, rows, empty=_("Neither has matched a signal yet.")),
            note=_more(note, len(report.markets)),
        ),
        *_samples(report, actor),
    ]


def _span(report: ShadowReport) -> list[Fact]:
    return [
        Fact(_("Judged from"), report.since),
        Fact(_("Until"), report.until),
        Fact(_("Live beside it"), [link_to(version) for version in report.live]),
        Fact(_("What it led to"), Badge(_("Nothing was applied"), "success")),
    ]


def _compared(one: Compared) -> list[object]:
    agreement = None if one.agreement is None else f"{one.agreement:.0%}"
    return [one.both, one.only_shadow, one.only_live, one.shadow, one.live, agreement]


SIDES = {"both": _("Both"), "only_shadow": _("Only shadow"), "only_live": _("Only live")}


def _samples(report: ShadowReport, actor: Actor) -> list[Section]:
    if not report.samples:
        return []
    keys = [sample.signal_id for sample in report.samples]
    times = [sample.occurred_at for sample in report.samples]
    # All are of the same moment as their detection, so that few months are read.
    stored = {
        signal.pk: signal for signal in in_markets(Signal.objects.filter(pk__in=keys, time__in=times), actor)
    }
    rows = [
        [
            SIDES[sample.side],
            link_to(stored.get(sample.signal_id), sample.event_id) or sample.event_id,
            sample.guild,
            sample.market,
            sample.occurred_at,
        ]
        for sample in report.samples
    ]
    headers = [_("Matched by"), _("Signal"), _("Guild"), _("Market"), _("Happened")]
    return [Section(_("Signals to open"), Table(headers, rows), note=_("The latest of each kind."))]


def _more(note: object, number: int) -> object:
    if number <= SHOWN:
        return note
    return _("%(note)s The first %(shown)s of %(number)s markets.") % {
        "note": note,
        "shown": SHOWN,
        "number": number,
    }


def going_on(version: RuleVersion, actor: Actor) -> Sequence[Section]:
    """Where a version is written, proved and launched."""
    code = version.rule.code
    places: tuple[tuple[object, str, list[object], str], ...] = (
        (_("Workbench"), "admin:governance_draft_change", [version.pk], ""),
        (_("Backtests"), "admin:governance_backtest_changelist", [], f"?q={code}"),
        (_("Launches"), "admin:governance_launch_changelist", [], f"?q={code}"),
        (_("Exceptions"), "admin:governance_ruleexception_changelist", [], f"?q={code}"),
        (_("Alarms"), "admin:governance_alarm_changelist", [], f"?q={code}"),
    )
    links = [Link(title, f"{url}{query}") for title, name, args, query in places if (url := _url(name, args))]
    return [Section(_("Where to go on"), [Fact(_("Pages of this rule"), links)])]


def _url(name: str, args: Sequence[object]) -> str:
    """A page's address, or nothing where this installation has no such page."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


def shadow_now(version: RuleVersion, actor: Actor) -> Sequence[Section]:
    """While it is in shadow the report is what the page is read for."""
    return shadow_beside_live(version, actor) if version.status == VersionStatus.SHADOW else []


def shadow_before(version: RuleVersion, actor: Actor) -> Sequence[Section]:
    return [] if version.status == VersionStatus.SHADOW else shadow_beside_live(version, actor)


#: What is shown before and after the page's own sections, in this order.
RULE_SECTIONS: list[Callable[[Rule, Actor], Sequence[Section]]] = [firing]
VERSION_FIRST: list[Callable[[RuleVersion, Actor], Sequence[Section]]] = [going_on, shadow_now]
VERSION_SECTIONS: list[Callable[[RuleVersion, Actor], Sequence[Section]]] = [shadow_before]


class RulePage(RuleAdmin):
    def sections(self, rule: Rule, request: HttpRequest) -> Sequence[Section]:
        own, actor = super().sections(rule, request), self.actor(request)
        return [*own, *(section for provider in RULE_SECTIONS for section in provider(rule, actor))]


class VersionPage(RuleVersionAdmin):
    def sections(self, version: RuleVersion, request: HttpRequest) -> Sequence[Section]:
        own, actor = super().sections(version, request), self.actor(request)
        return [
            *(section for provider in VERSION_FIRST for section in provider(version, actor)),
            *own,
            *(section for provider in VERSION_SECTIONS for section in provider(version, actor)),
        ]
