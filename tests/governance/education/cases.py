"""Lessons and quizzes as tests need them."""

from __future__ import annotations

from typing import Any

from governance.education.services import lesson_publish, lesson_save
from governance.models import Lesson, Question
from guilds.accounts.actor import Actor

ANALYST = Actor.system("test")


def question(number: int = 1, *, correct: int = 0, **texts: Any) -> dict[str, Any]:
    """A question with three answers in English, as `questions_set` takes it."""
    return {
        "prompt": {"en": f"What about {number}?"},
        "options": {"en": [f"{number} a", f"{number} b", f"{number} c"]},
        "correct": correct,
        "note": {"en": f"Because of {number}."},
        **texts,
    }


def written(code: str = "logo", **fields: Any) -> Lesson:
    """A draft."""
    writing: dict[str, Any] = {
        "actor": ANALYST,
        "code": code,
        "title": {"en": "Our logo"},
        "body": {"en": "Not yours."},
    }
    return lesson_save(**(writing | fields))


def published(code: str = "logo", **fields: Any) -> Lesson:
    written(code, **fields)
    return lesson_publish(actor=ANALYST, code=code)


def answers(lesson: Lesson, *chosen: int | None) -> dict[int, int | None]:
    """Places chosen, in the order of the questions."""
    keys = Question.objects.filter(lesson=lesson).order_by("position").values_list("pk", flat=True)
    return dict(zip(keys, chosen, strict=True))
