"""What enforcing systems confirm: that a penalty takes effect there, and that it no longer does."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from governance.ledger.services import record
from governance.penalties.enums import Effect, PenaltyStatus
from governance.penalties.models import Acknowledgement, Penalty
from governance.penalties.services.acts import locked
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Scope
from guilds.errors import InvalidTransition, NotAllowed

#: Over, after having been in effect.
ENDED = (PenaltyStatus.LIFTED, PenaltyStatus.REVERSED)


@transaction.atomic
def penalty_acknowledge(*, actor: Actor, penalty_id: int, effect: str = "") -> Penalty:
    """An enforcing system confirms that the penalty has effect there, or no longer has. Repeating it changes nothing.

    Without `effect` it confirms what the penalty is now. A late "applied" is taken after the end as well; an "ended" only
    then. Each system confirms for itself; `acknowledged_at` keeps the first. Records penalty.acknowledged for each.
    """
    if actor.kind != "client" or Scope.PENALTIES_ACK not in actor.scopes or actor.client_id is None:
        raise NotAllowed("Only an enforcing system with the scope penalties:ack may acknowledge.")
    penalty, _guild = locked(penalty_id)
    over = penalty.status in ENDED
    if penalty.applied_at is None or not (over or penalty.status == PenaltyStatus.IN_FORCE):
        raise InvalidTransition("Only a penalty that has taken effect can be acknowledged.")
    confirmed = Effect(effect) if effect else (Effect.ENDED if over else Effect.APPLIED)
    if confirmed == Effect.ENDED and not over:
        raise InvalidTransition("The penalty is still in force; its end cannot be acknowledged yet.")
    now = timezone.now()
    made, is_new = Acknowledgement.objects.get_or_create(
        penalty=penalty, effect=confirmed, client_id=actor.client_id, defaults={"at": now}
    )
    if not is_new:
        return penalty
    if penalty.acknowledged_at is None:
        penalty.acknowledged_at, penalty.acknowledged_by_id = made.at, made.client_id
        penalty.save(update_fields=["acknowledged_at", "acknowledged_by"])
    record(
        actor=actor,
        act="penalty.acknowledged",
        obj=penalty,
        after={"kind": penalty.kind, "effect": confirmed.value, "at": made.at.isoformat()},
        guild_id=penalty.guild_id,
        market_id=penalty.market_id,
    )
    return penalty
