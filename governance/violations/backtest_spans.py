"""A rule over a span of time the quick way: SQL measures and narrows, CEL decides about the candidates.

CEL is asked once for all signals that agree in everything the condition reads, for it can only answer the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connection

from governance.engine import CompiledRule, Evaluator, SignalFacts
from governance.engine.span_sql import COLUMNS, SpanStatement, span_statement
from governance.violations.detection_facts import (
    NOBODY,
    Registry,
    StoredSignal,
    parsed,
    registry_of,
    rows_to_signals,
)
from governance.violations.detection_judging import verdicts

ROWS = 5_000
#: So many different questions are remembered at most, each with its answer.
REMEMBERED = 50_000

# The statement reads many rows and sorts them by subject. Its cursor is read to the end, and the plan is worth no compiling.
_SETTINGS = """SELECT set_config('work_mem', '128MB', TRUE), set_config('jit', 'off', TRUE),
    set_config('cursor_tuple_fraction', '1', TRUE)"""

_DOUBTFUL, _WHOLE = len(COLUMNS), len(COLUMNS) + 1
_FIRST_FIELD = len(COLUMNS) + 2

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)


class Judged(NamedTuple):
    """A signal that matches, or on which the rule is faulty (`fault` says why).

    `at` is its time in microseconds since 1970, `guild_id` the guild charged, `creator_id` None where the guild's own act is
    meant: guild and creator are the subject of the violation.
    """

    signal_id: int
    at: int
    guild_id: int
    creator_id: int | None
    market_id: int
    fault: str = ""

    @property
    def time(self) -> dt.datetime:
        return EPOCH + dt.timedelta(microseconds=self.at)

    @property
    def subject(self) -> str:
        """As Violation.subject."""
        return f"g{self.guild_id}" if self.creator_id is None else f"g{self.guild_id}c{self.creator_id}"


#: (at, guild, creator) → whether a match there would open nothing.
Settled = Callable[[int, int, int | None], bool]


def judged(signal: StoredSignal, fault: str, *, own_act: bool) -> Judged:
    return Judged(
        signal.id,
        (signal.time - EPOCH) // MICROSECOND,
        signal.charged_guild(own_act=own_act),
        None if own_act else signal.creator_id,
        signal.market_id,
        fault,
    )


class SpanReader:
    """One rule and the answers it has given. `market_ids` empty: every market; `markets` knows all of them."""

    def __init__(
        self, rule: CompiledRule, evaluator: Evaluator, market_ids: Sequence[int], markets: Registry
    ) -> None:
        self.evaluator = evaluator
        self.own_act = rule.spec.charge == "own"
        self.market_ids = list(market_ids)
        self.markets = markets
        self.statement: SpanStatement = span_statement(rule, in_markets=bool(market_ids))
        self.answers: dict[tuple[Any, ...], str | None] = {}
        names = {path[0] for path in rule.paths}
        self.of_type, self.of_time = "signal_type" in names, "signal_time" in names
        self.of_guild = tuple(path[1] for path in rule.paths if path[0] == "guild")
        self.of_creator = tuple(path[1] for path in rule.paths if path[0] == "creator")
        # The evaluator itself asks for type and market, where the rule is about some only
        self.of_market = "market" in names or not rule.spec.everywhere
        self.per_creator = {measure.key for measure in rule.measures if measure.per == "creator"}
        self.reads_beside = bool(
            self.of_type
            or self.of_time
            or self.of_guild
            or self.of_creator
            or self.of_market
            or self.per_creator
        )

    def said(self, since: dt.datetime, until: dt.datetime, settled: Settled) -> Iterator[Judged]:
        """Matches and faults among the signals with since ≤ t < until, in order of (time, id).

        A match for which `settled` holds may be left out; faults never are. Wants a transaction, whose settings it changes.
        """
        with connection.cursor() as cursor:
            cursor.execute(_SETTINGS)
        with connection.chunked_cursor() as cursor:
            cursor.execute(self.statement.text, self.statement.bound(since, until, self.market_ids))
            while rows := cursor.fetchmany(ROWS):
                yield from (self.asked(rows, settled) if self.statement.exact else self.measured(rows))

    def measured(self, rows: Sequence[tuple[Any, ...]]) -> Iterator[Judged]:
        """Where SQL does not know every measure, candidates are a batch as in live detection."""
        signals = rows_to_signals([(row[0], _time(row), *row[2:_DOUBTFUL], row[_WHOLE]) for row in rows])
        for verdict in verdicts(self.evaluator, signals, registry_of(signals)):
            yield judged(verdict.signal, verdict.fault, own_act=self.own_act)

    def asked(self, rows: Sequence[tuple[Any, ...]], settled: Settled) -> Iterator[Judged]:
        answers, own_act = self.answers, self.own_act
        registry: Registry | None = None
        if self.of_guild or self.of_creator:
            registry = registry_of([_signal(row) for row in rows])
        beside = self.reads_beside
        for row in rows:
            signal_id, at, _, guild_id, named_guild_id, creator_id, market_id, doubtful, whole = row[
                :_FIRST_FIELD
            ]
            if own_act:
                guild_id, charged_creator = named_guild_id or guild_id, None
            else:
                charged_creator = creator_id
            if not doubtful and settled(at, guild_id, charged_creator):
                continue
            question = row[_FIRST_FIELD:]
            if beside:
                question += self.beside(row, registry)
            if whole is not None:
                answer = self.answer(row, registry)
            elif question in answers:
                answer = answers[question]
            else:
                if len(answers) >= REMEMBERED:
                    answers.clear()
                answer = answers[question] = self.answer(row, registry)
            if answer is not None:
                yield Judged(signal_id, at, guild_id, charged_creator, market_id, answer)

    def beside(self, row: tuple[Any, ...], registry: Registry | None) -> tuple[Any, ...]:
        """What the condition reads beside the signal's fields and measures."""
        signal = _signal(row)
        read: list[Any] = [signal.creator_id is None]
        if self.of_type:
            read.append(signal.type)
        if self.of_time:
            read.append(signal.time)
        if self.of_market:
            read.append(signal.market_id)
        if registry is not None:
            guild, creator = registry.guilds[signal.guild_id], self.creator(signal, registry)
            read += [guild.get(name) for name in self.of_guild]
            read += [creator.get(name) for name in self.of_creator]
        return tuple(read)

    @staticmethod
    def creator(signal: StoredSignal, registry: Registry) -> Mapping[str, Any]:
        return registry.creators[signal.creator_id] if signal.creator_id is not None else NOBODY

    def answer(self, row: tuple[Any, ...], registry: Registry | None) -> str | None:
        """ "" for a match, a fault's words, or None."""
        signal = _signal(row)
        statement = self.statement
        fields = statement.fields
        if row[_WHOLE] is not None:
            stored = parsed(row[_WHOLE])
        elif fields is None:
            stored = parsed(row[_FIRST_FIELD])
        else:
            texts = zip(fields, row[_FIRST_FIELD:], strict=False)
            stored = {name: parsed(text) for name, text in texts if text is not None}
        measured = row[_FIRST_FIELD + (1 if fields is None else len(fields)) :]
        values = {
            key: value
            for key, value in zip(statement.measures, measured, strict=True)
            if signal.creator_id is not None or key not in self.per_creator
        }
        facts = SignalFacts(
            signal=stored,
            signal_type=signal.type,
            signal_time=signal.time,
            guild=registry.guilds[signal.guild_id] if registry is not None else NOBODY,
            creator=self.creator(signal, registry) if registry is not None else NOBODY,
            market=self.markets.markets[signal.market_id],
        )
        for outcome in self.evaluator.findings(facts, values):
            return "" if outcome.matched else outcome.reason or "error"
        return None


def _time(row: tuple[Any, ...]) -> dt.datetime:
    return EPOCH + dt.timedelta(microseconds=row[1])


def _signal(row: tuple[Any, ...]) -> StoredSignal:
    """Without its data."""
    return StoredSignal._make((row[0], _time(row), *row[2:_DOUBTFUL], {}))
