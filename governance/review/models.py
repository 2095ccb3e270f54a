"""The work of reviewers: cases in queues, who is at them, by when they are due, and what was said about them."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from governance.ledger.models import append_only
from governance.review.enums import Assignment, CaseKind, CaseStatus, Opinion
from governance.rules.enums import Severity
from governance.rules.models import Rule
from governance.violations.models import Violation
from guilds.models import Guild, Market, User


class Queue(models.Model):
    """A pile of cases with people of its own. `double_share` of its cases for one reviewer are judged blind by two."""

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    assignment = models.CharField(max_length=12, choices=Assignment, default=Assignment.PULL)
    double_share = models.FloatField(
        _("share judged twice"), default=0.0, validators=[MinValueValidator(0.0), MaxValueValidator(1.0)]
    )
    created_at = models.DateTimeField(auto_now_add=True)

    ledger_type = "queue"

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(double_share__gte=0) & Q(double_share__lte=1), name="double_share_is_a_share"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return self.code


class Route(models.Model):
    """Which cases go to which queue: the first route, by position, that fits. An empty list fits everything."""

    position = models.PositiveSmallIntegerField(unique=True)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="routes")
    kinds = ArrayField(models.CharField(max_length=10, choices=CaseKind), default=list, blank=True)
    severities = ArrayField(models.CharField(max_length=2, choices=Severity), default=list, blank=True)
    markets = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    rules = ArrayField(models.CharField(max_length=40), default=list, blank=True)

    ledger_type = "route"

    class Meta:
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.position} → {self.queue}"

    @property
    def public_id(self) -> str:
        return str(self.pk)


class Desk(models.Model):
    """How much a reviewer can take on a day, and from which queues; none named: from all."""

    user = models.OneToOneField(User, primary_key=True, on_delete=models.PROTECT, related_name="desk")
    capacity_per_day = models.PositiveSmallIntegerField(_("cases a day"), default=60)
    queues = models.ManyToManyField(Queue, blank=True, related_name="desks")

    ledger_type = "desk"

    class Meta:
        ordering = ["user"]

    def __str__(self) -> str:
        return str(self.user)

    @property
    def public_id(self) -> str:
        return str(self.user_id)


class Absence(models.Model):
    """A reviewer is away: nothing is assigned to them, and what was assigned goes to the substitute or back to the queue."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="absences")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    substitute = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    ledger_type = "absence"

    class Meta:
        ordering = ["-starts_at"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="absence_ends_after_start")
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.starts_at:%Y-%m-%d} to {self.ends_at:%Y-%m-%d}"

    @property
    def public_id(self) -> str:
        return str(self.pk)


class Target(models.Model):
    """Within how many hours a case of a severity is to be decided; a market's own goes before the one for all."""

    severity = models.CharField(max_length=2, choices=Severity)
    market = models.ForeignKey(
        Market, null=True, blank=True, on_delete=models.PROTECT, related_name="targets"
    )
    hours = models.PositiveSmallIntegerField(validators=[MinValueValidator(1)])
    warn_percent = models.PositiveSmallIntegerField(
        _("warn when so much of the time is over, %"),
        default=75,
        validators=[MinValueValidator(1), MaxValueValidator(99)],
    )

    ledger_type = "target"

    class Meta:
        ordering = ["severity", "market"]
        constraints = [
            models.UniqueConstraint(
                fields=["severity", "market"],
                name="one_target_per_severity_and_market",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(hours__gte=1) & Q(warn_percent__gte=1) & Q(warn_percent__lte=99),
                name="target_is_possible",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.severity} {self.market or ''}: {self.hours} h"

    @property
    def public_id(self) -> str:
        return str(self.pk)


class Case(models.Model):
    """One person is asked for one verdict. Times are aware UTC.

    A violation judged by two has two cases (`place` 1 and 2) and, when they disagree, a third. `urgent_at` orders the queue:
    the moment by which the case is wanted, earlier the graver, the more harmful and the better sourced it is, so that age
    needs no recomputing. `due_at` is the promise (`Target`). A claim is a lease: it holds until `claimed_until`, which the
    open page keeps moving. `revision` grows with every change: whoever acts on an older one is told who was faster.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=CaseKind, default=CaseKind.VERDICT)
    place = models.PositiveSmallIntegerField(default=1)
    status = models.CharField(max_length=10, choices=CaseStatus, default=CaseStatus.WAITING)
    revision = models.PositiveIntegerField(default=1)
    queue = models.ForeignKey(Queue, on_delete=models.PROTECT, related_name="cases")
    violation = models.ForeignKey(
        Violation, null=True, blank=True, on_delete=models.PROTECT, related_name="cases"
    )
    rule = models.ForeignKey(Rule, null=True, blank=True, on_delete=models.PROTECT, related_name="cases")
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="cases")
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="cases")
    severity = models.CharField(max_length=2, choices=Severity)
    day = models.DateField(null=True, blank=True, help_text=_("of an unflagged guild-day, in the market"))
    opened_at = models.DateTimeField()
    urgent_at = models.DateTimeField()
    due_at = models.DateTimeField()
    warned_at = models.DateTimeField(null=True, blank=True)
    breached_at = models.DateTimeField(null=True, blank=True)
    assigned_to = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="assigned_cases"
    )
    assigned_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="claimed_cases"
    )
    claimed_at = models.DateTimeField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    escalated_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    escalation = models.TextField(blank=True)
    held_until = models.DateTimeField(null=True, blank=True)
    hold_reason = models.TextField(blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.PROTECT, related_name="done_cases"
    )
    seconds = models.PositiveIntegerField(null=True, blank=True, help_text=_("from the claim to the verdict"))

    ledger_type = "case"

    class Meta:
        ordering = ["urgent_at", "id"]
        indexes = [
            models.Index(
                fields=["urgent_at", "id"],
                name="case_waiting",
                condition=Q(status=CaseStatus.WAITING),
            ),
            models.Index(
                fields=["market", "urgent_at", "id"],
                name="case_waiting_market",
                condition=Q(status=CaseStatus.WAITING),
            ),
            models.Index(
                fields=["assigned_to", "urgent_at", "id"],
                name="case_assigned",
                condition=Q(status=CaseStatus.WAITING, assigned_to__isnull=False),
            ),
            models.Index(
                fields=["due_at"],
                name="case_due",
                condition=Q(status__in=[CaseStatus.WAITING, CaseStatus.ON_HOLD], breached_at__isnull=True),
            ),
            models.Index(fields=["held_until"], name="case_on_hold", condition=Q(status=CaseStatus.ON_HOLD)),
            models.Index(fields=["claimed_by"], name="case_claimed", condition=Q(claimed_by__isnull=False)),
            models.Index(fields=["done_by", "done_at"], name="case_done"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["violation", "place"],
                condition=Q(kind=CaseKind.VERDICT) & ~Q(status=CaseStatus.WITHDRAWN),
                name="one_case_per_violation_and_place",
            ),
            models.CheckConstraint(
                condition=Q(kind=CaseKind.COVERAGE, violation__isnull=True, day__isnull=False)
                | (~Q(kind=CaseKind.COVERAGE) & Q(violation__isnull=False)),
                name="case_about_a_violation_or_a_day",
            ),
            models.CheckConstraint(
                condition=Q(status=CaseStatus.DONE, done_at__isnull=False)
                | (~Q(status=CaseStatus.DONE) & Q(done_at__isnull=True)),
                name="case_done_at_when_done",
            ),
            models.CheckConstraint(
                condition=Q(status=CaseStatus.ON_HOLD) | Q(held_until__isnull=True),
                name="case_held_until_on_hold_only",
            ),
            models.CheckConstraint(
                condition=Q(claimed_by__isnull=True, claimed_until__isnull=True)
                | Q(claimed_by__isnull=False, claimed_until__isnull=False),
                name="case_claim_has_an_end",
            ),
        ]

    def __str__(self) -> str:
        about = self.violation.code if self.violation else f"{self.day}"
        return f"{about} · {self.guild}"


class CaseNote(models.Model):
    """What reviewers tell each other about a case. Never shown to the guild, never changed."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="notes")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    body = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        triggers = append_only("case_note")

    def __str__(self) -> str:
        return self.body[:60]


class Judgement(models.Model):
    """An opinion on a case that decides nothing for the guild: an audit, a golden case. Evidence: never changed.

    `code` names the violation seen, where there was none charged.
    """

    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="judgement")
    reviewer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="judgements")
    opinion = models.CharField(max_length=8, choices=Opinion)
    code = models.CharField(max_length=40, blank=True)
    reason = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        triggers = append_only("judgement")

    def __str__(self) -> str:
        return f"{self.reviewer}: {self.opinion}"
