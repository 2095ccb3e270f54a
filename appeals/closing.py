"""What an open appeal stops while it is open, and what becomes of it when its penalty falls without it."""

from __future__ import annotations

import datetime as dt

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from appeals.enums import AppealStatus
from appeals.models import Appeal
from governance.ledger.services import record
from governance.penalties.enums import PenaltyStatus
from governance.penalties.models import Penalty
from governance.penalties.services import penalties_go_on, penalties_stay
from guilds.accounts.actor import Actor

FILED = "Your guild has appealed: this waits for the answer."
WITHDRAWN = "Your guild has withdrawn its appeal."
ANSWERED = "Your guild's appeal has been answered."


def stays_begin(actor: Actor, appeal: Appeal) -> None:
    """What has not begun and an appeal stops waits for the answer. The guild is locked."""
    penalties_stay(actor=actor, penalty_id=appeal.penalty_id, reason=FILED)


def stays_end(actor: Actor, appeal: Appeal, *, reason: str, untold: bool = False) -> None:
    """The appeal is settled and the case stands: what waited goes on, unless another open appeal keeps it waiting.

    With `untold` the caller tells the guild of the penalty that was appealed against.
    """
    another = Appeal.objects.filter(
        Q(penalty=OuterRef("pk"))
        | Q(penalty__violation=OuterRef("violation_id"), penalty__crossing__isnull=True),
        status=AppealStatus.OPEN,
    ).exclude(pk=appeal.pk)
    still = Penalty.objects.filter(Exists(another), guild=appeal.guild_id, status=PenaltyStatus.STAYED)
    penalties_go_on(
        actor=actor,
        penalty_id=appeal.penalty_id,
        reason=reason,
        still=list(still.values_list("pk", flat=True)),
        untold=[appeal.penalty_id] if untold else (),
    )


def close_what_fell(actor: Actor, *, guild_id: int, because_of: str, reason: str) -> list[Appeal]:
    """Open appeals of the guild against penalties that fell by another decision have got what they asked for.

    `because_of` names that decision in the ledger. What those that stay open stop, of what took the place of others, waits too.
    Records appeal.withdrawn for each; returns them.
    """
    moot = Appeal.objects.select_for_update(of=("self",)).filter(
        guild_id=guild_id,
        status=AppealStatus.OPEN,
        penalty__status__in=[PenaltyStatus.REVERSED, PenaltyStatus.CANCELLED],
    )
    closed = list(moot.order_by("pk"))
    now = timezone.now()
    for appeal in closed:
        _withdrawn(actor, appeal, now, because_of=because_of, reason=reason)
    for appeal in closed:
        stays_end(actor, appeal, reason=reason)
    for appeal in Appeal.objects.filter(guild_id=guild_id, status=AppealStatus.OPEN).order_by("pk"):
        stays_begin(actor, appeal)
    return closed


def _withdrawn(actor: Actor, appeal: Appeal, now: dt.datetime, *, because_of: str, reason: str) -> None:
    appeal.status, appeal.settled_at = AppealStatus.WITHDRAWN, now
    appeal.save(update_fields=["status", "settled_at"])
    record(
        actor=actor,
        act="appeal.withdrawn",
        obj=appeal,
        before={"status": AppealStatus.OPEN},
        after={"status": appeal.status, "because_of": because_of},
        reason=reason,
        guild_id=appeal.guild_id,
        market_id=appeal.market_id,
    )
