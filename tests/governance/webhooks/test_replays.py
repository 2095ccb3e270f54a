"""Replays from the ledger: the same ids, the order of the ledger, in batches, and stopped when asked."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.models import Delivery, Endpoint, Event, Replay
from governance.webhooks import services
from governance.webhooks.selectors import first_message_id
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed
from tests import factories
from tests.governance.webhooks.receiver import Inbox, Receiver, deliver, happen

pytestmark = pytest.mark.django_db(transaction=True)


def replay(endpoint: Endpoint, actor: Actor, **fields: Any) -> Replay:
    now = timezone.now()
    given = {"since": now - dt.timedelta(days=1), "until": now, "reason": "lost its database", **fields}
    return services.replay_ask(actor=actor, endpoint_id=endpoint.pk, **given)


def test_a_receiver_that_has_everything_can_pass_over_a_replay(
    endpoint: Endpoint, receiver: Receiver, admin: Actor
) -> None:
    guild = factories.guild("guild-a")
    for act in ("penalty.applied", "penalty.lifted", "penalty.applied", "penalty.reversed"):
        happen(act, guild)
    deliver()
    first = list(receiver.seen)
    asked = replay(endpoint, admin)
    deliver()

    assert receiver.seen == first + first, "the same ids in the same order"
    inbox = Inbox(endpoint.secret)
    for headers, body in receiver.requests:
        inbox.take(headers, body)
    assert (len(inbox.taken), inbox.repeated) == (3, 3)
    asked.refresh_from_db()
    assert asked.queued == 3
    assert asked.finished_at is not None
    assert asked.deliveries.filter(status="delivered").count() == 3


def test_what_was_never_delivered_gets_the_id_it_would_have_had(
    endpoint: Endpoint, receiver: Receiver, admin: Actor
) -> None:
    happen("penalty.applied", factories.guild())
    event = Event.objects.get(act="penalty.applied")
    replay(endpoint, admin)
    services.replays_go_on()
    services.deliveries_send_due()
    assert [seen[2] for seen in receiver.seen] == [str(first_message_id(endpoint, event.pk))]
    deliver()
    assert len({seen[2] for seen in receiver.seen}) == 1
    assert len(receiver.seen) == 2


def test_only_the_types_and_the_time_that_were_asked_for(
    endpoint: Endpoint, receiver: Receiver, admin: Actor
) -> None:
    guild = factories.guild()
    for act in ("penalty.applied", "penalty.lifted", "penalty.applied"):
        happen(act, guild)
    deliver()
    events = list(Event.objects.filter(act__startswith="penalty.").order_by("id"))
    del receiver.requests[:]
    replay(endpoint, admin, types=["penalty.lifted"])
    deliver()
    assert [seen[1] for seen in receiver.seen] == ["penalty.lifted"]
    del receiver.requests[:]
    replay(endpoint, admin, since=events[0].at, until=events[2].at)
    deliver()
    assert [seen[1] for seen in receiver.seen] == ["penalty.applied", "penalty.lifted"], (
        "until is not included"
    )


def test_it_goes_in_batches_and_keeps_each_guilds_order(
    endpoint: Endpoint, receiver: Receiver, admin: Actor
) -> None:
    one, other = factories.guild("one"), factories.guild("other")
    for _ in range(3):
        for guild in (one, other):
            happen("penalty.applied", guild)
            happen("penalty.lifted", guild)
    deliver()
    del receiver.requests[:]
    asked = replay(endpoint, admin)
    assert services.replays_go_on(limit=5) == 5
    assert services.replays_go_on(limit=5) == 0, "the last batch is settled first"
    asked.refresh_from_db()
    assert (asked.queued, asked.finished_at) == (5, None)
    receiver.answers = [500]
    now = timezone.now()
    for _ in range(9):
        now += dt.timedelta(seconds=120)
        services.deliveries_send_due(now=now)
        services.replays_go_on(limit=5)
    asked.refresh_from_db()
    assert asked.queued == 12
    assert asked.deliveries.filter(status="delivered").count() == 12
    for name in ("one", "other"):
        told = [(message, kind) for guild_id, kind, message in receiver.seen if guild_id == name]
        # The second try of a message comes right after the first: nothing of the guild goes in between.
        settled = [kind for i, (message, kind) in enumerate(told) if i == 0 or message != told[i - 1][0]]
        assert settled == ["penalty.applied", "penalty.lifted"] * 3
    assert len(receiver.seen) == 13, "twelve, and one of them twice"


def test_cancelling_sends_nothing_more(endpoint: Endpoint, receiver: Receiver, admin: Actor) -> None:
    guild = factories.guild()
    for _ in range(6):
        happen("penalty.applied", guild)
    deliver()
    del receiver.requests[:]
    asked = replay(endpoint, admin)
    services.replays_go_on(limit=3)
    services.deliveries_send_due(limit=1)
    services.replay_cancel(actor=admin, replay_id=asked.pk, reason="found the backup")
    deliver()
    assert len(receiver.requests) == 1
    asked.refresh_from_db()
    assert (asked.queued, asked.finished_at) == (3, None)
    assert sorted(asked.deliveries.values_list("status", flat=True)) == [
        "cancelled",
        "cancelled",
        "delivered",
    ]
    event = Event.objects.get(act="webhook_replay.cancelled")
    assert (event.after, event.reason) == ({"queued": 3, "stopped": 2}, "found the backup")

    with pytest.raises(InvalidTransition):
        services.replay_cancel(actor=admin, replay_id=asked.pk, reason="again")
    assert Event.objects.filter(act="webhook_replay.cancelled").count() == 1
    assert replay(endpoint, admin).pk != asked.pk, "another may begin"


def test_a_finished_replay_cannot_be_cancelled(endpoint: Endpoint, admin: Actor) -> None:
    asked = replay(endpoint, admin)
    deliver()
    with pytest.raises(InvalidTransition):
        services.replay_cancel(actor=admin, replay_id=asked.pk, reason="too late")
    asked.refresh_from_db()
    assert asked.cancelled_at is None


def test_one_replay_at_a_time_for_an_endpoint(endpoint: Endpoint, admin: Actor) -> None:
    replay(endpoint, admin)
    recorded = Event.objects.count()
    with pytest.raises(Conflict):
        replay(endpoint, admin)
    assert Replay.objects.count() == 1
    assert Event.objects.count() == recorded


def test_a_paused_endpoint_keeps_its_replay_waiting(
    endpoint: Endpoint, receiver: Receiver, admin: Actor
) -> None:
    happen("penalty.applied", factories.guild())
    deliver()
    asked = replay(endpoint, admin)
    services.endpoint_set_active(actor=admin, endpoint_id=endpoint.pk, active=False, reason="moving house")
    deliver()
    asked.refresh_from_db()
    assert (asked.queued, len(receiver.requests)) == (0, 1)
    services.endpoint_set_active(actor=admin, endpoint_id=endpoint.pk, active=True, reason="moved")
    deliver()
    assert len(receiver.requests) == 2


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"types": ["penalty.reversed"]}, "types"),
        ({"types": []}, "types"),
        ({"until": timezone.now() + dt.timedelta(days=1)}, "until"),
        ({"since": timezone.now(), "until": timezone.now() - dt.timedelta(days=1)}, "until"),
    ],
    ids=["not heard", "nothing", "the future", "backwards"],
)
def test_what_cannot_be_replayed_is_refused(
    endpoint: Endpoint, admin: Actor, fields: dict[str, Any], fault: str
) -> None:
    recorded = Event.objects.count()
    with pytest.raises(InvalidInput) as refusal:
        replay(endpoint, admin, **fields)
    assert [error["field"] for error in refusal.value.errors] == [fault]
    assert not Replay.objects.exists()
    assert Event.objects.count() == recorded


def test_only_an_administrator_of_every_market_replays(endpoint: Endpoint, admin: Actor) -> None:
    asked = replay(endpoint, admin)
    recorded = Event.objects.count()
    for roles, markets in (("enforcer",), None), (("admin",), [factories.market()]):
        actor = Actor.staff(factories.staff(*roles, markets=markets))
        with pytest.raises(NotAllowed):
            replay(endpoint, actor)
        with pytest.raises(NotAllowed):
            services.replay_cancel(actor=actor, replay_id=asked.pk, reason="x")
    asked.refresh_from_db()
    assert asked.cancelled_at is None
    assert Event.objects.count() == recorded
    assert not Delivery.objects.exists()
