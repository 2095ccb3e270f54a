"""POST signals as detectors use it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from governance.models import QuarantinedSignal, Signal
from guilds.accounts.enums import Scope
from guilds.models import Guild
from tests import factories
from tests.api.caller import Caller, problem

pytestmark = pytest.mark.django_db

CLOUDEVENT = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


def event(event_id: str = "1", **attributes: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/detectors/gifts",
        "type": "gift.cycling",
        "time": "2026-03-01T12:00:00Z",
        "guild": "aurora",
        "data": {"share": 0.4},
        **attributes,
    }


@pytest.fixture
def sender(db: None) -> Caller:
    factories.guild("aurora", market=factories.market("FR"))
    return Caller.with_scopes(Scope.SIGNALS_WRITE)


@pytest.mark.parametrize(
    ("media_type", "body", "accepted"),
    [
        ("application/json", event(), 1),
        ("application/json", [event("1"), event("2")], 2),
        ("application/json; charset=utf-8", event(), 1),
        ("Application/JSON", event(), 1),
        (CLOUDEVENT, event(), 1),
        (BATCH, [event("1"), event("2")], 2),
        (BATCH, [], 0),
    ],
)
def test_one_event_or_many_in_each_media_type(
    sender: Caller, media_type: str, body: Any, accepted: int
) -> None:
    answer = sender.post("signals", body, media_type=media_type)

    assert (answer.status_code, answer.json()) == (
        202,
        {"accepted": accepted, "duplicates": 0, "quarantined": 0, "rejected": []},
    )
    assert Signal.objects.count() == accepted


def test_a_bad_event_spoils_no_other_and_is_named(sender: Caller) -> None:
    answer = sender.post(
        "signals", [event("1"), event("2", time="noon"), event("1"), event("4", guild="nova")]
    )

    body = answer.json()
    assert answer.status_code == 202
    assert (body["accepted"], body["duplicates"], body["quarantined"]) == (1, 1, 1)
    [rejected] = body["rejected"]
    assert (rejected["index"], rejected["id"]) == (1, "2")
    assert [fault["field"] for fault in rejected["errors"]] == ["time"]


def test_nothing_but_bad_events_is_still_202(sender: Caller) -> None:
    answer = sender.post("signals", [1, None, "x", {}, []])

    assert answer.status_code == 202
    assert [rejected["index"] for rejected in answer.json()["rejected"]] == [0, 1, 2, 3, 4]


def test_sending_again_is_free(sender: Caller) -> None:
    batch = [event(str(number)) for number in range(5)]

    assert sender.post("signals", batch).json()["accepted"] == 5
    assert sender.post("signals", batch).json()["duplicates"] == 5
    assert Signal.objects.count() == 5


def test_unknown_guilds_are_met_or_wait(sender: Caller) -> None:
    answer = sender.post("signals", [event("1", guild="nova", market="FR"), event("2", guild="vega")]).json()

    assert (answer["accepted"], answer["quarantined"]) == (1, 1)
    assert Guild.objects.get(external_id="nova").provisional
    assert QuarantinedSignal.objects.get().guild_ref == "vega"


@pytest.mark.parametrize(
    ("media_type", "body", "status", "code"),
    [
        ("application/json", b"", 400, "malformed_request"),
        ("application/json", b"{", 400, "malformed_json"),
        ("application/json", b"NaN", 400, "malformed_json"),
        ("application/json", b'{"id": "\xff"}', 400, "malformed_json"),
        ("application/json", b'{"id": "\\ud800"}', 400, "malformed_json"),
        ("application/json", b"[" * 100_000, 400, "malformed_json"),
        ("application/json", b"1" + b"0" * 400, 400, "malformed_json"),
        ("application/json", b"17", 400, "malformed_request"),
        (CLOUDEVENT, b"[]", 400, "malformed_request"),
        (BATCH, b"{}", 400, "malformed_request"),
        ("text/plain", b"{}", 415, "unsupported_media_type"),
        ("application/x-www-form-urlencoded", b"id=1", 415, "unsupported_media_type"),
        ("multipart/form-data; boundary=x", b"--x--", 415, "unsupported_media_type"),
        ("", b"{}", 415, "unsupported_media_type"),
        ("application/json", b"[" + b"1," * 5000 + b"1]", 413, "too_large"),
        ("application/json", b" " * (10 * 1024 * 1024) + b"[]", 413, "too_large"),
        ("application/json", b" " * (12 * 1024 * 1024), 413, "too_large"),
    ],
)
def test_bodies_that_cannot_be_read_are_problems(
    sender: Caller, media_type: str, body: bytes, status: int, code: str
) -> None:
    problem(sender.post("signals", body, media_type=media_type), status, code)
    assert not Signal.objects.exists()


def test_the_largest_batch_is_taken(sender: Caller) -> None:
    body = json.dumps([event(str(number)) for number in range(5000)]).encode()
    body += b" " * (10 * 1024 * 1024 - len(body))

    assert sender.post("signals", body).json()["accepted"] == 5000


def test_a_bound_client_sends_for_its_guild_and_markets_only(sender: Caller) -> None:
    aurora = Guild.objects.get()
    factories.guild("borealis", market=factories.market("DE"))
    bound_to_guild = Caller.with_scopes(Scope.SIGNALS_WRITE, guild=aurora)
    bound_to_market = Caller.with_scopes(Scope.SIGNALS_WRITE, markets=[aurora.market])

    for number, caller in enumerate((bound_to_guild, bound_to_market)):
        body = caller.post("signals", [event(f"a{number}"), event(f"b{number}", guild="borealis")]).json()
        assert (body["accepted"], [rejected["index"] for rejected in body["rejected"]]) == (1, [1])


@pytest.mark.parametrize(
    "attributes",
    [
        {"id": "a\0b"},
        {"source": "x" * 301},
        {"guild": "\0"},
        {"data": {"text": "\0"}},
        {"data": {"a\0": 1}},
        {"time": "9999-12-31T23:59:59-23:59"},
        {"time": "0000-01-01T00:00:00Z"},
        {"market": {"code": "FR"}},
    ],
)
def test_hostile_events_are_refused_one_by_one(sender: Caller, attributes: dict[str, Any]) -> None:
    answer = sender.post("signals", [event("good"), event("bad") | attributes])

    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
