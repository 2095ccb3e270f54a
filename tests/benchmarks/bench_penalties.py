"""Penalties put into effect and lifted per second, against bare Celery tasks through the same worker and broker."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

import pytest
from celery import current_app, group
from django.utils import timezone

from governance.models import Penalty
from governance.penalties import services
from governance.violations.models import Violation
from tests import factories
from tests.benchmarks.report import Report
from tests.worker import Worker

PENALTIES = 10_000
GUILDS = 1_000
BARE_TASKS = 10_000
LADDER = {**factories.LADDER, "points": 0, "steps": [[{"kind": "recruitment_freeze", "days": 7}]]}


def scheduled_penalties() -> None:
    """10,000 scheduled penalties over 1,000 guilds, made by the service that makes them."""
    version = factories.version(ladder=LADDER)
    now = timezone.now()
    market = factories.market()
    guilds = [factories.guild(market=market) for _ in range(GUILDS)]
    Violation.objects.bulk_create(
        Violation(
            rule=version.rule,
            version=version,
            code=version.violation_code,
            severity=version.severity,
            review=version.review,
            status="confirmed",
            guild=guilds[number % GUILDS],
            market=market,
            subject=f"n{number}",
            occurred_at=now,
            detected_at=now,
            decided_at=now,
            sanction_due=True,
        )
        for number in range(PENALTIES)
    )


def seconds_until(done: Callable[[], bool], started: float) -> float:
    while not done():
        assert time.perf_counter() - started < 240, "not done after four minutes"
        time.sleep(0.01)
    return time.perf_counter() - started


@pytest.mark.timeout(1200)
def bench_penalties_against_bare_tasks(worker: Worker, report: Report) -> None:
    def bare() -> float:
        started = time.perf_counter()
        group(current_app.tasks["celery.accumulate"].si() for _ in range(BARE_TASKS)).apply_async()
        return BARE_TASKS / seconds_until(lambda: not worker.unfinished(), started)

    group(current_app.tasks["celery.accumulate"].si() for _ in range(500)).apply_async()
    worker.wait_idle(timeout_seconds=120)  # warm now
    floor = bare()
    worker.stop()  # it would act upon the nudges
    scheduled_penalties()
    started = time.perf_counter()
    while services.sanctions_decide_due(limit=500):
        pass
    decided = time.perf_counter() - started
    tomorrow = timezone.now() + dt.timedelta(days=1)
    Penalty.objects.update(starts_at=tomorrow, ends_at=tomorrow + dt.timedelta(days=7))
    worker.start()
    worker.wait_idle(timeout_seconds=120)
    now = timezone.now()
    Penalty.objects.update(starts_at=now, ends_at=now + dt.timedelta(days=7))
    started = time.perf_counter()
    current_app.send_task("governance.penalties.apply_due")
    applied = PENALTIES / seconds_until(
        lambda: Penalty.objects.filter(status="in_force").count() == PENALTIES, started
    )
    Penalty.objects.update(ends_at=timezone.now())
    started = time.perf_counter()
    current_app.send_task("governance.penalties.lift_due")
    lifted = PENALTIES / seconds_until(
        lambda: Penalty.objects.filter(status="lifted").count() == PENALTIES, started
    )
    report.title("Penalties, 10,000 over 1,000 guilds, one worker with two processes")
    report.row("bare Celery task (10,000 that do nothing)", floor, "tasks/s")
    report.row("penalties applied", applied, "penalties/s", against=floor, bar=3)
    report.row("penalties lifted", lifted, "penalties/s", against=floor, bar=3)
    report.row("sanctions decided (in this process)", PENALTIES / decided, "violations/s")
