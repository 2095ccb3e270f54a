"""Who has just done the lesson is warned, once; appeals put everything where it would have been."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.education.services import lesson_complete
from governance.models import (
    Completion,
    Event,
    Lesson,
    Notice,
    Penalty,
    PointEntry,
    RuleVersion,
    Sanction,
    Violation,
)
from governance.penalties import services
from governance.penalties.selectors import points_in_force, standing_of
from guilds.accounts.actor import Actor
from guilds.models import Guild
from tests import factories
from tests.governance.education.cases import published

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
#: The first offence costs points and a freeze, so that a warning alone is less.
LADDER = {
    **factories.LADDER,
    "steps": [
        [{"kind": "warning"}, {"kind": "reward_freeze", "days": 7}],
        [{"kind": "recruitment_freeze", "days": 7}],
        [{"kind": "settlement_hold", "days": 30}],
    ],
}


@pytest.fixture
def version() -> RuleVersion:
    return factories.version(ladder=LADDER)


def lesson_about(version: RuleVersion, days: int = 30) -> Lesson:
    return published(f"about-{version.rule.code.lower()}", rule=version.rule, amnesty_days=days)


def learn(guild: Guild, lesson: Lesson, *, days_ago: int = 1) -> None:
    lesson_complete(actor=Actor.guild_user(factories.seat(guild)), code=lesson.code)
    Completion.objects.filter(guild=guild, lesson=lesson).update(completed_at=timezone.now() - days_ago * DAY)


def offend(guild: Guild, version: RuleVersion, **fields: Any) -> Violation:
    fields.setdefault("occurred_at", timezone.now())
    violation = factories.violation(guild, version, status="confirmed", evidence=False, **fields)
    settle()
    return violation


def settle() -> None:
    while services.sanctions_decide_due():
        pass
    while services.penalties_apply_due():
        pass


def overturn(violation: Violation) -> None:
    standing = violation.penalties.exclude(status__in=["reversed", "cancelled"]).order_by("pk").first()
    assert standing is not None
    adjudicator = Actor.staff(factories.staff("adjudicator"))
    services.penalty_overturn(actor=adjudicator, penalty_id=standing.pk, reason="wrong")
    settle()


def led_to(violation: Violation) -> tuple[list[str], int, bool, int]:
    """(standing penalties, points in force, amnesty, nth)."""
    kinds = violation.penalties.filter(status__in=["scheduled", "in_force"]).order_by("pk")
    points = sum(PointEntry.objects.filter(violation=violation).values_list("points", flat=True))
    sanction = Sanction.objects.get(violation=violation)
    return list(kinds.values_list("kind", flat=True)), points, sanction.amnesty, sanction.nth


FIRST = (["warning", "reward_freeze"], 10, False, 1)
EXCUSED = (["warning"], 0, True, 0)


def test_the_first_violation_after_the_lesson_is_a_warning_alone(version: RuleVersion) -> None:
    guild, lesson = factories.guild(), lesson_about(version)
    learn(guild, lesson)

    violation = offend(guild, version)

    assert led_to(violation) == EXCUSED
    assert standing_of(guild.pk)["score"] == 100
    notice = Notice.objects.get(kind="penalty_imposed")
    assert "A warning alone and no points" in notice.body
    assert (notice.statement["amnesty"], notice.statement["points"]) == (lesson.code, 0)
    assert notice.appeal_by is not None
    assert Event.objects.get(act="points.charged").after["amnesty"] == lesson.code


def test_it_is_no_offence_that_counts(version: RuleVersion) -> None:
    guild = factories.guild()
    learn(guild, lesson_about(version))
    offend(guild, version)
    assert led_to(offend(guild, version)) == FIRST
    assert led_to(offend(guild, version)) == (["recruitment_freeze"], 10, False, 2)


def test_two_in_one_batch_use_it_once(version: RuleVersion) -> None:
    guild = factories.guild()
    learn(guild, lesson_about(version))
    now = timezone.now()
    late, early = (
        factories.violation(guild, version, status="confirmed", occurred_at=at, evidence=False)
        for at in (now, now - DAY / 2)
    )
    settle()
    assert (led_to(early), led_to(late)) == (EXCUSED, FIRST)


@pytest.mark.parametrize("severity", ["S1", "S2"])
def test_nothing_grave_is_excused(severity: str) -> None:
    version, guild = factories.version(ladder=LADDER, severity=severity), factories.guild()
    learn(guild, lesson_about(version))
    assert Sanction.objects.get(violation=offend(guild, version)).amnesty is False
    assert points_in_force(guild.pk) == 10


def test_only_who_did_the_lesson_before_and_not_long_ago(version: RuleVersion) -> None:
    lesson = lesson_about(version, days=10)
    after, long_ago, never, other_rule = (factories.guild() for _ in range(4))
    learn(after, lesson, days_ago=0)
    learn(long_ago, lesson, days_ago=11)
    learn(other_rule, lesson_about(factories.version()))
    for guild in (after, long_ago, never, other_rule):
        violation = offend(guild, version, occurred_at=timezone.now() - DAY / 24)
        assert led_to(violation) == FIRST, guild


def test_a_lesson_without_amnesty_excuses_nothing(version: RuleVersion) -> None:
    guild = factories.guild()
    learn(guild, lesson_about(version, days=0))
    assert led_to(offend(guild, version)) == FIRST


def test_it_is_the_first_in_the_window_and_once_per_rule(version: RuleVersion) -> None:
    guild, lesson = factories.guild(), lesson_about(version)
    offend(guild, version, occurred_at=timezone.now() - 3 * DAY)
    learn(guild, lesson, days_ago=2)
    assert led_to(offend(guild, version))[2] is True, "what was before the lesson does not spoil it"
    second = published("second", rule=version.rule, amnesty_days=30)
    learn(guild, second, days_ago=0)
    later = offend(guild, version, occurred_at=timezone.now())
    assert led_to(later)[2] is False


def test_an_excused_violation_can_be_overturned_and_the_amnesty_passes_on(version: RuleVersion) -> None:
    guild = factories.guild()
    learn(guild, lesson_about(version))
    first, second, third = (offend(guild, version) for _ in range(3))
    assert [led_to(one) for one in (first, second)] == [EXCUSED, FIRST]

    overturn(first)

    assert (led_to(second), led_to(third)) == (EXCUSED, FIRST), "as if the first had never been"
    assert points_in_force(guild.pk) == 10
    assert standing_of(guild.pk)["score"] == 90
    assert [row["kind"] for row in standing_of(guild.pk)["restrictions"]] == ["reward_freeze"]
    first.refresh_from_db()
    assert first.status == "overturned"
    assert Notice.objects.filter(kind="penalty_imposed", statement__amnesty__isnull=False).count() == 2


def test_overturning_one_that_spoiled_the_amnesty_restores_it(version: RuleVersion) -> None:
    """A violation confirmed late, but from before: the one after it would have been the first."""
    guild, lesson = factories.guild(), lesson_about(version)
    first = offend(guild, version, occurred_at=timezone.now() - DAY / 4)
    learn(guild, lesson, days_ago=1)
    second = offend(guild, version)
    assert led_to(second)[2] is False
    overturn(first)
    assert led_to(second) == EXCUSED
    assert points_in_force(guild.pk) == 0


def test_overturning_a_later_one_leaves_the_amnesty_where_it_is(version: RuleVersion) -> None:
    guild = factories.guild()
    learn(guild, lesson_about(version))
    first, second = offend(guild, version), offend(guild, version)
    overturn(second)
    assert led_to(first) == EXCUSED
    assert Penalty.objects.filter(violation=first).count() == 1


def test_all_overturned_leaves_nothing(version: RuleVersion) -> None:
    guild = factories.guild()
    before = standing_of(guild.pk)
    learn(guild, lesson_about(version))
    violations = [offend(guild, version) for _ in range(3)]
    for violation in violations:
        overturn(violation)
    assert standing_of(guild.pk) == before
    assert not Penalty.objects.filter(status__in=["scheduled", "in_force"]).exists()
    # And the next violation finds the amnesty unused.
    assert led_to(offend(guild, version)) == EXCUSED
