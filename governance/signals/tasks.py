from datetime import datetime, timedelta

from celery import shared_task
from django.utils import timezone

from governance.signals import services, staging
from guilds.accounts.actor import Actor

#: Rows per transaction, and transactions per run: what is left over is for the next sweep.
RETRY_ROWS, RETRY_ROUNDS = 1000, 20


@shared_task(name="governance.signals.retry_quarantine")
def retry_quarantine() -> int:
    """Release what waits in quarantine and the registry knows by now; returns how many."""
    actor = Actor.system("retry_quarantine")
    released = 0
    for _ in range(RETRY_ROUNDS):
        found = services.quarantine_retry(actor=actor, limit=RETRY_ROWS)
        released += found
        if not found:
            break
    return released


@shared_task(name="governance.signals.ensure_partitions")
def ensure_partitions() -> None:
    """Make the partitions of this month and the next two, so that no sender has to wait for one."""
    now = timezone.now()
    months: set[datetime] = {now}
    for _ in range(2):
        months.add(max(months).replace(day=28) + timedelta(days=4))
    staging.ensure_months(months)
