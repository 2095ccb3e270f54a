"""How great a risk is in one market, from 0 to 100, and how that was reached. Pure: facts in, score and parts out.

The score is the sum of four parts, each shown with its value, weight and points:

- severity, 60: harm (1 to 5, from the register) × likelihood (1 to 5) ÷ 25. The likelihood comes from data: the share of the
  market's active guilds with at least one upheld violation, drawn towards the mean of all markets as if PRIOR_GUILDS more guilds
  of that mean had been seen, (upheld guilds + PRIOR_GUILDS × mean) ÷ (guilds + PRIOR_GUILDS), so that one guild of three is not
  called a third of a market. LEVELS maps the share to 1 to 5. Where no rule against the risk was live in the market, finding
  nothing means nothing: the likelihood of the register stands in.
- trend, 15: all when rising, half when steady or unknown, none when falling. Upheld violations per live hour in the window
  against the window before, by the exact conditional test of two Poisson rates (Przyborowski and Wilenski 1940): given the
  total, the newer count is binomial with the newer window's share of the live hours. Two-sided, 5 %. It is unknown below
  FEWEST_EVENTS violations in both windows together, without live hours in either, or where the rules were not live throughout.
- feedback, 10: one point for each message linked to the risk, ten at most.
- exposure, 15: the market's live hours ÷ those of the market with the most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log
from typing import Any

from governance.risks.enums import Trend

SEVERITY, TREND, FEEDBACK, EXPOSURE = 60, 15, 10, 15
PRIOR_GUILDS = 20
#: The likelihood by share of guilds: 1 below the first, 2 below the second, … 5 from the last on.
LEVELS = (0.01, 0.03, 0.08, 0.20)
FEWEST_EVENTS = 10
LEVEL_OF_TEST = 0.05
MOST_MESSAGES = 10


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was counted about one risk in one market in a window and in the one of equal length before it.

    `guilds` were active, `undecided` of the `violations` opened still wait for their verdict. `watched`: a rule against the
    risk was live there at some time in the window; `watched_throughout`: from the beginning of the window before.
    """

    live_hours: float = 0.0
    live_hours_before: float = 0.0
    guilds: int = 0
    violations: int = 0
    undecided: int = 0
    upheld: int = 0
    upheld_before: int = 0
    guilds_upheld: int = 0
    feedback: int = 0
    watched: bool = False
    watched_throughout: bool = False


def together(markets: Sequence[Facts]) -> Facts:
    """Several markets as one. Only those where the risk was watched are counted, if there are any: the others would thin out
    what was found. Messages are counted everywhere."""
    counted = [facts for facts in markets if facts.watched] or list(markets)
    return Facts(
        live_hours=sum(facts.live_hours for facts in counted),
        live_hours_before=sum(facts.live_hours_before for facts in counted),
        guilds=sum(facts.guilds for facts in counted),
        violations=sum(facts.violations for facts in counted),
        undecided=sum(facts.undecided for facts in counted),
        upheld=sum(facts.upheld for facts in counted),
        upheld_before=sum(facts.upheld_before for facts in counted),
        guilds_upheld=sum(facts.guilds_upheld for facts in counted),
        feedback=sum(facts.feedback for facts in markets),
        watched=any(facts.watched for facts in counted),
        watched_throughout=bool(counted) and all(facts.watched_throughout for facts in counted),
    )


@dataclass(frozen=True)
class Background:
    """What a market is compared with: the mean share of guilds with an upheld violation over all markets in which the risk was
    watched, None where it was in none; and the live hours of the market with the most."""

    mean: float | None
    most_live_hours: float

    @classmethod
    def of(cls, markets: Sequence[Facts]) -> Background:
        watched = [facts for facts in markets if facts.watched]
        guilds = sum(facts.guilds for facts in watched)
        mean = sum(facts.guilds_upheld for facts in watched) / guilds if guilds else None
        return cls(mean, max((facts.live_hours for facts in markets), default=0.0))


@dataclass(frozen=True)
class Comparison:
    trend: Trend
    p_value: float | None = None


@dataclass(frozen=True)
class Score:
    """`parts` as Assessment.parts keeps them: [{"name", "value", "weight", "points", …what it rests on}]."""

    priority: float
    trend: Trend
    rate: float | None
    rate_before: float | None
    parts: list[dict[str, Any]]


def rate_of(upheld: int, live_hours: float) -> float | None:
    """Upheld violations per 1,000 live hours; None without live hours."""
    return 1000 * upheld / live_hours if live_hours > 0 else None


def compare(newer: int, older: int, *, exposure_newer: float, exposure_older: float) -> Comparison:
    """Whether two Poisson rates differ: the exact conditional test, two-sided by the outcomes no likelier than the one observed,
    as poisson.test of R does it."""
    total = newer + older
    if total < FEWEST_EVENTS or exposure_newer <= 0 or exposure_older <= 0:
        return Comparison(Trend.UNKNOWN)
    share = exposure_newer / (exposure_newer + exposure_older)
    observed = _binomial(newer, total, share)
    # Outcomes as likely as the observed one must not be lost to rounding.
    as_rare = (_binomial(k, total, share) for k in range(total + 1))
    p_value = min(1.0, sum(chance for chance in as_rare if chance <= observed * (1 + 1e-7)))
    if p_value >= LEVEL_OF_TEST:
        return Comparison(Trend.STEADY, p_value)
    return Comparison(Trend.RISING if newer > total * share else Trend.FALLING, p_value)


def _binomial(k: int, n: int, p: float) -> float:
    """P(X = k) by logarithms, so that thousands of cases neither overflow nor vanish; 0 < p < 1."""
    ways = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
    return exp(ways + k * log(p) + (n - k) * log(1 - p))


def prevalence_of(facts: Facts, mean: float) -> float:
    """The share of guilds with an upheld violation, drawn towards the mean of all markets."""
    return (facts.guilds_upheld + PRIOR_GUILDS * mean) / (facts.guilds + PRIOR_GUILDS)


def likelihood_of(prevalence: float) -> int:
    return 1 + sum(prevalence >= level for level in LEVELS)


def score(facts: Facts, background: Background, *, harm: int, likelihood: int) -> Score:
    """The priority with its parts. `likelihood` is the register's own, used where data says nothing."""
    rate = rate_of(facts.upheld, facts.live_hours)
    rate_before = rate_of(facts.upheld_before, facts.live_hours_before)
    parts = [
        _severity(facts, background, harm, likelihood),
        _trend(facts),
        _feedback(facts),
        _exposure(facts, background),
    ]
    priority = round(sum(part["points"] for part in parts), 1)
    return Score(priority, Trend(parts[1]["value"]), rate, rate_before, parts)


def _severity(facts: Facts, background: Background, harm: int, likelihood: int) -> dict[str, Any]:
    part: dict[str, Any] = {"name": "severity", "weight": SEVERITY, "harm": harm, "source": "register"}
    if facts.watched and background.mean is not None:
        prevalence = prevalence_of(facts, background.mean)
        likelihood = likelihood_of(prevalence)
        part |= {
            "source": "data",
            "prevalence": prevalence,
            "mean": background.mean,
            "guilds": facts.guilds,
            "guilds_upheld": facts.guilds_upheld,
        }
    value = harm * likelihood
    return part | {
        "likelihood": likelihood,
        "value": value,
        "points": round(SEVERITY * value / 25, 2),
        "watched": facts.watched,
    }


def _trend(facts: Facts) -> dict[str, Any]:
    compared = Comparison(Trend.UNKNOWN)
    if facts.watched_throughout:
        compared = compare(
            facts.upheld,
            facts.upheld_before,
            exposure_newer=facts.live_hours,
            exposure_older=facts.live_hours_before,
        )
    share = {Trend.RISING: 1.0, Trend.FALLING: 0.0}.get(compared.trend, 0.5)
    return {
        "name": "trend",
        "value": compared.trend.value,
        "weight": TREND,
        "points": TREND * share,
        "p_value": compared.p_value,
        "upheld_before": facts.upheld_before,
        "live_hours_before": facts.live_hours_before,
        "undecided": facts.undecided,
        "watched_throughout": facts.watched_throughout,
    }


def _feedback(facts: Facts) -> dict[str, Any]:
    points = FEEDBACK * min(facts.feedback, MOST_MESSAGES) / MOST_MESSAGES
    return {"name": "feedback", "value": facts.feedback, "weight": FEEDBACK, "points": points}


def _exposure(facts: Facts, background: Background) -> dict[str, Any]:
    most = background.most_live_hours
    share = min(1.0, facts.live_hours / most) if most > 0 else 0.0
    return {
        "name": "exposure",
        "value": share,
        "weight": EXPOSURE,
        "points": round(EXPOSURE * share, 2),
        "most_live_hours": most,
    }


def facts_of(parts: Sequence[dict[str, Any]], **counted: Any) -> Facts:
    """The facts an assessment was made from: its columns in `counted`, the rest out of its parts."""
    found = {part["name"]: part for part in parts}
    severity, trend = found.get("severity", {}), found.get("trend", {})
    return Facts(
        **counted,
        live_hours_before=trend.get("live_hours_before", 0.0),
        upheld_before=trend.get("upheld_before", 0),
        undecided=trend.get("undecided", 0),
        watched=severity.get("watched", False),
        watched_throughout=trend.get("watched_throughout", False),
    )
