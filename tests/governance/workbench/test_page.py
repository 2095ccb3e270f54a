"""The workbench's page and what it asks for: who gets what, every form of one wording, and hostile input answered in words."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from governance.engine import MeasureSpec
from governance.models import Approval, Detection, Draft, Example, RuleVersion
from governance.workbench.endpoints import ENDPOINTS
from governance.workbench.page import page_url
from governance.workbench.services import approve
from governance.workbench.words import WORDS
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.page import admin_url, list_url
from guilds.models import User
from tests import factories
from tests.governance.workbench import writing

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def ask(person: User, version: RuleVersion, name: str, sent: Any, status: int = 200) -> dict[str, Any]:
    url = page_url(version).replace("/change/", f"/{name}/")
    body = sent if isinstance(sent, bytes) else json.dumps(sent)
    answer = signed_in(person).post(url, body, content_type="application/json")
    assert answer.status_code == status, answer.content[:500]
    told: dict[str, Any] = answer.json() if answer.content and status != 404 else {}
    return told


def group(*items: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "group", "join": "all", "items": list(items)}


def a_test(field: str, op: str, value: Any, kind: str | None = None) -> dict[str, Any]:
    return {"kind": "test", "field": field, "as": "", "op": op, "type": kind, "value": value}


@pytest.fixture
def alice(db: None) -> User:
    factories.market("HERE")
    return writing.analyst()


@pytest.fixture
def draft(alice: User) -> RuleVersion:
    return writing.save(alice, writing.empty(alice))


# --- one wording in every form ----------------------------------------------------------------------------------------
def test_a_tree_becomes_text_and_text_becomes_a_tree(alice: User, draft: RuleVersion) -> None:
    tree = group(a_test("signal.score", "lt", "5", "number"), a_test("guild.tier", "eq", "gold", "text"))
    told = ask(alice, draft, "check", {"spec": draft.spec, "trees": {"when": tree}})
    assert told["spec"]["when"] == 'signal.score < 5 && guild.tier == "gold"'
    assert 'when: signal.score < 5 && guild.tier == "gold"' in told["yaml"]
    assert told["problems"] == []
    again = ask(alice, draft, "check", {"spec": told["spec"]})
    assert again["trees"]["when"]["items"] == [
        a_test("signal.score", "lt", 5, "whole"),
        a_test("guild.tier", "eq", "gold", "text"),
    ]
    assert ask(alice, draft, "check", {"yaml": told["yaml"]})["spec"] == told["spec"]
    assert RuleVersion.objects.get().spec["when"] == "signal.score < 10"


def test_measures_have_conditions_of_their_own(alice: User, draft: RuleVersion) -> None:
    row = {"name": "low_7d", "window": "7d", "per": "guild", "aggregate": "count", "types": [], "where": ""}
    spec = {**draft.spec, "measures": [row], "when": "low_7d > 2"}
    tree = group(a_test("signal.score", "lt", 5, "whole"))
    told = ask(alice, draft, "check", {"spec": spec, "trees": {"measures[0].where": tree}})
    assert told["spec"]["measures"][0]["where"] == "signal.score < 5"
    assert set(told["trees"]) == {"when", "measures[0].where"}


def test_a_problem_says_where_it_is_and_how_to_cure_it(alice: User, draft: RuleVersion) -> None:
    told = ask(alice, draft, "check", {"spec": {**draft.spec, "when": "true &&\n sgnal.score < 10"}})
    (problem,) = told["problems"]
    assert problem["where"] == "when"
    assert "'sgnal'" in problem["message"]
    assert problem["cure"] == "did you mean signal?"
    assert (problem["position"], problem["line"]) == (9, 2)
    assert told["trees"]["when"]["items"][1]["kind"] == "expression"
    told = ask(alice, draft, "check", {"spec": {**draft.spec, "when": "signal.score <"}})
    assert told["problems"][0]["position"] is not None
    assert "when" not in told["trees"]


def test_an_unfinished_row_is_pointed_at_and_the_text_stays(alice: User, draft: RuleVersion) -> None:
    tree = group(a_test("signal.score", "lt", 5, "whole"), a_test("", "eq", ""))
    told = ask(alice, draft, "check", {"spec": draft.spec, "trees": {"when": tree}})
    (problem,) = told["problems"]
    assert (problem["where"], problem["place"], problem["message"]) == (
        "when",
        "items[1].field",
        "choose a field",
    )
    assert told["spec"]["when"] == "signal.score < 10"


def test_hints_name_fields_no_signal_has_and_values_of_another_type(alice: User, draft: RuleVersion) -> None:
    factories.signal(factories.guild(), type="gift.score", data={"score": 3, "level": "low"})
    cache.clear()
    told = ask(
        alice, draft, "check", {"spec": {**draft.spec, "when": "signal.scoer < 3 && signal.level == 4"}}
    )
    assert told["problems"] == []
    assert [(hint["where"], hint["message"], hint["cure"]) for hint in told["hints"]] == [
        ("when", "No stored signal of these types has signal.scoer.", "Did you mean signal.score?"),
        ("when", "signal.level holds text; it is compared with another type.", ""),
    ]
    assert told["hints"][0]["position"] == 0
    told = ask(alice, draft, "check", {"spec": {**draft.spec, "review": "auto", "on": ["never.seen"]}})
    assert [hint["where"] for hint in told["hints"]] == ["on", "cap"]


def test_an_empty_condition_is_one_problem_whatever_is_stored(alice: User, draft: RuleVersion) -> None:
    factories.signal(factories.guild(), type="gift.score", data={"score": 3})
    cache.clear()
    told = ask(alice, draft, "check", {"spec": {**draft.spec, "when": " "}})
    assert [problem["where"] for problem in told["problems"]] == ["when"]
    assert told["trees"]["when"] == group()


def test_faulty_text_is_told_by_line(alice: User, draft: RuleVersion) -> None:
    told = ask(alice, draft, "check", {"yaml": "code: GFT-LOW\nrisk: [\n"})
    assert {problem["where"] for problem in told["problems"]} == {"yaml"}
    assert told["problems"][0]["line"]
    other = ask(
        alice, draft, "check", {"yaml": ask(alice, draft, "check", {})["yaml"].replace("GFT-LOW", "X")}
    )
    assert "does not change" in other["problems"][0]["message"]


def test_differences_are_told_against_the_version_in_force(alice: User) -> None:
    rule = factories.rule("OLD")
    live = factories.version(rule, when="signal.bad == true", cooldown="1d")
    made = signed_in(alice).post(reverse("admin:governance_draft_next_version", args=[live.pk]))
    copy = RuleVersion.objects.get(number=2)
    assert made.headers["Location"] == page_url(copy)
    told = ask(alice, copy, "check", {"spec": {**copy.spec, "cooldown": "7d"}})
    assert told["against"] == "OLD v1"
    assert any("7" in change for change in told["changes"])
    assert ask(alice, copy, "check", {"spec": copy.spec})["changes"] == []


# --- saving -----------------------------------------------------------------------------------------------------------
def test_saving_answers_with_what_approval_still_asks_for(alice: User, draft: RuleVersion) -> None:
    sent = {"spec": {**draft.spec, "cap": "20"}, "written_at": draft.written_at.isoformat()}
    told = ask(alice, draft, "save", sent)
    stored = RuleVersion.objects.get()
    assert stored.cap == 20
    assert dt.datetime.fromisoformat(told["written_at"]) == stored.written_at
    assert {found["key"] for found in told["requirements"] if not found["met"]} == {"kinds", "examples"}
    # The same form again, from a tab opened earlier.
    late = ask(alice, draft, "save", {**sent, "spec": {**draft.spec, "cap": 3}}, status=409)
    assert late["code"] == "edited_meanwhile"
    assert RuleVersion.objects.get().cap == 20


def test_a_faulty_rule_is_saved_and_a_value_no_field_takes_is_not(alice: User, draft: RuleVersion) -> None:
    told = ask(alice, draft, "save", {"spec": {**draft.spec, "when": "signal.score <"}})
    assert told["problems"]
    assert RuleVersion.objects.get().spec["when"] == "signal.score <"
    refused = ask(alice, draft, "save", {"spec": {**draft.spec, "cooldown": "soon"}}, status=422)
    assert refused["errors"][0]["field"] == "cooldown"
    refused = ask(alice, draft, "save", {"spec": {**draft.spec, "markets": ["NOWHERE"]}}, status=422)
    assert refused["errors"][0]["field"] == "markets"
    assert RuleVersion.objects.get().spec["when"] == "signal.score <"


def test_without_javascript_the_rule_is_saved_as_text(alice: User, draft: RuleVersion) -> None:
    client = signed_in(alice)
    page = client.get(page_url(draft)).content.decode()
    assert "<noscript>" in page
    text = ask(alice, draft, "check", {})["yaml"].replace("signal.score < 10", "signal.score < 4")
    sent = {"yaml": text, "written_at": draft.written_at.isoformat()}
    assert client.post(page_url(draft), sent).headers["Location"] == page_url(draft)
    assert RuleVersion.objects.get().spec["when"] == "signal.score < 4"
    late = client.post(page_url(draft), {**sent, "yaml": text.replace("< 4", "< 3")})
    assert late.status_code == 422
    assert "after you opened it" in late.content.decode()
    assert client.post(page_url(draft), {**sent, "written_at": "then"}).status_code == 422
    faulty = client.post(page_url(draft), {"yaml": "code: ["})
    assert faulty.status_code == 422
    assert "code: [" in faulty.content.decode()
    assert RuleVersion.objects.get().spec["when"] == "signal.score < 4"


# --- trying and examples ------------------------------------------------------------------------------------------------
def test_one_signal_is_tried_with_the_wording_as_sent_and_nothing_is_kept(
    alice: User, draft: RuleVersion
) -> None:
    recorded = writing.recorded()
    spec = {**draft.spec, "when": "signal.score < 50"}
    told = ask(alice, draft, "try", {"spec": spec, "pasted": '{"score": 30}'})
    assert told["state"] == "true"
    assert "signal.score &lt; 50" in told["html"]
    assert ask(alice, draft, "try", {"spec": spec, "pasted": "{}"})["state"] == "unknown"
    assert (
        ask(alice, draft, "try", {"spec": spec, "pasted": '{"type": "x", "data": {}}'})["state"] == "unheard"
    )
    stored = factories.signal(factories.guild(), type="gift.score", data={"score": 80})
    assert ask(alice, draft, "try", {"spec": spec, "signal": str(stored.pk)})["state"] == "false"
    refused = ask(alice, draft, "try", {"spec": {**spec, "when": "("}, "pasted": "{}"}, status=422)
    assert "Put the rule right first" in refused["message"]
    assert (Example.objects.count(), writing.recorded()) == (0, recorded)


def test_what_a_signal_holds_is_shown_as_text(alice: User, draft: RuleVersion) -> None:
    spec = {**draft.spec, "when": 'signal.note == "x"'}
    told = ask(alice, draft, "try", {"spec": spec, "pasted": '{"note": "<img src=x onerror=alert(1)>"}'})
    assert "<img" not in told["html"]
    assert "&lt;img" in told["html"]


def test_measures_are_tried_with_other_values(alice: User, draft: RuleVersion) -> None:
    row: dict[str, Any] = {"name": "low_7d", "window": "7d", "aggregate": "count", "types": [], "where": None}
    spec = {**draft.spec, "measures": [row], "when": "low_7d >= 3"}
    told = ask(alice, draft, "try", {"spec": spec, "pasted": '{"score": 1}'})
    assert (told["state"], told["measures"]["low_7d"]) in {("false", 0), ("false", 1)}
    told = ask(alice, draft, "try", {"spec": spec, "pasted": '{"score": 1}', "measures": {"low_7d": 9}})
    assert (told["state"], told["measures"]) == ("true", {"low_7d": 9})


def test_examples_are_kept_turned_and_taken_out(alice: User, draft: RuleVersion) -> None:
    sent = {"act": "add", "name": "Low", "must_match": True, "pasted": '{"score": 3}'}
    (example,) = ask(alice, draft, "examples", sent)["examples"]
    assert (example["name"], example["result"]) == ("Low", "passed")
    turned = {"act": "change", "example": str(example["id"]), "must_match": False}
    assert ask(alice, draft, "examples", turned)["examples"][0]["result"] == "failed"
    assert ask(alice, draft, "examples", {"act": "remove", "example": example["id"]})["examples"] == []
    other = writing.save(alice, writing.empty(alice, "GFT-2"))
    kept = ask(alice, other, "examples", sent)["examples"][0]
    refused = signed_in(alice).post(
        page_url(draft).replace("/change/", "/examples/"),
        json.dumps({"act": "remove", "example": kept["id"]}),
        content_type="application/json",
    )
    assert refused.status_code == 404
    assert Example.objects.count() == 1


def test_the_last_signals_tell_what_it_would_match_and_who_else_does(alice: User, draft: RuleVersion) -> None:
    guild = factories.guild()
    signals = [factories.signal(guild, type="gift.score", data={"score": n}) for n in (1, 2, 3, 40)]
    other = factories.version(factories.rule("OTHER"), on=["gift.score"])
    for signal in signals[:2]:
        Detection.objects.create(
            version=other,
            signal_key_id=signal.pk,
            mode="live",
            outcome="opened",
            guild=guild,
            market=guild.market,
            occurred_at=signal.time,
            detected_at=signal.time,
        )
    told = ask(alice, draft, "recent", {"spec": draft.spec})
    assert (told["looked_at"], told["matched"], told["faults"]) == (4, 3, 0)
    assert told["overlap"] == [{"rule": "OTHER", "both": 2, "share": 2 / 3}]
    assert len(told["samples"]) == 3
    picked = ask(alice, draft, "signals", {"spec": draft.spec})["signals"]
    assert picked[0] == {
        "id": str(signals[3].pk),
        "type": "gift.score",
        "time": f"{signals[3].time:%d %b %Y %H:%M}",
        "guild": str(guild),
        "market": guild.market.code,
        "summary": "score 40",
    }


# --- who gets what ------------------------------------------------------------------------------------------------------
def test_signals_of_other_markets_are_neither_shown_nor_learned_from(alice: User) -> None:
    here, there = factories.market("MINE"), factories.market("THEIRS")
    bob = writing.analyst(markets=[here])
    version = writing.save(bob, writing.empty(bob, "LOCAL"), markets=("MINE",))
    theirs = factories.signal(factories.guild(market=there), type="gift.score", data={"secret_level": "x"})
    assert ask(bob, version, "fields", {"types": ["gift.score"]})["fields"] == []
    assert ask(bob, version, "signals", {"spec": version.spec})["signals"] == []
    assert ask(bob, version, "recent", {"spec": {**version.spec, "markets": ["*"]}})["looked_at"] == 0
    ask(bob, version, "try", {"spec": version.spec, "signal": str(theirs.pk)}, status=404)
    page = signed_in(bob).get(page_url(version)).content.decode()
    assert "secret_level" not in page
    assert "THEIRS" not in page


@pytest.mark.parametrize("role", sorted(set(Role.values) - {Role.ANALYST}))
def test_others_read_and_try_but_write_nothing(draft: RuleVersion, role: str) -> None:
    person, recorded = factories.staff(role), writing.recorded()
    page = signed_in(person).get(page_url(draft))
    assert page.status_code == 200
    assert page.context["start"]["editable"] is False
    assert ask(person, draft, "try", {"spec": draft.spec, "pasted": '{"score": 1}'})["state"] == "true"
    ask(person, draft, "save", {"spec": {**draft.spec, "when": "true"}}, status=403)
    ask(
        person,
        draft,
        "examples",
        {"act": "add", "name": "x", "must_match": True, "pasted": "{}"},
        status=403,
    )
    assert RuleVersion.objects.get().spec["when"] == "signal.score < 10"
    assert (Example.objects.count(), writing.recorded()) == (0, recorded)


def test_strangers_people_of_guilds_and_staff_without_a_role_get_nothing(draft: RuleVersion) -> None:
    for name in ENDPOINTS:
        url = page_url(draft).replace("/change/", f"/{name}/")
        for person, expected in (
            (None, 302),
            (factories.seat(factories.guild()).user, 302),
            (factories.staff(), 403),
        ):
            client = Client() if person is None else signed_in(person)
            answer = client.post(url, "{}", content_type="application/json")
            assert answer.status_code == expected, (name, person)


def test_every_question_needs_the_pages_token_and_a_post(alice: User, draft: RuleVersion) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    for name in ENDPOINTS:
        url = page_url(draft).replace("/change/", f"/{name}/")
        assert client.post(url, "{}", content_type="application/json").status_code == 403
        assert client.get(url).status_code == 405


def test_a_frozen_version_is_shown_and_not_written(alice: User) -> None:
    version = writing.ready(alice)
    ask_url = reverse("admin:governance_draft_ask", args=[version.pk])
    assert signed_in(alice).post(ask_url, {"note": "Please."}).status_code == 302
    page = signed_in(alice).get(page_url(version))
    assert page.context["start"]["editable"] is False
    assert "frozen since approval was asked for" in page.content.decode()
    ask(alice, version, "save", {"spec": {**version.spec, "when": "true"}}, status=409)
    live = factories.version()
    assert signed_in(alice).get(page_url(live)).context["start"]["editable"] is False


HOSTILE: list[Any] = [
    b"",
    b"[]",
    b"nonsense",
    b"\xff\xfe",
    b'{"spec": NaN}',
    {"spec": 3, "trees": 4},
    {
        "spec": {
            "when": 3,
            "on": "x",
            "measures": "y",
            "markets": {},
            "text": [],
            "cap": "many",
            "share": "nan",
        }
    },
    {
        "spec": {
            "measures": [3, None, {"name": [], "window": 7, "where": {}, "types": "a", "aggregate": None}]
        }
    },
    {"spec": {"when": "(" * 10_000}},
    {"spec": {"when": "a" * 300_000}},
    {"spec": {"when": "signal.x == '\\ud800'", "name": "\ud800", "on": ["\0"]}},
    {"spec": {"cooldown": "99999999999999d", "expires": "9999-99-99", "effective_from": "0001-01-01"}},
    {"spec": {"measures": [{"name": "m", "window": "9999999d"}] * 250}},
    {"spec": {"violation": "S1", "severity": {}, "review": [], "charge": 7, "second_person": [1]}},
    {"trees": {"when": {"kind": "group", "join": "all", "items": [{"kind": "nope"}] * 50}}},
    {"trees": {"when": [], "measures[9].where": {}, "__proto__": {}}},
    {"trees": {"when": {"kind": "test", "field": "signal.x) || true || (", "op": "eq", "value": "1"}}},
    {"yaml": "a: &a [*a]"},
    {"yaml": "x: " + "[" * 5_000},
    {"yaml": "\0"},
    {"yaml": 7},
    {"pasted": "[" * 50_000},
    {"pasted": {"a": 1}},
    {"signal": "1; drop table"},
    {"signal": [1]},
    {"signal": "9" * 40},
    {"measures": {"x": []}, "pasted": "{}"},
    {"types": [{}, 3, "\0", "x" * 5_000]},
    {"type": {"a": 1}},
    {"type": "\0"},
    {"spec": {"on": ["\0"], "markets": ["\0"], "name": "\0", "text": {"\0": "\0"}, "second_person": ["\0"]}},
    {"spec": {"measures": [{"name": "a", "types": ["\0"], "window": "1d"}]}},
    {"yaml": 'code: GFT-LOW\nname: "\\0"\non: ["\\0"]\nmarkets: ["\\0"]'},
    {"pasted": '{"type": "x", "guild": "a", "creator": "b", "market": "c", "data": {}}'},
    {"act": "explode"},
    {"act": "add", "name": 3, "must_match": "yes", "pasted": "{}"},
    {"act": "change", "example": "none"},
    {"written_at": "yesterday"},
    {"written_at": 12},
]


@pytest.mark.parametrize("sent", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_is_sent_is_answered_in_words(alice: User, draft: RuleVersion, sent: Any) -> None:
    client = signed_in(alice)
    body = sent if isinstance(sent, bytes) else json.dumps(sent)
    for name in ENDPOINTS:
        url = page_url(draft).replace("/change/", f"/{name}/")
        answer = client.post(url, body, content_type="application/json")
        assert answer.status_code in {200, 404, 409, 422}, (name, answer.content[:300])
        if answer.status_code != 200:
            assert answer.json()["message"], name


@pytest.mark.parametrize(
    "when",
    [
        "(" * 1_999,
        "!" * 1_999 + "true",
        "signal.x.matches('" + "(a+)+" * 300 + "')",
        " && ".join(["signal.a.matches('(a|b)*c')"] * 70),
        "[" * 900 + "]" * 900,
        "signal.x == " + "9" * 1_900,
        "signal.l.all(a, signal.l.all(b, signal.l.all(c, a == b)))",
        "signal.x" + ".y" * 900,
        "x" * 20_000,
    ],
    ids=range(9),
)
def test_a_hostile_condition_is_answered_at_once(alice: User, draft: RuleVersion, when: str) -> None:
    ask(alice, draft, "check", {"spec": draft.spec})
    began = time.process_time()
    told = ask(alice, draft, "check", {"spec": {**draft.spec, "when": when}})
    assert time.process_time() - began < 1
    assert told["problems"][0]["message"]
    assert ask(alice, draft, "save", {"spec": {**draft.spec, "when": when}})["problems"]
    assert {found["key"] for found in ask(alice, draft, "save", {})["requirements"] if not found["met"]} >= {
        "problems"
    }


def test_more_than_a_rule_needs_is_not_read(alice: User, draft: RuleVersion) -> None:
    told = ask(alice, draft, "check", {"spec": {"description": "x" * 600_000}}, status=422)
    assert "more than the workbench takes" in told["message"]


# --- acts and lists -----------------------------------------------------------------------------------------------------
def test_a_rule_goes_from_the_first_dialog_to_its_approval(alice: User) -> None:
    client = signed_in(alice)
    risk = writing.risk()
    made = client.post(
        reverse("admin:governance_draft_create"), {"code": "gft-new", "name": "New", "risk_code": risk.code}
    )
    version = RuleVersion.objects.get()
    assert made.headers["Location"] == page_url(version)
    writing.save(alice, version)
    unready = client.post(reverse("admin:governance_draft_ask", args=[version.pk]), {"note": ""})
    assert unready.status_code == 422
    assert "Add an example that must match" in unready.content.decode()
    writing.with_examples(alice, version)
    assert (
        client.post(reverse("admin:governance_draft_ask", args=[version.pk]), {"note": "Go."}).status_code
        == 302
    )
    approval = Approval.objects.get()
    bob = writing.approver()
    listed = signed_in(bob).get(f"{list_url(Approval)}?waiting=me")
    assert [row.pk for row in listed.context["cl"].result_list] == [approval.pk]
    assert not signed_in(alice).get(f"{list_url(Approval)}?waiting=me").context["cl"].result_list
    page = signed_in(bob).get(admin_url(approval)).content.decode()
    assert "Keep the score above ten." in page
    refused = signed_in(alice).post(
        reverse("admin:governance_draft_approve", args=[version.pk]), {"reason": "x"}
    )
    assert refused.status_code == 403
    done = signed_in(bob).post(
        reverse("admin:governance_approval_approve", args=[approval.pk]), {"reason": "Good."}
    )
    assert done.status_code == 302
    assert RuleVersion.objects.get().approver == bob
    assert "Unchanged since" in signed_in(bob).get(admin_url(approval)).content.decode()


def test_the_author_finds_a_refused_draft_with_the_reasons(alice: User) -> None:
    approval = writing.requested(alice)
    bob = writing.approver()
    url = reverse("admin:governance_draft_refuse", args=[approval.version_id])
    assert signed_in(bob).post(url, {"reason": "Ten is a guess."}).status_code == 302
    mine = signed_in(alice).get(f"{list_url(Draft)}?written=me").content.decode()
    assert "Refused: being rewritten" in mine
    assert "Ten is a guess." in signed_in(alice).get(page_url(approval.version)).content.decode()


def test_shadow_and_withdrawal_are_a_dialog_away(alice: User) -> None:
    version = writing.requested(alice).version
    client = signed_in(alice)
    withdrawn = client.post(
        reverse("admin:governance_draft_withdraw", args=[version.pk]), {"reason": "A slip."}
    )
    assert withdrawn.status_code == 302
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(days=90)).date()
    shadow = reverse("admin:governance_draft_shadow", args=[version.pk])
    late = client.post(shadow, {"until": until + dt.timedelta(days=1), "reason": "To see."})
    assert late.status_code == 422
    assert client.post(shadow, {"until": until, "reason": "To see."}).status_code == 302
    stored = RuleVersion.objects.get()
    assert stored.status == "shadow"
    assert stored.shadow_until is not None
    assert stored.shadow_until <= dt.datetime.now(dt.UTC) + dt.timedelta(days=90)


def test_comments_are_read_by_everybody_who_reads_the_rule(alice: User, draft: RuleVersion) -> None:
    url = reverse("admin:governance_draft_comment", args=[draft.pk])
    assert signed_in(writing.approver()).post(url, {"body": "Why <b>ten</b>?"}).status_code == 302
    assert "Why &lt;b&gt;ten&lt;/b&gt;?" in signed_in(alice).get(page_url(draft)).content.decode()


def test_buttons_are_offered_to_those_who_may_press_them(alice: User) -> None:
    approval = writing.requested(alice)
    bob, pages = writing.approver(), (page_url(approval.version), admin_url(approval))

    def offered(person: User) -> set[str]:
        found: set[str] = set()
        for url in pages:
            html = signed_in(person).get(url).content.decode()
            found |= set(re.findall(r"/(approve|refuse|withdraw|take-back|ask|next-version)/", html))
        return found

    assert offered(alice) == {"withdraw", "next-version"}
    assert offered(bob) == {"approve", "refuse"}
    approve(actor=Actor.staff(bob), approval_id=approval.pk, reason="Fine.")
    assert offered(alice) == {"take-back", "next-version"}
    assert offered(bob) == {"take-back"}
    url = reverse("admin:governance_approval_take_back", args=[approval.pk])
    assert signed_in(bob).post(url, {"reason": "I overlooked the cap."}).status_code == 302
    assert offered(alice) == {"ask"}
    assert offered(factories.staff(Role.AUDITOR)) == set()


def test_the_page_leads_on_to_backtests_and_launches(alice: User, draft: RuleVersion) -> None:
    page = signed_in(alice).get(page_url(draft)).content.decode()
    assert f"{reverse('admin:governance_backtest_new')}?version={draft.pk}" in page
    assert reverse("admin:governance_launch_plan") not in page
    launcher = signed_in(factories.staff(Role.LAUNCHER)).get(page_url(draft)).content.decode()
    assert f"{reverse('admin:governance_launch_plan')}?version={draft.pk}" in launcher


def test_the_last_backtest_says_who_else_caught_the_same(alice: User, draft: RuleVersion) -> None:
    overlap = [{"rule": "OTHER", "both": 2, "share": 0.5}]
    assert signed_in(alice).get(page_url(draft)).context["start"]["overlap"] is None
    tested = writing.backtest(draft, result={"overlap": overlap})
    start = signed_in(alice).get(page_url(draft)).context["start"]
    assert (start["overlap"]["url"], start["overlap"]["overlap"]) == (admin_url(tested), overlap)


def test_approved_and_changed_since_is_said_to_be_void(alice: User) -> None:
    approval = writing.requested(alice)
    approve(actor=Actor.staff(writing.approver()), approval_id=approval.pk, reason="Fine.")
    Example.objects.filter(name="Low").delete()
    assert "Changed since: void" in signed_in(alice).get(admin_url(approval)).content.decode()


def test_a_list_of_drafts_asks_no_question_per_row(alice: User, django_assert_max_num_queries: Any) -> None:
    for number in range(12):
        writing.empty(alice, f"GFT-{number}")
    client = signed_in(alice)
    client.get(list_url(Draft))
    with django_assert_max_num_queries(30):
        client.get(list_url(Draft))


def test_the_scripts_words_are_all_translatable() -> None:
    scripts = "".join(
        (settings.BASE_DIR / "config/static/console" / name).read_text()
        for name in ("workbench.js", "workbench_builder.js")
    )
    said = set(re.findall(r'\bt\("((?:[^"\\]|\\.)+)"', scripts))
    for table in ("COMPARE", "TIMES", "LABELS", "FORMS", "TYPE_LABELS"):
        block = re.search(rf"const {table} = \{{(.*?)\}};", scripts, re.DOTALL)
        assert block is not None
        said |= set(re.findall(r':\s*"((?:[^"\\]|\\.)+)"', block[1]))
    assert said == set(WORDS)


def test_measures_of_every_kind_reach_the_page(alice: User) -> None:
    measures = (MeasureSpec("a"), MeasureSpec("b", aggregate="max(data.score)", where="signal.score > 1"))
    version = writing.save(alice, writing.empty(alice), measures=measures, when="a > 1 && b > 2.0")
    start = signed_in(alice).get(page_url(version)).context["start"]
    assert [measure["name"] for measure in start["spec"]["measures"]] == ["a", "b"]
    assert set(start["trees"]) == {"when", "measures[1].where"}
