"""What may become of a violation. Nothing is decided twice; an appeal is the only way back."""

from __future__ import annotations

from governance.violations.enums import ViolationStatus
from guilds.errors import InvalidTransition

TRANSITIONS: dict[ViolationStatus, frozenset[ViolationStatus]] = {
    ViolationStatus.OPEN: frozenset({ViolationStatus.CONFIRMED, ViolationStatus.DISMISSED}),
    ViolationStatus.CONFIRMED: frozenset({ViolationStatus.OVERTURNED}),
    ViolationStatus.DISMISSED: frozenset(),
    ViolationStatus.OVERTURNED: frozenset(),
}


def check(old: str, new: str) -> None:
    """Raise InvalidTransition unless a violation may go from `old` to `new`."""
    if ViolationStatus(new) not in TRANSITIONS[ViolationStatus(old)]:
        raise InvalidTransition(
            f"A violation that is {ViolationStatus(old).label.lower()} "
            f"cannot become {ViolationStatus(new).label.lower()}."
        )
