"""Writing, publishing and assigning a lesson in the console, and what it shows of how far the guilds are."""

from __future__ import annotations

import csv
import datetime as dt
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from governance.education.editor import Draft, QuestionDraft, changed, draft_from, draft_of
from governance.education.figures import guild_figures, market_figures, question_figures
from governance.education.services import attempt_make, fingerprint, lesson_assign, lesson_complete, quiz_of
from governance.models import Assignment, Event, Lesson
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput
from guilds.models import Guild, User
from tests import factories
from tests.governance.education.cases import ANALYST, answers, published, question, written

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def analyst() -> User:
    return factories.staff("analyst")


@pytest.fixture
def console(analyst: User, client: Client) -> Client:
    client.force_login(analyst)
    return client


FORM: dict[str, Any] = {
    "do": "save",
    "code": "gifts",
    "rule": "",
    "seen": "",
    "language": ["en", "de"],
    "title-en": "Gifts",
    "title-de": "Geschenke",
    "body-en": "One.\r\n\r\nTwo.",
    "body-de": "Eins.",
    "questions": "1",
    "q0-prompt-en": "Which?",
    "q0-prompt-de": "Welche?",
    "q0-options": "3",
    "q0-o0-en": "A",
    "q0-o1-en": "B",
    "q0-o2-en": "C",
    "q0-o0-de": "D",
    "q0-o1-de": "E",
    "q0-o2-de": "F",
    "q0-correct": "2",
    "q0-note-en": "Because.",
    "pass_percent": "70",
    "credit_points": "0",
    "credit_every_days": "30",
    "amnesty_days": "0",
}
QUIZ = [
    {
        "prompt": {"en": "Which?", "de": "Welche?"},
        "options": {"en": ["A", "B", "C"], "de": ["D", "E", "F"]},
        "correct": 2,
        "note": {"en": "Because."},
    }
]


def save(console: Client, lesson: Lesson | None = None, /, **fields: Any) -> Any:
    path = f"/admin/governance/lesson/{lesson.pk}/edit/" if lesson else "/admin/governance/lesson/new/"
    return console.post(path, {**FORM, **fields})


# --- the form ---------------------------------------------------------------------------------------------------------
def test_an_analyst_writes_publishes_and_rewords(console: Client, analyst: User) -> None:
    response = save(console)
    lesson = Lesson.objects.get(code="gifts")
    assert response["Location"] == f"/admin/governance/lesson/{lesson.pk}/change/"
    assert (lesson.title, lesson.body) == (
        {"en": "Gifts", "de": "Geschenke"},
        {"en": "One.\n\nTwo.", "de": "Eins."},
    )
    assert (quiz_of(lesson), lesson.pass_percent, lesson.published_at) == (QUIZ, 70, None)

    console.post(f"/admin/governance/lesson/{lesson.pk}/publish/")
    lesson.refresh_from_db()
    assert lesson.published_at is not None

    save(console, lesson, **{"seen": fingerprint(lesson), "body-de": "Eins und zwei."})
    lesson.refresh_from_db()
    assert lesson.body["de"] == "Eins und zwei."
    event = Event.objects.filter(act="lesson.saved").latest("pk")
    assert event.before == {"body": {"en": "One.\n\nTwo.", "de": "Eins."}}
    assert event.actor_id == str(analyst.pk)


def test_opening_and_saving_changes_nothing(console: Client) -> None:
    save(console)
    lesson = Lesson.objects.get()
    before, count = fingerprint(lesson), Event.objects.count()
    page = console.get(f"/admin/governance/lesson/{lesson.pk}/edit/")
    draft = page.context["draft"]
    assert draft.quiz() == QUIZ
    save(console, lesson, seen=before)
    lesson.refresh_from_db()
    assert (fingerprint(lesson), Event.objects.count()) == (before, count)


def test_rows_come_and_go_without_saving(console: Client) -> None:
    for wish, questions, options in (
        ("add-question", 2, 3),
        ("drop-question:0", 0, None),
        ("add-option:0", 1, 4),
        ("drop-option:0:1", 1, 2),
        ("nonsense", 1, 3),
        ("drop-question:99", 1, 3),
        ("up:0", 1, 3),
    ):
        response = save(console, do=wish)
        draft = response.context["draft"]
        assert (response.status_code, len(draft.questions)) == (200, questions), wish
        assert options is None or len(draft.questions[0].options) == options, wish
        assert "Geschenke" in response.content.decode(), "what was typed is kept"
    assert not Lesson.objects.exists()
    assert not Event.objects.exists()


def test_taking_an_answer_out_moves_the_right_one_along(console: Client) -> None:
    for taken, right in ((0, 1), (1, 1), (2, None)):
        draft = save(console, do=f"drop-option:0:{taken}").context["draft"]
        assert draft.questions[0].correct == right


def test_a_language_is_added_and_taken_out(console: Client) -> None:
    added = save(console, do="add-language", new_language="PT_br")
    assert added.context["draft"].languages == ["en", "de", "pt-br"]
    assert 'name="title-pt-br"' in added.content.decode()
    assert re.search(r'name="title-pt-br"[^>]* autofocus', added.content.decode())
    assert save(console, do="drop-language:de").context["draft"].languages == ["en"]
    refused = save(console, do="add-language", new_language="Klingon!")
    assert refused.status_code == 422
    assert "Give the language as a tag" in refused.content.decode()


def test_questions_change_places(console: Client) -> None:
    two = {"questions": "2", "q1-prompt-en": "Second", "q1-o0-en": "X", "q1-o1-en": "Y", "q1-correct": "0"}
    moved = save(console, do="up:1", **two).context["draft"]
    assert [one.prompt["en"] for one in moved.questions] == ["Second", "Which?"]
    assert [one.correct for one in moved.questions] == [0, 2]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"code": ""}, "Give the lesson a code."),
        ({"code": "no spaces"}, "slug"),
        ({"title-en": "", "title-de": ""}, "title in one language"),
        ({"pass_percent": "eighty"}, "whole number"),
        ({"pass_percent": "101"}, "less than or equal to 100"),
        ({"credit_every_days": "0"}, "greater than or equal to 1"),
        ({"credit_points": "3"}, "needs a rule"),
        ({"amnesty_days": "5"}, "needs a rule"),
        ({"rule": "NONE-SUCH"}, "no such rule"),
    ],
)
def test_what_cannot_be_saved_is_said_and_what_was_typed_stays(
    console: Client, fields: dict[str, str], words: str
) -> None:
    response = save(console, **fields)
    assert response.status_code in {404, 422}
    page = response.content.decode()
    assert words in page
    assert "Because." in page
    assert not Lesson.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"q0-prompt-de": ""}, "Question 1 has no text in de."),
        ({"q0-o1-de": ""}, "Question 1 has an empty answer in de."),
        ({"q0-o1-en": "A"}, "Question 1 has the same answer twice in en."),
        ({"q0-correct": ""}, "Question 1 does not say which of its answers is right."),
        ({"title-de": "", "body-de": ""}, "Question 1 is written in de, in which the lesson is not."),
        ({"body-de": ""}, "same languages"),
    ],
)
def test_a_published_lesson_stays_whole(console: Client, fields: dict[str, str], words: str) -> None:
    save(console)
    lesson = Lesson.objects.get()
    console.post(f"/admin/governance/lesson/{lesson.pk}/publish/")
    before, count = fingerprint(lesson), Event.objects.count()

    response = save(console, lesson, seen=before, **fields)

    assert response.status_code == 422
    assert words in response.content.decode()
    lesson.refresh_from_db()
    assert (fingerprint(lesson), Event.objects.count()) == (before, count)


def test_a_draft_with_gaps_is_saved_but_not_published(console: Client) -> None:
    save(console, **{"body-de": "", "q0-correct": ""})
    lesson = Lesson.objects.get()
    count = Event.objects.count()
    response = console.post(f"/admin/governance/lesson/{lesson.pk}/publish/")
    assert response.status_code == 422
    lesson.refresh_from_db()
    assert (lesson.published_at, Event.objects.count()) == (None, count)


def test_nobody_overwrites_what_another_wrote_meanwhile(console: Client) -> None:
    save(console)
    lesson = Lesson.objects.get()
    seen = fingerprint(lesson)
    save(console, lesson, **{"seen": seen, "title-en": "Theirs"})
    response = save(console, lesson, **{"seen": seen, "title-en": "Mine"})
    assert response.status_code == 409
    assert "Somebody changed this lesson meanwhile" in response.content.decode()
    lesson.refresh_from_db()
    assert lesson.title["en"] == "Theirs"


def test_a_new_lesson_does_not_swallow_an_old_one(console: Client) -> None:
    written("gifts")
    response = save(console)
    assert response.status_code == 409
    assert Lesson.objects.get().title == {"en": "Our logo"}


@pytest.mark.parametrize("role", ["approver", "reviewer", "launcher", "auditor", "admin"])
def test_only_analysts_write(client: Client, role: str) -> None:
    lesson = published()
    client.force_login(factories.staff(role))
    before, count = fingerprint(lesson), Event.objects.count()
    for path in ("new", f"{lesson.pk}/edit", f"{lesson.pk}/publish", f"{lesson.pk}/assign"):
        address = f"/admin/governance/lesson/{path}/"
        assert (client.get(address).status_code, client.post(address, FORM).status_code) == (403, 403)
    assert "New lesson" not in client.get("/admin/governance/lesson/").content.decode()
    assert (fingerprint(lesson), Event.objects.count(), Lesson.objects.count()) == (before, count, 1)


def test_the_form_takes_any_rubbish() -> None:
    draft = draft_from({"questions": "999", "q0-options": "77", "q0-correct": "x"}, ["EN", "../", "de"])
    assert (draft.languages, len(draft.questions), len(draft.questions[0].options)) == (["de"], 20, 6)
    assert draft_from({"questions": "-1"}, []).languages == ["en"]
    with pytest.raises(InvalidInput):
        Draft(numbers={"pass_percent": "١٢"}).terms()
    for wish in ("", ":", "up:", "drop-option:0", "drop-language:xx", "add-option:9", "drop-option:0:9"):
        draft = Draft(questions=[QuestionDraft()])
        changed(draft, wish)
        assert (len(draft.questions), len(draft.questions[0].options), draft.languages) == (1, 2, ["en"])


def test_a_lesson_with_answers_missing_in_one_language_can_be_opened() -> None:
    lesson = written(title={"en": "A", "de": "B"}, questions=[question(1)])
    draft = draft_of(lesson, seen="")
    assert draft.questions[0].options[0] == {"en": "1 a"}


# --- what the page shows ----------------------------------------------------------------------------------------------
@pytest.fixture
def taught() -> tuple[Lesson, list[Guild]]:
    """Two guilds here, one there. The first passes at the second go, the second fails, the third has not tried."""
    here, there = factories.market("NEAR"), factories.market("AWAY")
    guilds = [factories.guild(f"guild-{n}", market=here if n < 2 else there) for n in range(3)]
    lesson = published(questions=[question(1), question(2)], pass_percent=100)
    lesson_assign(
        actor=ANALYST,
        lesson_id=lesson.pk,
        guild_ids=[guild.pk for guild in guilds],
        source="staff",
        due_at=timezone.now() + DAY,
    )
    for guild, chosen in ((guilds[0], (0, 1)), (guilds[0], (0, 0)), (guilds[1], (1, 1))):
        actor = Actor.guild_user(factories.seat(guild))
        attempt_make(actor=actor, code=lesson.code, answers=answers(lesson, *chosen))
    Assignment.objects.filter(guild=guilds[1]).update(due_at=timezone.now() - DAY)
    return lesson, guilds


def test_figures_by_market_question_and_guild(taught: tuple[Lesson, list[Guild]]) -> None:
    lesson, guilds = taught
    there, here = market_figures(lesson, None)
    assert (there.market.code, there.taught, there.done, there.done_share, there.open) == (
        "AWAY",
        1,
        0,
        0.0,
        1,
    )
    assert (here.taught, here.done, here.attempts, here.passed, here.open, here.overdue) == (2, 1, 3, 1, 1, 1)
    assert here.right_share == 0.5
    assert there.right_share is None

    assert [(one.answered, one.right, one.right_share) for one in question_figures(lesson, None)] == [
        (3, 2, 2 / 3),
        (3, 1, 1 / 3),
    ]
    assert [one.answered for one in question_figures(lesson, [guilds[2].market_id])] == [0, 0]

    rows = {row.guild.external_id: row for row in guild_figures(lesson, None)}
    assert (rows["guild-0"].attempts, rows["guild-0"].best, rows["guild-0"].asked) == (2, 1.0, False)
    assert (rows["guild-1"].completed_at, rows["guild-1"].best, rows["guild-1"].asked) == (None, 0.0, True)
    assert (rows["guild-2"].attempts, rows["guild-2"].due_at is not None) == (0, True)


def test_each_market_sees_its_own_figures(taught: tuple[Lesson, list[Guild]], client: Client) -> None:
    lesson, guilds = taught
    client.force_login(factories.staff("auditor", markets=[guilds[2].market]))
    pages = "".join(
        client.get(f"/admin/governance/lesson/{lesson.pk}/change/?tab={tab}").content.decode()
        for tab in ("lesson", "preview", "completion", "guilds", "requests")
    )
    assert "Guild 2" in pages
    assert "Guild 0" not in pages
    assert "NEAR" not in pages
    response = client.get(f"/admin/governance/lesson/{lesson.pk}/completion.csv")
    lines = list(csv.reader(b"".join(response.streaming_content).decode().splitlines()))  # type: ignore[attr-defined]
    assert [line[0] for line in lines] == ["Guild", "guild-2"]


def test_the_preview_shows_a_language_and_gives_no_answer_away(console: Client) -> None:
    save(console)
    lesson = Lesson.objects.get()
    page = console.get(f"/admin/governance/lesson/{lesson.pk}/change/?tab=preview&language=de")
    text = page.content.decode()
    assert "Welche?" in text
    assert "Which?" not in text
    assert "Because." not in text
    assert (
        console.get(f"/admin/governance/lesson/{lesson.pk}/change/?tab=preview&language=xx").status_code
        == 200
    )


# --- asking -----------------------------------------------------------------------------------------------------------
def ask(console: Client, lesson: Lesson, **fields: Any) -> Any:
    due_on = (timezone.now() + 9 * DAY).date().isoformat()
    return console.post(
        f"/admin/governance/lesson/{lesson.pk}/assign/", {"due_on": due_on, "guilds": "", **fields}
    )


def test_guilds_are_asked_by_market_and_tier_or_by_list(console: Client) -> None:
    here, there = factories.market(), factories.market()
    gold, plain = factories.guild("gold", market=here, tier="gold"), factories.guild("plain", market=here)
    factories.guild("away", market=here, status="terminated")
    other = factories.guild("other", market=there)
    lesson = published()

    assert ask(console, lesson, markets=[here.pk], tiers=["gold"]).status_code == 302
    assert [one.guild for one in Assignment.objects.all()] == [gold]
    ask(console, lesson, guilds="plain, other\n")
    assert {one.guild for one in Assignment.objects.all()} == {gold, plain, other}
    due_at = Assignment.objects.first().due_at  # type: ignore[union-attr]
    assert due_at is not None
    assert (due_at.hour, due_at.minute) == (23, 59)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "one of the two"),
        ({"guilds": "nobody"}, "no such guilds: nobody"),
        ({"guilds": "hidden"}, "no such guilds: hidden"),
        ({"guilds": "here", "tiers": ["gold"]}, "one of the two"),
        ({"guilds": "here", "due_on": "2020-01-01"}, "has gone by"),
        ({"tiers": ["star"]}, "at least one guild"),
    ],
)
def test_what_cannot_be_asked_is_said(client: Client, fields: dict[str, Any], words: str) -> None:
    here = factories.guild("here")
    factories.guild("hidden")
    lesson = published()
    client.force_login(factories.staff("analyst", markets=[here.market]))
    count = Event.objects.count()
    response = ask(client, lesson, **fields)
    assert response.status_code == 422
    assert words in response.content.decode()
    assert (Assignment.objects.count(), Event.objects.count()) == (0, count)


def test_the_list_of_requests_filters_by_state(taught: tuple[Lesson, list[Guild]], console: Client) -> None:
    _lesson, guilds = taught
    for state, expected in (
        ("open", {guilds[1], guilds[2]}),
        ("overdue", {guilds[1]}),
        ("done", {guilds[0]}),
        ("cancelled", set()),
    ):
        listed = console.get(f"/admin/governance/assignment/?state={state}").context["cl"].result_list
        assert {row.guild for row in listed} == expected, state


def test_the_page_tells_what_became_of_the_guilds(console: Client) -> None:
    version = factories.version()
    lesson = published("about", rule=version.rule)
    page = console.get(f"/admin/governance/lesson/{lesson.pk}/change/?tab=afterwards").content.decode()
    assert "Nobody did it yet." in page
    lesson_assign(actor=ANALYST, lesson_id=lesson.pk, guild_ids=[factories.guild().pk], source="staff")
    page = console.get(f"/admin/governance/lesson/{lesson.pk}/change/?tab=afterwards").content.decode()
    assert "Asked, not done" in page
    plain = published("plain")
    assert "Afterwards" not in console.get(f"/admin/governance/lesson/{plain.pk}/change/").content.decode()


def test_a_reviewer_is_told_of_an_amnesty_before_confirming(client: Client) -> None:
    guild, version = factories.guild(), factories.version(review="human")
    lesson = published("about", rule=version.rule, amnesty_days=30)
    lesson_complete(actor=Actor.guild_user(factories.seat(guild)), code=lesson.code)
    violation = factories.violation(guild, version)
    client.force_login(factories.staff("reviewer"))
    page = client.get(f"/admin/governance/violation/{violation.pk}/change/").content.decode()
    assert f"None that counts: amnesty for “{lesson.code}”" in page
    assert "100 → 100" in page
