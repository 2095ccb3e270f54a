"""Launches by the clock. Both tasks may run twice or at once without harm, and go on where one that died left off."""

from __future__ import annotations

import time

from celery import current_app, shared_task

from governance.launches.services import announcements_send, latecomers_tell, waves_start_due
from governance.launches.services.announcing import ANNOUNCE

#: A task gives the worker back after this long, so that a market of ten thousand guilds does not keep penalties waiting.
SECONDS_PER_TASK = 20.0


@shared_task(name="governance.launches.start_due")
def start_due() -> int:
    """Start the waves whose time has come, or write on them why not."""
    return waves_start_due()


@shared_task(name=ANNOUNCE)
def announce() -> int:
    """Tell guilds, batch by batch, until all are told or the time is up; then send for another task."""
    until = time.monotonic() + SECONDS_PER_TASK
    told = 0
    while time.monotonic() < until:
        done = announcements_send() or latecomers_tell()
        if not done:
            return told
        told += done
    current_app.send_task(ANNOUNCE, ignore_result=True)
    return told
