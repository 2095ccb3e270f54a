"""A new secret: shown once, signing beside the former for a while, then alone."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from governance.models import Endpoint, Event
from governance.webhooks import services
from governance.webhooks.selectors import signing_secrets
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput, NotAllowed, NotFound
from tests import factories
from tests.governance.webhooks.receiver import Receiver, deliver, happen

pytestmark = pytest.mark.django_db(transaction=True)


def verifies(secret: str, receiver: Receiver) -> bool:
    headers, body = receiver.requests[-1]
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


def test_both_secrets_verify_until_the_former_ends(
    endpoint: Endpoint, receiver: Receiver, admin: Actor
) -> None:
    old = endpoint.secret
    rotated = services.endpoint_rotate(actor=admin, endpoint_id=endpoint.pk, reason="yearly")
    assert rotated.secret not in ("", old)
    assert rotated.secret.startswith("whsec_")

    happen("penalty.applied", factories.guild())
    deliver()
    signature = receiver.requests[-1][0]["webhook-signature"]
    assert [part[:3] for part in signature.split(" ")] == ["v1,", "v1,"]
    assert verifies(old, receiver)
    assert verifies(rotated.secret, receiver)
    assert not verifies(services.new_secret(), receiver)

    Endpoint.objects.update(former_secret_until=timezone.now())
    happen("penalty.applied", factories.guild())
    deliver()
    assert len(receiver.requests[-1][0]["webhook-signature"].split(" ")) == 1
    assert not verifies(old, receiver)
    assert verifies(rotated.secret, receiver)


def test_the_former_secret_signs_for_as_long_as_was_said_and_is_then_forgotten(
    endpoint: Endpoint, admin: Actor
) -> None:
    old = endpoint.secret
    rotated = services.endpoint_rotate(
        actor=admin, endpoint_id=endpoint.pk, keep_hours=2, reason="the key moved"
    )
    until = rotated.former_secret_until
    assert until is not None
    assert signing_secrets(rotated, until - dt.timedelta(seconds=1)) == (rotated.secret, old)
    assert signing_secrets(rotated, until) == (rotated.secret,)

    assert services.former_secrets_forget(now=until - dt.timedelta(seconds=1)) == 0
    assert services.former_secrets_forget(now=until) == 1
    rotated.refresh_from_db()
    assert (rotated.former_secret, rotated.former_secret_until) == ("", None)


def test_a_second_rotation_ends_the_oldest_secret_and_a_leaked_one_ends_at_once(
    endpoint: Endpoint, admin: Actor
) -> None:
    first = endpoint.secret
    second = services.endpoint_rotate(actor=admin, endpoint_id=endpoint.pk, reason="one").secret
    third = services.endpoint_rotate(actor=admin, endpoint_id=endpoint.pk, reason="two")
    assert signing_secrets(third, timezone.now()) == (third.secret, second)
    leaked = services.endpoint_rotate(actor=admin, endpoint_id=endpoint.pk, keep_hours=0, reason="leaked")
    assert signing_secrets(leaked, timezone.now()) == (leaked.secret,)
    assert len({first, second, third.secret, leaked.secret}) == 4


def test_the_ledger_knows_of_it_and_holds_no_secret(endpoint: Endpoint, admin: Actor) -> None:
    rotated = services.endpoint_rotate(actor=admin, endpoint_id=endpoint.pk, reason="yearly")
    assert rotated.former_secret_until is not None
    event = Event.objects.get(act="webhook_endpoint.rotated")
    assert event.after == {"former_until": rotated.former_secret_until.isoformat()}
    assert event.reason == "yearly"
    for secret in (rotated.secret, rotated.former_secret):
        assert secret not in str(event.after) + str(event.before)


@pytest.mark.parametrize("hours", [-1, 169])
def test_hours_out_of_bounds_are_refused(endpoint: Endpoint, admin: Actor, hours: int) -> None:
    recorded = Event.objects.count()
    with pytest.raises(InvalidInput):
        services.endpoint_rotate(actor=admin, endpoint_id=endpoint.pk, keep_hours=hours, reason="x")
    kept = Endpoint.objects.get()
    assert (kept.secret, kept.former_secret) == (endpoint.secret, "")
    assert Event.objects.count() == recorded


@pytest.mark.parametrize("roles", [("enforcer", "auditor"), ("admin",)])
def test_only_an_administrator_of_every_market_rotates(roles: tuple[str, ...], endpoint: Endpoint) -> None:
    markets = [factories.market()] if "admin" in roles else None
    actor = Actor.staff(factories.staff(*roles, markets=markets))
    recorded = Event.objects.count()
    with pytest.raises(NotAllowed):
        services.endpoint_rotate(actor=actor, endpoint_id=endpoint.pk, reason="x")
    assert Endpoint.objects.get().secret == endpoint.secret
    assert Event.objects.count() == recorded


def test_an_endpoint_that_is_not_there_is_not_found(admin: Actor) -> None:
    with pytest.raises(NotFound):
        services.endpoint_rotate(actor=admin, endpoint_id=0, reason="x")
