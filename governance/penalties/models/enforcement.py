"""Enforcement across systems: stops, caps, what other systems confirmed, and where they differ from us."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from governance.ledger.models import append_only
from governance.penalties.enums import DifferenceKind, Effect, PenaltyKind
from governance.penalties.models.penalty import Penalty
from guilds.models import Client, Market, User


class EnforcementStop(models.Model):
    """Nothing of a kind starts in a market while this stands. Empty kind: all kinds; no market: everywhere.

    `automatic` ones were opened by the breaker of an `EnforcementCap`.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=24, choices=PenaltyKind, blank=True)
    market = models.ForeignKey(
        Market, null=True, blank=True, on_delete=models.PROTECT, related_name="enforcement_stops"
    )
    automatic = models.BooleanField(default=False)
    reason = models.TextField()
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    closing_reason = models.TextField(blank=True)

    ledger_type = "enforcement_stop"

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "market"],
                condition=Q(closed_at__isnull=True),
                name="one_open_stop_per_kind_and_market",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        kind = self.get_kind_display() if self.kind else _("Every kind")
        return f"{kind} · {self.market or _('everywhere')}"


class EnforcementCap(models.Model):
    """At most so many penalties of a kind start within an hour, in a market or (market null) in each; then all of them wait."""

    kind = models.CharField(max_length=24, choices=PenaltyKind)
    market = models.ForeignKey(
        Market, null=True, blank=True, on_delete=models.PROTECT, related_name="enforcement_caps"
    )
    per_hour = models.PositiveIntegerField()

    ledger_type = "enforcement_cap"

    class Meta:
        ordering = ["kind", "market"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "market"], name="one_cap_per_kind_and_market", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(per_hour__gte=1), name="enforcement_cap_is_possible"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.market or ''}: {self.per_hour}"

    @property
    def public_id(self) -> str:
        return str(self.pk)


class Acknowledgement(models.Model):
    """An enforcing system confirmed that a penalty takes effect there, or that it no longer does. Never changed."""

    penalty = models.ForeignKey(Penalty, on_delete=models.PROTECT, related_name="acknowledgements")
    effect = models.CharField(max_length=8, choices=Effect)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="acknowledgements")
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["penalty", "effect", "client"], name="one_acknowledgement_per_effect_and_client"
            )
        ]
        triggers = append_only("acknowledgement")

    def __str__(self) -> str:
        return f"{self.penalty}: {self.effect}"


class Reconciliation(models.Model):
    """An enforcing system's own list of what it holds against guilds, compared with ours at that moment."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    client = models.ForeignKey(
        Client, null=True, blank=True, on_delete=models.PROTECT, related_name="reconciliations"
    )
    source = models.CharField(max_length=120, help_text=_("the client's name, or the file's"))
    market = models.ForeignKey(
        Market, null=True, blank=True, on_delete=models.PROTECT, related_name="reconciliations"
    )
    reported = models.PositiveIntegerField()
    expected = models.PositiveIntegerField()
    agreed = models.PositiveIntegerField()
    at = models.DateTimeField()

    ledger_type = "reconciliation"

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.source}, {self.at:%Y-%m-%d %H:%M}"


class Difference(models.Model):
    """One thing in which an enforcing system and we do not agree; open until a later comparison agrees or a person settles it."""

    reconciliation = models.ForeignKey(Reconciliation, on_delete=models.PROTECT, related_name="differences")
    kind = models.CharField(max_length=10, choices=DifferenceKind)
    penalty = models.ForeignKey(
        Penalty, null=True, blank=True, on_delete=models.PROTECT, related_name="differences"
    )
    reported = models.JSONField(default=dict, blank=True, help_text=_("what the other system said"))
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    settlement = models.TextField(blank=True)

    ledger_type = "difference"

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["kind"], name="difference_open", condition=Q(settled_at__isnull=True))
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.penalty or self.reported}"

    @property
    def public_id(self) -> str:
        return str(self.pk)
