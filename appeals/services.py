"""The writers of appeals: filed by the guild, judged by a person who took no part before, undone or confirmed as a whole.

Whatever an act changes (the appeal, its files, notices, the penalty and all that hangs on it, the ledger) stands or falls
in one transaction. Locks, in this order: the guild (`lock_guilds`, held by everything that moves penalties), then the appeal.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from appeals import transitions
from appeals.closing import ANSWERED, WITHDRAWN, close_what_fell, stays_begin, stays_end
from appeals.enums import AppealStatus, Grounds, Outcome
from appeals.evidence import Accepted, Upload, accept
from appeals.models import Appeal, Decision, Evidence, Message
from appeals.policy import (
    LONGEST_MESSAGE,
    LONGEST_STATEMENT,
    SHORTEST_ANSWER,
    SHORTEST_STATEMENT,
    acting_refusal,
    appeal_refusal,
    decide_by,
    decision_refusal,
    judging_refusal,
    reduction_checked,
    speaks_for,
)
from appeals.selectors import eligible_adjudicators, locked_appeal
from governance.ledger.services import record
from governance.notices.enums import NoticeKind
from governance.notices.selectors import in_words
from governance.notices.services import notice_issue, portal_url
from governance.penalties.kinds import KINDS
from governance.penalties.selectors import case_participants, lock_guilds, penalties_visible_to, points_left
from governance.penalties.services import penalty_overturn, penalty_reduce
from governance.rules.findings import finding_open
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.accounts.models import User
from guilds.errors import InvalidInput, NotFound


@transaction.atomic
def appeal_file(
    *, actor: Actor, penalty_id: int, grounds: str, statement: str, files: Sequence[Upload] = ()
) -> Appeal:
    """Challenge a penalty for the guild the actor speaks for, with up to five files as evidence.

    What of the case has not begun and an appeal stops waits for the answer. Raises NotFound (not the guild's penalty),
    NotAllowed (viewer, scope), Conflict (open, decided, too late, nothing to appeal against), InvalidInput (grounds, statement,
    files: one error each). Records appeal.filed, penalty.stayed; a notice confirms receipt.
    """
    now = timezone.now()
    mine = penalties_visible_to(actor).filter(pk=penalty_id)
    lock_guilds(mine.values_list("guild_id", flat=True))
    penalty = mine.select_related("guild__market__regime").first()
    if penalty is None:
        raise NotFound(_("There is no such penalty."))
    refusal = appeal_refusal(penalty, actor=actor, now=now)
    if refusal:
        raise refusal.error()
    if grounds not in Grounds.values:
        raise InvalidInput(_("Choose one of the grounds."), field="grounds")
    statement = _words(statement, field="statement", shortest=SHORTEST_STATEMENT, longest=LONGEST_STATEMENT)
    accepted = accept(files)
    appeal = Appeal.objects.create(
        penalty=penalty,
        guild=penalty.guild,
        market=penalty.market,
        grounds=grounds,
        statement=statement,
        filed_by_id=actor.user_id,
        filed_by_client_id=actor.client_id,
        filed_at=now,
        decide_by=decide_by(penalty, penalty.guild.market.regime, now),
    )
    _keep_files(appeal, accepted, now)
    record(
        actor=actor,
        act="appeal.filed",
        obj=appeal,
        after={
            "status": appeal.status,
            "penalty": str(penalty.public_id),
            "rule": penalty.version.rule.code,
            "grounds": grounds,
            "files": [file.sha256 for file in accepted],
            "decide_by": appeal.decide_by.isoformat(),
        },
        guild_id=appeal.guild_id,
        market_id=appeal.market_id,
    )
    _notify(actor, appeal, NoticeKind.APPEAL_RECEIVED, now=now)
    stays_begin(actor, appeal)
    return appeal


@transaction.atomic
def appeal_withdraw(*, actor: Actor, appeal_id: int, reason: str = "") -> Appeal:
    """Take an open appeal back; while the period lasts the guild may file another. Records appeal.withdrawn.

    Raises NotFound (another guild's), NotAllowed (viewer, scope), InvalidTransition (no longer open).
    """
    lock_guilds([_guild_of(appeal_id)])
    appeal = _own_locked(actor, appeal_id)
    transitions.check(appeal.status, AppealStatus.WITHDRAWN)
    before = {"status": appeal.status}
    appeal.status = AppealStatus.WITHDRAWN
    appeal.settled_at = timezone.now()
    appeal.save(update_fields=["status", "settled_at"])
    _record(
        actor,
        "appeal.withdrawn",
        appeal,
        before=before,
        after={"status": appeal.status},
        reason=reason.strip(),
    )
    stays_end(actor, appeal, reason=WITHDRAWN)
    return appeal


@transaction.atomic
def appeal_message(*, actor: Actor, appeal_id: int, body: str) -> Message:
    """Add a turn to the conversation of an open appeal, from the guild or from an adjudicator. Records appeal.message."""
    if actor.kind == "staff":
        appeal = locked_appeal(appeal_id)
        refusal = judging_refusal(appeal, actor=actor, participants=case_participants(appeal.penalty_id))
        if refusal:
            raise refusal.error()
    else:
        appeal = _own_locked(actor, appeal_id)
    # Only an open appeal may still move; a settled one is closed to words too.
    transitions.check(appeal.status, AppealStatus.DECIDED)
    message = Message.objects.create(
        appeal=appeal,
        author_id=actor.user_id,
        from_guild=actor.guild_id is not None,
        body=_words(body, field="body", shortest=1, longest=LONGEST_MESSAGE),
        created_at=timezone.now(),
    )
    _record(actor, "appeal.message", appeal, after={"from_guild": message.from_guild})
    return message


@transaction.atomic
def appeal_assign(*, actor: Actor, appeal_id: int, user_id: int | None) -> Appeal:
    """Give an open appeal to an adjudicator who took no part before, or (None) back to the queue.

    Raises NotAllowed (actor neither adjudicator nor administrator of the market), InvalidInput (the person may not judge it),
    InvalidTransition (no longer open). Records appeal.assigned.
    """
    appeal = locked_appeal(appeal_id)
    actor.require_role(Role.ADJUDICATOR, Role.ADMIN, market_id=appeal.market_id)
    transitions.check(appeal.status, AppealStatus.DECIDED)
    if user_id == appeal.assigned_to_id:
        return appeal
    person: User | None = None
    if user_id is not None:
        person = eligible_adjudicators(appeal).filter(pk=user_id).first()
        if person is None:
            raise InvalidInput(
                _(
                    "This person cannot judge the appeal: an adjudicator of its market is needed who took no part before."
                ),
                code="not_eligible",
                field="user_id",
            )
    before = {"assigned_to": appeal.assigned_to.email if appeal.assigned_to else None}
    appeal.assigned_to = person
    appeal.save(update_fields=["assigned_to"])
    _record(
        actor,
        "appeal.assigned",
        appeal,
        before=before,
        after={"assigned_to": person.email if person else None},
    )
    return appeal


@transaction.atomic
def appeal_decide(
    *,
    actor: Actor,
    appeal_id: int,
    outcome: str,
    answer: str,
    reduction: Mapping[str, Any] | None = None,
) -> Decision:
    """Decide an open appeal: the penalty stands, is reduced ({"days"?, "points"?}: what is left), or is overturned.

    An overturn reverses everything derived from the violation and opens a finding on the rule version. The answer, in words for
    the guild, is required. Raises NotAllowed (not an adjudicator of the market, took part before, assigned to somebody else,
    no person), InvalidTransition (no longer open), InvalidInput. Records appeal.decided.
    """
    now = timezone.now()
    guild_id = _guild_of(appeal_id)
    lock_guilds([guild_id])
    appeal = locked_appeal(appeal_id)
    refusal = decision_refusal(appeal, actor=actor, participants=case_participants(appeal.penalty_id))
    if refusal:
        raise refusal.error()
    transitions.check(appeal.status, AppealStatus.DECIDED)
    if outcome not in Outcome.values:
        raise InvalidInput(_("Choose one of the outcomes."), field="outcome")
    answer = _words(answer, field="answer", shortest=SHORTEST_ANSWER, longest=LONGEST_STATEMENT)
    penalty = appeal.penalty
    reduced = reduction_checked(
        outcome,
        reduction,
        days=(penalty.ends_at - penalty.starts_at).days if penalty.ends_at else None,
        # A penalty for a band crossing stands for the score as a whole: no single violation's points are in question.
        points=0 if penalty.crossing_id else points_left(penalty.violation_id),
    )
    before = {"status": appeal.status}
    appeal.status, appeal.outcome, appeal.settled_at = AppealStatus.DECIDED, outcome, now
    appeal.assigned_to = User.objects.get(pk=int(actor.id))
    appeal.save(update_fields=["status", "outcome", "settled_at", "assigned_to"])
    decision = Decision.objects.create(
        appeal=appeal,
        adjudicator=appeal.assigned_to,
        outcome=outcome,
        answer=answer,
        reduction=reduced,
        decided_at=now,
    )
    rule = penalty.version.rule.code
    _record(
        actor,
        "appeal.decided",
        appeal,
        before=before,
        after={"status": appeal.status, "outcome": outcome, "rule": rule, "reduction": reduced},
        reason=answer,
    )
    if outcome == Outcome.OVERTURNED:
        penalty_overturn(actor=actor, penalty_id=penalty.pk, reason=answer)
        finding_open(
            actor=actor,
            version_id=penalty.version_id,
            source_type=Appeal.ledger_type,
            source_id=str(appeal.public_id),
            summary=answer,
            guild_id=appeal.guild_id,
            market_id=appeal.market_id,
        )
        close_what_fell(
            actor,
            guild_id=appeal.guild_id,
            because_of=str(appeal.public_id),
            reason="The penalty was reversed by the decision of another appeal.",
        )
    else:
        stays_end(actor, appeal, reason=ANSWERED, untold=outcome == Outcome.REDUCED)
    if outcome == Outcome.REDUCED:
        penalty_reduce(actor=actor, penalty_id=penalty.pk, reason=answer, **reduced)
    _notify(actor, appeal, NoticeKind.APPEAL_DECIDED, now=now, answer=answer)
    return decision


def _guild_of(appeal_id: int) -> int:
    """The guild of an appeal, which never changes: read without a lock so that the guild can be locked first."""
    guild_id = Appeal.objects.filter(pk=appeal_id).values_list("guild_id", flat=True).first()
    if guild_id is None:
        raise NotFound(_("There is no such appeal."))
    return guild_id


def _own_locked(actor: Actor, appeal_id: int) -> Appeal:
    """An appeal of the guild the actor speaks for, under its lock, for somebody who may act for that guild."""
    appeal = locked_appeal(appeal_id)
    if not speaks_for(actor, guild_id=appeal.guild_id, market_id=appeal.market_id):
        raise NotFound(_("There is no such appeal."))
    refusal = acting_refusal(actor)
    if refusal:
        raise refusal.error()
    return appeal


def _words(text: str, *, field: str, shortest: int, longest: int) -> str:
    """The text without surrounding blanks and with plain line ends; PostgreSQL cannot hold a NUL."""
    cleaned = text.replace("\r\n", "\n").replace("\x00", "").strip()
    # Letters and digits of any script: dots and invisible characters say nothing.
    if sum(character.isalnum() for character in cleaned) < shortest:
        raise InvalidInput(_("Write at least %(count)d letters.") % {"count": shortest}, field=field)
    if len(cleaned) > longest:
        raise InvalidInput(_("Write at most %(count)d characters.") % {"count": longest}, field=field)
    return cleaned


def _keep_files(appeal: Appeal, accepted: Sequence[Accepted], now: dt.datetime) -> None:
    """Store checked files under random names without extension. What is already on disk goes again if a later one fails."""
    with ExitStack() as undo:
        for file in accepted:
            evidence = Evidence(
                appeal=appeal,
                name=file.name,
                content_type=file.content_type,
                size=len(file.content),
                sha256=file.sha256,
                created_at=now,
            )
            evidence.file.save(secrets.token_hex(16), ContentFile(file.content), save=False)
            undo.callback(evidence.file.delete, save=False)
            evidence.save()
        undo.pop_all()


def _record(
    actor: Actor,
    act: str,
    appeal: Appeal,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    record(
        actor=actor,
        act=act,
        obj=appeal,
        before=before,
        after=after,
        reason=reason,
        guild_id=appeal.guild_id,
        market_id=appeal.market_id,
    )


def _notify(actor: Actor, appeal: Appeal, kind: NoticeKind, *, now: dt.datetime, answer: str = "") -> None:
    """Tell the guild, in its market's language and time."""
    market, penalty = appeal.market, appeal.penalty
    with translation.override(market.default_language):
        values = {
            "measure": KINDS[penalty.kind].describe(penalty.params),
            "appeal_url": portal_url(f"appeals/{appeal.public_id}/"),
        }
        if kind == NoticeKind.APPEAL_RECEIVED:
            values["filed_at"] = in_words(appeal.filed_at, market)
            values["decide_by"] = in_words(appeal.decide_by, market)
        else:
            values["outcome"] = str(Outcome(appeal.outcome).label)
            values["answer"] = answer
            values["decided_at"] = in_words(now, market)
    notice_issue(
        actor=actor,
        guild=appeal.guild,
        kind=kind,
        object_type=Appeal.ledger_type,
        object_id=str(appeal.public_id),
        values=values,
        now=now,
    )
