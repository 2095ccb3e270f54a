"""Detection by workers: one task per shard, the sweep that finds what a nudge missed, and the watch over how rules fire."""

from __future__ import annotations

import time

from celery import current_app, shared_task

from governance.violations import detection_queue as queue
from governance.violations.alarms import alarms_raise
from governance.violations.detection import evaluate_batch
from governance.violations.services import DETECT

#: A task gives the worker back after this long, so that a great import does not keep penalties waiting.
SECONDS_PER_TASK = 20.0


@shared_task(name=DETECT)
def detect(shard: int) -> int:
    """Judge the shard until it is empty; another worker that is at it already will see it through."""
    until = time.monotonic() + SECONDS_PER_TASK
    evaluated = 0
    while time.monotonic() < until:
        batch = evaluate_batch(shard=shard)
        if batch is None:
            return evaluated
        evaluated += batch.signals
        # Asked after the lock is gone: whoever adds a row later finds the shard free when its nudge arrives.
        if not batch.signals and shard not in queue.shards_at_work():
            return evaluated
    current_app.send_task(DETECT, args=[shard], ignore_result=True)
    return evaluated


@shared_task(name="governance.violations.detect_sweep")
def detect_sweep() -> int:
    """Release what waited for rules that go on, and wake a task for every shard with work."""
    released = queue.release()
    for shard in queue.shards_at_work():
        current_app.send_task(DETECT, args=[shard], ignore_result=True)
    return released


@shared_task(name="governance.violations.raise_alarms")
def raise_alarms() -> int:
    """Look for rules that fire far outside their history."""
    return len(alarms_raise())
