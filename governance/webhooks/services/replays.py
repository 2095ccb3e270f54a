"""Replays: what happened in a period, sent to an endpoint once more from the ledger, in batches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from governance.ledger.models import Event
from governance.ledger.selectors import events_final
from governance.ledger.services import record
from governance.webhooks import transitions
from governance.webhooks.enums import DeliveryStatus
from governance.webhooks.models import Delivery, Replay
from governance.webhooks.selectors import endpoint_locked
from governance.webhooks.services.endpoints import require_administrator_of_all, types_checked
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotFound
from guilds.nudges import nudge

#: Deliveries of one replay that wait at a time: the next are queued when these are settled, so cancelling takes hold soon.
BATCH = 200


@transaction.atomic
def replay_ask(
    *,
    actor: Actor,
    endpoint_id: int,
    since: dt.datetime,
    until: dt.datetime,
    reason: str,
    types: Sequence[str] | None = None,
) -> Replay:
    """Have every event with since ≤ t < until sent again to an endpoint: of all its types, or of some of them.

    Sent under the `webhook-id` of the first time, in the order of the ledger. Raises InvalidInput (types it does not hear, a
    period that ends before it begins or in the future), Conflict (another replay is under way). Records webhook_replay.asked.
    """
    require_administrator_of_all(actor)
    endpoint = endpoint_locked(endpoint_id)
    now = timezone.now()
    chosen = types_checked(endpoint.types if types is None else types, endpoint.types)
    if until <= since:
        raise InvalidInput("The end must come after the beginning.", field="until")
    if until > now:
        raise InvalidInput("What has not happened yet cannot be replayed.", field="until")
    if endpoint.replays.filter(finished_at=None, cancelled_at=None).exists():
        raise Conflict(
            "A replay to this endpoint is under way. Wait for it to end, or cancel it.", code="under_way"
        )
    replay = Replay.objects.create(
        endpoint=endpoint,
        since=since,
        until=until,
        types=chosen,
        reason=reason,
        asked_by_id=actor.user_id,
        asked_at=now,
    )
    record(
        actor=actor,
        act="webhook_replay.asked",
        obj=replay,
        after={
            "endpoint": str(endpoint.public_id),
            "since": since.isoformat(),
            "until": until.isoformat(),
            "types": chosen,
        },
        reason=reason,
    )
    nudge("governance.webhooks.dispatch")
    return replay


@transaction.atomic
def replay_cancel(*, actor: Actor, replay_id: int, reason: str) -> Replay:
    """Stop a replay: nothing more is queued, and what is queued is not sent. Records webhook_replay.cancelled.

    Raises NotFound, and InvalidTransition when it is cancelled already or nothing of it waits any more.
    """
    require_administrator_of_all(actor)
    replay = Replay.objects.select_for_update(of=("self",)).filter(pk=replay_id).first()
    if replay is None:
        raise NotFound("There is no such replay.")
    transitions.check(DeliveryStatus.PENDING, DeliveryStatus.CANCELLED)
    waiting = replay.deliveries.filter(status=DeliveryStatus.PENDING)
    if replay.cancelled_at is not None or (replay.finished_at is not None and not waiting.exists()):
        raise InvalidTransition("The replay is over: there is nothing to cancel.")
    replay.cancelled_at = timezone.now()
    replay.save(update_fields=["cancelled_at"])
    stopped = waiting.update(
        status=DeliveryStatus.CANCELLED, next_attempt_at=None, error="the replay was cancelled"
    )
    record(
        actor=actor,
        act="webhook_replay.cancelled",
        obj=replay,
        after={"queued": replay.queued, "stopped": stopped},
        reason=reason,
    )
    return replay


@transaction.atomic
def replays_go_on(*, limit: int = BATCH) -> int:
    """Queue the next batch of every replay whose last one is settled; returns how many deliveries were queued."""
    queued = 0
    under_way = Replay.objects.select_for_update(of=("self",), skip_locked=True).filter(
        finished_at=None, cancelled_at=None, endpoint__is_active=True
    )
    for replay in under_way.order_by("pk"):
        if replay.deliveries.filter(status=DeliveryStatus.PENDING).exists():
            continue
        events: list[Event] = list(
            events_final()
            .after(replay.last_transaction, replay.last_event)
            .filter(act__in=replay.types, at__gte=replay.since, at__lt=replay.until)[:limit]
        )
        now = timezone.now()
        Delivery.objects.bulk_create(
            [
                Delivery(
                    endpoint_id=replay.endpoint_id,
                    event=event,
                    guild_id=event.guild_id,
                    replay=replay,
                    next_attempt_at=now,
                )
                for event in events
            ],
            ignore_conflicts=True,
            batch_size=500,
        )
        if events:
            replay.last_transaction, replay.last_event = events[-1].transaction, events[-1].pk
        if len(events) < limit:
            replay.finished_at = now
        replay.queued += len(events)
        replay.save(update_fields=["last_transaction", "last_event", "queued", "finished_at"])
        queued += len(events)
    return queued
