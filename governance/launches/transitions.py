"""What may become of a launch, a wave and a gate."""

from __future__ import annotations

from governance.launches.enums import GateStatus, LaunchStatus, WaveStatus
from guilds.errors import InvalidTransition

LAUNCH_TRANSITIONS: dict[LaunchStatus, frozenset[LaunchStatus]] = {
    LaunchStatus.PLANNING: frozenset({LaunchStatus.RUNNING, LaunchStatus.CANCELLED}),
    LaunchStatus.RUNNING: frozenset({LaunchStatus.COMPLETED, LaunchStatus.ROLLED_BACK}),
    # A market that comes later is a further wave of the same launch.
    LaunchStatus.COMPLETED: frozenset({LaunchStatus.RUNNING, LaunchStatus.ROLLED_BACK}),
    LaunchStatus.ROLLED_BACK: frozenset(),
    LaunchStatus.CANCELLED: frozenset(),
}

WAVE_TRANSITIONS: dict[WaveStatus, frozenset[WaveStatus]] = {
    WaveStatus.PLANNED: frozenset({WaveStatus.GO, WaveStatus.NO_GO, WaveStatus.CANCELLED}),
    # Changing what was decided about takes the decision back.
    WaveStatus.GO: frozenset({WaveStatus.PLANNED, WaveStatus.NO_GO, WaveStatus.LIVE, WaveStatus.CANCELLED}),
    WaveStatus.NO_GO: frozenset({WaveStatus.PLANNED, WaveStatus.GO, WaveStatus.CANCELLED}),
    WaveStatus.LIVE: frozenset({WaveStatus.ROLLED_BACK}),
    WaveStatus.ROLLED_BACK: frozenset(),
    WaveStatus.CANCELLED: frozenset(),
}

GATE_TRANSITIONS: dict[GateStatus, frozenset[GateStatus]] = {
    GateStatus.OPEN: frozenset({GateStatus.PASSED}),
    GateStatus.PASSED: frozenset({GateStatus.OPEN}),
}


def check_launch(old: str, new: str) -> None:
    """Raise InvalidTransition unless a launch may go from `old` to `new`."""
    if LaunchStatus(new) not in LAUNCH_TRANSITIONS[LaunchStatus(old)]:
        _refuse("launch", LaunchStatus(old).label, LaunchStatus(new).label)


def check_wave(old: str, new: str) -> None:
    """Raise InvalidTransition unless a wave may go from `old` to `new`."""
    if WaveStatus(new) not in WAVE_TRANSITIONS[WaveStatus(old)]:
        _refuse("wave", WaveStatus(old).label, WaveStatus(new).label)


def check_gate(old: str, new: str) -> None:
    """Raise InvalidTransition unless a gate may go from `old` to `new`."""
    if GateStatus(new) not in GATE_TRANSITIONS[GateStatus(old)]:
        _refuse("gate", GateStatus(old).label, GateStatus(new).label)


def _refuse(noun: str, old: object, new: object) -> None:
    raise InvalidTransition(f"A {noun} that is {str(old).lower()} cannot become {str(new).lower()}.")
