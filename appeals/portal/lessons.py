"""What the guild is to know, that it has understood it, and what that brings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from appeals.portal.visit import Visit, page
from governance.education.models import Assignment, Completion, Lesson, Question
from governance.education.selectors import (
    attempt_of,
    attempts_visible_to,
    in_language,
    lesson_for,
    lessons_for,
)
from governance.education.services import attempt_make, lesson_complete, next_attempt_at
from governance.penalties.selectors import amnesty_is_open, credit_of
from guilds.errors import InvalidInput

PER_PAGE = 20
#: Earlier goes at a quiz shown beside it.
TRIES_SHOWN = 5


@dataclass(frozen=True)
class Asked:
    """One question as the page shows it, in the lesson's language."""

    question: Question
    place: int
    prompt: str
    options: Sequence[str]
    note: str
    chosen: int | None = None
    error: str = ""

    @property
    def name(self) -> str:
        return f"q{self.question.pk}"

    @property
    def is_right(self) -> bool:
        return self.chosen == self.question.correct

    @property
    def answer(self) -> str:
        return "" if self.chosen is None else self.options[self.chosen]

    @property
    def right_answer(self) -> str:
        return self.options[self.question.correct]


def _asked(
    lesson: Lesson,
    language: str,
    chosen: Mapping[int, int | None],
    errors: Mapping[str, str] | None = None,
) -> list[Asked]:
    shown = []
    for place, question in enumerate(lesson.questions.order_by("position"), 1):
        tag, prompt = in_language(question.prompt, language)
        options: Sequence[str] = question.options.get(tag) or next(iter(question.options.values()), [])
        answer = chosen.get(question.pk)
        shown.append(
            Asked(
                question,
                place,
                prompt,
                options,
                in_language(question.note, tag)[1],
                answer if answer is not None and 0 <= answer < len(options) else None,
                (errors or {}).get(f"q{question.pk}", ""),
            )
        )
    return shown


@page("GET")
def lesson_list(visit: Visit) -> HttpResponse:
    language = get_language() or "en"
    shown = Paginator(lessons_for(visit.guild.pk), PER_PAGE).get_page(visit.request.GET.get("page"))
    rows = [(lesson, in_language(lesson.title, language)[1], _due(lesson)) for lesson in shown]
    return visit.render("lessons.html", {"section": "lessons", "page": shown, "rows": rows})


@page("GET")
def lesson_page(visit: Visit, code: str) -> HttpResponse:
    return _lesson_page(visit, lesson_for(visit.guild.pk, code), {}, {})


@page("POST")
def lesson_acknowledge(visit: Visit, code: str) -> HttpResponse:
    lesson_complete(actor=visit.actor, code=code)
    messages.success(visit.request, _("Thank you. The lesson is noted as read and understood."))
    return redirect("portal:lesson", code)


@page("POST")
def lesson_quiz(visit: Visit, code: str) -> HttpResponse:
    lesson = lesson_for(visit.guild.pk, code)
    chosen = _chosen(visit.request.POST)
    try:
        attempt = attempt_make(actor=visit.actor, code=code, answers=chosen, language=get_language() or "en")
    except InvalidInput as refusal:
        faults = {str(fault["field"]): str(fault["message"]) for fault in refusal.errors}
        return _lesson_page(visit, lesson, chosen, faults, status=422)
    return redirect("portal:lesson_result", code, attempt.pk)


@page("GET")
def lesson_result(visit: Visit, code: str, attempt_id: int) -> HttpResponse:
    """Which answers were wrong and why. The right ones are shown to who has passed; the others read again."""
    lesson = lesson_for(visit.guild.pk, code)
    attempt = attempt_of(visit.actor, code, attempt_id)
    language, body = in_language(lesson.body, attempt.language or get_language() or "en")
    chosen = {int(key): place for key, place in attempt.answers.items()}
    asked = [one for one in _asked(lesson, language, chosen) if one.chosen is not None]
    return visit.render(
        "lesson_result.html",
        {
            "section": "lessons",
            "lesson": lesson,
            "title": in_language(lesson.title, language)[1],
            "body": body,
            "lesson_language": language,
            "attempt": attempt,
            "asked": asked,
            "changed": len(asked) < attempt.asked,
            "wrong": [one for one in asked if not one.is_right],
            "credit": credit_of(attempt.pk),
            "again_at": next_attempt_at(lesson, visit.guild.pk, timezone.now()),
            "amnesty_until": _amnesty_until(lesson),
            "fulfilled": Assignment.objects.filter(
                lesson=lesson, guild=visit.guild, completed_at=attempt.created_at
            ),
        },
    )


def _lesson_page(
    visit: Visit,
    lesson: Lesson,
    chosen: Mapping[int, int | None],
    faults: Mapping[str, str],
    *,
    status: int = 200,
) -> HttpResponse:
    language, body = in_language(lesson.body, get_language() or "en")
    asked = _asked(lesson, language, chosen, faults)
    completion = _completion(lesson)
    return visit.render(
        "lesson.html",
        {
            "section": "lessons",
            "lesson": lesson,
            "title": in_language(lesson.title, language)[1],
            "body": body,
            "lesson_language": language,
            "completion": completion,
            "requests": _requests(lesson),
            "wanted": completion is None or bool(_requests(lesson)),
            "asked": asked,
            "faults": faults,
            "needed": -(-lesson.pass_percent * len(asked) // 100),
            "tries": attempts_visible_to(visit.actor).filter(lesson=lesson).order_by("-pk")[:TRIES_SHOWN],
            "again_at": next_attempt_at(lesson, visit.guild.pk, timezone.now()) if asked else None,
            "amnesty_until": _amnesty_until(lesson),
        },
        status=status,
    )


def _chosen(posted: QueryDict) -> dict[int, int | None]:
    """The answers of the form, by the key of the question; what is no number counts as not answered."""
    chosen: dict[int, int | None] = {}
    for name in posted:
        key = name[1:]
        if name.startswith("q") and key.isdecimal() and len(key) < 12:
            value = posted.get(name) or ""
            chosen[int(key)] = int(value) if value.isdecimal() and len(value) < 4 else None
    return chosen


def _completion(lesson: Lesson) -> Completion | None:
    """This guild's, on a lesson from `lessons_for`."""
    mine: list[Completion] = lesson.mine  # type: ignore[attr-defined]  # set by lessons_for
    return mine[0] if mine else None


def _requests(lesson: Lesson) -> list[Assignment]:
    requests: list[Assignment] = lesson.asked  # type: ignore[attr-defined]  # set by lessons_for
    return requests


def _due(lesson: Lesson) -> Assignment | None:
    requests = _requests(lesson)
    return requests[0] if requests else None


def _amnesty_until(lesson: Lesson) -> dt.datetime | None:
    """Until when a first breach is met with a warning alone; None when that is over, used up or was never so."""
    completion = _completion(lesson)
    if completion is None or not lesson.amnesty_days or lesson.rule_id is None:
        return None
    since = completion.completed_at
    until = since + dt.timedelta(days=lesson.amnesty_days)
    if until <= timezone.now() or not amnesty_is_open(completion.guild_id, lesson.rule_id, since=since):
        return None
    return until
