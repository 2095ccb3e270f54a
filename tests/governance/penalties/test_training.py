"""A lesson as part of a penalty: asked for with it, and over with it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.education.services import attempt_make, lesson_withdraw
from governance.models import (
    Assignment,
    Event,
    Lesson,
    Notice,
    Penalty,
    Restriction,
    RuleVersion,
)
from governance.penalties import services
from governance.penalties.kinds import KINDS
from governance.penalties.selectors import standing_of
from guilds.accounts.actor import Actor
from guilds.errors import Conflict
from guilds.models import Guild
from tests import factories
from tests.governance.education.cases import ANALYST, answers, published, question

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def version_with(*steps: dict[str, Any]) -> RuleVersion:
    return factories.version(ladder={**factories.LADDER, "steps": [list(steps)]})


def lesson_about(version: RuleVersion, code: str = "about") -> Lesson:
    return published(code, rule=version.rule, questions=[question(1)])


def punish(version: RuleVersion, guild: Guild | None = None) -> Penalty:
    violation = factories.violation(
        guild or factories.guild(), version, status="confirmed", occurred_at=timezone.now(), evidence=False
    )
    services.sanctions_decide_due()
    services.penalties_apply_due()
    return violation.penalties.get()


def learn(guild: Guild, lesson: Lesson) -> None:
    attempt_make(actor=Actor.guild_user(factories.seat(guild)), code=lesson.code, answers=answers(lesson, 0))


def test_a_training_asks_for_every_lesson_of_the_rule_by_its_end() -> None:
    version = version_with({"kind": "training", "days": 10})
    one, two = lesson_about(version, "one"), lesson_about(version, "two")
    published("else", rule=factories.rule())

    penalty = punish(version)

    asked = Assignment.objects.filter(guild=penalty.guild).order_by("lesson_id")
    assert [assignment.lesson for assignment in asked] == [one, two]
    assert {(one.source, one.source_id, one.due_at) for one in asked} == {
        ("penalty", str(penalty.public_id), penalty.ends_at)
    }
    assert Notice.objects.filter(kind="lesson_assigned", guild=penalty.guild).count() == 2


def test_a_training_without_end_is_due_in_fourteen_days() -> None:
    version = version_with({"kind": "training"})
    lesson_about(version)
    penalty = punish(version)
    due_at = Assignment.objects.get().due_at
    assert penalty.applied_at is not None
    assert due_at is not None
    assert due_at - penalty.applied_at == 14 * DAY


def test_doing_the_lesson_ends_the_training_and_tells_the_guild() -> None:
    version = version_with({"kind": "training", "days": 10})
    one, two = lesson_about(version, "one"), lesson_about(version, "two")
    penalty = punish(version)

    learn(penalty.guild, one)
    assert services.penalties_trained_due() == 0, "one of two is not all"
    learn(penalty.guild, two)
    assert services.penalties_trained_due() == 1
    assert services.penalties_trained_due() == 0

    penalty.refresh_from_db()
    assert penalty.status == "lifted"
    assert not Restriction.objects.filter(lifted_at__isnull=True).exists()
    event = Event.objects.get(act="penalty.lifted")
    assert (event.object_id, event.reason) == (str(penalty.public_id), "Your guild has done the lesson.")
    assert Notice.objects.filter(kind="penalty_changed", guild=penalty.guild).count() == 1
    assert standing_of(penalty.guild_id)["score"] == 90, "points stay"


def test_rewards_are_frozen_until_the_lesson_is_done() -> None:
    version = version_with({"kind": "reward_freeze", "until_trained": True})
    lesson = lesson_about(version)
    guild = factories.guild()
    learn(guild, lesson)
    penalty = punish(version, guild)
    assert services.penalties_trained_due() == 0, "what it knew before was not enough"
    assert (penalty.status, penalty.ends_at) == ("in_force", None)
    assert "until the lesson is done" in Notice.objects.get(kind="penalty_imposed").body

    learn(guild, lesson)
    assert services.penalties_trained_due() == 1
    assert standing_of(guild.pk)["restrictions"] == []


def test_a_penalty_that_asks_for_no_lesson_is_not_lifted_by_one() -> None:
    version = version_with({"kind": "reward_freeze", "days": 30})
    lesson = lesson_about(version)
    penalty = punish(version)
    learn(penalty.guild, lesson)
    assert services.penalties_trained_due() == 0
    penalty.refresh_from_db()
    assert penalty.status == "in_force"
    assert not Assignment.objects.exists()


def test_until_trained_without_a_lesson_fails_visibly_and_can_be_retried() -> None:
    version = version_with({"kind": "reward_freeze", "until_trained": True})
    penalty = punish(version)
    assert (penalty.status, Restriction.objects.count()) == ("failed", 0)
    assert "no lesson about the rule is published" in penalty.last_error

    lesson_about(version)
    enforcer = Actor.staff(factories.staff("enforcer"))
    services.penalty_retry(actor=enforcer, penalty_id=penalty.pk, reason="published now")
    services.penalties_apply_due()
    penalty.refresh_from_db()
    assert penalty.status == "in_force"
    assert Assignment.objects.filter(source_id=str(penalty.public_id)).count() == 1


def test_one_bad_penalty_does_not_hold_up_another() -> None:
    good = version_with({"kind": "reward_freeze", "until_trained": True})
    lesson_about(good)
    bad = version_with({"kind": "reward_freeze", "until_trained": True})
    for version in (bad, good):
        factories.violation(factories.guild(), version, status="confirmed", evidence=False)
    services.sanctions_decide_due()
    services.penalties_apply_due()
    assert dict(Penalty.objects.values_list("version_id", "status")) == {
        bad.pk: "failed",
        good.pk: "in_force",
    }


def test_overturning_takes_the_request_back_and_what_was_learned_stays() -> None:
    version = version_with({"kind": "training", "days": 10})
    one, two = lesson_about(version, "one"), lesson_about(version, "two")
    penalty = punish(version)
    learn(penalty.guild, one)
    adjudicator = Actor.staff(factories.staff("adjudicator"))

    services.penalty_overturn(actor=adjudicator, penalty_id=penalty.pk, reason="wrong")

    by_lesson = {assignment.lesson: assignment for assignment in Assignment.objects.all()}
    assert by_lesson[one].completed_at is not None
    assert by_lesson[two].cancelled_at is not None
    assert services.penalties_trained_due() == 0


def test_when_the_penalty_ends_so_does_the_request() -> None:
    version = version_with({"kind": "training", "days": 10})
    lesson_about(version)
    penalty = punish(version)
    services.penalties_lift_due(now=timezone.now() + 11 * DAY)
    assert Assignment.objects.get().cancelled_at is not None
    penalty.refresh_from_db()
    assert penalty.status == "lifted"


def test_a_lesson_a_penalty_asks_for_cannot_be_withdrawn() -> None:
    version = version_with({"kind": "reward_freeze", "until_trained": True})
    lesson = lesson_about(version)
    punish(version)
    count = Event.objects.count()
    with pytest.raises(Conflict, match="as part of a penalty"):
        lesson_withdraw(actor=ANALYST, code=lesson.code, reason="superseded")
    lesson.refresh_from_db()
    assert (lesson.withdrawn_at, Event.objects.count()) == (None, count)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"until_trained": True}, "Task and reward freeze until the lesson is done"),
        (
            {"until_trained": True, "days": 30},
            "Task and reward freeze until the lesson is done, for 30 days at most",
        ),
        ({"days": 30}, "Task and reward freeze for 30 days"),
    ],
)
def test_it_says_how_long(params: dict[str, Any], words: str) -> None:
    assert KINDS["reward_freeze"].describe(params) == words
