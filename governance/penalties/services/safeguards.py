"""Setting what protects guilds from haste. Not for enforcers: nobody loosens the brakes on his or her own acts."""

from __future__ import annotations

from django.db import transaction

from governance.ledger.services import record
from governance.penalties.models import Safeguard
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, NotAllowed, NotFound
from guilds.models import Market

VALUES = ("large_creators", "shield_days", "hold_hours")
LIMITS = {"large_creators": (1, 1_000_000_000), "shield_days": (0, 3_650), "hold_hours": (1, 8_760)}


@transaction.atomic
def safeguard_set(
    *,
    actor: Actor,
    market_id: int | None,
    large_creators: int,
    shield_days: int,
    hold_hours: int,
    reason: str,
) -> Safeguard:
    """Set a market's safeguard, or (None) that of all markets without one. Holds for what is decided from now on.

    For administrators; that of all markets only for one who sees every market. Records safeguard.set.
    """
    actor.require_role(Role.ADMIN, market_id=market_id)
    if market_id is None and actor.market_ids is not None:
        raise NotAllowed(
            "What holds everywhere is set by somebody who sees every market.", code="market_out_of_scope"
        )
    if not reason.strip():
        raise InvalidInput("Say why: the reason goes into the ledger.", field="reason")
    wanted = {"large_creators": large_creators, "shield_days": shield_days, "hold_hours": hold_hours}
    for name, (least, most) in LIMITS.items():
        if not least <= wanted[name] <= most:
            raise InvalidInput(f"From {least} to {most:,}.", field=name)
    market = Market.objects.filter(pk=market_id).first() if market_id is not None else None
    if market_id is not None and market is None:
        raise NotFound("There is no such market.")
    safeguard, made = Safeguard.objects.select_for_update().get_or_create(market=market, defaults=wanted)
    before = {} if made else {name: getattr(safeguard, name) for name in VALUES}
    for name, value in wanted.items():
        setattr(safeguard, name, value)
    safeguard.save()
    record(
        actor=actor,
        act="safeguard.set",
        obj=safeguard,
        before=before,
        after=wanted,
        reason=reason,
        market_id=market_id,
    )
    return safeguard
