"""Which status of a backtest may follow which."""

from governance.backtests.enums import BacktestStatus as S
from guilds.errors import InvalidTransition

TRANSITIONS: dict[S, frozenset[S]] = {
    S.QUEUED: frozenset({S.RUNNING, S.CANCELLED, S.FAILED}),
    S.RUNNING: frozenset({S.DONE, S.CANCELLED, S.FAILED}),
    S.DONE: frozenset(),
    # Either may go on from where it stopped.
    S.CANCELLED: frozenset({S.QUEUED}),
    S.FAILED: frozenset({S.QUEUED, S.CANCELLED}),
}


def check(old: str, new: str) -> None:
    """Raise InvalidTransition unless a backtest in status `old` may become `new`."""
    if S(new) not in TRANSITIONS[S(old)]:
        raise InvalidTransition(
            f"A backtest that is {S(old).label.lower()} cannot become {S(new).label.lower()}."
        )
