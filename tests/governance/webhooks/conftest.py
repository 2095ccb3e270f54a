"""Fixtures; models are imported inside, because this file may be read before Django is set up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from governance.models import Endpoint
    from guilds.accounts.actor import Actor
    from tests.governance.webhooks.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    from tests.governance.webhooks.receiver import Receiver

    made = Receiver()
    yield made
    made.stop()


@pytest.fixture
def admin(db: None) -> Actor:
    from guilds.accounts.actor import Actor
    from tests import factories

    return Actor.staff(factories.staff("admin"))


@pytest.fixture
def endpoint(receiver: Receiver, admin: Actor) -> Endpoint:
    from governance.webhooks import services

    return services.endpoint_create(
        actor=admin,
        name="Enforcement",
        url=receiver.url,
        types=["penalty.applied", "penalty.lifted"],
        allow_private=True,
    )
