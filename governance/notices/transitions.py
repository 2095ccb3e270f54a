"""What may become of a notice on its way to an address. Proof that it arrived counts whatever the mail servers said."""

from governance.notices.enums import DispatchStatus as S
from guilds.errors import InvalidTransition

TRANSITIONS: dict[S, frozenset[S]] = {
    S.PENDING: frozenset({S.PENDING, S.SENT, S.RECEIVED, S.FAILED, S.CANCELLED}),
    S.SENT: frozenset({S.RECEIVED}),
    S.RECEIVED: frozenset(),
    S.FAILED: frozenset({S.PENDING, S.RECEIVED}),
    S.CANCELLED: frozenset(),
}


def check(old: str, new: str) -> None:
    """Raise InvalidTransition unless a dispatch in status `old` may become `new`."""
    if S(new) not in TRANSITIONS[S(old)]:
        raise InvalidTransition(
            f"A dispatch that is {S(old).label.lower()} cannot become {S(new).label.lower()}."
        )
