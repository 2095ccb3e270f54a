"""Claims: whoever has a case open holds it, for as long as the page says so and a little longer.

A claim is a lease of `LEASE`. The open page moves its end every few seconds, so it never lapses under a working reviewer; once
the page is gone it lapses by itself and the next reviewer may take over. Claims and their ends are no change of the case:
they leave `revision` alone.
"""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from governance.ledger.services import record
from governance.review.enums import CaseKind, CaseStatus
from governance.review.models import Case
from governance.review.selectors import OPEN, has_judged, last_change, locked_case
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, DomainError, InvalidTransition, NotAllowed

#: How long a claim outlives the last sign of the page.
LEASE = dt.timedelta(seconds=120)
#: How often the page gives a sign: three may be lost.
HEARTBEAT_SECONDS = 30


@transaction.atomic
def case_claim(*, actor: Actor, case_id: int) -> Case:
    """Take the case for as long as the page is open; a claim of one's own is prolonged. Records `case.claimed`.

    Reviewers of the market. Raises NotFound, NotAllowed, InvalidTransition, and Conflict with code `claimed`, `assigned`,
    `already_reviewed`, `other_place` or `escalated` that says who stands in the way.
    """
    case = locked_case(case_id)
    require_judge(actor, case)
    now = timezone.now()
    if (refusal := refusal_of(actor, case, now)) is not None:
        raise refusal
    fresh = not claimed_by(actor, case, now)
    if fresh:
        case.claimed_by_id, case.claimed_at = actor.user_id, now
    case.claimed_until = now + LEASE
    case.save(update_fields=["claimed_by", "claimed_at", "claimed_until"])
    if fresh:
        record(
            actor=actor,
            act="case.claimed",
            obj=case,
            after={"claimed_until": case.claimed_until.isoformat()},
            guild_id=case.guild_id,
            market_id=case.market_id,
        )
    return case


@transaction.atomic
def case_heartbeat(*, actor: Actor, case_id: int) -> Case:
    """The page is still open: the claim goes on for another lease. One that lapsed with nobody faster is taken again.

    Records nothing while the claim is alive. Raises as `case_claim`.
    """
    now = timezone.now()
    alive = Case.objects.filter(
        pk=case_id, status=CaseStatus.WAITING, claimed_by=actor.user_id, claimed_until__gt=now
    )
    if actor.user_id is not None and alive.update(claimed_until=now + LEASE):
        return Case.objects.select_related("claimed_by").get(pk=case_id)
    return case_claim(actor=actor, case_id=case_id)


@transaction.atomic
def case_release(*, actor: Actor, case_id: int) -> Case:
    """Give the case back. Records `case.released`; nothing when the actor does not hold it. Raises NotFound, NotAllowed."""
    case = locked_case(case_id)
    require_judge(actor, case)
    if case.claimed_by_id == actor.user_id and case.status in OPEN:
        unclaim(case)
        case.save(update_fields=["claimed_by", "claimed_at", "claimed_until"])
        record(actor=actor, act="case.released", obj=case, guild_id=case.guild_id, market_id=case.market_id)
    return case


# --- what every act upon a case asks first --------------------------------------------------------------------------
def require_judge(actor: Actor, case: Case) -> None:
    """Raise NotAllowed unless the actor is a person who reviews in the case's market."""
    actor.require_role(Role.REVIEWER, market_id=case.market_id)
    if actor.kind != "staff" or actor.user_id is None:
        raise NotAllowed(_("A verdict is given by a person."), code="person_required")


def require_revision(case: Case, revision: int | None) -> None:
    """Raise Conflict, code `stale`, when somebody has changed the case since the page was loaded: who, what and when."""
    if revision is not None and revision != case.revision:
        raise Conflict(told(case), code="stale")


def claimed_by(actor: Actor, case: Case, now: dt.datetime) -> bool:
    """Whether the actor's claim on the case is alive."""
    return (
        case.claimed_by_id is not None
        and case.claimed_by_id == actor.user_id
        and case.claimed_until is not None
        and case.claimed_until > now
    )


def refusal_of(actor: Actor, case: Case, now: dt.datetime) -> DomainError | None:
    """What stands between this reviewer and this case; None when nothing does."""
    assert actor.user_id is not None
    if case.status == CaseStatus.ON_HOLD:
        return InvalidTransition(
            _("This case is on hold until %(time)s: %(reason)s Resume it first.")
            % {"time": moment(case.held_until), "reason": case.hold_reason}
        )
    if case.status != CaseStatus.WAITING:
        return InvalidTransition(told(case))
    if has_judged(actor.user_id, case):
        return Conflict(_("You have already given your verdict."), code="already_reviewed")
    if case.claimed_by_id not in (None, actor.user_id) and case.claimed_until and case.claimed_until > now:
        return Conflict(
            _("%(person)s has been at this case since %(time)s.")
            % {"person": case.claimed_by, "time": moment(case.claimed_at)},
            code="claimed",
        )
    if case.assigned_to_id not in (None, actor.user_id):
        return Conflict(
            _("This case is assigned to %(person)s. Reassign it to yourself first.")
            % {"person": case.assigned_to},
            code="assigned",
        )
    if case.escalated_by_id == actor.user_id:
        return Conflict(_("You have escalated this case: somebody else decides it."), code="escalated")
    if holds_other_place(actor.user_id, case, now):
        return Conflict(
            _("Two people judge this violation, and you are at the other place already."), code="other_place"
        )
    return None


def holds_other_place(user_id: int, case: Case, now: dt.datetime) -> bool:
    """Whether the person is at, or is assigned, another open place of the violation."""
    if case.kind != CaseKind.VERDICT:
        return False
    others = Case.objects.filter(violation=case.violation_id, kind=CaseKind.VERDICT, status__in=OPEN).exclude(
        pk=case.pk
    )
    return any(
        other.assigned_to_id == user_id
        or (other.claimed_by_id == user_id and other.claimed_until is not None and other.claimed_until > now)
        for other in others
    )


def unclaim(case: Case) -> None:
    case.claimed_by_id = case.claimed_at = case.claimed_until = None


def told(case: Case) -> str:
    """What became of the case, for whoever came too late: who did what, when and why."""
    event = last_change(case)
    if event is None:
        return _("This case has changed since you opened it. Look at it again.")
    said = {
        "violation.confirmed": _("%(who)s confirmed it"),
        "violation.dismissed": _("%(who)s dismissed it"),
        "violation.reviewed": _("%(who)s gave a verdict on it"),
        "case.judged": _("%(who)s judged it"),
        "case.held": _("%(who)s put it on hold"),
        "case.resumed": _("%(who)s resumed it"),
        "case.escalated": _("%(who)s escalated it"),
        "case.assigned": _("%(who)s reassigned it"),
        "case.withdrawn": _("%(who)s withdrew it"),
    }.get(event.act, _("%(who)s changed it"))
    when = _("at %(time)s, %(ago)s ago") % {"time": moment(event.at), "ago": timesince(event.at)}
    blind = event.act in ("violation.reviewed", "case.judged")
    why = f" “{event.reason}”" if event.reason and not blind else ""
    return f"{said % {'who': event.actor_label}} {when}.{why}"


def moment(at: dt.datetime | None) -> str:
    """A time as a refusal names it: UTC, for a refusal does not know who reads it."""
    return f"{at:%d %b %H:%M} UTC" if at else ""
