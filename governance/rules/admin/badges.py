"""How versions, findings and exceptions show their state, and a spec its words."""

from __future__ import annotations

import datetime as dt
from typing import Any

import yaml
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.rules.enums import FindingStatus, VersionStatus
from governance.rules.models import Finding, RuleException, RuleVersion
from governance.rules.selectors import EXPIRY_WARNING_DAYS
from guilds.console.page import Badge, Code, Variant, distance

STATUS_VARIANTS: dict[str, Variant] = {
    VersionStatus.DRAFT: "default",
    VersionStatus.SHADOW: "info",
    VersionStatus.LIVE: "success",
    VersionStatus.PAUSED: "warning",
    VersionStatus.RETIRED: "default",
}


def status_badge(version: RuleVersion) -> Badge:
    return Badge(version.get_status_display(), STATUS_VARIANTS[version.status])


def finding_badge(finding: Finding) -> Badge:
    return Badge(
        finding.get_status_display(), "warning" if finding.status == FindingStatus.OPEN else "default"
    )


def exception_is_on(exception: RuleException) -> bool:
    return exception.ended_at is None and exception.expires_at > timezone.now()


def exception_badge(exception: RuleException) -> Badge:
    if exception_is_on(exception):
        return Badge(_("Silenced"), "warning")
    return Badge(_("Ended") if exception.ended_at is not None else _("Expired"))


def expiry_shown(version: RuleVersion) -> list[Any] | None:
    """The day of expiry, with a warning while it is near."""
    if version.expires_at is None:
        return None
    left = version.expires_at - timezone.now()
    if left <= dt.timedelta(0):
        return [version.expires_at, Badge(_("Expired"), "danger")]
    if left <= dt.timedelta(days=EXPIRY_WARNING_DAYS) and version.status != VersionStatus.RETIRED:
        return [
            version.expires_at,
            Badge(_("Expires %(when)s") % {"when": distance(version.expires_at)}, "warning"),
        ]
    return [version.expires_at]


def shadow_shown(version: RuleVersion) -> list[Any] | None:
    """The end of the shadow of a version in shadow."""
    if version.status != VersionStatus.SHADOW or version.shadow_until is None:
        return None
    if version.shadow_until <= timezone.now():
        return [version.shadow_until, Badge(_("Over: it judges nothing"), "warning")]
    return [version.shadow_until, Badge(distance(version.shadow_until), "info")]


def as_yaml(spec: Any) -> Code:
    """A spec as the policy file writes it."""
    return Code(yaml.safe_dump(spec, sort_keys=False, allow_unicode=True, width=100).rstrip())
