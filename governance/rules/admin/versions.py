"""Versions: wording, where and when it was live, and the brakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.rules.admin.badges import as_yaml, expiry_shown, finding_badge, shadow_shown, status_badge
from governance.rules.admin.columns import VersionColumns, markets_of
from governance.rules.admin.forms import ShadowForm, end_of_day
from governance.rules.enums import VersionStatus
from governance.rules.models import RuleVersion
from governance.rules.selectors import findings_visible_to
from governance.rules.services import MAY_PAUSE, version_pause, version_resume, version_retire
from governance.rules.shadow import LONGEST_SHADOW, shadow_extend, shadow_start, shadow_stop
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import moment_column
from guilds.console.page import (
    Badge,
    Fact,
    Link,
    Prose,
    Section,
    Table,
    link_to,
    list_url,
    severity_badge,
    shown,
)


class RuleVersionAdmin(VersionColumns, ConsoleAdmin[RuleVersion]):
    """Registered in config/rule_pages.py, which adds what stands above this concept."""

    intro = _(
        "Every wording a rule ever had. A draft may be rewritten; from its freezing on only its status changes."
    )
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
    actions_detail = ("pause", "resume", "to_shadow", "extend_shadow", "stop_shadow", "retire")

    def visible(self, actor: Actor) -> QuerySet[RuleVersion]:
        return RuleVersion.objects.all()

    def matching(self, term: str) -> Q:
        return Q(rule__code__istartswith=term) | Q(violation_code__istartswith=term)

    @display(description=_("status"), ordering="status")
    def status_shown(self, version: RuleVersion) -> str:
        return shown(status_badge(version))

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
            Fact(_("Markets"), markets_of(version)),
            Fact(_("Cap per market and hour"), version.cap if version.cap is not None else _("None")),
            Fact(_("Effective from"), version.effective_from),
            Fact(_("Expires"), expiry_shown(version)),
            Fact(_("Shadow until"), shadow_shown(version)),
            Fact(_("Written by"), version.author),
            Fact(_("Approved by"), version.approver),
            Fact(_("Wording frozen"), version.frozen_at),
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
                f"{period.share} %",
                f"{period.holdout} %" if period.holdout else None,
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
                Table(
                    [_("Where"), _("From"), _("Until"), _("Share of guilds"), _("Held out")],
                    periods,
                    empty=_("Never yet."),
                    more=more,
                ),
                note=_("Guilds outside the share, or held out, stay under the version before it."),
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
        question=_(
            "It goes on with the signals that waited for it. Its cap holds as before: raising it takes a new version."
        ),
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
        question=_("It goes on judging, without any consequence. The wording of a draft is frozen for good."),
        done=_("The version judges in shadow."),
        roles=(Role.LAUNCHER, Role.ANALYST),
        form=ShadowForm,
        when=lambda version: (
            version.status in {VersionStatus.DRAFT, VersionStatus.LIVE, VersionStatus.PAUSED}
        ),
        icon="visibility",
    )
    def to_shadow(self, actor: Actor, version: RuleVersion, values: Mapping[str, Any]) -> Answer:
        until = end_of_day(values["until"], longest=LONGEST_SHADOW)
        shadow_start(actor=actor, version_id=version.pk, until=until, reason=values["reason"])
        return None

    @act(
        label=_("Move the end of the shadow"),
        question=_("It judges in shadow until then; one that is over goes on."),
        done=_("The end has been moved."),
        roles=(Role.LAUNCHER, Role.ANALYST),
        form=ShadowForm,
        when=lambda version: version.status == VersionStatus.SHADOW,
        icon="update",
    )
    def extend_shadow(self, actor: Actor, version: RuleVersion, values: Mapping[str, Any]) -> Answer:
        until = end_of_day(values["until"], longest=LONGEST_SHADOW)
        shadow_extend(actor=actor, version_id=version.pk, until=until, reason=values["reason"])
        return None

    @act(
        label=_("Stop the shadow"),
        question=_("It judges nothing from now on. What it found stays."),
        done=_("The shadow has ended."),
        roles=(Role.LAUNCHER, Role.ANALYST),
        when=lambda version: (
            version.status == VersionStatus.SHADOW
            and (version.shadow_until is None or version.shadow_until > timezone.now())
        ),
        icon="visibility_off",
    )
    def stop_shadow(self, actor: Actor, version: RuleVersion, values: Mapping[str, Any]) -> Answer:
        shadow_stop(actor=actor, version_id=version.pk, reason=values["reason"])
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
