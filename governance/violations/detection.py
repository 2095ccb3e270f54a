"""One batch of detection, in one transaction: from pending signals to violations.

1. Take the shard's lock, or leave: one worker at a time works on a shard, so its signals are judged in order of their own time.
2. Read the oldest pending signals, the facts about them and the versions in play now.
3. Judge: measures by SQL, conditions by CEL.
4. Take the locks under which violations are opened, read what stands already, and decide what becomes of each match.
5. Write violations, detections, faults and ledger events; put back what waits for a paused version; delete the rest of the queue.

Whoever dies where, the transaction is either there as a whole or not at all.

A guild's own act may be reported in a signal of another guild, and so be judged in that guild's shard: between shards the order
of time is not kept, and a cooldown then shields whichever signal was judged first.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.utils import timezone

from governance.violations import detection_queue as queue
from governance.violations.detection_facts import Registry, StoredSignal, registry_of, stored_signals
from governance.violations.detection_judging import Verdict, verdicts
from governance.violations.detection_queue import Pending
from governance.violations.detection_versions import Part, VersionInPlay, VersionsInPlay, versions_in_play
from governance.violations.detection_writing import Decisions, Match, Written, write
from governance.violations.enums import DetectionOutcome

BATCH_SIGNALS = 2_000

#: Added to a shard's number: the advisory lock of the one worker that judges it.
DETECT_LOCK = 7_180_000


@dataclass
class Batch:
    """What one batch did; `signals` counts the rows taken from the queue."""

    shard: int
    now: dt.datetime
    signals: int = 0
    written: Written = field(default_factory=Written)


@transaction.atomic
def evaluate_batch(*, shard: int, limit: int = BATCH_SIGNALS) -> Batch | None:
    """Judge the shard's oldest pending signals. None when another worker is at it; `signals` is 0 when nothing is pending."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [DETECT_LOCK + shard])
        if not cursor.fetchone()[0]:
            return None
    batch = Batch(shard=shard, now=timezone.now())
    pending = queue.oldest(shard, limit)
    if not pending:
        return batch
    batch.signals = len(pending)
    signals = stored_signals([*{(row.signal_id, row.time) for row in pending}])
    versions = versions_in_play(pending[0].time, pending[-1].time, now=batch.now)
    registry = registry_of(signals)
    decisions = Decisions(now=batch.now, shard=shard, registry=registry)
    for wanted, found in _by_scope(pending, signals, versions):
        _set_aside(decisions, wanted, found, versions, registry)
        _judge(decisions, wanted, found, versions, registry)
    batch.written = write(decisions)
    queue.remove(pending)
    return batch


def _by_scope(
    pending: Iterable[Pending], signals: Sequence[StoredSignal], versions: VersionsInPlay
) -> list[tuple[frozenset[int] | None, list[StoredSignal]]]:
    """The signals by the versions they are to be held against, None for all; each list in order of time."""
    scopes: dict[int, frozenset[int] | None] = {}
    for row in pending:
        asked = None if row.version_id is None else versions.narrowed(row.version_id)
        before = scopes.get(row.signal_id, frozenset())
        scopes[row.signal_id] = None if before is None or asked is None else before | asked
    groups: dict[frozenset[int] | None, list[StoredSignal]] = defaultdict(list)
    for signal in signals:
        groups[scopes[signal.id]].append(signal)
    return list(groups.items())


def _set_aside(
    decisions: Decisions,
    wanted: frozenset[int] | None,
    signals: Sequence[StoredSignal],
    versions: VersionsInPlay,
    registry: Registry,
) -> None:
    """Signals that a paused version would have judged wait for it; those of one that does not compile become faults."""

    def concerned(found: Sequence[VersionInPlay], signal: StoredSignal) -> list[VersionInPlay]:
        return [
            version
            for version in found
            if (wanted is None or version.id in wanted)
            and versions.part(version, signal, registry) is not None
        ]

    for signal in signals:
        for version in concerned(versions.waiting(signal.type), signal):
            decisions.held.append((version, signal))
        for version in concerned(versions.broken(signal.type), signal):
            decisions.faults.append((version, signal, version.fault))


def _judge(
    decisions: Decisions,
    wanted: frozenset[int] | None,
    signals: Sequence[StoredSignal],
    versions: VersionsInPlay,
    registry: Registry,
) -> None:
    for verdict in verdicts(versions.evaluator(wanted), signals, registry):
        version = versions.by_id[int(str(verdict.rule.ref))]
        part = versions.part(version, verdict.signal, registry)
        if part is None:
            continue
        if verdict.fault:
            decisions.faults.append((version, verdict.signal, verdict.fault))
        else:
            decisions.matches.append(_match(version, verdict, part, versions))


def _match(version: VersionInPlay, verdict: Verdict, part: Part, versions: VersionsInPlay) -> Match:
    match = Match.of(version, verdict)
    if version.is_shadow:
        match.set_aside = DetectionOutcome.SHADOW
    elif versions.excepts(version.rule_id, match.guild_id, match.signal.time):
        # Before the holdout: an exception counts in neither arm of what is measured.
        match.set_aside = DetectionOutcome.EXCEPTED
    elif part is Part.HELD_OUT:
        match.set_aside = DetectionOutcome.HELD_OUT
    return match
