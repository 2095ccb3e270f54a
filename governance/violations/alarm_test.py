"""The exact test behind alarms: whether a count is far outside its own history. Plain mathematics, no storage.

With x violations in a window and y in a baseline B times as long, and the same unknown rate in both, x given x + y is binomial
with n = x + y trials of probability 1 / (1 + B) (Przyborowski and Wilenski, 1940). The p-value is the tail of that distribution:
no approximation, and valid for small counts. It takes events for independent; `FAR` keeps what that overlooks, such as busy
weekends, from raising alarms over small differences in great numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, lgamma, log, log1p

#: The chance that a run over all rules and markets raises any alarm although nothing has changed.
ALPHA = 0.001
#: An alarm also needs a rate this many times as high, or as low, as it used to be.
FAR = 1.5


def surge_p(observed: int, before: int, baseline: float) -> float:
    """P(X ≥ observed) of `observed` in one window against `before` in a baseline of so many windows."""
    return _at_least(observed, observed + before, 1 / (1 + baseline))


def silence_p(observed: int, before: int, baseline: float) -> float:
    """P(X ≤ observed), as `surge_p`."""
    return _at_most(observed, observed + before, 1 / (1 + baseline))


def rejected(p_values: Sequence[float], alpha: float = ALPHA) -> list[bool]:
    """Which of the tests reject at a family-wise error rate of alpha, by Holm's step-down procedure (1979)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    found = [False] * len(p_values)
    for rank, place in enumerate(order):
        if p_values[place] > alpha / (len(p_values) - rank):
            break
        found[place] = True
    return found


def _at_least(k: int, n: int, p: float) -> float:
    if k <= 0:
        return 1.0
    if k <= n * p:
        return 1.0 - _at_most(k - 1, n, p)
    return _tail(k, n, p, range(k, n))


def _at_most(k: int, n: int, p: float) -> float:
    if k >= n:
        return 1.0
    if k >= n * p:
        return 1.0 - _at_least(k + 1, n, p)
    return _tail(k, n, p, range(k, 0, -1))


def _tail(k: int, n: int, p: float, steps: range) -> float:
    """The sum of the probabilities from k outwards, each got from the one before it; away from the mean they only fall."""
    odds = p / (1 - p)
    logarithm = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log1p(-p)
    relative = total = 1.0
    for i in steps:
        relative *= (n - i) / (i + 1) * odds if steps.step > 0 else i / ((n - i + 1) * odds)
        total += relative
        if relative < total * 1e-17:
            break
    return min(exp(logarithm) * total, 1.0)
