"""The arithmetic of ladders: which rung the nth violation lands on, what it costs, when it starts and ends. No database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.engine import parse_duration
from governance.penalties.enums import PenaltyKind
from governance.penalties.kinds import KINDS
from governance.rules.enums import Severity


@dataclass(frozen=True)
class LadderSpec:
    """A ladder as a rule version keeps it. `decay` None: points stay for ever. `steps` has at least one rung."""

    window: dt.timedelta
    points: int
    decay: dt.timedelta | None
    steps: Sequence[Sequence[Mapping[str, Any]]]

    @classmethod
    def read(cls, spec: Mapping[str, Any], *, severity: str) -> LadderSpec:
        """From the stored form. Points of S1 never decay; elsewhere they leave after `decay`, by default the window."""
        window = parse_duration(spec["window"])
        decay = spec.get("decay") or spec["window"]
        never = decay == "never" or severity == Severity.S1
        return cls(
            window, int(spec.get("points", 0)), None if never else parse_duration(decay), spec["steps"]
        )

    def rung(self, nth: int) -> Sequence[Mapping[str, Any]]:
        """The measures of the nth violation; past the top the last rung is repeated."""
        return self.steps[min(nth, len(self.steps)) - 1] if self.steps else ()


def points_of(spec: LadderSpec, share: float | None) -> int:
    """Points charged; a violation by a managed creator may count in part, rounded half up but never to nothing."""
    if share is None or spec.points == 0:
        return spec.points
    return max(1, int(spec.points * share + 0.5)) if share > 0 else 0


def needs_second_person(kind: str, *, severity: str, named: Collection[str]) -> bool:
    """Whether the kind waits for a second person: by its nature, because the version says so, or in the worst severity."""
    if KINDS[kind].second_person or kind in named:
        return True
    return severity == Severity.S1 and kind != PenaltyKind.WARNING


def start_of(kind: str, *, now: dt.datetime, termination_days: int) -> dt.datetime:
    """When it takes effect: at once, except that termination waits for the notice period of the regime."""
    return now + dt.timedelta(days=termination_days) if kind == PenaltyKind.CLEAR_OUT else now


def end_of(step: Mapping[str, Any], *, starts_at: dt.datetime, window: dt.timedelta) -> dt.datetime | None:
    """When it ends by itself. A warning stays on record for the ladder's window; kinds without an end return None."""
    if not KINDS[step["kind"]].ends:
        return None
    if days := step.get("days"):
        return starts_at + dt.timedelta(days=days)
    return starts_at + window if step["kind"] == PenaltyKind.WARNING else None
