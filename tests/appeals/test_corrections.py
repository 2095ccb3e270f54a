"""The platform takes back a violation it found wrong itself."""

from __future__ import annotations

import pytest

from appeals.corrections import violation_correct
from appeals.models import Appeal
from governance.models import Compensation, Event, Finding, Notice, Penalty, Sanction, Shield, Standing
from guilds.accounts.actor import Actor
from guilds.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed, NotFound
from tests import factories
from tests.appeals.cases import Case, nothing_changes

pytestmark = pytest.mark.django_db
REASON = "The audit of last week found the wrong account."


def test_a_correction_undoes_all_and_tells_everybody_concerned(case: Case) -> None:
    violation_correct(actor=case.adjudicator, violation_id=case.violation.pk, reason=REASON)

    case.violation.refresh_from_db()
    assert case.violation.status == "overturned"
    assert set(Penalty.objects.values_list("status", flat=True)) == {"reversed"}
    assert Standing.objects.get().score == 100
    assert Sanction.objects.get().reversed_at is not None
    finding = Finding.objects.get()
    assert (finding.version_id, finding.source_type, finding.summary) == (
        case.violation.version_id,
        "violation",
        REASON,
    )
    told = Notice.objects.get(kind="penalty_reversed")
    assert REASON in told.body
    assert sorted(told.statement["reversed"]) == sorted(
        str(penalty.public_id) for penalty in (case.penalty, case.training)
    )
    assert Event.objects.filter(act="violation.corrected", reason=REASON).count() == 1
    assert Event.objects.filter(act="penalty.reversed").count() == 2
    assert not Shield.objects.exists(), "nothing was won"


def test_an_open_appeal_gets_what_it_asked_for(case: Case) -> None:
    appeal = case.appeal()
    violation_correct(actor=case.adjudicator, violation_id=case.violation.pk, reason=REASON)
    appeal.refresh_from_db()
    assert (appeal.status, appeal.outcome) == ("withdrawn", "")
    assert Shield.objects.get().penalty == case.penalty
    event = Event.objects.get(act="appeal.withdrawn")
    assert event.after["because_of"] == str(case.violation.public_id)


def test_a_violation_that_nothing_came_of_yet_is_overturned_quietly(case: Case) -> None:
    fresh = factories.violation(case.guild, status="confirmed")
    told = Notice.objects.count()
    violation_correct(actor=case.adjudicator, violation_id=fresh.pk, reason=REASON)
    fresh.refresh_from_db()
    assert (fresh.status, fresh.sanction_due) == ("overturned", False)
    assert (Notice.objects.count(), Compensation.objects.count()) == (told, 0)


def test_it_needs_an_adjudicator_of_the_market_who_took_no_part(case: Case) -> None:
    for person, refusal in (
        (Actor.staff(case.rita), "took_part"),
        (Actor.staff(case.alma), "market_out_of_scope"),
        (Actor.staff(factories.staff("reviewer", "enforcer", "admin")), "role_required"),
        (case.owner, "person_required"),
        (Actor.system("test"), "person_required"),
    ):
        with nothing_changes(), pytest.raises(NotAllowed) as refused:
            violation_correct(actor=person, violation_id=case.violation.pk, reason=REASON)
        assert refused.value.code == refusal


def test_it_needs_words_and_something_that_stands(case: Case) -> None:
    opened = factories.violation(case.guild)
    attempts: list[tuple[int, str, type[DomainError]]] = [
        (case.violation.pk, "wrong", InvalidInput),
        (opened.pk, REASON, InvalidTransition),
        (0, REASON, NotFound),
    ]
    for violation_id, reason, error in attempts:
        with nothing_changes(), pytest.raises(error):
            violation_correct(actor=case.adjudicator, violation_id=violation_id, reason=reason)
    violation_correct(actor=case.adjudicator, violation_id=case.violation.pk, reason=REASON)
    with nothing_changes(), pytest.raises(InvalidTransition):
        violation_correct(actor=Actor.staff(case.abel), violation_id=case.violation.pk, reason=REASON)
    assert not Appeal.objects.exists()
