"""The score over time as the points of a drawing; the template draws it as SVG."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 160
PERIOD = dt.timedelta(days=180)


@dataclass(frozen=True)
class Line:
    """A horizontal line at a band's threshold; `y` in the drawing's units, from the top."""

    y: float
    label: str


@dataclass(frozen=True)
class Chart:
    """`line` and `area` are SVG point lists; `lowest` and `highest` are the scores at the lower and upper edge."""

    line: str
    area: str
    lowest: int
    highest: int
    bands: Sequence[Line]
    since: dt.datetime
    end_y: float
    width: int = WIDTH
    height: int = HEIGHT


def chart_of(
    history: Sequence[tuple[dt.datetime, int]], *, bands: Sequence[tuple[int, str]], now: dt.datetime
) -> Chart:
    """The last half year as steps: a score holds until the next movement. `history` is oldest first; it starts at 100."""
    since = now - PERIOD
    start = 100
    for at, score in history:
        if at <= since:
            start = score
    steps = [(since, start), *((at, score) for at, score in history if since < at <= now)]
    steps.append((now, steps[-1][1]))
    lowest = min(0, *(score for _at, score in steps))
    span = max(100 - lowest, 1)

    def x(at: dt.datetime) -> float:
        return round((at - since) / PERIOD * WIDTH, 1)

    def y(score: int) -> float:
        return round((100 - score) / span * (HEIGHT - 8) + 4, 1)

    points: list[str] = []
    for index, (at, score) in enumerate(steps):
        if index:
            points.append(f"{x(at)},{y(steps[index - 1][1])}")
        points.append(f"{x(at)},{y(score)}")
    line = " ".join(points)
    return Chart(
        line=line,
        area=f"0,{HEIGHT} {line} {WIDTH},{HEIGHT}",
        lowest=lowest,
        highest=100,
        bands=[Line(y(threshold), label) for threshold, label in bands if lowest <= threshold <= 100],
        since=since,
        end_y=y(steps[-1][1]),
    )
