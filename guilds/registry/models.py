"""Who is governed: markets, guilds, creators, who held whom when, and how much each guild streamed."""

from __future__ import annotations

import pghistory
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import (
    ArrayField,
    DateTimeRangeField,
    RangeBoundary,
    RangeOperators,
)
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _

from guilds.registry.enums import GuildStatus, GuildTier

#: Every change of a row is kept by a trigger, whoever makes it and however: `guild.history`.
HISTORY = pghistory.ObjForeignKey(related_name="history")


class Regime(models.Model):
    """A legal regime as numbers: how long notice, appeal and termination take where it applies.

    Sources: EU P2B Regulation 2019/1150 (15 days' notice of changed terms, 30 before termination), EU DSA 2022/2065
    (appeals open six months). They are rows, not code: laws change by market and date.
    """

    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    notice_days = models.PositiveSmallIntegerField(_("notice of a changed rule, days"), default=0)
    appeal_days = models.PositiveSmallIntegerField(_("appeal window, days"), default=15)
    termination_days = models.PositiveSmallIntegerField(_("notice of termination, days"), default=0)
    acknowledge_hours = models.PositiveSmallIntegerField(_("acknowledge an appeal within, hours"), default=24)
    decide_days = models.PositiveSmallIntegerField(_("decide an appeal within, days"), default=15)
    decide_urgent_days = models.PositiveSmallIntegerField(
        _("decide S1 and clear-out within, days"), default=7
    )

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


@pghistory.track(model_name="MarketHistory", obj_field=HISTORY)
class Market(models.Model):
    """A country or subdivision with its time zone (IANA name), languages (BCP 47, first is the default) and regime."""

    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=120)
    timezone = models.CharField(max_length=64, default="UTC")
    languages = ArrayField(models.CharField(max_length=20), default=list)
    regime = models.ForeignKey(Regime, on_delete=models.PROTECT, related_name="markets")

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code

    @property
    def default_language(self) -> str:
        return self.languages[0] if self.languages else "en"


@pghistory.track(model_name="GuildHistory", obj_field=HISTORY)
class Guild(models.Model):
    """The accountable company. `external_id` is the platform's own id; provisional guilds were first met in a signal."""

    external_id = models.CharField(max_length=120, unique=True)
    name = models.CharField(max_length=200, blank=True)
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="guilds")
    tier = models.CharField(max_length=20, choices=GuildTier, default=GuildTier.STANDARD)
    status = models.CharField(max_length=20, choices=GuildStatus, default=GuildStatus.ACTIVE)
    onboarded_at = models.DateTimeField(null=True, blank=True)
    provisional = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    ledger_type = "guild"

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["market", "status"], name="guild_market_status"),
            GinIndex(fields=["name"], opclasses=["gin_trgm_ops"], name="guild_name_trgm"),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id

    @property
    def public_id(self) -> str:
        return self.external_id


@pghistory.track(model_name="CreatorHistory", obj_field=HISTORY)
class Creator(models.Model):
    """A streamer, known by the platform's id only: no personal data is kept here."""

    external_id = models.CharField(max_length=120, unique=True)
    name = models.CharField(_("stage name"), max_length=200, blank=True)
    market = models.ForeignKey(
        Market, null=True, blank=True, on_delete=models.PROTECT, related_name="creators"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    ledger_type = "creator"

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name or self.external_id

    @property
    def public_id(self) -> str:
        return self.external_id


class TstzRange(Func):
    function = "TSTZRANGE"
    output_field = DateTimeRangeField()


@pghistory.track(model_name="MembershipHistory", obj_field=HISTORY)
class Membership(models.Model):
    """The period [starts_at, ends_at) in which a guild holds a creator; open when `ends_at` is null.

    A creator is in one guild at a time: PostgreSQL refuses overlapping periods.
    """

    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="memberships")
    creator = models.ForeignKey(Creator, on_delete=models.PROTECT, related_name="memberships")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-starts_at"]
        indexes = [models.Index(fields=["guild", "starts_at"], name="membership_guild_starts")]
        constraints = [
            ExclusionConstraint(
                name="one_guild_per_creator_at_a_time",
                expressions=[
                    (
                        TstzRange(F("starts_at"), F("ends_at"), RangeBoundary()),
                        RangeOperators.OVERLAPS,
                    ),
                    (F("creator"), RangeOperators.EQUAL),
                ],
                violation_error_message=_("The creator is already in a guild during this period."),
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="membership_ends_after_start",
                violation_error_message=_("A membership must end after it starts."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.creator} in {self.guild}"


class Activity(models.Model):
    """One guild-day of exposure: live hours, creators who streamed, gift revenue in the platform's reporting currency."""

    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="activity")
    date = models.DateField(_("date in the guild's market"))
    live_hours = models.DecimalField(max_digits=10, decimal_places=2)
    active_creators = models.PositiveIntegerField()
    gift_revenue = models.DecimalField(max_digits=14, decimal_places=2, default=0)

    class Meta:
        ordering = ["-date"]
        verbose_name_plural = "activity"
        constraints = [
            models.UniqueConstraint(fields=["guild", "date"], name="one_activity_per_guild_day"),
            models.CheckConstraint(
                condition=Q(live_hours__gte=0) & Q(gift_revenue__gte=0),
                name="activity_not_negative",
                violation_error_message=_("Live hours and revenue cannot be negative."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.guild} {self.date}"
