"""The reports in the console: who reads them, what they show, and what a download holds."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from appeals import report_pages
from governance.notices.dsa_schema import COLUMNS
from guilds.models import Guild, Market
from tests import factories
from tests.appeals.test_p2b import complaint, penalised
from tests.governance.penalties.test_dsa import german, german_again, measure, told

pytestmark = pytest.mark.django_db

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
YEAR = {"first": "2026-01-01", "last": "2026-12-31"}


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def signed_in(*roles: str, markets: list[Market] | None = None) -> Client:
    client = Client()
    client.force_login(factories.staff(*roles, markets=markets))
    return client


def url(name: str) -> str:
    return reverse(f"admin:appeals_appeal_{name}")


def streamed(answer: Any) -> str:
    assert answer.streaming
    return b"".join(answer.streaming_content).decode()


@pytest.mark.parametrize(
    ("role", "p2b", "dsa"),
    [
        ("enforcer", 200, 200),
        ("admin", 200, 200),
        ("auditor", 200, 200),
        ("adjudicator", 200, 403),
        ("reviewer", 200, 403),
        ("analyst", 200, 403),
        ("approver", 200, 403),
        ("launcher", 200, 403),
    ],
)
def test_who_may_read_which_report(role: str, p2b: int, dsa: int) -> None:
    client = signed_in(role)
    assert client.get(url("p2b"), YEAR).status_code == p2b
    tab = f'href="{url("dsa")}"' in client.get(url("p2b"), YEAR).content.decode()
    assert tab is (dsa == 200), "no way is shown to where one may not go"
    for wanted in ("", "json", "csv"):
        assert client.get(url("dsa"), YEAR | {"format": wanted}).status_code == dsa


def test_strangers_get_neither() -> None:
    for name in ("p2b", "dsa"):
        assert Client().get(url(name)).status_code == 302
    nobody = Client()
    nobody.force_login(factories.staff())
    for name in ("p2b", "dsa"):
        assert nobody.get(url(name)).status_code == 403


# --- P2B ------------------------------------------------------------------------------------------------------------
def test_the_page_shows_the_figures_and_gives_them_as_csv() -> None:
    guild = factories.guild(market=factories.market("IE"))
    against = penalised(guild, starts_at=NOON)
    complaint(against, NOON, took=dt.timedelta(days=4, hours=6), outcome="upheld", grounds="not_ours")
    complaint(against, NOON, took=dt.timedelta(days=2), outcome="overturned")
    client = signed_in("auditor")
    asked = YEAR | {"by": "market", "regime": ""}
    page = client.get(url("p2b"), asked).content.decode()
    for words in ("IE", "3.13", "It was not our guild or creator", "50.0%", "All together", "<script>"):
        assert (words in page) is (words != "<script>"), words
    answer = client.get(url("p2b"), asked | {"format": "csv"})
    assert "p2b-2026-01-01-2026-12-31.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(streamed(answer))))
    assert [(row["scope"], row["complaints"], row["average_days"], row["not_upheld"]) for row in rows] == [
        ("IE", "2", "3.13", "1"),
        ("all", "2", "3.13", "1"),
    ]


def test_a_first_visit_shows_the_last_calendar_year_and_an_empty_one_says_so() -> None:
    page = signed_in("auditor").get(url("p2b"))
    assert page.status_code == 200
    assert "Nobody complained in this time." in page.content.decode()
    assert page.context["form"].data["last"].endswith("-12-31")


def test_a_period_that_is_none_is_refused_beside_the_field() -> None:
    client = signed_in("auditor")
    for name in ("p2b", "dsa"):
        answer = client.get(
            url(name), {"first": "2026-02-01", "last": "2026-01-01", "by": "market", "format": "csv"}
        )
        assert answer.status_code == 200
        assert "The last day must not lie before the first." in answer.content.decode()
        assert "content-disposition" not in answer.headers


def test_the_figures_are_those_of_the_readers_markets() -> None:
    here, there = factories.market("HERE"), factories.market("THERE")
    for market in (here, there):
        complaint(penalised(factories.guild(market=market), starts_at=NOON), NOON)
    answer = signed_in("auditor", markets=[here]).get(url("p2b"), YEAR | {"by": "market", "format": "csv"})
    assert "THERE" not in streamed(answer)


# --- DSA ------------------------------------------------------------------------------------------------------------
def unsent(guild: Guild) -> None:
    told(guild, measure("suspension", 7), occurred_at="1999-05-05T00:00:00+00:00")


def test_the_page_counts_and_lists_what_would_be_refused() -> None:
    told(german(), measure("suspension", 7))
    told(german_again(), measure("warning"))
    unsent(factories.guild(market=factories.market("FR")))
    page = signed_in("enforcer").get(url("dsa"), YEAR).content.decode()
    for words in (
        "Statements to send",
        "Would be refused, left out",
        "content_date",
        "No statement: restricts nothing",
        "Download as JSON, 100 to a file",
    ):
        assert words in page, words


def test_the_archive_holds_batches_and_what_was_left_out() -> None:
    good = told(german(), measure("suspension", 7))
    unsent(factories.guild(market=factories.market("FR")))
    answer = signed_in("enforcer").get(url("dsa"), YEAR | {"format": "json"})
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == [
            "dsa-2026-01-01-2026-12-31-0001.json",
            "dsa-2026-01-01-2026-12-31-left-out.csv",
        ]
        body = json.loads(archive.read("dsa-2026-01-01-2026-12-31-0001.json"))
        left_out = archive.read("dsa-2026-01-01-2026-12-31-left-out.csv").decode()
    assert [statement["puid"] for statement in body["statements"]] == [f"guildhall-{good.public_id}"]
    assert "content_date" in left_out


def test_the_csv_has_the_columns_of_the_dump() -> None:
    told(german(), measure("suspension", 7))
    text = streamed(signed_in("admin").get(url("dsa"), YEAR | {"format": "csv"}))
    assert next(csv.reader(io.StringIO(text))) == list(COLUMNS)
    assert len(text.strip().splitlines()) >= 2


def test_an_export_is_of_the_readers_markets_only() -> None:
    told(german(), measure("suspension", 7))
    other = factories.market("FR")
    text = streamed(signed_in("enforcer", markets=[other]).get(url("dsa"), YEAR | {"format": "csv"}))
    assert len(text.strip().splitlines()) == 1


def test_too_much_for_one_download_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_pages, "LIMIT", 1)
    for _ in range(2):
        told(german_again_somewhere(), measure("suspension", 7))
    answer = signed_in("enforcer").get(url("dsa"), YEAR | {"format": "json"})
    assert "content-disposition" not in answer.headers
    assert "More than 1 notices" in answer.content.decode()
    answer = signed_in("enforcer").get(url("dsa"), {"first": "2025-01-01", "last": "2026-12-31"})
    assert "A year at most in one download" in answer.content.decode()


def german_again_somewhere() -> Guild:
    return factories.guild(market=factories.market(f"DE-{Market.objects.count()}", timezone="Europe/Berlin"))


def test_the_pages_cost_the_same_however_much_they_count() -> None:
    client = signed_in("auditor")
    costs = []
    guild = german()
    for more in (1, 8):
        for _ in range(more):
            told(guild, measure("suspension", 7))
            complaint(penalised(guild, starts_at=NOON), NOON)
        row = []
        for name in ("p2b", "dsa"):
            cache.clear()
            with CaptureQueriesContext(connection) as asked:
                assert client.get(url(name), YEAR | {"by": "market"}).status_code == 200
            row.append(len(asked))
        costs.append(row)
    assert costs[0] == costs[1]
