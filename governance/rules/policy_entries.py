"""What a policy file holds, as plain values."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from governance.engine import RuleSpec, format_duration

NO_REGIME = "none"


@dataclass(frozen=True)
class RegimeSpec:
    """A legal regime: how long before and after. Days are calendar days, hours clock hours."""

    code: str
    name: str
    notice_days: int = 0
    appeal_days: int = 15
    termination_days: int = 0
    acknowledge_hours: int = 24
    decide_days: int = 15
    decide_urgent_days: int = 7
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class MarketSpec:
    """A market; `timezone` is an IANA name, `languages` are tags with the preferred one first, `regime` a
    code or "none".
    """

    code: str
    name: str
    timezone: str
    languages: tuple[str, ...] = ("en",)
    regime: str = NO_REGIME
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class RiskSpec:
    """A risk; harm and likelihood 1 to 5."""

    code: str
    name: str
    harm: int = 1
    likelihood: int = 1
    owner: str = ""
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class PenaltySpec:
    """One penalty of a rung or band: its kind, its length in days if it has one, and the kind's other
    options.
    """

    kind: str
    days: int | None = None
    options: tuple[tuple[str, str | int | float | bool], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """{"kind": …, "days": …, …}, `days` only when given."""
        days = {} if self.days is None else {"days": self.days}
        return {"kind": self.kind, **days, **dict(self.options)}


@dataclass(frozen=True)
class LadderSpec:
    """The nth confirmed violation of a code inside `window` costs `points` and the nth rung (the last for
    all later ones).

    `decay` is how long points stay in force, None for ever.
    """

    code: str
    window: timedelta
    points: int
    decay: timedelta | None
    steps: tuple[tuple[PenaltySpec, ...], ...]
    name: str = ""
    line: int = field(default=0, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The policy file's form; `decay` is "never" for points that stay."""
        return {
            "code": self.code,
            "name": self.name,
            "window": format_duration(self.window),
            "points": self.points,
            "decay": "never" if self.decay is None else format_duration(self.decay),
            "steps": [[penalty.to_dict() for penalty in rung] for rung in self.steps],
        }


@dataclass(frozen=True)
class BandSpec:
    """What happens once when the score falls to `at_or_below` (0 to 100)."""

    code: str
    name: str
    at_or_below: int
    penalties: tuple[PenaltySpec, ...]
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Policy:
    """One file, in its own order. `rule_lines` gives the line of each rule by code."""

    regimes: tuple[RegimeSpec, ...] = ()
    markets: tuple[MarketSpec, ...] = ()
    risks: tuple[RiskSpec, ...] = ()
    ladders: tuple[LadderSpec, ...] = ()
    bands: tuple[BandSpec, ...] = ()
    rules: tuple[RuleSpec, ...] = ()
    rule_lines: tuple[tuple[str, int], ...] = field(default=(), compare=False)
