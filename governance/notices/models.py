"""What a guild is told and when: one notice per message, in the guild's language."""

from __future__ import annotations

import uuid

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from governance.notices.enums import Channel, DispatchStatus, NoticeKind
from guilds.models import Guild, Regime


class Template(models.Model):
    """The wording of one kind of notice in one language, for one regime or (null) for all; placeholders are checked when it is
    saved. A regime's own wording goes before the general one of the same language.
    """

    kind = models.CharField(max_length=24, choices=NoticeKind)
    language = models.CharField(max_length=20, help_text=_("BCP 47"))
    regime = models.ForeignKey(
        Regime, null=True, blank=True, on_delete=models.PROTECT, related_name="notice_templates"
    )
    subject = models.CharField(max_length=200)
    body = models.TextField()
    updated_at = models.DateTimeField(auto_now=True)

    ledger_type = "notice_template"

    class Meta:
        ordering = ["kind", "language"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "language", "regime"],
                name="one_template_per_kind_language_and_regime",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.language})"

    @property
    def public_id(self) -> str:
        return f"{self.kind}/{self.language}" + (f"/{self.regime.code}" if self.regime else "")


class Notice(models.Model):
    """A message sent to a guild. `statement` holds the reasons as fields: facts, clause, rule version, how detected,
    automated or not, measure, start, end, territory, redress, deadline. The wording never changes after issue.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="notices")
    kind = models.CharField(max_length=24, choices=NoticeKind)
    object_type = models.CharField(max_length=40, help_text=_("what it is about: penalty or appeal"))
    object_id = models.CharField(max_length=120)
    language = models.CharField(max_length=20)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    statement = models.JSONField(default=dict, blank=True)
    issued_at = models.DateTimeField()
    appeal_by = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)

    ledger_type = "notice"

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["guild", "-id"], name="notice_guild"),
            models.Index(fields=["object_type", "object_id"], name="notice_object"),
        ]
        triggers = [
            pgtrigger.Protect(
                name="notice_wording_fixed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.body IS DISTINCT FROM NEW.body OR OLD.subject IS DISTINCT FROM NEW.subject"
                    " OR OLD.statement IS DISTINCT FROM NEW.statement OR OLD.issued_at IS DISTINCT FROM NEW.issued_at"
                    " OR OLD.appeal_by IS DISTINCT FROM NEW.appeal_by"
                ),
            ),
            pgtrigger.Protect(name="notice_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return self.subject


class Contact(models.Model):
    """An address of a guild that gets its notices by mail, beside the portal. No kinds named: it gets all of them."""

    guild = models.ForeignKey(Guild, on_delete=models.PROTECT, related_name="contacts")
    email = models.EmailField()
    name = models.CharField(_("desk or function"), max_length=120, blank=True)
    kinds = ArrayField(models.CharField(max_length=24, choices=NoticeKind), default=list, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    ledger_type = "contact"

    class Meta:
        ordering = ["guild", "email"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                "guild",
                name="one_contact_per_guild_and_email",
                violation_error_message=_("The guild has this address already."),
            )
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def public_id(self) -> str:
        return str(self.pk)


class Dispatch(models.Model):
    """One notice on its way to one address by one channel; `receipt` says what proves that it arrived. Times are aware UTC."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    notice = models.ForeignKey(Notice, on_delete=models.PROTECT, related_name="dispatches")
    channel = models.CharField(max_length=8, choices=Channel)
    contact = models.ForeignKey(
        Contact, null=True, blank=True, on_delete=models.PROTECT, related_name="dispatches"
    )
    address = models.CharField(max_length=320)
    status = models.CharField(max_length=10, choices=DispatchStatus, default=DispatchStatus.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(null=True, blank=True)
    receipt = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    ledger_type = "dispatch"

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "dispatches"
        indexes = [
            models.Index(
                fields=["next_attempt_at"], name="dispatch_due", condition=Q(status=DispatchStatus.PENDING)
            ),
            models.Index(
                fields=["notice"], name="dispatch_failed", condition=Q(status=DispatchStatus.FAILED)
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["notice", "channel", "address"], name="one_dispatch_per_notice_channel_and_address"
            )
        ]

    def __str__(self) -> str:
        return f"{self.notice} → {self.address}"
