"""The arithmetic of ladders: which rung the nth violation lands on, what it costs, when it starts and ends. No database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.engine import parse_duration
from governance.notices.periods import GROUND_KEY, termination_begins
from governance.penalties.enums import HoldReason, PenaltyKind
from governance.penalties.kinds import KINDS
from governance.rules.enums import Severity
from governance.rules.models import RuleVersion
from guilds.models import Market

Step = Mapping[str, Any]
#: What may keep a pending penalty from starting, as a step's `stops` names it.
CORRECTION, APPEAL = "correction", "appeal"


@dataclass(frozen=True)
class LadderSpec:
    """A ladder as a rule version keeps it, with the values of one market. `decay` None: points stay for ever.

    `steps` has at least one rung; on a red line every violation lands on the last one.
    """

    window: dt.timedelta
    points: int
    decay: dt.timedelta | None
    steps: Sequence[Sequence[Step]]
    red_line: bool = False

    @classmethod
    def read(cls, spec: Mapping[str, Any], *, severity: str, market: str = "") -> LadderSpec:
        """From the stored form; `market` is the code of the market whose own values come first, empty for none.

        Points of S1 never decay; elsewhere they leave after `decay`, by default the window.
        """
        written = {**spec, **(spec.get("by_market") or {}).get(market, {})}
        decay = written.get("decay") or written["window"]
        never = decay == "never" or severity == Severity.S1
        return cls(
            window=parse_duration(written["window"]),
            points=int(written.get("points", 0)),
            decay=None if never else parse_duration(decay),
            steps=written["steps"],
            red_line=bool(written.get("red_line")),
        )

    def rung(self, nth: int) -> Sequence[Step]:
        """The measures of the nth violation; past the top, and on a red line always, the last rung."""
        if not self.steps:
            return ()
        return self.steps[-1] if self.red_line else self.steps[min(nth, len(self.steps)) - 1]

    def is_last(self, rung: Sequence[Step]) -> bool:
        """Whether it is the harshest rung there is."""
        return bool(self.steps) and list(rung) == list(self.steps[-1])


def ladder_of(version: RuleVersion, market_code: str) -> LadderSpec:
    """The version's ladder as it is in a market."""
    return LadderSpec.read(version.ladder, severity=version.severity, market=market_code)


def rung_of(version: RuleVersion, market_code: str, nth: int) -> Sequence[Step]:
    """The measures of the nth violation in a market: the one answer for deciding, previewing and deciding anew."""
    return ladder_of(version, market_code).rung(nth)


def points_of(spec: LadderSpec, share: float | None) -> int:
    """Points charged; a violation by a managed creator may count in part, rounded half up but never to nothing."""
    if share is None or spec.points == 0:
        return spec.points
    return max(1, int(spec.points * share + 0.5)) if share > 0 else 0


def hold_reason_of(
    kind: str,
    *,
    severity: str,
    named: Collection[str],
    large: bool = False,
    shielded: bool = False,
    last_rung: bool = False,
) -> HoldReason | None:
    """Why the kind waits for a second person, the weightiest reason first; None where one decision is enough.

    By its nature, in the worst severity, because the version names it, for a large guild, and, while a won appeal shields the
    guild, where it is among the harshest: suspension, clear-out and whatever the last rung brings. A warning waits only
    where the version names it.
    """
    if KINDS[kind].second_person:
        return HoldReason.KIND
    warning = kind == PenaltyKind.WARNING
    if severity == Severity.S1 and not warning:
        return HoldReason.SEVERITY
    if kind in named:
        return HoldReason.RULE
    if large and not warning:
        return HoldReason.SIZE
    if shielded and not warning and (last_rung or kind in HARSHEST):
        return HoldReason.SHIELD
    return None


#: What a shield keeps from starting by itself, wherever it stands on the ladder.
HARSHEST = frozenset({PenaltyKind.SUSPENSION.value, PenaltyKind.CLEAR_OUT.value})


def grace_of(step: Step) -> dt.timedelta:
    """How much later than it is imposed the step starts."""
    return parse_duration(step["grace"]) if step.get("grace") else dt.timedelta(0)


def start_of(step: Step, *, now: dt.datetime, market: Market) -> dt.datetime:
    """When it takes effect: at once or after its grace; termination not before the notice period of the regime is over.

    `market.regime` is loaded.
    """
    starts_at = now + grace_of(step)
    if step["kind"] != PenaltyKind.CLEAR_OUT:
        return starts_at
    told = termination_begins(
        now,
        termination_days=market.regime.termination_days,
        timezone=market.timezone,
        immediate_ground=step.get(GROUND_KEY),
    )
    return max(starts_at, told)


def end_of(step: Step, *, starts_at: dt.datetime, window: dt.timedelta) -> dt.datetime | None:
    """When it ends by itself. A warning stays on record for the ladder's window; kinds without an end return None."""
    if not KINDS[step["kind"]].ends:
        return None
    if days := step.get("days"):
        return starts_at + dt.timedelta(days=days)
    return starts_at + window if step["kind"] == PenaltyKind.WARNING else None


def stopped_by(params: Step, stop: str) -> bool:
    """Whether `correction` or `appeal` may keep the penalty from starting; an appeal always does so with a termination."""
    always = stop == APPEAL and params.get("kind") == PenaltyKind.CLEAR_OUT
    return always or stop in (params.get("stops") or ())
