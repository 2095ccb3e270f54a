"""Waking workers. Nothing depends on a nudge: what a lost one missed, the sweeps of the schedule find."""

from __future__ import annotations

from typing import Any

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)


def nudge(task: str, *args: Any) -> None:
    """Send a task by name once the transaction has committed; by name, so that who asks need not know who answers."""

    def send() -> None:
        try:
            current_app.send_task(task, args=args, ignore_result=True, retry=False)
        except OperationalError as error:
            log.warning("nudge_lost", task=task, error=str(error))

    transaction.on_commit(send)
