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


# --- filing -----------------------------------------------------------------------------------------------------------
def test_filing_opens_an_appeal_with_a_deadline_a_record_and_a_notice(case: Case) -> None:
    start = last_event()

    appeal = case.appeal(statement=f"  {STATEMENT}\r\nIndeed.\n")

    assert (appeal.status, appeal.outcome, appeal.grounds) == ("open", "", "facts_wrong")
    assert appeal.statement == f"{STATEMENT}\nIndeed."
    assert (appeal.guild, appeal.market, appeal.filed_by) == (case.guild, case.guild.market, case.olga.user)
    assert appeal.decide_by == appeal.filed_at + dt.timedelta(days=15)
    assert acts_since(start) == ["appeal.filed", "notice.sent"]
    filed = Event.objects.get(act="appeal.filed")
    assert (filed.guild_id, filed.market_id, filed.actor_kind) == (
        case.guild.pk,
        case.guild.market_id,
        "guild_user",
    )
    assert filed.after["rule"] == "REC-02"
    notice = Notice.objects.get(kind="appeal_received")
    assert (notice.object_type, notice.object_id) == ("appeal", str(appeal.public_id))
    assert f"/portal/appeals/{appeal.public_id}/" in notice.body
    assert "(Europe/Berlin)" in notice.body


def test_a_client_bound_to_the_guild_can_file(case: Case) -> None:
    client = factories.client("appeals:write", guild=case.guild)

    appeal = case.appeal(actor=Actor.client(client, scopes=["appeals:write"]))

    assert (appeal.filed_by, appeal.filed_by_client) == (None, client)


@pytest.mark.parametrize(
    ("who", "error", "code"),
    [
        ("vera", NotAllowed, "viewer_reads_only"),
        ("otto", NotFound, "not_found"),
    ],
)
def test_others_cannot_file(case: Case, who: str, error: type[Exception], code: str) -> None:
    with nothing_changes(), pytest.raises(error) as refused:
        case.appeal(actor=Actor.guild_user(getattr(case, who)))

    assert refused.value.code == code  # type: ignore[attr-defined]


@pytest.mark.parametrize("actor", [Actor.system("automation"), None])
def test_neither_staff_nor_automation_can_file(case: Case, actor: Actor | None) -> None:
    with nothing_changes(), pytest.raises(NotAllowed):
        case.appeal(actor=actor or case.adjudicator)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"grounds": "because"}, "grounds"),
        ({"grounds": ""}, "grounds"),
        ({"statement": "too short"}, "statement"),
        ({"statement": " " * 50}, "statement"),
        ({"statement": "\0" * 50}, "statement"),
        ({"statement": "x" * 10_001}, "statement"),
    ],
)
def test_filing_with_bad_words_names_the_field(case: Case, fields: dict[str, Any], field: str) -> None:
    with nothing_changes(), pytest.raises(InvalidInput) as refused:
        case.appeal(**fields)

    assert [error["field"] for error in refused.value.errors] == [field]


def test_one_open_appeal_per_penalty(case: Case) -> None:
    case.appeal()

    with nothing_changes(), pytest.raises(Conflict) as refused:
        case.appeal()

    assert refused.value.code == "already_open"


def test_the_database_holds_one_open_appeal_per_penalty_too(case: Case) -> None:
    appeal = case.appeal()
    copy = {field.attname: getattr(appeal, field.attname) for field in Appeal._meta.concrete_fields}

    with pytest.raises(DatabaseError, match="one_open_appeal_per_penalty"), transaction.atomic():
        Appeal.objects.create(**{name: copy[name] for name in copy if name not in {"id", "public_id"}})


def test_each_penalty_of_a_sanction_has_an_appeal_of_its_own(case: Case) -> None:
    case.appeal()
    case.appeal(penalty_id=case.training.pk)

    assert Appeal.objects.filter(status="open").count() == 2


def test_after_the_window_nothing_is_filed(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert case.penalty.notice
    assert case.penalty.notice.appeal_by
    late = case.penalty.notice.appeal_by + dt.timedelta(seconds=1)
    monkeypatch.setattr("appeals.services.timezone.now", lambda: late)

    with nothing_changes(), pytest.raises(Conflict) as refused:
        case.appeal()

    assert refused.value.code == "window_closed"


# --- withdrawing ------------------------------------------------------------------------------------------------------
def test_withdrawing_settles_and_leaves_room_for_another(case: Case) -> None:
    appeal, start = case.appeal(), last_event()

    appeal_withdraw(actor=Actor.guild_user(case.max), appeal_id=appeal.pk, reason=" We found the recruiter. ")

    appeal.refresh_from_db()
    assert (appeal.status, appeal.outcome) == ("withdrawn", "")
    assert appeal.settled_at
    assert acts_since(start) == ["appeal.withdrawn"]
    assert Event.objects.get(act="appeal.withdrawn").reason == "We found the recruiter."
    assert case.appeal().status == "open"


@pytest.mark.parametrize(("who", "error"), [("vera", NotAllowed), ("otto", NotFound)])
def test_others_cannot_withdraw(case: Case, who: str, error: type[Exception]) -> None:
    appeal = case.appeal()

    with nothing_changes(), pytest.raises(error):
        appeal_withdraw(actor=Actor.guild_user(getattr(case, who)), appeal_id=appeal.pk)


def test_staff_cannot_withdraw_for_a_guild(case: Case) -> None:
    appeal = case.appeal()

    with nothing_changes(), pytest.raises(NotFound):
        appeal_withdraw(actor=case.adjudicator, appeal_id=appeal.pk)


# --- conversation -----------------------------------------------------------------------------------------------------
def test_guild_and_adjudicator_talk(case: Case) -> None:
    appeal, start = case.appeal(), last_event()

    appeal_message(actor=case.adjudicator, appeal_id=appeal.pk, body="Which account was it?")
    appeal_message(actor=case.owner, appeal_id=appeal.pk, body="Number 1123.")

    assert list(Message.objects.values_list("from_guild", "body")) == [
        (False, "Which account was it?"),
        (True, "Number 1123."),
    ]
    assert acts_since(start) == ["appeal.message", "appeal.message"]


@pytest.mark.parametrize("body", ["", "   ", "x" * 4_001])
def test_empty_and_endless_messages_are_refused(case: Case, body: str) -> None:
    appeal = case.appeal()

    with nothing_changes(), pytest.raises(InvalidInput):
        appeal_message(actor=case.owner, appeal_id=appeal.pk, body=body)


def test_those_who_took_part_stay_out_of_the_conversation(case: Case) -> None:
    appeal = case.appeal()

    for outsider, error in (
        (Actor.staff(case.rita), NotAllowed),
        (Actor.staff(case.alma), NotAllowed),
        (Actor.guild_user(case.vera), NotAllowed),
        (Actor.guild_user(case.otto), NotFound),
    ):
        with nothing_changes(), pytest.raises(error):
            appeal_message(actor=outsider, appeal_id=appeal.pk, body="Let me add something.")


def test_a_settled_appeal_is_closed_to_words(case: Case) -> None:
    appeal = case.appeal()
    appeal_withdraw(actor=case.owner, appeal_id=appeal.pk)

    for actor in (case.owner, case.adjudicator):
        with nothing_changes(), pytest.raises(InvalidTransition):
            appeal_message(actor=actor, appeal_id=appeal.pk, body="One more thing.")


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
