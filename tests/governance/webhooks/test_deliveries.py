"""Deliveries to a receiver written with the standard library of Standard Webhooks, over real HTTP."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from governance.models import Delivery, Endpoint, Event
from governance.webhooks import services
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput, NotAllowed
from tests import factories
from tests.governance.webhooks.receiver import Receiver, deliver, happen

pytestmark = pytest.mark.django_db(transaction=True)


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
    for seconds in (0, *services.RETRY_LADDER):
        now += dt.timedelta(seconds=seconds + 1)
        assert deliver(now=now) == 1
    assert sum(services.RETRY_LADDER) == 87_270, "a little more than a day, as docs/webhooks.md says"
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


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, endpoint: Endpoint, status: int) -> None:
    receiver.answers = [(status, {"location": f"{receiver.url}elsewhere"})]
    happen("penalty.applied", factories.guild())
    deliver()
    assert len(receiver.requests) == 1
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.error) == ("pending", f"answered {status}")


def test_deliveries_of_one_guild_keep_their_order_and_do_not_hold_up_another(
    receiver: Receiver, endpoint: Endpoint
) -> None:
    slow, quick = factories.guild("slow"), factories.guild("quick")
    receiver.answers = [500]
    happen("penalty.applied", slow)
    happen("penalty.lifted", slow)
    assert deliver() == 1
    happen("penalty.applied", quick)
    assert deliver() == 1
    assert deliver(now=timezone.now() + dt.timedelta(seconds=30)) == 2
    assert [(guild, kind) for guild, kind, _id in receiver.seen] == [
        ("slow", "penalty.applied"),
        ("quick", "penalty.applied"),
        ("slow", "penalty.applied"),
        ("slow", "penalty.lifted"),
    ]


def test_nobody_listening_is_a_failed_attempt_not_an_error(receiver: Receiver, endpoint: Endpoint) -> None:
    Endpoint.objects.update(url="http://127.0.0.1:9/")
    happen("penalty.applied", factories.guild())
    assert deliver() == 1
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.response_status) == ("pending", None)
    assert delivery.error


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_not_sent_to_unless_allowed(
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
        ({"url": "https://us:secret@example.test/"}, "url"),
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


def test_a_rest_that_is_asked_for_is_kept_within_bounds(receiver: Receiver, endpoint: Endpoint) -> None:
    receiver.answers = [
        (429, {"retry-after": "600"}),
        (503, {"retry-after": "1"}),
        (503, {"retry-after": "86400"}),
        (500, {"retry-after": "86400"}),
    ]
    one, other = factories.guild(), factories.guild()
    happen("penalty.applied", one)
    start = timezone.now() + dt.timedelta(minutes=1)
    assert deliver(now=start) == 1
    delivery = Delivery.objects.get()
    assert delivery.next_attempt_at == start + dt.timedelta(seconds=600), "longer than the rung of 10 s"
    happen("penalty.applied", other)
    assert deliver(now=start + dt.timedelta(seconds=599)) == 0, "the whole receiver rests, not one delivery"

    second = start + dt.timedelta(seconds=601)
    Delivery.objects.exclude(pk=delivery.pk).delete()
    assert deliver(now=second) == 1
    delivery.refresh_from_db()
    assert delivery.next_attempt_at == second + dt.timedelta(seconds=60), "never sooner than the ladder says"
    third = second + dt.timedelta(seconds=61)
    assert deliver(now=third) == 1
    delivery.refresh_from_db()
    assert delivery.next_attempt_at == third + dt.timedelta(hours=1), "an hour at most"
    fourth = third + dt.timedelta(hours=1)
    assert deliver(now=fourth) == 1
    delivery.refresh_from_db()
    assert delivery.next_attempt_at == fourth + dt.timedelta(seconds=900), "only 429 and 503 may ask"


def test_every_try_is_kept_for_a_month(receiver: Receiver, endpoint: Endpoint) -> None:
    receiver.answers = [500]
    happen("penalty.applied", factories.guild())
    deliver()
    deliver(now=timezone.now() + dt.timedelta(seconds=15))
    delivery = Delivery.objects.get()
    tries = list(delivery.tries.order_by("id"))
    assert [(row.response_status, row.error) for row in tries] == [(500, ""), (204, "")]
    assert all(row.headers["webhook-id"] == str(delivery.public_id) for row in tries)
    assert [row.headers for row in tries] == [
        {name: headers[name] for name in tries[0].headers} for headers, _body in receiver.requests
    ]
    assert endpoint.secret not in str(tries[0].headers)

    tries[0].at -= dt.timedelta(days=30, minutes=1)
    tries[0].save()
    assert services.tries_forget() == 1
    assert list(delivery.tries.all()) == [tries[1]]


def test_a_receiver_that_fails_for_three_days_is_disabled(receiver: Receiver, endpoint: Endpoint) -> None:
    receiver.always = 500
    for guild in (factories.guild(), factories.guild()):
        for _ in range(8):
            happen("penalty.applied", guild)
    start = timezone.now() + dt.timedelta(minutes=1)
    for hours in range(0, 72, 9):
        assert deliver(now=start + dt.timedelta(hours=hours)) == 2
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.failures, endpoint.failing_since) == (True, 16, start)
    now = start + dt.timedelta(days=3)
    deliver(now=now)
    endpoint.refresh_from_db()
    assert not endpoint.is_active
    assert endpoint.disabled_reason.startswith("Every try failed since ")
    paused = Event.objects.get(act="webhook_endpoint.paused")
    assert (paused.actor_kind, paused.reason) == ("system", endpoint.disabled_reason)
    sent = len(receiver.requests)
    assert deliver(now=now + dt.timedelta(days=1)) == 0
    assert len(receiver.requests) == sent

    receiver.always = None
    services.endpoint_set_active(
        actor=Actor.staff(factories.staff("admin")), endpoint_id=endpoint.pk, active=True, reason="mended"
    )
    deliver(now=now + dt.timedelta(days=2))
    assert Delivery.objects.filter(status="pending").count() == 0
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.failures, endpoint.failing_since) == (True, 0, None)


def test_one_failure_long_after_another_disables_nothing(receiver: Receiver, endpoint: Endpoint) -> None:
    receiver.answers = [500, 500]
    happen("penalty.applied", factories.guild())
    now = timezone.now() + dt.timedelta(minutes=1)
    deliver(now=now)
    deliver(now=now + dt.timedelta(days=9))
    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.failures) == (True, 2)


def test_what_belongs_to_no_guild_waits_for_nothing(receiver: Receiver, admin: Actor) -> None:
    services.endpoint_create(
        actor=admin, name="Rules", url=receiver.url, types=["rule.launched"], allow_private=True
    )
    receiver.answers = [500]
    happen("rule.launched")
    happen("rule.launched")
    deliver()
    assert sorted(Delivery.objects.values_list("status", flat=True)) == ["delivered", "pending"]
