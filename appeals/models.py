"""A guild's challenge to a penalty, what was said about it, and how it was decided."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from appeals.enums import AppealStatus, Grounds, Outcome
from governance.ledger.models import append_only
from governance.models import Penalty
from guilds.models import Client, Guild, Market, User


class Appeal(models.Model):
    """One challenge to one penalty. `acknowledge_by` and `decide_by` come from the market's regime; times are aware UTC."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    penalty = models.ForeignKey(Penalty, on_delete=models.PROTECT, related_name="appeals")
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="appeals")
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="appeals")
    grounds = models.CharField(max_length=20, choices=Grounds)
    statement = models.TextField()
    status = models.CharField(max_length=12, choices=AppealStatus, default=AppealStatus.OPEN)
    outcome = models.CharField(max_length=12, choices=Outcome, blank=True)
    filed_by = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="filed_appeals",
    )
    filed_by_client = models.ForeignKey(
        Client,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="filed_appeals",
    )
    filed_at = models.DateTimeField()
    decide_by = models.DateTimeField()
    assigned_to = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="assigned_appeals",
    )
    settled_at = models.DateTimeField(null=True, blank=True, help_text=_("decided or withdrawn"))

    ledger_type = "appeal"

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["guild", "-id"], name="appeal_guild"),
            models.Index(
                fields=["decide_by"],
                name="appeal_open",
                condition=Q(status=AppealStatus.OPEN),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["penalty"],
                condition=Q(status=AppealStatus.OPEN),
                name="one_open_appeal_per_penalty",
                violation_error_message=_("There is already an open appeal against this penalty."),
            ),
            models.CheckConstraint(
                condition=Q(status=AppealStatus.DECIDED, settled_at__isnull=False) & ~Q(outcome="")
                | ~Q(status=AppealStatus.DECIDED) & Q(outcome=""),
                name="appeal_outcome_with_decision",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.guild}: {self.penalty.get_kind_display()}"


class Message(models.Model):
    """One turn of the conversation about an appeal. Never changed."""

    appeal = models.ForeignKey(Appeal, on_delete=models.PROTECT, related_name="messages")
    author = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="appeal_messages",
    )
    from_guild = models.BooleanField()
    body = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        triggers = append_only("appeal_message")

    def __str__(self) -> str:
        return self.body[:60]


class Evidence(models.Model):
    """A file a guild handed in. Stored outside the web root under a random name; `name` is what the guild called it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    appeal = models.ForeignKey(Appeal, on_delete=models.PROTECT, related_name="evidence")
    file = models.FileField(upload_to="evidence/%Y/%m", max_length=200)
    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=80)
    size = models.PositiveIntegerField(_("size in bytes"))
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "evidence"
        triggers = append_only("appeal_evidence")

    def __str__(self) -> str:
        return self.name


class Decision(models.Model):
    """How an appeal ended and why, in words for the guild. Never changed."""

    appeal = models.OneToOneField(Appeal, on_delete=models.PROTECT, related_name="decision")
    adjudicator = models.ForeignKey(User, on_delete=models.PROTECT, related_name="decisions")
    outcome = models.CharField(max_length=12, choices=Outcome)
    answer = models.TextField()
    reduction = models.JSONField(default=dict, blank=True, help_text=_('for "reduced": {"days"?, "points"?}'))
    decided_at = models.DateTimeField()

    class Meta:
        triggers = append_only("appeal_decision")

    def __str__(self) -> str:
        return f"{self.outcome} {self.appeal}"
