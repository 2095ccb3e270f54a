"""Rules, their immutable versions, ladders, when a version was live, and what was found wrong with it."""

from __future__ import annotations

import uuid

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from governance.risks.models import Risk
from governance.rules.enums import FindingStatus, ReviewMode, Severity, VersionStatus
from guilds.models import Market, User
from guilds.registry.models import TstzRange


class Ladder(models.Model):
    """What the nth confirmed violation of a code within the window costs. `spec` is the policy file's form of it:
    {"code", "window", "points", "decay", "steps": [[{"kind", …}]]}. A version keeps its own copy, so later edits never
    change what an earlier violation costs.
    """

    code = models.SlugField(max_length=40, unique=True)
    spec = models.JSONField()
    updated_at = models.DateTimeField(auto_now=True)

    ledger_type = "ladder"

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code

    @property
    def public_id(self) -> str:
        return self.code


class Rule(models.Model):
    """A policy with a stable code; its wording lives in versions."""

    code = models.CharField(max_length=60, unique=True)
    name = models.CharField(max_length=200)
    risk = models.ForeignKey(Risk, on_delete=models.PROTECT, related_name="rules")
    created_at = models.DateTimeField(auto_now_add=True)

    ledger_type = "rule"

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code

    @property
    def public_id(self) -> str:
        return self.code


class RuleVersion(models.Model):
    """One immutable wording of a rule. `spec` is RuleSpec.to_dict(); `ladder` is the ladder's spec on the day of writing.

    The columns beside `spec` repeat it for filters and joins. PostgreSQL refuses any change to the wording; the status and
    what goes with it are the only columns that move.
    """

    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=12, choices=VersionStatus, default=VersionStatus.DRAFT)
    spec = models.JSONField()
    ladder = models.JSONField()
    text = models.JSONField(_("policy wording by language"), default=dict, blank=True)
    violation_code = models.CharField(max_length=40)
    severity = models.CharField(max_length=2, choices=Severity)
    review = models.CharField(max_length=8, choices=ReviewMode)
    on = ArrayField(models.CharField(max_length=200))
    markets = ArrayField(models.CharField(max_length=20), help_text=_('market codes, or "*" for all'))
    cap = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text=_("detections per market and hour; empty: none"),
    )
    effective_from = models.DateTimeField(null=True, blank=True)
    author = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="authored_versions",
    )
    approver = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="approved_versions",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    status_reason = models.TextField(blank=True)

    ledger_type = "rule_version"

    class Meta:
        ordering = ["rule_id", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "number"], name="one_version_per_number"),
            models.UniqueConstraint(
                fields=["rule"],
                condition=Q(status__in=["live", "paused"]),
                name="one_live_version_per_rule",
                violation_error_message=_("Another version of this rule is live or paused."),
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="rule_version_wording_fixed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    " OR ".join(
                        f'OLD."{column}" IS DISTINCT FROM NEW."{column}"'
                        for column in (
                            "rule_id number spec ladder text violation_code severity review on markets cap author_id".split()
                        )
                    )
                ),
            ),
            pgtrigger.Protect(name="rule_version_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.rule.code} v{self.number}"

    @property
    def public_id(self) -> str:
        return f"{self.rule.code}/{self.number}"

    @property
    def name(self) -> str:
        return str(self.spec["name"])


class LivePeriod(models.Model):
    """A stretch [starts_at, ends_at) in which a version was live, in one market or (null) in every market it names.

    A penalty needs the version to have been live there on the day; this table is what proves it.
    """

    version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="live_periods")
    market = models.ForeignKey(
        Market,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="live_periods",
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            ExclusionConstraint(
                name="live_once_at_a_time",
                expressions=[
                    (
                        TstzRange(F("starts_at"), F("ends_at"), RangeBoundary()),
                        RangeOperators.OVERLAPS,
                    ),
                    (F("version"), RangeOperators.EQUAL),
                    (models.functions.Coalesce(F("market"), 0), RangeOperators.EQUAL),
                ],
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("starts_at")),
                name="live_period_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} from {self.starts_at:%Y-%m-%d}"


class Finding(models.Model):
    """Something to put right in a rule, such as an overturned appeal."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="findings")
    source_type = models.CharField(max_length=40, help_text=_("what raised it, such as appeal"))
    source_id = models.CharField(max_length=120)
    summary = models.TextField()
    status = models.CharField(max_length=8, choices=FindingStatus, default=FindingStatus.OPEN)
    resolution = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    ledger_type = "finding"

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "source_type", "source_id"],
                name="one_finding_per_source",
            )
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.summary[:60]}"
