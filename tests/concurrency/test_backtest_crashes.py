"""A worker killed while it runs a backtest of the sample of New York inspections: the same hits as if nothing had happened."""

from __future__ import annotations

import datetime as dt
import random
import time
from typing import Any

import pytest
from celery import current_app

from governance.backtests.models import Backtest
from governance.backtests.services import backtest_request
from governance.launches.policy_file import policy_load
from governance.ledger.models import Event
from governance.models import PendingSignal, Rule
from guilds.accounts.actor import Actor
from tests.flows.test_nyc import POLICY, by_guild, expected, import_sample, sample_size
from tests.worker import Worker

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SINCE, UNTIL = dt.datetime(2010, 1, 1, tzinfo=dt.UTC), dt.datetime(2014, 7, 1, tzinfo=dt.UTC)
RULES = ("NYC-CLOSED", "NYC-SCORE", "NYC-CRITICALS", "NYC-MANY-KINDS", "NYC-BRONX")


@pytest.mark.timeout(900)
def test_killing_the_worker_during_a_backtest_changes_nothing(
    worker: Worker, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.GUILDHALL_ENV = "demo"
    worker.stop()  # it would act upon the nudges of the import
    policy_load(actor=Actor.system("test"), text=POLICY.read_text(), activate=True)
    assert import_sample() == (sample_size(), 0)
    PendingSignal.objects.all().delete()
    runs: dict[str, Backtest] = {}
    for code in RULES:
        version = Rule.objects.get(code=code).versions.get()
        since = version.effective_from or SINCE
        runs[code] = backtest_request(
            actor=Actor.system("test"), version_id=version.pk, since=since, until=UNTIL
        )

    chance = random.Random(20140630)
    interrupted = 0
    for _kill in range(4):
        worker.start()
        current_app.send_task("governance.backtests.go_on")
        time.sleep(chance.uniform(0.5, 2.5))
        interrupted += Backtest.objects.exclude(status="done").exists()
        worker.kill()
    assert interrupted, "no kill hit the middle; the test proved nothing"

    worker.start()
    until = time.monotonic() + 600
    while Backtest.objects.exclude(status="done").exists():
        assert not Backtest.objects.filter(status="failed").exists()
        assert time.monotonic() < until, "the backtests do not finish"
        current_app.send_task("governance.backtests.go_on")  # what beat does
        worker.wait_idle(timeout_seconds=600)

    # Then each rule has the hits of a recomputation that shares no code with ours, which live detection finds as well.
    wanted = expected(by_guild())
    for code, backtest in runs.items():
        backtest.refresh_from_db()
        found = list(backtest.hits.values_list("guild__external_id", "occurred_at"))
        assert len(found) == len(set(found)), code
        assert set(found) == wanted[code], code
        assert backtest.signals_done == backtest.signals_total > 0
        assert backtest.result["totals"]["tested"]["matches"] == len(found)
    assert Event.objects.filter(act="backtest.done").count() == len(RULES)
