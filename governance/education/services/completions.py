"""What guilds do: answer quizzes, acknowledge lessons, complete what they were asked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.education.enums import AssignmentSource
from governance.education.models import Assignment, Attempt, Completion, Lesson, Question
from governance.education.quiz import passes
from governance.education.selectors import OPEN, lessons_published
from governance.education.services.assignments import entry
from governance.ledger.services import record, record_many
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, NotAllowed, NotFound
from guilds.models import Guild
from guilds.nudges import nudge

#: Goes at one quiz a guild has within a day.
ATTEMPTS_A_DAY = 5
DAY = dt.timedelta(days=1)


@transaction.atomic
def lesson_complete(*, actor: Actor, code: str) -> Completion:
    """Note that the actor's guild has read and understood a lesson without a quiz. Doing it again changes nothing, except that
    it fulfils what the guild has been asked since.

    Raises NotAllowed for everybody but owners and managers, NotFound for a lesson that is not published, Conflict for one
    whose quiz is the way to complete it. Records lesson.completed and assignment.completed.
    """
    lesson, guild, user_id = _lesson_and_guild(actor, code)
    if Question.objects.filter(lesson=lesson).exists():
        raise Conflict(_("This lesson is completed by passing its quiz."), code="quiz_required")
    return _complete(actor, lesson, guild, user_id, now=timezone.now())


@transaction.atomic
def attempt_make(
    *, actor: Actor, code: str, answers: Mapping[int, int | None], language: str = ""
) -> Attempt:
    """One go at a lesson's quiz; passing completes the lesson. `answers` is the place chosen by the key of the question.

    Raises InvalidInput for a question left open or a quiz that changed meanwhile, Conflict after five goes within a day,
    NotAllowed for everybody but owners and managers, NotFound. Records lesson.attempted, and on passing lesson.completed the
    first time and assignment.completed.
    """
    lesson, guild, user_id = _lesson_and_guild(actor, code)
    now = timezone.now()
    questions = list(Question.objects.filter(lesson=lesson).order_by("position"))
    if not questions:
        raise Conflict(_("This lesson has no quiz; acknowledge it instead."), code="no_quiz")
    _check_limit(lesson, guild, now)
    chosen = _checked(questions, answers)
    right = sum(1 for question in questions if chosen[question.pk] == question.correct)
    attempt = Attempt.objects.create(
        lesson=lesson,
        guild=guild,
        user_id=user_id,
        language=language[:20],
        answers={str(key): place for key, place in chosen.items()},
        right=right,
        asked=len(questions),
        passed=passes(right=right, asked=len(questions), pass_percent=lesson.pass_percent),
        created_at=now,
    )
    record(
        actor=actor,
        act="lesson.attempted",
        obj=lesson,
        after={"attempt": attempt.pk, "right": right, "asked": attempt.asked, "passed": attempt.passed},
        guild_id=guild.pk,
        market_id=guild.market_id,
    )
    if attempt.passed:
        _complete(actor, lesson, guild, user_id, now=now)
        nudge("governance.penalties.credit_due")
    return attempt


def _lesson_and_guild(actor: Actor, code: str) -> tuple[Lesson, Guild, int]:
    if not actor.may_act_for_guild() or actor.guild_id is None or actor.user_id is None:
        raise NotAllowed(
            _("Only an owner or manager of the guild can acknowledge a lesson."), code="viewer_reads_only"
        )
    lesson = lessons_published().select_for_update(of=("self",), no_key=True).filter(code=code).first()
    if lesson is None:
        raise NotFound(_("There is no such lesson."))
    return lesson, Guild.objects.get(pk=actor.guild_id), actor.user_id


def _check_limit(lesson: Lesson, guild: Guild, now: dt.datetime) -> None:
    again_at = next_attempt_at(lesson, guild.pk, now)
    if again_at is not None:
        wait = max(1, round((again_at - now) / dt.timedelta(hours=1)))
        raise Conflict(
            _("Your guild has had %(most)s goes at this quiz within a day. Try again in about %(hours)s h.")
            % {"most": ATTEMPTS_A_DAY, "hours": wait},
            code="too_many_attempts",
        )


def next_attempt_at(lesson: Lesson, guild_id: int, now: dt.datetime) -> dt.datetime | None:
    """When a guild that has used up its goes may try again; None while it may."""
    recent = list(
        Attempt.objects.filter(lesson=lesson, guild=guild_id, created_at__gt=now - DAY)
        .order_by("created_at")
        .values_list("created_at", flat=True)
    )
    return recent[-ATTEMPTS_A_DAY] + DAY if len(recent) >= ATTEMPTS_A_DAY else None


def _checked(questions: list[Question], answers: Mapping[int, int | None]) -> dict[int, int]:
    if set(answers) - {question.pk for question in questions}:
        raise InvalidInput(_("The quiz has changed meanwhile. Please answer it anew."), field="answers")
    chosen: dict[int, int] = {}
    faults = []
    for place, question in enumerate(questions, 1):
        answer = answers.get(question.pk)
        size = max((len(texts) for texts in question.options.values()), default=0)
        if answer is None or not 0 <= answer < size:
            message = _("Question %(question)s: choose an answer.") % {"question": place}
            faults.append({"field": f"q{question.pk}", "message": message})
        else:
            chosen[question.pk] = answer
    if faults:
        raise InvalidInput(faults[0]["message"], errors=faults)
    return chosen


def _complete(actor: Actor, lesson: Lesson, guild: Guild, user_id: int, *, now: dt.datetime) -> Completion:
    """The first completion is kept for good; every open request of the guild for this lesson is fulfilled."""
    asked = list(
        Assignment.objects.select_for_update(of=("self",))
        .filter(OPEN, lesson=lesson, guild=guild)
        .order_by("pk")
    )
    source = asked[0].source if asked else AssignmentSource.VOLUNTARY
    completion, created = Completion.objects.get_or_create(
        lesson=lesson,
        guild=guild,
        defaults={"user_id": user_id, "completed_at": now, "source": source},
    )
    if created:
        record(
            actor=actor,
            act="lesson.completed",
            obj=lesson,
            after={"guild": guild.pk, "source": source},
            guild_id=guild.pk,
            market_id=guild.market_id,
        )
    for assignment in asked:
        assignment.completed_at = now
        assignment.lesson, assignment.guild = lesson, guild
        assignment.save(update_fields=["completed_at"])
    record_many(actor=actor, entries=[entry("assignment.completed", assignment) for assignment in asked])
    if any(assignment.source == AssignmentSource.PENALTY for assignment in asked):
        nudge("governance.penalties.trained_due")
    return completion
