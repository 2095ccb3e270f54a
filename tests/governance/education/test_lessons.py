from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.education.selectors import in_language, lesson_for, lessons_for, lessons_open
from governance.education.services import lesson_complete, lesson_publish
from governance.models import Completion, Event, Lesson
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput, NotAllowed, NotFound
from tests import factories

pytestmark = pytest.mark.django_db
ANALYST = Actor.system("test")


def _publish(**fields: Any) -> Lesson:
    writing: dict[str, Any] = {
        "actor": ANALYST,
        "code": "logo",
        "title": {"en": "Our logo"},
        "body": {"en": "Not yours."},
    }
    return lesson_publish(**(writing | fields))


def test_a_published_lesson_reaches_every_guild_until_it_acknowledges() -> None:
    guild, other = factories.guild(), factories.guild()
    seat = factories.seat(guild, "manager")
    _publish(rule=factories.rule("REC-02"))

    completion = lesson_complete(actor=Actor.guild_user(seat), code="logo")

    assert (completion.guild, completion.user) == (guild, seat.user)
    assert list(lessons_open(guild.pk)) == []
    assert [lesson.code for lesson in lessons_open(other.pk)] == ["logo"]
    assert [bool(lesson.mine) for lesson in lessons_for(guild.pk)] == [True]  # type: ignore[attr-defined]
    event = Event.objects.get(act="lesson.completed")
    assert (event.guild_id, event.object_id) == (guild.pk, "logo")


def test_acknowledging_again_changes_nothing() -> None:
    actor = Actor.guild_user(factories.seat(factories.guild()))
    _publish()
    first = lesson_complete(actor=actor, code="logo")

    assert lesson_complete(actor=actor, code="logo") == first
    assert Event.objects.filter(act="lesson.completed").count() == 1


def test_only_those_who_act_for_a_guild_acknowledge() -> None:
    guild = factories.guild()
    _publish()
    for actor in (
        Actor.guild_user(factories.seat(guild, "viewer")),
        Actor.staff(factories.staff("admin")),
        Actor.system("test"),
    ):
        with pytest.raises(NotAllowed):
            lesson_complete(actor=actor, code="logo")
    assert not Completion.objects.exists()
    assert not Event.objects.filter(act="lesson.completed").exists()


def test_a_lesson_not_yet_published_is_not_there() -> None:
    seat = factories.seat(factories.guild())
    Lesson.objects.create(code="draft", title={"en": "A"}, body={"en": "B"})
    Lesson.objects.create(
        code="later", title={"en": "A"}, body={"en": "B"}, published_at=timezone.now() + dt.timedelta(days=1)
    )
    for code in ("draft", "later", "none"):
        with pytest.raises(NotFound):
            lesson_complete(actor=Actor.guild_user(seat), code=code)
        with pytest.raises(NotFound):
            lesson_for(seat.guild_id, code)


def test_publishing_again_rewords_and_keeps_the_day() -> None:
    first = _publish()
    second = _publish(title={"en": "The logo"})

    assert (second.pk, second.published_at) == (first.pk, first.published_at)
    assert Event.objects.filter(act="lesson.published").count() == 1
    created, reworded = Event.objects.filter(act="lesson.saved").order_by("pk")
    assert created.before == {}
    assert reworded.before == {"title": {"en": "Our logo"}}
    assert reworded.after == {"title": {"en": "The logo"}}


@pytest.mark.parametrize(
    "fields",
    [
        {"title": {}},
        {"body": {}},
        {"title": {"en": ""}},
        {"title": {"de": "Logo"}},
        {"body": {"en": "A", "de": ""}},
    ],
)
def test_a_lesson_needs_title_and_text_in_the_same_languages(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        _publish(**fields)
    assert not Lesson.objects.exists()


def test_only_analysts_publish() -> None:
    with pytest.raises(NotAllowed):
        _publish(actor=Actor.staff(factories.staff("reviewer", "admin")))
    assert not Lesson.objects.exists()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("de", "de"), ("de-at", "de"), ("pt-BR", "pt-br"), ("pt", "en"), ("zh-hans", "en"), ("en", "en")],
)
def test_the_nearest_language_is_shown(wanted: str, found: str) -> None:
    assert in_language({"de": "1", "pt-br": "2", "en": "3"}, wanted)[0] == found


def test_any_language_is_better_than_none() -> None:
    assert in_language({"ja": "規則"}, "de") == ("ja", "規則")
    assert in_language({}, "de") == ("en", "")
