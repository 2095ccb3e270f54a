"""A sample is drawn once, judged, and closed for good."""

from __future__ import annotations

from governance.quality.enums import SampleStatus
from guilds.errors import InvalidTransition

TRANSITIONS: dict[SampleStatus, frozenset[SampleStatus]] = {
    SampleStatus.DRAWN: frozenset({SampleStatus.CLOSED}),
    SampleStatus.CLOSED: frozenset(),
}


def check(old: str, new: str) -> None:
    """Raise InvalidTransition unless a sample may go from `old` to `new`."""
    if SampleStatus(new) not in TRANSITIONS[SampleStatus(old)]:
        raise InvalidTransition("This sample is closed already.")
