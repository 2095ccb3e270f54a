"""What may become of a message. Merging and closing can be taken back; an answer, once sent, cannot."""

from __future__ import annotations

from governance.risks.enums import FeedbackStatus
from guilds.errors import InvalidTransition

TRANSITIONS: dict[FeedbackStatus, frozenset[FeedbackStatus]] = {
    FeedbackStatus.NEW: frozenset(
        {FeedbackStatus.TRIAGED, FeedbackStatus.ANSWERED, FeedbackStatus.MERGED, FeedbackStatus.CLOSED}
    ),
    FeedbackStatus.TRIAGED: frozenset(
        {FeedbackStatus.ANSWERED, FeedbackStatus.MERGED, FeedbackStatus.CLOSED}
    ),
    FeedbackStatus.ANSWERED: frozenset(),
    FeedbackStatus.MERGED: frozenset({FeedbackStatus.TRIAGED}),
    FeedbackStatus.CLOSED: frozenset({FeedbackStatus.TRIAGED}),
}


def check(old: str, new: str) -> None:
    """Raise InvalidTransition unless a message may go from `old` to `new`."""
    if FeedbackStatus(new) not in TRANSITIONS[FeedbackStatus(old)]:
        raise InvalidTransition(
            f"A message that is {FeedbackStatus(old).label.lower()} "
            f"cannot become {FeedbackStatus(new).label.lower()}."
        )
