"""Pages, filters and their faults, and how many statements a page costs."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from config.pagination import Place
from governance.ledger.models import Event
from governance.models import Violation
from guilds.accounts.enums import Scope
from guilds.models import Guild
from tests import factories
from tests.api.caller import Caller, fields, problem
from tests.api.world import World, case

pytestmark = pytest.mark.django_db
UTC = dt.UTC


def walk(caller: Caller, address: str, direction: str = "next") -> list[list[dict[str, Any]]]:
    """Every page from here on, each as its results."""
    pages, link = [], address
    while link:
        body = caller.get(link).json()
        pages.append(body["results"])
        link = body[direction]
    return pages


def some(count: int, of: Guild | None = None) -> list[Violation]:
    of = of or factories.guild()
    version = factories.version()
    start = dt.datetime(2026, 1, 1, tzinfo=UTC)
    return [
        factories.violation(of, version, occurred_at=start + dt.timedelta(hours=hour), evidence=False)
        for hour in range(count)
    ]


# --- pages ------------------------------------------------------------------------------------------------------------
def test_a_walk_shows_every_row_once_newest_first() -> None:
    made = some(7)
    caller = Caller.with_scopes(Scope.VIOLATIONS_READ)

    pages = walk(caller, "violations?limit=3")

    assert [len(page) for page in pages] == [3, 3, 1]
    assert [row["id"] for page in pages for row in page] == [str(row.public_id) for row in reversed(made)]


def test_pages_of_exactly_the_rows_there_are_end_without_an_empty_one() -> None:
    some(4)
    caller = Caller.with_scopes(Scope.VIOLATIONS_READ)

    assert [len(page) for page in walk(caller, "violations?limit=2")] == [2, 2]


def test_walking_back_meets_the_same_pages() -> None:
    some(7)
    caller = Caller.with_scopes(Scope.VIOLATIONS_READ)
    forth, last, link = [], "", "violations?limit=3"
    while link:
        body = caller.get(link).json()
        forth.append(body["results"])
        last, link = link, body["next"]

    assert list(reversed(walk(caller, last, "previous"))) == forth
    assert caller.get("violations?limit=3").json()["previous"] is None


def test_rows_added_during_a_walk_neither_double_nor_hide_others() -> None:
    guild = factories.guild()
    made = some(6, guild)
    caller = Caller.with_scopes(Scope.VIOLATIONS_READ)

    seen, link = [], "violations?limit=2"
    while link:
        body = caller.get(link).json()
        seen += [row["id"] for row in body["results"]]
        link = body["next"]
        factories.violation(guild, evidence=False)

    assert seen == [str(row.public_id) for row in reversed(made)]


def test_links_keep_the_filters() -> None:
    guild = factories.guild("north & south")
    some(3, guild)
    some(3)
    caller = Caller.with_scopes(Scope.VIOLATIONS_READ)

    first = caller.get("violations", guild="north & south", limit=2).json()

    assert [row["guild"] for row in caller.get(first["next"]).json()["results"]] == ["north & south"]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "ten", "", "1e2", "99999999999999999999", "٣", "1 "])
def test_a_limit_that_is_none_is_400(limit: str) -> None:
    body = problem(Caller.with_scopes(Scope.VIOLATIONS_READ).get("violations", limit=limit), 400)

    assert fields(body) == ["limit"]


def packed(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "!!!",
        "\0",
        "é",
        packed("n"),
        packed("x", 1),
        packed("n", 1, 2),
        packed("n", "1"),
        packed("n", True),
        packed("n", 1.5),
        packed("n", 2**63),
        packed([], 1),
        base64.urlsafe_b64encode(b"{}").decode(),
        base64.urlsafe_b64encode(b"\xff").decode(),
        "A" * 10_000,
    ],
)
def test_a_cursor_we_have_not_made_is_400(cursor: str) -> None:
    body = problem(Caller.with_scopes(Scope.VIOLATIONS_READ).get("violations", cursor=cursor), 400)

    assert fields(body) == ["cursor"]


def test_a_cursor_comes_back_as_it_was() -> None:
    for place in (Place((5,)), Place((-(2**63), 2**63 - 1), backwards=True)):
        assert Place.decoded(place.encoded(), width=len(place.key)) == place


# --- filters ----------------------------------------------------------------------------------------------------------
def test_violations_have_the_fields_of_the_contract_and_filter_by_their_values(world: World) -> None:
    caller = Caller.with_scopes(Scope.VIOLATIONS_READ)
    row = caller.get(f"violations/{world.ours.violation.public_id}").json()

    assert list(row) == [
        *("id", "rule", "rule_version", "code", "severity", "status", "guild", "creator", "market"),
        *("occurred_at", "detected_at", "evidence", "explanation"),
    ]
    assert row["id"] == str(world.ours.violation.public_id)
    assert (row["rule"], row["rule_version"], row["creator"]) == ("aurora-rule", 1, "aurora-creator")
    assert [item.keys() for item in row["evidence"]] == [{"source", "id"}]
    assert row["evidence"][0]["source"] == "/test"
    assert row["occurred_at"].endswith("Z")
    for name in ("guild", "creator", "rule", "code", "market"):
        assert [found["id"] for found in caller.get("violations", **{name: row[name]}).json()["results"]] == [
            row["id"]
        ]
    for name in ("severity", "status"):
        assert len(caller.get("violations", **{name: row[name]}).json()["results"]) == 2


def test_penalties_have_the_fields_of_the_contract_and_filter_by_their_values(world: World) -> None:
    caller = Caller.with_scopes(Scope.PENALTIES_READ)
    row = caller.get(f"penalties/{world.ours.penalty.public_id}").json()

    assert list(row) == [
        *(
            "id",
            "guild",
            "market",
            "kind",
            "status",
            "params",
            "violation",
            "rule",
            "rule_version",
            "code",
            "severity",
        ),
        *("starts_at", "ends_at", "applied_at", "ended_at", "acknowledged_at", "notice"),
    ]
    assert list(row["notice"]) == ["issued_at", "appeal_by", "subject", "body", "language"]
    assert (row["kind"], row["status"]) == ("recruitment_freeze", "in_force")
    assert row["violation"] == str(world.ours.violation.public_id)
    for name in ("guild", "market"):
        assert [found["id"] for found in caller.get("penalties", **{name: row[name]}).json()["results"]] == [
            row["id"]
        ]
    for name in ("kind", "status"):
        assert len(caller.get("penalties", **{name: row[name]}).json()["results"]) == 2
    assert caller.get("penalties", kind="warning").json()["results"] == []


def test_penalties_active_at(world: World) -> None:
    caller = Caller.with_scopes(Scope.PENALTIES_READ)
    applied = world.ours.penalty.applied_at
    assert applied

    now = caller.get("penalties", guild="aurora", active_at=timezone.now().isoformat()).json()["results"]
    before = caller.get("penalties", active_at=(applied - dt.timedelta(days=1)).isoformat()).json()["results"]

    assert [row["id"] for row in now] == [str(world.ours.penalty.public_id)]
    assert before == []


def test_appeals_filter(world: World) -> None:
    caller = Caller.with_scopes(Scope.APPEALS_READ)
    row = caller.get("appeals", guild="aurora").json()["results"][0]

    assert (row["status"], row["outcome"], row["answer"]) == ("open", None, None)
    assert caller.get("appeals", penalty=row["penalty"]).json()["results"] == [row]
    assert len(caller.get("appeals", status="open").json()["results"]) == 2
    assert caller.get("appeals", outcome="overturned").json()["results"] == []


def test_time_filters_take_in_the_start_and_leave_out_the_end() -> None:
    some(3)  # at 00:00, 01:00 and 02:00
    caller = Caller.with_scopes(Scope.VIOLATIONS_READ)

    found = caller.get(
        "violations", occurred_after="2026-01-01T00:00:00Z", occurred_before="2026-01-01T02:00:00Z"
    )

    hours = sorted(row["occurred_at"][11:13] for row in found.json()["results"])
    assert hours == ["00", "01"]


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-01T01:00:00+00:00",
        "2026-01-01T02:00:00+01:00",
        "2026-01-01T18:30:00+17:30",
        "2026-01-01T01:00:00",
        "2026-01-01 01:00",
    ],
)
def test_times_are_read_as_iso_8601(written: str) -> None:
    some(3)
    caller = Caller.with_scopes(Scope.VIOLATIONS_READ)

    assert len(caller.get("violations", occurred_after=written).json()["results"]) == 2
    # As it arrives from a client that forgot to encode the plus.
    assert len(caller.get(f"violations?occurred_after={written.replace(' ', 'T')}").json()["results"]) == 2


@pytest.mark.parametrize(
    ("address", "query"),
    [
        ("violations", {"status": "guilty"}),
        ("violations", {"status": "OPEN"}),
        ("violations", {"severity": "S9"}),
        ("violations", {"occurred_after": "yesterday"}),
        ("violations", {"occurred_before": "2026-13-01"}),
        ("violations", {"detected_after": "\0"}),
        ("violations", {"detected_before": "0000-00-00T00:00:00Z"}),
        ("violations", {"detected_before": "0001-01-01T00:00:00+05:00"}),
        ("violations", {"guild": "a\0b"}),
        ("violations", {"stauts": "open"}),
        ("penalties", {"kind": "flogging"}),
        ("penalties", {"status": "done"}),
        ("penalties", {"active_at": "now"}),
        ("appeals", {"status": "x"}),
        ("appeals", {"outcome": "won"}),
        ("appeals", {"penalty": "17"}),
        ("events", {"after": "-1"}),
        ("events", {"after": "abc"}),
        ("events", {"after": "9" * 30}),
        ("events", {"after": "123456789"}),
        ("insights/rules/x", {"since": "soon"}),
        ("insights/rules/x", {"from": "2026-01-01"}),
    ],
)
def test_values_that_mean_nothing_are_400_and_name_the_field(address: str, query: dict[str, str]) -> None:
    body = problem(Caller.with_scopes(*Scope).get(address, **query), 400, "invalid_request")

    assert fields(body) == list(query)


def test_a_parameter_given_twice_is_400() -> None:
    answer = Caller.with_scopes(Scope.VIOLATIONS_READ).get("violations?status=open&status=confirmed")

    assert fields(problem(answer, 400)) == ["status"]


@pytest.mark.parametrize("name", ["guild", "creator", "rule", "code", "market"])
def test_names_nobody_has_give_an_empty_list(name: str) -> None:
    some(1)

    assert (
        Caller.with_scopes(Scope.VIOLATIONS_READ).get("violations", **{name: "nobody"}).json()["results"]
        == []
    )


# --- the ledger's feed ------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_the_feed_is_walked_oldest_first_and_taken_up_again_later() -> None:
    def happens(count: int) -> None:
        with transaction.atomic():
            for _ in range(count):
                factories.event()

    caller = Caller.with_scopes(Scope.EVENTS_READ)
    happens(3)
    happens(2)

    first = [row["id"] for page in walk(caller, "events?limit=2") for row in page]
    happens(2)
    later = [row["id"] for page in walk(caller, f"events?limit=2&after={first[-1]}") for row in page]

    assert first + later == list(Event.objects.order_by("transaction", "id").values_list("id", flat=True))
    assert (len(first), len(later)) == (5, 2)


@pytest.mark.django_db(transaction=True)
def test_a_guild_is_not_told_which_colleague_decided() -> None:
    guild = factories.guild()
    person = factories.staff("reviewer")
    Event.objects.create(
        at=timezone.now(),
        act="violation.confirmed",
        object_type="violation",
        object_id="1",
        actor_kind="staff",
        actor_id=str(person.pk),
        actor_label=person.email,
        guild=guild,
        market=guild.market,
        reason="A word among colleagues.",
    )

    [told] = Caller.with_scopes(Scope.EVENTS_READ, guild=guild).get("events").json()["results"]
    [known] = Caller.with_scopes(Scope.EVENTS_READ).get("events").json()["results"]

    assert (told["actor_kind"], told["actor_id"], told["actor_label"], told["reason"]) == (
        "staff",
        "",
        "",
        "",
    )
    assert (known["actor_label"], known["reason"]) == (person.email, "A word among colleagues.")


# --- cost -------------------------------------------------------------------------------------------------------------
#: Statements per page, however long: two for the caller (token, markets), two for the horizon of the feed, then the list.
STATEMENTS = {"violations": 4, "penalties": 4, "appeals": 3, "events": 5}


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("address", STATEMENTS)
def test_statements_per_page(address: str, rows: int, db: None, django_assert_num_queries: Any) -> None:
    for number in range(rows):
        case(f"guild-no-{number}")
    caller = Caller.with_scopes(*Scope)

    with django_assert_num_queries(STATEMENTS[address]):
        answer = caller.get(address)

    assert answer.status_code == 200
    if address != "events":  # not final while the transaction runs
        assert len(answer.json()["results"]) == rows
