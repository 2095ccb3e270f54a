"""A quiz as plain values: what makes it sound, and how many answers are right. No database.

A question is {"prompt": {language: text}, "options": {language: [text, …]}, "correct": place from 0, "note": {language: text}}.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from guilds.errors import InvalidInput

LEAST_OPTIONS = 2
MOST_OPTIONS = 6
MOST_QUESTIONS = 20

Quiz = Sequence[Mapping[str, Any]]


def faults_of(questions: Quiz, languages: Collection[str]) -> list[dict[str, Any]]:
    """What is wrong with a quiz for a lesson in these languages: {"field": "questions", "message": …} for each fault, naming
    the question, counted from 1, and the language."""
    if len(questions) > MOST_QUESTIONS:
        return [_fault(_("A quiz has %(most)s questions at most.") % {"most": MOST_QUESTIONS})]
    found: list[str] = []
    for place, question in enumerate(questions, 1):
        prompts, options = dict(question.get("prompt") or {}), dict(question.get("options") or {})
        notes = dict(question.get("note") or {})
        for language in sorted(languages):
            at = {"question": place, "language": language}
            if not str(prompts.get(language, "")).strip():
                found.append(_("Question %(question)s has no text in %(language)s.") % at)
            texts = [str(text).strip() for text in options.get(language) or ()]
            if len(texts) < LEAST_OPTIONS:
                found.append(_("Question %(question)s needs two answers or more in %(language)s.") % at)
            elif len(texts) > MOST_OPTIONS:
                found.append(_("Question %(question)s has more than six answers in %(language)s.") % at)
            elif not all(texts):
                found.append(_("Question %(question)s has an empty answer in %(language)s.") % at)
            elif len(set(texts)) < len(texts):
                found.append(_("Question %(question)s has the same answer twice in %(language)s.") % at)
        for language in sorted((set(prompts) | set(options) | set(notes)) - set(languages)):
            at = {"question": place, "language": language}
            found.append(
                _("Question %(question)s is written in %(language)s, in which the lesson is not.") % at
            )
        counts = {len(options.get(language) or ()) for language in languages}
        if len(counts) > 1:
            found.append(
                _("Question %(question)s has not the same number of answers in every language.")
                % {"question": place}
            )
        correct = question.get("correct")
        if not isinstance(correct, int) or isinstance(correct, bool) or not 0 <= correct < min(counts):
            found.append(
                _("Question %(question)s does not say which of its answers is right.") % {"question": place}
            )
    return [_fault(text) for text in found]


def _fault(text: str) -> dict[str, Any]:
    return {"field": "questions", "message": text}


def check_quiz(questions: Quiz, languages: Collection[str]) -> None:
    """Raise InvalidInput naming every fault."""
    if faults := faults_of(questions, languages):
        raise InvalidInput(faults[0]["message"], errors=faults)


def passes(*, right: int, asked: int, pass_percent: int) -> bool:
    """Whether so many right answers are enough; a share exactly on the line passes."""
    return asked > 0 and right * 100 >= pass_percent * asked
