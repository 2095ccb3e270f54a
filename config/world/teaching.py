"""Lessons of the demo world, and the guilds that do them."""

from __future__ import annotations

from collections.abc import Callable

from config.world.people import People
from config.world.population import DAY
from config.world.replay import Replay
from config.world.spec import World, dice
from governance.education.models import Question
from governance.education.services import attempt_make, lesson_publish, lesson_save
from governance.rules.selectors import rule_by_code
from guilds.accounts.actor import Actor


def lessons_publish(world: World, people: People) -> None:
    """The lessons with their quizzes, by the analyst, before anything else happens."""
    for lesson in world.lessons:
        lesson_save(
            actor=people.staff["analyst"],
            code=lesson["code"],
            title=lesson["title"],
            body=lesson["body"],
            rule=rule_by_code(lesson["rule"]),
            questions=lesson["questions"],
            credit_points=lesson["credit"],
            amnesty_days=lesson["amnesty"],
        )
        lesson_publish(actor=people.staff["analyst"], code=lesson["code"])


def lessons_plan(replay: Replay) -> None:
    """Put on the agenda: each portal guild does the first lesson, one of them at the second go."""
    code = replay.world.lessons[0]["code"]
    for number, entry in enumerate(replay.world.portal):
        owner = replay.people.owners[entry.guild]
        at = replay.population.today - (20 + 7 * number) * DAY
        if number == 1:
            replay.plan(at - 0.1 * DAY, f"lesson {entry.guild} once", _going(replay, owner, code, wrong=2))
        replay.plan(at, f"lesson {entry.guild}", _going(replay, owner, code, wrong=0))


def lesson_go(replay: Replay, owner: Actor, code: str, *, wrong: int = 0) -> None:
    """One go at a quiz with so many wrong answers."""
    questions = list(Question.objects.filter(lesson__code=code).order_by("position"))
    missed = set(dice(replay.seed, "quiz", code, owner.guild_id).sample(range(len(questions)), wrong))
    answers: dict[int, int | None] = {
        question.pk: (question.correct + (place in missed)) % len(next(iter(question.options.values())))
        for place, question in enumerate(questions)
    }
    attempt_make(actor=owner, code=code, answers=answers)


def _going(replay: Replay, owner: Actor, code: str, *, wrong: int) -> Callable[[], None]:
    return lambda: lesson_go(replay, owner, code, wrong=wrong)
