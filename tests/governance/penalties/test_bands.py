"""Bands of a market: one with bands of its own has those and none of the others."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.models import Band, BandCrossing, Penalty, Standing
from governance.penalties import services
from governance.penalties.bands import Bands, bands_of
from guilds.models import Guild, Market
from tests import factories

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def own() -> Market:
    """A market with bands of its own, beside the general ones."""
    market = factories.market("OWN")
    Band.objects.create(
        code="talk", name="Talk", at_or_below=90, penalties=[{"kind": "interview", "days": 14}]
    )
    Band.objects.create(
        code="hold", name="Hold", at_or_below=70, penalties=[{"kind": "settlement_hold", "days": 30}]
    )
    Band.objects.create(
        code="hold",
        name="Hold here",
        at_or_below=80,
        market=market,
        penalties=[{"kind": "reward_freeze", "days": 5}],
    )
    return market


def offend(guild: Guild, count: int, **version: Any) -> None:
    rule = factories.version(**version)
    for _ in range(count):
        factories.violation(guild, rule, status="confirmed", occurred_at=timezone.now())
    services.sanctions_decide_due()


def crossed(guild: Guild) -> list[tuple[str, int]]:
    return list(BandCrossing.objects.filter(guild=guild).order_by("pk").values_list("band__name", "score"))


def test_each_guild_is_measured_against_the_bands_of_its_market(own: Market) -> None:
    here, elsewhere = factories.guild(market=own), factories.guild()
    offend(here, 3)
    offend(elsewhere, 3)
    assert crossed(here) == [("Hold here", 80)]
    assert crossed(elsewhere) == [("Talk", 90), ("Hold", 70)]
    assert Standing.objects.get(guild=here).band == "hold"
    kinds = Penalty.objects.filter(crossing__isnull=False)
    assert list(kinds.filter(guild=here).values_list("kind", flat=True)) == ["reward_freeze"]


def test_an_own_band_fires_once_per_crossing(own: Market) -> None:
    guild = factories.guild(market=own)
    offend(guild, 2)
    offend(guild, 1)
    assert len(crossed(guild)) == 1
    services.points_expire_due(now=timezone.now() + 181 * DAY)
    assert Standing.objects.get(guild=guild).band == "healthy"
    assert not BandCrossing.objects.filter(left_at__isnull=True).exists()
    offend(guild, 2)
    assert len(crossed(guild)) == 2


def test_a_market_that_gets_bands_of_its_own_leaves_the_old_crossing_by_its_score(own: Market) -> None:
    other = factories.market("NEW")
    guild = factories.guild(market=other)
    offend(guild, 1)
    assert crossed(guild) == [("Talk", 90)]
    Band.objects.create(code="late", name="Late", at_or_below=50, market=other)
    offend(guild, 1)
    assert crossed(guild) == [("Talk", 90)], "nothing of the general bands is entered any more"
    assert Standing.objects.get(guild=guild).band == "healthy"
    services.points_expire_due(now=timezone.now() + 181 * DAY)
    assert not BandCrossing.objects.filter(left_at__isnull=True).exists()


def test_bands_come_mildest_first_and_the_harshest_names_the_standing(own: Market) -> None:
    general = factories.market()
    assert [band.name for band in bands_of(general.pk)] == ["Talk", "Hold"]
    assert [band.name for band in bands_of(own.pk)] == ["Hold here"]
    bands = Bands()
    assert [bands.code_at(general.pk, score) for score in (91, 90, 71, 70)] == [
        "healthy",
        "talk",
        "talk",
        "hold",
    ]


def test_bands_of_markets_cost_one_question_for_the_whole_batch(own: Market) -> None:
    version = factories.version()

    def queries(count: int) -> int:
        for _ in range(count):
            factories.violation(factories.guild(market=own), version, status="confirmed", evidence=False)
        with CaptureQueriesContext(connection) as asked:
            services.sanctions_decide_due(limit=200)
        return len(asked)

    assert queries(3) == queries(40)
