"""What people of the platform do to a single penalty."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone, translation

from governance.ledger.services import record, record_many
from governance.notices.enums import NoticeKind
from governance.notices.selectors import in_words
from governance.notices.services import notice_issue, notices_send, portal_url
from governance.notices.wording import Wordings
from governance.penalties import transitions
from governance.penalties.enums import PenaltyStatus
from governance.penalties.kinds import KINDS
from governance.penalties.models import Penalty
from governance.penalties.selectors import case_participants, lock_guilds, points_left, standing_of
from governance.penalties.services.drafts import begin_anew, rectifications_open
from governance.penalties.services.reasons import imposed_draft, measures_in_words
from governance.penalties.services.undoing import rectifications_drop
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, InvalidTransition, NotAllowed
from guilds.models import Guild
from guilds.nudges import nudge


def locked(penalty_id: int) -> tuple[Penalty, Guild]:
    """The penalty and its guild, both locked, the guild first as everywhere."""
    guild_id = Penalty.objects.values_list("guild_id", flat=True).get(pk=penalty_id)
    guild = lock_guilds([guild_id])[guild_id]
    penalty = (
        Penalty.objects.select_for_update(of=("self",))
        .select_related(
            "violation__rule", "violation__version", "violation__creator", "version", "notice", "crossing"
        )
        .get(pk=penalty_id)
    )
    return penalty, guild


def _begin(actor: Actor, penalty_id: int, reason: str, to: PenaltyStatus) -> tuple[Penalty, Guild]:
    if not reason.strip():
        raise InvalidInput("Say why: the reason goes into the ledger.", field="reason")
    penalty, guild = locked(penalty_id)
    actor.require_role(Role.ENFORCER, market_id=penalty.market_id)
    transitions.check(penalty.status, to)
    return penalty, guild


def _record(
    actor: Actor, act: str, penalty: Penalty, before: dict[str, Any], after: dict[str, Any], reason: str
) -> None:
    record(
        actor=actor,
        act=act,
        obj=penalty,
        before=before,
        after={"kind": penalty.kind, **after},
        reason=reason,
        guild_id=penalty.guild_id,
        market_id=penalty.market_id,
    )


@transaction.atomic
def penalty_release(*, actor: Actor, penalty_id: int, reason: str) -> Penalty:
    """The second person's yes: a held penalty is scheduled, its notice goes out, and only now do its periods begin.

    Refused to anybody who took part in the case. Records penalty.released and notice.sent.
    """
    penalty, guild = _begin(actor, penalty_id, reason, PenaltyStatus.SCHEDULED)
    if penalty.status != PenaltyStatus.HELD:
        raise InvalidTransition("Only a held penalty can be released.")
    if actor.user_id in case_participants(penalty_id):
        raise NotAllowed(
            "You took part in this case; another person must release it.", code="second_person_required"
        )
    now = timezone.now()
    penalty.status = PenaltyStatus.SCHEDULED
    penalty.released_by_id = actor.user_id
    begin_anew(penalty, guild, now=now)
    standing = standing_of(guild.pk)
    draft = imposed_draft(
        guild=guild,
        violation=penalty.violation,
        penalties=[penalty],
        points=points_left(penalty.violation_id),
        score=standing["score"],
        wordings=Wordings(),
        now=now,
    )
    penalty.notice = notices_send(actor=actor, notices=[draft])[0]
    penalty.full_clean()
    penalty.save()
    _record(actor, "penalty.released", penalty, {"status": "held"}, {"status": "scheduled"}, reason)
    record_many(actor=actor, entries=rectifications_open([penalty], now=now))
    nudge("governance.penalties.apply_due")
    return penalty


@transaction.atomic
def penalty_refuse(*, actor: Actor, penalty_id: int, reason: str) -> Penalty:
    """The second person's no: a held penalty is cancelled and the guild never hears of it. Records penalty.cancelled."""
    penalty, _guild = _begin(actor, penalty_id, reason, PenaltyStatus.CANCELLED)
    if penalty.status != PenaltyStatus.HELD:
        raise InvalidTransition("Only a held penalty can be refused; a scheduled one is cancelled.")
    return _cancelled(actor, penalty, reason)


@transaction.atomic
def penalty_cancel(*, actor: Actor, penalty_id: int, reason: str) -> Penalty:
    """Stop a scheduled or failed penalty before it takes effect, and tell the guild. Records penalty.cancelled."""
    penalty, guild = _begin(actor, penalty_id, reason, PenaltyStatus.CANCELLED)
    penalty = _cancelled(actor, penalty, reason)
    change_notice(actor=actor, penalty=penalty, guild=guild, reason=reason)
    return penalty


def _cancelled(actor: Actor, penalty: Penalty, reason: str) -> Penalty:
    before = penalty.status
    penalty.status = PenaltyStatus.CANCELLED
    penalty.ended_at = timezone.now()
    penalty.save(update_fields=["status", "ended_at"])
    _record(actor, "penalty.cancelled", penalty, {"status": before}, {"status": "cancelled"}, reason)
    record_many(actor=actor, entries=rectifications_drop([penalty], reason=reason))
    return penalty


@transaction.atomic
def penalty_lift(*, actor: Actor, penalty_id: int, reason: str) -> Penalty:
    """End a penalty in force before its time, and tell the guild. Records penalty.lifted."""
    penalty, guild = _begin(actor, penalty_id, reason, PenaltyStatus.LIFTED)
    lift(penalty, now=timezone.now())
    _record(actor, "penalty.lifted", penalty, {"status": "in_force"}, {"status": "lifted"}, reason)
    change_notice(actor=actor, penalty=penalty, guild=guild, reason=reason)
    return penalty


def lift(penalty: Penalty, *, now: dt.datetime) -> None:
    """Undo the effect of a locked penalty in force and end it."""
    KINDS[penalty.kind].reverse([penalty], now=now)
    penalty.status = PenaltyStatus.LIFTED
    penalty.ended_at = now
    penalty.save(update_fields=["status", "ended_at"])


@transaction.atomic
def penalty_retry(*, actor: Actor, penalty_id: int, reason: str) -> Penalty:
    """Schedule a failed penalty again, now. Records penalty.scheduled."""
    penalty, _guild = _begin(actor, penalty_id, reason, PenaltyStatus.SCHEDULED)
    if penalty.status != PenaltyStatus.FAILED:
        raise InvalidTransition("Only a failed penalty can be retried.")
    error = penalty.last_error
    penalty.status = PenaltyStatus.SCHEDULED
    penalty.last_error = ""
    penalty.save(update_fields=["status", "last_error"])
    _record(
        actor,
        "penalty.scheduled",
        penalty,
        {"status": "failed", "error": error},
        {"status": "scheduled"},
        reason,
    )
    nudge("governance.penalties.apply_due")
    return penalty


def change_notice(
    *, actor: Actor, penalty: Penalty, guild: Guild, reason: str, also: Sequence[Penalty] = ()
) -> None:
    """Tell the guild that a penalty it knows of, and `also` others for the same reason, are not what they were."""
    language, _text = Wordings().find(
        NoticeKind.PENALTY_CHANGED, guild.market.languages, guild.market.regime_id
    )
    deadline = penalty.notice.appeal_by if penalty.notice else None
    changed = [penalty, *also]
    with translation.override(language):
        measures = "\n".join(
            f"{measures_in_words(language, [one], guild)}: {one.get_status_display()}" for one in changed
        )
    notice_issue(
        actor=actor,
        guild=guild,
        kind=NoticeKind.PENALTY_CHANGED,
        object_type=Penalty.ledger_type,
        object_id=str(penalty.public_id),
        values={
            "rule": penalty.version.name,
            "reason": reason,
            "measures": measures,
            "score": standing_of(guild.pk)["score"],
            "appeal_by": in_words(deadline, guild.market) if deadline else "–",
            "appeal_url": portal_url(f"penalties/{penalty.public_id}/"),
        },
        statement={
            "status": penalty.status,
            "reason": reason,
            "penalties": [str(one.public_id) for one in changed],
        },
    )
