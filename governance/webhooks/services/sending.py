"""Deliveries: queued from the ledger, claimed in a short transaction, sent outside any, settled in another."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils import timezone

from governance.ledger.models import Event
from governance.ledger.selectors import events_final
from governance.ledger.services import record
from governance.webhooks import transitions
from governance.webhooks.enums import DeliveryStatus, WebhookType
from governance.webhooks.models import Delivery, DeliveryAttempt, Endpoint
from governance.webhooks.selectors import (
    body_of,
    deliveries_sendable,
    endpoint_locked,
    endpoints_due,
    first_message_id,
    message_id,
    signing_secrets,
    with_message_id,
)
from governance.webhooks.services.endpoints import endpoint_disable, require_administrator_of_all
from governance.webhooks.transport import Answer, Undeliverable, post, signed_headers
from guilds.accounts.actor import Actor
from guilds.errors import InvalidTransition
from guilds.nudges import nudge

#: Seconds to wait after each failed attempt; 24 h 14 min in all, then the delivery has failed and waits for a person.
RETRY_LADDER = (10, 60, 300, 900, 3600, 7200, 14400, 28800, 32000)
#: A receiver that answers 429 or 503 may ask for a rest of up to this long.
REST_AT_MOST = dt.timedelta(hours=1)
#: How long a claimed delivery is left alone: longer than any attempt takes, so a killed worker's claim simply runs out.
LEASE = dt.timedelta(seconds=60)
#: A receiver of which every try failed for this long, and as many times as one delivery is tried, is disabled.
GIVEN_UP_AFTER = dt.timedelta(days=3)
#: Attempts under way at once, in all and to one receiver; one that failed last is asked one at a time.
THREADS = 16
PER_ENDPOINT = 4
#: One run takes on new attempts for so long, then makes room for other tasks.
SECONDS = 15.0
#: The advisory lock of the one process that sends: several would share a receiver's places without knowing.
SEND_LOCK = 7_170_031
TRIES_KEPT = dt.timedelta(days=30)


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
            [
                Delivery(
                    public_id=first_message_id(endpoint, event.pk),
                    endpoint=endpoint,
                    event=event,
                    guild_id=event.guild_id,
                    next_attempt_at=now,
                )
                for event in events
            ],
            ignore_conflicts=True,
            batch_size=500,
        )
        endpoint.last_transaction, endpoint.last_event = events[-1].transaction, events[-1].pk
        endpoint.save(update_fields=["last_transaction", "last_event"])
        created += len(events)
    return created


@dataclass(frozen=True)
class Attempt:
    """One claimed delivery, ready to be sent without a look into the database."""

    delivery_id: int
    endpoint_id: int
    url: str
    allow_private: bool
    body: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Result:
    """What came of it: an answer, or why there was none."""

    at: dt.datetime
    milliseconds: int
    answer: Answer | None = None
    error: str = ""

    @property
    def status(self) -> int | None:
        return self.answer.status if self.answer else None

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@transaction.atomic
def _claim(endpoint_id: int, limit: int, now: dt.datetime) -> list[Attempt]:
    """Take up to `limit` sendable deliveries of one endpoint, signed for sending now."""
    due = list(
        with_message_id(deliveries_sendable(now))
        .filter(endpoint_id=endpoint_id)
        .select_for_update(of=("self",), skip_locked=True)
        .select_related("endpoint", "event__guild", "event__market")[:limit]
    )
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in due]).update(next_attempt_at=now + LEASE)
    signed_at = timezone.now()
    attempts = []
    for delivery in due:
        endpoint, body = delivery.endpoint, body_of(delivery.event)
        headers = signed_headers(
            secrets=signing_secrets(endpoint, now),
            message_id=message_id(delivery),
            body=body,
            now=signed_at,
        )
        attempts.append(
            Attempt(delivery.pk, endpoint.pk, endpoint.url, endpoint.allow_private, body, headers)
        )
    return attempts


def _send(attempt: Attempt) -> Result:
    """One try, in a thread of its own: no database here."""
    at, begun = timezone.now(), time.monotonic()
    answer, error = None, ""
    try:
        answer = post(
            attempt.url, body=attempt.body, headers=attempt.headers, allow_private=attempt.allow_private
        )
    except Undeliverable as failure:
        error = str(failure)
    return Result(at, round((time.monotonic() - begun) * 1000), answer, error)


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether this process is the one that sends, until the end of the block. The lock dies with the connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [SEND_LOCK])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [SEND_LOCK])


def deliveries_send_due(
    *, limit: int = 1_000, now: dt.datetime | None = None, seconds: float = SECONDS
) -> int:
    """Claim, send and settle up to `limit` deliveries within about `seconds`; returns how many were tried.

    Several go out at once, to one receiver at most PER_ENDPOINT, so that a slow one holds up only its own. At least once: a
    worker killed between the answer and its settling sends again under the same `webhook-id`. Returns 0 when another process
    is at it. `now` stands still when given.
    """
    with _alone() as mine:
        if not mine:
            return 0
        share = {
            endpoint.pk: 1 if endpoint.failures else PER_ENDPOINT
            for endpoint in endpoints_due(now or timezone.now())
        }
        hungry = list(share)
        running: dict[Future[Result], Attempt] = {}
        tried, until = 0, time.monotonic() + seconds
        with ThreadPoolExecutor(THREADS, thread_name_prefix="webhook") as pool:
            while True:
                busy = Counter(attempt.endpoint_id for attempt in running.values())
                for endpoint_id in list(hungry) if time.monotonic() < until else ():
                    room = min(
                        share[endpoint_id] - busy[endpoint_id],
                        THREADS - len(running),
                        limit - tried - len(running),
                    )
                    if room <= 0:
                        continue
                    claimed = _claim(endpoint_id, room, now or timezone.now())
                    running |= {pool.submit(_send, attempt): attempt for attempt in claimed}
                    if len(claimed) < room:
                        hungry.remove(endpoint_id)
                if not running:
                    return tried
                done, _pending = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    attempt, result = running.pop(future), future.result()
                    _settle(attempt, result, now=now or timezone.now())
                    tried += 1
                    share[attempt.endpoint_id] = PER_ENDPOINT if result.succeeded else 1
                    if attempt.endpoint_id not in hungry:
                        hungry.append(attempt.endpoint_id)


@transaction.atomic
def _settle(attempt: Attempt, result: Result, *, now: dt.datetime) -> None:
    """Write down how an attempt went: delivered on 2xx, endpoint disabled on 410, else the next rung of the ladder.

    A delivery that was called off meanwhile stays so. Locks the delivery, then the endpoint where that changes.
    """
    delivery = (
        Delivery.objects.select_for_update(of=("self",))
        .select_related("endpoint")
        .get(pk=attempt.delivery_id)
    )
    DeliveryAttempt.objects.create(
        delivery=delivery,
        at=result.at,
        response_status=result.status,
        error=result.error[:300],
        milliseconds=result.milliseconds,
        headers=attempt.headers,
    )
    rest = _rest_asked(result)
    if delivery.status == DeliveryStatus.PENDING:
        delivery.attempts += 1
        delivery.response_status = result.status
        delivery.error = "" if result.succeeded else (result.error or f"answered {result.status}")[:300]
        if result.succeeded:
            delivery.status, delivery.delivered_at = DeliveryStatus.DELIVERED, now
            delivery.next_attempt_at = None
        elif result.status == 410 or delivery.attempts > len(RETRY_LADDER):
            delivery.status, delivery.next_attempt_at = DeliveryStatus.FAILED, None
        else:
            rung = dt.timedelta(seconds=RETRY_LADDER[delivery.attempts - 1])
            delivery.next_attempt_at = now + max(rung, rest or rung)
        delivery.save()
    _note(delivery.endpoint, result, rest, now)


def _rest_asked(result: Result) -> dt.timedelta | None:
    """How long the receiver wants to be left alone, no longer than REST_AT_MOST."""
    if result.answer is None or result.status not in (429, 503) or not result.answer.retry_after:
        return None
    return min(dt.timedelta(seconds=min(result.answer.retry_after, 86_400.0)), REST_AT_MOST)


def _note(seen: Endpoint, result: Result, rest: dt.timedelta | None, now: dt.datetime) -> None:
    """Keep what a try says about the receiver itself; a working one that goes on working is not touched."""
    if result.succeeded and not seen.failures:
        return
    endpoint = endpoint_locked(seen.pk)
    if result.succeeded:
        endpoint.failures, endpoint.failing_since = 0, None
    else:
        endpoint.failures += 1
        endpoint.failing_since = endpoint.failing_since or now
    if rest is not None:
        endpoint.quiet_until = now + rest
    endpoint.save(update_fields=["failures", "failing_since", "quiet_until"])
    if result.succeeded or not endpoint.is_active or endpoint.failing_since is None:
        return
    since = endpoint.failing_since
    if result.status == 410:
        endpoint_disable(endpoint, "The receiver answered 410 Gone.")
    elif endpoint.failures > len(RETRY_LADDER) and since <= now - GIVEN_UP_AFTER:
        endpoint_disable(
            endpoint, f"Every try failed since {since:%Y-%m-%d %H:%M} UTC; {endpoint.failures} in a row."
        )


@transaction.atomic
def delivery_retry(*, actor: Actor, delivery_id: int, reason: str) -> Delivery:
    """Send a failed delivery again from the first rung. Records webhook_delivery.retried."""
    require_administrator_of_all(actor)
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


@transaction.atomic
def tries_forget(*, now: dt.datetime | None = None) -> int:
    """Drop the tries of more than 30 days ago, which nobody asks about any more; returns how many."""
    oldest = (now or timezone.now()) - TRIES_KEPT
    return DeliveryAttempt.objects.filter(at__lt=oldest).delete()[0]
