"""Questions to the register of risks, to its assessments, and about what people told us."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.postgres.search import TrigramSimilarity
from django.db.models import F, Q, QuerySet, TextField, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils import timezone

from governance.risks.enums import FeedbackChannel, FeedbackSource, FeedbackStatus
from governance.risks.models import Assessment, Feedback, Risk
from governance.risks.scoring import Background, Facts, Score, facts_of, score, together
from guilds.accounts.actor import Actor
from guilds.errors import NotFound
from guilds.models import Guild, Market

#: Messages offered as similar.
SIMILAR_SHOWN = 8


# --- the register -----------------------------------------------------------------------------------------------------
def risks_by_priority() -> QuerySet[Risk]:
    """The register, highest harm × likelihood first."""
    return Risk.objects.order_by((F("harm") * F("likelihood")).desc(), "code")


def risks_standing() -> QuerySet[Risk]:
    """The risks that are still worth governing."""
    return risks_by_priority().filter(retired_at__isnull=True)


def risks_without_rule() -> QuerySet[Risk]:
    """Standing risks that no live rule answers."""
    return risks_standing().exclude(rules__versions__status="live")


def risks_to_review(on: dt.date | None = None) -> QuerySet[Risk]:
    """Standing risks that were to be looked at again by that day, default today; the longest overdue first."""
    day = on or timezone.now().date()
    return Risk.objects.filter(retired_at__isnull=True, review_on__lte=day).order_by("review_on", "code")


def locked_risk(risk_id: int) -> Risk:
    """The risk, locked until the transaction ends. NotFound."""
    found = Risk.objects.select_for_update(of=("self",), no_key=True).filter(pk=risk_id).first()
    if found is None:
        raise NotFound("There is no such risk.")
    return found


# --- assessments ------------------------------------------------------------------------------------------------------
def assessments_visible_to(actor: Actor) -> QuerySet[Assessment]:
    rows = Assessment.objects.select_related("risk", "market")
    return rows if actor.market_ids is None else rows.filter(market_id__in=actor.market_ids)


def latest_assessments(actor: Actor) -> QuerySet[Assessment]:
    """The newest assessment of each standing risk in each of the actor's markets."""
    newest = (
        assessments_visible_to(actor)
        .order_by("risk_id", "market_id", "-on")
        .distinct("risk_id", "market_id")
        .filter(risk__retired_at__isnull=True)
    )
    return Assessment.objects.filter(pk__in=newest.values("pk")).select_related("risk", "market")


def counted_in(assessment: Assessment) -> Facts:
    """The facts an assessment was made from."""
    return facts_of(
        assessment.parts,
        live_hours=float(assessment.live_hours),
        guilds=assessment.guilds,
        violations=assessment.violations,
        upheld=assessment.upheld,
        guilds_upheld=assessment.guilds_upheld,
        feedback=assessment.feedback,
    )


@dataclass(frozen=True)
class Overall:
    """A risk over several markets at once, scored by the same formula; exposure is then the share of all live hours."""

    risk: Risk
    facts: Facts
    score: Score
    markets: int


def overall(assessments: Iterable[Assessment]) -> dict[int, Overall]:
    """By risk id: its assessments, at most one a market, taken together."""
    by_risk: dict[int, list[Assessment]] = defaultdict(list)
    hours: dict[int, float] = {}
    for assessment in assessments:
        by_risk[assessment.risk_id].append(assessment)
        hours[assessment.market_id] = float(assessment.live_hours)
    every_hour = sum(hours.values())
    found = {}
    for risk_id, rows in by_risk.items():
        risk, counted = rows[0].risk, [counted_in(row) for row in rows]
        facts = together(counted)
        background = Background(Background.of(counted).mean, every_hour)
        found[risk_id] = Overall(
            risk, facts, score(facts, background, harm=risk.harm, likelihood=risk.likelihood), len(rows)
        )
    return found


# --- feedback ---------------------------------------------------------------------------------------------------------
#: What a guild is shown: what it sent itself, and what colleagues noted down because it told them. What others say about it
#: (a creator, a reviewer, a partner's system) is never shown to it.
TOLD_BY_THE_GUILD = Q(guild__isnull=False) & (
    Q(channel=FeedbackChannel.PORTAL)
    | Q(channel=FeedbackChannel.API, by_client__guild=F("guild"))
    | Q(channel=FeedbackChannel.CONSOLE, source=FeedbackSource.GUILD)
)


def feedback_visible_to(actor: Actor) -> QuerySet[Feedback]:
    """A guild's own for whoever acts for a guild, a machine's own for a client; for staff those of their markets. What belongs
    to no market is for staff who reach every market."""
    rows = Feedback.objects.select_related("guild", "market", "risk", "merged_into")
    if actor.guild_id is not None:
        return rows.filter(TOLD_BY_THE_GUILD, guild_id=actor.guild_id)
    if actor.kind == "client":
        return rows.filter(by_client_id=actor.client_id)
    return rows if actor.market_ids is None else rows.filter(market_id__in=actor.market_ids)


def feedback_with_answers(actor: Actor) -> QuerySet[Feedback]:
    """As `feedback_visible_to`, with `answer_given` and `answer_given_at`: those of the message it was merged into, if any; None
    until answered."""
    return feedback_visible_to(actor).annotate(
        answer_given=NullIf(Coalesce("merged_into__answer", "answer"), Value("", TextField())),
        answer_given_at=Coalesce("merged_into__answered_at", "answered_at"),
    )


def is_told_by_the_guild(feedback: Feedback) -> bool:
    """Whether the guild it belongs to sees the message and its answer; TOLD_BY_THE_GUILD for one message."""
    return Feedback.objects.filter(TOLD_BY_THE_GUILD, pk=feedback.pk).exists()


def key_of_guild(external_id: str) -> int:
    """The key of the guild, or 0, which is nobody's: `feedback_send` refuses it in the words it has for a guild out of reach, so
    that nobody learns which guilds there are."""
    return Guild.objects.filter(external_id=external_id).values_list("pk", flat=True).first() or 0


def key_of_market(code: str) -> int:
    """As `key_of_guild`."""
    return Market.objects.filter(code=code).values_list("pk", flat=True).first() or 0


def locked_feedback(feedback_id: int) -> Feedback:
    """The message, locked until the transaction ends. NotFound."""
    found = Feedback.objects.select_for_update(of=("self",), no_key=True).filter(pk=feedback_id).first()
    if found is None:
        raise NotFound("There is no such message.")
    return found


def similar_to(feedback: Feedback, actor: Actor) -> QuerySet[Feedback]:
    """Messages of like wording it could be merged into, the most alike first; `likeness` is 0 to 1 (trigrams)."""
    return (
        feedback_visible_to(actor)
        .filter(body__trigram_similar=feedback.body)
        .exclude(pk=feedback.pk)
        .exclude(status__in=[FeedbackStatus.MERGED, FeedbackStatus.CLOSED])
        .annotate(likeness=TrigramSimilarity("body", feedback.body))
        .order_by("-likeness", "-pk")
    )


def unanswered(actor: Actor) -> QuerySet[Feedback]:
    """What nobody has looked at yet, oldest first."""
    return feedback_visible_to(actor).filter(status=FeedbackStatus.NEW).order_by("pk")
