"""Receivers: made, paused, given a new secret, and put to rest when they no longer answer."""

from __future__ import annotations

import base64
import datetime as dt
import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from governance.ledger.selectors import events_final
from governance.ledger.services import record
from governance.webhooks.enums import WebhookType
from governance.webhooks.models import Endpoint
from governance.webhooks.selectors import endpoint_locked
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, NotAllowed

#: A former secret signs for this long at most: a week is time enough to follow, and a leaked one must end.
KEEP_HOURS_AT_MOST = 168


def new_secret() -> str:
    """A signing secret as Standard Webhooks writes it: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def require_administrator_of_all(actor: Actor) -> None:
    """An endpoint hears of every market, so only who reaches every market may manage one."""
    actor.require_role(Role.ADMIN)
    if actor.market_ids is not None:
        raise NotAllowed("A webhook hears of every market; yours are limited.", code="market_out_of_scope")


def types_checked(types: Sequence[str], known: Sequence[str]) -> list[str]:
    """The types, sorted and each once; InvalidInput when there are none or some are not `known`."""
    unknown = sorted(set(types) - set(known))
    if unknown or not types:
        raise InvalidInput(
            f"Choose among {', '.join(known)}." + (f" Unknown: {', '.join(unknown)}." if unknown else ""),
            field="types",
        )
    return sorted(set(types))


@transaction.atomic
def endpoint_create(
    *, actor: Actor, name: str, url: str, types: Sequence[str], allow_private: bool = False
) -> Endpoint:
    """A new receiver, which gets what happens from now on. Its secret is to be shown once. Records webhook_endpoint.created."""
    require_administrator_of_all(actor)
    types = types_checked(types, WebhookType.values)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise InvalidInput("The address must begin with https:// or http://.", field="url")
    if "@" in parts.netloc:
        raise InvalidInput(
            "Leave the user name out of the address: the signature says who we are.", field="url"
        )
    last = events_final().order_by("-transaction", "-id").values_list("transaction", "id").first() or (0, 0)
    endpoint = Endpoint(
        name=name,
        url=url,
        secret=new_secret(),
        types=types,
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
    require_administrator_of_all(actor)
    endpoint = endpoint_locked(endpoint_id)
    before = {"is_active": endpoint.is_active}
    endpoint.is_active, endpoint.disabled_reason = active, "" if active else reason[:200]
    endpoint.failures, endpoint.failing_since, endpoint.quiet_until = 0, None, None
    endpoint.save(update_fields=["is_active", "disabled_reason", "failures", "failing_since", "quiet_until"])
    act = "webhook_endpoint.resumed" if active else "webhook_endpoint.paused"
    record(actor=actor, act=act, obj=endpoint, before=before, after={"is_active": active}, reason=reason)
    return endpoint


@transaction.atomic
def endpoint_rotate(*, actor: Actor, endpoint_id: int, reason: str, keep_hours: int = 24) -> Endpoint:
    """Give a receiver a new secret, to be shown once. For `keep_hours` the one before it signs as well, then it is forgotten.

    A rotation within that time ends the older secret at once: no more than two are ever in force. Raises InvalidInput (hours
    outside 0 to 168). Records webhook_endpoint.rotated, without either secret.
    """
    require_administrator_of_all(actor)
    if not 0 <= keep_hours <= KEEP_HOURS_AT_MOST:
        raise InvalidInput(f"Give 0 to {KEEP_HOURS_AT_MOST} hours.", field="keep_hours")
    endpoint = endpoint_locked(endpoint_id)
    until = timezone.now() + dt.timedelta(hours=keep_hours)
    endpoint.former_secret, endpoint.former_secret_until = (
        (endpoint.secret, until) if keep_hours else ("", None)
    )
    endpoint.secret = new_secret()
    endpoint.save(update_fields=["secret", "former_secret", "former_secret_until"])
    record(
        actor=actor,
        act="webhook_endpoint.rotated",
        obj=endpoint,
        after={"former_until": until.isoformat() if keep_hours else None},
        reason=reason,
    )
    return endpoint


def endpoint_disable(endpoint: Endpoint, reason: str) -> None:
    """Stop sending to a receiver that is gone, in the caller's transaction. Records webhook_endpoint.paused."""
    endpoint.is_active, endpoint.disabled_reason = False, reason[:200]
    endpoint.save(update_fields=["is_active", "disabled_reason"])
    record(
        actor=Actor.system("webhooks"),
        act="webhook_endpoint.paused",
        obj=endpoint,
        before={"is_active": True},
        after={"is_active": False},
        reason=endpoint.disabled_reason,
    )


@transaction.atomic
def former_secrets_forget(*, now: dt.datetime | None = None) -> int:
    """Forget secrets whose time to sign beside the new one is over; returns how many."""
    return Endpoint.objects.filter(former_secret_until__lte=now or timezone.now()).update(
        former_secret="", former_secret_until=None
    )
