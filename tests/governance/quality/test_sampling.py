"""The draw: exact chances, bounds that hold for every population, and the same units whatever the order of the rows."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations, permutations
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.engine.intervals import wilson
from governance.quality.sampling import (
    LEAST,
    Stratum,
    draw,
    neyman,
    proportional,
    rank_of,
    size_normal,
    size_wilson,
    weights,
    wilson_half_width,
)

populations = st.dictionaries(st.text("ABCDEF", min_size=1, max_size=3), st.integers(0, 400), max_size=8)
small = st.dictionaries(st.sampled_from("ABCDEF"), st.integers(0, 40), max_size=5)
sizes = st.integers(1, 300)
shares = st.dictionaries(st.text("ABCDEF", min_size=1, max_size=3), st.floats(0, 1), max_size=8)


def units(of: dict[str, int]) -> list[tuple[str, str]]:
    return [(key, f"{key}-{number}") for key, count in of.items() for number in range(count)]


# --- how many from where ----------------------------------------------------------------------------------------------
@given(populations, sizes, shares, st.integers(1, 5))
def test_an_allocation_keeps_its_bounds(
    population: dict[str, int], size: int, share: dict[str, float], least: int
) -> None:
    alive = {key: count for key, count in population.items() if count}
    for taken in (
        proportional(population, size, least=least),
        neyman(population, size, shares=share, least=least),
    ):
        assert taken.keys() == alive.keys()
        assert all(1 <= taken[key] <= alive[key] for key in alive)
        assert sum(taken.values()) == min(max(size, len(alive)), sum(alive.values()))
        if alive and size >= least * len(alive):
            assert all(taken[key] >= min(least, alive[key]) for key in alive)


@given(populations, sizes, shares)
def test_no_unit_moved_elsewhere_would_make_the_variance_smaller(
    population: dict[str, int], size: int, share: dict[str, float]
) -> None:
    taken = neyman(population, size, shares=share)
    floor = max(1, min(LEAST, size // max(1, len(taken))))

    def spread(key: str) -> Fraction:
        p = Fraction(share.get(key, 0.1))
        return Fraction(population[key]) ** 2 * p * (1 - p)

    for giver, taker in permutations(taken, 2):
        if taken[giver] > min(floor, population[giver]) and taken[taker] < population[taker]:
            lost = spread(giver) / (taken[giver] - 1) - spread(giver) / taken[giver]
            won = spread(taker) / taken[taker] - spread(taker) / (taken[taker] + 1)
            assert won <= lost


@pytest.mark.parametrize(
    ("population", "size", "expected"),
    [
        ({"a": 600, "b": 300, "c": 100}, 100, {"a": 60, "b": 30, "c": 10}),
        ({"a": 1000, "b": 1000}, 10, {"a": 5, "b": 5}),
        # Small strata are taken whole, and the rest shares what is left.
        ({"a": 1000, "b": 2, "c": 1}, 23, {"a": 20, "b": 2, "c": 1}),
        # Fewer than there are strata: one each all the same.
        ({"a": 5, "b": 5, "c": 5}, 1, {"a": 1, "b": 1, "c": 1}),
        # More than there are: everything.
        ({"a": 5, "b": 1}, 100, {"a": 5, "b": 1}),
        ({"a": 0, "b": 7}, 3, {"b": 3}),
        ({}, 3, {}),
    ],
)
def test_in_proportion(population: dict[str, int], size: int, expected: dict[str, int]) -> None:
    assert proportional(population, size) == expected


def test_neyman_takes_more_where_answers_differ() -> None:
    # 1000·√(.5·.5) : 1000·√(.1·.9) = .5 : .3
    assert neyman({"even": 1000, "rare": 1000}, 80, shares={"even": 0.5, "rare": 0.1}) == {
        "even": 50,
        "rare": 30,
    }
    # Believed to be all alike: looked at all the same.
    assert neyman({"known": 1000, "other": 1000}, 80, shares={"known": 0.0, "other": 0.5}) == {
        "known": LEAST,
        "other": 80 - LEAST,
    }
    # Believed to be all alike everywhere: as many as there are.
    assert neyman({"a": 300, "b": 100}, 40, shares={"a": 0.0, "b": 1.0}) == proportional(
        {"a": 300, "b": 100}, 40
    )


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": 3, "least": 0}])
def test_a_draw_of_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        proportional({"a": 3}, **wrong)


def test_a_share_is_one() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        neyman({"a": 3}, 1, shares={"a": 1.5})


# --- which ones -------------------------------------------------------------------------------------------------------
@given(small, st.integers(1, 60), st.integers(0, 2**40), st.randoms(use_true_random=False))
def test_a_draw_depends_on_its_seed_and_not_on_the_order_of_the_rows(
    population: dict[str, int], size: int, seed: int, order: object
) -> None:
    rows = units(population)
    shuffled = list(rows)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = draw(rows, size=size, seed=seed), draw(shuffled, size=size, seed=seed)
    assert first == second
    assert len(set(first.chosen)) == len(first.chosen) == sum(stratum.drawn for stratum in first.strata)
    assert Counter(key for key, _unit in first.chosen) == {
        stratum.key: stratum.drawn for stratum in first.strata
    }
    assert set(first.chosen) <= set(rows)
    assert {stratum.key: stratum.population for stratum in first.strata} == {
        key: count for key, count in population.items() if count
    }


@given(small, st.integers(1, 60), st.integers(0, 2**40))
def test_the_lowest_ranks_are_drawn(population: dict[str, int], size: int, seed: int) -> None:
    found = draw(units(population), size=size, seed=seed)
    for stratum in found.strata:
        ranked = sorted((rank_of(unit, seed), unit) for key, unit in units(population) if key == stratum.key)
        assert [unit for key, unit in found.chosen if key == stratum.key] == [
            unit for _rank, unit in ranked[: stratum.drawn]
        ]


def test_another_seed_draws_others() -> None:
    rows = units({"a": 1000})
    assert set(draw(rows, size=50, seed=1).chosen) != set(draw(rows, size=50, seed=2).chosen)


def test_what_is_added_elsewhere_changes_no_draw_of_a_stratum_of_the_same_size() -> None:
    before = draw(units({"a": 10, "b": 10}), size=10, seed=7)
    after = draw([*units({"a": 10, "b": 10}), *units({"c": 10})], size=15, seed=7)
    assert set(before.chosen) < set(after.chosen)


# --- with what chance -------------------------------------------------------------------------------------------------
@given(st.integers(1, 10_000), st.data())
def test_chances_are_exact_and_weights_give_the_population_back(population: int, more: st.DataObject) -> None:
    drawn = more.draw(st.integers(1, population))
    stratum = Stratum("a", population, drawn)
    assert stratum.probability == Fraction(drawn, population)
    assert stratum.drawn * stratum.weight == population
    assert weights([stratum]) == {"a": pytest.approx(population / drawn)}


def test_every_unit_of_a_stratum_has_the_stated_chance() -> None:
    """Over all orders that ranks can put five units in, each of them is among the first two in 2/5 of the cases exactly."""
    names = "abcde"
    drawn = Counter(unit for order in permutations(names) for unit in order[:2])
    chance = Stratum("s", 5, 2).probability
    assert {Fraction(drawn[name], 120) for name in names} == {chance}


@pytest.mark.parametrize("hits", [[3, 1], [0, 4], [5, 0]])
def test_the_weighted_total_is_right_on_average_over_every_possible_sample(hits: list[int]) -> None:
    """Horvitz–Thompson, without a random number: the mean over all samples of two and one units of strata of 6 and 4."""
    truth = [[1] * hits[0] + [0] * (6 - hits[0]), [1] * hits[1] + [0] * (4 - hits[1])]
    strata = [Stratum("a", 6, 2), Stratum("b", 4, 1)]
    total = Fraction(0)
    for one in combinations(range(6), 2):
        for other in combinations(range(4), 1):
            total += strata[0].weight * sum(truth[0][at] for at in one)
            total += strata[1].weight * sum(truth[1][at] for at in other)
    assert total / (comb(6, 2) * comb(4, 1)) == sum(hits)


# --- how many are needed ----------------------------------------------------------------------------------------------
def test_known_sizes() -> None:
    assert size_normal(0.05) == 385
    assert size_normal(0.05, population=1000) == 278
    assert size_normal(0.03) == 1068
    assert size_normal(0.02, share=0.1) == 865
    assert size_wilson(0.05) == 381
    assert size_normal(0.05, population=3) == 3


@given(st.floats(0.005, 0.4), st.floats(0, 1))
def test_one_fewer_would_be_too_few(half_width: float, share: float) -> None:
    n = size_wilson(half_width, share=share)
    assert wilson_half_width(share, n) <= half_width
    assert n == 1 or wilson_half_width(share, n - 1) > half_width


@pytest.mark.parametrize(("hits", "n"), [(81, 263), (15, 148), (1, 29)])
def test_the_half_width_is_that_of_the_interval(hits: int, n: int) -> None:
    low, high = wilson(hits, n)
    assert wilson_half_width(hits / n, n) == pytest.approx((high - low) / 2, abs=1e-12)


@pytest.mark.parametrize(("half_width", "share"), [(0, 0.5), (1, 0.5), (0.1, -0.1), (0.1, 1.1)])
def test_impossible_wishes_are_refused(half_width: float, share: float) -> None:
    for size in (size_normal, size_wilson):
        with pytest.raises(ValueError, match="half-width"):
            size(half_width, share=share)
