"""The heat map and the coverage of risks by rules: what stands where, and for whom."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.insights.heat_map import heat_map_of
from governance.insights.risk_coverage import coverage_of
from governance.insights.tasks import assess_risks
from governance.ledger.models import Event
from governance.models import Assessment, LivePeriod, Risk
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.page import admin_url
from guilds.models import Activity, Market
from tests import factories

pytestmark = pytest.mark.django_db

EVERYWHERE = Actor.system("test")


def signed_in(*roles: str, **fields: Any) -> Client:
    client = Client()
    client.force_login(factories.staff(*roles, **fields))
    return client


def risk(code: str, **fields: Any) -> Risk:
    fields = {"name": code.title(), "harm": 3, "likelihood": 2, "owner": "X"} | fields
    return Risk.objects.create(code=code, **fields)


def active(market: Market, hours: int) -> None:
    guild = factories.guild(market=market)
    day = timezone.now().date() - dt.timedelta(days=5)
    Activity.objects.create(guild=guild, date=day, live_hours=hours, active_creators=1)


@pytest.fixture
def markets(db: None) -> tuple[Market, Market]:
    small, large = factories.market("AAA", name="Small"), factories.market("ZZZ", name="Large")
    active(small, 100)
    active(large, 400)
    return small, large


# --- the heat map -----------------------------------------------------------------------------------------------------
def test_risks_by_market_the_greatest_and_largest_first(markets: tuple[Market, Market]) -> None:
    small, large = markets
    mild, grave = risk("MILD", harm=1, likelihood=1), risk("GRAVE", harm=5, likelihood=5)
    retired = risk("GONE", retired_at=timezone.now())
    assess_risks()
    found = heat_map_of(EVERYWHERE)
    assert found.markets == [large, small]
    assert [row.risk for row in found.rows] == [grave, mild]
    assert retired not in {row.risk for row in found.rows}
    # No rule is live: likelihoods as registered. 60 + 7.5 and all, or a quarter, of the exposure.
    assert [[cell and cell.priority for cell in row.cells] for row in found.rows] == [
        [82.5, 71.2],
        [24.9, 13.7],
    ]
    assert [[cell and cell.shade for cell in row.cells] for row in found.rows] == [[4, 3], [1, 0]]
    top = found.rows[0].cells[0]
    assert top is not None
    assert top.words == "Grave, Large: 82, Insufficient data"
    assert top.url == admin_url(Assessment.objects.get(risk=grave, market=large))
    assert found.rows[0].whole is not None
    assert found.rows[0].whole.priority == 82.5
    placed = {
        risk.code: (square.harm, square.likelihood)
        for line in found.squares
        for square in line
        for risk, _ in square.risks
    }
    assert placed == {"GRAVE": (5, 5), "MILD": (1, 1)}
    assert [square.harm for square in found.squares[0]] == [5] * 5


def test_the_matrix_takes_likelihoods_from_data_where_a_rule_is_live(markets: tuple[Market, Market]) -> None:
    seen = risk("SEEN", harm=4, likelihood=5)
    factories.version(factories.rule(risk=seen))
    assess_risks()
    squares = {
        risk.code: (square.likelihood, from_data)
        for line in heat_map_of(EVERYWHERE).squares
        for square in line
        for risk, from_data in square.risks
    }
    assert squares["SEEN"] == (1, True)


def test_the_map_is_narrowed_to_a_category_and_to_ones_markets(markets: tuple[Market, Market]) -> None:
    small, _large = markets
    risk("MIN", category="minors")
    risk("FRD", category="fraud")
    assess_risks()
    assert [row.risk.code for row in heat_map_of(EVERYWHERE, category="fraud").rows] == ["FRD"]
    near = heat_map_of(Actor.staff(factories.staff("auditor", markets=[small])))
    assert near.markets == [small]
    assert {len(row.cells) for row in near.rows} == {1}


def test_the_page_of_the_map(markets: tuple[Market, Market]) -> None:
    url, client = reverse("admin:governance_assessment_heat"), signed_in(Role.AUDITOR)
    assert "No risk is on the register." in client.get(url).content.decode()
    grave = risk("GRAVE", harm=5, likelihood=5, category="fraud")
    empty = client.get(url).content.decode()
    assert "Nothing has been assessed yet" in empty
    assess = reverse("admin:governance_assessment_assess")
    assert assess not in empty
    assert client.post(assess).status_code == 403

    analyst = signed_in(Role.ANALYST)
    assert assess in analyst.get(url).content.decode()
    assert analyst.post(assess).headers["Location"] == url
    assert Assessment.objects.filter(risk=grave).count() == 2
    assert Event.objects.get(act="risks.assessed").actor_kind == "staff"

    page = client.get(url).content.decode()
    for assessment in Assessment.objects.filter(risk=grave):
        assert f'href="{admin_url(assessment)}"' in page
    assert 'aria-label="Grave, Large: 82, Insufficient data"' in page
    assert "<script>" not in page
    assert "Nothing of this category" in client.get(url, {"category": "minors"}).content.decode()
    assert 'aria-label="Grave, Large' in client.get(url, {"category": "no such"}).content.decode()
    assert signed_in().get(url).status_code == 403


def test_an_analyst_of_one_market_assesses_that_one(markets: tuple[Market, Market]) -> None:
    small, _large = markets
    risk("GRAVE")
    signed_in(Role.ANALYST, markets=[small]).post(reverse("admin:governance_assessment_assess"))
    assert {row.market for row in Assessment.objects.all()} == {small}


# --- coverage ---------------------------------------------------------------------------------------------------------
def test_risks_without_rules_and_rules_without_risks(markets: tuple[Market, Market]) -> None:
    small, _large = markets
    bare, drafted, paused, partly, fully = (risk(code) for code in ("BARE", "DRAFT", "PAUSE", "PART", "FULL"))
    gone, over = (risk(code, retired_at=timezone.now()) for code in ("GONE", "OVER"))
    factories.version(factories.rule(risk=drafted), status="draft", live_since=None)
    factories.version(factories.rule(risk=paused), status="paused")
    part = factories.version(factories.rule(risk=partly))
    part.live_periods.all().delete()
    LivePeriod.objects.create(version=part, market=small, starts_at=timezone.now() - dt.timedelta(days=1))
    factories.version(factories.rule(risk=fully))
    orphan = factories.version(factories.rule("ORPHAN", risk=gone)).rule
    sleeping = factories.version(factories.rule("ASLEEP", risk=gone), status="draft", live_since=None).rule
    factories.version(factories.rule("RETIRED", risk=over), status="retired")
    Risk.objects.filter(code="RSK").delete()

    found = coverage_of(EVERYWHERE)

    assert found.without_rule == [bare]
    assert found.not_live == [drafted, paused]
    assert [(gap.risk, gap.covered, gap.missing) for gap in found.gaps] == [(partly, 1, ["ZZZ"])]
    assert list(found.retired_risk) == [orphan, sleeping]
    assert (found.risks, found.markets) == (5, 2)
    # Seen from the market where it is live there is no gap.
    assert coverage_of(Actor.staff(factories.staff("auditor", markets=[small]))).gaps == []
    page = signed_in(Role.AUDITOR).get(reverse("admin:governance_assessment_coverage")).content.decode()
    for said in ("BARE", "DRAFT", "1 / 2", "ZZZ", "ORPHAN"):
        assert said in page


def test_a_period_that_is_over_or_for_another_market_covers_nothing(markets: tuple[Market, Market]) -> None:
    small, _large = markets
    over = risk("OVER")
    version = factories.version(factories.rule(risk=over), markets=["ZZZ"])
    assert [gap.missing for gap in coverage_of(EVERYWHERE).gaps] == [["AAA"]]
    LivePeriod.objects.filter(version=version).update(ends_at=timezone.now())
    assert over in coverage_of(EVERYWHERE).not_live
    LivePeriod.objects.filter(version=version).update(ends_at=None, market=small)
    # Live in a market the version does not name: nothing is watched there.
    assert [gap.missing for gap in coverage_of(EVERYWHERE).gaps] == [["AAA", "ZZZ"]]


def test_coverage_says_so_when_nothing_is_missing(db: None) -> None:
    client, url = signed_in(Role.AUDITOR), reverse("admin:governance_assessment_coverage")
    page = client.get(url).content.decode()
    for said in (
        "Every risk has a rule.",
        "What is watched is watched in every market you reach.",
        "Every rule answers to a risk on the register.",
    ):
        assert said in page
    assert signed_in().get(url).status_code == 403
