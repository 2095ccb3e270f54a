"""The register of harms worth governing, how great they are market by market, and what people tell us about them."""

from __future__ import annotations

import uuid

import pgtrigger
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from governance.risks.enums import (
    FeedbackChannel,
    FeedbackSource,
    FeedbackStatus,
    FeedbackTopic,
    RiskCategory,
    Treatment,
    Trend,
)
from guilds.models import Client, Guild, Market, User

SCALE = [MinValueValidator(1), MaxValueValidator(5)]


class Risk(models.Model):
    """A harm, scored 1 to 5 on harm and likelihood, and owned by a team."""

    code = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=200)
    definition = models.TextField(blank=True)
    harm = models.PositiveSmallIntegerField(validators=SCALE)
    likelihood = models.PositiveSmallIntegerField(validators=SCALE)
    category = models.CharField(max_length=16, choices=RiskCategory, default=RiskCategory.OTHER)
    owner = models.CharField(_("owning team"), max_length=80)
    treatment = models.CharField(max_length=12, choices=Treatment, default=Treatment.UNDECIDED)
    treatment_note = models.TextField(blank=True)
    review_on = models.DateField(null=True, blank=True, help_text=_("when it is to be looked at again"))
    reviewed_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True, help_text=_("no longer worth governing"))
    created_at = models.DateTimeField(auto_now_add=True)

    ledger_type = "risk"

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    @property
    def public_id(self) -> str:
        return self.code

    @property
    def priority(self) -> int:
        """Harm × likelihood, 1 to 25."""
        return self.harm * self.likelihood


class Assessment(models.Model):
    """How great a risk was in one market on one day, from data: the facts as counted and the score they led to.

    Rates are per 1,000 live hours over the `window_days` before `on`. `parts` shows how the priority was reached:
    [{"name", "value", "weight", "points"}]. One row per risk, market and day; a later run of the day replaces it.
    """

    risk = models.ForeignKey(Risk, on_delete=models.PROTECT, related_name="assessments")
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="assessments")
    on = models.DateField()
    window_days = models.PositiveIntegerField()
    live_hours = models.DecimalField(max_digits=14, decimal_places=2)
    guilds = models.PositiveIntegerField(help_text=_("guilds active in the window"))
    violations = models.PositiveIntegerField(help_text=_("opened in the window"))
    upheld = models.PositiveIntegerField(help_text=_("confirmed and not overturned"))
    guilds_upheld = models.PositiveIntegerField(help_text=_("guilds with an upheld violation"))
    feedback = models.PositiveIntegerField(help_text=_("messages linked to the risk"))
    rate = models.FloatField(null=True, blank=True, help_text=_("upheld per 1,000 live hours"))
    rate_before = models.FloatField(null=True, blank=True, help_text=_("the same, in the window before"))
    trend = models.CharField(max_length=8, choices=Trend, default=Trend.UNKNOWN)
    priority = models.FloatField(help_text=_("0 to 100"))
    parts = models.JSONField(default=list, blank=True)
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["-on", "-priority"]
        constraints = [
            models.UniqueConstraint(
                fields=["risk", "market", "on"], name="one_assessment_per_risk_market_and_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.risk} in {self.market} on {self.on:%Y-%m-%d}"


class Feedback(models.Model):
    """What somebody told us: read, linked to a risk, merged with its like, answered. The words and who said them never change;
    PostgreSQL refuses it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    source = models.CharField(max_length=10, choices=FeedbackSource)
    channel = models.CharField(max_length=8, choices=FeedbackChannel)
    topic = models.CharField(max_length=14, choices=FeedbackTopic, default=FeedbackTopic.OTHER)
    body = models.TextField()
    language = models.CharField(max_length=20, blank=True, default="")
    guild = models.ForeignKey(Guild, null=True, blank=True, on_delete=models.PROTECT, related_name="feedback")
    market = models.ForeignKey(
        Market, null=True, blank=True, on_delete=models.PROTECT, related_name="feedback"
    )
    about_rule = models.CharField(max_length=60, blank=True, default="", help_text=_("code of a rule"))
    by_user = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    by_client = models.ForeignKey(Client, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    status = models.CharField(max_length=8, choices=FeedbackStatus, default=FeedbackStatus.NEW)
    risk = models.ForeignKey(Risk, null=True, blank=True, on_delete=models.PROTECT, related_name="feedback")
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged"
    )
    answer = models.TextField(blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    ledger_type = "feedback"

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = _("feedback")
        indexes = [
            models.Index(fields=["status", "-id"], name="feedback_status"),
            models.Index(fields=["guild", "-id"], name="feedback_guild"),
            GinIndex(fields=["body"], opclasses=["gin_trgm_ops"], name="feedback_body_trgm"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status=FeedbackStatus.MERGED, merged_into__isnull=False)
                | (~Q(status=FeedbackStatus.MERGED) & Q(merged_into__isnull=True)),
                name="merged_feedback_names_the_other",
            ),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | ~Q(merged_into=F("id")),
                name="feedback_not_merged_into_itself",
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="feedback_words_fixed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    " OR ".join(
                        f'OLD."{column}" IS DISTINCT FROM NEW."{column}"'
                        for column in ("body", "source", "channel", "guild_id", "by_user_id", "by_client_id")
                    )
                ),
            ),
            pgtrigger.Protect(name="feedback_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return self.body[:80]
