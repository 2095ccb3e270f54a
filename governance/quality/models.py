"""How good the decisions are: random samples with recorded chances of being drawn, and golden cases with known answers."""

from __future__ import annotations

import uuid
from typing import Any

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import BooleanField, F, Q, Value, When
from django.db.models import Case as Either
from django.utils.translation import gettext_lazy as _

from governance.quality.enums import Allocation, SampleKind, SampleStatus
from governance.review.enums import Opinion
from governance.review.models import Case
from governance.violations.enums import Verdict, ViolationStatus
from governance.violations.models import Violation
from guilds.models import Guild, User

#: Statuses of a violation that was once confirmed: only those are ever overturned.
WERE_CONFIRMED = (ViolationStatus.CONFIRMED, ViolationStatus.OVERTURNED)


class Sample(models.Model):
    """A stratified random sample of what happened with since ≤ t < until, drawn once by `seed` and then judged blind.

    `strata`: [{"key": text, "population": N, "drawn": n}], the frame as it was when drawn. Times are aware UTC. Of a sample
    of unflagged days, since and until are taken as UTC dates. What was drawn never changes; the clock draws one of a kind
    for a period and no second.

    In SQL: governance_sample is the frame, governance_sampleitem what was drawn (its probability, and `decided`, the status
    when drawn), governance_judgement by governance_sampleitem.case_id = governance_judgement.case_id what was said of it.
    An estimate weights an item by population / judged of its stratum; see governance.quality.statistics.estimate.
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
    allocation = models.CharField(max_length=12, choices=Allocation, default=Allocation.PROPORTIONAL)
    strata = models.JSONField(default=list)
    automatic = models.BooleanField(default=False, help_text=_("drawn by the clock, not by a person"))
    created_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    ledger_type = "sample"

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(until__gt=F("since")), name="sample_until_after_since"),
            models.UniqueConstraint(
                fields=["kind", "since", "until"],
                condition=Q(automatic=True),
                name="one_sample_of_the_clock_per_period",
            ),
            models.CheckConstraint(
                condition=Q(status=SampleStatus.CLOSED, closed_at__isnull=False)
                | Q(status=SampleStatus.DRAWN, closed_at__isnull=True),
                name="sample_closed_at_when_closed",
            ),
        ]
        triggers = [
            pgtrigger.ReadOnly(
                name="sample_fixed",
                fields=["kind", "since", "until", "markets", "seed", "size", "allocation", "strata"],
            ),
            pgtrigger.Protect(name="sample_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return self.name


class Plan(models.Model):
    """How many items of a kind the clock draws each week; 0 for none. Without a row WEEKLY of the selectors holds."""

    kind = models.CharField(max_length=10, choices=SampleKind, unique=True)
    weekly = models.PositiveIntegerField(_("items a week"))

    ledger_type = "sampling_plan"

    class Meta:
        ordering = ["kind"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.weekly}"

    @property
    def public_id(self) -> str:
        return str(self.kind)


_SAID = "case__judgement__opinion"
_CONFIRMED = Q(decided__in=WERE_CONFIRMED)
_AGREES = Q(**{_SAID: Opinion.CONFIRM}) & _CONFIRMED | Q(**{_SAID: Opinion.DISMISS}) & ~_CONFIRMED
_DIFFERS = Q(**{_SAID: Opinion.DISMISS}) & _CONFIRMED | Q(**{_SAID: Opinion.CONFIRM}) & ~_CONFIRMED


class SampleItemQuerySet(models.QuerySet["SampleItem"]):
    def judged(self) -> SampleItemQuerySet:
        return self.filter(case__judgement__isnull=False)

    def with_answers(self) -> models.QuerySet[Any]:
        """With `right`: whether the blind judge agrees with the decision, or with there having been nothing to find.

        None where nobody has judged, or the judge could not tell. An overturned violation had been confirmed: what is
        measured is the decision, not what an appeal made of it.
        """
        return self.annotate(
            right=Either(
                When(_AGREES, then=Value(True)),
                When(_DIFFERS, then=Value(False)),
                default=Value(None),
                output_field=BooleanField(null=True),
            )
        )

    def disputed(self) -> SampleItemQuerySet:
        """Where the judge sees it otherwise: a decision thought wrong, or a violation where none had been found."""
        return self.filter(_DIFFERS)


class SampleItem(models.Model):
    """One thing drawn, with its chance of having been drawn: `probability` = drawn / population of its stratum.

    What the blind judge said is the case's judgement; `case` is null until the item is handed to the queue. `decided` is
    empty for a guild-day. A disputed item is open until `settled_at`; `led_to` then says what came of it, as "type:id".
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
    settled_at = models.DateTimeField(null=True, blank=True)
    settlement = models.TextField(blank=True)
    led_to = models.CharField(max_length=80, blank=True)

    objects = SampleItemQuerySet.as_manager()
    ledger_type = "sample_item"

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
        triggers = [
            pgtrigger.ReadOnly(
                name="sample_item_fixed",
                fields=["sample", "stratum", "probability", "violation", "guild", "day", "decided"],
            ),
            pgtrigger.Protect(name="sample_item_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.sample}: {self.violation or self.day}"

    @property
    def public_id(self) -> str:
        return str(self.pk)

    @property
    def was_confirmed(self) -> bool:
        """Whether the decision it was drawn with was a confirmation; False for a day on which nothing was found."""
        return self.decided in WERE_CONFIRMED


class GoldenCase(models.Model):
    """A past violation whose right answer is settled. It comes back among the cases of reviewers, who cannot tell it apart.

    The answer never changes: what was right when somebody was asked stays on record. A doubtful one is retired. In SQL an
    answer to it is governance_judgement by a governance_case of kind golden on the same violation_id.
    """

    violation = models.OneToOneField(Violation, on_delete=models.PROTECT, related_name="golden")
    expected = models.CharField(max_length=8, choices=Verdict)
    explanation = models.TextField(help_text=_("shown to the reviewer after the verdict"))
    is_active = models.BooleanField(default=True)
    made_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    ledger_type = "golden_case"

    class Meta:
        ordering = ["-id"]
        triggers = [
            pgtrigger.ReadOnly(
                name="golden_case_fixed", fields=["violation", "expected", "explanation", "made_by"]
            ),
            pgtrigger.Protect(name="golden_case_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.violation}: {self.expected}"

    @property
    def public_id(self) -> str:
        return str(self.pk)
