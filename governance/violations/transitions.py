"""What may become of a violation. Nothing is decided twice; an appeal is the only way back."""

from __future__ import annotations

from governance.violations.enums import AlarmStatus, ViolationStatus
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


ALARM_TRANSITIONS: dict[AlarmStatus, frozenset[AlarmStatus]] = {
    AlarmStatus.OPEN: frozenset({AlarmStatus.CLOSED}),
    AlarmStatus.CLOSED: frozenset(),
}


def check_alarm(old: str, new: str) -> None:
    """Raise InvalidTransition unless an alarm may go from `old` to `new`."""
    if AlarmStatus(new) not in ALARM_TRANSITIONS[AlarmStatus(old)]:
        raise InvalidTransition("This alarm is closed already.")
