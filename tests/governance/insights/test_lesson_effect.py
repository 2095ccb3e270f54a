"""Violations and live hours around a lesson, for guilds that did it and guilds that were asked and did not."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.education.services import lesson_assign, lesson_complete
from governance.insights.lesson_effect import Group, lesson_effect
from governance.models import Assignment, Completion, Lesson, RuleVersion
from guilds.accounts.actor import Actor
from guilds.models import Activity, Guild
from tests import factories
from tests.governance.education.cases import ANALYST, published

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
#: Long enough ago that the days after have gone by.
THEN = timezone.now() - 120 * DAY


@pytest.fixture
def version() -> RuleVersion:
    return factories.version()


@pytest.fixture
def lesson(version: RuleVersion) -> Lesson:
    return published(rule=version.rule)


def offend(guild: Guild, version: RuleVersion, *days: float, **fields: Any) -> None:
    """Violations so many days after the day looked at."""
    fields.setdefault("status", "confirmed")
    for day in days:
        factories.violation(guild, version, evidence=False, occurred_at=THEN + day * DAY, **fields)


def streamed(guild: Guild, **hours_by_day: float) -> None:
    for name, hours in hours_by_day.items():
        day = int(name.replace("before", "-").replace("after", ""))
        Activity.objects.create(
            guild=guild, date=(THEN + day * DAY).date(), live_hours=hours, active_creators=1
        )


def done(guild: Guild, lesson: Lesson, at: dt.datetime = THEN) -> Guild:
    lesson_complete(actor=Actor.guild_user(factories.seat(guild)), code=lesson.code)
    Completion.objects.filter(guild=guild, lesson=lesson).update(completed_at=at)
    return guild


def asked(guild: Guild, lesson: Lesson, source: str = "staff", at: dt.datetime = THEN) -> Guild:
    lesson_assign(actor=ANALYST, lesson_id=lesson.pk, guild_ids=[guild.pk], source=source)
    Assignment.objects.filter(guild=guild, source=source).update(assigned_at=at)
    return guild


def only(**fields: Any) -> Group:
    [group] = lesson_effect(actor=fields.pop("actor", ANALYST), **fields)
    return group


def test_facts_before_and_after_the_day_it_was_done(lesson: Lesson, version: RuleVersion) -> None:
    guild = done(factories.guild(), lesson)
    offend(guild, version, -89.9, -1, -0.001, 0.001, 89.9)
    offend(guild, version, -90.1, 90.1)
    offend(guild, version, -3, status="dismissed")
    offend(guild, version, 3, status="overturned")
    offend(guild, factories.version(), -3, 3)
    offend(factories.guild(), version, -3, 3)
    streamed(guild, before91=1, before90=2, before1=4, after0=8, after89=16, after90=32)

    assert only() == Group(
        lesson="logo",
        source="voluntary",
        done=True,
        guilds=1,
        waiting=0,
        violations_before=3,
        violations_after=2,
        guilds_before=1,
        guilds_after=1,
        hours_before=6.0,
        hours_after=24.0,
    )


def test_who_was_asked_and_did_it_stands_beside_who_did_not(lesson: Lesson, version: RuleVersion) -> None:
    first = asked(factories.guild(), lesson)
    done(first, lesson)
    second = asked(factories.guild(), lesson)
    asked(factories.guild(), lesson, source="launch")
    offend(first, version, -5, -4)
    offend(second, version, -5, 5, 6)

    groups = {(one.source, one.done): one for one in lesson_effect(actor=ANALYST)}

    assert set(groups) == {("staff", True), ("staff", False), ("launch", False)}
    assert (groups["staff", True].violations_before, groups["staff", True].violations_after) == (2, 0)
    assert (groups["staff", False].violations_before, groups["staff", False].violations_after) == (1, 2)
    assert (groups["staff", False].guilds_after, groups["launch", False].guilds_after) == (1, 0)


def test_who_has_not_had_as_many_days_after_waits(lesson: Lesson, version: RuleVersion) -> None:
    guild = done(factories.guild(), lesson, at=timezone.now() - 89 * DAY)
    factories.violation(guild, version, status="confirmed", evidence=False)
    group = only()
    assert (group.guilds, group.waiting, group.violations_after) == (0, 1, 0)
    later = only(now=timezone.now() + 2 * DAY)
    assert (later.guilds, later.waiting, later.violations_after) == (1, 0, 1)


def test_a_request_taken_back_is_not_counted(lesson: Lesson) -> None:
    guild = asked(factories.guild(), lesson)
    Assignment.objects.filter(guild=guild).update(cancelled_at=timezone.now())
    assert lesson_effect(actor=ANALYST) == []


def test_each_lesson_alone_and_each_market_its_own(lesson: Lesson) -> None:
    here, there = done(factories.guild(), lesson), done(factories.guild(), lesson)
    other = published("other", rule=factories.rule())
    done(here, other)
    published("none")
    assert only(lesson_id=other.pk).lesson == "other"
    staff = Actor.staff(factories.staff("auditor", markets=[there.market]))
    assert only(actor=staff).guilds == 1
    assert only(lesson_id=lesson.pk).guilds == 2
