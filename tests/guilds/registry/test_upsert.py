"""The registry in bulk: everything or nothing, every fault told, memberships that never overlap."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import DomainError, InvalidInput, NotAllowed
from guilds.models import Activity, Creator, Guild, Membership
from guilds.registry.services import UpsertReport, registry_upsert
from tests import factories

pytestmark = pytest.mark.django_db

SYNC = Actor.system("sync")
JAN, FEB, MAR, APR = (f"2026-{month:02}-01T00:00:00Z" for month in (1, 2, 3, 4))


def upsert(*, actor: Actor = SYNC, **rows: Any) -> UpsertReport:
    return registry_upsert(actor=actor, **rows)


def faults(
    *, error: type[DomainError] = InvalidInput, actor: Actor = SYNC, **rows: list[Any]
) -> dict[str, str]:
    """The faults by field; nothing may have changed."""
    before = snapshot()
    with pytest.raises(error) as raised:
        registry_upsert(actor=actor, **rows)
    assert snapshot() == before
    return {fault["field"]: fault["message"] for fault in raised.value.errors}


def snapshot() -> list[list[Any]]:
    return [list(model.objects.order_by("pk").values()) for model in (Guild, Creator, Membership, Activity)]


def member(creator: str, guild: str, starts_at: str, **fields: Any) -> dict[str, Any]:
    return {"creator": creator, "guild": guild, "starts_at": starts_at, **fields}


def held(creator: str) -> list[tuple[str, str, str | None]]:
    periods = Membership.objects.filter(creator__external_id=creator).order_by("starts_at")
    return [
        (
            period.guild.external_id,
            f"{period.starts_at:%Y-%m-%dT%H:%M:%SZ}",
            f"{period.ends_at:%Y-%m-%dT%H:%M:%SZ}" if period.ends_at else None,
        )
        for period in periods
    ]


@pytest.fixture
def cast() -> None:
    """Guilds a, b and c of one market, and creators x and y."""
    market = factories.market("M")
    for name in "abc":
        factories.guild(external_id=name, market=market)
    for name in "xy":
        factories.creator(external_id=name)


# --- guilds and creators ----------------------------------------------------------------------------------------------
def test_a_batch_may_refer_to_its_own_rows() -> None:
    market = factories.market("M")
    report = upsert(
        guilds=[{"external_id": "g", "name": "公会", "market": "M", "tier": "gold", "onboarded_at": JAN}],
        creators=[{"external_id": "c", "name": "Star"}],
        memberships=[member("c", "g", FEB)],
        activity=[{"guild": "g", "date": "2026-02-01", "live_hours": 12.345, "active_creators": 3}],
    )
    assert report == UpsertReport(guilds=1, creators=1, memberships=1, activity=1)
    guild = Guild.objects.get()
    assert (guild.name, guild.market, guild.tier, guild.status) == ("公会", market, "gold", "active")
    assert guild.onboarded_at == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert not guild.provisional
    assert held("c") == [("g", FEB, None)]
    day = Activity.objects.get()
    assert (day.date, day.live_hours, day.active_creators, day.gift_revenue) == (
        dt.date(2026, 2, 1),
        Decimal("12.35"),
        3,
        Decimal(0),
    )


def test_again_changes_nothing_and_leaves_no_history() -> None:
    factories.market("M")
    rows: dict[str, Any] = {
        "guilds": [{"external_id": "g", "market": "M"}],
        "creators": [{"external_id": "c", "market": "M"}],
        "memberships": [member("c", "g", FEB, ends_at=None)],
        "activity": [{"guild": "g", "date": "2026-02-01", "live_hours": 1, "active_creators": 3}],
    }
    upsert(**rows)
    before = snapshot()
    assert upsert(**rows) == UpsertReport(activity=1)
    assert snapshot() == before
    assert Guild.objects.get().history.count() == 1  # type: ignore[attr-defined]


def test_what_a_row_leaves_out_stays() -> None:
    old, new = factories.market("OLD"), factories.market("NEW")
    guild = factories.guild(external_id="g", market=old, name="Name", tier="silver")
    creator = factories.creator(external_id="c", name="Star", market=old)
    upsert(
        guilds=[{"external_id": "g", "market": "NEW"}],
        creators=[{"external_id": "c", "market": None}],
    )
    guild.refresh_from_db()
    creator.refresh_from_db()
    assert (guild.name, guild.tier, guild.market) == ("Name", "silver", new)
    assert (creator.name, creator.market) == ("Star", None)


def test_who_changed_a_guild_and_why_is_kept() -> None:
    guild = factories.guild(external_id="g", name="Old")
    admin = Actor.staff(factories.staff(Role.ADMIN))
    upsert(actor=admin, guilds=[{"external_id": "g", "name": "New"}])
    last = guild.history.order_by("-pgh_id").first()  # type: ignore[attr-defined]
    assert (last.name, last.pgh_context.metadata["actor"]) == ("New", admin.label)
    assert last.pgh_context.metadata["reason"] == "registry upsert"


def test_a_provisional_guild_named_by_the_registry_is_a_guild() -> None:
    guild = factories.guild(external_id="g", provisional=True)
    upsert(guilds=[{"external_id": "g"}])
    guild.refresh_from_db()
    assert not guild.provisional


@pytest.mark.parametrize("status", ["suspended", "terminated"])
def test_a_penalty_s_status_is_not_the_registry_s(status: str) -> None:
    guild = factories.guild(external_id="g", status=status)
    factories.guild(external_id="free")

    upsert(guilds=[{"external_id": "g", "name": "Renamed"}])
    upsert(guilds=[{"external_id": "g", "status": status}])
    guild.refresh_from_db()
    assert (guild.name, guild.status) == ("Renamed", status)

    found = faults(
        guilds=[{"external_id": "g", "status": "active"}, {"external_id": "free", "status": status}]
    )
    assert set(found) == {"guilds[0].status", "guilds[1].status"}
    assert "only lifting" in found["guilds[0].status"]
    assert "Only a penalty" in found["guilds[1].status"]
    upsert(guilds=[{"external_id": "free", "status": "left"}])
    assert Guild.objects.get(external_id="free").status == "left"


# --- faults -----------------------------------------------------------------------------------------------------------
def test_every_fault_of_every_row_is_told_and_nothing_is_written(cast: None) -> None:
    found = faults(
        guilds=[
            {"external_id": "ok", "market": "M"},
            {"external_id": "a", "market": "nowhere", "tier": "platinum"},
            {"external_id": "new"},
            {"external_id": "", "market": 5, "color": "red"},
            {"name": "x"},
            "text",
            {"external_id": "ok", "market": "M"},
            {"external_id": "lost", "market": "nowhere"},
            {"external_id": "z\0", "market": "M", "onboarded_at": "2026-01-01"},
        ],
        creators=[
            {"external_id": "c" * 121},
            {"external_id": " c"},
            {"external_id": "c", "market": "nowhere"},
        ],
        memberships=[
            member("nobody", "a", JAN),
            member("x", "nobody", JAN),
            member("x", "a", FEB, ends_at=FEB),
            member("x", "a", "2026-02-30T00:00:00Z"),
            member("y", "a", "2026-02-01T00:00:00"),
        ],
        activity=[
            {"guild": "nobody", "date": "2026-02-01", "live_hours": 1, "active_creators": 1},
            {
                "guild": "a",
                "date": "2026-02-31",
                "live_hours": -1,
                "active_creators": 1.5,
                "gift_revenue": "NaN",
            },
            {"guild": "a", "date": 5, "live_hours": True, "active_creators": 2**31, "gift_revenue": 1e30},
        ],
    )
    assert set(found) == {
        "guilds[1].tier",
        "guilds[2].market",
        "guilds[3].external_id",
        "guilds[3].market",
        "guilds[3].color",
        "guilds[4].external_id",
        "guilds[5]",
        "guilds[6].external_id",
        "guilds[7].market",
        "guilds[8].external_id",
        "guilds[8].onboarded_at",
        "creators[0].external_id",
        "creators[1].external_id",
        "creators[2].market",
        "memberships[0].creator",
        "memberships[1].guild",
        "memberships[2].ends_at",
        "memberships[3].starts_at",
        "memberships[4].starts_at",
        "activity[0].guild",
        "activity[1].date",
        "activity[1].live_hours",
        "activity[1].active_creators",
        "activity[1].gift_revenue",
        "activity[2].date",
        "activity[2].live_hours",
        "activity[2].active_creators",
        "activity[2].gift_revenue",
    }
    assert all(message[0].isupper() and message.endswith(".") for message in found.values())


def test_more_than_5000_of_a_kind_are_refused() -> None:
    found = faults(creators=[{"external_id": str(number)} for number in range(5001)])
    assert "5001 rows" in found["creators"]


# --- memberships ------------------------------------------------------------------------------------------------------
def test_a_transfer_ends_the_former_membership_at_that_instant(cast: None) -> None:
    upsert(memberships=[member("x", "a", JAN), member("y", "a", JAN)])
    report = upsert(memberships=[member("x", "b", MAR)])
    assert report == UpsertReport(memberships=1, transfers=1)
    assert held("x") == [("a", JAN, MAR), ("b", MAR, None)]
    assert held("y") == [("a", JAN, None)]


def test_a_career_in_one_batch_in_any_order_and_again(cast: None) -> None:
    career = [member("x", "c", APR), member("x", "a", JAN, ends_at=None), member("x", "b", FEB, ends_at=MAR)]
    assert "overlaps" in faults(memberships=career)["memberships[2].starts_at"].lower()
    career[2] = member("x", "b", FEB)
    assert upsert(memberships=career) == UpsertReport(memberships=3)
    expected = [("a", JAN, FEB), ("b", FEB, APR), ("c", APR, None)]
    assert held("x") == expected
    assert upsert(memberships=career) == UpsertReport()
    assert held("x") == expected


def test_the_same_start_changes_the_membership(cast: None) -> None:
    upsert(memberships=[member("x", "a", JAN)])
    upsert(memberships=[member("x", "a", JAN, ends_at=MAR)])
    upsert(memberships=[member("x", "a", JAN)])
    assert held("x") == [("a", JAN, MAR)]
    upsert(memberships=[member("x", "b", JAN, ends_at=FEB)])
    assert held("x") == [("b", JAN, FEB)]
    upsert(memberships=[member("x", "b", JAN, ends_at=None)])
    assert held("x") == [("b", JAN, None)]


def test_a_gap_may_be_filled_exactly(cast: None) -> None:
    upsert(memberships=[member("x", "a", JAN, ends_at=FEB), member("x", "c", MAR)])
    upsert(memberships=[member("x", "b", FEB, ends_at=MAR)])
    assert held("x") == [("a", JAN, FEB), ("b", FEB, MAR), ("c", MAR, None)]


def test_a_shortened_membership_makes_room_in_the_same_batch(cast: None) -> None:
    upsert(memberships=[member("x", "a", JAN, ends_at=APR)])
    upsert(memberships=[member("x", "b", FEB, ends_at=MAR), member("x", "a", JAN, ends_at=FEB)])
    assert held("x") == [("a", JAN, FEB), ("b", FEB, MAR)]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (member("x", "b", FEB), "until 2026-03-01"),
        (member("x", "b", FEB, ends_at=MAR), "end that membership first"),
        (member("x", "a", FEB), "in a from 2026-01-01"),
        (member("x", "b", "2025-01-01T00:00:00Z"), "ends_at that is not later"),
        (member("x", "b", "2025-01-01T00:00:00Z", ends_at=FEB), "ends_at that is not later"),
    ],
)
def test_every_other_overlap_is_a_clear_error(cast: None, row: dict[str, Any], words: str) -> None:
    upsert(memberships=[member("x", "a", JAN, ends_at=MAR)])
    assert words in faults(memberships=[row])["memberships[0].starts_at"]


def test_the_guild_s_own_open_membership_is_not_doubled(cast: None) -> None:
    upsert(memberships=[member("x", "a", JAN)])
    assert "(open)" in faults(memberships=[member("x", "a", FEB)])["memberships[0].starts_at"]
    assert "(open)" in faults(memberships=[member("x", "b", FEB, ends_at=MAR)])["memberships[0].starts_at"]


# --- activity ---------------------------------------------------------------------------------------------------------
def test_activity_is_replaced_by_day_and_revenue_only_when_given(cast: None) -> None:
    row = {
        "guild": "a",
        "date": "2026-02-01",
        "live_hours": 5,
        "active_creators": 2,
        "gift_revenue": "100.50",
    }
    upsert(activity=[row, {**row, "date": "2026-02-02"}, {**row, "guild": "b"}])
    upsert(
        activity=[
            {"guild": "a", "date": "2026-02-01", "live_hours": 6, "active_creators": 3},
            {**row, "date": "2026-02-02", "gift_revenue": 0},
        ]
    )
    days = Activity.objects.order_by("guild__external_id", "date")
    assert list(days.values_list("live_hours", "active_creators", "gift_revenue")) == [
        (Decimal(6), 3, Decimal("100.50")),
        (Decimal(5), 2, Decimal(0)),
        (Decimal(5), 2, Decimal("100.50")),
    ]


# --- who may ----------------------------------------------------------------------------------------------------------
def test_a_limited_client_writes_only_its_markets() -> None:
    ours, theirs = factories.guild(external_id="ours"), factories.guild(external_id="theirs")
    far, taken = (
        factories.creator(external_id="far", market=theirs.market),
        factories.creator(external_id="taken"),
    )
    factories.membership(taken, theirs, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    actor = Actor.client(factories.client("registry:write", markets=[ours.market]), scopes=["registry:write"])

    upsert(
        actor=actor,
        guilds=[{"external_id": "ours", "name": "Ours"}, {"external_id": "new", "market": ours.market.code}],
        creators=[{"external_id": "c", "market": ours.market.code}],
        memberships=[member("c", "ours", JAN)],
    )
    assert Guild.objects.get(external_id="ours").name == "Ours"

    found = faults(
        error=NotAllowed,
        actor=actor,
        guilds=[
            {"external_id": "theirs", "name": "Stolen"},
            {"external_id": "new2", "market": theirs.market.code},
            {"external_id": "new", "market": theirs.market.code},
        ],
        creators=[
            {"external_id": "far", "name": "Renamed"},
            {"external_id": "c2", "market": theirs.market.code},
        ],
        memberships=[member("taken", "ours", FEB), member("c", "theirs", FEB)],
        activity=[{"guild": "theirs", "date": "2026-01-01", "live_hours": 1, "active_creators": 1}],
    )
    assert set(found) == {
        "guilds[0].external_id",
        "guilds[1].market",
        "guilds[2].market",
        "creators[0].external_id",
        "creators[1].market",
        "memberships[0].creator",
        "memberships[1].guild",
        "activity[0].guild",
    }
    assert (
        "one of your markets" in faults(actor=actor, creators=[{"external_id": "c3"}])["creators[0].market"]
    )
    assert far.name == Creator.objects.get(pk=far.pk).name


def test_guilds_and_other_staff_do_not_write_the_registry() -> None:
    guild = factories.guild(external_id="g")
    bound = Actor.client(factories.client("registry:write", guild=guild), scopes=["registry:write"])
    seat = Actor.guild_user(factories.seat(guild))
    reviewer = Actor.staff(factories.staff(Role.REVIEWER))
    for actor in (bound, seat, reviewer):
        faults(error=NotAllowed, actor=actor, guilds=[{"external_id": "g", "name": "Mine"}])


# --- many -------------------------------------------------------------------------------------------------------------
def test_queries_do_not_grow_with_rows(django_assert_max_num_queries: Any) -> None:
    factories.market("M")
    numbers = range(300)
    rows: dict[str, Any] = {
        "guilds": [{"external_id": f"g{n}", "market": "M"} for n in numbers],
        "creators": [{"external_id": f"c{n}"} for n in numbers],
        "memberships": [member(f"c{n}", f"g{n}", JAN) for n in numbers],
        "activity": [
            {"guild": f"g{n}", "date": "2026-01-01", "live_hours": 1, "active_creators": 1} for n in numbers
        ],
    }
    with django_assert_max_num_queries(25):
        upsert(**rows)
    moved = [member(f"c{n}", f"g{(n + 1) % 300}", FEB) for n in numbers]
    with django_assert_max_num_queries(25):
        assert upsert(memberships=moved) == UpsertReport(memberships=300, transfers=300)


@pytest.mark.django_db(transaction=True)
def test_two_upserts_of_the_same_rows_in_opposite_order() -> None:
    factories.market("M")
    numbers = range(200)
    guilds = [{"external_id": f"g{n}", "market": "M"} for n in numbers]
    creators = [{"external_id": f"c{n}"} for n in numbers]
    first = [member(f"c{n}", f"g{n}", JAN) for n in numbers]
    registry_upsert(actor=SYNC, guilds=guilds[:100], creators=creators, memberships=[])
    barrier = Barrier(2)

    def send(step: int) -> None:
        try:
            barrier.wait(timeout=30)
            registry_upsert(
                actor=SYNC, guilds=guilds[::step], creators=creators[::step], memberships=first[::step]
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send, (1, -1)))
    assert (Guild.objects.count(), Membership.objects.count()) == (200, 200)
