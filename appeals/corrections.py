"""Own-motion correction: the platform finds its own mistake and takes it back without waiting for an appeal."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from appeals.closing import close_what_fell
from appeals.enums import AppealStatus
from appeals.models import Appeal
from appeals.policy import SHORTEST_ANSWER
from governance.ledger.services import record
from governance.penalties.selectors import lock_guilds, violation_participants
from governance.penalties.services import shield_grant, violation_undo
from governance.rules.findings import finding_open
from governance.violations import transitions
from governance.violations.enums import ViolationStatus
from governance.violations.models import Violation
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, NotAllowed, NotFound


@transaction.atomic
def violation_correct(*, actor: Actor, violation_id: int, reason: str) -> Violation:
    """Overturn a confirmed violation that an audit or a complaint showed to be wrong, as if an appeal had been won.

    By an adjudicator of the market who took no part in the case, in words the guild can read. All that followed is undone, a
    finding is opened on the rule version, and open appeals against it have got what they asked for, their shield included.
    Records violation.corrected and what `penalty_overturn` records. Raises NotFound, NotAllowed, InvalidTransition, InvalidInput.
    """
    guild_id = Violation.objects.filter(pk=violation_id).values_list("guild_id", flat=True).first()
    if guild_id is None:
        raise NotFound(_("There is no such violation."))
    lock_guilds([guild_id])
    violation = Violation.objects.select_related("rule").get(pk=violation_id)
    if actor.kind != "staff" or actor.user_id is None:
        raise NotAllowed(_("Corrections are made by people."), code="person_required")
    actor.require_role(Role.ADJUDICATOR, market_id=violation.market_id)
    transitions.check(violation.status, ViolationStatus.OVERTURNED)
    if actor.user_id in violation_participants(violation_id):
        raise NotAllowed(_("You took part in this case, so somebody else must correct it."), code="took_part")
    reason = reason.strip()
    if sum(character.isalnum() for character in reason) < SHORTEST_ANSWER:
        raise InvalidInput(
            _("Write at least %(count)d letters: the guild reads them.") % {"count": SHORTEST_ANSWER},
            field="reason",
        )
    record(
        actor=actor,
        act="violation.corrected",
        obj=violation,
        after={"rule": violation.rule.code},
        reason=reason,
        guild_id=violation.guild_id,
        market_id=violation.market_id,
    )
    asked = Appeal.objects.filter(
        status=AppealStatus.OPEN, penalty__violation=violation, penalty__crossing__isnull=True
    )
    appealed = [appeal.penalty for appeal in asked.select_related("penalty__guild__market").order_by("pk")]
    if appealed:
        # The guild had asked before the platform saw it: it is no worse off for having been right early.
        shield_grant(actor=actor, penalty=appealed[0], now=timezone.now())
    violation = violation_undo(actor=actor, violation_id=violation_id, reason=reason)
    finding_open(
        actor=actor,
        version_id=violation.version_id,
        source_type=Violation.ledger_type,
        source_id=str(violation.public_id),
        summary=reason,
        guild_id=violation.guild_id,
        market_id=violation.market_id,
    )
    close_what_fell(
        actor,
        guild_id=violation.guild_id,
        because_of=str(violation.public_id),
        reason="The platform corrected the case itself.",
    )
    return violation
