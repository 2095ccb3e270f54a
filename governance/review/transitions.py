"""What may become of a case. Nothing is judged twice; what is decided without it is withdrawn."""

from __future__ import annotations

from governance.review.enums import CaseStatus
from guilds.errors import InvalidTransition

TRANSITIONS: dict[CaseStatus, frozenset[CaseStatus]] = {
    CaseStatus.WAITING: frozenset({CaseStatus.ON_HOLD, CaseStatus.DONE, CaseStatus.WITHDRAWN}),
    CaseStatus.ON_HOLD: frozenset({CaseStatus.WAITING, CaseStatus.WITHDRAWN}),
    CaseStatus.DONE: frozenset(),
    CaseStatus.WITHDRAWN: frozenset(),
}


def check(old: str, new: str) -> None:
    """Raise InvalidTransition unless a case may go from `old` to `new`."""
    if CaseStatus(new) not in TRANSITIONS[CaseStatus(old)]:
        raise InvalidTransition(
            f"A case that is {CaseStatus(old).label.lower()} cannot become {CaseStatus(new).label.lower()}."
        )
