"""What becomes of a message: its topic, the risk it speaks of, the one it repeats, the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from governance.ledger.services import record
from governance.notices.enums import NoticeKind
from governance.notices.services import notice_issue, portal_url
from governance.risks.enums import FeedbackStatus, FeedbackTopic
from governance.risks.models import Feedback, Risk
from governance.risks.selectors import (
    TOLD_BY_THE_GUILD,
    feedback_visible_to,
    is_told_by_the_guild,
    locked_feedback,
)
from governance.risks.transitions import check
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotFound

TRIAGE_ROLES = (Role.ANALYST, Role.LAUNCHER)
LONGEST_ANSWER = 4_000
#: Quoted in the notice, so that the reader knows which message is answered.
QUOTED = 200


@transaction.atomic
def feedback_triage(*, actor: Actor, feedback_id: int, topic: str, reason: str = "") -> Feedback:
    """Say what a message is about. Records `feedback.triaged`; InvalidTransition unless it is new or triaged."""
    feedback = _touchable(actor, feedback_id)
    if topic not in FeedbackTopic.values:
        raise InvalidInput(
            _("Choose one of %(known)s.") % {"known": ", ".join(FeedbackTopic.values)}, field="topic"
        )
    if feedback.status not in (FeedbackStatus.NEW, FeedbackStatus.TRIAGED):
        raise InvalidTransition(_("Only a new or triaged message is sorted. Open it again first."))
    before = {"status": feedback.status, "topic": feedback.topic}
    feedback.status, feedback.topic = FeedbackStatus.TRIAGED, FeedbackTopic(topic)
    feedback.save(update_fields=["status", "topic"])
    _record(actor, "feedback.triaged", feedback, before, {"status": feedback.status, "topic": topic}, reason)
    return feedback


@transaction.atomic
def feedback_link(*, actor: Actor, feedback_id: int, risk_id: int | None, reason: str = "") -> Feedback:
    """Link a message to the risk it speaks of, or (None) to none; a new one counts as triaged then.

    Messages merged into it follow, as they are counted with it. Records `feedback.linked`. Raises NotFound, Conflict for a
    merged message and for a retired risk.
    """
    feedback = _touchable(actor, feedback_id)
    if feedback.status == FeedbackStatus.MERGED:
        raise Conflict(_("It is merged into another message: link that one."))
    risk = None
    if risk_id is not None:
        risk = Risk.objects.filter(pk=risk_id).first()
        if risk is None:
            raise NotFound(_("There is no such risk."), field="risk")
        if risk.retired_at is not None:
            raise Conflict(_("This risk is retired."), field="risk")
    before = {"status": feedback.status, "risk": feedback.risk.code if feedback.risk else None}
    feedback.risk = risk
    if feedback.status == FeedbackStatus.NEW:
        check(feedback.status, FeedbackStatus.TRIAGED)
        feedback.status = FeedbackStatus.TRIAGED
    feedback.save(update_fields=["risk", "status"])
    after = {"status": feedback.status, "risk": risk.code if risk else None}
    _record(actor, "feedback.linked", feedback, before, after, reason)
    return feedback


@transaction.atomic
def feedback_merge(*, actor: Actor, feedback_id: int, into_id: int, reason: str = "") -> Feedback:
    """Say that a message repeats another. What was merged into it moves along; the other's answer is theirs too.

    Where the other is answered already, the guild hears the answer at once. Records `feedback.merged`, once for each that
    moves. Raises NotFound, InvalidTransition, Conflict when the other is merged or closed itself, or is the same.
    """
    if feedback_id == into_id:
        raise Conflict(_("A message cannot be merged into itself."), field="into")
    # Both locked in the order of their keys, so that two merges crossing each other do not lock each other out.
    locked = {pk: _touchable(actor, pk) for pk in sorted((feedback_id, into_id))}
    feedback, target = locked[feedback_id], locked[into_id]
    check(feedback.status, FeedbackStatus.MERGED)
    if target.status == FeedbackStatus.MERGED:
        raise Conflict(_("That message is merged into another one itself: choose that one."), field="into")
    if target.status == FeedbackStatus.CLOSED:
        raise Conflict(_("That message is closed: open it again first."), field="into")
    before = {"status": feedback.status}
    moving = list(feedback.merged.select_for_update(of=("self",), no_key=True).order_by("pk"))
    for follower in moving:
        follower.merged_into = target
        follower.save(update_fields=["merged_into"])
        after = {"into": str(target.public_id)}
        _record(actor, "feedback.merged", follower, {"into": str(feedback.public_id)}, after, reason)
    feedback.status, feedback.merged_into = FeedbackStatus.MERGED, target
    feedback.save(update_fields=["status", "merged_into"])
    after = {"status": feedback.status, "into": str(target.public_id)}
    _record(actor, "feedback.merged", feedback, before, after, reason)
    if target.status == FeedbackStatus.ANSWERED:
        _tell_guilds(actor, [feedback, *moving], target)
    return feedback


@transaction.atomic
def feedback_answer(*, actor: Actor, feedback_id: int, answer: str) -> Feedback:
    """Answer a message, and those merged into it: each guild that sent one gets one notice and sees the answer in its portal.

    Records `feedback.answered` and the notices. Raises NotFound, InvalidInput, InvalidTransition: an answer is sent once.
    """
    feedback = _touchable(actor, feedback_id)
    check(feedback.status, FeedbackStatus.ANSWERED)
    answer = answer.strip()
    if not answer or len(answer) > LONGEST_ANSWER or "\0" in answer:
        raise InvalidInput(_("Write 1 to %(most)s characters.") % {"most": LONGEST_ANSWER}, field="answer")
    before = {"status": feedback.status}
    feedback.status, feedback.answer = FeedbackStatus.ANSWERED, answer
    feedback.answered_at, feedback.answered_by_id = timezone.now(), actor.user_id
    feedback.save(update_fields=["status", "answer", "answered_at", "answered_by"])
    told = _tell_guilds(actor, [feedback, *feedback.merged.order_by("pk")], feedback)
    after = {"status": feedback.status, "answer": answer, "guilds_told": told}
    _record(actor, "feedback.answered", feedback, before, after)
    return feedback


@transaction.atomic
def feedback_close(*, actor: Actor, feedback_id: int, reason: str) -> Feedback:
    """Leave a message without an answer, for a reason. Records `feedback.closed`; NotFound, InvalidInput, InvalidTransition."""
    feedback = _touchable(actor, feedback_id)
    check(feedback.status, FeedbackStatus.CLOSED)
    if not reason.strip():
        raise InvalidInput(_("Give a reason."), field="reason")
    before = {"status": feedback.status}
    feedback.status = FeedbackStatus.CLOSED
    feedback.save(update_fields=["status"])
    _record(actor, "feedback.closed", feedback, before, {"status": feedback.status}, reason.strip())
    return feedback


@transaction.atomic
def feedback_reopen(*, actor: Actor, feedback_id: int, reason: str) -> Feedback:
    """Take a merging or a closing back. Records `feedback.reopened`; NotFound, InvalidInput, InvalidTransition."""
    feedback = _touchable(actor, feedback_id)
    if feedback.status not in (FeedbackStatus.MERGED, FeedbackStatus.CLOSED):
        raise InvalidTransition(_("Only a merged or closed message is opened again."))
    check(feedback.status, FeedbackStatus.TRIAGED)
    if not reason.strip():
        raise InvalidInput(_("Give a reason."), field="reason")
    before = {"status": feedback.status}
    if feedback.merged_into:
        before["into"] = str(feedback.merged_into.public_id)
    feedback.status, feedback.merged_into = FeedbackStatus.TRIAGED, None
    feedback.save(update_fields=["status", "merged_into"])
    _record(actor, "feedback.reopened", feedback, before, {"status": feedback.status}, reason.strip())
    return feedback


def _touchable(actor: Actor, feedback_id: int) -> Feedback:
    """The message, locked, if the actor triages and may see it; else NotAllowed or NotFound."""
    actor.require_role(*TRIAGE_ROLES)
    feedback = locked_feedback(feedback_id)
    if (
        actor.kind not in ("staff", "system")
        or not feedback_visible_to(actor).filter(pk=feedback_id).exists()
    ):
        raise NotFound(_("There is no such message."))
    return feedback


def _tell_guilds(actor: Actor, messages: Iterable[Feedback], answered: Feedback) -> int:
    """One notice for each guild that sent one of the messages; how many there were."""
    ids = [message.pk for message in messages]
    told: set[int] = set()
    own = Feedback.objects.filter(TOLD_BY_THE_GUILD, pk__in=ids).select_related("guild__market__regime")
    for message in own.order_by("pk"):
        guild = message.guild
        if guild is None or guild.pk in told:
            continue
        told.add(guild.pk)
        quote = " ".join(message.body.split())
        notice_issue(
            actor=actor,
            guild=guild,
            kind=NoticeKind.FEEDBACK_ANSWERED,
            object_type=Feedback.ledger_type,
            object_id=str(message.public_id),
            values={
                "sent_at": date_format(message.created_at, "Y-m-d"),
                "quote": quote if len(quote) <= QUOTED else f"{quote[:QUOTED]}…",
                "answer": answered.answer,
                "feedback_url": portal_url(f"feedback/{message.public_id}/"),
            },
        )
    return len(told)


def _record(
    actor: Actor,
    act: str,
    feedback: Feedback,
    before: Mapping[str, object],
    after: Mapping[str, object],
    reason: str = "",
) -> None:
    record(
        actor=actor,
        act=act,
        obj=feedback,
        before=before,
        after=after,
        reason=reason,
        guild_id=feedback.guild_id if is_told_by_the_guild(feedback) else None,
        market_id=feedback.market_id,
    )
