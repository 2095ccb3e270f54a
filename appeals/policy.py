"""Who may appeal what until when, and who may judge it. Pure: decides from what it is handed and writes nothing.

Sources: P2B Regulation 2019/1150 art. 11 (complaints, free of charge), DSA 2022/2065 art. 20 (appeals open for six months from
the notice, decided by people), Santa Clara Principles (reviewed by people not involved in the first decision). The periods
themselves are rows: `Regime`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from appeals.enums import AppealStatus, Outcome
from appeals.models import Appeal
from governance.penalties.enums import PenaltyKind, PenaltyStatus
from governance.penalties.kinds import KINDS
from governance.penalties.models import Penalty
from governance.rules.enums import Severity
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role, Scope
from guilds.errors import Conflict, DomainError, InvalidInput, NotAllowed
from guilds.models import Regime

#: Appealable from the notice on: before it starts, while it lasts and after it has ended, because its points remain.
APPEALABLE = frozenset(
    {
        PenaltyStatus.SCHEDULED,
        PenaltyStatus.STAYED,
        PenaltyStatus.IN_FORCE,
        PenaltyStatus.LIFTED,
        PenaltyStatus.FAILED,
    }
)

#: An answer shorter than this explains nothing to the guild.
SHORTEST_ANSWER = 20
SHORTEST_STATEMENT = 1
LONGEST_STATEMENT = 10_000
LONGEST_MESSAGE = 4_000


@dataclass(frozen=True)
class Refusal:
    """Why not: a stable code and a sentence a person can act upon. `who` is true when another person could do it."""

    code: str
    reason: str
    who: bool = False

    def error(self) -> DomainError:
        return NotAllowed(self.reason, code=self.code) if self.who else Conflict(self.reason, code=self.code)


def acting_refusal(actor: Actor) -> Refusal | None:
    """Whether the actor may act for guilds in appeals at all: owners and managers of one, and clients with the scope.

    A client that is not bound to a guild is the platform's own backstage, where guilds sign in and appeal through it.
    """
    if actor.kind == "guild_user":
        if actor.may_act_for_guild():
            return None
        return Refusal(
            "viewer_reads_only",
            _(
                "You can read everything here. Filing and answering appeals is up to an owner or manager of your guild."
            ),
            who=True,
        )
    if actor.kind == "client":
        if Scope.APPEALS_WRITE not in actor.scopes:
            return Refusal("scope_required", _("This needs the scope appeals:write."), who=True)
        return None
    return Refusal("guild_only", _("Only the guild itself can appeal."), who=True)


def speaks_for(actor: Actor, *, guild_id: int, market_id: int) -> bool:
    """Whether this is the actor's own guild, or for a client bound to none, one in its markets."""
    if actor.kind == "client" and actor.guild_id is None:
        return actor.sees_market(market_id)
    return actor.guild_id == guild_id


def appeal_refusal(penalty: Penalty, *, actor: Actor, now: dt.datetime) -> Refusal | None:
    """Why this actor cannot appeal against this penalty now, or None.

    Reads `penalty.notice` and `penalty.appeals`: select and prefetch them when asking for many. That the penalty is the
    actor's guild's own is for the caller to have seen to; here it is only held again.
    """
    refusal = acting_refusal(actor)
    if refusal:
        return refusal
    if not speaks_for(actor, guild_id=penalty.guild_id, market_id=penalty.market_id):
        return Refusal("guild_only", _("Only the guild itself can appeal."), who=True)
    if penalty.status not in APPEALABLE or penalty.notice is None:
        return Refusal("not_appealable", _not_appealable(penalty))
    if not KINDS[penalty.kind].appealable:
        return Refusal("kind_not_appealable", _("This kind of measure cannot be appealed."))
    earlier = {appeal.status for appeal in penalty.appeals.all()}
    if AppealStatus.OPEN in earlier:
        return Refusal(
            "already_open", _("Your appeal against this penalty is open. You can add to it there.")
        )
    if AppealStatus.DECIDED in earlier:
        return Refusal(
            "already_decided", _("Your appeal against this penalty has been decided. The decision is final.")
        )
    if penalty.notice.appeal_by is None:
        return Refusal("not_appealable", _("The notice of this penalty opens no appeal."))
    if now > penalty.notice.appeal_by:
        return Refusal("window_closed", _("The time to appeal against this penalty is over."))
    return None


def _not_appealable(penalty: Penalty) -> str:
    if penalty.status == PenaltyStatus.CANCELLED:
        return _("This penalty was cancelled. There is nothing to appeal against.")
    if penalty.status == PenaltyStatus.REVERSED:
        return _("This penalty was reversed. There is nothing to appeal against.")
    return _("This penalty has not been decided yet.")


def decide_by(penalty: Penalty, regime: Regime, filed_at: dt.datetime) -> dt.datetime:
    """When the guild can expect its answer at the latest: sooner for the gravest cases."""
    urgent = penalty.violation.severity == Severity.S1 or penalty.kind == PenaltyKind.CLEAR_OUT
    return filed_at + dt.timedelta(days=regime.decide_urgent_days if urgent else regime.decide_days)


def judging_refusal(appeal: Appeal, *, actor: Actor, participants: Collection[int]) -> Refusal | None:
    """Why this actor may not take or decide this appeal, or None. `participants` are the ids of all who took part before.

    The platform itself ("system") may not: a decision is a person's.
    """
    if actor.kind != "staff" or actor.user_id is None or Role.ADJUDICATOR not in actor.roles:
        return Refusal("role_required", _("Appeals are decided by adjudicators."), who=True)
    if not actor.sees_market(appeal.market_id):
        return Refusal("market_out_of_scope", _("This appeal is from a market outside your scope."), who=True)
    if actor.user_id in participants:
        return Refusal(
            "took_part",
            _("You took part in the decision that is appealed against, so somebody else must judge it."),
            who=True,
        )
    return None


def decision_refusal(appeal: Appeal, *, actor: Actor, participants: Collection[int]) -> Refusal | None:
    """Why this actor may not decide this appeal, or None."""
    refusal = judging_refusal(appeal, actor=actor, participants=participants)
    if refusal:
        return refusal
    if appeal.assigned_to_id not in {None, actor.user_id}:
        return Refusal(
            "assigned_to_another",
            _("This appeal is assigned to somebody else. Take it over first."),
            who=True,
        )
    return None


def reduction_checked(
    outcome: str, reduction: Mapping[str, Any] | None, *, days: int | None, points: int
) -> dict[str, int]:
    """The reduction as {"days"?, "points"?}: what is left of each, less than the `days` and `points` of now.

    Empty unless the outcome is "reduced". Raises InvalidInput.
    """
    asked = {key: value for key, value in (reduction or {}).items() if value is not None}
    if outcome != Outcome.REDUCED:
        if asked:
            raise InvalidInput(_("Only the outcome “reduced” takes a reduction."), field="reduction")
        return {}
    if not asked or asked.keys() - {"days", "points"}:
        raise InvalidInput(_("Say to how many days or points the penalty is reduced."), field="reduction")
    errors = []
    for field, present in (("days", days), ("points", points)):
        if field not in asked:
            continue
        value = asked[field]
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            errors.append({"field": field, "message": _("Give a whole number that is not negative.")})
        elif not present:
            errors.append({"field": field, "message": _("The penalty has none to reduce.")})
        elif value >= present:
            errors.append({"field": field, "message": _("Must be less than %(now)d.") % {"now": present}})
    if errors:
        raise InvalidInput(_("The reduction is not less than the penalty."), field="reduction", errors=errors)
    return asked
