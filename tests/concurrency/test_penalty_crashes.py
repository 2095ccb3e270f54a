"""A worker killed while it puts 5,000 penalties into effect and lifts them: nothing lost, nothing doubled."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest
from celery import current_app
from django.db import connection
from django.utils import timezone

from governance.models import Event, Penalty, Restriction
from governance.penalties import services
from governance.violations.models import Violation
from tests import factories
from tests.worker import Worker

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PENALTIES = 5_000
GUILDS = 250


@pytest.fixture
def scheduled(worker: Worker) -> None:
    """5,000 scheduled penalties: half freezes, the others suspensions and tier removals piled on the same guilds."""
    worker.stop()  # or it would act upon the nudges before the test begins
    steps = [[{"kind": "recruitment_freeze", "days": 7}, {"kind": "suspension", "days": 7}]] * 9
    steps.append([{"kind": "recruitment_freeze", "days": 7}, {"kind": "tier_removal", "days": 7}])
    version = factories.version(ladder={**factories.LADDER, "points": 0, "steps": steps})
    market, now = factories.market(), timezone.now()
    guilds = [factories.guild(market=market, tier="star") for _ in range(GUILDS)]
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
        for number in range(PENALTIES // 2)
    )
    while services.sanctions_decide_due(limit=1000):
        pass
    assert Penalty.objects.filter(status="scheduled").count() == PENALTIES


def run_through_kills(worker: Worker, task: str, status: str) -> int:
    """Have the worker settle all penalties while it is killed again and again; returns how often it was in the middle."""
    interrupted = 0
    for attempt in range(12):
        worker.start()
        before = Penalty.objects.filter(status=status).count()
        current_app.send_task(task)
        current_app.send_task(task)  # delivered twice, to both of its processes
        until = time.monotonic() + 60
        while (count := Penalty.objects.filter(status=status).count()) == before and time.monotonic() < until:
            time.sleep(0.002)
        if count == PENALTIES:
            break
        if attempt < 3:
            time.sleep(0.03 * attempt)
            interrupted += Penalty.objects.filter(status=status).count() < PENALTIES
            worker.kill()
        else:
            worker.wait_idle(timeout_seconds=120)
            if Penalty.objects.filter(status=status).count() == PENALTIES:
                break
    return interrupted


def test_killing_the_worker_loses_and_doubles_nothing(worker: Worker, scheduled: None) -> None:
    interrupted = run_through_kills(worker, "governance.penalties.apply_due", "in_force")

    assert interrupted, "no kill hit the middle; the test proved nothing"
    assert Counter(Penalty.objects.values_list("status", flat=True)) == {"in_force": PENALTIES}
    assert Restriction.objects.filter(lifted_at__isnull=True).count() == PENALTIES
    applied = Counter(Event.objects.filter(act="penalty.applied").values_list("object_id", flat=True))
    assert (len(applied), set(applied.values())) == (PENALTIES, {1})
    guild_states = set(Penalty.objects.values_list("guild__status", "guild__tier"))
    assert {status for status, _tier in guild_states} == {"suspended"}

    Penalty.objects.update(ends_at=timezone.now())
    run_through_kills(worker, "governance.penalties.lift_due", "lifted")

    assert Counter(Penalty.objects.values_list("status", flat=True)) == {"lifted": PENALTIES}
    assert not Restriction.objects.filter(lifted_at__isnull=True).exists()
    lifted = Counter(Event.objects.filter(act="penalty.lifted").values_list("object_id", flat=True))
    assert (len(lifted), set(lifted.values())) == (PENALTIES, {1})
    assert set(Penalty.objects.values_list("guild__status", "guild__tier")) == {("active", "star")}


def test_two_processes_applying_at_once_settle_each_penalty_once(scheduled: None) -> None:
    settled: list[int] = []

    def drain() -> None:
        try:
            while Penalty.objects.filter(status="scheduled").exists():
                settled.append(services.penalties_apply_due(limit=300))
        finally:
            connection.close()

    threads = [threading.Thread(target=drain) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)

    assert sum(settled) == PENALTIES
    assert Event.objects.filter(act="penalty.applied").count() == PENALTIES
    assert Restriction.objects.count() == PENALTIES
