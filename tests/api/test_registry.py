"""PUT guilds, PUT creators and POST registry, as an integration uses them."""

from __future__ import annotations

from typing import Any

import pytest

from governance.models import Contact, Event
from guilds.accounts.enums import Scope
from guilds.models import Activity, Creator, Guild, Membership
from tests import factories
from tests.api.caller import Caller, fields, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def writer(db: None) -> Caller:
    factories.market("FR")
    return Caller.with_scopes(Scope.REGISTRY_WRITE)


def test_put_makes_a_guild_and_changes_what_it_names(writer: Caller) -> None:
    made = writer.put("guilds/g-1", {"name": "Aurora", "market": "FR", "tier": "gold"})
    changed = writer.put("guilds/g-1", {"name": "Aurora Talent", "market": "FR"})

    assert (made.status_code, changed.status_code) == (201, 200)
    assert changed.json() == {
        "external_id": "g-1",
        "name": "Aurora Talent",
        "market": "FR",
        "tier": "gold",
        "status": "active",
        "onboarded_at": None,
        "provisional": False,
    }
    assert Guild.objects.get().name == "Aurora Talent"


def test_put_makes_and_changes_a_creator(writer: Caller) -> None:
    made = writer.put("creators/c-1", {"market": "FR"})
    changed = writer.put("creators/c-1", {"name": "Nova"})

    assert (made.status_code, made.json()) == (201, {"external_id": "c-1", "name": "", "market": "FR"})
    assert (changed.status_code, changed.json()["name"]) == (200, "Nova")


def test_put_turns_a_provisional_guild_into_a_known_one(writer: Caller) -> None:
    factories.guild("g-1", provisional=True)

    answer = writer.put("guilds/g-1", {"name": "Aurora"})

    assert (answer.status_code, answer.json()["provisional"]) == (200, False)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "A"}, "market"),
        ({"market": "XX"}, "market"),
        ({"market": 5}, "market"),
        ({"market": "FR", "tier": "platinum"}, "tier"),
        ({"market": "FR", "status": "terminated"}, "status"),
        ({"market": "FR", "onboarded_at": "yesterday"}, "onboarded_at"),
        ({"market": "FR", "name": "a\0b"}, "name"),
        ({"market": "FR", "name": "x" * 201}, "name"),
        ({"market": "FR", "colour": "red"}, "colour"),
        ({"market": "FR", "external_id": "g-2"}, "external_id"),
        ({"market": "FR", "contacts": "legal@guild.test"}, "contacts"),
        ({"market": "FR", "contacts": ["legal@guild.test"]}, "contacts"),
        ({"market": "FR", "contacts": [{"email": "nobody"}]}, "contacts"),
        ({"market": "FR", "contacts": [{"name": "Legal"}]}, "contacts"),
        ({"market": "FR", "contacts": [{"email": "a@guild.test", "kinds": ["gossip"]}]}, "contacts"),
        ({"market": "FR", "contacts": [{"email": "a@guild.test", "colour": "red"}]}, "contacts"),
        ({"market": "FR", "contacts": [{"email": "a@guild.test"}, {"email": "A@guild.test"}]}, "contacts"),
        ({"market": "FR", "contacts": [{"email": f"{n}@guild.test"} for n in range(21)]}, "contacts"),
    ],
)
def test_put_refuses_what_it_cannot_keep_and_names_the_field(writer: Caller, body: Any, field: str) -> None:
    answer = problem(writer.put("guilds/g-1", body), 422)

    assert fields(answer) == [field]
    assert not Guild.objects.exists()


@pytest.mark.parametrize("external_id", ["a%00b", "x" * 121, "%20x", "a%0Ab"])
def test_put_refuses_ids_that_cannot_be(writer: Caller, external_id: str) -> None:
    answer = problem(writer.put(f"guilds/{external_id}", {"market": "FR"}), 422)

    assert fields(answer) == ["external_id"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"name": "\\ud800"}', b"[" * 2000]
)
@pytest.mark.parametrize("address", ["guilds/g-1", "creators/c-1", "registry"])
def test_a_body_that_is_no_json_object_is_400(writer: Caller, address: str, body: bytes) -> None:
    method = "POST" if address == "registry" else "PUT"

    problem(writer.send(method, address, body), 400)


BATCH: dict[str, Any] = {
    "guilds": [{"external_id": "g-1", "market": "FR"}],
    "creators": [{"external_id": "c-1", "market": "FR"}],
    "memberships": [{"guild": "g-1", "creator": "c-1", "starts_at": "2026-01-01T00:00:00Z"}],
    "activity": [{"guild": "g-1", "date": "2026-01-02", "live_hours": "12.50", "active_creators": 3}],
}


def test_a_batch_is_written_as_a_whole_and_again_changes_nothing(writer: Caller) -> None:
    first = writer.post("registry", BATCH)
    again = writer.post("registry", BATCH)

    assert (first.status_code, first.json()) == (
        200,
        {"guilds": 1, "creators": 1, "memberships": 1, "activity": 1, "transfers": 0},
    )
    assert again.json() == {"guilds": 0, "creators": 0, "memberships": 0, "activity": 1, "transfers": 0}
    assert (Membership.objects.count(), Activity.objects.count()) == (1, 1)


def test_a_batch_with_a_fault_writes_nothing_and_names_every_fault(writer: Caller) -> None:
    faulty = {
        **BATCH,
        "activity": [{"guild": "nobody", "date": "2026-01-02", "live_hours": -1, "active_creators": 1}],
    }
    faulty["guilds"] = [*BATCH["guilds"], {"external_id": "g-2", "market": "XX"}]

    answer = problem(writer.post("registry", faulty), 422, "invalid_input")

    assert {"guilds[1].market", "activity[0].live_hours"} <= set(fields(answer))
    assert not Guild.objects.exists()
    assert not Creator.objects.exists()


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"guild": []}, ["guild"]),
        ({"guilds": {}}, ["guilds"]),
        ({"guilds": None}, ["guilds"]),
        ({"guilds": [1]}, ["guilds[0]"]),
    ],
)
def test_a_batch_of_another_shape_is_422(writer: Caller, body: Any, named: list[str]) -> None:
    assert fields(problem(writer.post("registry", body), 422)) == named


def test_more_than_5000_rows_are_refused(writer: Caller) -> None:
    rows = [{"external_id": f"c-{number}"} for number in range(5001)]

    assert fields(problem(writer.post("registry", {"creators": rows}), 422, "too_many")) == ["creators"]
    assert not Creator.objects.exists()


def test_a_market_bound_client_writes_in_its_markets_only(writer: Caller) -> None:
    mine, other = factories.market("DE"), factories.market("IT")
    factories.guild("theirs", market=other)
    bound = Caller.with_scopes(Scope.REGISTRY_WRITE, markets=[mine])

    assert bound.put("guilds/ours", {"market": "DE"}).status_code == 201
    problem(bound.put("guilds/theirs", {"name": "Taken"}), 404)
    problem(bound.put("guilds/new", {"market": "IT"}), 403, "market_out_of_scope")
    problem(bound.put("guilds/ours", {"market": "IT"}), 403, "market_out_of_scope")
    problem(bound.post("registry", {"guilds": [{"external_id": "theirs", "name": "Taken"}]}), 403)
    assert dict(Guild.objects.values_list("external_id", "market__code")) == {"theirs": "IT", "ours": "DE"}
    assert Guild.objects.get(external_id="theirs").name != "Taken"


def contacts() -> dict[str, tuple[str, list[str], bool]]:
    return {one.email: (one.name, one.kinds, one.is_active) for one in Contact.objects.order_by("pk")}


def test_put_replaces_a_guilds_contacts_and_leaves_them_when_it_names_none(writer: Caller) -> None:
    legal = {"email": "legal@guild.test", "name": "Legal", "kinds": ["penalty_imposed"]}
    first = writer.put("guilds/g-1", {"market": "FR", "contacts": [legal, {"email": "desk@guild.test"}]})
    again = writer.put("guilds/g-1", {"contacts": [legal, {"email": "desk@guild.test"}]})
    renamed = writer.put("guilds/g-1", {"name": "Aurora"})

    assert (first.status_code, again.status_code, renamed.status_code) == (201, 200, 200)
    assert "contacts" not in first.json()
    assert contacts() == {
        "legal@guild.test": ("Legal", ["penalty_imposed"], True),
        "desk@guild.test": ("", [], True),
    }
    assert list(Event.objects.values_list("act", flat=True)) == ["contact.added", "contact.added"]

    writer.put("guilds/g-1", {"contacts": [{"email": "Legal@guild.test", "name": "Law"}]})
    assert contacts() == {"Legal@guild.test": ("Law", [], True), "desk@guild.test": ("", [], False)}
    assert list(Event.objects.order_by("-pk").values_list("act", flat=True)[:2]) == [
        "contact.removed",
        "contact.changed",
    ]

    batch = writer.post("registry", {"guilds": [{"external_id": "g-1", "contacts": []}]})
    assert (batch.status_code, set(Contact.objects.values_list("is_active", flat=True))) == (200, {False})


def test_contacts_of_a_refused_batch_are_not_written(writer: Caller) -> None:
    good = {"external_id": "g-1", "market": "FR", "contacts": [{"email": "a@guild.test"}]}

    answer = writer.post("registry", {"guilds": [good, {"external_id": "g-2", "market": "XX"}]})

    assert answer.status_code == 422
    assert not Contact.objects.exists()
