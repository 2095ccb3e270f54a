"""One measure against a guild, and the restriction it puts on it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from governance.notices.models import Notice
from governance.penalties.enums import HoldReason, PenaltyKind, PenaltyStatus
from governance.penalties.models.standing import BandCrossing
from governance.rules.models import RuleVersion
from governance.violations.models import Violation
from guilds.models import Client, Guild, Market, User


class Penalty(models.Model):
    """One measure against a guild, for one confirmed violation or one band crossing. Times are aware UTC.

    `params` is the ladder step as written ({"kind", "days"?, …}); `effect` is what `apply` must remember for `reverse`.
    The penalties of one sanction share one notice; a held one has none until it is released. A stayed one waits for the
    answer to an appeal: what was left until its start at `stayed_at` is left when it goes on.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="penalties")
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="penalties")
    violation = models.ForeignKey(Violation, on_delete=models.PROTECT, related_name="penalties")
    version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="penalties")
    crossing = models.ForeignKey(
        BandCrossing,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="penalties",
    )
    kind = models.CharField(max_length=24, choices=PenaltyKind)
    params = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=12, choices=PenaltyStatus)
    hold_reason = models.CharField(max_length=10, choices=HoldReason, blank=True)
    escalated_at = models.DateTimeField(
        null=True, blank=True, help_text=_("held for longer than it should be: those above were told")
    )
    stayed_at = models.DateTimeField(null=True, blank=True)
    notice = models.ForeignKey(
        Notice, null=True, blank=True, on_delete=models.PROTECT, related_name="penalties"
    )
    proposed_at = models.DateTimeField()
    proposed_by = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="proposed_penalties",
    )
    released_by = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="released_penalties",
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    applied_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True, help_text=_("lifted, cancelled or reversed"))
    effect = models.JSONField(default=dict, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        Client,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="acknowledged_penalties",
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(blank=True)
    retry_at = models.DateTimeField(
        null=True, blank=True, help_text=_("not tried again before; after a passing fault of the database")
    )

    ledger_type = "penalty"

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "penalties"
        indexes = [
            models.Index(fields=["guild", "-id"], name="penalty_guild"),
            models.Index(fields=["market", "status", "id"], name="penalty_market_status"),
            models.Index(
                fields=["starts_at", "id"],
                name="penalty_to_apply",
                condition=Q(status=PenaltyStatus.SCHEDULED),
            ),
            models.Index(
                fields=["ends_at", "id"],
                name="penalty_to_lift",
                condition=Q(status=PenaltyStatus.IN_FORCE),
            ),
            models.Index(
                fields=["kind", "market", "applied_at"],
                name="penalty_started",
                condition=Q(applied_at__isnull=False),
            ),
            models.Index(
                fields=["proposed_at"],
                name="penalty_held",
                condition=Q(status=PenaltyStatus.HELD),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("starts_at")),
                name="penalty_ends_after_start",
            ),
            models.CheckConstraint(
                condition=~Q(status=PenaltyStatus.IN_FORCE) | Q(applied_at__isnull=False),
                name="penalty_in_force_was_applied",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[PenaltyStatus.HELD, PenaltyStatus.CANCELLED])
                | Q(notice__isnull=False),
                name="penalty_has_notice_before_effect",
            ),
            models.CheckConstraint(
                condition=~Q(status=PenaltyStatus.STAYED) | Q(stayed_at__isnull=False),
                name="penalty_stayed_at_when_stayed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.guild}"


class Restriction(models.Model):
    """What a guild may not do, or is owed or owes, while a penalty is in force: one row each, read by enforcing systems."""

    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="restrictions")
    penalty = models.OneToOneField(Penalty, on_delete=models.PROTECT, related_name="restriction")
    kind = models.CharField(max_length=24, choices=PenaltyKind)
    params = models.JSONField(default=dict, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["guild", "kind"],
                name="restriction_active",
                condition=Q(lifted_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.guild}"
