"""Golden cases: whom they reach, how often, and that nobody who may know the answer is asked."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from governance.models import Case, GoldenCase, Judgement, Review, Violation
from governance.quality import services
from governance.quality.selectors import golden_feedback, golden_visible_to, may_read_golden, reviewers_to_ask
from governance.quality.services.golden import _give
from governance.review.selectors import my_queue
from governance.review.services import case_decide
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Guild, User
from tests import factories
from tests.governance.quality.sampling_world import acts, analyst, decided, rule_with, several

pytestmark = pytest.mark.django_db


@pytest.fixture
def guild(db: None) -> Guild:
    return factories.guild("guild-one", market=factories.market("DE"))


def made(guild: Guild, *, by: Actor | None = None, expected: str = "confirm", **fields: Any) -> GoldenCase:
    return services.golden_make(
        actor=by or analyst(),
        violation_id=decided(guild, rule_with("GOLD"), **fields).pk,
        expected=expected,
        explanation="The clip shows the top-up page of the seller.",
    )


def at_work(decisions: int = 1, **fields: Any) -> User:
    """A reviewer who has decided so many violations just now."""
    person = factories.staff("reviewer", **fields)
    place = Guild.objects.first() or factories.guild()
    version = rule_with("WORK")
    now = timezone.now()
    Review.objects.bulk_create(
        Review(violation=case, reviewer=person, verdict="confirm", reason="Seen.", created_at=now)
        for case in several(place, version, decisions, subject=f"of-{person.pk}")
    )
    return person


def asked(person: User) -> list[int]:
    return list(Case.objects.filter(kind="golden", assigned_to=person).values_list("violation", flat=True))


# --- made and retired ---------------------------------------------------------------------------------------------------
def test_a_decided_violation_becomes_a_golden_case(guild: Guild) -> None:
    golden = made(guild, expected="dismiss")
    assert (golden.expected, golden.is_active) == ("dismiss", True)
    assert acts("golden_case.made") == 1


def test_what_does_not_become_one(guild: Guild) -> None:
    by = analyst()
    open_ = factories.violation(guild, rule_with("OPEN"), evidence=False)
    taken = made(guild, by=by)
    other = decided(guild, rule_with("OTHER"))
    for violation, expected, words, error in (
        (open_, "confirm", "Why.", InvalidTransition),
        (other, "perhaps", "Why.", InvalidInput),
        (other, "confirm", "  ", InvalidInput),
        (taken.violation, "confirm", "Why.", Conflict),
    ):
        with pytest.raises(error):
            services.golden_make(actor=by, violation_id=violation.pk, expected=expected, explanation=words)
    with pytest.raises(NotFound):
        services.golden_make(actor=by, violation_id=0, expected="confirm", explanation="Why.")
    assert (GoldenCase.objects.count(), acts("golden_case.made")) == (1, 1)


@pytest.mark.parametrize("role", ["reviewer", "auditor", "enforcer", "launcher", "approver"])
def test_who_makes_none(guild: Guild, role: str) -> None:
    violation = decided(guild, rule_with("ONE"))
    golden = made(guild)
    person = Actor.staff(factories.staff(role))
    with pytest.raises(NotAllowed):
        services.golden_make(actor=person, violation_id=violation.pk, expected="confirm", explanation="Why.")
    with pytest.raises((NotAllowed, NotFound)):
        services.golden_retire(actor=person, golden_id=golden.pk, reason="No more.")
    elsewhere = analyst(markets=[factories.market("FR")])
    with pytest.raises(NotAllowed):
        services.golden_make(
            actor=elsewhere, violation_id=violation.pk, expected="confirm", explanation="Why."
        )
    golden.refresh_from_db()
    assert golden.is_active
    assert (GoldenCase.objects.count(), acts("golden_case.made", "golden_case.retired")) == (1, 1)


def test_a_retired_one_is_asked_of_nobody(guild: Guild) -> None:
    golden = made(guild)
    person = at_work()
    assert services.golden_mix() == 1
    services.golden_retire(actor=analyst(), golden_id=golden.pk, reason="Everybody knows it by now.")
    assert Case.objects.get(kind="golden").status == "withdrawn"
    assert acts("golden_case.retired", "case.withdrawn") == 2
    assert services.golden_mix() == 0
    with pytest.raises(InvalidTransition):
        services.golden_retire(actor=analyst(), golden_id=golden.pk, reason="Again.")
    with pytest.raises(InvalidInput):
        services.golden_retire(actor=analyst(), golden_id=made(guild, at=timezone.now()).pk, reason="")
    assert acts("golden_case.retired") == 1
    assert not my_queue(Actor.staff(person)).exists()


# --- mixed in -------------------------------------------------------------------------------------------------------------
def test_one_a_week_at_least_and_one_for_fifty_decisions(guild: Guild) -> None:
    for number in range(6):
        made(guild, at=timezone.now() - dt.timedelta(days=20, minutes=number))
    little, much, none = at_work(1), at_work(150), factories.staff("reviewer")
    for _round in range(5):
        services.golden_mix()
        for case in Case.objects.filter(kind="golden", status="waiting"):
            case_decide(
                actor=Actor.staff(case.assigned_to),  # type: ignore[arg-type]
                case_id=case.pk,
                opinion="confirm",
                reason="Seen.",
            )
    assert (len(asked(little)), len(asked(much)), len(asked(none))) == (1, 3, 0)
    assert len(set(asked(much))) == 3
    # A week later the next one, of those not met yet.
    later = timezone.now() + dt.timedelta(days=6)
    Case.objects.update(opened_at=timezone.now() - dt.timedelta(days=2))
    assert {owed.user for owed in reviewers_to_ask(later)} == {little, much}


def test_no_second_one_while_the_first_waits(guild: Guild) -> None:
    made(guild)
    made(guild, at=timezone.now())
    person = at_work(200)
    assert [services.golden_mix(), services.golden_mix()] == [1, 0]
    assert _give(person.pk, timezone.now()) == 0
    assert len(asked(person)) == 1


def test_it_looks_like_any_other_case(guild: Guild) -> None:
    golden = made(guild)
    person = at_work()
    services.golden_mix()
    case = my_queue(Actor.staff(person)).get()
    assert (case.violation, case.severity, case.rule, case.guild) == (
        golden.violation,
        golden.violation.severity,
        golden.violation.rule,
        guild,
    )
    assert acts("case.opened", "golden_case.asked") == 0


def test_never_twice_the_same_never_ones_own_and_never_what_one_judged(guild: Guild) -> None:
    person = at_work()
    judged = made(guild, by=analyst())
    Review.objects.create(
        violation=judged.violation,
        reviewer=person,
        verdict="confirm",
        reason="Seen.",
        created_at=timezone.now(),
    )
    assert services.golden_mix() == 0
    met = made(guild, at=timezone.now() - dt.timedelta(days=3))
    assert services.golden_mix() == 1
    case = Case.objects.get(kind="golden")
    assert case.violation == met.violation
    case_decide(actor=Actor.staff(person), case_id=case.pk, opinion="dismiss", reason="Seen.")
    Case.objects.update(opened_at=timezone.now() - dt.timedelta(days=30))
    assert services.golden_mix() == 0
    assert asked(person) == [met.violation_id]


@pytest.mark.parametrize("role", ["analyst", "adjudicator", "admin", "auditor"])
def test_who_may_read_the_answers_is_never_asked(guild: Guild, role: str) -> None:
    made(guild)
    person = at_work()
    person.staff_roles.create(role=role)
    assert services.golden_mix() == 0
    assert golden_visible_to(Actor.staff(person)).count() == 1


@pytest.mark.parametrize("role", ["reviewer", "enforcer", "launcher", "approver"])
def test_others_do_not_read_them(guild: Guild, role: str) -> None:
    made(guild)
    person = Actor.staff(factories.staff(role))
    assert not may_read_golden(person)
    assert not golden_visible_to(person).exists()
    assert not may_read_golden(Actor.guild_user(factories.seat(guild)))


def test_reviewers_of_other_markets_and_those_who_left_are_not_asked(guild: Guild) -> None:
    made(guild)
    at_work(markets=[factories.market("FR")])
    at_work(is_active=False)
    assert services.golden_mix() == 0
    local = at_work(markets=[guild.market])
    assert services.golden_mix() == 1
    assert len(asked(local)) == 1
    assert golden_visible_to(analyst(markets=[factories.market("IT")])).count() == 0


# --- afterwards -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("opinion", "right"), [("confirm", True), ("dismiss", False), ("unclear", None)])
def test_the_reviewer_is_told_why_after_the_verdict_and_the_guild_notices_nothing(
    guild: Guild, opinion: str, right: bool | None
) -> None:
    golden = made(guild)
    person = at_work()
    services.golden_mix()
    case = Case.objects.get(kind="golden")
    assert golden_feedback(case) is None
    case = case_decide(actor=Actor.staff(person), case_id=case.pk, opinion=opinion, reason="Seen.")
    told = golden_feedback(case)
    assert told is not None
    assert (told.opinion, told.expected, told.right) == (opinion, "confirm", right)
    assert told.explanation == golden.explanation
    assert Judgement.objects.get().reviewer == person
    assert Violation.objects.get(pk=golden.violation_id).status == "confirmed"
    assert not Review.objects.filter(violation=golden.violation_id).exists()


def test_other_cases_have_nothing_to_tell(guild: Guild) -> None:
    made(guild)
    at_work()
    services.golden_mix()
    case = Case.objects.get(kind="golden")
    Case.objects.filter(pk=case.pk).update(kind="quality", status="done", done_at=timezone.now())
    case.refresh_from_db()
    assert golden_feedback(case) is None


def test_an_answer_never_changes(guild: Guild) -> None:
    golden = made(guild)
    for change in (
        lambda: GoldenCase.objects.update(expected="dismiss"),
        lambda: GoldenCase.objects.update(explanation="Something else."),
        lambda: GoldenCase.objects.filter(pk=golden.pk).delete(),
    ):
        with pytest.raises(DatabaseError, match="pgtrigger"), transaction.atomic():
            change()
    assert GoldenCase.objects.filter(expected="confirm").count() == 1
