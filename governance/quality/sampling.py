"""Stratified random samples: how many from where, which ones, and with what chance. Pure: no database, no clock.

Everything here is exact and repeatable. A unit's place in the draw is a hash of the seed and of its name, so the same seed
draws the same units in whatever order the rows come, and nobody can steer a draw but by choosing the seed before.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, sqrt

from governance.engine.intervals import Z_95

#: Drawn from every stratum where it has as many; a smaller stratum is taken whole.
LEAST = 2
#: Share of wrong decisions taken for a stratum about which nothing is known.
UNKNOWN_SHARE = 0.1


@dataclass(frozen=True)
class Stratum:
    """One part of the population: how many there are, and how many of them were drawn."""

    key: str
    population: int
    drawn: int

    @property
    def probability(self) -> Fraction:
        """The chance of each of its units to have been drawn, n/N exactly."""
        return Fraction(self.drawn, self.population)

    @property
    def weight(self) -> Fraction:
        """How many units of the population each drawn one stands for, N/n."""
        return 1 / self.probability


@dataclass(frozen=True)
class Draw:
    """`chosen`: (stratum, unit), stratum by stratum, within each in the order of the draw."""

    strata: tuple[Stratum, ...]
    chosen: tuple[tuple[str, str], ...]


def proportional(populations: Mapping[str, int], size: int, *, least: int = LEAST) -> dict[str, int]:
    """As many from each stratum as its share of the population; see `_allocated` for the bounds."""
    return _allocated(
        populations, {key: Fraction(count) ** 2 for key, count in populations.items()}, size, least
    )


def neyman(
    populations: Mapping[str, int], size: int, *, shares: Mapping[str, float], least: int = LEAST
) -> dict[str, int]:
    """More from where answers differ more: n ∝ N·√(p(1−p)), the allocation with the smallest variance (Neyman 1934).

    `shares` gives the share p expected in a stratum, 0 to 1; UNKNOWN_SHARE where none is given. A stratum believed to be
    all alike (p of 0 or 1) still gets its `least`.
    """
    squared = {}
    for key, count in populations.items():
        share = Fraction(shares.get(key, UNKNOWN_SHARE))
        if not 0 <= share <= 1:
            raise ValueError("a share lies between 0 and 1")
        squared[key] = Fraction(count) ** 2 * share * (1 - share)
    return _allocated(populations, squared, size, least)


def _allocated(
    populations: Mapping[str, int], squared: Mapping[str, Fraction], size: int, least: int
) -> dict[str, int]:
    """The whole numbers n that make Σ squared/n smallest, with min(least, N) ≤ n ≤ N and Σ n = min(size, Σ N).

    Given one at a time to where the next one helps most, by squared / (n(n+1)), which is exact (Wright 2012). A draw too
    small for its strata lowers `least` to what it has room for; it never falls below one per stratum, and grows to that,
    for a stratum without a chance would be a part of the population that nobody looks at.
    """
    if size < 1 or least < 1:
        raise ValueError("a sample has at least one unit, and takes at least one from every stratum")
    strata = sorted(key for key, count in populations.items() if count > 0)
    if not strata:
        return {}
    least = max(1, min(least, size // len(strata)))
    taken = {key: min(least, populations[key]) for key in strata}
    left = min(size, sum(populations[key] for key in strata)) - sum(taken.values())

    def order(key: str) -> tuple[Fraction, Fraction, str]:
        # Where nothing helps any more (p of 0 or 1) the rest goes by population; the name settles what is left.
        steps = taken[key] * (taken[key] + 1)
        return -squared[key] / steps, -(Fraction(populations[key]) ** 2) / steps, key

    waiting = [order(key) for key in strata if taken[key] < populations[key]]
    heapq.heapify(waiting)
    while left > 0 and waiting:
        *_gains, key = heapq.heappop(waiting)
        taken[key] += 1
        left -= 1
        if taken[key] < populations[key]:
            heapq.heappush(waiting, order(key))
    return taken


def rank_of(unit: str, seed: int) -> int:
    """A unit's place in the draw of a seed: the lowest of a stratum are drawn."""
    return int.from_bytes(hashlib.sha256(f"{seed}|{unit}".encode()).digest()[:16])


def draw(
    units: Iterable[tuple[str, str]],
    *,
    size: int,
    seed: int,
    shares: Mapping[str, float] | None = None,
    least: int = LEAST,
) -> Draw:
    """Draw about `size` of (stratum, unit), without replacement; in proportion, or by Neyman where `shares` are given.

    One pass, keeping at most `size` units of each stratum, so the population may be any size.
    """
    populations: dict[str, int] = {}
    kept: dict[str, list[tuple[int, str]]] = {}
    for key, unit in units:
        populations[key] = populations.get(key, 0) + 1
        lowest = kept.setdefault(key, [])
        entry = (-rank_of(unit, seed), unit)
        if len(lowest) < size:
            heapq.heappush(lowest, entry)
        elif entry > lowest[0]:
            heapq.heapreplace(lowest, entry)
    taken = (
        proportional(populations, size, least=least)
        if shares is None
        else neyman(populations, size, shares=shares, least=least)
    )
    strata = tuple(Stratum(key, populations[key], count) for key, count in taken.items())
    chosen = tuple(
        (stratum.key, unit)
        for stratum in strata
        for _rank, unit in sorted(kept[stratum.key], reverse=True)[: stratum.drawn]
    )
    return Draw(strata, chosen)


def weights(strata: Iterable[Stratum]) -> dict[str, float]:
    """N/n by stratum: what each judged unit counts for in an estimate about the population."""
    return {stratum.key: float(stratum.weight) for stratum in strata}


# --- how many are needed ----------------------------------------------------------------------------------------------
def size_normal(
    half_width: float, *, share: float = 0.5, population: int | None = None, z: float = Z_95
) -> int:
    """Units of a simple random sample whose normal interval is `share` ± `half_width`, for a population of any size or
    this one (Cochran 1977, 4.4)."""
    _require_share(half_width, share)
    wanted = z * z * share * (1 - share) / half_width**2
    if population is not None:
        wanted = wanted / (1 + (wanted - 1) / population) if wanted > 0 else wanted
        return min(population, max(1, ceil(wanted)))
    return max(1, ceil(wanted))


def size_wilson(half_width: float, *, share: float = 0.5, z: float = Z_95) -> int:
    """The smallest simple random sample whose Wilson interval around `share` reaches no further than `half_width` either way
    from its own middle."""
    _require_share(half_width, share)
    low, high = 0, 1
    while wilson_half_width(share, high, z=z) > half_width:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if wilson_half_width(share, middle, z=z) > half_width:
            low = middle
        else:
            high = middle
    return high


def wilson_half_width(share: float, n: int, *, z: float = Z_95) -> float:
    """Half the length of the Wilson interval for a share seen in `n` units."""
    return z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)


def _require_share(half_width: float, share: float) -> None:
    if not 0 < half_width < 1 or not 0 <= share <= 1:
        raise ValueError("a half-width lies between 0 and 1, a share from 0 to 1")
