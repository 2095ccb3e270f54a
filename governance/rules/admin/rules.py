"""Rules: the codes, and which of their versions are in force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from governance.rules.admin.badges import STATUS_VARIANTS, exception_badge, status_badge
from governance.rules.enums import VersionStatus
from governance.rules.models import Rule, RuleException, RuleVersion
from governance.rules.selectors import CURRENT, exceptions_visible_to
from guilds.accounts.actor import Actor
from guilds.console.base import ConsoleAdmin
from guilds.console.page import Badge, Fact, Link, Section, Table, link_to, list_url, severity_badge, shown


class RuleAdmin(ConsoleAdmin[Rule]):
    """Registered in config/rule_pages.py, which adds what stands above this concept."""

    intro = _("Policies by their stable code. What a rule says, and since when, is in its versions.")
    list_display = ("code", "name", "risk", "current_shown", "severity_shown", "review_shown")
    list_select_related = ("risk",)
    list_filter = (("risk", RelatedDropdownFilter),)
    search_fields = ("code",)
    search_help_text = _("Code of the rule or its risk, or part of the name")
    object_related = ("risk",)
    ordering = ("code",)

    def visible(self, actor: Actor) -> QuerySet[Rule]:
        newest = RuleVersion.objects.filter(rule=OuterRef("pk")).order_by("-number")
        current = newest.filter(status__in=CURRENT)
        return Rule.objects.annotate(
            current=ArraySubquery(current.values(json=JSONObject(number="number", status="status"))),
            newest_severity=Subquery(newest.values("severity")[:1]),
            newest_review=Subquery(newest.values("review")[:1]),
        )

    def matching(self, term: str) -> Q:
        return Q(code__istartswith=term) | Q(name__icontains=term) | Q(risk__code__iexact=term)

    @display(description=_("in force"))
    def current_shown(self, rule: Any) -> str:
        """Every version in force: they may differ by market or by share of guilds."""
        return shown(
            [
                Badge(
                    f"v{found['number']} {VersionStatus(found['status']).label}",
                    STATUS_VARIANTS[found["status"]],
                )
                for found in rule.current
            ]
            or Badge(_("Not live"))
        )

    @display(description=_("severity"))
    def severity_shown(self, rule: Any) -> str:
        return shown(severity_badge(rule.newest_severity) if rule.newest_severity else None)

    @display(description=_("review"))
    def review_shown(self, rule: Any) -> str:
        return shown(rule.newest_review)

    def headline(self, rule: Rule) -> str:
        return f"{rule.code} · {rule.name}"

    def badge(self, rule: Any) -> Badge:
        statuses = [found["status"] for found in rule.current]
        if not statuses:
            return Badge(_("Not live"))
        # Live as long as one of its versions is.
        status = VersionStatus.LIVE if VersionStatus.LIVE in statuses else VersionStatus.PAUSED
        return Badge(status.label, STATUS_VARIANTS[status])

    def facts(self, rule: Rule, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Risk"), link_to(rule.risk)),
            Fact(_("First written"), rule.created_at),
        )

    def sections(self, rule: Rule, request: HttpRequest) -> Sequence[Section]:
        versions = list(rule.versions.select_related("rule", "author").order_by("-number"))
        rows = [
            [
                link_to(version),
                status_badge(version),
                severity_badge(version.severity),
                version.created_at,
                version.author,
            ]
            for version in versions
        ]
        headers = [_("Version"), _("Status"), _("Severity"), _("Written"), _("By")]
        lessons = [[link_to(lesson)] for lesson in rule.lessons.order_by("code")]
        exceptions = [
            [link_to(one, one.guild), exception_badge(one), one.expires_at, one.granted_by]
            for one in exceptions_visible_to(self.actor(request)).filter(rule=rule).order_by("-id")[:20]
        ]
        more = Link(_("All exceptions"), list_url(RuleException, f"q={rule.code}"))
        return (
            Section(_("Versions"), Table(headers, rows)),
            Section(
                _("Exceptions"),
                Table(
                    [_("Guild"), _("Status"), _("Until"), _("Granted by")],
                    exceptions,
                    empty=_("It is silenced for no guild."),
                    more=more,
                ),
            ),
            Section(_("Lessons about it"), Table([_("Lesson")], lessons)),
        )
