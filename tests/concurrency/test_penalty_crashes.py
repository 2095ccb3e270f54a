"""A worker killed while it puts 3,000 penalties into effect and lifts them, tasks delivered again, clocks set back and
forward: nothing lost, nothing doubled. With two workers and two beats, and everything else killed too: tests/chaos."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import Counter

import pytest
from celery import current_app
from django.db import connection
from django.utils import timezone

from governance.models import Event, Notice, Penalty, Restriction
from governance.penalties import services
from governance.violations.models import Violation
from tests import factories
from tests.worker import Worker

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PENALTIES = 3_000
GUILDS = 150
#: For what does not need to be in the middle.
SOME = 1_200


@pytest.fixture
def scheduled(worker: Worker) -> None:
    worker.stop()  # or it would act upon the nudges before the test begins
    schedule(PENALTIES)


@pytest.fixture
def some_scheduled(worker: Worker) -> None:
    worker.stop()
    schedule(SOME)


def schedule(count: int) -> None:
    """So many scheduled penalties: half freezes, the others suspensions and tier removals piled on the same guilds."""
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
        for number in range(count // 2)
    )
    while services.sanctions_decide_due(limit=1000):
        pass
    assert Penalty.objects.filter(status="scheduled").count() == count


def run_through_kills(worker: Worker, task: str, status: str) -> int:
    """Have the worker settle all penalties while it is killed again and again; returns how often it was in the middle."""
    interrupted = 0
    for attempt in range(12):
        before = Penalty.objects.filter(status=status).count()
        worker.start()  # which asks by itself for what it may have missed
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


def test_a_worker_that_comes_back_does_unasked_what_was_due(worker: Worker, some_scheduled: None) -> None:
    """The sweep that should have done it was lost with the worker before it, and no beat runs."""
    worker.start()
    until = time.monotonic() + 90
    while Penalty.objects.filter(status="in_force").count() < SOME:
        assert time.monotonic() < until
        time.sleep(0.05)
    worker.wait_idle(timeout_seconds=60)
    assert Event.objects.filter(act="penalty.applied").count() == SOME


def test_two_processes_applying_at_once_settle_each_penalty_once(some_scheduled: None) -> None:
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

    assert sum(settled) == SOME
    assert Event.objects.filter(act="penalty.applied").count() == SOME
    assert Restriction.objects.count() == SOME


# --- clocks -----------------------------------------------------------------------------------------------------------
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def one_freeze(starts_at: dt.datetime, days: int) -> Penalty:
    """A freeze in a market with summer time, decided by the service and then given its hour."""
    ladder = {**factories.LADDER, "steps": [[{"kind": "recruitment_freeze", "days": days}]]}
    guild = factories.guild(market=factories.market(timezone="Europe/Berlin"))
    violation = factories.violation(guild, factories.version(ladder=ladder), status="confirmed")
    services.sanctions_decide_due()
    told = Notice.objects.create(
        guild=guild,
        kind="penalty_imposed",
        object_type="violation",
        object_id=str(violation.public_id),
        language="en",
        subject="s",
        body="b",
        issued_at=starts_at - DAY,
    )
    Penalty.objects.update(starts_at=starts_at, ends_at=starts_at + days * DAY, notice=told)
    return Penalty.objects.get(violation=violation)


def acts_of(penalty: Penalty) -> list[str]:
    found = Event.objects.filter(object_id=str(penalty.public_id)).exclude(act="penalty.scheduled")
    return list(found.order_by("id").values_list("act", flat=True))


def test_a_clock_set_back_undoes_nothing_and_repeats_nothing() -> None:
    start = timezone.now().replace(microsecond=0)
    penalty = one_freeze(start, 7)
    assert services.penalties_apply_due(now=start) == 1
    for earlier in (start - HOUR, start - 30 * DAY, start):
        assert services.penalties_apply_due(now=earlier) == 0
        assert services.penalties_lift_due(now=earlier) == 0
    end = start + 7 * DAY
    assert services.penalties_lift_due(now=end) == 1
    for moment in (end - HOUR, start, end):
        assert services.penalties_apply_due(now=moment) == 0
        assert services.penalties_lift_due(now=moment) == 0
    assert acts_of(penalty) == ["penalty.applied", "penalty.lifted"]


def test_a_clock_that_leaps_over_the_whole_penalty_loses_none_of_it() -> None:
    start = timezone.now()
    penalty = one_freeze(start, 7)
    leap = start + 30 * DAY
    for _ in range(2):
        services.penalties_apply_due(now=leap)
        services.penalties_lift_due(now=leap)
    assert acts_of(penalty) == ["penalty.applied", "penalty.lifted"]
    assert Restriction.objects.get().lifted_at == leap


@pytest.mark.parametrize("night", ["2026-03-28", "2026-10-24"])
def test_the_night_in_which_summer_time_changes_is_a_night_like_any_other(night: str) -> None:
    """Times are kept in UTC: an end is neither an hour early nor an hour late when the market's clocks move."""
    start = dt.datetime.fromisoformat(f"{night}T22:30:00+00:00")
    penalty = one_freeze(start, 1)
    assert services.penalties_apply_due(now=start - dt.timedelta(seconds=1)) == 0
    assert services.penalties_apply_due(now=start) == 1
    assert services.penalties_lift_due(now=start + DAY - dt.timedelta(seconds=1)) == 0
    assert services.penalties_lift_due(now=start + DAY) == 1
    assert acts_of(penalty) == ["penalty.applied", "penalty.lifted"]
