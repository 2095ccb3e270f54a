"""Partial outcomes: the penalty stands, for a shorter time, with fewer points, or both."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone

from governance.ledger.services import Entry, record_many
from governance.penalties.enums import PenaltyStatus, PointReason
from governance.penalties.kinds import KINDS
from governance.penalties.models import Penalty, PointEntry, Restriction
from governance.penalties.selectors import points_left
from governance.penalties.services.acts import change_notice, lift, locked
from governance.penalties.services.compensation import Span, compensations_open
from governance.penalties.services.crossings import crossings_redone
from governance.penalties.services.points import Standings
from governance.penalties.services.undoing import Undoing, guild_tell, penalty_entry
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput

#: A penalty whose time can still be made shorter; one that is over is shorter on paper, and made good.
SHORTENED = frozenset(
    {PenaltyStatus.SCHEDULED, PenaltyStatus.STAYED, PenaltyStatus.IN_FORCE, PenaltyStatus.LIFTED}
)


@transaction.atomic
def penalty_reduce(
    *, actor: Actor, penalty_id: int, reason: str, days: int | None = None, points: int | None = None
) -> Penalty:
    """An appeal has been won in part: a shorter time, fewer points, or both.

    `days` counts from the start and must be fewer than now; past already, the penalty is lifted at once and what it lasted
    too long is made good. `points` is what the violation shall weigh from now on: bands not reached with so few fall.
    Records penalty.reduced, points.reduced, and penalty.lifted, penalty.reversed, compensation.opened where it comes to that.
    """
    if days is None and points is None:
        raise InvalidInput("Say what is reduced: days, points or both.", field="reduction")
    penalty, guild = locked(penalty_id)
    actor.require_role(Role.ADJUDICATOR, market_id=penalty.market_id)
    now = timezone.now()
    undoing = Undoing(actor, guild, now, reason)
    before = {"ends_at": penalty.ends_at.isoformat() if penalty.ends_at else None, "status": penalty.status}
    if days is not None:
        _shorten(penalty, days, now=now)
    if points is not None:
        _lower(undoing, penalty, points)
    entries = [
        penalty_entry(
            "penalty.reduced",
            penalty,
            before=before,
            after={"ends_at": penalty.ends_at.isoformat() if penalty.ends_at else None, "points": points},
            reason=reason,
        )
    ]
    if penalty.status != before["status"]:
        entries.append(penalty_entry("penalty.lifted", penalty, reason=reason))
    record_many(actor=actor, entries=entries)
    if days is not None and penalty.ends_at is not None:
        rightful = [Span(penalty.kind, penalty.starts_at, penalty.ends_at)]
        compensations_open(actor=actor, penalties=[penalty], rightful=rightful, now=now, reason=reason)
    change_notice(actor=actor, penalty=penalty, guild=guild, reason=reason)
    if undoing.reversed:
        undoing.points = 0
        guild_tell(
            undoing,
            violation=penalty.violation,
            rule_name=penalty.version.name,
            object_type=Penalty.ledger_type,
            object_id=str(penalty.public_id),
        )
    return penalty


def _shorten(penalty: Penalty, days: int, *, now: dt.datetime) -> None:
    if penalty.status not in SHORTENED:
        raise InvalidInput(
            "Its time can no longer be made shorter; points can still be reduced.", field="days"
        )
    if days < 0:
        raise InvalidInput("Days cannot be negative.", field="days")
    ends_at = penalty.starts_at + dt.timedelta(days=days)
    if penalty.ends_at is None and not KINDS[penalty.kind].ends:
        raise InvalidInput("This kind has no duration that could be shortened.", field="days")
    if penalty.ends_at is not None and ends_at >= penalty.ends_at:
        have = (penalty.ends_at - penalty.starts_at).days
        raise InvalidInput(f"A reduction must be shorter than the {have} days it has now.", field="days")
    penalty.ends_at = ends_at
    penalty.save(update_fields=["ends_at"])
    # Enforcing systems read the end from the restriction.
    Restriction.objects.filter(penalty=penalty).update(ends_at=ends_at)
    if ends_at <= now and penalty.status == PenaltyStatus.IN_FORCE:
        lift(penalty, now=now)


def _lower(undoing: Undoing, penalty: Penalty, points: int) -> None:
    have = points_left(penalty.violation_id)
    if not 0 <= points < have:
        raise InvalidInput(f"Points must be from 0 to less than the {have} it weighs now.", field="points")
    charged = PointEntry.objects.get(violation=penalty.violation_id, reason=PointReason.VIOLATION)
    entry = PointEntry(
        guild=undoing.guild,
        violation=penalty.violation,
        points=points - have,
        reason=PointReason.REDUCTION if points else PointReason.REVERSAL,
        undoes=charged,
        at=undoing.now,
    )
    points_moved(undoing, [entry], act="points.reduced")
    crossings_redone(undoing)


def points_moved(undoing: Undoing, entries: list[PointEntry], *, act: str) -> None:
    """Add entries that give points back and follow with the standing. Records `act` per entry."""
    if not entries:
        return
    standings = Standings([undoing.guild.pk], undoing.now)
    ledger = []
    for entry in entries:
        entry.save()
        score = standings.move(undoing.guild.pk, entry.points).score
        undoing.points -= entry.points
        ledger.append(
            Entry(
                act=act,
                object_type=entry.violation.ledger_type,
                object_id=str(entry.violation.public_id),
                after={"points": entry.points, "score": score},
                reason=undoing.reason,
                guild_id=undoing.guild.pk,
                market_id=entry.violation.market_id,
            )
        )
    standings.save()
    record_many(actor=undoing.actor, entries=ledger)
