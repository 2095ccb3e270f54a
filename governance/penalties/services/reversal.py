"""Undoing: when a decision falls, everything that followed from it is taken back in the order it came about.

violation → its penalties → its points → the credits it had used up → the amnesty it had used up → later rungs of the same
code → bands those points tipped, with their penalties. Nothing is deleted: statuses move, points get opposite entries, the
guild is told once. Each step works out what would have been from what still stands (`past`, `rungs`, `crossings`), so the
order of several reversals does not matter for where they lead.
"""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone

from governance.ledger.services import record
from governance.penalties import transitions
from governance.penalties.enums import PenaltyStatus, PointReason
from governance.penalties.models import Penalty, Sanction, Shield
from governance.penalties.safeguards import safeguard_of
from governance.penalties.selectors import lock_guilds
from governance.penalties.services.acts import locked
from governance.penalties.services.credits import credits_spent_again
from governance.penalties.services.crossings import crossings_redone
from governance.penalties.services.points import entries_taking_back
from governance.penalties.services.reduction import points_moved
from governance.penalties.services.rungs import amnesty_passed_on, rung_excused, rungs_recounted
from governance.penalties.services.undoing import Undoing, guild_tell, locked_penalties, penalties_reverse
from governance.violations.models import Violation
from governance.violations.services import violation_overturn
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import NotFound


@transaction.atomic
def penalty_overturn(*, actor: Actor, penalty_id: int, reason: str) -> Penalty:
    """An appeal against this penalty has been won: take back all that was derived, and shield the guild for some time.

    A penalty for a violation falls with the violation and everything else that came of it. A penalty for a band crossing
    falls alone, for the violations behind the score were not in question. Records violation.overturned, penalty.reversed
    for each, points.reversed, compensation.opened, shield.granted, notice.sent.
    """
    penalty, guild = locked(penalty_id)
    actor.require_role(Role.ADJUDICATOR, market_id=penalty.market_id)
    if penalty.status != PenaltyStatus.CANCELLED:
        # One that an enforcer cancelled meanwhile is over; what it was for may still be wrong.
        transitions.check(penalty.status, PenaltyStatus.REVERSED)
    undoing = Undoing(actor, guild, timezone.now(), reason)
    # First, so that what takes the place of a later rung is shielded too, whatever else is won before or after.
    shield_grant(actor=actor, penalty=penalty, now=undoing.now)
    if penalty.crossing_id:
        penalties_reverse(undoing, locked_penalties(Penalty.objects.filter(pk=penalty.pk)))
    else:
        _undo(undoing, penalty.violation)
    guild_tell(
        undoing,
        violation=penalty.violation,
        rule_name=penalty.version.name,
        object_type=Penalty.ledger_type,
        object_id=str(penalty.public_id),
    )
    penalty.refresh_from_db()
    return penalty


@transaction.atomic
def violation_undo(*, actor: Actor, violation_id: int, reason: str) -> Violation:
    """A confirmed violation turned out wrong without anybody appealing: the same undoing as when an appeal is won.

    No shield: nothing was won. The caller has checked the actor. Records as `penalty_overturn`.
    """
    guild_id = Violation.objects.filter(pk=violation_id).values_list("guild_id", flat=True).first()
    if guild_id is None:
        raise NotFound("There is no such violation.")
    guild = lock_guilds([guild_id])[guild_id]
    violation = Violation.objects.select_related("version", "rule", "market").get(pk=violation_id)
    undoing = Undoing(actor, guild, timezone.now(), reason)
    _undo(undoing, violation)
    guild_tell(
        undoing,
        violation=violation,
        rule_name=violation.version.name,
        object_type=Violation.ledger_type,
        object_id=str(violation.public_id),
    )
    violation.refresh_from_db()
    return violation


def shield_grant(*, actor: Actor, penalty: Penalty, now: dt.datetime) -> Shield | None:
    """A won appeal keeps the harshest automatic measures away for as long as the market's safeguard says; 0 days: not at all.

    One for each penalty won against; those that fell with it bring none of their own. Records shield.granted on the guild.
    """
    guild = penalty.guild
    days = safeguard_of(guild.market).shield_days
    if not days or Shield.objects.filter(penalty=penalty).exists():
        return None
    ends_at = now + dt.timedelta(days=days)
    shield = Shield.objects.create(guild=guild, penalty=penalty, starts_at=now, ends_at=ends_at)
    record(
        actor=actor,
        act="shield.granted",
        obj=guild,
        after={"penalty": str(penalty.public_id), "ends_at": ends_at.isoformat()},
        guild_id=guild.pk,
        market_id=guild.market_id,
    )
    return shield


def _undo(undoing: Undoing, violation: Violation) -> None:
    now = undoing.now
    violation_overturn(actor=undoing.actor, violation_id=violation.pk, reason=undoing.reason)
    sanction = Sanction.objects.filter(violation=violation.pk, reversed_at__isnull=True).first()
    if sanction is None:
        # Confirmed a moment ago: nothing has come of it yet, and now nothing will.
        return
    Sanction.objects.filter(violation=violation.pk).update(reversed_at=now)
    penalties_reverse(
        undoing,
        locked_penalties(Penalty.objects.filter(violation=violation.pk, crossing__isnull=True)),
    )
    fallen = [violation]
    excused = amnesty_passed_on(undoing, violation.rule_id)
    if excused is not None:
        fallen.append(excused[0].violation)
    taken_back = entries_taking_back(fallen, reason=PointReason.REVERSAL, now=now)
    points_moved(undoing, taken_back, act="points.reversed")
    points_moved(undoing, credits_spent_again(undoing.guild, now=now), act="points.credited")
    codes = {sanction.code}
    if excused is not None:
        rung_excused(undoing, *excused)
        codes.add(excused[0].code)
    rungs_recounted(undoing, codes)
    crossings_redone(undoing)
