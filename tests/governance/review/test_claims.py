"""Claims are leases: they hold while the page is open, lapse when it is gone, and say who stands in the way."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.models import Case
from governance.review import services
from governance.review.services import LEASE
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidTransition, NotAllowed, NotFound
from tests import factories
from tests.governance.review.judging import (
    DAY,
    HOUR,
    acts,
    admin,
    cases_of,
    found,
    person,
    refuses,
    reviewer,
    waiting,
)

pytestmark = pytest.mark.django_db


def lapse(case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(claimed_until=timezone.now() - dt.timedelta(seconds=1))


def test_a_claim_is_a_lease_that_the_open_page_prolongs() -> None:
    case, ann = waiting(), reviewer()
    claimed = services.case_claim(actor=ann, case_id=case.pk)
    assert claimed.claimed_by_id == ann.user_id
    assert claimed.claimed_at is not None
    assert claimed.claimed_until == claimed.claimed_at + LEASE
    later = services.case_heartbeat(actor=ann, case_id=case.pk)
    assert later.claimed_until is not None
    assert later.claimed_until > claimed.claimed_until
    assert later.claimed_at == claimed.claimed_at
    again = services.case_claim(actor=ann, case_id=case.pk)
    assert again.claimed_at == claimed.claimed_at
    # Signs of life are no acts, and no change to lose a race against.
    assert acts() == ["case.claimed"]
    assert again.revision == case.revision


def test_who_comes_second_is_told_who_is_at_it() -> None:
    case, ann, bob = waiting(), reviewer(), reviewer()
    services.case_claim(actor=ann, case_id=case.pk)
    for act in (services.case_claim, services.case_heartbeat):
        assert str(person(ann)) in refuses(Conflict, act, why="claimed", actor=bob, case_id=case.pk).message


def test_a_lapsed_claim_is_taken_over_and_its_page_told_so() -> None:
    case, ann, bob = waiting(), reviewer(), reviewer()
    services.case_claim(actor=ann, case_id=case.pk)
    lapse(case)
    assert services.case_claim(actor=bob, case_id=case.pk).claimed_by_id == bob.user_id
    refusal = refuses(Conflict, services.case_heartbeat, why="claimed", actor=ann, case_id=case.pk)
    assert str(person(bob)) in refusal.message


def test_a_page_that_slept_goes_on_when_nobody_was_faster() -> None:
    case, ann = waiting(), reviewer()
    services.case_claim(actor=ann, case_id=case.pk)
    lapse(case)
    services.cases_sweep()
    case.refresh_from_db()
    assert (case.claimed_by, case.claimed_at, case.claimed_until) == (None, None, None)
    assert services.case_heartbeat(actor=ann, case_id=case.pk).claimed_by_id == ann.user_id


def test_the_sweep_leaves_a_claim_that_is_kept_up() -> None:
    case, ann = waiting(), reviewer()
    services.case_claim(actor=ann, case_id=case.pk)
    assert services.cases_sweep().lapsed == 0
    case.refresh_from_db()
    assert case.claimed_by_id == ann.user_id


def test_a_case_given_back_is_free_at_once() -> None:
    case, ann, bob = waiting(), reviewer(), reviewer()
    services.case_claim(actor=ann, case_id=case.pk)
    services.case_release(actor=bob, case_id=case.pk)
    case.refresh_from_db()
    assert case.claimed_by_id == ann.user_id
    services.case_release(actor=ann, case_id=case.pk)
    case.refresh_from_db()
    assert (case.claimed_by, case.claimed_until) == (None, None)
    assert acts() == ["case.claimed", "case.released"]


def test_one_person_may_hold_several_cases() -> None:
    ann = reviewer()
    for case in (waiting(), waiting()):
        services.case_claim(actor=ann, case_id=case.pk)
    assert Case.objects.filter(claimed_by=ann.user_id).count() == 2


@pytest.mark.parametrize("role", [role.value for role in Role if role != Role.REVIEWER])
def test_only_reviewers_claim(role: str) -> None:
    refuses(NotAllowed, services.case_claim, actor=Actor.staff(factories.staff(role)), case_id=waiting().pk)


def test_only_people_of_the_market_claim_what_exists() -> None:
    case = waiting()
    for actor in (
        reviewer(factories.market()),
        Actor.system("robot"),
        Actor.guild_user(factories.seat(case.guild)),
    ):
        for act in (services.case_claim, services.case_heartbeat, services.case_release):
            refuses(NotAllowed, act, actor=actor, case_id=case.pk)
    refuses(NotFound, services.case_claim, actor=reviewer(), case_id=0)


def test_what_is_not_for_this_reviewer_is_not_claimed() -> None:
    ann, bob = reviewer(), reviewer()
    dual = found("dual")
    first, second = cases_of(dual)
    services.case_claim(actor=ann, case_id=first.pk)
    refuses(Conflict, services.case_claim, why="other_place", actor=ann, case_id=second.pk)
    services.case_decide(actor=ann, case_id=first.pk, opinion="confirm", reason="Yes.")
    refuses(Conflict, services.case_claim, why="already_reviewed", actor=ann, case_id=second.pk)
    refuses(InvalidTransition, services.case_claim, actor=bob, case_id=first.pk)

    given = waiting()
    services.case_assign(actor=admin(), case_id=given.pk, user_id=bob.user_id, reason="Knows it.")
    refuses(Conflict, services.case_claim, why="assigned", actor=ann, case_id=given.pk)

    hard = waiting()
    services.case_escalate(actor=ann, case_id=hard.pk, reason="Too hard.")
    refuses(Conflict, services.case_claim, why="escalated", actor=ann, case_id=hard.pk)

    held = waiting()
    services.case_hold(actor=ann, case_id=held.pk, until=timezone.now() + DAY, reason="A video is coming.")
    refusal = refuses(InvalidTransition, services.case_claim, actor=ann, case_id=held.pk)
    assert "A video is coming." in refusal.message


def test_a_claim_keeps_everybody_else_from_every_act() -> None:
    case, ann, bob = waiting(), reviewer(), reviewer()
    services.case_claim(actor=ann, case_id=case.pk)
    asked: dict[str, Any] = {"actor": bob, "case_id": case.pk, "reason": "Mine."}
    refuses(Conflict, services.case_decide, why="claimed", opinion="confirm", **asked)
    refuses(Conflict, services.case_hold, why="claimed", until=timezone.now() + HOUR, **asked)
    refuses(Conflict, services.case_escalate, why="claimed", **asked)
    refuses(Conflict, services.case_assign, why="claimed", user_id=bob.user_id, **asked)
    refuses(
        Conflict,
        services.violation_confirm,
        why="claimed",
        actor=bob,
        violation_id=case.violation_id,
        reason="Mine.",
    )
