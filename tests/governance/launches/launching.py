"""What the tests of launches share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from governance.launches.models import Announcement, Gate, Launch, Wave
from governance.models import Event, LivePeriod, Notice, RuleVersion
from guilds.accounts.actor import Actor
from guilds.models import User
from tests import factories

SYSTEM = Actor.system("launches")
TABLES = (Launch, Gate, Wave, Announcement, LivePeriod, Notice, RuleVersion, Event)


def everything() -> list[Any]:
    """Every row a launch could touch, and every event."""
    return [list(model._default_manager.order_by("pk").values()) for model in TABLES] + [
        list(Wave.markets.through.objects.order_by("pk").values())
    ]


@contextmanager
def nothing_changes() -> Iterator[None]:
    before = everything()
    yield
    assert everything() == before


def launcher(**fields: Any) -> Actor:
    return Actor.staff(factories.staff("launcher", **fields))


def acting(user: User) -> Actor:
    return Actor.staff(user)


def send_all(send: Callable[[], int]) -> int:
    """Everything there is to send, as the worker would."""
    total = 0
    while done := send():
        total += done
    return total
