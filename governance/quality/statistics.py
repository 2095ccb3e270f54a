"""Agreement between people, and shares of a population from a stratified sample. Pure.

Each result carries what it rests on. Below the fewest cases the figure is None and a page says "insufficient data".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

from governance.engine.intervals import FEWEST, Z_95


# --- agreement --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Agreement:
    """`value` is 1 for full agreement and 0 for as much as chance brings; None when it is not defined.

    `error` is the standard error where one is known, `n` the number of units judged by at least two.
    """

    value: float | None
    error: float | None
    n: int


def cohen_kappa(table: Sequence[Sequence[int]]) -> Agreement:
    """Cohen's kappa of two judges from their table of counts (rows the first, columns the second).

    The error is that of Fleiss, Cohen and Everitt (1969), for a kappa other than zero. Undefined when both judges gave one
    and the same answer throughout: chance alone would then agree as well.
    """
    size = len(table)
    if any(len(row) != size or min(row, default=0) < 0 for row in table):
        raise ValueError("the table is square and holds counts")
    n = sum(map(sum, table))
    if n == 0:
        return Agreement(None, None, 0)
    cells = [[count / n for count in row] for row in table]
    rows = [sum(row) for row in cells]
    columns = [sum(row[at] for row in cells) for at in range(size)]
    seen = sum(cells[at][at] for at in range(size))
    chance = sum(rows[at] * columns[at] for at in range(size))
    if chance >= 1:
        return Agreement(None, None, n)
    kappa = (seen - chance) / (1 - chance)
    on_diagonal = sum(cells[at][at] * (1 - (rows[at] + columns[at]) * (1 - kappa)) ** 2 for at in range(size))
    beside = (1 - kappa) ** 2 * sum(
        cells[row][column] * (columns[row] + rows[column]) ** 2
        for row in range(size)
        for column in range(size)
        if row != column
    )
    last = (kappa - chance * (1 - kappa)) ** 2
    variance = max(0.0, on_diagonal + beside - last) / (n * (1 - chance) ** 2)
    return Agreement(kappa, sqrt(variance), n)


def kappa_of_pairs(pairs: Iterable[tuple[Hashable, Hashable]]) -> Agreement:
    """Cohen's kappa from (first judge's answer, second judge's answer)."""
    counted = Counter(pairs)
    answers = sorted({answer for pair in counted for answer in pair}, key=str)
    return cohen_kappa([[counted[one, other] for other in answers] for one in answers])


def krippendorff_alpha(units: Iterable[Sequence[Hashable | None]]) -> Agreement:
    """Krippendorff's alpha for answers without order, any number of judges, None where somebody gave no answer.

    `units` holds the answers about one unit each. A unit with fewer than two answers says nothing about agreement and is
    left out (Krippendorff 2011, "Computing Krippendorff's alpha-reliability", D). Undefined when all answers are the same.
    """
    totals: Counter[Hashable] = Counter()
    disagreeing = 0.0
    n = 0
    for unit in units:
        answers = Counter(answer for answer in unit if answer is not None)
        count = sum(answers.values())
        if count < 2:
            continue
        n += 1
        totals.update(answers)
        disagreeing += sum(times * (count - times) for times in answers.values()) / (count - 1)
    values = sum(totals.values())
    expected = sum(times * (values - times) for times in totals.values())
    if expected == 0:
        return Agreement(None, None, n)
    return Agreement(1 - (values - 1) * disagreeing / expected, None, n)


# --- shares from a stratified sample ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Judged:
    """What is known of a stratum: of `population` units `judged` were, `inside` of these belong to the domain asked about
    (all of them, or the confirmed ones …), and `hits` of those have what is looked for."""

    population: int
    judged: int
    inside: int
    hits: int


@dataclass(frozen=True)
class Estimate:
    """A share in the population: `value` in [`low`, `high`], with its standard error.

    `n` units of the domain were judged. `population` is the part of the population it speaks for: strata in which nothing
    has been judged yet are not in it, `of_population` counts all.
    """

    value: float | None
    low: float | None
    high: float | None
    error: float | None
    n: int
    population: int
    of_population: int

    @property
    def insufficient_data(self) -> bool:
        return self.value is None


def estimate(strata: Sequence[Judged], *, fewest: int = FEWEST, z: float = Z_95) -> Estimate:
    """The share of `hits` among `inside`, each judged unit weighted by population / judged of its stratum.

    For a whole population (inside = judged) this is the Horvitz–Thompson estimate N⁻¹ Σ (N/n) hits; within a domain it is
    Hájek's ratio of two such sums, its variance by linearisation with finite populations (Särndal et al. 1992, 5.6–5.8).
    Units drawn but not judged are taken to be missing at random within their stratum. The interval is Wilson's at the number
    of units of a simple random sample that would have the same variance, so it never leaves 0 to 1.
    """
    told = [stratum for stratum in strata if stratum.judged > 0]
    n = sum(stratum.inside for stratum in told)
    population = sum(stratum.population for stratum in told)
    everybody = sum(stratum.population for stratum in strata)
    domain = sum(stratum.population * stratum.inside / stratum.judged for stratum in told)
    if n < fewest or domain == 0:
        return Estimate(None, None, None, None, n, population, everybody)
    share = sum(stratum.population * stratum.hits / stratum.judged for stratum in told) / domain
    variance = sum(_spread(stratum, share) for stratum in told) / domain**2
    if all(stratum.judged == stratum.population for stratum in told):
        # Everybody was asked: nothing is left to chance.
        return Estimate(share, share, share, 0.0, n, population, everybody)
    low, high = _around(share, variance, _kish(told), z)
    return Estimate(share, low, high, sqrt(variance), n, population, everybody)


def _spread(stratum: Judged, share: float) -> float:
    """The stratum's part of the variance of Σ weight × residual, with residual = hit − share × inside."""
    judged, inside, hits = stratum.judged, stratum.inside, stratum.hits
    squares = hits * (1 - share) ** 2 + (inside - hits) * share**2
    if judged == 1:
        # One unit shows no spread of its own: that of the whole stands in.
        within = share * (1 - share)
    else:
        mean = (hits - share * inside) / judged
        within = max(0.0, squares - judged * mean**2) / (judged - 1)
    kept = 1 - judged / stratum.population
    return stratum.population**2 * kept * within / judged


def _kish(strata: Sequence[Judged]) -> float:
    """The number of equally weighted units that these are worth (Kish 1965)."""
    total = sum(stratum.population * stratum.inside / stratum.judged for stratum in strata)
    squares = sum(stratum.inside * (stratum.population / stratum.judged) ** 2 for stratum in strata)
    return total**2 / squares


def _around(share: float, variance: float, worth: float, z: float) -> tuple[float, float]:
    if variance > 0 and 0 < share < 1:
        worth = share * (1 - share) / variance
    middle = (share + z * z / (2 * worth)) / (1 + z * z / worth)
    spread = z * sqrt(share * (1 - share) / worth + z * z / (4 * worth * worth)) / (1 + z * z / worth)
    low, high = middle - spread, middle + spread
    return (0.0 if share == 0 else max(0.0, low)), (1.0 if share == 1 else min(1.0, high))
