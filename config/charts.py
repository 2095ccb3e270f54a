"""Data for the console's charts, in the form its chart component reads from an attribute."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence

#: In the order in which series take them; the first is the theme's own.
COLOURS = ("var(--color-primary-600)", "#f97316", "#dc2626", "#0ea5e9")


def line_chart(points: Sequence[tuple[dt.datetime, float]], *, label: str, stepped: bool = True) -> str:
    """One series over time; `stepped` for values that hold until they change."""
    values = {label: [value for _at, value in points]}
    return _chart([f"{at:%d %b %Y}" for at, _value in points], values, stepped=stepped)


def daily_chart(days: Sequence[dt.date], series: Mapping[str, Sequence[int]]) -> str:
    """Counts per day, one line per series."""
    return _chart([f"{day:%d %b}" for day in days], series, stepped=False)


def _chart(labels: Sequence[str], series: Mapping[str, Sequence[float]], *, stepped: bool) -> str:
    datasets = [
        {
            "label": label,
            "data": list(values),
            "borderColor": COLOURS[place % len(COLOURS)],
            "displayYAxis": True,
            "maxTicksXLimit": 8,
            "stepped": stepped,
        }
        for place, (label, values) in enumerate(series.items())
    ]
    return json.dumps({"labels": list(labels), "datasets": datasets})


def legend(series: Sequence[str]) -> list[tuple[str, str]]:
    """(name, CSS class of its colour) in the order of `daily_chart`."""
    return [(name, f"console-series-{place}") for place, name in enumerate(series)]
