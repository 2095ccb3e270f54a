"""What guilds are taught: lessons in their language, and who has acknowledged them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from governance.rules.models import Rule
from guilds.models import Guild, User


class Lesson(models.Model):
    """One lesson; `title` and `body` are maps of language (BCP 47) to plain text with blank lines between paragraphs."""

    code = models.SlugField(max_length=60, unique=True)
    rule = models.ForeignKey(Rule, null=True, blank=True, on_delete=models.PROTECT, related_name="lessons")
    title = models.JSONField()
    body = models.JSONField()
    published_at = models.DateTimeField(null=True, blank=True)

    ledger_type = "lesson"

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code

    @property
    def public_id(self) -> str:
        return self.code


class Completion(models.Model):
    """A guild has read and acknowledged a lesson; the person who did it is kept."""

    lesson = models.ForeignKey(Lesson, on_delete=models.PROTECT, related_name="completions")
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="completions")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="completions")
    completed_at = models.DateTimeField()

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
