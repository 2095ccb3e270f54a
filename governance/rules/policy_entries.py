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
    """One penalty of a rung or band: its kind, its length in days if it has one, when it starts, and the kind's other
    options.

    `grace` is a duration as text, such as 7d; `stops` what may keep it from starting meanwhile; `stack` "after" when it
    begins only when one of its kind ends.
    """

    kind: str
    days: int | None = None
    options: tuple[tuple[str, str | int | float | bool], ...] = ()
    grace: str = ""
    stops: tuple[str, ...] = ()
    stack: str = ""

    def to_dict(self) -> dict[str, Any]:
        """{"kind": …, "days"?, "grace"?, "stops"?, "stack"?, …}; each only when given."""
        given: dict[str, Any] = {} if self.days is None else {"days": self.days}
        if self.grace:
            given["grace"] = self.grace
        if self.stops:
            given["stops"] = list(self.stops)
        if self.stack:
            given["stack"] = self.stack
        return {"kind": self.kind, **given, **dict(self.options)}


Steps = tuple[tuple[PenaltySpec, ...], ...]


@dataclass(frozen=True)
class MarketValues:
    """What a ladder does otherwise in one market; None is as everywhere. `endless`: points stay for ever."""

    points: int | None = None
    window: timedelta | None = None
    decay: timedelta | None = None
    endless: bool = False
    steps: Steps | None = None

    def to_dict(self) -> dict[str, Any]:
        """The policy file's form, with what differs alone."""
        found: dict[str, Any] = {}
        if self.window is not None:
            found["window"] = format_duration(self.window)
        if self.points is not None:
            found["points"] = self.points
        if self.endless or self.decay is not None:
            found["decay"] = _written(self.decay)
        if self.steps is not None:
            found["steps"] = _rungs(self.steps)
        return found


@dataclass(frozen=True)
class LadderSpec:
    """The nth confirmed violation of a code inside `window` costs `points` and the nth rung (the last for
    all later ones; with `red_line` the last for all).

    `decay` is how long points stay in force, None for ever.
    """

    code: str
    window: timedelta
    points: int
    decay: timedelta | None
    steps: Steps
    name: str = ""
    red_line: bool = False
    by_market: tuple[tuple[str, MarketValues], ...] = ()
    line: int = field(default=0, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """The policy file's form; `decay` is "never" for points that stay, `red_line` and `by_market` only when used."""
        return {
            "code": self.code,
            "name": self.name,
            "window": format_duration(self.window),
            "points": self.points,
            "decay": _written(self.decay),
            "steps": _rungs(self.steps),
            **({"red_line": True} if self.red_line else {}),
            **(
                {"by_market": {code: values.to_dict() for code, values in self.by_market}}
                if self.by_market
                else {}
            ),
        }


def _written(decay: timedelta | None) -> str:
    return "never" if decay is None else format_duration(decay)


def _rungs(steps: Steps) -> list[list[dict[str, Any]]]:
    return [[penalty.to_dict() for penalty in rung] for rung in steps]


@dataclass(frozen=True)
class BandSpec:
    """What happens once when the score falls to `at_or_below` (0 to 100); in one market, or (empty) in all without their own."""

    code: str
    name: str
    at_or_below: int
    penalties: tuple[PenaltySpec, ...]
    market: str = ""
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
