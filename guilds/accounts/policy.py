"""Who may hold what kind of account. Pure: nothing here reads or writes the database beyond what it is handed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.utils.translation import gettext as _

from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, DomainError, InvalidInput, NotAllowed


def staff_account_refusal(*, holds_seat: bool) -> DomainError | None:
    """Staff judge guilds, so nobody who sits in one becomes staff."""
    if holds_seat:
        return Conflict(
            _("This address belongs to a guild's person. Staff cannot sit in a guild they govern."),
            code="conflict_of_interest",
            field="email",
        )
    return None


def seat_refusal(*, is_staff: bool) -> DomainError | None:
    """A guild's seat goes to nobody of the platform's staff."""
    if is_staff:
        return Conflict(
            _("This address belongs to a member of staff. Staff cannot sit in a guild they govern."),
            code="conflict_of_interest",
            field="email",
        )
    return None


def roles_refusal(roles: Collection[str]) -> DomainError | None:
    """At least one role, and only roles that exist."""
    known = ", ".join(Role.values)
    if not roles:
        return InvalidInput(_("Name at least one role: %(roles)s.") % {"roles": known}, field="role")
    for role in roles:
        if role not in Role.values:
            return InvalidInput(
                _("There is no role “%(role)s”. Roles: %(roles)s.") % {"role": role, "roles": known},
                code="unknown_role",
                field="role",
            )
    return None


def reach_refusal(actor: Actor, market_ids: Iterable[int], *, everywhere: bool) -> DomainError | None:
    """Nobody hands out more markets than they reach themselves."""
    if actor.market_ids is None:
        return None
    if everywhere or not set(market_ids) <= actor.market_ids:
        return NotAllowed(_("You can only give markets that you have yourself."), code="market_out_of_scope")
    return None
