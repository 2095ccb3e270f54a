"""Many receivers at once: a slow one holds up only its own, one process sends, and a killed one loses nothing."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.models import Delivery, Endpoint
from governance.webhooks import services, transport
from governance.webhooks.services import sending
from guilds.accounts.actor import Actor
from tests import factories
from tests.governance.ledger.test_ledger import second_connection
from tests.governance.webhooks.receiver import Inbox, Receiver, deliver, happen
from tests.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def slow() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


def test_a_hanging_receiver_holds_up_nobody_else(
    receiver: Receiver, slow: Receiver, endpoint: Endpoint, admin: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hanging one is let go only when the quick one has everything: were it waited for, nothing would ever come."""
    order: list[str] = []
    real = sending._settle

    def settle(attempt: sending.Attempt, result: sending.Result, *, now: dt.datetime) -> None:
        order.append("slow" if attempt.url == slow.url else "quick")
        real(attempt, result, now=now)
        if order.count("quick") == 30:
            slow.gone.set()

    monkeypatch.setattr(sending, "_settle", settle)
    monkeypatch.setattr(sending, "post", lambda url, **given: transport.post(url, **given, total_seconds=50))
    slow.always = slow.hang
    services.endpoint_create(
        actor=admin, name="Slow", url=slow.url, types=["penalty.applied"], allow_private=True
    )
    for _ in range(30):
        happen("penalty.applied", factories.guild())
    services.deliveries_create_due()
    both = 30 + sending.PER_ENDPOINT
    assert services.deliveries_send_due(seconds=60, limit=both) == both
    assert order == ["quick"] * 30 + ["slow"] * sending.PER_ENDPOINT
    assert len(receiver.requests) == 30
    assert len(slow.requests) == sending.PER_ENDPOINT


def test_a_receiver_that_failed_last_is_asked_one_at_a_time(receiver: Receiver, endpoint: Endpoint) -> None:
    Endpoint.objects.update(failures=3, failing_since=timezone.now())
    under_way: list[int] = []
    busy = [0]

    def count(request: object) -> None:
        busy[0] += 1
        under_way.append(busy[0])
        receiver.gone.wait(0.02)
        busy[0] -= 1
        request.send_response(500)  # type: ignore[attr-defined]
        request.end_headers()  # type: ignore[attr-defined]

    receiver.always = count
    for _ in range(5):
        happen("penalty.applied", factories.guild())
    assert deliver() == 5
    assert under_way == [1] * 5


def test_while_one_process_sends_another_leaves_it_alone(receiver: Receiver, endpoint: Endpoint) -> None:
    happen("penalty.applied", factories.guild())
    services.deliveries_create_due()
    with second_connection() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [sending.SEND_LOCK])
        assert services.deliveries_send_due() == 0
        assert receiver.requests == []
        other.execute("SELECT pg_advisory_unlock(%s)", [sending.SEND_LOCK])
    assert services.deliveries_send_due() == 1


def test_a_delivery_claimed_by_a_process_that_died_is_sent_when_its_lease_is_over(
    receiver: Receiver, endpoint: Endpoint
) -> None:
    happen("penalty.applied", factories.guild())
    services.deliveries_create_due()
    now = timezone.now()
    assert len(sending._claim(endpoint.pk, 10, now)) == 1
    assert services.deliveries_send_due(now=now) == 0
    assert services.deliveries_send_due(now=now + sending.LEASE) == 1
    assert Delivery.objects.get().status == "delivered"


def test_what_was_answered_and_not_noted_comes_again_under_its_id(
    receiver: Receiver, endpoint: Endpoint
) -> None:
    happen("penalty.applied", factories.guild())
    services.deliveries_create_due()
    now = timezone.now()
    [attempt] = sending._claim(endpoint.pk, 10, now)
    assert sending._send(attempt).succeeded
    deliver(now=now + sending.LEASE)
    inbox = Inbox(endpoint.secret)
    for headers, body in receiver.requests:
        inbox.take(headers, body)
    assert (len(inbox.taken), inbox.repeated) == (1, 1)


def test_a_long_queue_costs_each_delivery_what_a_short_one_does(
    receiver: Receiver, endpoint: Endpoint
) -> None:
    costs = []
    for size in (4, 24):
        for _ in range(size):
            happen("penalty.applied", factories.guild())
        services.deliveries_create_due()
        with CaptureQueriesContext(connection) as asked:
            assert services.deliveries_send_due() == size
        costs.append(len(asked) / size)
    # Claims come singly or together, as answers do; each settling is what it is.
    assert costs[1] <= costs[0] + 2
    assert costs[1] <= 12


def test_a_real_worker_delivers_in_order_to_a_receiver_that_verifies(
    worker: Worker, receiver: Receiver, endpoint: Endpoint
) -> None:
    inbox = Inbox(endpoint.secret)
    guilds = [factories.guild(f"guild-{number}") for number in range(4)]
    for act in ("penalty.applied", "penalty.lifted", "penalty.applied"):
        for guild in guilds:
            happen(act, guild)
    from celery import current_app

    current_app.send_task("governance.webhooks.dispatch")
    worker.wait_idle()
    for headers, body in receiver.requests:
        inbox.take(headers, body)
    assert (len(inbox.taken), inbox.repeated) == (12, 0)
    for guild in guilds:
        told = [
            json.loads(body)["type"]
            for _headers, body in receiver.requests
            if json.loads(body)["data"]["guild"] == guild.external_id
        ]
        assert told == ["penalty.applied", "penalty.lifted", "penalty.applied"]
    assert Delivery.objects.exclude(status="delivered").count() == 0
