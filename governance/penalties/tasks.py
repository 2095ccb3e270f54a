"""The schedule of penalties. Each task drains what is due in batches; all of them may run twice or at once without harm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import shared_task
from django.db import InterfaceError, OperationalError

from governance.penalties import services

#: One task settles at most this many batches, then makes room; the sweep calls again.
BATCHES = 50
#: A database that went away is asked again after 1, 2, 4 and 8 seconds, 15 in all: then the next sweep comes by anyway.
AGAIN: dict[str, Any] = {
    "autoretry_for": (OperationalError, InterfaceError),
    "max_retries": 4,
    "retry_backoff": 1,
    "retry_jitter": False,
}


def _drain(settle: Callable[[], int]) -> int:
    total = 0
    for _batch in range(BATCHES):
        settled = settle()
        total += settled
        if not settled:
            break
    return total


@shared_task(name="governance.penalties.sanction_due")
def sanction_due() -> int:
    """Work out the consequences of confirmed violations."""
    return _drain(lambda: services.sanctions_decide_due(limit=500))


@shared_task(name="governance.penalties.apply_due", **AGAIN)
def apply_due() -> int:
    """Put penalties into effect whose start has come; those that a stop outlasted fall away."""
    fallen = _drain(lambda: services.penalties_overtaken_cancel(limit=200))
    return fallen + _drain(lambda: services.penalties_apply_due(limit=1000))


@shared_task(name="governance.penalties.lift_due", **AGAIN)
def lift_due() -> int:
    """Lift penalties whose end has come."""
    return _drain(lambda: services.penalties_lift_due(limit=1000))


@shared_task(name="governance.penalties.escalate_due")
def escalate_due() -> int:
    """Tell those above of penalties that have been held for too long."""
    return _drain(lambda: services.penalties_escalate_due(limit=500))


@shared_task(name="governance.penalties.expire_points")
def expire_points() -> int:
    """Take points out of force whose time is over."""
    return _drain(lambda: services.points_expire_due(limit=500))


@shared_task(name="governance.penalties.credit_due")
def credit_due() -> int:
    """Decide which passed quizzes take points off."""
    return _drain(lambda: services.credits_apply_due(limit=500))


@shared_task(name="governance.penalties.trained_due")
def trained_due() -> int:
    """Lift penalties that lasted until a lesson was done."""
    return _drain(lambda: services.penalties_trained_due(limit=200))


@shared_task(name="governance.penalties.recheck_due")
def recheck_due() -> int:
    """Let the rules check what guilds were to put right by now."""
    return _drain(lambda: services.rectifications_check_due(limit=200))
