"""Feedback by systems: what they may say for whom, and what they read back."""

from __future__ import annotations

from typing import Any

import pytest

from governance.models import Event, Feedback
from governance.risks.enums import FeedbackChannel
from governance.risks.services import feedback as taking_in
from governance.risks.services import feedback_answer, feedback_merge, feedback_send
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Scope
from guilds.models import Guild
from tests import factories
from tests.api.caller import Caller, fields, problem

pytestmark = pytest.mark.django_db

BODY = "The rule on idle streams punishes short breaks."


@pytest.fixture
def guild(db: None) -> Guild:
    return factories.guild("aurora")


@pytest.fixture
def caller(guild: Guild) -> Caller:
    return Caller.with_scopes(Scope.FEEDBACK_WRITE, guild=guild)


def test_a_guilds_system_speaks_for_its_guild(caller: Caller, guild: Guild) -> None:
    answer = caller.post(
        "feedback",
        {"body": f"  {BODY} ", "topic": "rule_unfair", "about_rule": "DAT-IDLE", "language": "pt-BR"},
    )

    assert answer.status_code == 201
    body = answer.json()
    kept = Feedback.objects.get()
    assert body == {
        "id": str(kept.public_id),
        "source": "guild",
        "topic": "rule_unfair",
        "body": BODY,
        "language": "pt-BR",
        "guild": "aurora",
        "market": guild.market.code,
        "about_rule": "DAT-IDLE",
        "status": "new",
        "answer": None,
        "answered_at": None,
        "created_at": body["created_at"],
    }
    assert (kept.channel, kept.by_client, kept.by_user) == ("api", caller.client, None)
    event = Event.objects.get(act="feedback.received")
    assert (event.guild, event.market, event.actor_kind) == (guild, guild.market, "client")
    # The words are the guild's, and stay in one place.
    assert BODY not in str(event.after)


def test_a_partners_system_names_guild_or_market_or_neither(guild: Guild) -> None:
    caller = Caller.with_scopes(Scope.FEEDBACK_WRITE)
    sent = [
        caller.post("feedback", {"body": BODY, **more}).json()
        for more in (
            {"guild": "aurora", "source": "creator"},
            {"market": guild.market.code},
            {"guild": "aurora", "market": guild.market.code},
            {},
        )
    ]
    code = guild.market.code
    assert [(row["guild"], row["market"], row["source"]) for row in sent] == [
        ("aurora", code, "creator"),
        (None, code, "partner"),
        ("aurora", code, "partner"),
        (None, None, "partner"),
    ]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "body"),
        ({"body": "Too short"}, 400, "body"),
        ({"body": "x" * 4_001}, 400, "body"),
        ({"body": BODY + "\0"}, 400, "body"),
        ({"body": BODY, "topic": "gossip"}, 400, "topic"),
        ({"body": BODY, "source": "nobody"}, 400, "source"),
        ({"body": BODY, "source": "reviewer"}, 422, "source"),
        ({"body": BODY, "language": "plain English"}, 422, "language"),
        ({"body": BODY, "about_rule": "x" * 61}, 400, "about_rule"),
        ({"body": BODY, "market": "ELSE"}, 422, "market"),
        ({"body": BODY, "guild": "borealis"}, 404, "guild"),
        ({"body": BODY, "guild": "nobody"}, 404, "guild"),
        ({"body": BODY, "market": "nowhere"}, 422, "market"),
        ([BODY], 400, None),
    ],
)
def test_what_is_refused_leaves_no_trace(caller: Caller, body: Any, status: int, field: str | None) -> None:
    factories.guild("borealis", market=factories.market("ELSE"))

    refused = problem(caller.post("feedback", body), status)

    if field:
        assert fields(refused) == [field]
    assert not Feedback.objects.exists()
    assert not Event.objects.filter(act="feedback.received").exists()


def test_a_client_of_some_markets_must_name_one_of_them(guild: Guild) -> None:
    factories.guild("borealis", market=factories.market("ELSE"))
    caller = Caller.with_scopes(Scope.FEEDBACK_WRITE, markets=[guild.market])

    assert fields(problem(caller.post("feedback", {"body": BODY}), 422)) == ["market"]
    problem(caller.post("feedback", {"body": BODY, "market": "ELSE"}), 404)
    problem(caller.post("feedback", {"body": BODY, "guild": "borealis"}), 404)
    assert not Feedback.objects.exists()
    assert caller.post("feedback", {"body": BODY, "guild": "aurora"}).status_code == 201


def test_another_guild_and_none_at_all_are_not_told_apart(caller: Caller) -> None:
    factories.guild("borealis")
    bound_to_markets = Caller.with_scopes(Scope.FEEDBACK_WRITE, markets=[factories.market()])
    for sender in (caller, bound_to_markets):
        theirs, nobodys = (
            sender.post("feedback", {"body": BODY, "guild": name}).json() for name in ("borealis", "nobody")
        )
        assert theirs == nobodys


def test_the_same_request_twice_is_one_message(caller: Caller) -> None:
    first = caller.post("feedback", {"body": BODY}, Idempotency_Key="k")
    again = caller.post("feedback", {"body": BODY}, Idempotency_Key="k")

    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert Feedback.objects.count() == 1
    problem(caller.post("feedback", {"body": f"{BODY}!"}, Idempotency_Key="k"), 422, "idempotency_key_reused")
    assert Feedback.objects.count() == 1


def test_a_guilds_messages_of_a_day_are_counted(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(taking_in.DAILY, FeedbackChannel.API, 2)
    for _ in range(2):
        assert caller.post("feedback", {"body": BODY}).status_code == 201

    problem(caller.post("feedback", {"body": BODY}), 409, "too_many_messages")

    assert Feedback.objects.count() == 2
    # What its people write on the portal is counted apart.
    seat = Actor.guild_user(factories.seat(Guild.objects.get(external_id="aurora")))
    assert feedback_send(actor=seat, body=BODY).channel == "portal"


def test_a_guild_reads_what_it_told_us_and_nothing_said_about_it(caller: Caller, guild: Guild) -> None:
    other = factories.guild("borealis", market=guild.market)
    own = caller.post("feedback", {"body": BODY}).json()["id"]
    by_its_owner = feedback_send(actor=Actor.guild_user(factories.seat(guild)), body=BODY)
    staff = Actor.staff(factories.staff("analyst"))
    by_phone = feedback_send(actor=staff, body="They called about it.", guild_id=guild.pk, source="guild")
    feedback_send(actor=staff, body="A creator says they threaten.", guild_id=guild.pk, source="creator")
    feedback_send(actor=staff, body="Watch this guild closely.", guild_id=guild.pk)
    feedback_send(actor=Actor.guild_user(factories.seat(other)), body=BODY)
    Caller.with_scopes(Scope.FEEDBACK_WRITE).post("feedback", {"body": BODY, "guild": "aurora"})

    seen = [row["id"] for row in caller.get("feedback").json()["results"]]

    assert seen == [str(by_phone.public_id), str(by_its_owner.public_id), own]
    events = Event.objects.filter(act="feedback.received", guild=guild)
    assert events.count() == 3  # the others are not the guild's to follow


def test_a_client_reads_what_it_sent_itself(guild: Guild) -> None:
    ours, theirs = (Caller.with_scopes(Scope.FEEDBACK_WRITE) for _ in range(2))
    mine = ours.post("feedback", {"body": BODY, "guild": "aurora"}).json()["id"]
    theirs.post("feedback", {"body": BODY, "guild": "aurora"})

    assert [row["id"] for row in ours.get("feedback").json()["results"]] == [mine]


def test_the_answer_is_read_back_also_through_a_merge(caller: Caller) -> None:
    first = caller.post("feedback", {"body": BODY}).json()["id"]
    second = caller.post("feedback", {"body": f"{BODY} Again."}).json()["id"]
    analyst = Actor.staff(factories.staff("analyst"))
    one, two = (Feedback.objects.get(public_id=key).pk for key in (first, second))
    feedback_merge(actor=analyst, feedback_id=two, into_id=one)
    assert {row["answer"] for row in caller.get("feedback").json()["results"]} == {None}

    feedback_answer(actor=analyst, feedback_id=one, answer="Breaks of fifteen minutes do not count.")

    rows = caller.get("feedback").json()["results"]
    assert [(row["id"], row["status"], row["answer"]) for row in rows] == [
        (second, "merged", "Breaks of fifteen minutes do not count."),
        (first, "answered", "Breaks of fifteen minutes do not count."),
    ]
    assert all(row["answered_at"] for row in rows)
    assert [row["id"] for row in caller.get("feedback", status="answered").json()["results"]] == [first]
    problem(caller.get("feedback", status="unknown"), 400)
    problem(caller.get("feedback", guild="aurora"), 400)
