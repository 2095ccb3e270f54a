"""A passed quiz takes points off, within limits, and whatever comes after adds up."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, transaction
from django.db.models import ProtectedError
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisCase

from governance.education.services import attempt_make
from governance.models import (
    Attempt,
    Band,
    BandCrossing,
    Credit,
    Event,
    Lesson,
    Penalty,
    PointEntry,
    RuleVersion,
    Standing,
    Violation,
)
from governance.penalties import services
from governance.penalties.selectors import points_in_force, points_left, standing_of
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput
from guilds.models import Guild
from tests import factories
from tests.governance.education.cases import answers, published, question

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def version() -> RuleVersion:
    return factories.version()


def lesson_about(version: RuleVersion, points: int = 3, **terms: Any) -> Lesson:
    return published(
        f"about-{version.rule.code.lower()}",
        rule=version.rule,
        questions=[question(1)],
        credit_points=points,
        **terms,
    )


def offend(guild: Guild, version: RuleVersion) -> Violation:
    violation = factories.violation(
        guild, version, status="confirmed", occurred_at=timezone.now(), evidence=False
    )
    while services.sanctions_decide_due():
        pass
    return violation


def learn(guild: Guild, lesson: Lesson, *, passing: bool = True) -> None:
    attempt_make(
        actor=Actor.guild_user(factories.seat(guild)),
        code=lesson.code,
        answers=answers(lesson, 0 if passing else 1),
    )


def overturn(violation: Violation) -> None:
    standing = violation.penalties.exclude(status__in=["reversed", "cancelled"])
    penalty = standing.filter(crossing__isnull=True).order_by("pk").first()
    assert penalty is not None
    adjudicator = Actor.staff(factories.staff("adjudicator"))
    services.penalty_overturn(actor=adjudicator, penalty_id=penalty.pk, reason="wrong")


def adds_up(guild: Guild) -> None:
    """The ledger of points is the standing, and no violation weighs less than nothing."""
    standing = Standing.objects.filter(guild=guild).first()
    in_force = points_in_force(guild.pk)
    assert (standing.points, standing.score) == (in_force, 100 - in_force) if standing else in_force == 0
    assert all(points_left(violation.pk) >= 0 for violation in Violation.objects.filter(guild=guild))
    # The open crossings are those whose band the score lies in.
    score = 100 - in_force
    assert set(
        BandCrossing.objects.filter(guild=guild, left_at__isnull=True).values_list("band_id", flat=True)
    ) <= {band.pk for band in Band.objects.all() if score <= band.at_or_below}


def test_passing_takes_points_off_once(version: RuleVersion) -> None:
    guild = factories.guild()
    violation = offend(guild, version)
    learn(guild, lesson_about(version))

    assert services.credits_apply_due() == 1
    assert services.credits_apply_due() == 0

    assert standing_of(guild.pk)["score"] == 93
    entry = PointEntry.objects.get(reason="credit")
    credit = Credit.objects.get()
    assert (entry.points, entry.violation, entry.credit) == (-3, violation, credit)
    assert (credit.points, credit.outcome) == (3, "given")
    event = Event.objects.get(act="points.credited")
    assert (event.guild_id, event.after["points"], event.after["score"]) == (guild.pk, -3, 93)
    adds_up(guild)


def test_failing_brings_nothing(version: RuleVersion) -> None:
    guild = factories.guild()
    offend(guild, version)
    learn(guild, lesson_about(version), passing=False)
    assert services.credits_apply_due() == 0
    assert standing_of(guild.pk)["score"] == 90
    assert not Credit.objects.exists()


def test_the_oldest_points_go_first_and_never_more_than_there_are(version: RuleVersion) -> None:
    guild = factories.guild()
    small = factories.version(version.rule, ladder={**factories.LADDER, "points": 4})
    first, second = offend(guild, small), offend(guild, version)
    learn(guild, lesson_about(version, points=6))
    services.credits_apply_due()
    assert (points_left(first.pk), points_left(second.pk)) == (0, 8)
    adds_up(guild)


def test_a_credit_is_bounded_by_what_is_in_force(version: RuleVersion) -> None:
    guild = factories.guild()
    offend(guild, factories.version(version.rule, ladder={**factories.LADDER, "points": 2}))
    learn(guild, lesson_about(version, points=5))
    services.credits_apply_due()
    assert (Credit.objects.get().points, standing_of(guild.pk)["score"]) == (2, 100)
    adds_up(guild)


def test_other_rules_other_guilds_and_the_worst_severity_are_left_alone(version: RuleVersion) -> None:
    guild, other = factories.guild(), factories.guild()
    untouched = [
        offend(guild, factories.version()),
        offend(other, version),
        offend(guild, factories.version(version.rule, severity="S1")),
    ]
    learn(guild, lesson_about(version))
    before = Event.objects.count()
    services.credits_apply_due()
    assert [points_left(violation.pk) for violation in untouched] == [10, 10, 10]
    assert Credit.objects.get().outcome == "nothing_in_force"
    assert Event.objects.count() == before


def test_a_code_that_several_versions_charge_is_one_rule(version: RuleVersion) -> None:
    guild = factories.guild()
    renamed = factories.version(version.rule, violation_code="NEW-CODE")
    first, second = offend(guild, version), offend(guild, renamed)
    learn(guild, lesson_about(version, points=10))
    services.credits_apply_due()
    assert (points_left(first.pk), points_left(second.pk)) == (0, 10)


def test_once_in_so_many_days(version: RuleVersion) -> None:
    guild, lesson = factories.guild(), lesson_about(version, credit_every_days=30)
    offend(guild, version)
    learn(guild, lesson)
    learn(guild, lesson)
    services.credits_apply_due()
    assert list(Credit.objects.order_by("pk").values_list("outcome", flat=True)) == ["given", "too_soon"]
    assert standing_of(guild.pk)["score"] == 93

    user = Attempt.objects.latest("pk").user
    for days in (29, 31):
        Attempt.objects.create(
            lesson=lesson,
            guild=guild,
            user=user,
            answers={},
            right=1,
            asked=1,
            passed=True,
            created_at=timezone.now() + days * DAY,
        )
    services.credits_apply_due()
    assert list(Credit.objects.order_by("pk").values_list("outcome", flat=True)[2:]) == ["too_soon", "given"]
    assert standing_of(guild.pk)["score"] == 96
    adds_up(guild)


def test_a_lesson_that_promises_nothing_brings_nothing(version: RuleVersion) -> None:
    guild = factories.guild()
    offend(guild, version)
    learn(guild, lesson_about(version, points=0))
    services.credits_apply_due()
    assert (Credit.objects.get().outcome, standing_of(guild.pk)["score"]) == ("none_promised", 90)


def test_an_overturn_after_a_credit_gives_back_what_is_left_and_no_more(version: RuleVersion) -> None:
    guild = factories.guild()
    violation = offend(guild, version)
    learn(guild, lesson_about(version))
    services.credits_apply_due()

    overturn(violation)

    assert standing_of(guild.pk)["score"] == 100
    assert list(PointEntry.objects.order_by("pk").values_list("points", "reason")) == [
        (10, "violation"),
        (-3, "credit"),
        (-7, "reversal"),
    ]
    adds_up(guild)


def test_a_credit_whose_violation_falls_goes_to_the_next_oldest_of_the_time(version: RuleVersion) -> None:
    guild = factories.guild()
    first, second = offend(guild, version), offend(guild, version)
    learn(guild, lesson_about(version))
    services.credits_apply_due()
    later = offend(guild, version)

    overturn(first)

    assert [points_left(one.pk) for one in (first, second, later)] == [0, 7, 10]
    assert standing_of(guild.pk)["score"] == 83, "as if the first had never been"
    assert Event.objects.filter(act="points.credited", reason="wrong").count() == 1
    adds_up(guild)


def test_a_credit_that_found_nothing_else_does_not_block_the_next(version: RuleVersion) -> None:
    guild, lesson = factories.guild(), lesson_about(version)
    violation = offend(guild, version)
    learn(guild, lesson)
    services.credits_apply_due()
    overturn(violation)
    offend(guild, version)
    learn(guild, lesson)
    services.credits_apply_due()
    assert (Credit.objects.latest("pk").outcome, standing_of(guild.pk)["score"]) == ("given", 93)
    adds_up(guild)


def test_expiry_after_a_credit_ends_at_nothing(version: RuleVersion) -> None:
    guild = factories.guild()
    offend(guild, version)
    learn(guild, lesson_about(version))
    services.credits_apply_due()
    later = timezone.now() + 181 * DAY
    assert services.points_expire_due(now=later) == 1
    assert services.points_expire_due(now=later) == 0
    assert standing_of(guild.pk)["score"] == 100
    adds_up(guild)


def test_points_credited_to_nothing_do_not_hold_up_the_expiry_of_others(version: RuleVersion) -> None:
    guild = factories.guild()
    offend(guild, version)
    learn(guild, lesson_about(version, points=10))
    services.credits_apply_due()
    offend(guild, factories.version())
    later = timezone.now() + 181 * DAY
    assert services.points_expire_due(limit=1, now=later) == 1
    assert services.points_expire_due(limit=1, now=later) == 0
    assert standing_of(guild.pk)["score"] == 100
    adds_up(guild)


def test_a_reduction_counts_from_what_the_credit_left(version: RuleVersion) -> None:
    guild = factories.guild()
    violation = offend(guild, version)
    learn(guild, lesson_about(version))
    services.credits_apply_due()
    adjudicator = Actor.staff(factories.staff("adjudicator"))
    penalty = violation.penalties.get()
    with pytest.raises(InvalidInput):
        services.penalty_reduce(actor=adjudicator, penalty_id=penalty.pk, points=7, reason="x")
    services.penalty_reduce(actor=adjudicator, penalty_id=penalty.pk, points=5, reason="x")
    assert standing_of(guild.pk)["score"] == 95
    adds_up(guild)


def test_a_credit_leads_out_of_a_band(version: RuleVersion) -> None:
    Band.objects.create(code="watch", name="Watch", at_or_below=90, penalties=[])
    guild = factories.guild()
    offend(guild, version)
    assert standing_of(guild.pk)["band"] == "watch"
    learn(guild, lesson_about(version))
    services.credits_apply_due()
    assert standing_of(guild.pk)["band"] == "healthy"
    adds_up(guild)


@pytest.mark.parametrize("softened", ["credit", "expiry"])
def test_a_band_reached_before_the_points_went_falls_with_the_violation(
    version: RuleVersion, softened: str
) -> None:
    """Whatever took the points off meanwhile, the band would not have been entered without the violation."""
    Band.objects.create(
        code="hold", name="Hold", at_or_below=90, penalties=[{"kind": "traffic_limit", "days": 400}]
    )
    guild = factories.guild()
    violation = offend(guild, version)
    services.penalties_apply_due()
    if softened == "credit":
        learn(guild, lesson_about(version, points=10))
        services.credits_apply_due()
    else:
        services.points_expire_due(now=timezone.now() + 181 * DAY)
    assert Penalty.objects.get(kind="traffic_limit").status == "in_force"

    penalty = violation.penalties.get(crossing__isnull=True)
    adjudicator = Actor.staff(factories.staff("adjudicator"))
    services.penalty_overturn(actor=adjudicator, penalty_id=penalty.pk, reason="wrong")

    assert Penalty.objects.get(kind="traffic_limit").status == "reversed"
    assert standing_of(guild.pk)["restrictions"] == []
    adds_up(guild)


def test_a_decision_about_a_credit_is_final_and_one(version: RuleVersion) -> None:
    guild = factories.guild()
    offend(guild, version)
    learn(guild, lesson_about(version))
    services.credits_apply_due()
    credit = Credit.objects.get()
    with pytest.raises(ProgrammingError), transaction.atomic():
        Credit.objects.update(points=9)
    with pytest.raises(ProtectedError):
        credit.delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        Credit.objects.create(
            attempt=credit.attempt, guild=guild, outcome="given", points=9, decided_at=timezone.now()
        )
    assert Credit.objects.get().points == 3


STEPS = st.lists(
    st.sampled_from(["offend", "offend", "learn", "overturn", "reduce", "expire"]), min_size=2, max_size=9
)


class TestWhateverHappens(HypothesisCase):
    """Points, standing and bands add up after any order of offences, credits, appeals and expiry."""

    @settings(
        max_examples=12, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(steps=STEPS, credit=st.integers(1, 10), picks=st.lists(st.integers(0, 8), min_size=9, max_size=9))
    def test_the_ledger_of_points_is_the_standing(
        self, steps: list[str], credit: int, picks: list[int]
    ) -> None:
        Band.objects.create(
            code="watch", name="Watch", at_or_below=85, penalties=[{"kind": "reward_freeze", "days": 9}]
        )
        guild, version = factories.guild(), factories.version()
        lesson = lesson_about(version, points=credit, credit_every_days=1)
        adjudicator = Actor.staff(factories.staff("adjudicator"))
        now, user = timezone.now(), factories.seat(guild).user
        for number, (step, pick) in enumerate(zip(steps, picks, strict=False)):
            standing = list(Violation.objects.filter(guild=guild, status="confirmed").order_by("pk"))
            chosen = standing[pick % len(standing)] if standing else None
            if step == "offend":
                offend(guild, version)
            elif step == "learn":
                Attempt.objects.create(
                    lesson=lesson,
                    guild=guild,
                    user=user,
                    answers={},
                    right=1,
                    asked=1,
                    passed=True,
                    created_at=now + 2 * number * DAY,
                )
                services.credits_apply_due()
            elif step == "overturn" and chosen is not None:
                overturn(chosen)
            elif step == "reduce" and chosen is not None and (left := points_left(chosen.pk)):
                penalty = chosen.penalties.filter(status__in=["scheduled", "in_force"]).first()
                if penalty is not None:
                    services.penalty_reduce(
                        actor=adjudicator, penalty_id=penalty.pk, points=pick % left, reason="less"
                    )
            elif step == "expire":
                services.points_expire_due(now=now + 200 * DAY)
            adds_up(guild)
        for violation in Violation.objects.filter(guild=guild, status="confirmed"):
            overturn(violation)
        adds_up(guild)
        assert standing_of(guild.pk)["score"] == 100
        assert not Penalty.objects.filter(guild=guild, status__in=["scheduled", "in_force"]).exists()
