"""Shares with what is known about them: n, the Wilson interval, and the refusal to show a number made of too few."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

#: Quantile of the standard normal distribution for a two-sided 95 % interval.
Z_95 = 1.959963984540054
#: Below this many cases a share is not shown.
FEWEST = 10


def wilson(successes: int, n: int, *, z: float = Z_95) -> tuple[float, float]:
    """The Wilson score interval for a share, without continuity correction (Wilson 1927). `n` must be positive."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError("a share needs 0 ≤ successes ≤ n and n > 0")
    share = successes / n
    spread = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = (share + z * z / (2 * n) - spread) / (1 + z * z / n)
    high = (share + z * z / (2 * n) + spread) / (1 + z * z / n)
    # Where the formula meets the edge it does so exactly; floating point does not.
    return (0.0 if successes == 0 else low), (1.0 if successes == n else high)


@dataclass(frozen=True)
class Share:
    """`successes` of `n`. `value`, `low` and `high` are None while there are fewer than FEWEST cases."""

    successes: int
    n: int
    value: float | None
    low: float | None
    high: float | None

    @property
    def insufficient_data(self) -> bool:
        return self.value is None

    @classmethod
    def of(cls, successes: int, n: int) -> Share:
        if n < FEWEST:
            return cls(successes, n, None, None, None)
        low, high = wilson(successes, n)
        return cls(successes, n, successes / n, low, high)
