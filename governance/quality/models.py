"""How good the decisions are: random samples with recorded chances of being drawn, and golden cases with known answers."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from governance.quality.enums import SampleKind, SampleStatus
from governance.review.models import Case
from governance.violations.enums import Verdict
from governance.violations.models import Violation
from guilds.models import Guild, User


class Sample(models.Model):
    """A stratified random sample of what happened with since ≤ t < until, drawn once by `seed` and then judged blind.

    `strata`: [{"key": text, "population": N, "drawn": n}], the frame as it was when drawn. Times are aware UTC.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=SampleKind)
    name = models.CharField(max_length=120)
    status = models.CharField(max_length=8, choices=SampleStatus, default=SampleStatus.DRAWN)
    since = models.DateTimeField()
    until = models.DateTimeField()
    markets = ArrayField(models.CharField(max_length=20), default=list, blank=True, help_text=_("empty: all"))
    seed = models.BigIntegerField()
    size = models.PositiveIntegerField(help_text=_("asked for"))
    strata = models.JSONField(default=list)
    automatic = models.BooleanField(default=False, help_text=_("drawn by the clock, not by a person"))
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    ledger_type = "sample"

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(until__gt=F("since")), name="sample_until_after_since")
        ]

    def __str__(self) -> str:
        return self.name


class SampleItem(models.Model):
    """One thing drawn, with its chance of having been drawn: `probability` = drawn / population of its stratum.

    What the blind judge said is the case's judgement; `case` is null until the item is handed to the queue.
    """

    sample = models.ForeignKey(Sample, on_delete=models.PROTECT, related_name="items")
    stratum = models.CharField(max_length=120)
    probability = models.FloatField()
    violation = models.ForeignKey(
        Violation, null=True, blank=True, on_delete=models.PROTECT, related_name="sampled"
    )
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="sampled")
    day = models.DateField(null=True, blank=True)
    decided = models.CharField(
        max_length=12, blank=True, help_text=_("status of the violation when it was drawn")
    )
    case = models.OneToOneField(
        Case, null=True, blank=True, on_delete=models.PROTECT, related_name="sample_item"
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["sample", "violation"],
                condition=Q(violation__isnull=False),
                name="violation_once_per_sample",
            ),
            models.UniqueConstraint(
                fields=["sample", "guild", "day"],
                condition=Q(day__isnull=False),
                name="guild_day_once_per_sample",
            ),
            models.CheckConstraint(
                condition=Q(probability__gt=0) & Q(probability__lte=1), name="probability_is_possible"
            ),
            models.CheckConstraint(
                condition=Q(violation__isnull=False, day__isnull=True)
                | Q(violation__isnull=True, day__isnull=False),
                name="sampled_a_violation_or_a_day",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sample}: {self.violation or self.day}"


class GoldenCase(models.Model):
    """A past violation whose right answer is settled. It comes back among the cases of reviewers, who cannot tell it apart."""

    violation = models.OneToOneField(Violation, on_delete=models.PROTECT, related_name="golden")
    expected = models.CharField(max_length=8, choices=Verdict)
    explanation = models.TextField(help_text=_("shown to the reviewer after the verdict"))
    is_active = models.BooleanField(default=True)
    made_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    ledger_type = "golden_case"

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.violation}: {self.expected}"

    @property
    def public_id(self) -> str:
        return str(self.pk)
