"""What must have become of every penalty: plain Python that knows nothing of the product but its promise.

A penalty takes effect once, not before its start; it is lifted once, not before its end; while it lasts there is one
restriction; when all is over a guild is as it was. None of it later than the interval of the sweeps, not counting the time
during which something was down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Seconds between two sweeps for what is due.
SWEEP_SECONDS = 15.0
#: What a sweep may need to be sent, taken and carried out.
WORK_SECONDS = 5.0

Span = tuple[float, float]


@dataclass(frozen=True)
class Planned:
    """One penalty as it was scheduled; times in seconds since 1970."""

    key: str
    guild: str
    kind: str
    starts: float
    ends: float | None

    @property
    def restricts(self) -> bool:
        return self.kind != "warning"


@dataclass(frozen=True)
class Found:
    """What the database says became of a penalty: when each thing is recorded to have happened, as often as it is."""

    status: str
    applied: Sequence[float]
    lifted: Sequence[float]
    other_acts: Sequence[str]
    restrictions: int
    restrictions_lifted: int


def merged(outages: Iterable[Span]) -> list[Span]:
    """The same time as spans that do not overlap, in order."""
    spans: list[Span] = []
    for begin, end in sorted(outages):
        if spans and begin <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((begin, end))
    return spans


def working_seconds(begin: float, end: float, outages: Sequence[Span]) -> float:
    """How much of the time from `begin` to `end` everything was up. `outages` are merged."""
    down = sum(max(0.0, min(end, last) - max(begin, first)) for first, last in outages)
    return end - begin - down


def differences(
    planned: Planned, found: Found | None, outages: Sequence[Span], *, work: float = WORK_SECONDS
) -> list[str]:
    """In what a penalty differs from what was promised; nothing, if all is well. `outages` are merged; `work` is in seconds."""
    if found is None:
        return ["lost: it is not there any more"]
    wrong: list[str] = []
    ends = planned.ends is not None
    status = "lifted" if ends else "in_force"
    if found.status != status:
        wrong.append(f"status {found.status}, not {status}")
    wrong += _moments("applied", found.applied, planned.starts, outages, work)
    if planned.ends is not None:
        wrong += _moments("lifted", found.lifted, planned.ends, outages, work)
    elif found.lifted:
        wrong.append("lifted although it has no end")
    if found.other_acts:
        wrong.append(f"recorded besides: {', '.join(found.other_acts)}")
    restrictions = (1, int(ends)) if planned.restricts else (0, 0)
    if (found.restrictions, found.restrictions_lifted) != restrictions:
        wrong.append(
            f"{found.restrictions} restrictions, {found.restrictions_lifted} of them lifted; "
            f"not {restrictions[0]} and {restrictions[1]}"
        )
    return wrong


def _moments(name: str, at: Sequence[float], due: float, outages: Sequence[Span], work: float) -> list[str]:
    if len(at) != 1:
        return [f"{name} {len(at)} times"]
    if at[0] < due:
        return [f"{name} {due - at[0]:.1f} s early"]
    late = working_seconds(due, at[0], outages)
    if late > SWEEP_SECONDS + work:
        return [f"{name} late: {late:.1f} s in which everything was up, {at[0] - due:.1f} s by the clock"]
    return []
