"""One step of a backtest: both sides over one span of time, and what is carried to the next.

`Backtest.carried` is {"tested": [[guild, creator, at], …], "base": […]}: the openings that later matches may fall in with,
`at` in microseconds since 1970. Without a cooldown there is nothing to carry, for a moment never lies in two spans.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from governance.backtests.enums import Side
from governance.backtests.models import Backtest
from governance.engine import CompiledRule, RuleError, RuleSpec, compile_rule
from governance.violations.backtest_spans import EPOCH, MICROSECOND, Judged
from governance.violations.detection_backtest import Asked, Rehearsal, Span, spans
from governance.violations.detection_backtest import Backtest as Counts
from guilds.errors import InvalidInput

#: About so many signals in one step: a second or a few.
STEP_SIGNALS = 200_000

_COPY = """COPY governance_backtesthit
    (backtest_id, side, signal_id, guild_id, creator_id, market_id, subject, occurred_at) FROM STDIN"""


def rule_of(spec: dict[str, Any]) -> CompiledRule:
    """A stored wording, compiled; InvalidInput when it cannot be."""
    try:
        return compile_rule(RuleSpec.from_dict(spec))
    except (RuleError, KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"This wording cannot be run: {error}", field="version") from error


def sides_of(backtest: Backtest) -> Iterator[tuple[Side, Asked]]:
    markets = tuple(backtest.markets)
    yield Side.TESTED, Asked(rule_of(backtest.spec), markets)
    if backtest.compared_with is not None:
        yield Side.BASE, Asked(rule_of(backtest.compared_with.spec), markets)


def signals_of(backtest: Backtest) -> int:
    """How many signals both sides will be asked about."""
    return sum(asked.signals(backtest.since, backtest.until).count() for _, asked in sides_of(backtest))


@dataclass
class Step:
    """What one step found. `until` is the moment up to which everything is judged; nothing of it is saved but the hits."""

    span: Span
    signals: int = 0
    faults: int = 0
    carried: dict[str, list[list[int | None]]] = field(default_factory=dict)


def step_of(backtest: Backtest) -> Step | None:
    """Judge the next span and write its hits; None when nothing is left. Wants a transaction."""
    runs = {
        side: Rehearsal(asked, _standing(backtest.carried.get(side, ())))
        for side, asked in sides_of(backtest)
    }
    lookback = max(run.lookback for run in runs.values())
    ahead = spans(backtest.reached or backtest.since, backtest.until, lookback=lookback, signals=STEP_SIGNALS)
    span = next(ahead, None)
    if span is None:
        return None
    step = Step(span)
    for side, run in runs.items():
        counts = Counts()
        hits: list[Judged] = []
        with connection.cursor() as cursor:

            def opened(
                hit: Judged, side: Side = side, hits: list[Judged] = hits, cursor: Any = cursor
            ) -> None:
                hits.append(hit)
                if len(hits) >= 20_000:
                    _copy(cursor, backtest, side, hits)

            run.judge(span, counts, opened)
            _copy(cursor, backtest, side, hits)
        run.forget_before((span.until - EPOCH) // MICROSECOND)
        step.signals += counts.signals
        step.faults += counts.faults if side == Side.TESTED else 0
        if run.cooldown:
            step.carried[side] = [[guild, creator, at] for (guild, creator), at in run.standing.items()]
    return step


def _standing(carried: Any) -> dict[tuple[int, int | None], int]:
    return {(guild, creator): at for guild, creator, at in carried}


def _copy(cursor: Any, backtest: Backtest, side: Side, hits: list[Judged]) -> None:
    if not hits:
        return
    with cursor.copy(_COPY) as copy:
        for hit in hits:
            copy.write_row(
                (
                    backtest.pk,
                    side.value,
                    hit.signal_id,
                    hit.guild_id,
                    hit.creator_id,
                    hit.market_id,
                    hit.subject,
                    hit.time,
                )
            )
    hits.clear()
