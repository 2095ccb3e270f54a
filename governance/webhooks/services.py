"""Endpoints and deliveries: created from the ledger, claimed in one short transaction, sent outside any, settled in another."""

from __future__ import annotations

import base64
import datetime as dt
import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

import structlog
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from governance.ledger.models import Event
from governance.ledger.selectors import events_final
from governance.ledger.services import record
from governance.webhooks import transitions
from governance.webhooks.enums import DeliveryStatus, WebhookType
from governance.webhooks.models import Delivery, Endpoint
from governance.webhooks.selectors import cloudevent, deliveries_sendable
from governance.webhooks.transport import Undeliverable, post
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, InvalidTransition, NotAllowed
from guilds.nudges import nudge

log = structlog.get_logger(__name__)

#: Seconds to wait after each failed attempt; 24 h 14 min in all, then the delivery has failed and waits for a person.
RETRY_LADDER = (10, 60, 300, 900, 3600, 7200, 14400, 28800, 32000)
#: How long a claimed delivery is left alone: longer than any attempt takes, so a killed worker's claim simply runs out.
LEASE = dt.timedelta(seconds=60)


def new_secret() -> str:
    """A signing secret as Standard Webhooks writes it: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _require_administrator_of_all(actor: Actor) -> None:
    """An endpoint hears of every market, so only who reaches every market may manage one."""
    actor.require_role(Role.ADMIN)
    if actor.market_ids is not None:
        raise NotAllowed("A webhook hears of every market; yours are limited.", code="market_out_of_scope")


@transaction.atomic
def endpoint_create(
    *, actor: Actor, name: str, url: str, types: Sequence[str], allow_private: bool = False
) -> Endpoint:
    """A new receiver, which gets what happens from now on. Its secret is to be shown once. Records webhook_endpoint.created."""
    _require_administrator_of_all(actor)
    unknown = sorted(set(types) - set(WebhookType.values))
    if unknown or not types:
        raise InvalidInput(
            f"Choose among {', '.join(WebhookType.values)}."
            + (f" Unknown: {', '.join(unknown)}." if unknown else ""),
            field="types",
        )
    if urlsplit(url).scheme not in ("http", "https"):
        raise InvalidInput("The address must begin with https:// or http://.", field="url")
    last = events_final().order_by("-transaction", "-id").values_list("transaction", "id").first() or (0, 0)
    endpoint = Endpoint(
        name=name,
        url=url,
        secret=new_secret(),
        types=sorted(set(types)),
        allow_private=allow_private,
        last_transaction=last[0],
        last_event=last[1],
    )
    try:
        endpoint.full_clean()
    except ValidationError as error:
        faults = [{"field": field, "message": " ".join(words)} for field, words in error.message_dict.items()]
        raise InvalidInput("The endpoint has faults.", errors=faults) from error
    endpoint.save()
    record(
        actor=actor, act="webhook_endpoint.created", obj=endpoint, after={"url": url, "types": endpoint.types}
    )
    return endpoint


@transaction.atomic
def endpoint_set_active(*, actor: Actor, endpoint_id: int, active: bool, reason: str) -> Endpoint:
    """Pause or resume a receiver. What happens meanwhile waits in the ledger. Records webhook_endpoint.paused or .resumed."""
    _require_administrator_of_all(actor)
    endpoint = Endpoint.objects.select_for_update(of=("self",)).get(pk=endpoint_id)
    before = {"is_active": endpoint.is_active}
    endpoint.is_active, endpoint.disabled_reason = active, "" if active else reason[:200]
    endpoint.save(update_fields=["is_active", "disabled_reason"])
    act = "webhook_endpoint.resumed" if active else "webhook_endpoint.paused"
    record(actor=actor, act=act, obj=endpoint, before=before, after={"is_active": active}, reason=reason)
    return endpoint


@transaction.atomic
def deliveries_create_due(*, limit: int = 500) -> int:
    """Queue a delivery for every final ledger event an endpoint wants, up to `limit` events each; returns how many."""
    created = 0
    horizon = events_final().filter(act__in=WebhookType.values)
    for endpoint in Endpoint.objects.select_for_update(of=("self",), skip_locked=True).filter(is_active=True):
        events: list[Event] = list(
            horizon.after(endpoint.last_transaction, endpoint.last_event).filter(act__in=endpoint.types)[
                :limit
            ]
        )
        if not events:
            continue
        now = timezone.now()
        Delivery.objects.bulk_create(
            [Delivery(endpoint=endpoint, event=event, next_attempt_at=now) for event in events],
            ignore_conflicts=True,
            batch_size=500,
        )
        endpoint.last_transaction, endpoint.last_event = events[-1].transaction, events[-1].pk
        endpoint.save(update_fields=["last_transaction", "last_event"])
        created += len(events)
    return created


@transaction.atomic
def _claim(limit: int, now: dt.datetime) -> list[Delivery]:
    due = list(
        deliveries_sendable(now)
        .select_for_update(of=("self",), skip_locked=True)
        .select_related("endpoint", "event__guild", "event__market")[:limit]
    )
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in due]).update(next_attempt_at=now + LEASE)
    return due


def deliveries_send_due(*, limit: int = 20, now: dt.datetime | None = None) -> int:
    """Claim, send and settle up to `limit` deliveries; returns how many were tried.

    At least once: a worker killed between the answer and its settling sends again under the same `webhook-id`.
    """
    due = _claim(limit, now or timezone.now())
    for delivery in due:
        endpoint = delivery.endpoint
        try:
            answer = post(
                endpoint.url,
                secret=endpoint.secret,
                message_id=str(delivery.public_id),
                payload=cloudevent(delivery.event),
                allow_private=endpoint.allow_private,
            )
        except Undeliverable as error:
            _settle(delivery.pk, status=None, error=str(error))
        else:
            _settle(delivery.pk, status=answer.status, error="")
    return len(due)


@transaction.atomic
def _settle(delivery_id: int, *, status: int | None, error: str) -> None:
    """Write down how an attempt went: delivered on 2xx, endpoint paused on 410, else the next rung of the ladder."""
    delivery = Delivery.objects.select_for_update(of=("self",)).select_related("endpoint").get(pk=delivery_id)
    if delivery.status != DeliveryStatus.PENDING:
        return
    now = timezone.now()
    delivery.attempts += 1
    delivery.response_status = status
    delivery.error = error or ("" if status and 200 <= status < 300 else f"answered {status}")
    if status is not None and 200 <= status < 300:
        delivery.status, delivery.delivered_at, delivery.next_attempt_at = DeliveryStatus.DELIVERED, now, None
    elif status == 410 or delivery.attempts > len(RETRY_LADDER):
        delivery.status, delivery.next_attempt_at = DeliveryStatus.FAILED, None
    else:
        delivery.next_attempt_at = now + dt.timedelta(seconds=RETRY_LADDER[delivery.attempts - 1])
    delivery.save()
    if status == 410 and delivery.endpoint.is_active:
        endpoint = delivery.endpoint
        endpoint.is_active, endpoint.disabled_reason = False, "The receiver answered 410 Gone."
        endpoint.save(update_fields=["is_active", "disabled_reason"])
        record(
            actor=Actor.system("webhooks"),
            act="webhook_endpoint.paused",
            obj=endpoint,
            after={"is_active": False},
            reason=endpoint.disabled_reason,
        )


@transaction.atomic
def delivery_retry(*, actor: Actor, delivery_id: int, reason: str) -> Delivery:
    """Send a failed delivery again from the first rung. Records webhook_delivery.retried."""
    _require_administrator_of_all(actor)
    delivery = Delivery.objects.select_for_update(of=("self",)).select_related("endpoint").get(pk=delivery_id)
    if delivery.status != DeliveryStatus.FAILED:
        raise InvalidTransition("Only a failed delivery can be sent again.")
    transitions.check(delivery.status, DeliveryStatus.PENDING)
    delivery.status, delivery.attempts, delivery.next_attempt_at = DeliveryStatus.PENDING, 0, timezone.now()
    delivery.save()
    record(
        actor=actor,
        act="webhook_delivery.retried",
        obj=delivery.endpoint,
        after={"delivery": str(delivery.public_id)},
        reason=reason,
    )
    nudge("governance.webhooks.dispatch")
    return delivery
