"""What a confirmed violation costs: points, standing, penalties and the restrictions they put on a guild."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from governance.education.models import Attempt
from governance.ledger.models import append_only
from governance.notices.models import Notice
from governance.penalties.enums import CreditOutcome, PenaltyKind, PenaltyStatus, PointReason
from governance.rules.models import RuleVersion
from governance.violations.models import Violation
from guilds.models import Client, Guild, Market, User


class Standing(models.Model):
    """The current sum of a guild's points: score = 100 − points in force. Kept in step by the services; the ledger of
    `PointEntry` is the truth and a test folds it."""

    guild = models.OneToOneField(Guild, primary_key=True, on_delete=models.PROTECT, related_name="standing")
    points = models.IntegerField(default=0)
    score = models.IntegerField(default=100)
    band = models.CharField(max_length=40, default="healthy")
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(score=100 - F("points")),
                name="score_is_hundred_minus_points",
            )
        ]

    def __str__(self) -> str:
        return f"{self.guild}: {self.score}"


class Band(models.Model):
    """A threshold on the score. A guild whose score falls to `at_or_below` or under it gets `penalties` once per crossing.

    `penalties` has the form of a ladder step: [{"kind", "days"?, …}]. Without bands every guild is "healthy".
    """

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    at_or_below = models.IntegerField(unique=True)
    penalties = models.JSONField(default=list, blank=True)

    ledger_type = "band"

    class Meta:
        ordering = ["-at_or_below"]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return self.code


class Sanction(models.Model):
    """The consequence of one confirmed violation: the nth of its code within the ladder's window, and the rung it lands on.

    One under amnesty is no offence that counts: its `nth` and `points` are 0, and later ones are counted without it.
    """

    violation = models.OneToOneField(
        Violation, primary_key=True, on_delete=models.PROTECT, related_name="sanction"
    )
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="sanctions")
    code = models.CharField(max_length=40)
    nth = models.PositiveIntegerField()
    points = models.PositiveIntegerField()
    amnesty = models.BooleanField(
        default=False, help_text=_("answered by a warning alone: the guild had just done the lesson")
    )
    created_at = models.DateTimeField()
    reversed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["guild", "code"], name="sanction_guild_code")]

    def __str__(self) -> str:
        return f"{self.code} #{self.nth}"


class Credit(models.Model):
    """What a passed quiz brought: decided once per attempt, never changed. Its `entries` are the points taken off."""

    attempt = models.OneToOneField(Attempt, primary_key=True, on_delete=models.PROTECT, related_name="credit")
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="credits")
    outcome = models.CharField(max_length=16, choices=CreditOutcome)
    points = models.PositiveSmallIntegerField(default=0)
    decided_at = models.DateTimeField()

    class Meta:
        triggers = append_only("credit")

    def __str__(self) -> str:
        return f"{self.attempt}: {self.points}"


class PointEntry(models.Model):
    """One movement of points. Never changed: expiry and reversal are entries of their own with the opposite sign."""

    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="point_entries")
    violation = models.ForeignKey(Violation, on_delete=models.PROTECT, related_name="point_entries")
    points = models.IntegerField()
    reason = models.CharField(max_length=10, choices=PointReason)
    undoes = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="undone_by",
    )
    credit = models.ForeignKey(
        Credit, null=True, blank=True, on_delete=models.PROTECT, related_name="entries"
    )
    at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True, help_text=_("null: never"))

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["guild", "id"], name="point_entry_guild"),
            models.Index(
                fields=["expires_at"],
                name="point_entry_expiry",
                condition=Q(expires_at__isnull=False),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["violation"],
                condition=Q(reason="violation"),
                name="points_once_per_violation",
            ),
        ]
        triggers = append_only("point_entry")

    def __str__(self) -> str:
        return f"{self.points:+d} {self.guild}"


class BandCrossing(models.Model):
    """A guild's score fell into a band. Spent once; rising above and falling again is another crossing."""

    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="band_crossings")
    band = models.ForeignKey(Band, on_delete=models.PROTECT, related_name="crossings")
    violation = models.ForeignKey(
        Violation,
        on_delete=models.PROTECT,
        related_name="band_crossings",
        help_text=_("whose points tipped the score"),
    )
    score = models.IntegerField()
    entered_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["guild", "band"],
                condition=Q(left_at__isnull=True),
                name="one_open_crossing_per_band",
            )
        ]

    def __str__(self) -> str:
        return f"{self.guild} into {self.band}"


class Penalty(models.Model):
    """One measure against a guild, for one confirmed violation or one band crossing. Times are aware UTC.

    `params` is the ladder step as written ({"kind", "days"?, …}); `effect` is what `apply` must remember for `reverse`.
    The penalties of one sanction share one notice; a held one has none until it is released.
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
