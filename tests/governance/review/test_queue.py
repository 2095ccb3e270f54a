"""What a reviewer's queue holds, in what order, and which case is next."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.models import Case
from governance.review import services
from governance.review.presence import LOOKING_SECONDS
from governance.review.selectors import (
    blind,
    case_by_public_id,
    cases_visible_to,
    look,
    looking_at,
    my_queue,
    next_case,
    why_here,
)
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput, NotAllowed, NotFound
from tests import factories
from tests.governance.review.judging import (
    DAY,
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


def test_the_queue_begins_with_what_is_wanted_first() -> None:
    now = timezone.now()
    mild = waiting(severity="S3", detected_at=now)
    grave = waiting(severity="S1", detected_at=now)
    old = waiting(severity="S3", detected_at=now - 3 * DAY)
    assert list(my_queue(reviewer())) == [old, grave, mild]


def test_only_reviewers_have_a_queue_and_only_of_their_markets() -> None:
    here, there = waiting(), waiting()
    assert list(my_queue(reviewer(here.market))) == [here]
    assert set(my_queue(reviewer())) == {here, there}
    for actor in (
        admin(),
        Actor.staff(factories.staff("auditor")),
        Actor.system("robot"),
        Actor.guild_user(factories.seat(here.guild)),
    ):
        assert not my_queue(actor).exists()


def test_what_a_colleague_is_at_or_was_given_is_not_in_it() -> None:
    ann, bob = reviewer(), reviewer()
    claimed, assigned, free = waiting(), waiting(), waiting()
    services.case_claim(actor=bob, case_id=claimed.pk)
    services.case_assign(actor=admin(), case_id=assigned.pk, user_id=bob.user_id, reason="Yours.")
    assert list(my_queue(ann)) == [free]
    assert set(my_queue(bob)) == {claimed, assigned, free}
    Case.objects.filter(pk=claimed.pk).update(claimed_until=timezone.now())
    assert set(my_queue(ann)) == {claimed, free}


def test_nobody_sees_a_violation_they_judged_again() -> None:
    ann, bob = reviewer(), reviewer()
    violation = found("dual")
    assert list(my_queue(ann)) == [cases_of(violation)[0]]
    services.violation_confirm(actor=ann, violation_id=violation.pk, reason="Yes.")
    assert not my_queue(ann).exists()
    assert list(my_queue(bob)) == [cases_of(violation)[1]]
    services.violation_dismiss(actor=bob, violation_id=violation.pk, reason="No.")
    assert not my_queue(bob).exists()
    audit = services.case_ask(
        kind="quality", violation=factories.violation(violation.guild, status="confirmed")
    )
    services.case_decide(actor=ann, case_id=audit.pk, opinion="confirm", reason="Yes.")
    golden = services.case_ask(kind="golden", violation=audit.violation)
    assert not my_queue(ann).exists()
    assert golden in my_queue(bob)


def test_of_a_violation_judged_by_two_one_place_is_shown() -> None:
    first, second = cases_of(found("dual"))
    ann, bob, eve = reviewer(), reviewer(), reviewer()
    services.case_claim(actor=ann, case_id=second.pk)
    assert list(my_queue(ann)) == [second]
    assert list(my_queue(bob)) == [first]
    services.case_claim(actor=bob, case_id=first.pk)
    assert not my_queue(eve).exists()


def test_a_desk_names_the_queues_and_what_is_assigned_comes_along() -> None:
    boss, ann = admin(), reviewer()
    assert ann.user_id is not None
    grave = services.queue_save(actor=boss, code="grave", name="Grave", assignment="pull", reason="Apart.")
    services.queue_routes_save(actor=boss, routes=[{"queue": "grave", "severities": ["S1"]}], reason="Apart.")
    mine, other, assigned = waiting(severity="S1"), waiting(severity="S2"), waiting(severity="S2")
    assert set(my_queue(ann)) == {mine, other, assigned}
    services.desk_save(
        actor=boss, user_id=ann.user_id, capacity_per_day=9, queue_ids=[grave.pk], reason="Apart."
    )
    services.case_assign(actor=boss, case_id=assigned.pk, user_id=ann.user_id, reason="Yours.")
    assert list(my_queue(ann)) == [mine, assigned]
    assert set(my_queue(reviewer())) == {mine, other}


def test_what_is_on_hold_or_over_is_not_in_it() -> None:
    held, done, ann = waiting(), waiting(), reviewer()
    services.case_hold(actor=ann, case_id=held.pk, until=timezone.now() + DAY, reason="Later.")
    services.case_decide(actor=reviewer(), case_id=done.pk, opinion="confirm", reason="Yes.")
    assert not my_queue(ann).exists()


def test_next_is_what_was_claimed_then_what_follows_then_the_first() -> None:
    ann = reviewer()
    assert next_case(ann) is None
    now = timezone.now()
    one, two, three = (waiting(detected_at=now + n * dt.timedelta(seconds=1)) for n in range(3))
    assert next_case(ann) == one
    assert next_case(ann, one) == two
    assert next_case(ann, three) == one
    services.case_claim(actor=ann, case_id=three.pk)
    assert next_case(ann) == three
    # Passing over a case goes on from there, claim or no claim; a decision returns to what is claimed.
    assert next_case(ann, one) == two
    services.case_claim(actor=ann, case_id=one.pk)
    done = services.case_decide(actor=ann, case_id=one.pk, opinion="confirm", reason="Yes.")
    assert next_case(ann, done) == three
    services.case_decide(actor=ann, case_id=three.pk, opinion="confirm", reason="Yes.")
    assert next_case(ann, two) is None


def test_cases_of_one_moment_follow_each_other() -> None:
    ann, now = reviewer(), timezone.now()
    same = [waiting(detected_at=now) for _ in range(3)]
    assert [next_case(ann, case) for case in same] == [same[1], same[2], same[0]]


def test_a_page_of_the_queue_is_one_query_however_long_it_is() -> None:
    ann = reviewer()

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            for case in my_queue(ann)[:100]:
                assert case.violation is not None
                assert case.rule is not None
                _ = (case.violation.version.name, case.rule.risk.harm, case.guild.name, case.market.code)
        return len(queries)

    waiting()
    assert statements() == 1
    for _ in range(5):
        waiting()
    assert statements() == 1


# --- what a page shows --------------------------------------------------------------------------------------------------
def test_cases_are_seen_by_staff_of_the_market_only() -> None:
    here, there = waiting(), waiting()
    assert list(cases_visible_to(reviewer(here.market))) == [here]
    assert set(cases_visible_to(Actor.staff(factories.staff("auditor")))) == {here, there}
    assert not cases_visible_to(Actor.guild_user(factories.seat(here.guild))).exists()
    machine = Actor.client(factories.client("violations:read"), scopes=["violations:read"])
    assert not cases_visible_to(machine).exists()
    assert case_by_public_id(str(here.public_id), actor=reviewer()) == here
    with pytest.raises(NotFound):
        case_by_public_id(str(here.public_id), actor=reviewer(there.market))


def test_others_verdicts_are_hidden_while_they_could_sway() -> None:
    human, (first, second) = waiting(), cases_of(found("dual"))
    assert not blind(human)
    assert blind(first)
    services.case_decide(actor=reviewer(), case_id=first.pk, opinion="confirm", reason="Yes.")
    assert blind(Case.objects.get(pk=second.pk))
    services.case_decide(actor=reviewer(), case_id=second.pk, opinion="confirm", reason="Yes.")
    assert not blind(Case.objects.get(pk=second.pk))
    audit = services.case_ask(kind="quality", violation=human.violation)
    assert blind(audit)
    services.case_decide(actor=reviewer(), case_id=audit.pk, opinion="confirm", reason="Yes.")
    assert not blind(Case.objects.get(pk=audit.pk))


def test_the_page_says_why_the_case_stands_where_it_stands() -> None:
    case = waiting(severity="S2")
    said = why_here(case)
    assert said[1] == "Severity S2 gives it 24 h 0 min in all."
    assert said[3] == "Harm 3 of 5: wanted 15 % earlier."
    assert said[4].startswith("Reviewers uphold 50 % of what this rule finds")
    day = services.case_ask(kind="coverage", guild=case.guild, day=dt.date(2026, 3, 1))
    assert len(why_here(day)) == 3


def test_a_rule_that_is_often_right_moves_its_cases_forward() -> None:
    guild, right, wrong = (
        factories.guild(),
        factories.version(review="human"),
        factories.version(review="human"),
    )
    now = timezone.now()
    for version, status in ((right, "confirmed"), (wrong, "dismissed")):
        for n in range(8):
            factories.violation(guild, version, status=status, evidence=False, subject=f"s{n}")
    made = [factories.violation(guild, version, detected_at=now) for version in (wrong, right)]
    services.cases_open_due()
    assert [case.violation for case in my_queue(reviewer())] == [made[1], made[0]]
    assert "90 %" in why_here(cases_of(made[1])[0])[4]


def test_who_else_is_looking_is_known_for_some_seconds() -> None:
    case, other, ann, bob = waiting(), waiting(), person(reviewer()), person(reviewer())
    for user in (bob, ann):
        look(case, user)
    assert looking_at(case) == sorted([str(ann), str(bob)])
    assert looking_at(case, besides=ann) == [str(bob)]
    assert looking_at(other) == []
    assert LOOKING_SECONDS > 30


# --- notes ------------------------------------------------------------------------------------------------------------
def test_colleagues_leave_notes_even_on_what_is_over() -> None:
    case, ann = waiting(), reviewer()
    services.note_add(actor=ann, case_id=case.pk, body="  Seen this guild before.  ")
    services.case_decide(actor=ann, case_id=case.pk, opinion="dismiss", reason="No.")
    services.note_add(
        actor=Actor.staff(factories.staff("adjudicator")), case_id=case.pk, body="Agreed on appeal."
    )
    assert [note.body for note in case.notes.all()] == ["Seen this guild before.", "Agreed on appeal."]
    assert acts() == ["case.noted", "violation.dismissed", "case.noted"]


def test_notes_are_written_by_those_who_judge_and_say_something() -> None:
    case = waiting()
    for actor in (
        Actor.staff(factories.staff("analyst")),
        reviewer(factories.market()),
        Actor.system("robot"),
        Actor.guild_user(factories.seat(case.guild)),
    ):
        refuses(NotAllowed, services.note_add, actor=actor, case_id=case.pk, body="Hello.")
    for body in (" ", "x" * 4001):
        refuses(InvalidInput, services.note_add, actor=reviewer(), case_id=case.pk, body=body)
    refuses(NotFound, services.note_add, actor=reviewer(), case_id=0, body="Hello.")
