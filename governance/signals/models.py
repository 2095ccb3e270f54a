"""Facts reported from outside, kept by month, each counted once."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from governance.rules.models import RuleVersion
from governance.signals.enums import QuarantineReason, QuarantineStatus
from guilds.models import Client, Creator, Guild, Market

#: Work is split by guild into this many ordered queues, so that workers run side by side and order still holds per guild.
SHARDS = 8


class SignalSource(models.Model):
    """A detector, integration, user report or audit, by its CloudEvents `source`."""

    uri = models.CharField(max_length=300, unique=True)
    first_seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["uri"]

    def __str__(self) -> str:
        return self.uri


class SignalKey(models.Model):
    """The identity of a signal: (source, event id), unique for ever. Its id is the signal's id in every other table.

    It stands apart from `Signal` because PostgreSQL can only hold uniqueness inside a partition, and a signal resent with
    another time must still be the same signal.
    """

    source = models.ForeignKey(
        SignalSource,
        on_delete=models.PROTECT,
        related_name="keys",
        db_constraint=False,
        db_index=False,  # the constraint below starts with it
    )
    event_id = models.CharField(max_length=300)
    time = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "event_id"], name="one_signal_per_source_and_id")
        ]

    def __str__(self) -> str:
        return self.event_id


class Signal(models.Model):
    """One fact. Partitioned by month of `time` (aware UTC, the event's own); the table is made by hand in a migration.

    `guild` is who is charged: the holder of the creator at `time`, else the guild the event names. `named_guild` is set
    where the event named another one. No foreign-key checks in the database: rows come in by the ten thousand with ids just
    read, and registry rows are never deleted.
    """

    id = models.BigIntegerField(primary_key=True)
    time = models.DateTimeField()
    type = models.CharField(max_length=200)
    source = models.ForeignKey(
        SignalSource,
        on_delete=models.PROTECT,
        related_name="signals",
        db_constraint=False,
    )
    event_id = models.CharField(max_length=300)
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="signals", db_constraint=False)
    named_guild = models.ForeignKey(
        Guild,
        null=True,
        on_delete=models.PROTECT,
        related_name="signals_naming",
        db_constraint=False,
    )
    creator = models.ForeignKey(
        Creator,
        null=True,
        on_delete=models.PROTECT,
        related_name="signals",
        db_constraint=False,
    )
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="signals", db_constraint=False)
    data = models.JSONField()
    received_at = models.DateTimeField()

    ledger_type = "signal"

    class Meta:
        ordering = ["-time", "-id"]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"

    @property
    def public_id(self) -> str:
        return str(self.pk)


class PendingSignal(models.Model):
    """The queue of detection: a row per signal not yet evaluated, deleted in the transaction that writes what came of it.

    `version` narrows a second evaluation to one rule version (after a pause or a fault); null means every live or shadow version.
    """

    id = models.BigAutoField(primary_key=True)
    signal_id = models.BigIntegerField()
    shard = models.PositiveSmallIntegerField()
    time = models.DateTimeField()
    version = models.ForeignKey(
        RuleVersion,
        null=True,
        on_delete=models.PROTECT,
        related_name="pending",
        db_constraint=False,
        db_index=False,  # nearly always null, and every signal would pay for it
    )

    class Meta:
        indexes = [models.Index(fields=["shard", "time", "signal_id"], name="pending_order")]

    def __str__(self) -> str:
        return str(self.signal_id)


class QuarantinedSignal(models.Model):
    """A signal that was accepted but names nobody we know. Retried whenever the registry learns something."""

    key = models.OneToOneField(
        SignalKey,
        primary_key=True,
        on_delete=models.PROTECT,
        related_name="quarantined",
    )
    status = models.CharField(max_length=12, choices=QuarantineStatus, default=QuarantineStatus.WAITING)
    reason = models.CharField(max_length=24, choices=QuarantineReason)
    event = models.JSONField(_("the CloudEvent as received"))
    guild_ref = models.CharField(max_length=120, blank=True)
    creator_ref = models.CharField(max_length=120, blank=True)
    market_ref = models.CharField(max_length=20, blank=True)
    client = models.ForeignKey(
        Client,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="quarantined",
        help_text=_(
            "Who sent it: a client limited to markets or a guild stays so when the event is retried."
        ),
    )
    received_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    ledger_type = "quarantined_signal"

    class Meta:
        ordering = ["-received_at"]
        indexes = [
            models.Index(
                fields=["last_attempt_at"],
                name="quarantine_waiting",
                condition=Q(status=QuarantineStatus.WAITING),
            )
        ]

    def __str__(self) -> str:
        return str(self.key)

    @property
    def public_id(self) -> str:
        return str(self.pk)
