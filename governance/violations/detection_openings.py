"""What becomes of a match: it opens a violation, joins one of the same moment, or falls into a cooldown.

Kept apart from storage so that a backtest decides exactly as live detection does.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable
from typing import Generic, TypeVar

V = TypeVar("V")

#: A rule's key and a subject as in `Violation.subject`.
Subject = tuple[int, str]


class Openings(Generic[V]):
    """Violations of some rules and subjects, stored ones and those opened in this run; V is what stands for one."""

    def __init__(self) -> None:
        self._times: dict[Subject, list[dt.datetime]] = defaultdict(list)
        self._found: dict[tuple[int, str, dt.datetime], V] = {}

    def add(self, subject: Subject, at: dt.datetime, violation: V) -> None:
        insort(self._times[subject], at)
        self._found[(*subject, at)] = violation

    def at(self, subject: Subject, at: dt.datetime) -> V | None:
        """The violation of exactly this moment, which a match joins."""
        return self._found.get((*subject, at))

    def shields(self, subject: Subject, at: dt.datetime, cooldown: dt.timedelta) -> bool:
        """Whether a violation stands at t′ with |at − t′| < cooldown, before or after."""
        times = self._times.get(subject)
        if not times or cooldown <= dt.timedelta(0):
            return False
        place = bisect_left(times, at)
        return (place < len(times) and times[place] - at < cooldown) or (
            place > 0 and at - times[place - 1] < cooldown
        )

    def forget_before(self, at: dt.datetime) -> None:
        """Drop what lies before the moment, so that a long run in order of time keeps flat."""
        for subject in [subject for subject, times in self._times.items() if times[0] < at]:
            times = self._times[subject]
            kept = times[bisect_left(times, at) :]
            for gone in times[: len(times) - len(kept)]:
                del self._found[(*subject, gone)]
            if kept:
                self._times[subject] = kept
            else:
                del self._times[subject]


def spans(
    matches: Iterable[tuple[Subject, dt.datetime, dt.timedelta]],
) -> dict[Subject, tuple[dt.datetime, dt.datetime]]:
    """For each subject the stretch of time, both ends included, in which stored violations could matter to its matches."""
    found: dict[Subject, tuple[dt.datetime, dt.datetime]] = {}
    for subject, at, cooldown in matches:
        since, until = found.get(subject, (at, at))
        found[subject] = (min(since, at - cooldown), max(until, at + cooldown))
    return found
