"""Who acts: the one argument every service takes, whatever face it was called from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

import structlog

from guilds.accounts.enums import ACTING_GUILD_ROLES, Role
from guilds.accounts.models import Client, GuildUser, User
from guilds.errors import NotAllowed

ActorKind = Literal["staff", "guild_user", "client", "system"]


def current_request_id() -> str:
    """The request or task id bound to this thread's log context, or an empty string."""
    bound = structlog.contextvars.get_contextvars()
    return str(bound.get("request_id") or bound.get("task_id") or "")


@dataclass(frozen=True, kw_only=True)
class Actor:
    """An identity with what it may reach. `market_ids` None means every market; `guild_id` binds to one guild."""

    kind: ActorKind
    id: str
    label: str
    user_id: int | None = None
    client_id: int | None = None
    guild_id: int | None = None
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    market_ids: frozenset[int] | None = None
    request_id: str = field(default_factory=current_request_id)

    @classmethod
    def staff(cls, user: User) -> Actor:
        """A member of staff with roles and markets as they are now; a superuser holds every role everywhere."""
        if user.is_superuser:
            roles: Iterable[str] = [role.value for role in Role]
        else:
            roles = user.staff_roles.values_list("role", flat=True)
        everywhere = user.all_markets or user.is_superuser
        return cls(
            kind="staff",
            id=str(user.pk),
            label=user.email,
            user_id=user.pk,
            roles=frozenset(roles) if user.is_active and user.is_staff else frozenset(),
            market_ids=None if everywhere else frozenset(user.markets.values_list("pk", flat=True)),
        )

    @classmethod
    def guild_user(cls, seat: GuildUser) -> Actor:
        """A person acting for one guild."""
        return cls(
            kind="guild_user",
            id=str(seat.user_id),
            label=seat.user.email,
            user_id=seat.user_id,
            guild_id=seat.guild_id,
            roles=frozenset({seat.role}) if seat.is_active and seat.user.is_active else frozenset(),
        )

    @classmethod
    def client(cls, client: Client, *, scopes: Iterable[str]) -> Actor:
        """A machine client with the scopes of its token; without markets of its own it reaches every market."""
        markets = frozenset(client.markets.values_list("pk", flat=True))
        return cls(
            kind="client",
            id=client.client_id,
            label=client.name,
            client_id=client.pk,
            guild_id=client.guild_id,
            scopes=frozenset(scopes) & frozenset(client.allowed_scopes),
            market_ids=markets or None,
        )

    @classmethod
    def system(cls, name: str) -> Actor:
        """The platform itself: a detector, a schedule, a command."""
        return cls(kind="system", id=name, label=name)

    def has_role(self, *roles: str) -> bool:
        return self.kind == "system" or bool(self.roles.intersection(roles))

    def may_act_for_guild(self) -> bool:
        return self.kind == "guild_user" and bool(self.roles & ACTING_GUILD_ROLES)

    def sees_market(self, market_id: int | None) -> bool:
        return self.market_ids is None or market_id in self.market_ids

    def require_role(self, *roles: str, market_id: int | None = None) -> None:
        """Raise NotAllowed unless the actor holds one of the roles and reaches the market, where one is given."""
        if not self.has_role(*roles):
            names = ", ".join(sorted(roles))
            raise NotAllowed(f"This needs one of the roles: {names}.", code="role_required")
        if market_id is not None and not self.sees_market(market_id):
            raise NotAllowed("This market is outside your scope.", code="market_out_of_scope")

    def with_request(self, request_id: str) -> Actor:
        return replace(self, request_id=request_id)
