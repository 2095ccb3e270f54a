"""The schedule of review: cases for what detection opened, and what the clock does to them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from celery import shared_task
from django.db import InterfaceError, OperationalError

from governance.review import services

BATCH = 1000
#: What the frequent sweep looks at. A worker that was away for longer leaves the rest to `open_missed`.
LATELY = dt.timedelta(hours=1)
#: One task deals with at most this many batches, then makes room; the sweep calls again.
BATCHES = 20
#: A database that went away is asked again after 1, 2, 4 and 8 seconds, 15 in all: then the next sweep comes by anyway.
AGAIN: dict[str, Any] = {
    "autoretry_for": (OperationalError, InterfaceError),
    "max_retries": 4,
    "retry_backoff": 1,
    "retry_jitter": False,
}


@shared_task(name="governance.review.open_due", **AGAIN)
def open_due() -> int:
    """Open the cases of what was detected within the last hour and has none."""
    return _open(LATELY)


@shared_task(name="governance.review.open_missed", **AGAIN)
def open_missed() -> int:
    """Open the cases of every open violation that has none, however old."""
    return _open(None)


def _open(within: dt.timedelta | None) -> int:
    total = 0
    for _batch in range(BATCHES):
        opened = services.cases_open_due(limit=BATCH, within=within)
        total += opened
        if opened < BATCH:
            break
    return total


@shared_task(name="governance.review.sweep", **AGAIN)
def sweep() -> dict[str, int]:
    """Claims lapse, holds end, warnings and breaches are noted, work is shared out."""
    return vars(services.cases_sweep()).copy()
