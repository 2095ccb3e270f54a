"""Guilds are asked once, in their language, reminded in time, and only where the asker may."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.education.selectors import (
    assignments_open,
    assignments_visible_to,
    completion_share,
    lessons_open,
    lessons_published_for,
)
from governance.education.services import (
    assignment_cancel,
    assignments_remind_due,
    assignments_withdraw,
    lesson_assign,
    lesson_complete,
    lesson_withdraw,
)
from governance.models import Assignment, Completion, Event, Lesson, Notice, Template
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Guild
from tests import factories
from tests.governance.education.cases import ANALYST, published, written

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def assign(lesson: Lesson, *guilds: Guild, **fields: Any) -> list[Assignment]:
    wanted: dict[str, Any] = {"actor": ANALYST, "source": "staff", "source_id": "spring"} | fields
    return lesson_assign(lesson_id=lesson.pk, guild_ids=[guild.pk for guild in guilds], **wanted)


def complete(guild: Guild, code: str = "logo") -> Completion:
    return lesson_complete(actor=Actor.guild_user(factories.seat(guild)), code=code)


def rows() -> tuple[int, int, int]:
    return Assignment.objects.count(), Notice.objects.count(), Event.objects.count()


# --- asking -----------------------------------------------------------------------------------------------------------
def test_a_guild_is_asked_in_its_language_and_once() -> None:
    market = factories.market(languages=["de", "en"], timezone="Europe/Berlin")
    guild, other = factories.guild(market=market), factories.guild()
    Template.objects.create(
        kind="lesson_assigned", language="de", subject="Lektion: {lesson}", body="Bis {due_at}: {lesson_url}"
    )
    lesson = published(title={"en": "Our logo", "de": "Unser Logo"}, body={"en": "A", "de": "B"})
    due_at = timezone.now() + 10 * DAY

    made = assign(lesson, guild, other, due_at=due_at)

    assert {one.guild for one in made} == {guild, other}
    notice = Notice.objects.get(guild=guild)
    assert (notice.language, notice.subject) == ("de", "Lektion: Unser Logo")
    assert f"{due_at.astimezone(dt.timezone(dt.timedelta(hours=1))):%Y-%m-%d}" in notice.body
    assert "/portal/lessons/logo/" in notice.body
    assert Notice.objects.get(guild=other).subject == "Please do a lesson: Our logo"
    assert Event.objects.filter(act="lesson.assigned", guild_id__in=[guild.pk, other.pk]).count() == 2

    before = rows()
    assert assign(lesson, guild, other, due_at=due_at) == []
    assert rows() == before


def test_who_has_done_it_is_noted_as_done_and_not_written_to() -> None:
    guild, lesson = factories.guild(), published()
    complete(guild)

    [assignment] = assign(lesson, guild, source="launch", source_id="launch-1")

    assert assignment.completed_at is not None
    assert not Notice.objects.exists()
    assert list(assignments_open(guild.pk)) == []


def test_a_penalty_asks_for_the_lesson_anew() -> None:
    guild, lesson = factories.guild(), published()
    first = complete(guild)

    [assignment] = assign(lesson, guild, source="penalty", source_id="p-1")

    assert list(assignments_open(guild.pk)) == [assignment]
    assert list(lessons_open(guild.pk)) == [lesson]
    assert complete(guild) == first, "the first completion is kept"
    assert list(assignments_open(guild.pk)) == []
    assert list(lessons_open(guild.pk)) == []
    assert Event.objects.filter(act="assignment.completed").count() == 1
    assert Event.objects.filter(act="lesson.completed").count() == 1


def test_completing_fulfils_every_request_and_keeps_the_source() -> None:
    guild, other, lesson = factories.guild(), factories.guild(), published()
    assign(lesson, guild, other, source="launch", source_id="launch-1")
    assign(lesson, guild)

    completion = complete(guild)

    assert completion.source == "launch"
    assert not Assignment.objects.filter(guild=guild, completed_at__isnull=True).exists()
    assert Assignment.objects.get(guild=other).completed_at is None


def test_asking_again_after_a_cancellation_lets_it_stand_again() -> None:
    guild, lesson = factories.guild(), published()
    [assignment] = assign(lesson, guild)
    assignment_cancel(actor=ANALYST, assignment_id=assignment.pk, reason="too early")

    [again] = assign(lesson, guild, due_at=timezone.now() + 5 * DAY)

    assert again.pk == assignment.pk
    assignment.refresh_from_db()
    assert (assignment.cancelled_at, assignment.due_at) == (None, again.due_at)


@pytest.mark.parametrize("role", ["approver", "reviewer", "enforcer", "adjudicator", "auditor", "admin"])
def test_other_roles_ask_nobody(role: str) -> None:
    guild, lesson = factories.guild(), published()
    before = rows()
    with pytest.raises(NotAllowed):
        assign(lesson, guild, actor=Actor.staff(factories.staff(role)))
    with pytest.raises(NotAllowed):
        assign(lesson, guild, actor=Actor.guild_user(factories.seat(guild)))
    assert rows() == before


def test_nobody_asks_beyond_their_markets() -> None:
    here, lesson = factories.guild(), published()
    analyst = Actor.staff(factories.staff("analyst", markets=[here.market]))
    before = rows()
    with pytest.raises(NotAllowed, match="outside your scope"):
        assign(lesson, here, factories.guild(), actor=analyst)
    assert rows() == before
    assert len(assign(lesson, here, actor=analyst)) == 1


def test_what_cannot_be_asked() -> None:
    guild, lesson = factories.guild(), published()
    draft, withdrawn = written("draft"), published("old")
    lesson_withdraw(actor=ANALYST, code="old", reason="superseded")
    before = rows()
    for absent in (draft, withdrawn):
        with pytest.raises(NotFound):
            assign(absent, guild)
    with pytest.raises(NotFound):
        lesson_assign(actor=ANALYST, lesson_id=lesson.pk, guild_ids=[0], source="staff")
    with pytest.raises(InvalidInput) as past:
        assign(lesson, guild, due_at=timezone.now() - DAY)
    assert past.value.field == "due_at"
    with pytest.raises(InvalidInput):
        assign(lesson)
    assert rows() == before


def test_thousands_are_asked_in_few_statements(django_assert_max_num_queries: Any) -> None:
    market, lesson = factories.market(), published()
    guilds = [factories.guild(market=market) for _ in range(60)]
    with django_assert_max_num_queries(19):
        assert len(assign(lesson, *guilds)) == 60


# --- taking back ------------------------------------------------------------------------------------------------------
def test_a_request_is_taken_back_with_a_reason() -> None:
    guild, lesson = factories.guild(), published()
    [assignment] = assign(lesson, guild)
    with pytest.raises(InvalidInput):
        assignment_cancel(actor=ANALYST, assignment_id=assignment.pk, reason=" ")
    elsewhere = Actor.staff(factories.staff("analyst", markets=[factories.market()]))
    with pytest.raises(NotAllowed):
        assignment_cancel(actor=elsewhere, assignment_id=assignment.pk, reason="no")
    assert Assignment.objects.get().cancelled_at is None

    assignment_cancel(actor=ANALYST, assignment_id=assignment.pk, reason="by mistake")

    assert Assignment.objects.get().cancelled_at is not None
    assert Event.objects.get(act="assignment.cancelled").reason == "by mistake"
    with pytest.raises(InvalidTransition):
        assignment_cancel(actor=ANALYST, assignment_id=assignment.pk, reason="again")


def test_what_a_penalty_asks_is_not_for_an_analyst_to_cancel() -> None:
    [assignment] = assign(published(), factories.guild(), source="penalty", source_id="p-1")
    before = rows()
    with pytest.raises(Conflict):
        assignment_cancel(actor=ANALYST, assignment_id=assignment.pk, reason="be kind")
    assert (rows(), Assignment.objects.get().cancelled_at) == (before, None)


def test_a_source_takes_back_what_was_not_done() -> None:
    done, waiting, lesson = factories.guild(), factories.guild(), published()
    assign(lesson, done, waiting, source="launch", source_id="one")
    assign(lesson, waiting, source="launch", source_id="two")
    complete(done)

    assert assignments_withdraw(actor=ANALYST, source="launch", source_ids=["one"], reason="cancelled") == 1

    assert Assignment.objects.get(guild=done).cancelled_at is None
    assert list(assignments_open(waiting.pk).values_list("source_id", flat=True)) == ["two"]
    assert assignments_withdraw(actor=ANALYST, source="launch", source_ids=["one"], reason="again") == 0


# --- reminding --------------------------------------------------------------------------------------------------------
def test_reminders_go_out_three_days_before_on_the_day_and_three_days_after() -> None:
    guild = factories.guild(market=factories.market(timezone="Pacific/Auckland"))
    due_at = timezone.now().replace(hour=20, minute=0) + 20 * DAY
    [assignment] = assign(published(), guild, due_at=due_at)

    heard = [
        day for day in range(25) if assignments_remind_due(now=timezone.now().replace(hour=20) + day * DAY)
    ]

    assert heard == [17, 20, 23]
    assert Notice.objects.filter(kind="lesson_reminder").count() == 3
    assignment.refresh_from_db()
    assert assignment.reminders == 3


def test_reminders_count_days_as_the_market_does() -> None:
    # Due at 13:00 UTC is due at two in the night of the next day there.
    guild = factories.guild(market=factories.market(timezone="Pacific/Auckland"))
    due_at = (timezone.now() + 30 * DAY).replace(hour=13, minute=0)
    assign(published(), guild, due_at=due_at)
    three_days_before_in_utc = due_at - 3 * DAY
    assert assignments_remind_due(now=three_days_before_in_utc.replace(hour=10)) == 0, "23:00 the day before"
    assert assignments_remind_due(now=three_days_before_in_utc.replace(hour=12)) == 1, "01:00"


def test_reminding_twice_reminds_once_and_what_was_missed_is_said_once() -> None:
    assign(published(), factories.guild(), due_at=timezone.now() + 10 * DAY)
    late = timezone.now() + 14 * DAY
    assert assignments_remind_due(now=late) == 1, "three moments have gone by; one word is enough"
    assert assignments_remind_due(now=late) == 0
    assert Notice.objects.filter(kind="lesson_reminder").count() == 1


def test_who_is_asked_late_is_not_reminded_at_once() -> None:
    assign(published(), factories.guild(), due_at=timezone.now() + 2 * DAY)
    assert assignments_remind_due() == 0
    assert assignments_remind_due(now=timezone.now() + 2 * DAY) == 1


def test_nobody_is_reminded_of_what_is_done_cancelled_withdrawn_or_without_a_date_or_when_gone() -> None:
    lesson, old = published(), published("old")
    done, cancelled, dateless, over, gone = (factories.guild() for _ in range(5))
    due_at = timezone.now() + 5 * DAY
    assign(lesson, done, due_at=due_at)
    complete(done)
    [taken_back] = assign(lesson, cancelled, due_at=due_at)
    assignment_cancel(actor=ANALYST, assignment_id=taken_back.pk, reason="by mistake")
    assign(lesson, dateless)
    assign(old, over, due_at=due_at)
    assign(lesson, gone, due_at=due_at)
    Guild.objects.filter(pk=gone.pk).update(status="terminated")
    lesson_withdraw(actor=ANALYST, code="old", reason="superseded")

    assert assignments_remind_due(now=due_at) == 0
    assert not Notice.objects.filter(kind="lesson_reminder").exists()


def test_a_limit_leaves_nobody_out() -> None:
    guilds = [factories.guild() for _ in range(3)]
    assign(published(), *guilds, due_at=timezone.now() + 5 * DAY)
    later = timezone.now() + 5 * DAY
    assert [assignments_remind_due(limit=2, now=later) for _ in range(3)] == [2, 1, 0]


# --- how far the guilds are -------------------------------------------------------------------------------------------
def test_the_share_counts_guilds_at_work_that_completed_every_lesson() -> None:
    here, there = factories.market(), factories.market()
    rule = factories.rule()
    one, two = published("one", rule=rule), published("two", rule=rule)
    written("draft", rule=rule)
    both, half, none = (factories.guild(market=here) for _ in range(3))
    factories.guild(market=here, status="terminated")
    factories.guild(market=here, provisional=True)
    elsewhere = factories.guild(market=there)
    for guild, codes in ((both, ("one", "two")), (half, ("one",)), (elsewhere, ("one", "two"))):
        for code in codes:
            complete(guild, code)

    assert list(lessons_published_for(rule.pk)) == [one, two]
    assert completion_share(rule_id=rule.pk, market_ids=[here.pk]) == (1, 3)
    assert completion_share(rule_id=rule.pk, market_ids=[here.pk, there.pk]) == (2, 4)
    assert completion_share(lesson_ids=[one.pk], market_ids=[here.pk]) == (2, 3)
    assert completion_share(lesson_ids=[one.pk]) == (3, 4)
    assert completion_share(rule_id=factories.rule().pk, market_ids=[here.pk]) == (0, 3)
    assert completion_share(rule_id=rule.pk, market_ids=[]) == (0, 0)
    assert none in Guild.objects.filter(completions__isnull=True)


def test_each_sees_its_own_assignments() -> None:
    guild, other, lesson = factories.guild(), factories.guild(), published()
    assign(lesson, guild, other)
    staff = Actor.staff(factories.staff("auditor", markets=[guild.market]))
    for actor in (Actor.guild_user(factories.seat(guild)), staff):
        assert [one.guild for one in assignments_visible_to(actor)] == [guild]
    assert assignments_visible_to(ANALYST).count() == 2
