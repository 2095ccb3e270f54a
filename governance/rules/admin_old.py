"""Rules and their versions: wording, where and when it was live, what was found wrong with it, and the brakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.rules.enums import FindingStatus, VersionStatus
from governance.rules.findings import finding_close
from governance.rules.models import Finding, Ladder, Rule, RuleVersion
from governance.rules.selectors import CURRENT, findings_visible_to
from governance.rules.services import (
    MAY_PAUSE,
    version_pause,
    version_resume,
    version_retire,
)
from governance.rules.shadow import shadow_start
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
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
    Variant,
    link_to,
    list_url,
    severity_badge,
    shown,
)

STATUS_VARIANTS: dict[str, Variant] = {
    VersionStatus.DRAFT: "default",
    VersionStatus.SHADOW: "info",
    VersionStatus.LIVE: "success",
    VersionStatus.PAUSED: "warning",
    VersionStatus.RETIRED: "default",
}


def status_badge(version: RuleVersion) -> Badge:
    return Badge(version.get_status_display(), STATUS_VARIANTS[version.status])


def as_yaml(spec: Any) -> Code:
    """A spec as the policy file writes it."""
    return Code(yaml.safe_dump(spec, sort_keys=False, allow_unicode=True, width=100).rstrip())


@admin.register(Rule)
class RuleAdmin(ConsoleAdmin[Rule]):
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
            current_status=Subquery(current.values("status")[:1]),
            current_number=Subquery(current.values("number")[:1]),
            newest_severity=Subquery(newest.values("severity")[:1]),
            newest_review=Subquery(newest.values("review")[:1]),
        )

    def matching(self, term: str) -> Q:
        return Q(code__istartswith=term) | Q(name__icontains=term) | Q(risk__code__iexact=term)

    @display(description=_("in force"))
    def current_shown(self, rule: Any) -> str:
        if rule.current_status is None:
            return shown(Badge(_("Not live")))
        label = VersionStatus(rule.current_status).label
        return shown(Badge(f"v{rule.current_number} {label}", STATUS_VARIANTS[rule.current_status]))

    @display(description=_("severity"))
    def severity_shown(self, rule: Any) -> str:
        return shown(severity_badge(rule.newest_severity) if rule.newest_severity else None)

    @display(description=_("review"))
    def review_shown(self, rule: Any) -> str:
        return shown(rule.newest_review)

    def headline(self, rule: Rule) -> str:
        return f"{rule.code} · {rule.name}"

    def badge(self, rule: Any) -> Badge:
        if rule.current_status is None:
            return Badge(_("Not live"))
        return Badge(VersionStatus(rule.current_status).label, STATUS_VARIANTS[rule.current_status])

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
        return (
            Section(_("Versions"), Table(headers, rows)),
            Section(_("Lessons about it"), Table([_("Lesson")], lessons)),
        )


@admin.register(RuleVersion)
class RuleVersionAdmin(ConsoleAdmin[RuleVersion]):
    intro = _("Every wording a rule ever had. A version never changes; only its status does.")
    list_display = (
        "version_shown",
        "name_shown",
        "status_shown",
        "severity_shown",
        "review",
        "markets_shown",
        moment_column("effective_from", _("effective from")),
    )
    list_select_related = ("rule",)
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("severity", ChoicesDropdownFilter),
        ("review", ChoicesDropdownFilter),
    )
    search_fields = ("rule__code",)
    search_help_text = _("Code of the rule or of the violation")
    object_related = ("rule__risk", "author", "approver")
    ordering = ("rule__code", "-number")
    actions_detail = ("pause", "resume", "to_shadow", "retire")

    def visible(self, actor: Actor) -> QuerySet[RuleVersion]:
        return RuleVersion.objects.all()

    def matching(self, term: str) -> Q:
        return Q(rule__code__istartswith=term) | Q(violation_code__istartswith=term)

    @display(description=_("version"), ordering="rule__code")
    def version_shown(self, version: RuleVersion) -> str:
        return str(version)

    @display(description=_("name"))
    def name_shown(self, version: RuleVersion) -> str:
        return version.name

    @display(description=_("status"), ordering="status")
    def status_shown(self, version: RuleVersion) -> str:
        return shown(status_badge(version))

    @display(description=_("severity"), ordering="severity")
    def severity_shown(self, version: RuleVersion) -> str:
        return shown(severity_badge(version.severity))

    @display(description=_("markets"))
    def markets_shown(self, version: RuleVersion) -> str:
        return _everywhere_or(version)

    def headline(self, version: RuleVersion) -> str:
        return f"{version} · {version.name}"

    def badge(self, version: RuleVersion) -> Badge:
        return status_badge(version)

    def facts(self, version: RuleVersion, request: HttpRequest) -> Sequence[Fact]:
        facts = [
            Fact(_("Rule"), link_to(version.rule)),
            Fact(_("Violation it opens"), version.violation_code),
            Fact(_("Severity"), severity_badge(version.severity)),
            Fact(_("Review"), version.get_review_display()),
            Fact(_("Signals it reads"), ", ".join(version.on)),
            Fact(_("Markets"), _everywhere_or(version)),
            Fact(_("Cap per market and hour"), version.cap if version.cap is not None else _("None")),
            Fact(_("Effective from"), version.effective_from),
            Fact(_("Written by"), version.author),
            Fact(_("Approved by"), version.approver),
        ]
        if version.status_reason:
            facts.append(Fact(_("Why it has this status"), Prose(version.status_reason)))
        return facts

    def sections(self, version: RuleVersion, request: HttpRequest) -> Sequence[Section]:
        periods = [
            [
                period.market or Badge(_("Every market it names"), "info"),
                period.starts_at,
                period.ends_at or Badge(_("Still"), "success"),
            ]
            for period in version.live_periods.select_related("market").order_by("-starts_at")[:100]
        ]
        findings = [
            [link_to(finding, finding.summary[:120]), finding_badge(finding), finding.created_at]
            for finding in findings_visible_to(self.actor(request))
            .filter(version=version)
            .order_by("-id")[:20]
        ]
        texts = [Fact(language, Prose(text)) for language, text in sorted(version.text.items())]
        more = Link(_("Violations it opened"), list_url(version.violations.model, f"q={version.rule.code}"))
        return (
            Section(
                _("Wording for guilds"), texts or Prose(str(_("This version has no wording of its own.")))
            ),
            Section(_("Condition and measures"), as_yaml(version.spec), note=_("As in the policy file.")),
            Section(
                _("What it costs"),
                as_yaml(version.ladder),
                note=_("The ladder on the day the version was written."),
            ),
            Section(
                _("When it was live"),
                Table([_("Where"), _("From"), _("Until")], periods, empty=_("Never yet."), more=more),
            ),
            Section(
                _("Findings"),
                Table([_("What was found"), _("Status"), _("When")], findings, empty=_("None.")),
            ),
        )

    @act(
        label=_("Pause"),
        question=_(
            "It stops judging with the next batch. Signals wait for it and are judged when it resumes."
        ),
        done=_("The version is paused."),
        roles=MAY_PAUSE,
        when=lambda version: version.status == VersionStatus.LIVE,
        icon="pause",
        variant=ActionVariant.WARNING,
    )
    def pause(self, actor: Actor, version: RuleVersion, values: Mapping[str, Any]) -> Answer:
        version_pause(actor=actor, version_id=version.pk, reason=values["reason"])
        return None

    @act(
        label=_("Resume"),
        question=_("It goes on with the signals that waited for it."),
        done=_("The version is live again."),
        roles=(Role.LAUNCHER,),
        when=lambda version: version.status == VersionStatus.PAUSED,
        icon="play_arrow",
        variant=ActionVariant.PRIMARY,
    )
    def resume(self, actor: Actor, version: RuleVersion, values: Mapping[str, Any]) -> Answer:
        version_resume(actor=actor, version_id=version.pk, reason=values["reason"])
        return None

    @act(
        label=_("To shadow"),
        question=_("It goes on judging, without any consequence."),
        done=_("The version judges in shadow."),
        roles=(Role.LAUNCHER, Role.ANALYST),
        when=lambda version: (
            version.status in {VersionStatus.DRAFT, VersionStatus.LIVE, VersionStatus.PAUSED}
        ),
        icon="visibility",
    )
    def to_shadow(self, actor: Actor, version: RuleVersion, values: Mapping[str, Any]) -> Answer:
        shadow_start(actor=actor, version_id=version.pk, reason=values["reason"])
        return None

    @act(
        label=_("Retire"),
        question=_("It ends for good. What it found stays; signals that wait for it are dropped."),
        done=_("The version is retired."),
        roles=(Role.LAUNCHER,),
        when=lambda version: version.status != VersionStatus.RETIRED,
        icon="archive",
        variant=ActionVariant.DANGER,
    )
    def retire(self, actor: Actor, version: RuleVersion, values: Mapping[str, Any]) -> Answer:
        version_retire(actor=actor, version_id=version.pk, reason=values["reason"])
        return None


def _everywhere_or(version: RuleVersion) -> str:
    if "*" in version.markets:
        return shown(Badge(_("Every market"), "info"))
    return ", ".join(version.markets[:12]) + (" …" if len(version.markets) > 12 else "")


@admin.register(Ladder)
class LadderAdmin(ConsoleAdmin[Ladder]):
    intro = _(
        "What the first, second and further violations of a code cost. Versions keep the ladder of their day."
    )
    list_display = (
        "code",
        "steps_shown",
        "window_shown",
        "points_shown",
        moment_column("updated_at", _("changed")),
    )
    search_fields = ("code",)
    ordering = ("code",)

    def matching(self, term: str) -> Q:
        return Q(code__istartswith=term)

    @display(description=_("steps"))
    def steps_shown(self, ladder: Ladder) -> int:
        return len(ladder.spec.get("steps", []))

    @display(description=_("window"))
    def window_shown(self, ladder: Ladder) -> str:
        return str(ladder.spec.get("window", ""))

    @display(description=_("points"))
    def points_shown(self, ladder: Ladder) -> str:
        return str(ladder.spec.get("points", ""))

    def sections(self, ladder: Ladder, request: HttpRequest) -> Sequence[Section]:
        return [Section(_("As in the policy file"), as_yaml(ladder.spec))]


def finding_badge(finding: Finding) -> Badge:
    return Badge(
        finding.get_status_display(), "warning" if finding.status == FindingStatus.OPEN else "default"
    )


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
