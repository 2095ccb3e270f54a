"""The REST API: signals per second over HTTP against a bare COPY and INSERT, and pages of a list against bare rows."""

from __future__ import annotations

import datetime as dt
import gzip
import os
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import requests
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from governance.models import Signal, Violation
from governance.signals.services import BATCH_EVENTS
from governance.violations.api import ViolationsView
from guilds.accounts.enums import Scope
from tests import factories
from tests.api.caller import token_for
from tests.benchmarks.bench_import import COLUMNS, FILE, SLICE, copy_barely, copy_lines
from tests.benchmarks.report import Report

ROOT = Path(__file__).resolve().parents[2]
SENDERS = 2
PAGES = 20
ROWS = 1000


@contextmanager
def web_server() -> Iterator[str]:
    """The server of the demo as a process of its own, on the database of this run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            *(str(Path(sys.executable).parent / "granian"), "--interface", "wsgi", "--port", str(port)),
            *("--workers", "2", "--blocking-threads", "2", "--workers-kill-timeout", "8", "--no-ws"),
            *("--log-level", "error", "config.wsgi:application"),
        ],
        cwd=ROOT,
        env={**os.environ, "GUILDHALL_TEST_DATABASE": str(connection.settings_dict["NAME"])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 60
        while True:
            try:
                requests.get(f"{url}/healthz", timeout=1).raise_for_status()
                break
            except requests.RequestException:
                if server.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.mark.timeout(900)
@pytest.mark.django_db(transaction=True)
def bench_signals_over_http(report: Report) -> None:
    """In slices taken in turn, so that whatever else the machine does hits all of them alike."""
    with gzip.open(FILE) as stored:
        texts = stored.read().splitlines()
    for code in sorted({orjson.loads(text)["market"] for text in texts}):
        factories.market(code)
    token = token_for(factories.client(Scope.SIGNALS_WRITE))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/cloudevents-batch+json"}
    settings = connection.get_connection_params()
    given = {
        name: settings[name] for name in ("host", "port", "user", "password", "dbname") if settings.get(name)
    }
    seconds: defaultdict[str, float] = defaultdict(float)

    def timed(name: str, work: Callable[[], object]) -> None:
        started = time.perf_counter()
        work()
        seconds[name] += time.perf_counter() - started

    with web_server() as url, psycopg.connect(**given, autocommit=True) as plain:

        def send(body: bytes, key: str | None = None) -> None:
            keyed = {"Idempotency-Key": key} if key else {}
            requests.post(
                f"{url}/api/v1/signals", body, headers=headers | keyed, timeout=120
            ).raise_for_status()

        def send_side_by_side(bodies: list[bytes]) -> None:
            with ThreadPoolExecutor(SENDERS) as senders:
                list(senders.map(send, bodies))

        plain.execute(f"CREATE TABLE bare ({COLUMNS}, UNIQUE (source, id))")
        for start in range(0, len(texts), SLICE):
            part = texts[start : start + SLICE]
            timed("floor", partial(copy_barely, plain, copy_lines([orjson.loads(text) for text in part])))
            bodies = [
                b"[" + b",".join(part[first : first + BATCH_EVENTS]) + b"]"
                for first in range(0, len(part), BATCH_EVENTS)
            ]
            half = len(bodies) // 2
            timed("alone", partial(list, map(send, bodies[:half])))
            timed("together", partial(send_side_by_side, bodies[half:]))
            timed(
                "again",
                partial(list, map(send, bodies[:half], [f"{start}-{number}" for number in range(half)])),
            )
        plain.execute("DROP TABLE bare")

    assert Signal.objects.count() == len(texts)
    alone = sum(
        min(SLICE, len(texts) - start) // BATCH_EVENTS // 2 * BATCH_EVENTS
        for start in range(0, len(texts), SLICE)
    )
    floor = len(texts) / seconds["floor"]
    report.title(f"REST: {len(texts):,} signals of {FILE.name} in requests of {BATCH_EVENTS:,}")
    report.row("bare COPY + INSERT … ON CONFLICT", floor, "rows/s")
    report.row("POST signals, one sender", alone / seconds["alone"], "rows/s", against=floor, bar=0.15)
    together = (len(texts) - alone) / seconds["together"]
    report.row(f"POST signals, {SENDERS} senders", together, "rows/s", against=floor, bar=0.15)
    report.row(
        "POST signals again, Idempotency-Key: duplicates", alone / seconds["again"], "rows/s", against=floor
    )


def bare(request: HttpRequest) -> HttpResponse:
    """A page with the same facts and nothing else: one statement, no permission, no filter, no cursor."""
    names = ("public_id", "rule__code", "version__number", "code", "severity", "status", "guild__external_id")
    times = ("market__code", "occurred_at", "detected_at", "explanation")
    rows = Violation.objects.order_by("-id").values(*names, *times)[:ROWS]
    return HttpResponse(orjson.dumps(list(rows)), content_type="application/json")


@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True)
def bench_pages_against_bare_rows(report: Report) -> None:
    version = factories.version()
    market = factories.market()
    guilds = [factories.guild(market=market) for _ in range(10)]
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for number in range(3 * ROWS):
        factories.violation(guilds[number % 10], version, occurred_at=start + dt.timedelta(minutes=number))
    token = token_for(factories.client(Scope.VIOLATIONS_READ))
    page, plain = RequestFactory(headers={"Authorization": f"Bearer {token}"}), RequestFactory()
    view = ViolationsView.as_view()

    def rate(answer: Any) -> float:
        answer()
        started = time.perf_counter()
        for _ in range(PAGES):
            answer()
        return PAGES * ROWS / (time.perf_counter() - started)

    def listed() -> HttpResponse:
        response = view(page.get("/api/v1/violations", {"limit": ROWS}))
        rendered: HttpResponse = response.render()
        return rendered

    assert len(orjson.loads(listed().content)["results"]) == ROWS
    best = rate(lambda: bare(plain.get("/")))
    report.title(f"Violations with evidence, pages of {ROWS:,}")
    report.row("bare view: one statement, the same columns, no evidence", best, "rows/s")
    report.row("GET violations: token, scope, cursor, evidence", rate(listed), "rows/s", against=best)
