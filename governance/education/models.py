"""What guilds are taught: lessons in their language, and who has acknowledged them."""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from governance.education.enums import AssignmentSource
from governance.ledger.models import append_only
from governance.rules.models import Rule
from guilds.models import Guild, User


class Lesson(models.Model):
    """One lesson; `title` and `body` are maps of language (BCP 47) to plain text with blank lines between paragraphs.

    A lesson with questions is passed with `pass_percent` of them right; one without is completed by acknowledging it.
    Passing takes up to `credit_points` off points in force for the rule, once per guild and `credit_every_days` days. A guild
    that completed the lesson in time has its first violation of the rule within `amnesty_days` after that answered by a
    warning alone.
    """

    code = models.SlugField(max_length=60, unique=True)
    rule = models.ForeignKey(Rule, null=True, blank=True, on_delete=models.PROTECT, related_name="lessons")
    title = models.JSONField()
    body = models.JSONField()
    published_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    pass_percent = models.PositiveSmallIntegerField(
        default=80, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    credit_points = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(10)])
    credit_every_days = models.PositiveSmallIntegerField(default=30, validators=[MinValueValidator(1)])
    amnesty_days = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(90)])

    ledger_type = "lesson"

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code

    @property
    def public_id(self) -> str:
        return self.code


class Question(models.Model):
    """One question of a lesson's quiz: `prompt` and `note` by language, `options` a list of texts by language, `correct` the
    place of the right one, counted from 0. `note` is what the answer teaches, shown afterwards.
    """

    lesson = models.ForeignKey(Lesson, on_delete=models.CASCADE, related_name="questions")
    position = models.PositiveSmallIntegerField()
    prompt = models.JSONField()
    options = models.JSONField()
    correct = models.PositiveSmallIntegerField()
    note = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["lesson_id", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["lesson", "position"],
                name="one_question_per_place",
                deferrable=models.Deferrable.DEFERRED,
            )
        ]

    def __str__(self) -> str:
        return f"{self.lesson} #{self.position}"


class Assignment(models.Model):
    """A lesson a guild has been asked to do, by whom and until when. `source_id` names the launch or penalty behind it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    lesson = models.ForeignKey(Lesson, on_delete=models.PROTECT, related_name="assignments")
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="assignments")
    source = models.CharField(max_length=10, choices=AssignmentSource)
    source_id = models.CharField(max_length=120, blank=True, default="")
    assigned_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)
    reminders = models.PositiveSmallIntegerField(default=0)
    completed_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    ledger_type = "assignment"

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="assignment_open",
                condition=Q(completed_at__isnull=True, cancelled_at__isnull=True),
            ),
            models.Index(fields=["guild", "-id"], name="assignment_guild"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["lesson", "guild", "source", "source_id"], name="one_assignment_per_source"
            )
        ]

    def __str__(self) -> str:
        return f"{self.guild}: {self.lesson}"


class Attempt(models.Model):
    """One go at a lesson's quiz. Never changed. `answers` maps the key of each question asked, as text, to the place chosen."""

    lesson = models.ForeignKey(Lesson, on_delete=models.PROTECT, related_name="attempts")
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="attempts")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="attempts")
    language = models.CharField(max_length=20, blank=True, default="")
    answers = models.JSONField()
    right = models.PositiveSmallIntegerField()
    asked = models.PositiveSmallIntegerField()
    passed = models.BooleanField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["guild", "lesson", "-id"], name="attempt_guild_lesson")]
        triggers = append_only("attempt")

    def __str__(self) -> str:
        return f"{self.guild}: {self.lesson} {self.right}/{self.asked}"


class Completion(models.Model):
    """A guild has completed a lesson, for the first time then; the person who did it is kept."""

    lesson = models.ForeignKey(Lesson, on_delete=models.PROTECT, related_name="completions")
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="completions")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="completions")
    completed_at = models.DateTimeField()
    source = models.CharField(max_length=10, choices=AssignmentSource, default=AssignmentSource.VOLUNTARY)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lesson", "guild"],
                name="one_completion_per_guild",
                violation_error_message=_("Your guild has already completed this lesson."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.guild}: {self.lesson}"
