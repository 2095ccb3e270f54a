"""The queue of detection. Shards 0 … 7 are worked in order of signal time; what waits for a paused rule stands apart.

A signal that a paused rule would have judged is kept as a row of that version in queue HELD + shard, which nobody
reads: a million waiting rows cost a batch nothing. Once no version of the rule is paused the rows go back to their
shard.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Exists, F, OuterRef, QuerySet

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
    """Keep (signal id, time, version id) for when the version's rule goes on."""
    PendingSignal.objects.bulk_create(
        [
            PendingSignal(signal_id=signal_id, time=time, version_id=version_id, shard=HELD + shard)
            for signal_id, time, version_id in waiting
        ],
        batch_size=2_000,
    )


def release() -> int:
    """Give back what waited for rules of which no version is paused any more; returns how many rows.

    If the rule was retired meanwhile, the next batch finds nobody to ask and drops them.
    """
    waiting = PendingSignal.objects.filter(version=OuterRef("pk"), shard__gte=HELD)
    paused = RuleVersion.objects.filter(rule=OuterRef("rule"), status=VersionStatus.PAUSED)
    free = list(RuleVersion.objects.filter(Exists(waiting), ~Exists(paused)).values_list("pk", flat=True))
    if not free:
        return 0
    return PendingSignal.objects.filter(version__in=free, shard__gte=HELD).update(shard=F("shard") - HELD)


def waiting_for_work() -> QuerySet[PendingSignal]:
    """Rows a worker would take; those that wait for a paused rule are not among them."""
    return PendingSignal.objects.filter(shard__lt=SHARDS)


def waiting_for_rule(rule_id: int) -> QuerySet[PendingSignal]:
    """Rows that wait until the rule goes on."""
    return PendingSignal.objects.filter(shard__gte=HELD, version__rule=rule_id)


def shards_at_work() -> list[int]:
    """Shards with rows a worker would take, by one probe of the index each."""
    return [shard for shard in range(SHARDS) if PendingSignal.objects.filter(shard=shard).exists()]
