"""Lists, search and the first page: what they cost, what they find, and what each role sees first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from redis.exceptions import ConnectionError as RedisConnectionError

from config import home_parts
from governance.models import Risk
from guilds.accounts.enums import Role
from guilds.console import lists
from guilds.console.lists import uuid_span
from guilds.console.page import admin_url, list_url
from guilds.models import Guild, User
from tests import factories
from tests.config import console_world

pytestmark = pytest.mark.django_db

#: Queries of each list, whatever its length: session, user, roles, count and rows, and one for the choices of each filter over
#: related rows. A change here is a change of what the page promises.
QUERIES = {
    "appeals.appeal": 6,
    "governance.delivery": 6,
    "governance.difference": 6,
    "governance.evaluationfault": 5,
    "governance.event": 6,
    "governance.notice": 5,
    "governance.penalty": 6,
    "governance.quarantinedsignal": 5,
    "governance.signal": 7,
    "governance.violation": 7,
    "guilds.guild": 6,
}


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def guild(db: None) -> Guild:
    return factories.guild("guild-here", name="Nordlicht Live", market=factories.market("HERE"))


def signed_in(*roles: str, **fields: Any) -> Client:
    client = Client()
    client.force_login(factories.staff(*roles, **fields))
    return client


def _violations(guild: Guild) -> None:
    factories.violation(guild, creator=factories.creator())


def _penalties(guild: Guild) -> None:
    console_world.penalty(factories.violation(guild, status="confirmed"))


def _appeals(guild: Guild) -> None:
    console_world.appeal(console_world.penalty(factories.violation(guild, status="confirmed")))


def _quarantined(guild: Guild) -> None:
    console_world.quarantined(guild.market, factories.guild().external_id)


def _differences(guild: Guild) -> Any:
    return console_world.difference(console_world.penalty(factories.violation(guild, status="confirmed")))


MADE: dict[str, Callable[[Guild], Any]] = {
    "appeals.appeal": _appeals,
    "governance.delivery": console_world.delivery,
    "governance.difference": _differences,
    "governance.evaluationfault": console_world.fault,
    "governance.event": console_world.event,
    "governance.notice": console_world.notice,
    "governance.penalty": _penalties,
    "governance.quarantinedsignal": _quarantined,
    "governance.signal": factories.signal,
    "governance.violation": _violations,
    "guilds.guild": lambda guild: factories.guild(market=guild.market),
}


def queries(client: Client, url: str) -> int:
    cache.clear()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert client.get(url).status_code == 200
    return len(asked)


@pytest.mark.parametrize("label", QUERIES)
def test_a_list_asks_the_same_number_of_questions_however_long_it_is(guild: Guild, label: str) -> None:
    client = signed_in(Role.AUDITOR)
    app, name = label.split(".")
    url = reverse(f"admin:{app}_{name}_changelist")
    MADE[label](guild)
    queries(client, url)
    short = queries(client, url)
    for _ in range(8):
        MADE[label](guild)
    assert (queries(client, url), short) == (QUERIES[label], QUERIES[label])


def test_a_long_list_is_not_counted_to_its_end(guild: Guild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "COUNTED", 3)
    for _ in range(6):
        factories.guild(market=guild.market)
    client = signed_in(Role.AUDITOR)
    with CaptureQueriesContext(connection) as asked:
        page = client.get(list_url(Guild))
    counts = [
        query["sql"] for query in asked if "COUNT(*)" in query["sql"] and "guilds_guild" in query["sql"]
    ]
    assert counts
    assert all("LIMIT 4" in count for count in counts)
    assert page.context["cl"].result_count == 4
    assert "narrow the list" in page.content.decode()


# --- search -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("term", "span"),
    [
        ("3fa85f64", ("3fa85f64-0000-0000-0000-000000000000", "3fa85f64-ffff-ffff-ffff-ffffffffffff")),
        ("3FA85F64-57", ("3fa85f64-5700-0000-0000-000000000000", "3fa85f64-57ff-ffff-ffff-ffffffffffff")),
        ("3fa85f6", None),
        ("nordlicht", None),
        ("'; --", None),
    ],
)
def test_the_beginning_of_an_id_is_a_span_of_ids(term: str, span: tuple[str, str] | None) -> None:
    found = uuid_span(term)
    assert (tuple(map(str, found)) if found else None) == span


def found(client: Client, term: str) -> str:
    cache.clear()
    return client.get(reverse("admin:search"), {"s": term, "extended": "1"}).content.decode()


def test_the_palette_finds_everything_by_id_or_name(guild: Guild) -> None:
    violation = factories.violation(guild, status="confirmed")
    penalty = console_world.penalty(violation)
    appeal = console_world.appeal(penalty)
    client = signed_in(Role.AUDITOR)
    for obj in (violation, penalty, appeal):
        assert f'href="{admin_url(obj)}"' in found(client, str(obj.public_id))
        assert f'href="{admin_url(obj)}"' in found(client, str(obj.public_id)[:13])
        assert f'href="{admin_url(obj)}"' in found(client, "nordlicht")
    for term in ("guild-here", "ORDLICHT", "Nordlicht Live"):
        assert f'href="{admin_url(guild)}"' in found(client, term)
    assert f'href="{admin_url(violation.rule)}"' in found(client, violation.rule.code)


@pytest.mark.parametrize("term", ["(", "[a", "\\", "%", "x' OR 1=1", "*" * 200])
def test_the_palette_takes_any_text_for_text(guild: Guild, term: str) -> None:
    client = signed_in(Role.AUDITOR)
    assert admin_url(guild) not in found(client, term)
    assert client.get(list_url(Guild), {"q": term}).status_code == 200


def test_the_palette_finds_nothing_of_another_market(guild: Guild) -> None:
    violation = factories.violation(guild)
    client = signed_in(Role.AUDITOR, markets=[factories.market("ELSE")])
    for term in ("nordlicht", "guild-here", str(violation.public_id)):
        page = found(client, term)
        assert admin_url(guild) not in page
        assert admin_url(violation) not in page


# --- export -----------------------------------------------------------------------------------------------------------
def exported(client: Client, query: dict[str, str]) -> list[str]:
    answer = client.get(f"{list_url(Guild)}export.csv", query)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]


def test_the_export_is_the_list_as_filtered_and_safe_to_open(guild: Guild) -> None:
    factories.guild(
        "guild-formula", name='=HYPERLINK("http://evil.test")', market=guild.market, status="suspended"
    )
    client = signed_in(Role.AUDITOR)
    header, *rows = exported(client, {})
    assert header == "Guild,External id,Market,Tier,Status,Onboarded"
    assert rows == [
        "Nordlicht Live,guild-here,HERE,Standard,Active,",
        '"\'=HYPERLINK(""http://evil.test"")",guild-formula,HERE,Standard,Suspended,',
    ]
    assert exported(client, {"status__exact": "suspended"})[1:] == rows[1:]
    assert exported(client, {"q": "nordlicht"})[1:] == rows[:1]


# --- the first page -----------------------------------------------------------------------------------------------------
WAITS = {
    Role.REVIEWER: {"Cases for your review"},
    Role.ENFORCER: {"Held for a second person", "Failed penalties", "Starting next"},
    Role.ADJUDICATOR: {"Open appeals"},
    Role.ANALYST: {"Feedback to read", "Risks to review", "Alarms", "Open findings", "Evaluation faults"},
    Role.LAUNCHER: {"Paused rules", "Alarms"},
    Role.ADMIN: {"Quarantine", "Failing webhooks"},
    Role.AUDITOR: set(),
    Role.APPROVER: {"Rules for your approval"},
}
#: What a role is told there is none of.
IDLE = {
    Role.REVIEWER: {"Overdue cases"},
    Role.ENFORCER: {
        "Escalated cases",
        "Held for too long",
        "Penalties stopped",
        "Notices that reached nobody",
    },
    Role.ADMIN: {"Notices that reached nobody"},
    Role.ANALYST: {"Your drafts"},
    Role.LAUNCHER: {"Waves to come", "Rules about to expire"},
}


@pytest.mark.parametrize("role", WAITS)
def test_home_shows_each_role_its_own_work(guild: Guild, role: Role) -> None:
    console_world.case(guild)
    for status in ("held", "failed", "scheduled"):
        console_world.penalty(factories.violation(guild, status="confirmed"), status)
    console_world.appeal(console_world.penalty(factories.violation(guild, status="confirmed")))
    factories.version(status="paused")
    console_world.finding(guild)
    console_world.fault(guild)
    console_world.quarantined(guild.market)
    console_world.delivery(guild)
    console_world.alarm(guild)
    console_world.feedback(guild)
    Risk.objects.update(review_on="2020-01-01")
    console_world.approval(factories.version(status="draft", markets=[guild.market.code]), factories.staff())
    here = signed_in(role, markets=[guild.market]).get("/admin/").context
    assert {part.title for part in here["waiting"]} == WAITS[role]
    assert {part.title for part in here["idle"]} == IDLE.get(role, set())
    elsewhere = signed_in(role, markets=[factories.market("ELSE")]).get("/admin/").context
    assert {part.title for part in elsewhere["waiting"]} == WAITS[role] & {"Paused rules", "Risks to review"}


def test_home_counts_the_flow_of_ones_markets(guild: Guild) -> None:
    for _ in range(3):
        factories.violation(guild)
    console_world.penalty(factories.violation(guild, status="confirmed"))
    counters = {
        item.title: (item.week, item.month)
        for item in signed_in(Role.AUDITOR).get("/admin/").context["flow"]["counters"]
    }
    assert counters == {
        "Signals": ("4", "4"),
        "Violations found": ("4", "4"),
        "Violations confirmed": ("1", "1"),
        "Penalties in effect": ("1", "1"),
        "Appeals filed": ("0", "0"),
        "Appeals overturned": ("0", "0"),
    }
    away = (
        signed_in(Role.AUDITOR, markets=[factories.market("ELSE")]).get("/admin/").context["flow"]["counters"]
    )
    assert {item.month for item in away} == {"0"}


def test_badges_stop_counting(guild: Guild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_parts, "COUNTED", 2)
    for _ in range(4):
        console_world.case(guild)
    page = signed_in(Role.REVIEWER).get("/admin/").context
    assert page["waiting"][0].count == "2+"
    assert page["sidebar_navigation"][6]["badge"] == "2+"


def test_the_console_works_without_its_cache(guild: Guild, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*arguments: Any, **options: Any) -> None:
        raise RedisConnectionError

    client = signed_in(Role.REVIEWER)
    console_world.case(guild)
    monkeypatch.setattr(type(cache._connections[cache._alias]), "get", gone)  # type: ignore[attr-defined]
    assert client.get("/admin/").context["waiting"][0].count == "1"


@pytest.mark.parametrize(
    ("url", "active"),
    [
        ("/admin/", ["Home"]),
        ("/admin/governance/violation/", ["All violations"]),
        ("/admin/governance/case/mine/", ["My queue"]),
        ("/admin/governance/case/", ["All cases"]),
        ("/admin/governance/case/team/", ["The team"]),
        ("/admin/governance/penalty/?status__exact=held", ["Held"]),
        ("/admin/governance/penalty/?status__exact=held&o=1", ["Held"]),
        ("/admin/governance/penalty/", []),
        ("/admin/appeals/appeal/?assigned=me&status__exact=open", ["Mine"]),
        ("/admin/appeals/appeal/", ["All appeals"]),
        ("/admin/governance/signal/", ["Feed"]),
    ],
)
def test_the_sidebar_marks_where_one_is(db: None, url: str, active: list[str]) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("boss@example.test"))
    groups = client.get(url).context["sidebar_navigation"]
    assert [str(item["title"]) for group in groups for item in group["items"] if item["active"]] == active


def test_the_sidebar_follows_the_cycle(db: None) -> None:
    groups = signed_in(Role.AUDITOR).get("/admin/").context["sidebar_navigation"]
    assert [str(group["title"]) for group in groups] == [
        *(
            "",
            "Risks",
            "Rules",
            "Launches",
            "Education",
            "Signals",
            "Review",
            "Penalties",
            "Appeals",
            "Insights",
            "Registry",
            "System",
        )
    ]
