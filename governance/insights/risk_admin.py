"""Risks in the console as data sees them: assessments and the cases behind them, the heat map, and where rules are missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as now_
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.insights.heat_map import heat_map_of
from governance.insights.risk_coverage import MARKETS_NAMED, Coverage, coverage_of
from governance.insights.risk_facts import risk_assessments
from governance.risks.enums import RiskCategory
from governance.risks.explained import (
    SHADES,
    how_reached,
    parts_table,
    priority_badge,
    rate_in_words,
    trend_badge,
)
from governance.risks.models import Assessment, Feedback, Risk
from governance.risks.selectors import assessments_visible_to, feedback_visible_to
from governance.risks.services import assessments_record
from governance.violations.models import Violation
from governance.violations.selectors import violations_visible_to
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, DialogForm, act
from guilds.console.base import ConsoleAdmin
from guilds.console.page import (
    Badge,
    Fact,
    Link,
    Prose,
    Section,
    Table,
    admin_url,
    link_to,
    list_url,
    shown,
)

CASES_SHOWN = 15
EARLIER_SHOWN = 14


@admin.register(Assessment)
class AssessmentAdmin(ConsoleAdmin[Assessment]):
    intro = _("How great each risk was in each market, day by day, from what was counted.")
    list_display = (
        "risk",
        "market",
        "on",
        "priority_shown",
        "trend_shown",
        "upheld",
        "violations",
        "guilds_upheld",
        "guilds",
        "rate_shown",
        "live_hours",
        "feedback",
    )
    list_select_related = ("risk", "market")
    list_filter = (
        ("risk", RelatedDropdownFilter),
        ("market", RelatedDropdownFilter),
        ("trend", ChoicesDropdownFilter),
    )
    search_fields = ("risk__code",)
    search_help_text = _("Code of the risk or of the market")
    object_related = ("risk", "market")
    ordering = ("-on", "-priority", "id")
    actions_list = ("assess",)

    def visible(self, actor: Actor) -> QuerySet[Assessment]:
        return assessments_visible_to(actor)

    def matching(self, term: str) -> Q:
        return Q(risk__code__iexact=term) | Q(market__code__iexact=term)

    @display(description=_("priority"), ordering="priority")
    def priority_shown(self, row: Assessment) -> str:
        return shown(priority_badge(row.priority))

    @display(description=_("trend"), ordering="trend")
    def trend_shown(self, row: Assessment) -> str:
        return shown(trend_badge(row.trend))

    @display(description=_("per 1,000 hours"), ordering="rate")
    def rate_shown(self, row: Assessment) -> str:
        return shown(None if row.rate is None else f"{row.rate:.2f}")

    # --- the page -------------------------------------------------------------------------------------------------
    def headline(self, row: Assessment) -> str:
        return f"{row.risk.code} · {row.risk.name} · {row.market.name}"

    def badge(self, row: Assessment) -> Badge | None:
        return priority_badge(row.priority)

    def facts(self, row: Assessment, request: HttpRequest) -> Sequence[Fact]:
        since = row.on - dt.timedelta(days=row.window_days)
        last = row.on - dt.timedelta(days=1)
        return (
            Fact(_("Risk"), link_to(row.risk)),
            Fact(_("Market"), link_to(row.market)),
            Fact(_("Counted"), f"{since:%d %b %Y} – {last:%d %b %Y}"),
            Fact(_("Trend"), trend_badge(row.trend)),
            Fact(_("Rate"), rate_in_words(row.rate)),
            Fact(_("The window before"), rate_in_words(row.rate_before)),
            Fact(_("Live hours"), f"{row.live_hours:,.0f}"),
            Fact(_("Guilds with an upheld violation"), f"{row.guilds_upheld} / {row.guilds}"),
            Fact(_("Upheld of those found"), f"{row.upheld} / {row.violations}"),
            Fact(_("Messages"), row.feedback),
            Fact(_("Made"), row.made_at),
        )

    def sections(self, row: Assessment, request: HttpRequest) -> Sequence[Section]:
        actor = self.actor(request)
        return (
            Section(_("How this was reached"), parts_table(row.parts)),
            Section(_("The formula"), [Fact(title, Prose(text)) for title, text in how_reached()]),
            Section(_("Cases behind it, by rule"), _by_rule(row, actor)),
            Section(
                _("The latest upheld"),
                _cases(row, actor),
                note=_("Confirmed, not overturned, within the window."),
            ),
            Section(_("Messages behind it"), _messages(row, actor)),
            Section(_("Day by day"), self._earlier(row, actor)),
        )

    def _earlier(self, row: Assessment, actor: Actor) -> Table:
        others = assessments_visible_to(actor).filter(risk=row.risk_id, market=row.market_id)
        rows = [
            [
                link_to(other, f"{other.on:%d %b %Y}"),
                priority_badge(other.priority),
                trend_badge(other.trend),
                other.upheld,
                None if other.rate is None else f"{other.rate:.2f}",
            ]
            for other in others.exclude(pk=row.pk).order_by("-on")[:EARLIER_SHOWN]
        ]
        headers = [_("Day"), _("Priority"), _("Trend"), _("Upheld"), _("Rate")]
        return Table(headers, rows, empty=_("This is the only one."))

    # --- the heat map and coverage --------------------------------------------------------------------------------
    @act(
        label=_("Assess now"),
        question=_(
            "Counts every risk anew in every market you reach and replaces today’s assessments. It takes some seconds."
        ),
        roles=(Role.ANALYST,),
        form=DialogForm,
        done=_("Assessed."),
        icon="refresh",
        variant=ActionVariant.PRIMARY,
    )
    def assess(self, actor: Actor, obj: None, values: Mapping[str, Any]) -> Answer:
        rows = risk_assessments(on=timezone.now().date(), market_ids=actor.market_ids)
        assessments_record(actor=actor, rows=rows)
        return reverse("admin:governance_assessment_heat")

    def get_custom_urls(self) -> tuple[tuple[str, str, Callable[..., HttpResponseBase]], ...]:
        return (
            *super().get_custom_urls(),
            ("heat/", "governance_assessment_heat", self.heat_view),
            ("coverage/", "governance_assessment_coverage", self.coverage_view),
        )

    def heat_view(self, request: HttpRequest, model_admin: Any = None) -> HttpResponse:
        """Risk × market by priority, and harm × likelihood."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        actor = self.actor(request)
        asked = request.GET.get("category", "")
        category = asked if asked in RiskCategory.values else ""
        context = {
            **self.admin_site.each_context(request),
            "title": now_("Heat map"),
            "map": heat_map_of(actor, category=category),
            "categories": RiskCategory.choices,
            "category": category,
            "legend": [(place, 20 * place, 20 * place + 20) for place in range(SHADES)],
            "how": how_reached(),
            "may_assess": self.spec("assess").offered(actor),
            "assess_url": reverse("admin:governance_assessment_assess"),
        }
        return TemplateResponse(request, "admin/console/risk_heat.html", context)

    def coverage_view(self, request: HttpRequest, model_admin: Any = None) -> HttpResponse:
        """Risks nothing answers, and rules whose risk is gone."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = coverage_of(self.actor(request))
        context = {
            **self.admin_site.each_context(request),
            "title": now_("Coverage"),
            "coverage": found,
            "sections": _coverage_sections(found),
        }
        return TemplateResponse(request, "admin/console/risk_coverage.html", context)


def _window(row: Assessment) -> tuple[dt.datetime, dt.datetime]:
    until = dt.datetime.combine(row.on, dt.time(), dt.UTC)
    return until - dt.timedelta(days=row.window_days), until


def _violations(row: Assessment, actor: Actor) -> QuerySet[Violation]:
    """The violations the assessment counted, as they stand now."""
    since, until = _window(row)
    return violations_visible_to(actor).filter(
        rule__risk_id=row.risk_id,
        market_id=row.market_id,
        guild__market_id=row.market_id,
        occurred_at__gte=since,
        occurred_at__lt=until,
    )


def _by_rule(row: Assessment, actor: Actor) -> Table:
    since, until = _window(row)
    counted = (
        _violations(row, actor)
        .select_related(None)
        .order_by()
        .values("rule_id", "rule__code", "rule__name")
        .annotate(
            found=Count("pk"),
            upheld=Count("pk", filter=Q(status="confirmed")),
            undecided=Count("pk", filter=Q(status="open")),
        )
        .order_by("-upheld", "-found", "rule__code")
    )
    rows = []
    for line in counted:
        narrowed = {
            "rule__id__exact": line["rule_id"],
            "market__id__exact": row.market_id,
            "occurred_at_from_0": f"{since:%Y-%m-%d}",
            "occurred_at_from_1": "00:00",
            "occurred_at_to_0": f"{until:%Y-%m-%d}",
            "occurred_at_to_1": "00:00",
        }
        rows.append(
            [
                Link(
                    f"{line['rule__code']} {line['rule__name']}",
                    reverse("admin:governance_rule_change", args=[line["rule_id"]]),
                ),
                line["upheld"],
                line["undecided"],
                Link(line["found"], list_url(Violation, urlencode(narrowed))),
            ]
        )
    headers = [_("Rule"), _("Upheld"), _("Not decided"), _("Found")]
    return Table(headers, rows, empty=_("No rule found anything in this window."))


def _cases(row: Assessment, actor: Actor) -> Table:
    upheld = _violations(row, actor).filter(status="confirmed").order_by("-occurred_at", "-pk")
    rows = [
        [
            link_to(case, f"{case.code} · {case.guild}"),
            case.severity,
            link_to(case.rule),
            case.occurred_at,
        ]
        for case in upheld[:CASES_SHOWN]
    ]
    return Table(
        [_("Case"), _("Severity"), _("Rule"), _("Happened")], rows, empty=_("None upheld in this window.")
    )


def _messages(row: Assessment, actor: Actor) -> Table:
    since, until = _window(row)
    heard = feedback_visible_to(actor).filter(
        Q(risk=row.risk_id, merged_into__isnull=True) | Q(merged_into__risk=row.risk_id),
        Q(guild__isnull=True) | Q(guild__market=F("market")),
        market=row.market_id,
        created_at__gte=since,
        created_at__lt=until,
    )
    rows = [
        [link_to(message), message.get_source_display(), message.get_status_display(), message.created_at]
        for message in heard.order_by("-pk")[:CASES_SHOWN]
    ]
    more = Link(_("All messages about this risk"), list_url(Feedback, f"risk__id__exact={row.risk_id}"))
    headers = [_("Message"), _("From"), _("Status"), _("When")]
    return Table(headers, rows, empty=_("Nobody told us anything about it in this window."), more=more)


def _coverage_sections(found: Coverage) -> list[Section]:
    headers = [_("Risk"), _("Name"), _("Category"), _("Harm × likelihood"), _("Treatment"), _("Owning team")]
    return [
        Section(
            _("Risks without a rule"),
            Table(
                headers, [_risk_row(risk) for risk in found.without_rule], empty=_("Every risk has a rule.")
            ),
            note=_("Nothing is written against them."),
        ),
        Section(
            _("Risks without a live rule"),
            Table(
                headers,
                [_risk_row(risk) for risk in found.not_live],
                empty=_("Every written rule’s risk is watched somewhere."),
            ),
            note=_("Written, but in force nowhere: drafts, shadows, paused."),
        ),
        Section(
            _("Risks watched in some markets only"),
            Table(
                [_("Risk"), _("Name"), _("Markets"), _("Not watched in")],
                [
                    [
                        link_to(gap.risk, gap.risk.code),
                        gap.risk.name,
                        f"{gap.covered} / {found.markets}",
                        _few(gap.missing),
                    ]
                    for gap in found.gaps
                ],
                empty=_("What is watched is watched in every market you reach."),
            ),
            note=_("Within your markets, now. Some rules are meant for some markets only."),
        ),
        Section(
            _("Rules whose risk is retired"),
            Table(
                [_("Rule"), _("Name"), _("Risk"), _("State")],
                [
                    [
                        link_to(rule),
                        rule.name,
                        link_to(rule.risk),
                        Badge(_("Live"), "danger") if rule.is_live else Badge(_("Not live")),  # type: ignore[attr-defined]
                    ]
                    for rule in found.retired_risk
                ],
                empty=_("Every rule answers to a risk on the register."),
            ),
            note=_("Every rule names a risk; these name one that is no longer worth governing."),
        ),
    ]


def _risk_row(risk: Risk) -> list[Any]:
    return [
        Link(risk.code, admin_url(risk)),
        risk.name,
        risk.get_category_display(),
        f"{risk.harm} × {risk.likelihood} = {risk.priority}",
        risk.get_treatment_display(),
        risk.owner,
    ]


def _few(codes: Sequence[str]) -> str:
    named = ", ".join(codes[:MARKETS_NAMED])
    more = len(codes) - MARKETS_NAMED
    return now_("%(named)s and %(more)s more") % {"named": named, "more": more} if more > 0 else named
