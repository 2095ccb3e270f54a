"""Points and standing: what violations weigh, the bands a score falls into, and what each violation led to."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from governance.education.models import Attempt
from governance.ledger.models import append_only
from governance.penalties.enums import CreditOutcome, PointReason
from governance.violations.models import Violation
from guilds.models import Guild, Market


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
    A market with bands of its own has those and none of the others.
    """

    code = models.SlugField(max_length=40)
    name = models.CharField(max_length=120)
    market = models.ForeignKey(Market, null=True, blank=True, on_delete=models.PROTECT, related_name="bands")
    at_or_below = models.IntegerField()
    penalties = models.JSONField(default=list, blank=True)

    ledger_type = "band"

    class Meta:
        ordering = ["-at_or_below"]
        constraints = [
            models.UniqueConstraint(
                fields=["code", "market"], name="one_band_per_code_and_market", nulls_distinct=False
            ),
            models.UniqueConstraint(
                fields=["at_or_below", "market"],
                name="one_band_per_threshold_and_market",
                nulls_distinct=False,
            ),
        ]

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
