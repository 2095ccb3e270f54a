"""What a guild is told and when: one notice per message, in the guild's language."""

from __future__ import annotations

import uuid

import pgtrigger
from django.db import models
from django.utils.translation import gettext_lazy as _

from governance.notices.enums import NoticeKind
from guilds.models import Guild


class Template(models.Model):
    """The wording of one kind of notice in one language; placeholders are checked when it is saved."""

    kind = models.CharField(max_length=24, choices=NoticeKind)
    language = models.CharField(max_length=20, help_text=_("BCP 47"))
    subject = models.CharField(max_length=200)
    body = models.TextField()
    updated_at = models.DateTimeField(auto_now=True)

    ledger_type = "notice_template"

    class Meta:
        ordering = ["kind", "language"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "language"], name="one_template_per_kind_and_language")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.language})"

    @property
    def public_id(self) -> str:
        return f"{self.kind}/{self.language}"


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
