"""Signals per second, by file and by request body, against a bare COPY and INSERT of the same rows into one table."""

from __future__ import annotations

import gzip
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
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
#: Events per slice.
SLICE = 50_000
COLUMNS = "source text, id text, type text, time timestamptz, guild text, market text, data jsonb"


def copy_lines(events: list[dict[str, Any]]) -> list[str]:
    names = ("source", "id", "type", "time", "guild", "market")
    return [
        "\t".join(
            [*(event[name] for name in names), orjson.dumps(event["data"]).decode().replace("\\", "\\\\")]
        )
        + "\n"
        for event in events
    ]


def copy_barely(bare: psycopg.Connection[Any], lines: list[str]) -> None:
    """COPY into a temporary table and INSERT … ON CONFLICT from there, in batches."""
    for start in range(0, len(lines), BATCH_EVENTS):
        with bare.transaction(), bare.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE staged (LIKE bare) ON COMMIT DROP")
            with cursor.copy("COPY staged FROM STDIN") as copy:
                copy.write("".join(lines[start : start + BATCH_EVENTS]))
            cursor.execute("INSERT INTO bare SELECT * FROM staged ON CONFLICT DO NOTHING")


def ingest(body: bytes) -> None:
    """What the view does with a body once it has it."""
    signals_ingest(actor=ACTOR, events=orjson.loads(body))


@pytest.mark.timeout(900)
@pytest.mark.django_db(transaction=True)
def bench_signals_against_bare_copy(report: Report, tmp_path: Path) -> None:
    """In slices taken in turn, so that whatever else the machine does hits all of them alike."""
    with gzip.open(FILE) as stored:
        texts = stored.read().splitlines(keepends=True)
    for code in sorted({orjson.loads(text)["market"] for text in texts}):
        factories.market(code)
    parameters = connection.get_connection_params()
    given = {
        name: parameters[name]
        for name in ("host", "port", "user", "password", "dbname")
        if parameters.get(name)
    }
    seconds: defaultdict[str, float] = defaultdict(float)

    def timed(name: str, work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        outcome = work()
        seconds[name] += time.perf_counter() - started
        return outcome

    with psycopg.connect(**given, autocommit=True) as bare:
        bare.execute(f"CREATE TABLE bare ({COLUMNS}, UNIQUE (source, id))")
        for start in range(0, len(texts), SLICE):
            part = texts[start : start + SLICE]
            path = tmp_path / f"{start}.ndjson.gz"
            path.write_bytes(gzip.compress(b"".join(part)))
            events = [orjson.loads(text) for text in part]
            lines = copy_lines(events)
            bodies = [
                orjson.dumps([{**event, "source": "/rest"} for event in events[first : first + BATCH_EVENTS]])
                for first in range(0, len(events), BATCH_EVENTS)
            ]
            del events
            timed("floor", partial(copy_barely, bare, lines))
            first = timed("file", partial(file_import, actor=ACTOR, path=path))
            again = timed("again", partial(file_import, actor=ACTOR, path=path))
            for body in bodies:
                timed("body", partial(ingest, body))
            assert first.accepted == again.duplicates == len(part)
        bare.execute("DROP TABLE bare")
    assert Signal.objects.count() == 2 * len(texts)
    rates = {name: len(texts) / spent for name, spent in seconds.items()}
    floor = rates["floor"]
    report.title(f"Signals: {len(texts):,} of {FILE.name}")
    report.row("bare COPY + INSERT … ON CONFLICT", floor, "rows/s")
    report.row(
        "import_signals, guilds met for the first time", rates["file"], "rows/s", against=floor, bar=0.3
    )
    report.row("import_signals again: duplicates only", rates["again"], "rows/s", against=floor)
    report.row(
        f"request bodies of {BATCH_EVENTS:,}, without HTTP", rates["body"], "rows/s", against=floor, bar=0.15
    )
