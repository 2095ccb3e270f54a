"""Signals per second, by file and by request body, against a bare COPY and INSERT of the same rows into one table."""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from django.db import connection

from governance.models import Signal
from governance.signals.importing import file_import
from governance.signals.services import BATCH_EVENTS, signals_ingest
from guilds.accounts.actor import Actor
from tests import factories
from tests.benchmarks.report import Report

FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "nyc-inspections.ndjson.gz"
ACTOR = Actor.system("benchmark")
COLUMNS = "source text, id text, type text, time timestamptz, guild text, market text, data jsonb"


def floor(events: list[dict[str, Any]]) -> float:
    """Rows per second of COPY into a temporary table and INSERT … ON CONFLICT from there, in the batches of an import."""
    names = ("source", "id", "type", "time", "guild", "market")
    lines = [
        "\t".join(
            [*(event[name] for name in names), orjson.dumps(event["data"]).decode().replace("\\", "\\\\")]
        )
        + "\n"
        for event in events
    ]
    parameters = connection.get_connection_params()
    given = {
        name: parameters[name]
        for name in ("host", "port", "user", "password", "dbname")
        if parameters.get(name)
    }
    with psycopg.connect(**given, autocommit=True) as bare:
        bare.execute("DROP TABLE IF EXISTS bare")
        bare.execute("CHECKPOINT")
        bare.execute(f"CREATE TABLE bare ({COLUMNS}, UNIQUE (source, id))")
        started = time.perf_counter()
        for start in range(0, len(lines), BATCH_EVENTS):
            with bare.transaction(), bare.cursor() as cursor:
                cursor.execute("CREATE TEMPORARY TABLE staged (LIKE bare) ON COMMIT DROP")
                with cursor.copy("COPY staged FROM STDIN") as copy:
                    copy.write("".join(lines[start : start + BATCH_EVENTS]))
                cursor.execute("INSERT INTO bare SELECT * FROM staged ON CONFLICT DO NOTHING")
        seconds = time.perf_counter() - started
        bare.execute("DROP TABLE bare")
    return len(lines) / seconds


@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True)
def bench_signals_against_bare_copy(report: Report) -> None:
    with gzip.open(FILE) as stored:
        events = [orjson.loads(line) for line in stored]
    for code in sorted({event["market"] for event in events}):
        factories.market(code)
    bodies = [
        orjson.dumps([{**event, "source": "/rest"} for event in events[start : start + BATCH_EVENTS]])
        for start in range(0, len(events), BATCH_EVENTS)
    ]

    floors = [floor(events)]
    started = time.perf_counter()
    by_file = file_import(actor=ACTOR, path=FILE)
    file_rate = len(events) / (time.perf_counter() - started)
    floors.append(floor(events))
    started = time.perf_counter()
    again = file_import(actor=ACTOR, path=FILE)
    again_rate = len(events) / (time.perf_counter() - started)
    started = time.perf_counter()
    accepted = sum(signals_ingest(actor=ACTOR, events=orjson.loads(body)).accepted for body in bodies)
    body_rate = len(events) / (time.perf_counter() - started)
    floors.append(floor(events))

    assert by_file.accepted == again.duplicates == accepted == len(events)
    assert Signal.objects.count() == 2 * len(events)
    best = max(floors)
    report.title(f"Signals: {len(events):,} of {FILE.name}; the floor is the best of three")
    report.row("bare COPY + INSERT … ON CONFLICT", best, "rows/s")
    report.row("import_signals, guilds met for the first time", file_rate, "rows/s", against=best, bar=0.3)
    report.row("import_signals again: duplicates only", again_rate, "rows/s", against=best)
    report.row(
        f"request bodies of {BATCH_EVENTS:,}, without HTTP", body_rate, "rows/s", against=best, bar=0.15
    )
