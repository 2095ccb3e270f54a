"""Reminders of lessons still to do. Running it twice or at once reminds nobody twice."""

from __future__ import annotations

from celery import shared_task

from governance.education import services

#: One task sends at most this many batches, then makes room; the sweep calls again.
BATCHES = 50


@shared_task(name="governance.education.remind_due")
def remind_due() -> int:
    """Remind guilds of lessons that are due."""
    total = 0
    for _batch in range(BATCHES):
        reminded = services.assignments_remind_due(limit=500)
        total += reminded
        if not reminded:
            break
    return total
