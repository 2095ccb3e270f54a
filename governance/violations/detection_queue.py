"""The queue of detection. Shards 0 … 7 are worked in order of signal time; what waits for a paused version stands apart.

A signal that a paused version would have judged is kept as a row of that version in queue HELD + shard, which nobody
reads: a million waiting rows cost a batch nothing. Once the version goes on, or is out for good, the rows go back to their
shard.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from governance.rules.enums import VersionStatus
from governance.rules.models import RuleVersion
from governance.signals.models import SHARDS, PendingSignal

#: Added to a shard's number for what waits.
HELD = 100


@dataclass(frozen=True)
class Pending:
    """One row of the queue; `version_id` narrows the evaluation, see PendingSignal."""

    id: int
    signal_id: int
    time: dt.datetime
    version_id: int | None


def oldest(shard: int, limit: int) -> list[Pending]:
    rows = PendingSignal.objects.filter(shard=shard).order_by("time", "signal_id")
    return [Pending(*row) for row in rows.values_list("id", "signal_id", "time", "version_id")[:limit]]


def remove(rows: Sequence[Pending]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM governance_pendingsignal WHERE id = ANY(%s)", [[row.id for row in rows]])


def hold(shard: int, waiting: Iterable[tuple[int, dt.datetime, int]]) -> None:
    """Keep (signal id, time, version id) for when the version goes on."""
    PendingSignal.objects.bulk_create(
        [
            PendingSignal(signal_id=signal_id, time=time, version_id=version_id, shard=HELD + shard)
            for signal_id, time, version_id in waiting
        ],
        batch_size=2_000,
    )


def release() -> int:
    """Give back what waited for versions that no longer do, see `waits`; returns how many rows.

    If the version was withdrawn meanwhile, the next batch finds nobody to ask and drops them.
    """
    waiting = PendingSignal.objects.filter(version=OuterRef("pk"), shard__gte=HELD)
    of_rule = RuleVersion.objects.filter(rule=OuterRef("rule"))
    free = list(
        RuleVersion.objects.filter(
            Exists(waiting),
            ~Q(status=VersionStatus.PAUSED),
            ~Q(status=VersionStatus.RETIRED, withdrawn_at__isnull=True)
            | Exists(of_rule.filter(status=VersionStatus.LIVE))
            | ~Exists(of_rule.filter(status=VersionStatus.PAUSED)),
        ).values_list("pk", flat=True)
    )
    if not free:
        return 0
    return PendingSignal.objects.filter(version__in=free, shard__gte=HELD).update(shard=F("shard") - HELD)


def waiting_for_work() -> QuerySet[PendingSignal]:
    """Rows a worker would take; those that wait for a paused version are not among them."""
    return PendingSignal.objects.filter(shard__lt=SHARDS)


def waiting_for_rule(rule_id: int) -> QuerySet[PendingSignal]:
    """Rows that wait until versions of the rule go on."""
    return PendingSignal.objects.filter(shard__gte=HELD, version__rule=rule_id)


def shards_at_work() -> list[int]:
    """Shards with rows a worker would take, by one probe of the index each."""
    return [shard for shard in range(SHARDS) if PendingSignal.objects.filter(shard=shard).exists()]
