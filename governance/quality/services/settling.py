"""Differences between a decision and its audit: what came of them."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.ledger.services import record
from governance.quality.models import SampleItem
from governance.quality.selectors import ASKED_BY, DRAWN_BY, items_visible_to
from governance.review.models import Judgement
from governance.risks.enums import FeedbackSource, FeedbackTopic
from governance.risks.models import Feedback
from governance.risks.services import feedback_send
from governance.violations.models import Review
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput, InvalidTransition, NotAllowed, NotFound

#: A message of feedback holds so many characters; see governance.risks.services.feedback.
LONGEST = 4_000


@transaction.atomic
def item_settle(*, actor: Actor, item_id: int, reason: str) -> SampleItem:
    """Say what came of a disputed item: the decision was put right, or stands, and why.

    Analysts, adjudicators and administrators who neither decided the violation nor audited it. Records `sample_item.settled`.
    Raises NotFound, NotAllowed, InvalidInput, InvalidTransition (nothing disputed, or settled).
    """
    item = _locked(actor, item_id)
    actor.require_role(*ASKED_BY)
    return settle(actor, item, reason=reason, led_to="")


@transaction.atomic
def item_tell(*, actor: Actor, item_id: int, reason: str) -> Feedback:
    """Pass a violation that an audit saw, and that no live rule looks for, on to those who keep the register of risks.

    It becomes feedback in the actor's name, `reason` added to the words of the audit, about the guild; and the item is
    settled. Analysts and administrators. Records `feedback.received` and `sample_item.settled`. Raises as `item_settle`.
    """
    item = _locked(actor, item_id)
    actor.require_role(*DRAWN_BY)
    if item.day is None:
        raise InvalidTransition(_("Only what an audit of unflagged days saw is passed on."))
    if not reason.strip():
        raise InvalidInput(_("Give a reason."), field="reason")
    seen = Judgement.objects.get(case=item.case_id)
    body = _("%(code)s on %(day)s, seen by an audit and found by no rule: %(seen)s") % {
        "code": seen.code,
        "day": item.day,
        "seen": seen.reason,
    }
    feedback = feedback_send(
        actor=actor,
        body=f"{body}\n\n{reason.strip()}"[:LONGEST],
        topic=FeedbackTopic.MISCONDUCT,
        source=FeedbackSource.REVIEWER,
        guild_id=item.guild_id,
        about_rule=seen.code,
    )
    settle(actor, item, reason=reason, led_to=f"feedback:{feedback.public_id}")
    return feedback


def settle(actor: Actor, item: SampleItem, *, reason: str, led_to: str) -> SampleItem:
    """The common end of every way to settle a locked, disputed item. Records `sample_item.settled`."""
    if not reason.strip():
        raise InvalidInput(_("Give a reason."), field="reason")
    if not SampleItem.objects.disputed().filter(pk=item.pk).exists():
        raise InvalidTransition(_("The audit does not differ from the decision."))
    if item.settled_at is not None:
        raise InvalidTransition(_("This has been settled already."))
    if actor.user_id is not None and _took_part(actor.user_id, item):
        raise NotAllowed(
            _("You decided or audited this yourself: somebody else settles it."), code="took_part"
        )
    item.settled_at, item.settlement, item.led_to = timezone.now(), reason.strip(), led_to
    item.save(update_fields=["settled_at", "settlement", "led_to"])
    market_id = item.violation.market_id if item.violation is not None else item.guild.market_id
    record(
        actor=actor,
        act="sample_item.settled",
        obj=item,
        after={"sample": str(item.sample.public_id), "led_to": led_to},
        reason=item.settlement,
        guild_id=item.guild_id,
        market_id=market_id,
    )
    return item


def _took_part(user_id: int, item: SampleItem) -> bool:
    decided = Review.objects.filter(Q(violation=item.violation_id) & Q(reviewer=user_id))
    audited = Judgement.objects.filter(case=item.case_id, reviewer=user_id)
    return (item.violation_id is not None and decided.exists()) or audited.exists()


def _locked(actor: Actor, item_id: int) -> SampleItem:
    item = items_visible_to(actor).select_for_update(of=("self",), no_key=True).filter(pk=item_id).first()
    if item is None:
        raise NotFound(_("There is no such item."))
    return item
