"""The score of a risk against numbers worked out by hand, and the exact test against R's."""

from __future__ import annotations

import pytest

from governance.risks.enums import Trend
from governance.risks.scoring import (
    Background,
    Comparison,
    Facts,
    compare,
    likelihood_of,
    prevalence_of,
    rate_of,
    score,
    together,
)

#: 40 guilds of which 4 with an upheld violation, in 2,000 live hours; before it 5 violations in as many hours, now 15.
MARKET = Facts(
    live_hours=2_000,
    live_hours_before=2_000,
    guilds=40,
    violations=18,
    undecided=1,
    upheld=15,
    upheld_before=5,
    guilds_upheld=4,
    feedback=3,
    watched=True,
    watched_throughout=True,
)


@pytest.mark.parametrize(
    ("newer", "older", "exposures", "expected"),
    [
        # The example of R's documentation of poisson.test: c(11, 6+8+7), c(800, 1083+1050+878) gives p-value = 0.07967.
        (11, 21, (800, 3011), (Trend.STEADY, 0.07967)),
        # binom.test(15, 20)$p.value = 0.04139, binom.test(14, 20)$p.value = 0.1153
        (15, 5, (1, 1), (Trend.RISING, 0.04139)),
        (5, 15, (1, 1), (Trend.FALLING, 0.04139)),
        (14, 6, (1, 1), (Trend.STEADY, 0.11532)),
        # binom.test(10, 20, 0.2)$p.value = 0.00259. On a quarter of the hours a rise, on four times a fall.
        (10, 10, (1, 4), (Trend.RISING, 0.00259)),
        (10, 10, (4, 1), (Trend.FALLING, 0.00259)),
    ],
)
def test_the_exact_test_of_two_rates(
    newer: int, older: int, exposures: tuple[float, float], expected: tuple[Trend, float]
) -> None:
    found = compare(newer, older, exposure_newer=exposures[0], exposure_older=exposures[1])
    assert found.p_value is not None
    assert (found.trend, round(found.p_value, 5)) == expected


@pytest.mark.parametrize(
    ("newer", "older", "exposures"), [(9, 0, (1, 1)), (20, 0, (1, 0)), (20, 5, (0, 1)), (0, 0, (0, 0))]
)
def test_too_little_is_a_state_of_its_own(newer: int, older: int, exposures: tuple[float, float]) -> None:
    found = compare(newer, older, exposure_newer=exposures[0], exposure_older=exposures[1])
    assert found == Comparison(Trend.UNKNOWN, None)


def test_thousands_of_cases_neither_overflow_nor_vanish() -> None:
    found = compare(30_000, 30_001, exposure_newer=7.0, exposure_older=7.0)
    assert found.trend == Trend.STEADY
    assert compare(31_000, 29_000, exposure_newer=1, exposure_older=1).trend == Trend.RISING


def test_one_guild_of_three_is_not_a_third_of_a_market() -> None:
    few = Facts(guilds=3, guilds_upheld=1, watched=True)
    # (1 + 20 × 0.02) ÷ (3 + 20)
    assert prevalence_of(few, 0.02) == pytest.approx(1.4 / 23)
    # Many guilds speak for themselves: (100 + 0.4) ÷ (300 + 20)
    assert prevalence_of(Facts(guilds=300, guilds_upheld=100), 0.02) == pytest.approx(100.4 / 320)
    # Where nobody streams, nothing but the mean is known.
    assert prevalence_of(Facts(), 0.02) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("share", "likelihood"),
    [(0.0, 1), (0.0099, 1), (0.01, 2), (0.03, 3), (0.079, 3), (0.08, 4), (0.2, 5), (1.0, 5)],
)
def test_shares_of_guilds_become_one_to_five(share: float, likelihood: int) -> None:
    assert likelihood_of(share) == likelihood


def test_the_score_and_its_parts() -> None:
    found = score(MARKET, Background(mean=0.05, most_live_hours=10_000), harm=4, likelihood=1)
    severity, trend, feedback, exposure = found.parts
    # (4 + 20 × 0.05) ÷ (40 + 20) = 5 ÷ 60 = 0.083: likelihood 4; 60 × 4 × 4 ÷ 25
    assert severity["prevalence"] == pytest.approx(5 / 60)
    assert (severity["likelihood"], severity["value"], severity["points"]) == (4, 16, 38.4)
    assert (trend["value"], trend["points"], round(trend["p_value"], 5)) == ("rising", 15, 0.04139)
    assert (feedback["value"], feedback["points"]) == (3, 3)
    # 15 × 2,000 ÷ 10,000
    assert (exposure["value"], exposure["points"]) == (0.2, 3.0)
    assert found.priority == 59.4  # 38.4 + 15 + 3 + 3
    assert (found.rate, found.rate_before, found.trend) == (7.5, 2.5, Trend.RISING)


def test_the_parts_add_up_to_a_hundred_at_most_and_to_little_at_least() -> None:
    worst = score(
        Facts(
            live_hours=10,
            live_hours_before=10,
            guilds=10,
            upheld=100,
            guilds_upheld=10,
            feedback=50,
            watched=True,
            watched_throughout=True,
        ),
        Background(mean=1.0, most_live_hours=10),
        harm=5,
        likelihood=1,
    )
    assert (worst.priority, sum(part["weight"] for part in worst.parts)) == (100.0, 100)
    least = score(
        Facts(
            live_hours=0,
            live_hours_before=10,
            guilds=500,
            upheld=0,
            upheld_before=40,
            watched=True,
            watched_throughout=True,
        ),
        Background(mean=0.0, most_live_hours=10),
        harm=1,
        likelihood=5,
    )
    assert least.priority == 9.9  # 60 ÷ 25, and half the trend: without live hours nothing is compared


def test_finding_nothing_where_nobody_looks_means_nothing() -> None:
    blind = Facts(live_hours=500, live_hours_before=500, guilds=50, upheld=0, upheld_before=20)
    found = score(blind, Background(mean=0.1, most_live_hours=500), harm=5, likelihood=4)
    severity, trend, *_ = found.parts
    assert (severity["source"], severity["likelihood"], severity["points"]) == ("register", 4, 48.0)
    assert (trend["value"], trend["points"]) == ("unknown", 7.5)


def test_rules_that_began_between_the_windows_make_no_rise() -> None:
    begun = Facts(live_hours=10, live_hours_before=10, guilds=5, upheld=40, upheld_before=0, watched=True)
    assert score(begun, Background(0.1, 10), harm=1, likelihood=1).trend == Trend.UNKNOWN


def test_a_rate_needs_live_hours() -> None:
    assert rate_of(3, 0) is None
    assert rate_of(3, 1_500) == 2.0


def test_markets_together_count_only_where_it_was_watched() -> None:
    unwatched = Facts(live_hours=900, guilds=100, feedback=2)
    both = together([MARKET, unwatched])
    assert (both.guilds, both.live_hours, both.feedback, both.watched_throughout) == (40, 2_000, 5, True)
    assert together([unwatched]).guilds == 100
    assert not together([unwatched]).watched
    assert together([]) == Facts()


def test_the_background_is_the_mean_of_the_watched_markets() -> None:
    found = Background.of(
        [MARKET, Facts(guilds=60, guilds_upheld=1, watched=True), Facts(live_hours=9_000, guilds=9)]
    )
    assert (found.mean, found.most_live_hours) == (0.05, 9_000)
    assert Background.of([]) == Background(None, 0.0)
