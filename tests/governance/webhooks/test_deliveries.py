"""Deliveries to a receiver written with the standard library of Standard Webhooks, over real HTTP."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from governance.models import Delivery, Endpoint, Event
from governance.webhooks import services
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput, NotAllowed
from guilds.models import Guild
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


class Receiver:
    """An HTTP server that notes every request and answers what the test says, 204 when it says nothing."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append(
                    ({name.lower(): value for name, value in self.headers.items()}, body)
                )
                status = receiver.answers.pop(0) if receiver.answers else 204
                self.send_response(status)
                if status in (301, 302, 307, 308):
                    self.send_header("location", receiver.url + "elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def endpoint(receiver: Receiver) -> Endpoint:
    return services.endpoint_create(
        actor=Actor.staff(factories.staff("admin")),
        name="Enforcement",
        url=receiver.url,
        types=["penalty.applied", "penalty.lifted"],
        allow_private=True,
    )


def happen(act: str, guild: Guild | None = None) -> None:
    with transaction.atomic():
        factories.event(
            act, guild_id=guild.pk if guild else None, after={"kind": "warning"}, reason="for our eyes only"
        )


def deliver(now: dt.datetime | None = None) -> int:
    services.deliveries_create_due()
    tried = 0
    while sent := services.deliveries_send_due(now=now):
        tried += sent
    return tried


def test_a_standard_receiver_verifies_what_it_gets(endpoint: Endpoint, receiver: Receiver) -> None:
    guild = factories.guild("guild-a")
    happen("penalty.applied", guild)
    happen("penalty.reversed", guild)  # not subscribed

    assert deliver() == 1

    [(headers, body)] = receiver.requests
    payload = Webhook(endpoint.secret).verify(body, headers)
    event = Event.objects.get(act="penalty.applied")
    assert payload == {
        "specversion": "1.0",
        "id": str(event.pk),
        "source": "/guildhall",
        "type": "penalty.applied",
        "subject": event.object_id,
        "time": event.at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {
            "object": "test",
            "id": event.object_id,
            "guild": "guild-a",
            "market": None,
            "kind": "warning",
        },
    }
    assert b"for our eyes only" not in body
    assert Delivery.objects.get().status == "delivered"
    assert deliver() == 0


def test_a_wrong_secret_or_a_changed_body_does_not_verify(endpoint: Endpoint, receiver: Receiver) -> None:
    happen("penalty.applied", factories.guild())
    deliver()
    [(headers, body)] = receiver.requests
    with pytest.raises(WebhookVerificationError):
        Webhook(services.new_secret()).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret).verify(body.replace(b"warning", b"nothing"), headers)


def test_a_failing_receiver_is_tried_again_with_the_same_id_up_the_ladder(
    receiver: Receiver, endpoint: Endpoint
) -> None:
    receiver.answers = [500, 503]
    happen("penalty.applied", factories.guild())
    start = timezone.now()
    assert deliver() == 1
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts, delivery.response_status) == ("pending", 1, 500)
    assert delivery.next_attempt_at is not None
    assert 9 < (delivery.next_attempt_at - start).total_seconds() < 20
    assert deliver() == 0, "not before its time"

    deliver(now=timezone.now() + dt.timedelta(seconds=15))
    deliver(now=timezone.now() + dt.timedelta(seconds=90))
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts) == ("delivered", 3)
    assert len({headers["webhook-id"] for headers, _body in receiver.requests}) == 1


def test_after_the_last_rung_it_has_failed_and_can_be_sent_again_by_hand(
    receiver: Receiver, endpoint: Endpoint
) -> None:
    receiver.answers = [500] * 10
    happen("penalty.applied", factories.guild())
    now = timezone.now()
    for _ in range(10):
        now += dt.timedelta(days=1)
        deliver(now=now)
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.attempts, delivery.next_attempt_at) == ("failed", 10, None)

    services.delivery_retry(
        actor=Actor.staff(factories.staff("admin")), delivery_id=delivery.pk, reason="receiver mended"
    )
    deliver()
    delivery.refresh_from_db()
    assert delivery.status == "delivered"


def test_410_pauses_the_endpoint(receiver: Receiver, endpoint: Endpoint) -> None:
    receiver.answers = [410]
    happen("penalty.applied", factories.guild())
    deliver()
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.disabled_reason) == (False, "The receiver answered 410 Gone.")
    assert Delivery.objects.get().status == "failed"
    happen("penalty.applied", factories.guild())
    assert deliver() == 0
    assert Event.objects.filter(act="webhook_endpoint.paused").count() == 1


def test_a_redirect_is_not_followed(receiver: Receiver, endpoint: Endpoint) -> None:
    receiver.answers = [302]
    happen("penalty.applied", factories.guild())
    deliver()
    assert len(receiver.requests) == 1
    assert Delivery.objects.get().error == "answered 302"


def test_deliveries_of_one_guild_keep_their_order_and_do_not_hold_up_another(
    receiver: Receiver, endpoint: Endpoint
) -> None:
    slow, quick = factories.guild("slow"), factories.guild("quick")
    receiver.answers = [500]
    happen("penalty.applied", slow)
    happen("penalty.lifted", slow)
    happen("penalty.applied", quick)
    deliver()
    deliver(now=timezone.now() + dt.timedelta(seconds=30))
    seen = [
        (json.loads(body)["data"]["guild"], json.loads(body)["type"]) for _headers, body in receiver.requests
    ]
    assert [kind for guild, kind in seen if guild == "slow"] == [
        "penalty.applied",
        "penalty.applied",
        "penalty.lifted",
    ]
    assert seen.index(("quick", "penalty.applied")) < seen.index(("slow", "penalty.lifted"))


def test_nobody_listening_is_a_failed_attempt_not_an_error(receiver: Receiver, endpoint: Endpoint) -> None:
    Endpoint.objects.update(url="http://127.0.0.1:9/")
    happen("penalty.applied", factories.guild())
    assert deliver() == 1
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.response_status) == ("pending", None)
    assert delivery.error


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "[::1]", "0.0.0.0"],  # noqa: S104  refused is the point
)
def test_private_addresses_are_refused_unless_allowed(
    host: str, receiver: Receiver, endpoint: Endpoint
) -> None:
    port = receiver.server.server_port
    Endpoint.objects.update(url=f"http://{host}:{port}/", allow_private=False)
    happen("penalty.applied", factories.guild())
    deliver()
    assert receiver.requests == []
    assert "private" in Delivery.objects.get().error


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"types": ["penalty.applied", "everything"]}, "types"),
        ({"types": []}, "types"),
        ({"url": "ftp://example.test/"}, "url"),
        ({"url": "http://"}, "url"),
        ({"name": ""}, "name"),
    ],
)
def test_a_faulty_endpoint_is_refused_with_the_field(fields: dict[str, Any], fault: str) -> None:
    given = {"name": "n", "url": "https://example.test/", "types": ["notice.sent"], **fields}
    with pytest.raises(InvalidInput) as refusal:
        services.endpoint_create(actor=Actor.staff(factories.staff("admin")), **given)
    assert fault in [error["field"] for error in refusal.value.errors]
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize("roles", [("enforcer", "auditor"), ("admin",)])
def test_only_an_administrator_of_every_market_manages_endpoints(
    roles: tuple[str, ...], endpoint: Endpoint
) -> None:
    markets = [factories.market()] if "admin" in roles else None
    actor = Actor.staff(factories.staff(*roles, markets=markets))
    with pytest.raises(NotAllowed):
        services.endpoint_create(actor=actor, name="n", url="https://example.test/", types=["notice.sent"])
    with pytest.raises(NotAllowed):
        services.endpoint_set_active(actor=actor, endpoint_id=endpoint.pk, active=False, reason="x")
    endpoint.refresh_from_db()
    assert endpoint.is_active
