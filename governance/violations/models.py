"""What the rules found, and what people decided about it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from governance.ledger.models import append_only
from governance.rules.enums import ReviewMode, Severity
from governance.rules.models import Rule, RuleVersion
from governance.signals.models import SignalKey
from governance.violations.enums import (
    AlarmKind,
    AlarmStatus,
    DetectionMode,
    DetectionOutcome,
    FaultStatus,
    Verdict,
    ViolationStatus,
)
from guilds.models import Creator, Guild, Market, User


class Violation(models.Model):
    """A suspected, then confirmed or dismissed, breach charged to a guild. Times are aware UTC.

    `subject` is "g<guild>" or "g<guild>c<creator>" (internal ids): a rule opens one violation per subject and moment.
    `sanction_due` is set on confirmation and cleared when the consequences have been worked out.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="violations")
    version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="violations")
    code = models.CharField(max_length=40)
    severity = models.CharField(max_length=2, choices=Severity)
    review = models.CharField(max_length=8, choices=ReviewMode)
    status = models.CharField(max_length=12, choices=ViolationStatus, default=ViolationStatus.OPEN)
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="violations")
    creator = models.ForeignKey(
        Creator,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="violations",
    )
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="violations")
    subject = models.CharField(max_length=60)
    occurred_at = models.DateTimeField()
    detected_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    explanation = models.JSONField(default=dict, blank=True)
    sanction_due = models.BooleanField(default=False)

    ledger_type = "violation"

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["guild", "code", "occurred_at"], name="violation_guild_code"),
            models.Index(fields=["market", "status", "id"], name="violation_market_status"),
            models.Index(fields=["rule", "market", "detected_at"], name="violation_cap"),
            models.Index(
                fields=["guild", "id"],
                name="violation_due",
                condition=Q(sanction_due=True),
            ),
            models.Index(
                fields=["severity", "detected_at"],
                name="violation_queue",
                condition=Q(status=ViolationStatus.OPEN),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject", "occurred_at"],
                name="one_violation_per_rule_subject_and_moment",
            ),
            models.CheckConstraint(
                condition=Q(sanction_due=False) | Q(status=ViolationStatus.CONFIRMED),
                name="only_confirmed_violations_are_sanctioned",
            ),
            models.CheckConstraint(
                condition=Q(status=ViolationStatus.OPEN, decided_at__isnull=True)
                | (~Q(status=ViolationStatus.OPEN) & Q(decided_at__isnull=False)),
                name="violation_decided_at_with_decision",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.guild} {self.occurred_at:%Y-%m-%d}"


class Detection(models.Model):
    """A rule version matched a signal. Evidence: never changed. In shadow it opens nothing."""

    version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="detections")
    signal_key = models.ForeignKey(SignalKey, on_delete=models.PROTECT, related_name="detections")
    violation = models.ForeignKey(
        Violation,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="detections",
    )
    mode = models.CharField(max_length=8, choices=DetectionMode)
    outcome = models.CharField(max_length=10, choices=DetectionOutcome)
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="detections")
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="detections")
    occurred_at = models.DateTimeField()
    detected_at = models.DateTimeField()
    explanation = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "signal_key"],
                name="one_detection_per_version_and_signal",
            )
        ]
        triggers = append_only("detection")

    def __str__(self) -> str:
        return f"{self.version} × {self.signal_key}"


class Review(models.Model):
    """One person's verdict on one violation. Evidence: never changed."""

    violation = models.ForeignKey(Violation, on_delete=models.PROTECT, related_name="reviews")
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="reviews")
    verdict = models.CharField(max_length=8, choices=Verdict)
    reason = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["violation", "reviewer"],
                name="one_verdict_per_reviewer",
                violation_error_message=_("You have already given your verdict on this violation."),
            )
        ]
        triggers = append_only("review")

    def __str__(self) -> str:
        return f"{self.reviewer}: {self.verdict}"


class EvaluationFault(models.Model):
    """A version that could not be evaluated on a signal. The others went on; this one waits here to be retried."""

    version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="faults")
    signal_key = models.ForeignKey(SignalKey, on_delete=models.PROTECT, related_name="faults")
    error = models.TextField()
    status = models.CharField(max_length=8, choices=FaultStatus, default=FaultStatus.OPEN)
    created_at = models.DateTimeField()

    ledger_type = "evaluation_fault"

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "signal_key"],
                name="one_fault_per_version_and_signal",
            )
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.error[:80]}"

    @property
    def public_id(self) -> str:
        return str(self.pk)


class Alarm(models.Model):
    """A rule fired in one market far outside its own history, by an exact test; open until a person has looked into it.

    `observed` violations in [window_start, window_end) against `expected` from the `baseline_days` before it.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="alarms")
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="alarms")
    kind = models.CharField(max_length=8, choices=AlarmKind)
    status = models.CharField(max_length=8, choices=AlarmStatus, default=AlarmStatus.OPEN)
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    observed = models.PositiveIntegerField()
    expected = models.FloatField()
    baseline_days = models.PositiveIntegerField()
    p_value = models.FloatField()
    raised_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    resolution = models.TextField(blank=True)

    ledger_type = "alarm"

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "market", "kind"],
                condition=Q(status=AlarmStatus.OPEN),
                name="one_open_alarm_per_rule_market_and_kind",
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule} in {self.market}: {self.get_kind_display()}"
