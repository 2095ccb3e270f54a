"""Which status of a penalty may follow which."""

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
