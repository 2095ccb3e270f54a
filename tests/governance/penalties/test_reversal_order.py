"""Where several reversals lead does not depend on their order, and what they lead to is what would have been."""

from __future__ import annotations

import datetime as dt
import itertools
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisCase

from governance.education.services import attempt_make
from governance.models import Band, BandCrossing, Lesson, Notice, Penalty, PointEntry, RuleVersion, Violation
from governance.penalties import services
from guilds.accounts.actor import Actor
from guilds.models import Guild
from tests import factories
from tests.flows.standing_model import weight_of
from tests.governance.education.cases import answers, published, question

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
DEEP = int(os.environ.get("DEEP_STORIES", "0"))
LADDERS = {
    "soft": {
        "window": "60d",
        "points": 8,
        "steps": [
            [{"kind": "warning"}],
            [{"kind": "reward_freeze", "days": 40}],
            [{"kind": "settlement_hold", "days": 90}, {"kind": "tier_removal", "days": 90}],
        ],
    },
    "hard": {
        "window": "365d",
        "points": 20,
        "steps": [
            [{"kind": "traffic_limit", "days": 20}],
            [{"kind": "suspension", "days": 30, "grace": "5d", "stops": ["appeal"]}],
        ],
    },
}


class Story:
    """A guild that broke two rules now and then, learned in between, and was followed up each time."""

    def __init__(self) -> None:
        self.guild = factories.guild(tier="gold")
        self.seat = Actor.guild_user(factories.seat(self.guild))
        self.judge = Actor.staff(factories.staff("adjudicator"))
        self.versions: dict[str, RuleVersion] = {
            name: factories.version(ladder={"code": name, "decay": ladder["window"], **ladder})
            for name, ladder in LADDERS.items()
        }
        self.lesson: Lesson = published(
            "about-soft",
            rule=self.versions["soft"].rule,
            questions=[question(1)],
            credit_points=7,
            credit_every_days=1,
        )
        for code, score, steps in (
            ("watch", 85, [{"kind": "recruitment_freeze", "days": 200}]),
            ("hold", 70, [{"kind": "public_notice", "days": 200}, {"kind": "suspension", "days": 200}]),
        ):
            Band.objects.create(code=code, name=code, at_or_below=score, penalties=steps)
        self.clock = timezone.now()

    def happens(self, step: str) -> None:
        self.clock += 3 * DAY
        if step in self.versions:
            version = self.versions[step]
            factories.violation(
                self.guild, version, status="confirmed", occurred_at=self.clock, evidence=False
            )
        elif step == "learns":
            attempt_make(actor=self.seat, code=self.lesson.code, answers=answers(self.lesson, 0))
            services.credits_apply_due()
        else:
            self.clock += 40 * DAY
        self.settle()

    def settle(self) -> None:
        services.sanctions_decide_due()
        services.penalties_apply_due()
        services.penalties_lift_due()
        services.points_expire_due()

    def undo(self, violation: Violation) -> None:
        services.violation_undo(actor=self.judge, violation_id=violation.pk, reason="wrong")


def led_to(story: Story, order: list[Violation]) -> dict[str, Any]:
    """What weighs on the guild after these reversals in this order; nothing of it is kept."""
    with transaction.atomic():
        for violation in order:
            story.undo(violation)
        story.settle()
        found = weight_of(story.guild)
        transaction.set_rollback(True)
    return found


STEPS = st.lists(
    st.sampled_from(["soft", "soft", "soft", "hard", "hard", "learns", "time"]), min_size=3, max_size=8
)


class TestTheOrderOfReversals(HypothesisCase):
    @settings(max_examples=4, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(steps=STEPS, picks=st.lists(st.integers(0, 7), min_size=2, max_size=3, unique=True))
    def test_does_not_matter(self, steps: list[str], picks: list[int]) -> None:
        with mock.patch("django.utils.timezone.now") as now:
            now.side_effect = lambda: dt.datetime(2027, 3, 1, 9, tzinfo=dt.UTC)
            story = Story()
            now.side_effect = lambda: story.clock
            for step in steps:
                story.happens(step)
            story.clock += DAY
            violations = list(Violation.objects.order_by("pk"))
            chosen = [violations[pick] for pick in picks if pick < len(violations)]
            ends = [led_to(story, list(order)) for order in itertools.permutations(chosen)]
            for end in ends:
                assert end == ends[0]


@pytest.fixture
def clock() -> Iterator[list[dt.datetime]]:
    time = [timezone.now()]
    with mock.patch("django.utils.timezone.now", side_effect=lambda: time[0]):
        yield time


def offend(guild: Guild, version: RuleVersion, clock: list[dt.datetime]) -> Violation:
    clock[0] += DAY
    violation = factories.violation(guild, version, status="confirmed", occurred_at=clock[0])
    services.sanctions_decide_due()
    services.penalties_apply_due()
    return violation


def undo(violation: Violation) -> None:
    judge = Actor.staff(factories.staff("adjudicator"))
    services.violation_undo(actor=judge, violation_id=violation.pk, reason="wrong")
    services.penalties_apply_due()


def test_a_band_reached_later_anyway_moves_to_the_violation_that_tips_it(clock: list[dt.datetime]) -> None:
    Band.objects.create(
        code="hold", name="Hold", at_or_below=80, penalties=[{"kind": "traffic_limit", "days": 30}]
    )
    guild = factories.guild()
    first, second, third = (offend(guild, factories.version(), clock) for _ in range(3))
    before = Penalty.objects.get(kind="traffic_limit")
    assert before.violation == second

    undo(first)

    now = Penalty.objects.get(kind="traffic_limit", status="in_force")
    assert (now.violation, now.starts_at, now.ends_at) == (third, before.starts_at, before.ends_at)
    lasting = BandCrossing.objects.get(left_at__isnull=True)
    assert (lasting.violation, lasting.score) == (third, 80)
    assert lasting.entered_at == PointEntry.objects.get(violation=third).at
    undone = BandCrossing.objects.get(violation=second)
    assert undone.left_at == undone.entered_at
    told = Notice.objects.get(kind="penalty_reversed")
    assert told.statement["instead"] == [str(now.public_id)]
    assert "In their place" in told.body


def test_what_people_ended_before_is_not_begun_again(clock: list[dt.datetime]) -> None:
    """A guild that wins is never worse off: the freeze was lifted early, so the milder rung brings no new one."""
    ladder = {
        **factories.LADDER,
        "steps": [[{"kind": "reward_freeze", "days": 20}], [{"kind": "recruitment_freeze", "days": 60}]],
    }
    guild, version = factories.guild(), factories.version(ladder=ladder)
    first, second = offend(guild, version, clock), offend(guild, version, clock)
    enforcer = Actor.staff(factories.staff("enforcer"))
    services.penalty_lift(actor=enforcer, penalty_id=second.penalties.get().pk, reason="They did well.")
    undo(first)
    assert list(second.penalties.values_list("kind", "status")) == [("recruitment_freeze", "reversed")]


def test_what_was_reduced_stays_as_short_on_a_lower_rung(clock: list[dt.datetime]) -> None:
    ladder = {
        **factories.LADDER,
        "steps": [[{"kind": "reward_freeze", "days": 20}], [{"kind": "settlement_hold", "days": 60}]],
    }
    guild, version = factories.guild(), factories.version(ladder=ladder)
    first, second = offend(guild, version, clock), offend(guild, version, clock)
    judge = Actor.staff(factories.staff("adjudicator"))
    services.penalty_reduce(actor=judge, penalty_id=second.penalties.get().pk, days=5, reason="harsh")
    undo(first)
    freeze = second.penalties.get(kind="reward_freeze")
    assert freeze.ends_at == freeze.starts_at + 5 * DAY


def test_a_termination_in_place_of_another_has_its_whole_notice_again(clock: list[dt.datetime]) -> None:
    ladder = {
        **factories.LADDER,
        "steps": [[{"kind": "clear_out"}], [{"kind": "suspension", "days": 60}, {"kind": "clear_out"}]],
    }
    regime = factories.regime(code="eu", termination_days=30)
    guild = factories.guild(market=factories.market(regime=regime))
    version = factories.version(ladder=ladder)
    first, second = offend(guild, version, clock), offend(guild, version, clock)
    clock[0] += 40 * DAY
    undo(first)
    again = second.penalties.get(kind="clear_out", status="held")
    assert again.starts_at >= clock[0] + 30 * DAY


def test_offences_of_one_batch_are_recounted_as_they_were_counted(clock: list[dt.datetime]) -> None:
    """The later key happened first; another's reversal leaves both where they are."""
    guild, version = factories.guild(), factories.version()
    other = factories.violation(
        guild, version, status="confirmed", occurred_at=clock[0] - 400 * DAY, evidence=False
    )
    services.sanctions_decide_due()
    clock[0] += DAY
    late = factories.violation(guild, version, status="confirmed", occurred_at=clock[0], evidence=False)
    early = factories.violation(
        guild, version, status="confirmed", occurred_at=clock[0] - DAY, evidence=False
    )
    services.sanctions_decide_due()
    undo(other)
    assert (early.sanction.nth, late.sanction.nth) == (1, 2)
    early.sanction.refresh_from_db()
    late.sanction.refresh_from_db()
    assert (early.sanction.nth, late.sanction.nth) == (1, 2)


def test_credits_are_spent_as_they_would_have_been(clock: list[dt.datetime]) -> None:
    """D 4 and A 4 and B 10, a credit of 6, then C 10, a credit of 8: without D and A, B has 0 and C 6 left, in either order."""
    guild = factories.guild()
    seat = Actor.guild_user(factories.seat(guild))
    rule = factories.rule("SHOP-01")
    small = factories.version(rule, ladder={**factories.LADDER, "points": 4}, violation_code="SHOP-V")
    big = factories.version(rule, violation_code="SHOP-V")

    def learn(points: int) -> None:
        clock[0] += DAY
        code = f"lesson-{points}"
        lesson = published(
            code, rule=rule, questions=[question(1)], credit_points=points, credit_every_days=1
        )
        attempt_make(actor=seat, code=code, answers=answers(lesson, 0))
        services.credits_apply_due()

    first, second = offend(guild, small, clock), offend(guild, small, clock)
    third = offend(guild, big, clock)
    learn(6)
    fourth = offend(guild, big, clock)
    learn(8)

    for order in ((first, second), (second, first)):
        with transaction.atomic():
            for violation in order:
                undo(violation)
            left = [sum(one.point_entries.values_list("points", flat=True)) for one in (third, fourth)]
            transaction.set_rollback(True)
        assert left == [0, 6]


def test_one_notice_tells_of_everything(clock: list[dt.datetime]) -> None:
    guild, version = factories.guild(), factories.version()
    first, *_later = [offend(guild, version, clock) for _ in range(4)]
    undo(first)
    told = Notice.objects.get(kind="penalty_reversed")
    assert (len(told.statement["reversed"]), len(told.statement["instead"])) == (3, 2)
