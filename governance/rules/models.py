"""Rules, their immutable versions, ladders, when a version was live, and what was found wrong with it."""

from __future__ import annotations

import uuid

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.risks.models import Risk
from governance.rules.enums import Door, FindingStatus, ReviewMode, Severity, VersionStatus
from guilds.models import Guild, Market, User
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
    """One dated wording of a rule. `spec` is RuleSpec.to_dict(); `ladder` is the ladder's spec on the day of writing.

    The columns beside `spec` repeat it for filters and joins. A draft may be rewritten until it is frozen, which asking for
    approval and leaving the status of a draft do; from then on PostgreSQL refuses any change to the wording. `written_at` is
    the moment of the last rewriting: with the key it names one wording. `door` says how the version came to be live, and
    PostgreSQL keeps one without a door, or launched without another person's approval, from being live.
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
    writers = models.ManyToManyField(
        User,
        blank=True,
        related_name="+",
        help_text=_("everybody who had a hand in the wording; none of them may approve it"),
    )
    created_at = models.DateTimeField(auto_now_add=True)
    written_at = models.DateTimeField(default=timezone.now)
    frozen_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text=_("from then on it judges nothing"))
    shadow_until = models.DateTimeField(
        null=True, blank=True, help_text=_("from then on a version in shadow judges nothing")
    )
    withdrawn_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_(
            "when a person took it out: it no longer answers, not even for late signals of its own days"
        ),
    )
    door = models.CharField(max_length=8, choices=Door, blank=True, default="")
    status_reason = models.TextField(blank=True)

    ledger_type = "rule_version"

    class Meta:
        ordering = ["rule_id", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "number"], name="one_version_per_number"),
            models.CheckConstraint(
                condition=~Q(status__in=["live", "paused"]) | ~Q(door=""),
                name="live_only_through_a_door",
                violation_error_message=_("A version goes live by a launch."),
            ),
            models.CheckConstraint(
                condition=~Q(door="launch")
                | (Q(approver__isnull=False) & (Q(author__isnull=True) | ~Q(approver=F("author")))),
                name="launched_versions_were_approved",
                violation_error_message=_(
                    "A launched version needs the approval of somebody who did not write it."
                ),
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="rule_version_wording_fixed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "((OLD.status <> 'draft' OR OLD.frozen_at IS NOT NULL) AND ("
                    + " OR ".join(
                        f'OLD."{column}" IS DISTINCT FROM NEW."{column}"'
                        for column in (
                            "spec ladder text violation_code severity review on markets cap effective_from expires_at".split()
                        )
                    )
                    + "))"
                ),
            ),
            pgtrigger.Protect(
                name="rule_version_identity_fixed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    " OR ".join(
                        f'OLD."{column}" IS DISTINCT FROM NEW."{column}"'
                        for column in ("rule_id", "number", "author_id", "created_at")
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

    A penalty needs the version to have been live there on the day; this table is what proves it. `share` is the percentage of
    guilds it governs, `holdout` the percentage that is never governed while the period lasts; both are drawn from `salt` and
    the guild, see governance.rules.rollout. `opened_by` names what opened it, such as "wave:12".
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
    share = models.PositiveSmallIntegerField(default=100, help_text=_("per cent of guilds"))
    holdout = models.PositiveSmallIntegerField(default=0, help_text=_("per cent of guilds"))
    salt = models.CharField(max_length=40, blank=True, default="")
    opened_by = models.CharField(max_length=40, blank=True, default="")

    class Meta:
        ordering = ["starts_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(share__gte=1, share__lte=100, holdout__gte=0, holdout__lte=50),
                name="live_period_shares_are_percentages",
            ),
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


class RuleException(models.Model):
    """One rule silenced for one guild, in [starts_at, expires_at), for a reason; `ended_at` when it was ended before its time."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="exceptions")
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="rule_exceptions")
    reason = models.TextField()
    starts_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_reason = models.TextField(blank=True)

    ledger_type = "rule_exception"

    class Meta:
        ordering = ["-id"]
        verbose_name = _("exception")
        verbose_name_plural = _("exceptions")
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("starts_at")),
                name="exception_expires_after_start",
                violation_error_message=_("An exception must expire after it starts."),
            ),
            ExclusionConstraint(
                name="one_exception_per_rule_and_guild_at_a_time",
                expressions=[
                    (
                        TstzRange(
                            F("starts_at"),
                            models.functions.Coalesce(F("ended_at"), F("expires_at")),
                            RangeBoundary(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                    (F("rule"), RangeOperators.EQUAL),
                    (F("guild"), RangeOperators.EQUAL),
                ],
                violation_error_message=_("This rule is silenced for this guild already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} × {self.guild}"


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
