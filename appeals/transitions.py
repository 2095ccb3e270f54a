"""Which status of an appeal may follow which."""

from appeals.enums import AppealStatus as S
from guilds.errors import InvalidTransition

TRANSITIONS: dict[S, frozenset[S]] = {
    S.OPEN: frozenset({S.DECIDED, S.WITHDRAWN}),
    S.DECIDED: frozenset(),
    S.WITHDRAWN: frozenset(),
}


def check(old: str, new: str) -> None:
    """Raise InvalidTransition unless an appeal in status `old` may become `new`."""
    if S(new) not in TRANSITIONS[S(old)]:
        raise InvalidTransition(
            f"An appeal that is {S(old).label.lower()} cannot become {S(new).label.lower()}."
        )
