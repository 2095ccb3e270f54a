"""What leaves the ledger: endpoints of other systems and each delivery to them."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from governance.ledger.models import Event
from governance.webhooks.enums import DeliveryStatus, WebhookType
from guilds.models import Guild, User


class Endpoint(models.Model):
    """A receiver. `secret` is the Standard Webhooks signing secret, `whsec_…`; `last_*` is the place reached in the ledger.

    After a rotation every message bears two signatures until `former_secret_until`, so that the receiver can follow in its
    own time. `failures` counts the tries that failed since the last that did not, the first of them at `failing_since`.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120)
    url = models.URLField(max_length=500)
    secret = models.CharField(max_length=120)
    former_secret = models.CharField(max_length=120, blank=True)
    former_secret_until = models.DateTimeField(null=True, blank=True)
    types = ArrayField(models.CharField(max_length=40, choices=WebhookType))
    allow_private = models.BooleanField(_("may be a private address"), default=False)
    is_active = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=200, blank=True)
    failures = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    quiet_until = models.DateTimeField(
        null=True, blank=True, help_text=_("the receiver asked for a rest until then")
    )
    last_transaction = models.BigIntegerField(default=0)
    last_event = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    ledger_type = "webhook_endpoint"

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Replay(models.Model):
    """Events with since ≤ t < until are sent to an endpoint once more, from the ledger."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="replays")
    since = models.DateTimeField()
    until = models.DateTimeField()
    types = ArrayField(models.CharField(max_length=40, choices=WebhookType))
    reason = models.TextField()
    asked_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    last_transaction = models.BigIntegerField(default=0)
    last_event = models.BigIntegerField(default=0)
    queued = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True, help_text=_("all of it is queued"))
    cancelled_at = models.DateTimeField(null=True, blank=True)

    ledger_type = "webhook_replay"

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(until__gt=F("since")), name="replay_until_after_since"),
            models.UniqueConstraint(
                fields=["endpoint"],
                condition=Q(finished_at__isnull=True, cancelled_at__isnull=True),
                name="one_open_replay_per_endpoint",
                violation_error_message=_("A replay to this endpoint is under way."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint}, {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M}"


class Delivery(models.Model):
    """One event on its way to one endpoint; `attempts` counts tries, `next_attempt_at` is null when there is no next.

    `guild` is the event's own, kept here because deliveries of one guild wait for one another.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.PROTECT, related_name="deliveries")
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="deliveries")
    guild = models.ForeignKey(Guild, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    replay = models.ForeignKey(
        Replay, null=True, blank=True, on_delete=models.PROTECT, related_name="deliveries"
    )
    status = models.CharField(max_length=12, choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                name="delivery_due",
                condition=Q(status=DeliveryStatus.PENDING),
            ),
            models.Index(
                fields=["endpoint", "guild", "id"],
                name="delivery_order",
                condition=Q(status=DeliveryStatus.PENDING),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "event", "replay"],
                name="one_delivery_per_endpoint_event_and_replay",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.event} → {self.endpoint}"


class DeliveryAttempt(models.Model):
    """What came of one try; `headers` as they were sent. Working material of the delivery's page, forgotten after a month."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="tries")
    at = models.DateTimeField()
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    milliseconds = models.PositiveIntegerField()
    headers = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["at"], name="delivery_attempt_at")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.response_status or self.error}"
