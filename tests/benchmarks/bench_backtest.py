"""Signals judged per second by a backtest over 1.2 million, against the bare window query in SQL over the same signals."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from governance.models import RuleVersion
from governance.violations.detection_backtest import backtest
from tests import factories
from tests.benchmarks.report import Report

VISITS = 400_000
SIGNALS = 3 * VISITS
GUILDS = 20_000
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)

#: A year of inspections: three citations a visit, at one moment; of the shape and about the size of the sample's.
WORLD = """
SELECT governance_signal_month(month) FROM generate_series(%(start)s::timestamptz, %(start)s::timestamptz + interval '11 months',
    interval '1 month') AS month;
INSERT INTO guilds_guild (external_id, name, tier, status, provisional, created_at, market_id)
SELECT 'bench-' || n, 'Guild ' || n, (ARRAY['gold', 'silver', 'bronze'])[1 + n %% 3], 'active', FALSE, now(), %(market)s
FROM generate_series(1, %(guilds)s) AS n;
INSERT INTO governance_signal (id, time, type, source_id, event_id, guild_id, market_id, data, received_at)
SELECT (visit - 1) * 3 + place, %(start)s::timestamptz + visit * (interval '365 days' / %(visits)s),
    'inspection.citation', 1, visit || '-' || place, %(first)s + abs(hashint8(visit)) %% %(guilds)s, %(market)s,
    jsonb_build_object(
        'code', lpad((abs(hashint8(visit * 3 + place)) %% 40)::text, 2, '0') || 'L',
        'critical', abs(hashint8(visit * 7 + place)) %% 100 < 55,
        'score', CASE WHEN visit %% 12 > 0 THEN abs(hashint8(visit)) %% 60 END,
        'grade', NULL, 'inspection', 'Cycle Inspection / Initial Inspection',
        'action', CASE WHEN abs(hashint8(visit * 5)) %% 100 < 2 THEN 'closed' ELSE 'cited' END),
    now()
FROM generate_series(1, %(visits)s) AS visit CROSS JOIN generate_series(1, 3) AS place
"""

#: What the issue calls the bare window query: one measure of the rule below, and nothing done with it.
FLOOR = """
SELECT count(*) FROM (
    SELECT count(*) FILTER (WHERE data -> 'critical' = 'true') OVER (
        PARTITION BY guild_id ORDER BY time RANGE BETWEEN interval '30 days' PRECEDING AND CURRENT ROW) AS n
    FROM governance_signal
) AS measured WHERE n >= 5"""

RULES: dict[str, dict[str, Any]] = {
    "the window query's rule": {
        "measures": [{"name": "n", "where": "signal.critical == true", "window": "30d", "aggregate": "count"}],
        "when": "signal.critical == true && n >= 5",
    },
    "no measure": {"when": 'signal.action == "closed" && guild.tier == "gold"'},
    "no measure, one in three a candidate": {"when": "signal.score != null && signal.score > 37"},
    "sum and a cooldown": {
        "measures": [{"name": "n", "window": "30d", "aggregate": "sum(data.score)"}],
        "when": "n > 300 && signal.critical == true",
        "cooldown": "30d",
    },
    "distinct, 90 days": {
        "measures": [{"name": "n", "window": "90d", "aggregate": "distinct(data.code)"}],
        "when": "n >= 20",
    },
    "max": {
        "measures": [{"name": "n", "window": "7d", "aggregate": "max(data.score)"}],
        "when": 'n > 55 && signal.action == "closed"',
    },
}  # fmt: skip


def world() -> None:
    market = factories.market("BENCH")
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) + 1 FROM guilds_guild")
        cursor.execute("SELECT nextval(pg_get_serial_sequence('guilds_guild', 'id'))")
        first = cursor.fetchone()[0] + 1
        cursor.execute(
            WORLD, {"start": START, "market": market.pk, "guilds": GUILDS, "visits": VISITS, "first": first}
        )
        cursor.execute("ANALYZE governance_signal")
        cursor.execute("ANALYZE guilds_guild")


def floor() -> float:
    """Rows per second of the bare window query, with PostgreSQL's settings as they are."""
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(FLOOR)
    return SIGNALS / (time.perf_counter() - began)


def peak_mib(*, reset: bool = False) -> float:
    """The most memory this process has had at once since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def memory(version: RuleVersion, days: int) -> float:
    """MiB at the highest, of a backtest over the first so many days."""
    peak_mib(reset=True)
    backtest(version, since=START, until=START + dt.timedelta(days=days))
    return peak_mib()


@pytest.mark.timeout(900)
@pytest.mark.django_db(transaction=True)
def bench_backtest(report: Report) -> None:
    world()
    report.title(f"Backtest of {SIGNALS:,} signals of {GUILDS:,} guilds")
    floor()  # once to bring the table into memory
    for name, spec in RULES.items():
        version = factories.version(on=["inspection.citation"], **spec)
        # The machine's load changes: the floor is measured before and after
        before = floor()
        found = backtest(version)
        rate = (before + floor()) / 2
        assert found.signals == SIGNALS
        if name == next(iter(RULES)):
            report.row("bare window query in SQL", rate, "rows/s")
        report.row(
            f"{name}: {found.matches:,} matches", found.signals_per_second, "signals/s", against=rate, bar=0.5
        )
    version = factories.version(on=["inspection.citation"], **RULES["the window query's rule"])
    quarter, year = memory(version, 91), memory(version, 366)
    report.row("memory at the highest, a quarter of the signals", quarter, "MiB")
    report.row("memory at the highest, all of them", year, "MiB")
