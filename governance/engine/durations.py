"""Durations as authors write them: a whole number and one unit, `30d`, `12h`, `15m`; a day is 24 hours."""

import re
from datetime import timedelta

_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
_WRITTEN = re.compile(r"(0|[1-9][0-9]{0,6})([dhm])")


def parse_duration(text: str) -> timedelta:
    """Read `30d`, `12h`, `15m` or `0d`; ValueError for anything else."""
    match = _WRITTEN.fullmatch(str(text))
    if match is None:
        raise ValueError(
            f"{text!r} is not a duration: write a whole number and d, h or m, such as 30d, 12h or 15m"
        )
    return int(match[1]) * _UNITS[match[2]]


def format_duration(duration: timedelta) -> str:
    """Write a duration in the largest unit that keeps it whole; ValueError when it is not whole minutes."""
    for letter, unit in _UNITS.items():
        if duration >= timedelta(0) and duration % unit == timedelta(0):
            return f"{duration // unit}{letter}"
    raise ValueError(f"{duration} is not a whole, non-negative number of minutes")
