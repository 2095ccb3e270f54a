"""Questions about what guilds are to put right: which penalties wait for it, and what the rule found since."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q, QuerySet

from governance.penalties.enums import PenaltyStatus, RectificationStatus
from governance.penalties.models import Penalty, Rectification
from governance.signals.models import PendingSignal, Signal
from governance.violations.enums import DetectionMode, DetectionOutcome, ViolationStatus
from governance.violations.models import Detection

#: Not yet answered by the rule.
UNANSWERED = (RectificationStatus.OPEN, RectificationStatus.SUBMITTED)
#: What says that the rule found the guild, whether or not it led to a violation of its own.
FOUND = (DetectionOutcome.OPENED, DetectionOutcome.JOINED, DetectionOutcome.COOLDOWN)
#: What a person has said is none after all.
CLEARED = (ViolationStatus.DISMISSED, ViolationStatus.OVERTURNED)
#: How long a due check waits for signals of its time that are still to be evaluated.
LONGEST_WAIT = dt.timedelta(hours=6)


def awaits_check() -> Exists:
    """Whether a penalty still waits for the rule's own check; it does not start before."""
    return Exists(Rectification.objects.filter(penalty=OuterRef("pk"), status__in=UNANSWERED))


def rectification_of(penalty: Penalty) -> Rectification | None:
    """What the guild is to put right before this penalty starts; None where nothing was asked."""
    return Rectification.objects.filter(penalty=penalty).first()


def checks_due(now: dt.datetime) -> QuerySet[Rectification]:
    """What is to be checked now. A stayed penalty is not checked before it goes on."""
    return Rectification.objects.filter(
        status__in=UNANSWERED, due_at__lte=now, penalty__status=PenaltyStatus.SCHEDULED
    )


def checked_from(rectification: Rectification) -> dt.datetime:
    """From when the rule looks: since the guild was told."""
    penalty = rectification.penalty
    return penalty.notice.issued_at if penalty.notice else penalty.proposed_at


Spans = Sequence[Rectification]


def _covering(rows: Spans) -> tuple[dt.datetime, dt.datetime]:
    return min(map(checked_from, rows)), max(row.due_at for row in rows)


def found_since(rows: Spans) -> dict[int, list[Detection]]:
    """For each (by its own id) what its rule found of the guild from the notice to the due time; one query for all.

    Live detections of any version of the rule, except those whose violation a person dismissed or an appeal overturned.
    """
    if not rows:
        return {}
    since, until = _covering(rows)
    detections = list(
        Detection.objects.filter(
            Q(violation__isnull=True) | ~Q(violation__status__in=CLEARED),
            guild_id__in={row.penalty.guild_id for row in rows},
            version__rule_id__in={row.penalty.violation.rule_id for row in rows},
            mode=DetectionMode.LIVE,
            outcome__in=FOUND,
            occurred_at__gt=since,
            occurred_at__lte=until,
        )
        .select_related("version", "violation")
        .defer("explanation", "violation__explanation", "version__spec", "version__text", "version__ladder")
        .order_by("occurred_at", "pk")
    )
    return {
        row.pk: [
            one
            for one in detections
            if one.guild_id == row.penalty.guild_id
            and one.version.rule_id == row.penalty.violation.rule_id
            and checked_from(row) < one.occurred_at <= row.due_at
        ]
        for row in rows
    }


def still_pending(rows: Spans) -> set[int]:
    """Those (by its own id) with signals of their guild and time that have not been evaluated; one query for all."""
    if not rows:
        return set()
    since, until = _covering(rows)
    waiting = PendingSignal.objects.filter(signal_id=OuterRef("pk"), time__gt=since, time__lte=until)
    moments = list(
        Signal.objects.filter(
            Exists(waiting),
            guild_id__in={row.penalty.guild_id for row in rows},
            time__gt=since,
            time__lte=until,
        ).values_list("guild_id", "time")
    )
    return {
        row.pk
        for row in rows
        if any(
            guild_id == row.penalty.guild_id and checked_from(row) < time <= row.due_at
            for guild_id, time in moments
        )
    }


def guilds_waiting(now: dt.datetime, limit: int) -> set[int]:
    """The guilds of the first due checks."""
    rows = checks_due(now).order_by("due_at", "pk").values_list("penalty__guild_id", flat=True)
    return set(rows[:limit])
