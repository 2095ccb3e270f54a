"""What stands between writing a rule and launching it: examples it must satisfy, and the approval of somebody else."""

from __future__ import annotations

import uuid

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from governance.backtests.models import Backtest
from governance.ledger.models import append_only
from governance.rules.models import RuleVersion
from governance.workbench.enums import ApprovalStatus, ExampleResult
from guilds.models import User


class Draft(RuleVersion):
    """A rule version as the workbench shows it: while it is written, approved and, read only, ever after."""

    class Meta:
        proxy = True
        ordering = ["-written_at"]
        verbose_name = _("draft")
        verbose_name_plural = _("workbench")


class Example(models.Model):
    """A signal the version must match, or must not, kept with it and run at every save.

    `facts`: {"type", "time" (ISO 8601), "data": {…}, "guild": {…}, "creator": {…} or null, "market": {…}}, as rules see them.
    `measures`: value by name. Both are self-contained: an example says the same in ten years.
    """

    version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="examples")
    name = models.CharField(max_length=200)
    must_match = models.BooleanField()
    facts = models.JSONField()
    measures = models.JSONField(default=dict, blank=True)
    result = models.CharField(max_length=8, choices=ExampleResult, default=ExampleResult.NOT_RUN)
    explanation = models.JSONField(default=dict, blank=True)
    ran_at = models.DateTimeField(null=True, blank=True)

    ledger_type = "example"

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "name"],
                name="one_example_per_name",
                violation_error_message=_("This version has an example of that name already."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return str(self.pk)


class Approval(models.Model):
    """A version put before another person. `frozen` is all they approve, and `digest` its SHA-256:
    {"spec", "ladder", "text", "languages", "examples", "backtest"}. It never changes; neither does a decision.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="approvals")
    backtest = models.ForeignKey(
        Backtest, null=True, blank=True, on_delete=models.PROTECT, related_name="approvals"
    )
    status = models.CharField(max_length=10, choices=ApprovalStatus, default=ApprovalStatus.REQUESTED)
    frozen = models.JSONField()
    digest = models.CharField(max_length=64)
    note = models.TextField(blank=True, help_text=_("what the author wants the approver to know"))
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True)

    ledger_type = "approval"

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["version"],
                condition=Q(status__in=[ApprovalStatus.REQUESTED, ApprovalStatus.APPROVED]),
                name="one_standing_approval_per_version",
                violation_error_message=_("This version waits for approval already, or has it."),
            ),
            models.CheckConstraint(
                condition=~Q(status__in=[ApprovalStatus.APPROVED, ApprovalStatus.REFUSED])
                | (Q(decided_by__isnull=False, decided_at__isnull=False) & ~Q(decided_by=F("requested_by"))),
                name="approval_decided_by_another_person",
                violation_error_message=_("Somebody else decides than the one who asked."),
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="approval_fixed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.frozen IS DISTINCT FROM NEW.frozen OR OLD.digest IS DISTINCT FROM NEW.digest"
                    " OR OLD.version_id IS DISTINCT FROM NEW.version_id"
                    " OR OLD.requested_by_id IS DISTINCT FROM NEW.requested_by_id"
                    " OR (OLD.decided_at IS NOT NULL AND (OLD.decided_by_id IS DISTINCT FROM NEW.decided_by_id"
                    " OR (OLD.status = 'refused' AND NEW.status <> 'refused')))"
                ),
            ),
            pgtrigger.Protect(name="approval_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.version}: {self.get_status_display()}"


class Comment(models.Model):
    """A word about a version while it is being written, approved or refused. Never changed."""

    version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="comments")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    body = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        triggers = append_only("comment")

    def __str__(self) -> str:
        return self.body[:80]
