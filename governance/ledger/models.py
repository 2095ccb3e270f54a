"""The ledger: who did what to which object, when and why. Append-only, sealed, and the outbox of everything that leaves."""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import BigIntegerField, Func, Q, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _

from guilds.models import Guild, Market


def append_only(name: str) -> list[pgtrigger.Trigger]:
    """The triggers of a table whose rows are evidence: PostgreSQL refuses update, delete and truncate."""
    return [
        pgtrigger.Protect(name=f"{name}_append_only", operation=pgtrigger.Update | pgtrigger.Delete),
        pgtrigger.Trigger(
            name=f"{name}_no_truncate",
            level=pgtrigger.Statement,
            when=pgtrigger.Before,
            operation=pgtrigger.Truncate,
            func=f"RAISE EXCEPTION 'pgtrigger: {name} is append-only and cannot be truncated';",
        ),
    ]


class CurrentTransaction(Func):
    """The 64-bit id of the writing transaction, which never wraps around."""

    template = "pg_current_xact_id()"
    output_field = TextField()


class EventQuerySet(models.QuerySet["Event"]):
    def after(self, transaction: int, event_id: int) -> EventQuerySet:
        """Events that follow the given place in the feed."""
        return self.filter(Q(transaction__gt=transaction) | Q(transaction=transaction, id__gt=event_id))


class Event(models.Model):
    """One act. `before` and `after` hold the changed fields only; times are aware UTC.

    `transaction` orders the feed: rows of transactions older than every running one are final, so a reader that follows
    (transaction, id) up to that horizon misses nothing, which a plain sequence cannot promise.
    """

    class ActorKind(models.TextChoices):
        STAFF = "staff", _("Staff")
        GUILD_USER = "guild_user", _("Guild")
        CLIENT = "client", _("Client")
        SYSTEM = "system", _("System")

    transaction = models.BigIntegerField(
        db_default=Cast(Cast(CurrentTransaction(), TextField()), BigIntegerField()),
        editable=False,
    )
    at = models.DateTimeField()
    act = models.CharField(max_length=60, help_text=_("noun.verb, such as penalty.applied"))
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=120)
    actor_kind = models.CharField(max_length=12, choices=ActorKind)
    actor_id = models.CharField(max_length=120)
    actor_label = models.CharField(max_length=255)
    guild = models.ForeignKey(Guild, null=True, on_delete=models.PROTECT, related_name="events")
    market = models.ForeignKey(Market, null=True, on_delete=models.PROTECT, related_name="events")
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["transaction", "id"]
        indexes = [
            models.Index(fields=["transaction", "id"], name="event_feed"),
            models.Index(fields=["object_type", "object_id", "id"], name="event_object"),
            models.Index(fields=["guild", "id"], name="event_guild"),
        ]
        triggers = append_only("event")

    def __str__(self) -> str:
        return f"{self.act} {self.object_id}"


class EventSeal(models.Model):
    """The place of one event in the hash chain. `event_id` is no foreign key, so that a deleted event leaves a witness."""

    sequence = models.BigIntegerField(primary_key=True)
    event_id = models.BigIntegerField(unique=True)
    transaction = models.BigIntegerField()
    digest = models.BinaryField(max_length=32, help_text=_("SHA-256 of the previous digest and the event"))
    sealed_at = models.DateTimeField()

    class Meta:
        ordering = ["sequence"]
        triggers = append_only("event_seal")

    def __str__(self) -> str:
        return f"{self.sequence} {bytes(self.digest).hex()[:12]}"
