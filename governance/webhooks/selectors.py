"""Questions about deliveries: which may be sent now, under which id, what is in them, and how a receiver is doing."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Subquery

from governance.ledger.models import Event
from governance.webhooks.enums import DeliveryStatus
from governance.webhooks.models import Delivery, DeliveryAttempt, Endpoint
from guilds.errors import NotFound


def deliveries_sendable(now: dt.datetime) -> QuerySet[Delivery]:
    """Pending deliveries whose time has come and that nothing older of the same guild and endpoint is waiting before.

    Deliveries of no guild have no order. Receivers that are paused or asked for a rest get nothing.
    """
    older = Delivery.objects.filter(
        endpoint_id=OuterRef("endpoint_id"),
        guild_id=OuterRef("guild_id"),
        status=DeliveryStatus.PENDING,
        pk__lt=OuterRef("pk"),
    )
    return (
        Delivery.objects.filter(~Exists(older), status=DeliveryStatus.PENDING, next_attempt_at__lte=now)
        .filter(_open_to_us(now, "endpoint__"))
        .order_by("pk")
    )


def endpoints_due(now: dt.datetime) -> list[Endpoint]:
    """Receivers for which something may be due, those that work before those that fail."""
    due = Delivery.objects.filter(
        endpoint_id=OuterRef("pk"), status=DeliveryStatus.PENDING, next_attempt_at__lte=now
    )
    return list(Endpoint.objects.filter(_open_to_us(now), Exists(due)).order_by("failures", "pk"))


def _open_to_us(now: dt.datetime, prefix: str = "") -> Q:
    rested = Q(**{f"{prefix}quiet_until": None}) | Q(**{f"{prefix}quiet_until__lte": now})
    return rested & Q(**{f"{prefix}is_active": True})


def first_message_id(endpoint: Endpoint, event_id: int) -> uuid.UUID:
    """The id under which an endpoint first hears of an event, however often it is asked for."""
    return uuid.uuid5(endpoint.public_id, str(event_id))


def with_message_id(deliveries: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """The deliveries, each with the id of the first delivery of its event to its endpoint, if there is one."""
    first = Delivery.objects.filter(
        endpoint_id=OuterRef("endpoint_id"), event_id=OuterRef("event_id"), replay=None
    )
    return deliveries.annotate(first_public_id=Subquery(first.values("public_id")[:1]))


def message_id(delivery: Delivery) -> str:
    """The `webhook-id`: the same for every try and every replay of an event to an endpoint, so that receivers can dedupe."""
    if delivery.replay_id is None:
        return str(delivery.public_id)
    if not hasattr(delivery, "first_public_id"):
        delivery = with_message_id(Delivery.objects.select_related("endpoint")).get(pk=delivery.pk)
    first: uuid.UUID | None = delivery.first_public_id  # type: ignore[attr-defined]
    return str(first or first_message_id(delivery.endpoint, delivery.event_id))


def signing_secrets(endpoint: Endpoint, now: dt.datetime) -> tuple[str, ...]:
    """The secrets to sign with: the new one, and after a rotation the former until its time is over."""
    until = endpoint.former_secret_until
    if endpoint.former_secret and until is not None and until > now:
        return endpoint.secret, endpoint.former_secret
    return (endpoint.secret,)


def cloudevent(event: Event) -> dict[str, Any]:
    """A ledger event as a CloudEvent. What an actor wrote as an internal reason stays inside."""
    return {
        "specversion": "1.0",
        "id": str(event.pk),
        "source": "/guildhall",
        "type": event.act,
        "subject": event.object_id,
        "time": event.at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {
            "object": event.object_type,
            "id": event.object_id,
            "guild": event.guild.external_id if event.guild else None,
            "market": event.market.code if event.market else None,
            **event.after,
        },
    }


def body_of(event: Event) -> str:
    """The body of a delivery, byte for byte the same at every try."""
    return json.dumps(cloudevent(event), separators=(",", ":"), ensure_ascii=False)


def endpoint_locked(endpoint_id: int) -> Endpoint:
    """The endpoint under its row lock; NotFound when there is none."""
    found = Endpoint.objects.select_for_update(of=("self",)).filter(pk=endpoint_id).first()
    if found is None:
        raise NotFound("There is no such endpoint.")
    return found


@dataclass(frozen=True)
class Health:
    """How a receiver did lately: tries and answers of the kind 2xx within the last day, and what waits the longest."""

    tries: int
    succeeded: int
    pending: int
    oldest_pending: dt.datetime | None

    @property
    def success_rate(self) -> float | None:
        return self.succeeded / self.tries if self.tries else None


def endpoint_health(endpoint: Endpoint, now: dt.datetime) -> Health:
    """Two questions, however much was delivered before."""
    tries = DeliveryAttempt.objects.filter(
        at__gt=now - dt.timedelta(days=1), delivery__endpoint=endpoint
    ).aggregate(tried=Count("pk"), good=Count("pk", filter=Q(response_status__range=(200, 299))))
    waiting = Delivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING).aggregate(
        pending=Count("pk"), oldest=Min("created_at")
    )
    return Health(tries["tried"], tries["good"], waiting["pending"], waiting["oldest"])
