"""Backtests as jobs: what a version would have opened over stored signals, computed in steps that survive a crash."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from governance.backtests.enums import BacktestStatus, Side
from governance.rules.models import RuleVersion
from guilds.models import Creator, Guild, Market, User


class Backtest(models.Model):
    """One run of a version over the signals with since ≤ t < until. Times are aware UTC.

    Work goes in steps; each commits its hits, `signals_done`, `reached` (the moment up to which all signals were judged) and
    `carried` (what the next step needs to know of the earlier ones), so that a run goes on where it stopped. `digest` is the
    wording that was run, as RuleSpec.digest(): a draft may have changed since. `result` is filled when the run is done.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="backtests")
    compared_with = models.ForeignKey(
        RuleVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    spec = models.JSONField(help_text=_("the wording under test, as it was when the run was asked for"))
    digest = models.CharField(max_length=64)
    since = models.DateTimeField()
    until = models.DateTimeField()
    markets = ArrayField(models.CharField(max_length=20), default=list, blank=True, help_text=_("empty: all"))
    status = models.CharField(max_length=10, choices=BacktestStatus, default=BacktestStatus.QUEUED)
    signals_total = models.PositiveBigIntegerField(default=0)
    signals_done = models.PositiveBigIntegerField(default=0)
    reached = models.DateTimeField(null=True, blank=True)
    carried = models.JSONField(default=dict, blank=True)
    faults = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    result = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True)
    requested_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    ledger_type = "backtest"

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["id"],
                name="backtest_at_work",
                condition=Q(status__in=[BacktestStatus.QUEUED, BacktestStatus.RUNNING]),
            )
        ]
        constraints = [
            models.CheckConstraint(condition=Q(until__gt=F("since")), name="backtest_until_after_since"),
        ]

    def __str__(self) -> str:
        return f"{self.version}, {self.since:%Y-%m-%d} to {self.until:%Y-%m-%d}"


class BacktestHit(models.Model):
    """A violation that one side of a backtest would have opened. Working material: deleted with old runs."""

    backtest = models.ForeignKey(Backtest, on_delete=models.CASCADE, related_name="hits")
    side = models.CharField(max_length=6, choices=Side)
    signal_id = models.BigIntegerField(help_text=_("the signal's key"))
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    creator = models.ForeignKey(
        Creator, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    subject = models.CharField(max_length=60)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["backtest", "side", "subject", "occurred_at"],
                name="one_hit_per_side_subject_and_moment",
            )
        ]

    def __str__(self) -> str:
        return f"{self.backtest_id} {self.side} {self.subject} {self.occurred_at:%Y-%m-%d}"
