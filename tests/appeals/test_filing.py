from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from appeals.models import Appeal, Message
from appeals.services import appeal_message, appeal_withdraw
from governance.models import Event, Notice
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from tests import factories
from tests.appeals.cases import STATEMENT, Case, acts_since, last_event, nothing_changes


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
        ({"statement": "… !"}, "statement"),
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
