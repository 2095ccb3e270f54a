"""How far the guilds are with a lesson, and how hard its questions are. Counts only; nothing is estimated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.db.models import (
    Count,
    Exists,
    F,
    FloatField,
    Func,
    IntegerField,
    Max,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Cast
from django.utils import timezone

from governance.education.models import Assignment, Attempt, Completion, Lesson, Question
from governance.education.selectors import OPEN, TAUGHT, in_language
from guilds.models import Guild, Market

#: Markets to reach: None means every market.
Reach = Collection[int] | None


@dataclass(frozen=True)
class MarketFigures:
    """One market: guilds taught and done, goes at the quiz, the share of answers that were right, requests open and overdue."""

    market: Market
    taught: int
    done: int
    attempts: int
    passed: int
    right_share: float | None
    open: int
    overdue: int

    @property
    def done_share(self) -> float | None:
        return self.done / self.taught if self.taught else None


@dataclass(frozen=True)
class QuestionFigures:
    """One question: how often it was answered and how often rightly, over all goes."""

    place: int
    prompt: str
    answered: int
    right: int

    @property
    def right_share(self) -> float | None:
        return self.right / self.answered if self.answered else None


def market_figures(lesson: Lesson, market_ids: Reach) -> list[MarketFigures]:
    """By market with guilds at work, the least done first."""
    now = timezone.now()
    taught = _by_market(Guild.objects.filter(TAUGHT), "market_id", market_ids, n=Count("pk"))
    working = Guild.objects.filter(TAUGHT).values("pk")
    done = _by_market(
        Completion.objects.filter(lesson=lesson, guild__in=working),
        "guild__market_id",
        market_ids,
        n=Count("pk"),
    )
    tries = _by_market(
        Attempt.objects.filter(lesson=lesson),
        "guild__market_id",
        market_ids,
        n=Count("pk"),
        n_passed=Count("pk", filter=Q(passed=True)),
        n_right=Sum("right"),
        n_asked=Sum("asked"),
    )
    asked = _by_market(
        Assignment.objects.filter(OPEN, lesson=lesson),
        "guild__market_id",
        market_ids,
        n=Count("pk"),
        overdue=Count("pk", filter=Q(due_at__lt=now)),
    )
    markets = Market.objects.in_bulk(set(taught) | set(tries) | set(asked))
    rows = []
    for market_id, market in markets.items():
        attempts, requests = tries.get(market_id, {}), asked.get(market_id, {})
        rows.append(
            MarketFigures(
                market,
                taught.get(market_id, {}).get("n", 0),
                done.get(market_id, {}).get("n", 0),
                attempts.get("n", 0),
                attempts.get("n_passed", 0),
                attempts["n_right"] / attempts["n_asked"] if attempts.get("n_asked") else None,
                requests.get("n", 0),
                requests.get("overdue", 0),
            )
        )
    return sorted(rows, key=lambda row: (row.done_share if row.taught else 2.0, row.market.code))


def _by_market(rows: object, field: str, market_ids: Reach, **figures: object) -> dict[int, dict[str, int]]:
    if market_ids is not None:
        rows = rows.filter(**{f"{field}__in": market_ids})  # type: ignore[attr-defined]
    grouped = rows.order_by().values(field).annotate(**figures)  # type: ignore[attr-defined]
    return {row[field]: row for row in grouped}


def question_figures(lesson: Lesson, market_ids: Reach) -> list[QuestionFigures]:
    """By question as it stands now; answers to a question that has been replaced since are not counted."""
    questions = list(Question.objects.filter(lesson=lesson).order_by("position"))
    attempts = Attempt.objects.filter(lesson=lesson)
    if market_ids is not None:
        attempts = attempts.filter(guild__market_id__in=market_ids)
    counted = {}
    for question in questions:
        # A key of digits in a JSON path would be read as a place in a list.
        answer = Cast(
            Func(F("answers"), Value(str(question.pk)), function="jsonb_extract_path_text"), IntegerField()
        )
        attempts = attempts.annotate(**{f"answer_{question.pk}": answer})
        counted[f"answered_{question.pk}"] = Count(f"answer_{question.pk}")
        counted[f"right_{question.pk}"] = Count("pk", filter=Q(**{f"answer_{question.pk}": question.correct}))
    sums = attempts.aggregate(**counted) if counted else {}
    return [
        QuestionFigures(
            place,
            in_language(question.prompt, "en")[1],
            sums[f"answered_{question.pk}"],
            sums[f"right_{question.pk}"],
        )
        for place, question in enumerate(questions, 1)
    ]


@dataclass(frozen=True)
class GuildFigures:
    """One guild: when it completed the lesson, its goes and its best share of right answers, and whether it is asked to do it."""

    guild: Guild
    completed_at: dt.datetime | None
    attempts: int
    best: float | None
    asked: bool
    due_at: dt.datetime | None


def guild_figures(lesson: Lesson, market_ids: Reach) -> Iterator[GuildFigures]:
    """Every guild at work, and whoever has tried or done the lesson, by market and id; read by cursor."""
    mine = {"lesson": lesson, "guild": OuterRef("pk")}
    tries = Attempt.objects.filter(**mine).order_by().values("guild")
    share = Cast(F("right"), FloatField()) / F("asked")
    asked = Assignment.objects.filter(OPEN, **mine).order_by(F("due_at").asc(nulls_last=True), "pk")
    guilds = Guild.objects.filter(
        TAUGHT
        | Exists(Completion.objects.filter(**mine))
        | Exists(Attempt.objects.filter(**mine))
        | Exists(asked)
    )
    if market_ids is not None:
        guilds = guilds.filter(market_id__in=market_ids)
    rows = guilds.annotate(
        completed_at=Subquery(Completion.objects.filter(**mine).values("completed_at")[:1]),
        tries=Subquery(tries.annotate(n=Count("pk")).values("n")),
        best=Subquery(tries.annotate(best=Max(share)).values("best")),
        asked=Exists(asked),
        due_at=Subquery(asked.values("due_at")[:1]),
    )
    for row in (
        rows.select_related("market").order_by("market__code", "external_id").iterator(chunk_size=2_000)
    ):
        yield GuildFigures(row, row.completed_at, row.tries or 0, row.best, row.asked, row.due_at)
