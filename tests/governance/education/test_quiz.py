"""Quizzes: what makes one sound, what a go at it does, and who may."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import ProgrammingError, transaction
from django.utils import timezone

from governance.education.quiz import faults_of, passes
from governance.education.services import (
    attempt_make,
    lesson_assign,
    lesson_complete,
    lesson_publish,
    lesson_save,
    lesson_withdraw,
    next_attempt_at,
    questions_set,
    quiz_of,
)
from governance.models import Assignment, Attempt, Completion, Event, Lesson, Question
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import GuildUser
from tests import factories
from tests.governance.education.cases import ANALYST, answers, published, question, written

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def seat() -> GuildUser:
    return factories.seat(factories.guild())


@pytest.fixture
def lesson() -> Lesson:
    return published(questions=[question(1, correct=0), question(2, correct=1), question(3, correct=2)])


def go(seat: GuildUser, lesson: Lesson, *chosen: int | None) -> Attempt:
    return attempt_make(
        actor=Actor.guild_user(seat), code=lesson.code, answers=answers(lesson, *chosen), language="en"
    )


# --- the quiz ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"prompt": {}}, "Question 2 has no text in en."),
        ({"prompt": {"en": " "}}, "Question 2 has no text in en."),
        ({"options": {"en": ["one"]}}, "Question 2 needs two answers or more in en."),
        ({"options": {"en": [*"abcdefg"]}}, "Question 2 has more than six answers in en."),
        ({"options": {"en": ["a", ""]}}, "Question 2 has an empty answer in en."),
        ({"options": {"en": ["a", "a "]}}, "Question 2 has the same answer twice in en."),
        ({"correct": 3}, "Question 2 does not say which of its answers is right."),
        ({"correct": -1}, "Question 2 does not say which of its answers is right."),
        ({"correct": None}, "Question 2 does not say which of its answers is right."),
        ({"correct": True}, "Question 2 does not say which of its answers is right."),
        ({"prompt": {"en": "A", "fr": "B"}}, "Question 2 is written in fr, in which the lesson is not."),
    ],
)
def test_a_fault_is_named_by_question_and_language(lesson: Lesson, fault: dict[str, Any], words: str) -> None:
    before, count = quiz_of(lesson), Event.objects.count()
    with pytest.raises(InvalidInput) as refusal:
        questions_set(actor=ANALYST, code="logo", questions=[question(1), {**question(2), **fault}])
    assert words in [error["message"] for error in refusal.value.errors]
    assert (quiz_of(lesson), Event.objects.count()) == (before, count)


def test_every_language_of_the_lesson_needs_the_whole_quiz() -> None:
    two = {
        "prompt": {"en": "A", "de": "B"},
        "options": {"en": ["1", "2", "3"], "de": ["1", "2"]},
        "correct": 2,
    }
    messages = [fault["message"] for fault in faults_of([two], ["en", "de"])]
    assert "Question 1 has not the same number of answers in every language." in messages
    assert "Question 1 does not say which of its answers is right." in messages
    assert faults_of([question(1)] * 21, ["en"])[0]["message"] == "A quiz has 20 questions at most."
    assert faults_of([], ["en"]) == []


def test_a_rewording_keeps_the_question_and_another_answer_makes_a_new_one(lesson: Lesson) -> None:
    first, second, third = Question.objects.order_by("position")
    reworded = quiz_of(lesson)
    reworded[0]["prompt"] = {"en": "Better put?"}
    reworded[1]["correct"] = 0
    reworded.pop()

    questions_set(actor=ANALYST, code="logo", questions=reworded)

    kept, replaced = Question.objects.order_by("position")
    assert (kept.pk, kept.prompt) == (first.pk, {"en": "Better put?"})
    assert replaced.pk not in {second.pk, third.pk}
    event = Event.objects.filter(act="lesson.saved").latest("pk")
    assert len(event.before["questions"]) == 3
    assert event.after["questions"] == reworded


@pytest.mark.parametrize(("right", "expected"), [(3, False), (4, True), (5, True)])
def test_a_share_on_the_line_passes(right: int, expected: bool) -> None:
    assert passes(right=right, asked=5, pass_percent=80) is expected
    assert passes(right=0, asked=0, pass_percent=1) is False


# --- a go -------------------------------------------------------------------------------------------------------------
def test_passing_completes_once_and_each_go_is_kept(seat: GuildUser, lesson: Lesson) -> None:
    first = go(seat, lesson, 0, 1, 0)
    assert (first.right, first.asked, first.passed, first.language) == (2, 3, False, "en")
    assert not Completion.objects.exists()
    assert go(seat, lesson, 0, 1, 2).passed
    assert go(seat, lesson, 0, 1, 2).passed
    assert Completion.objects.count() == 1
    acts = list(Event.objects.filter(guild_id=seat.guild_id).order_by("pk").values_list("act", flat=True))
    assert acts == ["lesson.attempted", "lesson.attempted", "lesson.completed", "lesson.attempted"]


def test_a_go_is_never_changed(seat: GuildUser, lesson: Lesson) -> None:
    attempt = go(seat, lesson, 1, 1, 1)
    with pytest.raises(ProgrammingError), transaction.atomic():
        Attempt.objects.update(passed=True)
    with pytest.raises(ProgrammingError), transaction.atomic():
        Attempt.objects.filter(pk=attempt.pk).delete()
    attempt.refresh_from_db()
    assert attempt.passed is False


def test_five_goes_a_day_for_a_guild_and_a_lesson(seat: GuildUser, lesson: Lesson) -> None:
    colleague = factories.seat(seat.guild, "manager")
    for person in (seat, colleague, seat, colleague, seat):
        go(person, lesson, 1, 0, 0)
    count = Event.objects.count()
    with pytest.raises(Conflict, match="5 goes at this quiz within a day"):
        go(colleague, lesson, 0, 1, 2)
    assert (Attempt.objects.count(), Event.objects.count()) == (5, count)

    other = published("other", questions=[question(1)])
    assert go(seat, other, 0).passed, "another lesson counts on its own"
    assert go(factories.seat(factories.guild()), lesson, 0, 1, 2).passed, "so does another guild"
    now = timezone.now()
    again = next_attempt_at(lesson, seat.guild_id, now)
    assert again is not None
    assert dt.timedelta(hours=23) < again - now <= DAY
    assert next_attempt_at(lesson, seat.guild_id, now + DAY) is None


def refused(exception: type[Exception], seat: GuildUser | Actor, code: str, chosen: dict[int, Any]) -> None:
    before = (Attempt.objects.count(), Completion.objects.count(), Event.objects.count())
    actor = seat if isinstance(seat, Actor) else Actor.guild_user(seat)
    with pytest.raises(exception):
        attempt_make(actor=actor, code=code, answers=chosen)
    assert (Attempt.objects.count(), Completion.objects.count(), Event.objects.count()) == before


def test_who_may_not(seat: GuildUser, lesson: Lesson) -> None:
    right = answers(lesson, 0, 1, 2)
    refused(NotAllowed, factories.seat(seat.guild, "viewer"), "logo", right)
    refused(NotAllowed, Actor.staff(factories.staff("analyst", "admin")), "logo", right)
    refused(NotAllowed, Actor.system("test"), "logo", right)
    closed = factories.seat(seat.guild, is_active=True)
    closed.is_active = False
    refused(NotAllowed, closed, "logo", right)


def test_what_is_no_answer(seat: GuildUser, lesson: Lesson) -> None:
    whole = answers(lesson, 0, 1, 2)
    first = min(whole)
    for wrong in (None, 3, -1):
        refused(InvalidInput, seat, "logo", {**whole, first: wrong})
    refused(InvalidInput, seat, "logo", {})
    refused(InvalidInput, seat, "logo", {**whole, 10**9: 0})
    refused(NotFound, seat, "none", whole)


def test_a_lesson_without_a_quiz_is_acknowledged_and_one_with_is_not(seat: GuildUser, lesson: Lesson) -> None:
    published("plain")
    refused(Conflict, seat, "plain", {})
    with pytest.raises(Conflict, match="passing its quiz"):
        lesson_complete(actor=Actor.guild_user(seat), code=lesson.code)
    assert not Completion.objects.exists()


# --- publishing and withdrawing ---------------------------------------------------------------------------------------
def test_a_draft_is_nobodys_to_do_until_it_is_published(seat: GuildUser) -> None:
    lesson = written(questions=[question(1)])
    refused(NotFound, seat, "logo", answers(lesson, 0))
    lesson_publish(actor=ANALYST, code="logo")
    assert go(seat, lesson, 0).passed


def test_a_withdrawn_lesson_is_gone_and_comes_back(seat: GuildUser, lesson: Lesson) -> None:
    lesson_withdraw(actor=ANALYST, code="logo", reason="superseded")
    refused(NotFound, seat, "logo", answers(lesson, 0, 1, 2))
    with pytest.raises(InvalidTransition):
        lesson_withdraw(actor=ANALYST, code="logo", reason="again")
    lesson_publish(actor=ANALYST, code="logo")
    assert go(seat, lesson, 0, 1, 2).passed
    acts = Event.objects.filter(object_type="lesson", act__in=["lesson.published", "lesson.withdrawn"])
    assert list(acts.order_by("pk").values_list("act", flat=True)) == [
        "lesson.published",
        "lesson.withdrawn",
        "lesson.published",
    ]


@pytest.mark.parametrize("role", ["approver", "reviewer", "enforcer", "launcher", "auditor", "admin"])
def test_only_analysts_write_and_withdraw(lesson: Lesson, role: str) -> None:
    actor = Actor.staff(factories.staff(role))
    before, count = quiz_of(lesson), Event.objects.count()
    with pytest.raises(NotAllowed):
        questions_set(actor=actor, code="logo", questions=[])
    with pytest.raises(NotAllowed):
        lesson_save(actor=actor, code="logo", title={"en": "A"}, body={"en": "B"})
    with pytest.raises(NotAllowed):
        lesson_withdraw(actor=actor, code="logo", reason="no")
    lesson.refresh_from_db()
    assert (quiz_of(lesson), lesson.withdrawn_at, Event.objects.count()) == (before, None, count)


def test_withdrawing_needs_a_reason_and_cancels_what_was_asked(lesson: Lesson, seat: GuildUser) -> None:
    lesson_assign(actor=ANALYST, lesson_id=lesson.pk, guild_ids=[seat.guild_id], source="launch")
    with pytest.raises(InvalidInput):
        lesson_withdraw(actor=ANALYST, code="logo", reason=" ")
    assert Assignment.objects.get().cancelled_at is None
    lesson_withdraw(actor=ANALYST, code="logo", reason="superseded")
    assert Assignment.objects.get().cancelled_at is not None
    assert Event.objects.get(act="assignment.cancelled").reason == "superseded"
