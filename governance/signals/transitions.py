"""Which status of a quarantined signal may follow which."""

from governance.signals.enums import QuarantineStatus as S
from guilds.errors import InvalidTransition

TRANSITIONS: dict[S, frozenset[S]] = {
    S.WAITING: frozenset({S.RELEASED, S.DISCARDED}),
    S.RELEASED: frozenset(),
    S.DISCARDED: frozenset(),
}


def check(old: str, new: str) -> None:
    """Raise InvalidTransition unless a quarantined signal in status `old` may become `new`."""
    if S(new) not in TRANSITIONS[S(old)]:
        raise InvalidTransition(
            f"A quarantined signal that is {S(old).label.lower()} cannot become {S(new).label.lower()}."
        )
