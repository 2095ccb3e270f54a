"""What protects guilds: safeguards against haste, time to put things right, and what is owed after a mistake."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from governance.penalties.enums import CompensationStatus, RectificationStatus
from governance.penalties.models.penalty import Penalty
from guilds.models import Guild, Market, User


class Safeguard(models.Model):
    """What protects guilds from haste, for a market or (market null) for all without one of their own."""

    market = models.ForeignKey(
        Market, null=True, blank=True, on_delete=models.PROTECT, related_name="safeguards"
    )
    large_creators = models.PositiveIntegerField(
        _("a guild with so many creators is large: a second person for every penalty but a warning"),
        default=500,
    )
    shield_days = models.PositiveSmallIntegerField(
        _("days a won appeal keeps the harshest automatic measures away"), default=90
    )
    hold_hours = models.PositiveSmallIntegerField(
        _("hours a held penalty may wait before those above are told"), default=72
    )

    ledger_type = "safeguard"

    class Meta:
        ordering = ["market"]
        constraints = [
            models.UniqueConstraint(fields=["market"], name="one_safeguard_per_market", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        return str(self.market or _("Everywhere"))

    @property
    def public_id(self) -> str:
        return str(self.pk)


class Shield(models.Model):
    """A guild has won an appeal: until `ends_at` the harshest automatic measures against it wait for a person."""

    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="shields")
    penalty = models.OneToOneField(
        Penalty, on_delete=models.PROTECT, related_name="shield", help_text=_("the one that fell")
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["guild", "ends_at"], name="shield_guild")]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="shield_ends_after_start")
        ]

    def __str__(self) -> str:
        return f"{self.guild} until {self.ends_at:%Y-%m-%d}"


class Rectification(models.Model):
    """What a guild is to put right before `due_at`; the rule itself checks. Met, the penalty that waited for it never starts.

    `result` keeps what the check looked at: {"checked_from", "checked_until", "found": [violation or detection ids]}.
    """

    penalty = models.OneToOneField(Penalty, on_delete=models.PROTECT, related_name="rectification")
    status = models.CharField(max_length=10, choices=RectificationStatus, default=RectificationStatus.OPEN)
    due_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    submitted_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    statement = models.TextField(blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(default=dict, blank=True)

    ledger_type = "rectification"

    class Meta:
        ordering = ["-penalty"]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="rectification_due",
                condition=Q(status__in=[RectificationStatus.OPEN, RectificationStatus.SUBMITTED]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.penalty}: {self.get_status_display()}"

    @property
    def public_id(self) -> str:
        return str(self.penalty.public_id)


class Compensation(models.Model):
    """What a guild suffered under a penalty that did not stand, for finance to make good.

    `basis`: {"days", "measure", "gift_revenue", …}, the facts it was reckoned from; `amount` is what was settled, in the
    platform's reporting currency.
    """

    penalty = models.OneToOneField(Penalty, on_delete=models.PROTECT, related_name="compensation")
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="compensations")
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="compensations")
    status = models.CharField(max_length=8, choices=CompensationStatus, default=CompensationStatus.OPEN)
    basis = models.JSONField(default=dict, blank=True)
    estimate = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    amount = models.DecimalField(max_digits=14, decimal_places=2, null=True, blank=True)
    opened_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    note = models.TextField(blank=True)

    ledger_type = "compensation"

    class Meta:
        ordering = ["-penalty"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status=CompensationStatus.OPEN, settled_at__isnull=True)
                | (~Q(status=CompensationStatus.OPEN) & Q(settled_at__isnull=False)),
                name="compensation_settled_at_when_settled",
            )
        ]

    def __str__(self) -> str:
        return f"{self.guild}: {self.penalty.get_kind_display()}"

    @property
    def public_id(self) -> str:
        return str(self.penalty.public_id)
