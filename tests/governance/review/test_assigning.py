"""Work given by hand, shared out by capacity, and taken over from whoever is away."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.models import Case
from governance.review import services
from governance.review.models import Queue
from governance.review.selectors import my_queue, queue_default
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Market, User
from tests import factories
from tests.governance.review.judging import (
    DAY,
    HOUR,
    acts,
    admin,
    cases_of,
    found,
    refuses,
    reviewer,
    waiting,
)

pytestmark = pytest.mark.django_db


def desk(capacity: int, *markets: Market, queues: tuple[Queue, ...] = ()) -> Actor:
    actor = reviewer(*markets)
    assert actor.user_id is not None
    services.desk_save(
        actor=admin(),
        user_id=actor.user_id,
        capacity_per_day=capacity,
        queue_ids=[queue.pk for queue in queues],
        reason="As agreed.",
    )
    return actor


def share_out() -> None:
    """The default queue is shared out from now on."""
    Queue.objects.filter(pk=queue_default().pk).update(assignment="shared_out")


def given() -> Counter[int | None]:
    return Counter(Case.objects.values_list("assigned_to", flat=True))


def away(actor: Actor, substitute: Actor | None = None) -> None:
    assert actor.user_id is not None
    now = timezone.now()
    services.absence_add(
        actor=actor,
        user_id=actor.user_id,
        starts_at=now - HOUR,
        ends_at=now + DAY,
        substitute_id=substitute.user_id if substitute else None,
    )


# --- by hand ----------------------------------------------------------------------------------------------------------
def test_a_case_is_given_to_a_colleague_and_back_to_the_queue() -> None:
    case, ann, bob = waiting(), reviewer(), reviewer()
    services.case_assign(actor=ann, case_id=case.pk, user_id=bob.user_id, reason="Bob knows the guild.")
    case.refresh_from_db()
    assert (case.assigned_to_id, case.revision) == (bob.user_id, 2)
    assert case.assigned_at is not None
    assert list(my_queue(bob)) == [case]
    assert not my_queue(ann).exists()
    services.case_assign(actor=bob, case_id=case.pk, user_id=None, reason="Not my field.")
    case.refresh_from_db()
    assert [case.assigned_to, case.assigned_at] == [None, None]
    assert list(my_queue(ann)) == [case]
    assert acts() == ["case.assigned", "case.assigned"]


def test_a_case_goes_to_nobody_who_cannot_judge_it() -> None:
    case, ann = waiting(), reviewer()
    asked: dict[str, Any] = {"actor": ann, "case_id": case.pk, "reason": "Yours."}
    gone, bob = reviewer(), reviewer()
    away(gone)
    refuses(Conflict, services.case_assign, why="absent", user_id=gone.user_id, **asked)
    for nobody in (0, admin().user_id, reviewer(factories.market()).user_id):
        refuses(NotFound, services.case_assign, user_id=nobody, **asked)
    refuses(InvalidInput, services.case_assign, actor=ann, case_id=case.pk, user_id=bob.user_id, reason="")
    services.case_escalate(actor=bob, case_id=case.pk, reason="Too hard.")
    refuses(Conflict, services.case_assign, why="escalated", user_id=bob.user_id, **asked)

    first, second = cases_of(found("dual"))
    asked["case_id"] = second.pk
    services.case_claim(actor=bob, case_id=first.pk)
    refuses(Conflict, services.case_assign, why="other_place", user_id=bob.user_id, **asked)
    services.case_decide(actor=bob, case_id=first.pk, opinion="confirm", reason="Yes.")
    refuses(Conflict, services.case_assign, why="already_reviewed", user_id=bob.user_id, **asked)
    asked["case_id"] = first.pk
    refuses(InvalidTransition, services.case_assign, user_id=ann.user_id, **asked)


def test_only_reviewers_and_admins_of_the_market_assign() -> None:
    case, bob = waiting(), reviewer()
    for actor in (
        Actor.staff(factories.staff("enforcer")),
        reviewer(factories.market()),
        Actor.system("robot"),
    ):
        refuses(
            NotAllowed,
            services.case_assign,
            actor=actor,
            case_id=case.pk,
            user_id=bob.user_id,
            reason="Yours.",
        )


def test_an_admin_takes_a_case_away_from_a_page_left_open() -> None:
    case, ann, bob = waiting(), reviewer(), reviewer()
    services.case_claim(actor=ann, case_id=case.pk)
    asked: dict[str, Any] = {"case_id": case.pk, "user_id": bob.user_id, "reason": "Ann has gone home."}
    refuses(Conflict, services.case_assign, why="claimed", actor=bob, **asked)
    services.case_assign(actor=admin(), **asked)
    case.refresh_from_db()
    assert (case.assigned_to_id, case.claimed_by) == (bob.user_id, None)
    refuses(Conflict, services.case_heartbeat, why="assigned", actor=ann, case_id=case.pk)


# --- by capacity ------------------------------------------------------------------------------------------------------
def test_work_is_shared_out_in_proportion_to_what_is_left_of_the_day() -> None:
    share_out()
    big, small = desk(20), desk(10)
    for _ in range(15):
        waiting()
    assert services.cases_sweep().shared == 15
    assert given() == {big.user_id: 10, small.user_id: 5}
    assert services.cases_sweep().shared == 0
    assert acts().count("case.assigned") == 15


def test_nobody_is_given_more_than_a_day_holds_and_the_most_urgent_goes_first() -> None:
    share_out()
    ann = desk(2)
    mild, grave, middling = waiting(severity="S4"), waiting(severity="S1"), waiting(severity="S2")
    assert services.cases_sweep().shared == 2
    mild.refresh_from_db()
    assert mild.assigned_to is None
    services.case_decide(actor=ann, case_id=grave.pk, opinion="confirm", reason="Yes.")
    assert services.cases_sweep().shared == 0
    # Tomorrow the one that is open counts, the one that is done no longer.
    tomorrow = timezone.now() + DAY
    assert services.cases_share_out(now=tomorrow) == 1
    assert given() == {ann.user_id: 3}
    middling.refresh_from_db()
    assert middling.assigned_to_id == ann.user_id


def test_the_places_of_a_violation_go_to_different_people() -> None:
    share_out()
    ann, bob = desk(50), desk(50)
    violation = found("dual")
    services.cases_sweep()
    assert {case.assigned_to_id for case in cases_of(violation)} == {ann.user_id, bob.user_id}
    for actor, verdict in ((ann, services.violation_confirm), (bob, services.violation_dismiss)):
        verdict(actor=actor, violation_id=violation.pk, reason="I say so.")
    services.cases_sweep()
    assert cases_of(violation)[2].assigned_to is None
    eve = desk(1)
    services.cases_sweep()
    assert cases_of(violation)[2].assigned_to_id == eve.user_id


def test_work_goes_only_where_it_can_be_done() -> None:
    share_out()
    here = factories.guild()
    special = services.queue_save(
        actor=admin(), code="special", name="Special", assignment="pull", reason="Apart."
    )
    desk(50, factories.market())
    desk(50, queues=(special,))
    gone = desk(50)
    away(gone)
    reviewer()
    factories.staff("reviewer", is_active=False)
    waiting(guild=here)
    assert services.cases_sweep().shared == 0
    local = desk(50, here.market)
    assert services.cases_sweep().shared == 1
    assert given() == {local.user_id: 1}


def test_a_queue_that_is_pulled_from_is_not_shared_out() -> None:
    desk(50)
    waiting()
    assert services.cases_sweep().shared == 0


def test_what_somebody_is_at_or_escalated_is_left_alone() -> None:
    share_out()
    ann = desk(50)
    claimed, escalated = waiting(), waiting()
    services.case_claim(actor=reviewer(), case_id=claimed.pk)
    services.case_escalate(actor=ann, case_id=escalated.pk, reason="Too hard.")
    assert services.cases_sweep().shared == 0


def test_sharing_out_costs_the_same_for_few_and_for_many() -> None:
    share_out()
    for _ in range(3):
        desk(500)
    guild, version = factories.guild(), factories.version(review="human")

    def statements(number: int) -> int:
        for n in range(number):
            moment = timezone.now() - n * dt.timedelta(seconds=1)
            factories.violation(guild, version, evidence=False, occurred_at=moment)
        services.cases_open_due()
        with CaptureQueriesContext(connection) as queries:
            assert services.cases_share_out() == number
        return len(queries)

    statements(2)
    assert statements(2) == statements(60)


# --- away -------------------------------------------------------------------------------------------------------------
def test_the_substitute_takes_over_and_without_one_the_queue_does() -> None:
    ann, bob, eve = reviewer(), reviewer(), reviewer()
    covered, uncovered = waiting(), waiting()
    for case, whose in ((covered, ann), (uncovered, eve)):
        services.case_assign(actor=admin(), case_id=case.pk, user_id=whose.user_id, reason="Yours.")
    away(ann, substitute=bob)
    away(eve)
    assert services.cases_sweep().covered == 2
    covered.refresh_from_db()
    uncovered.refresh_from_db()
    assert (covered.assigned_to_id, uncovered.assigned_to_id) == (bob.user_id, None)
    assert services.cases_sweep().covered == 0


def test_a_substitute_who_cannot_judge_the_case_gets_nothing() -> None:
    ann = reviewer()
    substitute = reviewer()
    violation = found("dual")
    first, second = cases_of(violation)
    services.case_decide(actor=substitute, case_id=first.pk, opinion="confirm", reason="Yes.")
    services.case_assign(actor=admin(), case_id=second.pk, user_id=ann.user_id, reason="Yours.")
    away(ann, substitute=substitute)
    services.cases_sweep()
    second.refresh_from_db()
    assert second.assigned_to is None


def test_two_places_do_not_meet_at_one_substitute() -> None:
    ann, bob, both = reviewer(), reviewer(), reviewer()
    violation = found("dual")
    for case, whose in zip(cases_of(violation), (ann, bob), strict=True):
        services.case_assign(actor=admin(), case_id=case.pk, user_id=whose.user_id, reason="Yours.")
        away(whose, substitute=both)
    services.cases_sweep()
    assert sorted(given().items(), key=str) == sorted({both.user_id: 1, None: 1}.items(), key=str)


def test_what_its_reviewer_can_no_longer_judge_goes_back_to_the_queue() -> None:
    gone, ann = reviewer(), reviewer()
    left = waiting()
    services.case_assign(actor=admin(), case_id=left.pk, user_id=gone.user_id, reason="Yours.")
    User.objects.filter(email=gone.label).update(is_active=False)
    # As when work is shared out while its reviewer takes the other place.
    violation = found("dual")
    first, second = cases_of(violation)
    services.case_decide(actor=ann, case_id=first.pk, opinion="confirm", reason="Yes.")
    Case.objects.filter(pk=second.pk).update(assigned_to=ann.user_id, assigned_at=timezone.now())
    kept = waiting()
    services.case_assign(actor=admin(), case_id=kept.pk, user_id=ann.user_id, reason="Yours.")
    assert [services.cases_sweep().covered, services.cases_sweep().covered] == [2, 0]
    assert set(my_queue(reviewer())) == {left, second}
    assert list(my_queue(ann)) == [left, kept]
