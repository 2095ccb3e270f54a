"""A lesson with a quiz, from the first look to what it brings; without JavaScript."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.education.services import (
    attempt_make,
    lesson_assign,
    lesson_withdraw,
    questions_set,
    quiz_of,
)
from governance.models import Attempt, Completion, Lesson
from governance.penalties.services import credits_apply_due
from guilds.accounts.actor import Actor
from tests.appeals.cases import Case, nothing_changes, text_of
from tests.governance.education.cases import ANALYST, answers, published, question

pytestmark = pytest.mark.django_db
ADDRESS = "/portal/lessons/logo/"


@pytest.fixture
def lesson(case: Case) -> Lesson:
    return published(
        title={"en": "Our logo", "de": "Unser Logo"},
        body={"en": "Not yours.", "de": "Nicht eures."},
        rule=case.violation.rule,
        questions=[
            question(
                number,
                correct=correct,
                prompt={"en": f"What about {number}?", "de": f"Was ist mit {number}?"},
                options={"en": [f"{number} a", f"{number} b"], "de": [f"{number} x", f"{number} y"]},
                note={"en": f"Because of {number}.", "de": f"Wegen {number}."},
            )
            for number, correct in ((1, 0), (2, 1), (3, 0))
        ],
        pass_percent=60,
        credit_points=4,
        amnesty_days=30,
    )


def form(lesson: Lesson, *chosen: int | None) -> dict[str, str]:
    return {f"q{key}": str(place) for key, place in answers(lesson, *chosen).items() if place is not None}


def send(client: Client, lesson: Lesson, *chosen: int | None) -> str:
    response = client.post(f"{ADDRESS}quiz/", form(lesson, *chosen))
    assert response.status_code == 302, text_of(response)
    return text_of(client.get(response["Location"]))


def test_the_page_shows_lesson_quiz_and_what_it_brings(olga: Client, lesson: Lesson) -> None:
    page = olga.get(ADDRESS).content.decode()
    text = text_of(olga.get(ADDRESS))
    assert "3 questions; 2 right to pass." in text
    assert (
        "Passing takes up to 4 points off what counts against you under this rule, once in 30 days." in text
    )
    assert "For 30 days after you have done it" in text
    assert page.count('type="radio"') == 6
    assert page.count("<legend") == 3
    assert "Because of" not in page, "the answers are not given away"
    assert "checked" not in page


def test_passing_completes_the_lesson_and_says_what_it_brings(
    case: Case, olga: Client, lesson: Lesson
) -> None:
    text = send(olga, lesson, 0, 1, 1)

    assert "Passed 2 of 3 right." in text
    assert "3. What about 3? Wrong 3 b Right would have been: 3 a Because of 3." in text
    assert "Within a few minutes points are taken off" in text
    assert "answered by a warning alone, until" in text
    assert Completion.objects.get().user == case.olga.user

    credits_apply_due()
    assert "4 points have been taken off" in text_of(
        olga.get(f"{ADDRESS}attempts/{Attempt.objects.get().pk}/")
    )
    assert "Healthy Score 94 of 100" in text_of(olga.get("/portal/"))


def test_failing_says_which_were_wrong_and_why_but_not_what_is_right(olga: Client, lesson: Lesson) -> None:
    text = send(olga, lesson, 0, 0, 1)
    assert "Not passed yet 1 of 3 right." in text
    assert "2. What about 2? Wrong 2 a Because of 2." in text
    assert "Right would have been" not in text
    assert "Read the lesson again Not yours." in text
    assert "Try again" in text
    assert not Completion.objects.exists()
    assert "1 of 3 right" in text_of(olga.get(ADDRESS)), "earlier goes are listed"


def test_a_question_left_open_comes_back_with_the_other_answers_kept(olga: Client, lesson: Lesson) -> None:
    with nothing_changes():
        response = olga.post(f"{ADDRESS}quiz/", form(lesson, 0, None, 1))
    assert response.status_code == 422
    assert "Question 2: choose an answer." in text_of(response)
    assert response.content.decode().count(" checked") == 2
    assert not Attempt.objects.exists()


@pytest.mark.parametrize("place", ["9", "-1", "x", "", "٣", "9999999999"])
def test_made_up_answers_are_no_answers(olga: Client, lesson: Lesson, place: str) -> None:
    wanted = form(lesson, 0, 1, 0)
    wanted[next(iter(wanted))] = place
    with nothing_changes():
        assert olga.post(f"{ADDRESS}quiz/", wanted).status_code == 422
        assert olga.post(f"{ADDRESS}quiz/", {**wanted, "q999999": "0"}).status_code == 422


def test_the_sixth_go_within_a_day_is_refused_with_the_time_of_the_next(olga: Client, lesson: Lesson) -> None:
    for _go in range(5):
        send(olga, lesson, 1, 0, 1)
    with nothing_changes():
        response = olga.post(f"{ADDRESS}quiz/", form(lesson, 0, 1, 0))
    assert response.status_code == 409
    assert "five goes" in text_of(olga.get(ADDRESS)) or "5 goes" in text_of(response)
    assert 'type="radio"' not in olga.get(ADDRESS).content.decode()
    assert Attempt.objects.count() == 5


def test_the_quiz_is_in_the_readers_language(olga: Client, lesson: Lesson) -> None:
    page = olga.get(ADDRESS, HTTP_ACCEPT_LANGUAGE="de").content.decode()
    assert "Was ist mit 1?" in page
    assert "What about" not in page
    assert re.search(r'<span lang="de">Was ist mit 1', page)
    olga.post(f"{ADDRESS}quiz/", form(lesson, 1, 0, 1), HTTP_ACCEPT_LANGUAGE="de")
    attempt = Attempt.objects.get()
    assert attempt.language == "de"
    assert "Wegen 1." in text_of(olga.get(f"{ADDRESS}attempts/{attempt.pk}/"))


def test_a_lesson_written_from_the_right_is_shown_from_the_right(olga: Client) -> None:
    published(
        "rtl",
        title={"ar": "شعارنا"},
        body={"ar": "ليس لكم."},
        questions=[{"prompt": {"ar": "ما هذا؟"}, "options": {"ar": ["نعم", "لا"]}, "correct": 0, "note": {}}],
    )
    page = olga.get("/portal/lessons/rtl/").content.decode()
    assert '<legend dir="auto"><bdi>1.</bdi> <span lang="ar">ما هذا؟</span></legend>' in page
    assert '<span dir="auto">نعم</span>' in page
    assert '<h1 dir="auto">شعارنا</h1>' in page


def test_a_request_is_shown_at_home_and_on_the_page_and_ends_with_passing(
    case: Case, olga: Client, lesson: Lesson
) -> None:
    lesson_assign(
        actor=ANALYST,
        lesson_id=lesson.pk,
        guild_ids=[case.guild.pk],
        source="staff",
        source_id="spring",
        due_at=timezone.now() + dt.timedelta(days=5, hours=2),
    )
    home = text_of(olga.get("/portal/"))
    assert re.search(r"Do the lesson asked of you 5 days \d+ hours? left Our logo by ", home)
    assert "Asked of your guild: Asked by staff · by" in text_of(olga.get(ADDRESS))
    assert "Asked of your guild by" in text_of(olga.get("/portal/lessons/"))

    assert "Done, as asked of your guild: Asked by staff" in send(olga, lesson, 0, 1, 0)

    assert "Our logo" not in text_of(olga.get("/portal/"))
    assert "Do the quiz again" in text_of(olga.get(ADDRESS))


def test_a_viewer_reads_but_is_not_asked(case: Case, client: Client, lesson: Lesson) -> None:
    attempt_make(actor=case.owner, code="logo", answers=answers(lesson, 0, 1, 0))
    client.force_login(case.vera.user)
    text = text_of(client.get(ADDRESS))
    assert "Not yours." in text
    assert "An owner or manager of your guild can do the quiz of this lesson." in text
    assert 'type="radio"' not in client.get(ADDRESS).content.decode()
    assert client.get(f"{ADDRESS}attempts/{Attempt.objects.get().pk}/").status_code == 200


def test_another_guilds_go_does_not_exist(case: Case, client: Client, lesson: Lesson) -> None:
    attempt = attempt_make(actor=case.owner, code="logo", answers=answers(lesson, 0, 1, 0))
    client.force_login(case.otto.user)
    for number in (attempt.pk, 10**9):
        assert client.get(f"{ADDRESS}attempts/{number}/").status_code == 404
    assert "right" not in text_of(client.get("/portal/lessons/"))


def test_a_withdrawn_lesson_is_gone(olga: Client, lesson: Lesson) -> None:
    attempt = send(olga, lesson, 1, 0, 1)
    assert "Not passed yet" in attempt
    lesson_withdraw(actor=ANALYST, code="logo", reason="superseded")
    assert olga.get(ADDRESS).status_code == 404
    with nothing_changes():
        assert olga.post(f"{ADDRESS}quiz/", form(lesson, 0, 1, 0)).status_code == 404


def test_a_quiz_cannot_be_acknowledged_away(olga: Client, lesson: Lesson) -> None:
    with nothing_changes():
        assert olga.post(f"{ADDRESS}acknowledge/").status_code == 409
    assert "We have read and understood this" not in text_of(olga.get(ADDRESS))


def test_questions_that_changed_since_are_left_out(case: Case, olga: Client, lesson: Lesson) -> None:
    attempt = attempt_make(actor=case.owner, code="logo", answers=answers(lesson, 0, 1, 1))
    quiz = quiz_of(lesson)
    quiz[2] |= {"correct": 1}
    questions_set(actor=ANALYST, code="logo", questions=quiz)
    text = text_of(olga.get(f"{ADDRESS}attempts/{attempt.pk}/"))
    assert "Some questions have changed since" in text
    assert "What about 1?" in text
    assert "What about 3?" not in text


def test_pages_cost_few_queries(case: Case, olga: Client, lesson: Lesson) -> None:
    attempt = attempt_make(actor=Actor.guild_user(case.olga), code="logo", answers=answers(lesson, 0, 1, 0))
    for address in (ADDRESS, f"{ADDRESS}attempts/{attempt.pk}/", "/portal/lessons/", "/portal/"):
        with CaptureQueriesContext(connection) as queries:
            olga.get(address)
        assert len(queries) <= 20, (address, len(queries))
