"""Shares against known answers (R, binom package)."""

from __future__ import annotations

import pytest

from governance.insights.intervals import FEWEST, Share, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.255289, 0.366210),
        (15, 148, 0.062386, 0.160487),
        (0, 20, 0, 0.161125),
        (1, 29, 0.006113, 0.171755),
        (3, 15, 0.070475, 0.451854),
    ],
)
def test_wilson_equals_the_known_answers(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=1e-6)


def test_wilson_is_symmetric_and_stays_within_0_and_1() -> None:
    for n in (1, 2, 10, 1000):
        for successes in {0, 1, n // 2, n}:
            low, high = wilson(successes, n)
            assert 0 <= low <= successes / n <= high <= 1
            assert wilson(n - successes, n) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="a share needs"):
        wilson(successes, n)


def test_a_share_of_too_few_has_no_value() -> None:
    few, enough = Share.of(3, FEWEST - 1), Share.of(3, FEWEST)

    assert (few.insufficient_data, few.value, few.low, few.high, few.n) == (True, None, None, None, 9)
    assert (enough.insufficient_data, enough.value) == (False, 0.3)
    assert (enough.low, enough.high) == wilson(3, 10)
