"""A verdict closes the case it was asked for; whoever was slower is told who, what and when."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.ledger.models import Event
from governance.models import Case, Judgement, Review
from governance.review import services
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from tests import factories
from tests.governance.review.judging import acts, cases_of, found, person, refuses, reviewer, waiting

pytestmark = pytest.mark.django_db


def test_a_verdict_closes_the_case_and_measures_the_work() -> None:
    case, ann = waiting(), reviewer()
    services.case_claim(actor=ann, case_id=case.pk)
    Case.objects.update(claimed_at=timezone.now() - dt.timedelta(seconds=90))
    done = services.case_decide(
        actor=ann, case_id=case.pk, opinion="confirm", reason="Seen.", revision=case.revision
    )
    assert (done.status, done.done_by_id, done.claimed_by_id) == ("done", ann.user_id, None)
    assert done.seconds in (90, 91)
    assert done.done_at is not None
    assert done.revision == case.revision + 1
    assert done.violation is not None
    assert done.violation.status == "confirmed"
    assert acts() == ["case.claimed", "violation.confirmed"]


def test_a_verdict_goes_to_the_place_the_reviewer_holds() -> None:
    violation, ann = found("dual"), reviewer()
    services.case_claim(actor=ann, case_id=cases_of(violation)[1].pk)
    services.violation_dismiss(actor=ann, violation_id=violation.pk, reason="No.")
    assert [case.status for case in cases_of(violation)] == ["waiting", "done"]


def test_a_verdict_passes_by_the_place_somebody_else_holds() -> None:
    violation, ann, bob = found("dual"), reviewer(), reviewer()
    services.case_claim(actor=bob, case_id=cases_of(violation)[0].pk)
    services.violation_confirm(actor=ann, violation_id=violation.pk, reason="Yes.")
    assert [case.status for case in cases_of(violation)] == ["waiting", "done"]
    assert cases_of(violation)[0].claimed_by_id == bob.user_id


def test_the_third_verdict_decides_a_tie() -> None:
    violation, people = found("dual"), [reviewer() for _ in range(3)]
    services.violation_confirm(actor=people[0], violation_id=violation.pk, reason="Yes.")
    services.violation_dismiss(actor=people[1], violation_id=violation.pk, reason="No.")
    third = cases_of(violation)[2]
    for actor in people[:2]:
        refuses(
            Conflict,
            services.case_decide,
            why="already_reviewed",
            actor=actor,
            case_id=third.pk,
            opinion="confirm",
            reason="Again.",
        )
    services.case_decide(actor=people[2], case_id=third.pk, opinion="confirm", reason="Yes.")
    violation.refresh_from_db()
    assert (violation.status, violation.sanction_due) == ("confirmed", True)
    assert [case.status for case in cases_of(violation)] == ["done"] * 3
    assert acts() == ["violation.reviewed", "violation.reviewed", "violation.confirmed"]


def test_what_was_still_asked_is_withdrawn_with_the_decision() -> None:
    """As after the review of a violation was asked for by one more person than it needs now."""
    violation = found("dual")
    violation.review = "human"
    violation.save(update_fields=["review"])
    services.violation_confirm(actor=reviewer(), violation_id=violation.pk, reason="Yes.")
    assert [case.status for case in cases_of(violation)] == ["done", "withdrawn"]
    refuses(
        InvalidTransition,
        services.case_claim,
        actor=reviewer(),
        case_id=cases_of(violation)[1].pk,
    )


def test_whoever_was_slower_is_told_who_did_what_and_why() -> None:
    case, ann, bob = waiting(), reviewer(), reviewer()
    services.case_decide(actor=ann, case_id=case.pk, opinion="dismiss", reason="A rehearsal.")
    for asked in (
        {"act": services.case_decide, "case_id": case.pk, "opinion": "confirm"},
        {"act": services.violation_confirm, "violation_id": case.violation_id},
    ):
        act = asked.pop("act")
        refusal = refuses(
            Conflict,
            act,  # type: ignore[arg-type]
            why="stale",
            actor=bob,
            reason="Yes.",
            revision=case.revision,
            **asked,
        )
        assert str(person(ann)) in refusal.message
        assert "dismissed it" in refusal.message
        assert "A rehearsal." in refusal.message
    refuses(
        InvalidTransition,
        services.case_decide,
        actor=bob,
        case_id=case.pk,
        opinion="confirm",
        reason="Yes.",
    )


def test_a_change_that_is_no_decision_is_told_too() -> None:
    case, ann, bob, eve = waiting(), reviewer(), reviewer(), reviewer()
    services.case_escalate(actor=ann, case_id=case.pk, reason="Too hard.")
    # What changes nothing is not told as if it had.
    services.note_add(actor=eve, case_id=case.pk, body="Seen before.")
    services.cases_sweep(case.due_at)
    for act in (services.case_escalate, services.case_hold):
        extra: dict[str, Any] = (
            {"until": timezone.now() + dt.timedelta(hours=1)} if act is services.case_hold else {}
        )
        refusal = refuses(
            Conflict,
            act,
            why="stale",
            actor=bob,
            case_id=case.pk,
            reason="Me too.",
            revision=case.revision,
            **extra,
        )
        assert f"{person(ann)} escalated it" in refusal.message
    services.case_decide(
        actor=eve, case_id=case.pk, opinion="confirm", reason="Yes.", revision=case.revision + 1
    )


def test_a_blind_colleague_is_not_told_what_the_first_one_said() -> None:
    violation, ann, bob = found("dual"), reviewer(), reviewer()
    first = cases_of(violation)[0]
    services.case_decide(actor=ann, case_id=first.pk, opinion="confirm", reason="Clearly seen.")
    refusal = refuses(
        Conflict,
        services.case_decide,
        why="stale",
        actor=bob,
        case_id=first.pk,
        opinion="confirm",
        reason="Yes.",
        revision=first.revision,
    )
    assert str(person(ann)) in refusal.message
    assert "Clearly seen." not in refusal.message
    assert "confirmed" not in refusal.message


def test_what_is_said_has_to_be_an_answer() -> None:
    case, ann = waiting(), reviewer()
    asked: dict[str, Any] = {"actor": ann, "case_id": case.pk}
    refuses(InvalidInput, services.case_decide, opinion="maybe", reason="Hm.", **asked)
    refuses(InvalidInput, services.case_decide, opinion="unclear", reason="Hm.", **asked)
    refuses(InvalidInput, services.case_decide, opinion="confirm", reason="  ", **asked)
    refuses(NotFound, services.case_decide, actor=ann, case_id=0, opinion="confirm", reason="Yes.")
    refuses(
        NotAllowed,
        services.case_decide,
        actor=reviewer(factories.market()),
        case_id=case.pk,
        opinion="confirm",
        reason="Yes.",
    )


@pytest.mark.parametrize("kind", ["golden", "quality"])
def test_an_audit_is_judged_and_decides_nothing(kind: str) -> None:
    violation = factories.violation(factories.guild(), status="confirmed")
    case, ann = services.case_ask(kind=kind, violation=violation), reviewer()
    services.case_decide(actor=ann, case_id=case.pk, opinion="dismiss", reason="Not seen.")
    case.refresh_from_db()
    violation.refresh_from_db()
    assert (case.status, violation.status) == ("done", "confirmed")
    said = Judgement.objects.get()
    assert (said.case, said.reviewer_id, said.opinion, said.reason) == (
        case,
        ann.user_id,
        "dismiss",
        "Not seen.",
    )
    assert not Review.objects.exists()
    event = Event.objects.get()
    assert (event.act, event.object_id, event.reason) == ("case.judged", str(case.public_id), "Not seen.")
    assert kind not in str(event.after)
    refuses(
        InvalidTransition,
        services.case_decide,
        actor=reviewer(),
        case_id=case.pk,
        opinion="dismiss",
        reason="No.",
    )


def test_nobody_audits_a_decision_they_took_part_in_or_judges_the_same_thing_twice() -> None:
    case, ann, bob = waiting(), reviewer(), reviewer()
    services.case_decide(actor=ann, case_id=case.pk, opinion="confirm", reason="Yes.")
    audit = services.case_ask(kind="quality", violation=case.violation)
    asked: dict[str, Any] = {"opinion": "unclear", "reason": "Hm."}
    refuses(Conflict, services.case_decide, why="already_reviewed", actor=ann, case_id=audit.pk, **asked)
    services.case_decide(actor=bob, case_id=audit.pk, **asked)
    more = services.case_ask(kind="golden", violation=case.violation)
    refuses(Conflict, services.case_decide, why="already_reviewed", actor=bob, case_id=more.pk, **asked)


def test_a_violation_seen_on_an_unflagged_day_is_named() -> None:
    case = services.case_ask(kind="coverage", guild=factories.guild(), day=dt.date(2026, 3, 1))
    asked: dict[str, Any] = {"actor": reviewer(), "case_id": case.pk, "reason": "Seen."}
    refuses(InvalidInput, services.case_decide, opinion="confirm", **asked)
    refuses(InvalidInput, services.case_decide, opinion="confirm", code="x" * 41, **asked)
    services.case_decide(opinion="confirm", code="HYG-01", **asked)
    assert Judgement.objects.get().code == "HYG-01"
