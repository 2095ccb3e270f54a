"""What may become of an approval."""

from __future__ import annotations

from governance.workbench.enums import ApprovalStatus
from guilds.errors import InvalidTransition

TRANSITIONS: dict[ApprovalStatus, frozenset[ApprovalStatus]] = {
    ApprovalStatus.REQUESTED: frozenset(
        {ApprovalStatus.APPROVED, ApprovalStatus.REFUSED, ApprovalStatus.WITHDRAWN}
    ),
    # Until the version is live, what was approved may be taken back.
    ApprovalStatus.APPROVED: frozenset({ApprovalStatus.WITHDRAWN}),
    ApprovalStatus.REFUSED: frozenset(),
    ApprovalStatus.WITHDRAWN: frozenset(),
}


def check(old: str, new: str) -> None:
    """Raise InvalidTransition unless an approval may go from `old` to `new`."""
    if ApprovalStatus(new) not in TRANSITIONS[ApprovalStatus(old)]:
        raise InvalidTransition(
            f"This approval is settled ({ApprovalStatus(old).label.lower()});"
            f" it cannot become: {ApprovalStatus(new).label.lower()}."
        )
