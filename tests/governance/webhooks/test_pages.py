"""The console pages of webhooks: what was sent and what came back, how a receiver is doing, new secrets and replays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from html import unescape

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from governance.models import Delivery, DeliveryAttempt, Endpoint, Event, Replay
from governance.webhooks import services
from guilds.accounts.actor import Actor
from guilds.console.page import admin_url, list_url
from tests import factories
from tests.config import console_world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def endpoint(admin: Actor) -> Endpoint:
    return services.endpoint_create(
        actor=admin,
        name="Payout",
        url="https://payout.example.test/",
        types=["penalty.applied", "penalty.lifted"],
    )


def signed_in(*roles: str) -> Client:
    client = Client()
    client.force_login(factories.staff(*roles))
    return client


def delivery(endpoint: Endpoint, *answers: int | None) -> Delivery:
    made = Delivery.objects.create(
        endpoint=endpoint,
        event=console_world.event(factories.guild()),
        status="delivered" if answers and answers[-1] == 204 else "pending",
        attempts=len(answers),
    )
    for number, status in enumerate(answers):
        DeliveryAttempt.objects.create(
            delivery=made,
            at=timezone.now() - dt.timedelta(minutes=len(answers) - number),
            response_status=status,
            error="" if status else "no answer within 10 seconds",
            milliseconds=1_234,
            headers={"webhook-id": str(made.public_id), "webhook-signature": "v1,abc"},
        )
    return made


def act_url(obj: Endpoint | Delivery | Replay, name: str) -> str:
    return reverse(f"admin:{obj._meta.app_label}_{obj._meta.model_name}_{name}", args=[obj.pk])


def test_a_delivery_shows_every_try_and_exactly_what_was_sent(endpoint: Endpoint) -> None:
    made = delivery(endpoint, None, 500, 204)
    page = unescape(signed_in("auditor").get(admin_url(made)).content.decode())
    for words in (
        "no answer within 10 seconds",
        "1,234 ms",
        f"webhook-id: {made.public_id}",
        "webhook-signature: v1,abc",
        '"specversion":"1.0"',
        f'"id":"{made.event_id}"',
    ):
        assert words in page, words
    assert endpoint.secret not in page


def test_a_delivery_costs_the_same_however_often_it_was_tried(endpoint: Endpoint) -> None:
    client = signed_in("auditor")
    costs = []
    for tries in (1, 9):
        made = delivery(endpoint, *[500] * tries)
        client.get(admin_url(made))
        cache.clear()
        with CaptureQueriesContext(connection) as asked:
            assert client.get(admin_url(made)).status_code == 200
        costs.append(len(asked))
    assert costs[0] == costs[1]
    assert costs[0] <= 8


def test_the_list_of_endpoints_shows_how_each_is_doing_at_no_query_more(
    endpoint: Endpoint, admin: Actor
) -> None:
    delivery(endpoint, 500, 500, 204)
    waiting = delivery(endpoint)
    old = timezone.now() - dt.timedelta(hours=30)
    DeliveryAttempt.objects.create(delivery=waiting, at=old, response_status=500, milliseconds=5, headers={})
    Delivery.objects.filter(pk=waiting.pk).update(created_at=old)
    client = signed_in("auditor")
    page = client.get(list_url(Endpoint)).content.decode()
    assert "33.3%" in page
    assert f"{old:%d %b %Y %H:%M}" in page
    cache.clear()
    with CaptureQueriesContext(connection) as few:
        client.get(list_url(Endpoint))
    for number in range(6):
        services.endpoint_create(
            actor=admin, name=f"E{number}", url="https://e.example.test/", types=["notice.sent"]
        )
    cache.clear()
    with CaptureQueriesContext(connection) as many:
        client.get(list_url(Endpoint))
    assert len(many) == len(few)


def test_the_page_of_an_endpoint_says_what_is_wrong_with_it(endpoint: Endpoint) -> None:
    delivery(endpoint, 500, 204, 204, 204)
    delivery(endpoint)
    now = timezone.now()
    Endpoint.objects.update(
        failures=4, failing_since=now - dt.timedelta(hours=5), quiet_until=now + dt.timedelta(minutes=9)
    )
    page = signed_in("auditor").get(admin_url(endpoint)).content.decode()
    for words in ("Failing", "75.0%", "Failing since", "Asked for a rest until", "Oldest waiting"):
        assert words in page, words


def test_a_new_secret_is_shown_once(endpoint: Endpoint) -> None:
    client = signed_in("admin")
    answer = client.post(act_url(endpoint, "rotate"), {"keep_hours": "24", "reason": "yearly"})
    rotated = Endpoint.objects.get()
    assert rotated.secret != endpoint.secret
    assert rotated.secret in unescape(answer.content.decode())
    assert "no-store" in answer.headers["cache-control"]
    page = unescape(client.get(admin_url(endpoint)).content.decode())
    assert rotated.secret not in page
    assert endpoint.secret not in page
    assert "Signed with the former secret too until" in page


@pytest.mark.parametrize("role", ["analyst", "enforcer", "auditor", "launcher"])
def test_others_cannot_rotate_or_replay(endpoint: Endpoint, role: str) -> None:
    client = signed_in(role)
    recorded = Event.objects.count()
    for name in ("rotate", "replay"):
        assert client.post(act_url(endpoint, name), {"reason": "x"}).status_code == 403
    assert Endpoint.objects.get().secret == endpoint.secret
    assert not Replay.objects.exists()
    assert Event.objects.count() == recorded


def test_a_replay_is_asked_for_by_days_followed_and_cancelled(endpoint: Endpoint) -> None:
    client = signed_in("admin")
    today = timezone.now().date()
    answer = client.post(
        act_url(endpoint, "replay"),
        {
            "first_day": f"{today - dt.timedelta(days=2)}",
            "last_day": f"{today}",
            "types": ["penalty.lifted"],
            "reason": "lost its database",
        },
    )
    asked = Replay.objects.get()
    assert answer.headers["location"] == admin_url(asked)
    assert asked.types == ["penalty.lifted"]
    assert asked.since == dt.datetime.combine(today - dt.timedelta(days=2), dt.time(), dt.UTC)
    assert timezone.now() - asked.until < dt.timedelta(minutes=1), "no further than now"
    Delivery.objects.create(
        endpoint=endpoint, event=console_world.event(factories.guild()), replay=asked, status="pending"
    )
    page = client.get(admin_url(asked)).content.decode()
    assert "Under way" in page
    assert "lost its database" in page
    assert act_url(asked, "cancel") in page

    assert client.post(act_url(asked, "cancel"), {"reason": "found it"}).status_code == 302
    page = client.get(admin_url(asked)).content.decode()
    assert "the replay was cancelled" in page
    assert act_url(asked, "cancel") not in page


def test_a_type_the_endpoint_does_not_hear_cannot_be_chosen(endpoint: Endpoint) -> None:
    today = f"{timezone.now().date()}"
    answer = signed_in("admin").post(
        act_url(endpoint, "replay"),
        {"first_day": today, "last_day": today, "types": ["appeal.filed"], "reason": "x"},
    )
    assert answer.status_code == 422
    assert not Replay.objects.exists()


def test_deliveries_are_found_by_type(endpoint: Endpoint) -> None:
    applied = delivery(endpoint, 204)
    lifted = Delivery.objects.create(
        endpoint=endpoint, event=console_world.event(factories.guild(), "penalty.lifted"), status="pending"
    )
    listed = signed_in("auditor").get(f"{list_url(Delivery)}?type=penalty.lifted").context["cl"].result_list
    assert [row.pk for row in listed] == [lifted.pk]
    assert applied.pk != lifted.pk
