from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from appeals.models import Appeal, Decision, Message
from appeals.selectors import appeals_visible_to, assigned_to, eligible_adjudicators, open_appeals
from appeals.services import appeal_assign, appeal_decide, appeal_file, appeal_message, appeal_withdraw
from appeals.transitions import TRANSITIONS, check
from governance.models import Event, Finding, Notice, Penalty, PointEntry, Restriction, Standing
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from tests import factories
from tests.appeals.cases import ANSWER, STATEMENT, Case, acts_since, last_event, nothing_changes


# --- assignment -------------------------------------------------------------------------------------------------------
def test_a_case_is_offered_to_those_who_took_no_part(case: Case) -> None:
    appeal = case.appeal()

    assert list(eligible_adjudicators(appeal)) == [case.abel, case.ada]


def test_assigning_and_giving_back(case: Case) -> None:
    appeal, start = case.appeal(), last_event()
    admin = Actor.staff(factories.staff("admin"))

    appeal_assign(actor=admin, appeal_id=appeal.pk, user_id=case.ada.pk)
    assert list(assigned_to(case.adjudicator)) == [appeal]
    appeal_assign(actor=admin, appeal_id=appeal.pk, user_id=case.ada.pk)
    appeal_assign(actor=case.adjudicator, appeal_id=appeal.pk, user_id=None)

    assert list(assigned_to(case.adjudicator)) == []
    assert list(open_appeals(case.adjudicator)) == [appeal]
    assert acts_since(start) == ["appeal.assigned", "appeal.assigned"]


@pytest.mark.parametrize("whom", ["rita", "alma", "olga", "nobody"])
def test_a_case_never_goes_to_a_participant_a_stranger_to_the_market_or_a_guild(
    case: Case, whom: str
) -> None:
    appeal = case.appeal()
    user_id = {"olga": case.olga.user_id, "nobody": 0}.get(whom) or getattr(
        getattr(case, whom, None), "pk", 0
    )

    with nothing_changes(), pytest.raises(InvalidInput) as refused:
        appeal_assign(actor=case.adjudicator, appeal_id=appeal.pk, user_id=user_id)

    assert refused.value.code == "not_eligible"


def test_only_adjudicators_and_administrators_of_the_market_assign(case: Case) -> None:
    appeal = case.appeal()
    for actor in (
        case.owner,
        Actor.staff(factories.staff("reviewer", "enforcer", "auditor")),
        Actor.staff(case.alma),
    ):
        with nothing_changes(), pytest.raises(NotAllowed):
            appeal_assign(actor=actor, appeal_id=appeal.pk, user_id=case.ada.pk)


# --- deciding ---------------------------------------------------------------------------------------------------------
def _decide(case: Case, appeal: Appeal, outcome: str = "upheld", **fields: Any) -> Decision:
    deciding: dict[str, Any] = {
        "actor": case.adjudicator,
        "appeal_id": appeal.pk,
        "outcome": outcome,
        "answer": ANSWER,
    }
    return appeal_decide(**(deciding | fields))


def test_upheld_leaves_the_penalty_and_answers(case: Case) -> None:
    appeal, start = case.appeal(), last_event()

    decision = _decide(case, appeal)

    appeal.refresh_from_db()
    case.penalty.refresh_from_db()
    assert (appeal.status, appeal.outcome, appeal.assigned_to) == ("decided", "upheld", case.ada)
    assert appeal.settled_at == decision.decided_at
    assert case.penalty.status == "in_force"
    assert acts_since(start) == ["appeal.decided", "notice.sent"]
    decided = Event.objects.get(act="appeal.decided")
    assert (decided.after["outcome"], decided.after["rule"], decided.reason) == ("upheld", "REC-02", ANSWER)
    assert ANSWER in Notice.objects.get(kind="appeal_decided").body
    assert not Finding.objects.exists()


def test_overturned_takes_everything_back_and_opens_a_finding(case: Case) -> None:
    appeal, start = case.appeal(), last_event()
    assert Restriction.objects.filter(guild=case.guild, lifted_at__isnull=True).count() == 2
    assert Standing.objects.get(guild=case.guild).score == 90

    _decide(case, appeal, "overturned")

    case.violation.refresh_from_db()
    assert case.violation.status == "overturned"
    assert set(Penalty.objects.values_list("status", flat=True)) == {"reversed"}
    assert Standing.objects.get(guild=case.guild).score == 100
    assert sum(PointEntry.objects.values_list("points", flat=True)) == 0
    assert not Restriction.objects.filter(lifted_at__isnull=True).exists()
    [finding] = Finding.objects.all()
    assert (finding.version, finding.source_type, finding.source_id) == (
        case.penalty.version,
        "appeal",
        str(appeal.public_id),
    )
    acts = acts_since(start)
    assert acts[0] == "appeal.decided"
    assert {"violation.overturned", "penalty.reversed", "finding.opened", "notice.sent"} <= set(acts)
    assert acts.count("penalty.reversed") == 2
    assert Notice.objects.filter(kind__in=["penalty_reversed", "appeal_decided"]).count() == 2


def test_an_overturn_settles_open_appeals_against_what_fell_with_it(case: Case) -> None:
    sibling = case.appeal(penalty_id=case.training.pk)
    appeal = case.appeal()

    _decide(case, appeal, "overturned")

    sibling.refresh_from_db()
    assert (sibling.status, sibling.outcome) == ("withdrawn", "")
    withdrawn = Event.objects.get(act="appeal.withdrawn")
    assert withdrawn.after["because_of"] == str(appeal.public_id)


def test_reduced_shortens_and_lightens(case: Case) -> None:
    appeal, start = case.appeal(), last_event()

    decision = _decide(case, appeal, "reduced", reduction={"days": 3, "points": 4})

    case.penalty.refresh_from_db()
    assert case.penalty.ends_at == case.penalty.starts_at + dt.timedelta(days=3)
    assert Standing.objects.get(guild=case.guild).score == 96
    assert decision.reduction == {"days": 3, "points": 4}
    assert {"appeal.decided", "penalty.reduced", "notice.sent"} <= set(acts_since(start))
    assert not Finding.objects.exists()


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"outcome": "maybe"}, InvalidInput),
        ({"outcome": ""}, InvalidInput),
        ({"answer": ""}, InvalidInput),
        ({"answer": "No."}, InvalidInput),
        ({"answer": " " * 30}, InvalidInput),
        ({"outcome": "reduced"}, InvalidInput),
        ({"outcome": "reduced", "reduction": {"days": 7}}, InvalidInput),
        ({"outcome": "reduced", "reduction": {"points": 10}}, InvalidInput),
        ({"outcome": "upheld", "reduction": {"days": 1}}, InvalidInput),
    ],
)
def test_a_decision_without_its_parts_is_none(
    case: Case, fields: dict[str, Any], error: type[Exception]
) -> None:
    appeal = case.appeal()

    with nothing_changes(), pytest.raises(error):
        _decide(case, appeal, **fields)


def test_who_took_part_or_has_no_business_there_does_not_decide(case: Case) -> None:
    appeal = case.appeal()
    for actor, code in (
        (Actor.staff(case.rita), "took_part"),
        (Actor.staff(case.alma), "market_out_of_scope"),
        (Actor.staff(factories.staff("enforcer", "admin", "reviewer")), "role_required"),
        (Actor.system("automation"), "role_required"),
        (case.owner, "role_required"),
    ):
        with nothing_changes(), pytest.raises(NotAllowed) as refused:
            _decide(case, appeal, "overturned", actor=actor)
        assert refused.value.code == code


def test_not_even_a_superuser_decides_a_case_they_took_part_in(case: Case) -> None:
    case.rita.is_superuser = True
    case.rita.save()
    appeal = case.appeal()

    with nothing_changes(), pytest.raises(NotAllowed) as refused:
        _decide(case, appeal, actor=Actor.staff(case.rita))

    assert refused.value.code == "took_part"


def test_a_case_of_somebody_else_is_taken_over_first(case: Case) -> None:
    appeal = case.appeal()
    appeal_assign(actor=case.adjudicator, appeal_id=appeal.pk, user_id=case.abel.pk)

    with nothing_changes(), pytest.raises(NotAllowed) as refused:
        _decide(case, appeal)
    assert refused.value.code == "assigned_to_another"

    appeal_assign(actor=case.adjudicator, appeal_id=appeal.pk, user_id=case.ada.pk)
    assert _decide(case, appeal).adjudicator == case.ada


@pytest.mark.parametrize("settled", ["decided", "withdrawn"])
def test_a_settled_appeal_is_not_decided_again(case: Case, settled: str) -> None:
    appeal = case.appeal()
    if settled == "decided":
        _decide(case, appeal)
    else:
        appeal_withdraw(actor=case.owner, appeal_id=appeal.pk)

    with nothing_changes(), pytest.raises(InvalidTransition):
        _decide(case, appeal, "overturned")
    with nothing_changes(), pytest.raises(InvalidTransition):
        appeal_withdraw(actor=case.owner, appeal_id=appeal.pk)
    with nothing_changes(), pytest.raises(InvalidTransition):
        appeal_assign(actor=case.adjudicator, appeal_id=appeal.pk, user_id=case.abel.pk)


def test_once_decided_the_door_is_closed(case: Case) -> None:
    _decide(case, case.appeal())

    with nothing_changes(), pytest.raises(Conflict) as refused:
        case.appeal()

    assert refused.value.code == "already_decided"


def test_a_failing_reversal_leaves_the_appeal_open(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    appeal = case.appeal()

    def broken(**kwargs: object) -> None:
        raise Conflict("somebody was faster")

    monkeypatch.setattr("appeals.services.penalty_overturn", broken)
    with nothing_changes(), pytest.raises(Conflict):
        _decide(case, appeal, "overturned")


def test_what_was_said_and_decided_cannot_be_rewritten(case: Case) -> None:
    appeal = case.appeal()
    appeal_message(actor=case.owner, appeal_id=appeal.pk, body="Number 1123.")
    decision = _decide(case, appeal)

    for rows in (Message.objects.all(), Decision.objects.filter(pk=decision.pk)):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.delete()
    with pytest.raises(DatabaseError), transaction.atomic():
        Decision.objects.update(answer="Never mind.")


# --- seeing -----------------------------------------------------------------------------------------------------------
def test_everybody_sees_their_own(case: Case) -> None:
    appeal = case.appeal()
    seen_by = {
        "owner": case.owner,
        "viewer": Actor.guild_user(case.vera),
        "other guild": Actor.guild_user(case.otto),
        "adjudicator": case.adjudicator,
        "other market": Actor.staff(case.alma),
        "client of the guild": Actor.client(
            factories.client("appeals:read", guild=case.guild), scopes=["appeals:read"]
        ),
        "client of the other": Actor.client(
            factories.client("appeals:read", guild=case.other_guild), scopes=["appeals:read"]
        ),
    }

    seeing = {name for name, actor in seen_by.items() if appeal in appeals_visible_to(actor)}

    assert seeing == {"owner", "viewer", "adjudicator", "client of the guild"}


def test_transitions_end_at_settled() -> None:
    assert {old: set(new) for old, new in TRANSITIONS.items()} == {
        "open": {"decided", "withdrawn"},
        "decided": set(),
        "withdrawn": set(),
    }
    with pytest.raises(InvalidTransition):
        check("decided", "open")


def test_filing_for_nobody_finds_nothing(case: Case) -> None:
    with nothing_changes(), pytest.raises(NotFound):
        appeal_file(actor=case.owner, penalty_id=0, grounds="other", statement=STATEMENT)
    for act in (
        lambda: appeal_withdraw(actor=case.owner, appeal_id=0),
        lambda: appeal_assign(actor=case.adjudicator, appeal_id=0, user_id=None),
        lambda: appeal_decide(actor=case.adjudicator, appeal_id=0, outcome="upheld", answer=ANSWER),
    ):
        with nothing_changes(), pytest.raises(NotFound):
            act()


def test_urgent_cases_are_due_sooner(case: Case) -> None:
    version = factories.version(severity="S1", ladder={**factories.LADDER, "steps": [[{"kind": "warning"}]]})
    violation = factories.violation(case.guild, version, status="confirmed")
    from governance.penalties.services import sanctions_decide_due

    sanctions_decide_due(limit=10)
    penalty = Penalty.objects.get(violation=violation)

    appeal = case.appeal(penalty_id=penalty.pk)

    assert appeal.decide_by - appeal.filed_at == dt.timedelta(days=7)
    assert appeal.filed_at <= timezone.now()
