"""What may become of a delivery. A failed one can be sent again by hand; a delivered one never is, only replayed."""

from governance.webhooks.enums import DeliveryStatus as S
from guilds.errors import InvalidTransition

TRANSITIONS: dict[S, frozenset[S]] = {
    S.PENDING: frozenset({S.PENDING, S.DELIVERED, S.FAILED, S.CANCELLED}),
    S.DELIVERED: frozenset(),
    S.FAILED: frozenset({S.PENDING}),
    S.CANCELLED: frozenset(),
}


def check(old: str, new: str) -> None:
    """Raise InvalidTransition unless a delivery in status `old` may become `new`."""
    if S(new) not in TRANSITIONS[S(old)]:
        raise InvalidTransition(
            f"A delivery that is {S(old).label.lower()} cannot become {S(new).label.lower()}."
        )
