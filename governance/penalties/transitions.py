"""Which status of a penalty may follow which."""

from governance.penalties.enums import CompensationStatus, RectificationStatus
from governance.penalties.enums import PenaltyStatus as S
from guilds.errors import InvalidTransition

TRANSITIONS: dict[S, frozenset[S]] = {
    S.HELD: frozenset({S.SCHEDULED, S.CANCELLED}),
    S.SCHEDULED: frozenset({S.IN_FORCE, S.STAYED, S.CANCELLED, S.REVERSED, S.FAILED}),
    S.STAYED: frozenset({S.SCHEDULED, S.CANCELLED, S.REVERSED}),
    S.IN_FORCE: frozenset({S.LIFTED, S.REVERSED}),
    S.LIFTED: frozenset({S.REVERSED}),
    S.CANCELLED: frozenset(),
    S.REVERSED: frozenset(),
    S.FAILED: frozenset({S.SCHEDULED, S.CANCELLED, S.REVERSED}),
}


def check(old: str, new: str) -> None:
    """Raise InvalidTransition unless a penalty in status `old` may become `new`."""
    if S(new) not in TRANSITIONS[S(old)]:
        raise InvalidTransition(
            f"A penalty that is {S(old).label.lower()} cannot become {S(new).label.lower()}."
        )


COMPENSATION_TRANSITIONS: dict[CompensationStatus, frozenset[CompensationStatus]] = {
    CompensationStatus.OPEN: frozenset({CompensationStatus.SETTLED, CompensationStatus.DECLINED}),
    # Opened again when more of the same penalty falls than was settled.
    CompensationStatus.SETTLED: frozenset({CompensationStatus.OPEN}),
    CompensationStatus.DECLINED: frozenset({CompensationStatus.OPEN}),
}


def check_compensation(old: str, new: str) -> None:
    """Raise InvalidTransition unless a compensation in status `old` may become `new`."""
    if CompensationStatus(new) not in COMPENSATION_TRANSITIONS[CompensationStatus(old)]:
        raise InvalidTransition("This compensation is settled already.")


RECTIFICATION_TRANSITIONS: dict[RectificationStatus, frozenset[RectificationStatus]] = {
    RectificationStatus.OPEN: frozenset(
        {
            RectificationStatus.SUBMITTED,
            RectificationStatus.MET,
            RectificationStatus.FAILED,
            RectificationStatus.DROPPED,
        }
    ),
    RectificationStatus.SUBMITTED: frozenset(
        {RectificationStatus.MET, RectificationStatus.FAILED, RectificationStatus.DROPPED}
    ),
    RectificationStatus.MET: frozenset(),
    RectificationStatus.FAILED: frozenset(),
    RectificationStatus.DROPPED: frozenset(),
}


def check_rectification(old: str, new: str) -> None:
    """Raise InvalidTransition unless a rectification in status `old` may become `new`."""
    if RectificationStatus(new) not in RECTIFICATION_TRANSITIONS[RectificationStatus(old)]:
        raise InvalidTransition(
            f"What is to be put right is {RectificationStatus(old).label.lower()}; "
            f"it cannot become {RectificationStatus(new).label.lower()}."
        )
