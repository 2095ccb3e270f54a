"""What the services of launches have in common: who may act, and small steps that several acts take."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from governance.launches.enums import LaunchStatus
from governance.launches.models import Launch, Wave
from governance.launches.selectors import OPEN_LAUNCHES
from governance.rules.enums import VersionStatus
from governance.rules.models import RuleVersion
from governance.rules.services import move
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, InvalidTransition, NotAllowed
from guilds.models import Market, User


def require_person(actor: Actor, *roles: str) -> int:
    """The key of the member of staff who acts. A launch is planned, signed and decided by people, never by the platform."""
    if actor.kind != "staff" or actor.user_id is None:
        raise NotAllowed("This needs a person: the platform cannot do it by itself.", code="person_required")
    actor.require_role(*roles)
    return actor.user_id


def require_reach(actor: Actor, markets: Iterable[Market]) -> None:
    """NotAllowed unless the actor reaches every one of the markets."""
    beyond = sorted(market.code for market in markets if not actor.sees_market(market.pk))
    if beyond:
        raise NotAllowed(f"Outside your markets: {', '.join(beyond)}.", code="market_out_of_scope")


def require_text(text: str, *, field: str = "reason", message: str = "Give a reason.") -> str:
    if not text.strip():
        raise InvalidInput(message, field=field)
    return text.strip()


def require_open(launch: Launch) -> None:
    if launch.status not in OPEN_LAUNCHES:
        raise InvalidTransition(f"This launch is {LaunchStatus(launch.status).label.lower()}.")


def colleague(user_id: int, *, field: str) -> User:
    """A member of staff in office with a role, to answer for something."""
    person = User.objects.filter(pk=user_id, is_active=True, is_staff=True).first()
    if person is None or not (person.is_superuser or person.staff_roles.exists()):
        raise InvalidInput("Choose a member of staff in office.", field=field)
    return person


def codes(markets: Collection[Market]) -> list[str]:
    return sorted(market.code for market in markets)


def market_of(wave: Wave) -> int | None:
    """The market of a wave in one market, for the ledger; None for several."""
    found = list(wave.markets.values_list("pk", flat=True)[:2])
    return found[0] if len(found) == 1 else None


LAUNCHER = (Role.LAUNCHER,)


def superseded(actor: Actor, former: RuleVersion, successor: RuleVersion) -> None:
    """Retire a locked version because another took its place. Records `rule_version.retired`."""
    move(
        actor,
        former,
        VersionStatus.RETIRED,
        f"Succeeded by {successor.public_id}.",
        act="rule_version.retired",
    )
