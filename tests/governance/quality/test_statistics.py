"""Agreement and stratified shares against published answers, and against every possible sample of a small population."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.engine.intervals import wilson
from governance.quality.statistics import (
    Judged,
    cohen_kappa,
    estimate,
    kappa_of_pairs,
    krippendorff_alpha,
)

#: The reliability data of three coders and fifteen units, as in the article "Krippendorff's alpha" of Wikipedia ("A
#: computational example") and in the read-me of the Python package `krippendorff`. A star is a gap.
CODERS = (
    "* * * * * 3 4 1 2 1 1 3 3 * 3",
    "1 * 2 1 3 3 4 3 * * * * * * *",
    "* * 2 1 3 4 4 * 2 1 1 3 3 * 4",
)


# --- agreement --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("table", "kappa"),
    [([[20, 5], [10, 15]], 0.4), ([[45, 15], [25, 15]], 0.1304), ([[25, 35], [5, 35]], 0.2593)],
)
def test_kappa_of_the_textbook(table: list[list[int]], kappa: float) -> None:
    found = cohen_kappa(table)
    assert found.value == pytest.approx(kappa, abs=5e-5)
    assert found.n == sum(map(sum, table))


def test_the_error_of_kappa() -> None:
    assert cohen_kappa([[20, 5], [10, 15]]).error == pytest.approx(0.1270, abs=5e-5)


def test_kappa_where_chance_explains_everything() -> None:
    assert cohen_kappa([[7, 0], [0, 0]]).value is None
    assert cohen_kappa([[0, 0], [0, 0]]).value is None
    assert cohen_kappa([]).n == 0
    assert cohen_kappa([[5, 0], [0, 5]]).value == pytest.approx(1)
    assert cohen_kappa([[5, 0], [0, 5]]).error == pytest.approx(0)


@pytest.mark.parametrize("table", [[[1, 2]], [[1, -1], [0, 2]]])
def test_a_table_that_is_none(table: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="square"):
        cohen_kappa(table)


def test_kappa_of_pairs_is_kappa_of_their_table() -> None:
    pairs = (
        [("confirm", "confirm")] * 20
        + [("confirm", "dismiss")] * 5
        + [("dismiss", "confirm")] * 10
        + [("dismiss", "dismiss")] * 15
    )
    assert kappa_of_pairs(pairs) == cohen_kappa([[20, 5], [10, 15]])


def test_alpha_of_three_coders_with_gaps() -> None:
    rows = [[None if mark == "*" else mark for mark in line.split()] for line in CODERS]
    found = krippendorff_alpha(zip(*rows, strict=True))
    assert found.value == pytest.approx(0.691358, abs=5e-7)
    assert found.n == 12


def test_alpha_at_its_ends() -> None:
    assert krippendorff_alpha([("a", "a"), ("b", "b", "b")]).value == pytest.approx(1)
    assert krippendorff_alpha([("a", "a"), ("a", "a")]).value is None
    assert krippendorff_alpha([("a", None), ("b",), ()]).n == 0
    # Two judges who never agree: worse than chance.
    assert (krippendorff_alpha([("a", "b"), ("b", "a")]).value or 0) < 0


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=2, max_size=4), min_size=1, max_size=12))
def test_alpha_knows_no_order_of_judges_and_no_names(units: list[list[str]]) -> None:
    renamed = [[{"a": 3, "b": 1, "c": 2}[mark] for mark in reversed(unit)] for unit in units]
    one, other = krippendorff_alpha(units).value, krippendorff_alpha(renamed).value
    assert one == pytest.approx(other) if one is not None else other is None


# --- shares -----------------------------------------------------------------------------------------------------------
def test_one_large_stratum_has_about_the_interval_of_wilson() -> None:
    found = estimate([Judged(10_000_000, 263, 263, 81)])
    low, high = wilson(81, 263)
    assert found.value == pytest.approx(81 / 263)
    # The variance here divides by n − 1.
    assert found.low == pytest.approx(low, abs=2e-4)
    assert found.high == pytest.approx(high, abs=2e-4)


def test_weights_count() -> None:
    # 900 automatic decisions, 10 of 100 looked at wrong; 100 human ones, 50 of 100 wrong.
    found = estimate([Judged(900, 100, 100, 10), Judged(100, 100, 100, 50)])
    assert found.value == pytest.approx(0.9 * 0.1 + 0.1 * 0.5)
    assert found.error == pytest.approx((0.9**2 * (1 - 100 / 900) * 0.1 * 0.9 / 99) ** 0.5)
    assert (found.n, found.population, found.of_population) == (200, 1000, 1000)


def test_nothing_seen_still_has_an_interval() -> None:
    found = estimate([Judged(1000, 20, 20, 0)])
    low, high = wilson(0, 20)
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(high)
    assert low == 0


def test_everybody_asked_leaves_no_doubt() -> None:
    found = estimate([Judged(20, 20, 20, 5), Judged(10, 10, 10, 10)])
    assert (found.value, found.low, found.high, found.error) == (0.5, 0.5, 0.5, 0)


def test_a_stratum_nobody_has_judged_is_not_spoken_for() -> None:
    found = estimate([Judged(100, 50, 50, 25), Judged(300, 0, 0, 0)])
    assert found.value == pytest.approx(0.5)
    assert (found.population, found.of_population) == (100, 400)


@pytest.mark.parametrize(
    "strata", [[], [Judged(100, 0, 0, 0)], [Judged(100, 9, 9, 3)], [Judged(100, 50, 9, 3)]]
)
def test_too_few_are_not_a_share(strata: list[Judged]) -> None:
    found = estimate(strata)
    assert found.insufficient_data
    assert (found.value, found.low, found.high, found.error) == (None, None, None, None)


def test_a_domain_is_a_ratio() -> None:
    # Of those confirmed: 20 of 30 judged in the one, 1 of 2 in the other; a unit stands for 10 and for 1.
    found = estimate([Judged(400, 40, 30, 20), Judged(10, 10, 2, 1)], fewest=1)
    assert found.value == pytest.approx((20 * 10 + 1) / (30 * 10 + 2))


@st.composite
def judged(draw: st.DrawFn) -> Judged:
    count = draw(st.integers(1, 200))
    inside = draw(st.integers(0, count))
    return Judged(draw(st.integers(count, 5000)), count, inside, draw(st.integers(0, inside)))


@given(st.lists(judged(), min_size=1, max_size=6))
def test_an_interval_holds_its_share_and_stays_within_0_and_1(strata: list[Judged]) -> None:
    found = estimate(strata, fewest=1)
    if found.value is not None:
        assert found.low is not None
        assert found.high is not None
        assert -1e-12 <= found.low <= found.value + 1e-12
        assert found.value - 1e-12 <= found.high <= 1 + 1e-12


@pytest.mark.parametrize("hits", [(3, 1), (2, 2), (6, 0), (0, 3)])
def test_share_and_variance_are_right_on_average_over_every_possible_sample(hits: tuple[int, int]) -> None:
    """Strata of 6 and 4, of which 3 and 2 are judged: unbiased exactly, and the variance as well."""
    truth = [[1] * hits[0] + [0] * (6 - hits[0]), [1] * hits[1] + [0] * (4 - hits[1])]
    values, variances = [], []
    for one, other in product(combinations(range(6), 3), combinations(range(4), 2)):
        found = estimate(
            [
                Judged(6, 3, 3, sum(truth[0][at] for at in one)),
                Judged(4, 2, 2, sum(truth[1][at] for at in other)),
            ],
            fewest=1,
        )
        assert found.value is not None
        assert found.error is not None
        values.append(found.value)
        variances.append(found.error**2)
    samples = comb(6, 3) * comb(4, 2)
    mean = sum(values) / samples
    assert mean == pytest.approx(float(Fraction(sum(hits), 10)))
    assert sum(variances) / samples == pytest.approx(sum((value - mean) ** 2 for value in values) / samples)
