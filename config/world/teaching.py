"""Lessons of the demo world, and the guilds that do them."""

from __future__ import annotations

from functools import partial

from config.world.people import People
from config.world.population import DAY
from config.world.replay import Replay
from config.world.spec import World
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
            replay.plan(
                at - 0.1 * DAY, f"lesson {entry.guild} once", partial(_go, owner, code, missed={0, 2})
            )
        replay.plan(at, f"lesson {entry.guild}", partial(quiz_pass, owner, code))


def quiz_pass(owner: Actor, code: str) -> None:
    """One go at a quiz with every answer right."""
    _go(owner, code, missed=set())


def _go(owner: Actor, code: str, *, missed: set[int]) -> None:
    """One go at a quiz in which the questions at these places are missed."""
    questions = list(Question.objects.filter(lesson__code=code).order_by("position"))
    answers: dict[int, int | None] = {
        question.pk: (question.correct + (place in missed)) % len(next(iter(question.options.values())))
        for place, question in enumerate(questions)
    }
    attempt_make(actor=owner, code=code, answers=answers)
