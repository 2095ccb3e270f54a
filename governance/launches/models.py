"""Launches: the coordinated start of a rule version, gate by gate and market by market."""

from __future__ import annotations

import uuid

import pgtrigger
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from governance.launches.enums import AnnouncementKind, GateKind, GateStatus, LaunchStatus, Team, WaveStatus
from governance.rules.models import RuleVersion
from guilds.models import Market, User


class Launch(models.Model):
    """The only door by which a version goes live. `salt` draws the shares and the holdout of its waves; it never changes."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    version = models.ForeignKey(RuleVersion, on_delete=models.PROTECT, related_name="launches")
    title = models.CharField(max_length=200)
    status = models.CharField(max_length=12, choices=LaunchStatus, default=LaunchStatus.PLANNING)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="launches")
    salt = models.CharField(max_length=40, editable=False)
    lesson_percent = models.PositiveSmallIntegerField(
        default=80,
        validators=[MaxValueValidator(100)],
        help_text=_("of the guilds of a wave that must have completed the lesson; 0: none need to"),
    )
    notes = models.TextField(blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    finished_reason = models.TextField(blank=True)

    ledger_type = "launch"

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = _("launches")
        constraints = [
            models.UniqueConstraint(
                fields=["version"],
                condition=~Q(status__in=[LaunchStatus.CANCELLED, LaunchStatus.ROLLED_BACK]),
                name="one_standing_launch_per_version",
                violation_error_message=_("This version has a launch already."),
            )
        ]
        triggers = [
            pgtrigger.Protect(
                name="launch_fixed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    'OLD."salt" IS DISTINCT FROM NEW."salt" OR OLD."version_id" IS DISTINCT FROM NEW."version_id"'
                ),
            ),
            pgtrigger.Protect(name="launch_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return self.title


class Gate(models.Model):
    """One condition of a launch, answered for by a team. Facts decide the automatic ones anew each time they are asked."""

    launch = models.ForeignKey(Launch, on_delete=models.PROTECT, related_name="gates")
    kind = models.CharField(max_length=16, choices=GateKind)
    team = models.CharField(max_length=12, choices=Team)
    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="gates")
    due_on = models.DateField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=GateStatus, default=GateStatus.OPEN)
    evidence = models.TextField(blank=True)
    evidence_url = models.URLField(blank=True)
    figures = models.JSONField(default=dict, blank=True)
    signed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    signed_at = models.DateTimeField(null=True, blank=True)

    ledger_type = "gate"

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["launch", "kind"], name="one_gate_per_kind"),
            models.CheckConstraint(
                condition=Q(status=GateStatus.OPEN) | Q(signed_by__isnull=False, signed_at__isnull=False),
                name="passed_gates_are_signed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.launch}: {self.get_kind_display()}"

    @property
    def public_id(self) -> str:
        return str(self.pk)


class Wave(models.Model):
    """The markets in which a version starts together, from `planned_at`, for `share` per cent of guilds less the `holdout`.

    `announced_at` is when the guilds of its markets were told; the notice period of each market's regime counts from there.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    launch = models.ForeignKey(Launch, on_delete=models.PROTECT, related_name="waves")
    number = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=120, blank=True)
    markets = models.ManyToManyField(Market, related_name="waves")
    planned_at = models.DateTimeField()
    share = models.PositiveSmallIntegerField(
        default=100, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    holdout = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(50)])
    status = models.CharField(max_length=12, choices=WaveStatus, default=WaveStatus.PLANNED)
    announced_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(blank=True)
    blocked_reason = models.TextField(blank=True, help_text=_("why it did not start when its time had come"))
    live_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    ledger_type = "wave"

    class Meta:
        ordering = ["launch_id", "number"]
        indexes = [models.Index(fields=["planned_at"], name="wave_due", condition=Q(status=WaveStatus.GO))]
        constraints = [
            models.UniqueConstraint(fields=["launch", "number"], name="one_wave_per_number"),
            models.CheckConstraint(
                condition=Q(share__gte=1, share__lte=100, holdout__gte=0, holdout__lte=50),
                name="wave_shares_are_percentages",
            ),
            models.CheckConstraint(
                condition=~Q(status=WaveStatus.LIVE) | Q(live_at__isnull=False, announced_at__isnull=False),
                name="live_waves_were_announced",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.launch}, wave {self.number}"


class Announcement(models.Model):
    """What the guilds of one market were told about one wave: that the rule changes at `told_at`, or that it was taken back.

    `asked_at` is when somebody ordered it, `sent_at` when the last guild there had its notice; the notice period counts from
    there, with `notice_days` as the law and the rule stood then, or the longer one of today. PostgreSQL takes both moments only
    while they are now, refuses `sent_at` while a guild of the market is without its notice, and keeps the row for ever: notice
    cannot be back-dated. Notices name it as `announcement` and this `public_id`.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    wave = models.ForeignKey(Wave, on_delete=models.PROTECT, related_name="announcements")
    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="announcements")
    kind = models.CharField(max_length=12, choices=AnnouncementKind, default=AnnouncementKind.COMING)
    told_at = models.DateTimeField(null=True, blank=True, help_text=_("the start that guilds were told"))
    notice_days = models.PositiveSmallIntegerField(default=0)
    reason = models.TextField(blank=True)
    asked_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    guilds = models.PositiveIntegerField(
        default=0, help_text=_("to be told, as counted when it was asked for")
    )
    guilds_told = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)

    ledger_type = "announcement"

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["id"], name="announcement_unsent", condition=Q(sent_at__isnull=True))]
        constraints = [
            models.UniqueConstraint(
                fields=["wave", "market", "kind", "told_at"],
                nulls_distinct=False,
                name="one_announcement_per_date",
            ),
            models.CheckConstraint(
                condition=Q(told_at__isnull=False) | Q(kind=AnnouncementKind.TAKEN_BACK),
                name="announced_changes_have_a_date",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="announcement_asked_now",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func=(
                    "IF abs(extract(epoch FROM NEW.asked_at - clock_timestamp())) > 300 OR NEW.sent_at IS NOT NULL THEN"
                    " RAISE EXCEPTION 'an announcement begins now and is not sent yet'"
                    " USING ERRCODE = 'check_violation'; END IF; RETURN NEW;"
                ),
            ),
            pgtrigger.Protect(
                name="announcement_fixed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    " OR ".join(
                        f'OLD."{column}" IS DISTINCT FROM NEW."{column}"'
                        for column in (
                            "public_id wave_id market_id kind told_at notice_days reason asked_by_id asked_at".split()
                        )
                    )
                    + " OR (OLD.sent_at IS NOT NULL AND OLD.sent_at IS DISTINCT FROM NEW.sent_at)"
                ),
            ),
            pgtrigger.Trigger(
                name="announcement_sent_to_all",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.sent_at IS NULL AND NEW.sent_at IS NOT NULL AND NEW.kind = 'coming'"
                ),
                func=(
                    "IF abs(extract(epoch FROM NEW.sent_at - clock_timestamp())) > 300 THEN"
                    " RAISE EXCEPTION 'an announcement cannot be dated back' USING ERRCODE = 'check_violation'; END IF;"
                    " IF EXISTS (SELECT 1 FROM guilds_guild g WHERE g.market_id = NEW.market_id"
                    " AND g.status IN ('onboarding', 'active', 'suspended') AND NOT EXISTS (SELECT 1 FROM governance_notice n"
                    " WHERE n.object_type = 'announcement' AND n.object_id = NEW.public_id::text AND n.guild_id = g.id)) THEN"
                    " RAISE EXCEPTION 'a guild of the market has no notice yet' USING ERRCODE = 'check_violation'; END IF;"
                    " RETURN NEW;"
                ),
            ),
            pgtrigger.Protect(name="announcement_kept", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.wave}, {self.market}"
