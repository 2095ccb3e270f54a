"""The REST API: signals per second over HTTP against a bare COPY and INSERT, and pages of a list against bare rows."""

from __future__ import annotations

import datetime as dt
import gzip
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
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
from tests.benchmarks.bench_import import FILE, floor
from tests.benchmarks.report import Report

ROOT = Path(__file__).resolve().parents[2]
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


@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True)
def bench_signals_over_http(report: Report) -> None:
    with gzip.open(FILE) as stored:
        events = [orjson.loads(line) for line in stored]
    for code in sorted({event["market"] for event in events}):
        factories.market(code)
    bodies = [
        orjson.dumps(events[start : start + BATCH_EVENTS]) for start in range(0, len(events), BATCH_EVENTS)
    ]
    bearer = {"Authorization": f"Bearer {token_for(factories.client(Scope.SIGNALS_WRITE))}"}
    headers = {**bearer, "Content-Type": "application/cloudevents-batch+json"}

    floors = [floor(events)]
    with web_server() as url, requests.Session() as session:
        started = time.perf_counter()
        answers = [
            session.post(f"{url}/api/v1/signals", body, headers=headers, timeout=120) for body in bodies
        ]
        rate = len(events) / (time.perf_counter() - started)
        started = time.perf_counter()
        for number, body in enumerate(bodies):
            key = {"Idempotency-Key": f"bench-{number}"}
            session.post(f"{url}/api/v1/signals", body, headers={**headers, **key}, timeout=120)
        again_rate = len(events) / (time.perf_counter() - started)
    floors.append(floor(events))

    assert sum(answer.json()["accepted"] for answer in answers) == len(events) == Signal.objects.count()
    best = max(floors)
    report.title(f"REST: {len(events):,} signals of {FILE.name} in requests of {BATCH_EVENTS:,}, one sender")
    report.row("bare COPY + INSERT … ON CONFLICT", best, "rows/s")
    report.row("POST signals, guilds met for the first time", rate, "rows/s", against=best, bar=0.15)
    report.row("POST signals again, with Idempotency-Key: duplicates", again_rate, "rows/s", against=best)


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
        return response.render()  # type: ignore[attr-defined,no-any-return]

    assert len(orjson.loads(listed().content)["results"]) == ROWS
    best = rate(lambda: bare(plain.get("/")))
    report.title(f"Violations with evidence, pages of {ROWS:,}")
    report.row("bare view: one statement, the same columns, no evidence", best, "rows/s")
    report.row("GET violations: token, scope, cursor, evidence", rate(listed), "rows/s", against=best)
