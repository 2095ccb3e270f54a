"""Backtests in the background: a step a time, so that a worker is never long away from what is urgent."""

from __future__ import annotations

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from governance.backtests import services
from governance.backtests.selectors import backtests_at_work
from guilds.accounts.actor import Actor
from guilds.nudges import nudge

TOO_LONG = "One step took longer than a worker may: choose fewer markets, or a rule with shorter windows or fewer measures."


@shared_task(name=services.RUN)
def run(backtest_id: int) -> bool:
    """One step, then make room: the next is a task of its own."""
    try:
        more = services.backtest_step(backtest_id)
    except SoftTimeLimitExceeded:
        # Tried again it would take as long again, and hold up what else the worker has to do
        services.backtest_fail(backtest_id=backtest_id, error=TOO_LONG)
        return False
    if more:
        nudge(services.RUN, backtest_id)
    return more


@shared_task(name="governance.backtests.go_on")
def go_on() -> int:
    """Nudge every run at work: one whose worker was killed goes on, the others notice nothing. Returns how many."""
    found = backtests_at_work()
    for backtest_id in found:
        nudge(services.RUN, backtest_id)
    return len(found)


@shared_task(name="governance.backtests.forget")
def forget() -> int:
    """Delete old runs' hits; returns how many runs lost theirs."""
    return services.hits_forget(actor=Actor.system("backtests"), now=timezone.now())
