"""A worker killed while it evaluates a part of the New York sample: the same violations as if nothing had happened."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

import pytest
from celery import current_app

from governance.launches.policy_file import policy_load
from governance.models import Detection, Event, PendingSignal, Rule, Violation
from guilds.accounts.actor import Actor
from tests.flows.test_nyc import POLICY, by_guild, expected, import_sample, opened_by
from tests.worker import Worker

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

KILLS = 3
#: Of the sample: enough for several kills in the middle, and a tenth of the time that all of it would take.
EVENTS = 20_000


def wait_for_progress(before: int) -> int:
    until = time.monotonic() + 60
    while (pending := PendingSignal.objects.count()) == before:
        assert time.monotonic() < until, "the worker does nothing"
        time.sleep(0.02)
    return pending


@pytest.mark.timeout(900)
def test_killing_the_worker_during_detection_changes_nothing(worker: Worker, settings: Any) -> None:
    settings.GUILDHALL_ENV = "demo"
    worker.stop()
    policy_load(actor=Actor.system("test"), text=POLICY.read_text(), activate=True)
    assert import_sample(EVENTS) == (EVENTS, 0)

    chance = random.Random(20140630)
    interrupted = 0
    for _kill in range(KILLS):
        worker.start()
        current_app.send_task("governance.violations.detect_sweep")
        wait_for_progress(PendingSignal.objects.count())
        time.sleep(chance.uniform(0.1, 2.0))
        interrupted += bool(PendingSignal.objects.exists())
        worker.kill()
    assert interrupted, "no kill hit the middle; the test proved nothing"

    worker.start()
    until = time.monotonic() + 600
    while PendingSignal.objects.exists():
        assert time.monotonic() < until, "detection does not finish"
        current_app.send_task("governance.violations.detect_sweep")  # what beat does
        worker.wait_idle(timeout_seconds=600)

    wanted = expected(by_guild(EVENTS))
    for code in Rule.objects.values_list("code", flat=True):
        assert opened_by(code) == wanted[code], code
    pairs = Detection.objects.values_list("version_id", "signal_key_id")
    assert len(pairs) == len(set(pairs))
    opened = Counter(Event.objects.filter(act="violation.opened").values_list("object_id", flat=True))
    confirmed = Counter(Event.objects.filter(act="violation.confirmed").values_list("object_id", flat=True))
    assert set(opened.values()) == {1}
    assert set(confirmed.values()) == {1}
    assert len(opened) + len(confirmed) == Violation.objects.count()
