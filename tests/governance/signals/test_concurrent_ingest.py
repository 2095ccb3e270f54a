"""Senders at the same time: no deadlock, and every event exactly once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from governance.models import PendingSignal, QuarantinedSignal, Signal, SignalKey, SignalSource
from governance.signals.services import IngestReport, signals_ingest
from guilds.accounts.actor import Actor
from guilds.models import Creator, Guild
from tests import factories
from tests.governance.signals.events import event

pytestmark = pytest.mark.django_db(transaction=True)


def send_together(*batches: list[dict[str, Any]]) -> list[IngestReport]:
    barrier = Barrier(len(batches))

    def send(batch: list[dict[str, Any]]) -> IngestReport:
        try:
            barrier.wait(timeout=30)
            return signals_ingest(actor=Actor.system("detector"), events=batch)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(batches)) as pool:
        return list(pool.map(send, batches))


def test_two_senders_of_the_same_events_in_opposite_order() -> None:
    market = factories.market().code
    events = [
        event(
            id=str(number),
            source=f"/detectors/{number % 7}",
            guild=f"g-{number % 90}" if number % 10 else "nobody",
            market=market if number % 10 else None,
            creator=f"c-{number % 50}",
            time=f"20{number % 20 + 5:02}-{number % 12 + 1:02}-10T00:00:00Z",
        )
        for number in range(2000)
    ]

    reports = send_together(events, events[::-1])

    assert sum(report.accepted for report in reports) == 1800
    assert sum(report.quarantined for report in reports) == 200
    assert sum(report.duplicates for report in reports) == 2000
    assert not any(report.rejected for report in reports)
    assert Signal.objects.count() == PendingSignal.objects.count() == 1800
    assert QuarantinedSignal.objects.count() == 200
    assert SignalKey.objects.count() == 2000
    assert SignalSource.objects.count() == 7
    assert Guild.objects.filter(provisional=True).count() == 81
    assert Creator.objects.count() == 45


def test_many_senders_that_overlap() -> None:
    guild = factories.guild().external_id
    events = [event(id=str(number), guild=guild) for number in range(600)]
    batches = [events[start : start + 400] for start in (0, 100, 200)] + [events[::-2]]
    reports = send_together(*batches)
    assert sum(report.accepted for report in reports) == 600
    assert sum(report.accepted + report.duplicates for report in reports) == 1500
    assert Signal.objects.count() == 600
