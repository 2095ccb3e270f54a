"""Writing lessons and their quizzes, showing them to guilds and taking them away."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.education.enums import AssignmentSource
from governance.education.models import Assignment, Lesson, Question
from governance.education.quiz import check_quiz
from governance.education.selectors import OPEN
from governance.education.services.assignments import entry
from governance.ledger.services import record, record_many
from governance.rules.models import Rule
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotFound

#: The terms of a lesson: what passing asks for and what it brings.
TERMS = ("pass_percent", "credit_points", "credit_every_days", "amnesty_days")
#: The place of the right answer in a draft that does not say it yet: no answer is ever there.
UNSAID = 32_767


@transaction.atomic
def lesson_save(
    *,
    actor: Actor,
    code: str,
    title: Mapping[str, str],
    body: Mapping[str, str],
    rule: Rule | None = None,
    questions: Sequence[Mapping[str, Any]] | None = None,
    pass_percent: int | None = None,
    credit_points: int | None = None,
    credit_every_days: int | None = None,
    amnesty_days: int | None = None,
    seen: str | None = None,
) -> Lesson:
    """Write a lesson, new or known by its code. Terms and questions not given stay as they are.

    A draft may lack languages and answers; what guilds read already must be whole at every moment, and its wording before
    and after is kept in the ledger. `seen` is the `fingerprint` of the wording the writer started from, empty for a new
    lesson: Conflict when somebody else has written meanwhile. Raises InvalidInput, NotAllowed. Records lesson.saved.
    """
    actor.require_role(Role.ANALYST)
    lesson = Lesson.objects.select_for_update(of=("self",)).filter(code=code).first() or Lesson(
        code=code, title={}, body={}
    )
    if seen is not None and seen != (fingerprint(lesson) if lesson.pk else ""):
        raise Conflict(
            _("Somebody changed this lesson meanwhile. Open it anew, so that nothing of theirs is lost.")
            if lesson.pk and seen
            else _("There is a lesson with this code already. Choose another code."),
            code="changed_meanwhile",
            field="code",
        )
    before = _wording(lesson) if lesson.pk else {}
    lesson.title, lesson.body, lesson.rule = dict(title), dict(body), rule
    terms = zip(TERMS, (pass_percent, credit_points, credit_every_days, amnesty_days), strict=True)
    for name, value in terms:
        if value is not None:
            setattr(lesson, name, value)
    if not any(text.strip() for text in lesson.title.values()):
        raise InvalidInput(_("Give the lesson a title in one language at least."), field="title")
    if lesson.rule is None and (lesson.credit_points or lesson.amnesty_days):
        raise InvalidInput(
            _("A credit or an amnesty needs a rule the lesson is about: choose the rule."), field="rule"
        )
    try:
        lesson.full_clean(validate_unique=False)
    except ValidationError as fault:
        errors = [
            {"field": field, "message": message}
            for field, messages in fault.message_dict.items()
            for message in messages
        ]
        raise InvalidInput(errors[0]["message"], errors=errors) from fault
    lesson.save()
    if questions is not None:
        _replace_questions(lesson, questions)
    if is_shown(lesson):
        _check_whole(lesson)
    after = _wording(lesson)
    changed = {name for name, value in after.items() if before.get(name) != value}
    if changed:
        record(
            actor=actor,
            act="lesson.saved",
            obj=lesson,
            before={name: value for name, value in before.items() if name in changed},
            after={name: after[name] for name in sorted(changed)},
        )
    return lesson


@transaction.atomic
def questions_set(*, actor: Actor, code: str, questions: Sequence[Mapping[str, Any]]) -> Lesson:
    """Replace a lesson's quiz; none for a lesson that is acknowledged instead. `governance.education.quiz` says how a question
    is written. A fault is refused by question and language. Records lesson.saved."""
    actor.require_role(Role.ANALYST)
    lesson = _locked(code)
    check_quiz(questions, lesson.title.keys())
    before = quiz_of(lesson)
    _replace_questions(lesson, questions)
    record(
        actor=actor,
        act="lesson.saved",
        obj=lesson,
        before={"questions": before},
        after={"questions": quiz_of(lesson)},
    )
    return lesson


@transaction.atomic
def lesson_publish(
    *,
    actor: Actor,
    code: str,
    title: Mapping[str, str] | None = None,
    body: Mapping[str, str] | None = None,
    rule: Rule | None = None,
) -> Lesson:
    """Show a lesson to every guild. With `title` and `body` it is written first, as `lesson_save` does.

    Title, text and quiz must be there in the same languages. Publishing a published lesson again changes nothing but the
    wording. Raises InvalidInput, NotAllowed, NotFound. Records lesson.published the first time and after a withdrawal.
    """
    actor.require_role(Role.ANALYST)
    if title is not None or body is not None:
        lesson_save(actor=actor, code=code, title=title or {}, body=body or {}, rule=rule)
    lesson = _locked(code)
    _check_whole(lesson)
    if not is_shown(lesson):
        before = {"published_at": _moment(lesson.published_at), "withdrawn_at": _moment(lesson.withdrawn_at)}
        lesson.published_at = lesson.published_at or timezone.now()
        lesson.withdrawn_at = None
        lesson.save(update_fields=["published_at", "withdrawn_at"])
        record(
            actor=actor,
            act="lesson.published",
            obj=lesson,
            before=before,
            after={"published_at": _moment(lesson.published_at), "languages": sorted(lesson.title)},
        )
    return lesson


@transaction.atomic
def lesson_withdraw(*, actor: Actor, code: str, reason: str) -> Lesson:
    """Take a published lesson from the guilds. What they have done stays; what they were asked to do is cancelled.

    Raises Conflict while penalties ask for it, which nobody could then fulfil. Records lesson.withdrawn and
    assignment.cancelled.
    """
    actor.require_role(Role.ANALYST)
    if not reason.strip():
        raise InvalidInput(_("Say why: the reason goes into the ledger."), field="reason")
    lesson = _locked(code)
    if not is_shown(lesson):
        raise InvalidTransition(_("Only a published lesson can be withdrawn."))
    standing = list(
        Assignment.objects.select_for_update(of=("self",))
        .filter(OPEN, lesson=lesson)
        .select_related("lesson", "guild")
        .order_by("pk")
    )
    bound = sum(1 for assignment in standing if assignment.source == AssignmentSource.PENALTY)
    if bound:
        raise Conflict(
            _("%(n)s guilds must do this lesson as part of a penalty. Lift those penalties first.")
            % {"n": bound},
            code="lesson_in_use",
        )
    now = timezone.now()
    lesson.withdrawn_at = now
    lesson.save(update_fields=["withdrawn_at"])
    Assignment.objects.filter(pk__in=[assignment.pk for assignment in standing]).update(cancelled_at=now)
    record(
        actor=actor,
        act="lesson.withdrawn",
        obj=lesson,
        after={"withdrawn_at": _moment(now), "cancelled": len(standing)},
        reason=reason,
    )
    record_many(
        actor=actor,
        entries=[entry("assignment.cancelled", assignment, reason=reason) for assignment in standing],
    )
    return lesson


def is_shown(lesson: Lesson) -> bool:
    """Whether guilds can read the lesson now."""
    published = lesson.published_at is not None and lesson.published_at <= timezone.now()
    return published and lesson.withdrawn_at is None


def quiz_of(lesson: Lesson) -> list[dict[str, Any]]:
    """The quiz in the form `questions_set` takes."""
    return [
        {
            "prompt": question.prompt,
            "options": question.options,
            "correct": None if question.correct == UNSAID else question.correct,
            "note": question.note,
        }
        for question in Question.objects.filter(lesson=lesson).order_by("position")
    ]


def fingerprint(lesson: Lesson) -> str:
    """A short name of a lesson's wording as it is now; two wordings never share one."""
    return hashlib.sha256(json.dumps(_wording(lesson), sort_keys=True).encode()).hexdigest()


def _locked(code: str) -> Lesson:
    lesson = Lesson.objects.select_for_update(of=("self",)).filter(code=code).first()
    if lesson is None:
        raise NotFound(_("There is no such lesson."))
    return lesson


def _check_whole(lesson: Lesson) -> None:
    title, body = lesson.title, lesson.body
    if not title or set(title) != set(body) or not all(_filled(text) for text in (title, body)):
        raise InvalidInput(_("Give a title and a text in the same languages."), field="body")
    check_quiz(quiz_of(lesson), title.keys())


def _filled(texts: Mapping[str, str]) -> bool:
    return all(text.strip() for text in texts.values())


def _replace_questions(lesson: Lesson, questions: Sequence[Mapping[str, Any]]) -> None:
    """Attempts refer to questions by key: one that still has the same right answer among as many keeps its row, so that its
    figures go on; any other is a new question."""
    old = {question.position: question for question in Question.objects.filter(lesson=lesson)}
    kept: set[int] = set()
    for position, wording in enumerate(questions):
        options = {language: list(texts) for language, texts in (wording.get("options") or {}).items()}
        correct = wording.get("correct")
        question = Question(
            lesson=lesson,
            position=position,
            prompt=dict(wording.get("prompt") or {}),
            options=options,
            correct=correct if isinstance(correct, int) and 0 <= correct < UNSAID else UNSAID,
            note=dict(wording.get("note") or {}),
        )
        former = old.get(position)
        if former is not None and _asks_the_same(former, question):
            question.pk = former.pk
            kept.add(former.pk)
        question.save()
    Question.objects.filter(pk__in=[one.pk for one in old.values() if one.pk not in kept]).delete()


def _asks_the_same(former: Question, question: Question) -> bool:
    """Whether a rewording left the places of the answers what they were."""
    sizes = [{len(texts) for texts in one.options.values()} for one in (former, question)]
    return former.correct == question.correct and sizes[0] == sizes[1]


def _wording(lesson: Lesson) -> dict[str, Any]:
    return {
        "title": lesson.title,
        "body": lesson.body,
        "rule": lesson.rule.code if lesson.rule else None,
        **{name: getattr(lesson, name) for name in TERMS},
        "questions": quiz_of(lesson),
    }


def _moment(value: Any) -> str | None:
    return value.isoformat() if value else None
