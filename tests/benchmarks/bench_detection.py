"""Signals judged per second by one worker with two processes, for 1, 50 and 200 rules on the sample of inspections."""

from __future__ import annotations

import gzip
import time
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.db import connection

from governance.engine import compile_rule
from governance.engine.spec import RuleSpec
from governance.models import Detection, PendingSignal, RuleVersion
from governance.signals.models import SHARDS
from governance.signals.services import signals_ingest
from governance.violations.services import DETECT
from guilds.accounts.actor import Actor
from tests import factories
from tests.benchmarks.report import Report
from tests.worker import Worker

FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "nyc-inspections.ndjson.gz"
SIGNALS = 252_378
STORED = 100_000
JUDGED = 40_000

WINDOWS = ("7d", "14d", "30d", "60d", "90d", "120d")
MEASURES: list[dict[str, Any]] = [
    {"where": "signal.critical == true", "aggregate": "count"},
    {"aggregate": "distinct(data.code)"},
    {"where": "signal.score != null", "aggregate": "max(data.score)"},
    {"where": "signal.critical == true", "aggregate": "sum(data.score)"},
]
#: Beyond these a measure finds a few in a thousand.
MANY = (12, 18, 90, 900)


def rule(number: int) -> dict[str, Any]:
    """Three rules of five are plain conditions; the others look at one of 24 measures, 12 of them among the first 50."""
    if number % 5 < 3:
        code = f"{number % 10:02}{'ABCDEFGHIJKLM'[number % 13]}"
        return {
            "when": f'signal.score != null && signal.score > {40 + number % 60} && signal.code == "{code}"'
            f' && signal.action in ["cited", "closed"] && market.code != "M{number}"'
        }
    place = number % 5 - 3 + 2 * (number // 5 % 2)
    window = WINDOWS[number // 10 % (3 if number < 50 else 6)]
    measure = {"name": "seen", "window": window, **MEASURES[place]}
    return {
        "measures": [measure],
        "when": f'signal.critical == true && seen > {MANY[place]} && signal.code != "{number}"',
    }


def judged_per_second(worker: Worker, rules: int) -> tuple[float, int]:
    """(signals per second, detections) with that many live rules, from the first task to the last commit."""
    RuleVersion.objects.update(status="retired")
    for number in range(rules):
        version = factories.version(on=["inspection.citation"], **rule(number))
        compile_rule(
            RuleSpec.from_dict(version.spec)
        )  # a rule that does not compile would be quick and wrong
    before = Detection.objects.count()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO governance_pendingsignal (signal_id, shard, time)
            SELECT id, guild_id % {SHARDS}, time FROM governance_signal ORDER BY time DESC, id DESC LIMIT {JUDGED}"""
        )
        cursor.execute("ANALYZE governance_pendingsignal")
    started = time.perf_counter()
    for shard in range(SHARDS):
        current_app.send_task(DETECT, args=[shard])
    while PendingSignal.objects.exists():
        assert time.perf_counter() - started < 280, "not done after five minutes"
        time.sleep(0.02)
    return JUDGED / (time.perf_counter() - started), Detection.objects.count() - before


@pytest.mark.timeout(900)
def bench_detection(worker: Worker, report: Report) -> None:
    worker.stop()  # it would act upon the nudges of the import
    for code in ("US-NY-MN", "US-NY-BK", "US-NY-QN", "US-NY-BX", "US-NY-SI"):
        factories.market(code)
    with gzip.open(FILE, "rb") as file:
        lines = islice(file, SIGNALS - STORED, None)
        while batch := list(islice(lines, 5_000)):
            signals_ingest(actor=Actor.system("benchmark"), events=batch)
    PendingSignal.objects.all().delete()
    worker.start()
    report.title(f"Detection of {JUDGED:,} signals, one worker with two processes")
    judged_per_second(worker, 1)  # once to warm the worker's processes up
    for rules, bar in ((1, None), (50, 3_000), (200, None)):
        rate, detections = judged_per_second(worker, rules)
        report.row(f"{rules} rules, {detections:,} detections", rate, "signals/s", bar=bar)
