"""How a reviewer is doing: known answers, for oneself alone, and nothing said on too little."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.models import Case, Judgement, Review, SampleItem, Violation
from governance.quality import services
from governance.quality.selectors import agreement_of_all, doing_of, pairs_of_reviewers, reviewers_seen_by
from governance.review.selectors import queue_default
from guilds.accounts.actor import Actor
from guilds.models import Guild, User
from tests import factories
from tests.governance.quality.sampling_world import analyst, decided, judge, rule_with, several

pytestmark = pytest.mark.django_db


@pytest.fixture
def guild(db: None) -> Guild:
    return factories.guild("guild-one", market=factories.market("DE"))


def verdicts(of: list[Violation], by: User, said: str, at: dt.datetime | None = None) -> None:
    Review.objects.bulk_create(
        Review(violation=one, reviewer=by, verdict=said, reason="Seen.", created_at=at or timezone.now())
        for one in of
    )


def answered(violation: Violation, by: User, opinion: str, *, seconds: int | None = None) -> Judgement:
    now = timezone.now()
    case = Case.objects.create(
        kind="golden",
        status="done",
        queue=queue_default(),
        violation=violation,
        rule=violation.rule,
        guild=violation.guild,
        market=violation.market,
        severity="S2",
        opened_at=now,
        urgent_at=now,
        due_at=now,
        done_at=now,
        done_by=by,
        seconds=seconds,
    )
    return Judgement.objects.create(case=case, reviewer=by, opinion=opinion, reason="Seen.", created_at=now)


def golden(violations: QuerySet[Violation] | list[Violation]) -> None:
    for one in violations:
        services.golden_make(
            actor=analyst(), violation_id=one.pk, expected="confirm", explanation="The clip shows it."
        )


# --- figures ------------------------------------------------------------------------------------------------------------
def test_known_answers(guild: Guild) -> None:
    me, other = factories.staff("reviewer"), factories.staff("reviewer")
    both = several(guild, rule_with("BOTH"), 50)
    # The table of the textbook: 20 twice confirmed, 5 and 10 apart, 15 twice dismissed.
    for mine, theirs, count, start in (
        ("confirm", "confirm", 20, 0),
        ("confirm", "dismiss", 5, 20),
        ("dismiss", "confirm", 10, 25),
        ("dismiss", "dismiss", 15, 35),
    ):
        verdicts(both[start : start + count], me, mine)
        verdicts(both[start : start + count], other, theirs)
    verdicts(several(guild, rule_with("ALONE"), 4), me, "confirm")
    found = doing_of(me)
    assert found.decisions == 54
    assert (found.doubles.successes, found.doubles.n) == (35, 50)
    assert found.kappa_shown == pytest.approx(0.4)
    assert found.kappa.error == pytest.approx(0.1270, abs=5e-5)
    assert doing_of(other).kappa_shown == pytest.approx(0.4)
    [pair] = pairs_of_reviewers()
    assert ({pair.one, pair.other}, pair.alike, pair.agreement.n) == ({me, other}, 35, 50)
    # Two judges, no gaps: 1 − (n − 1)·Σo / Σ n_c(n − n_c) with 30 disagreeing values of 100, 55 of them confirmations.
    assert agreement_of_all().value == pytest.approx(1 - 99 * 30 / (2 * 55 * 45))


def test_a_third_who_settles_a_difference_is_no_double(guild: Guild) -> None:
    first, second, third = (factories.staff("reviewer") for _ in range(3))
    split = several(guild, rule_with("BOTH"), 12)
    verdicts(split, first, "confirm")
    verdicts(split, second, "dismiss")
    verdicts(split, third, "confirm")
    assert doing_of(third).doubles.n == 0
    assert (doing_of(first).doubles.successes, doing_of(first).doubles.n) == (0, 12)
    assert len(pairs_of_reviewers()) == 1


def test_golden_cases_count_as_expected_or_not(guild: Guild) -> None:
    me = factories.staff("reviewer")
    known = several(guild, rule_with("GOLD"), 13)
    golden(known)
    for place, one in enumerate(known):
        answered(
            one, me, "unclear" if place == 0 else "dismiss" if place == 1 else "confirm", seconds=60 + place
        )
    services.golden_retire(
        actor=analyst(),
        golden_id=known[12].golden.pk,
        reason="It can be seen either way.",
    )
    found = doing_of(me)
    assert (found.golden.successes, found.golden.n) == (10, 12)
    assert found.golden.value == pytest.approx(10 / 12)
    assert (found.median_seconds, found.timed, found.audits_made) == (66.0, 13, 0)
    assert [(one.mine, one.expected, one.explanation) for one in found.known] == [
        ("dismiss", "confirm", "The clip shows it."),
        ("unclear", "confirm", "The clip shows it."),
    ]


def test_audits_that_differ_are_shown_to_learn_from(guild: Guild) -> None:
    me = factories.staff("reviewer")
    version = rule_with("ONE")
    now = timezone.now()
    for number in range(11):
        decided(guild, version, by=me, at=now - dt.timedelta(hours=2, minutes=number))
    sample = services.sample_draw(
        actor=analyst(),
        kind="decisions",
        name="Today",
        since=now - dt.timedelta(days=1),
        until=now,
        size=50,
    )
    services.sample_hand_out(actor=analyst(), sample_id=sample.pk)
    drawn = list(SampleItem.objects.all())
    for place, item in enumerate(drawn):
        judge(item, ["dismiss", "unclear"][place] if place < 2 else "confirm")
    found = doing_of(me)
    assert (found.audited.successes, found.audited.n) == (9, 10)
    [other] = found.differing
    assert (other.violation, other.mine, other.audit, other.reason) == (
        drawn[0].violation,
        "confirm",
        "dismiss",
        "Looked at it.",
    )


def test_too_little_says_nothing(guild: Guild) -> None:
    me, other = factories.staff("reviewer"), factories.staff("reviewer")
    few = several(guild, rule_with("BOTH"), 9)
    verdicts(few, me, "confirm")
    verdicts(few, other, "confirm")
    found = doing_of(me)
    assert found.doubles.insufficient_data
    assert found.golden.insufficient_data
    assert found.kappa_shown is None
    assert (found.median_seconds, found.timed) == (None, 0)
    assert pairs_of_reviewers() == []


def test_long_ago_does_not_count(guild: Guild) -> None:
    me = factories.staff("reviewer")
    verdicts(several(guild, rule_with("OLD"), 3), me, "confirm", timezone.now() - dt.timedelta(days=91))
    assert doing_of(me).decisions == 0


def test_the_number_of_queries_does_not_grow(guild: Guild, django_assert_num_queries: Any) -> None:
    me, other = factories.staff("reviewer"), factories.staff("reviewer")
    with django_assert_num_queries(9):
        doing_of(me)
    both = several(guild, rule_with("BOTH"), 30)
    verdicts(both, me, "confirm")
    verdicts(both, other, "dismiss")
    with django_assert_num_queries(9):
        doing_of(me)


# --- whose page ---------------------------------------------------------------------------------------------------------
def page(reader: User, **query: Any) -> Any:
    client = Client()
    client.force_login(reader)
    return client.get(reverse("admin:governance_sample_doing"), query)


def test_everybody_sees_oneself_and_nobody_else(guild: Guild) -> None:
    me, other = factories.staff("reviewer"), factories.staff("reviewer")
    assert page(me).context["chosen"] == me
    assert page(me, person=other.pk).status_code == 403
    assert page(me, person=me.pk).status_code == 200
    assert list(page(me).context["people"]) == []
    assert "insufficient data" in page(me).content.decode()
    assert other.email not in page(me).content.decode()


def test_an_administrator_opens_the_page_of_each_reviewer_of_their_markets(guild: Guild) -> None:
    here = factories.staff("reviewer", markets=[guild.market])
    away = factories.staff("reviewer", markets=[factories.market("FR")])
    boss = factories.staff("admin", markets=[guild.market])
    assert set(reviewers_seen_by(Actor.staff(boss))) == {here, boss}
    assert page(boss, person=here.pk).context["chosen"] == here
    assert page(boss, person=away.pk).status_code == 403
    assert page(boss, person="x").context["chosen"] == boss
    names = [person.email for person in page(boss).context["people"]]
    assert names == sorted(names)  # by name, not by figures


def test_people_of_guilds_and_the_clock_have_no_such_page(guild: Guild) -> None:
    for actor in (Actor.system("quality"), Actor.guild_user(factories.seat(guild))):
        assert not reviewers_seen_by(actor).exists()
