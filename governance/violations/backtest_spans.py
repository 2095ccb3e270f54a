"""A rule over a span of time the quick way: SQL measures and narrows, CEL decides about the candidates.

CEL is asked once for all signals that agree in everything the condition reads, for it can only answer the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

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

#: A signal and what the rule said of it: "" is a match, anything else a fault.
Said = tuple[StoredSignal, str]


class SpanReader:
    """One rule and the answers it has given. `market_ids` empty: every market; `markets` knows all of them."""

    def __init__(
        self, rule: CompiledRule, evaluator: Evaluator, market_ids: Sequence[int], markets: Registry
    ) -> None:
        self.evaluator = evaluator
        self.market_ids = list(market_ids)
        self.markets = markets
        self.statement: SpanStatement = span_statement(rule, in_markets=bool(market_ids))
        self.answers: dict[tuple[Any, ...], str | None] = {}
        names = {path[0] for path in rule.paths}
        self.per_type, self.per_time = "signal_type" in names, "signal_time" in names
        self.of_guild = tuple(path[1] for path in rule.paths if path[0] == "guild")
        self.of_creator = tuple(path[1] for path in rule.paths if path[0] == "creator")
        self.of_market = "market" in names or not rule.spec.everywhere
        self.per_creator = {measure.key for measure in rule.measures if measure.per == "creator"}

    def said(
        self, since: dt.datetime, until: dt.datetime, settled: Callable[[StoredSignal], bool]
    ) -> Iterator[Said]:
        """Matches and faults among the signals with since ≤ t < until, in order of (time, id).

        A match for which `settled` holds may be left out; faults never are. Wants a transaction, whose settings it changes.
        """
        with connection.cursor() as cursor:
            cursor.execute(_SETTINGS)
        with connection.chunked_cursor() as cursor:
            cursor.execute(self.statement.text, self.statement.bound(since, until, self.market_ids))
            while rows := cursor.fetchmany(ROWS):
                yield from (self.asked(rows, settled) if self.statement.exact else self.measured(rows))

    def measured(self, rows: Sequence[tuple[Any, ...]]) -> Iterator[Said]:
        """Where SQL does not know every measure, candidates are a batch as in live detection."""
        signals = rows_to_signals([(*row[:_DOUBTFUL], row[_WHOLE]) for row in rows])
        for verdict in verdicts(self.evaluator, signals, registry_of(signals)):
            yield verdict.signal, verdict.fault

    def asked(
        self, rows: Sequence[tuple[Any, ...]], settled: Callable[[StoredSignal], bool]
    ) -> Iterator[Said]:
        answers = self.answers
        plain = not (self.per_type or self.per_time or self.of_guild or self.of_creator or self.of_market)
        registry: Registry | None = None
        if self.of_guild or self.of_creator:
            registry = registry_of([StoredSignal._make((*row[:_DOUBTFUL], {})) for row in rows])
        for row in rows:
            signal = StoredSignal._make((*row[:_DOUBTFUL], {}))
            if not row[_DOUBTFUL] and settled(signal):
                continue
            question = row[_FIRST_FIELD:]
            if not plain or self.per_creator:
                question += self.beside(signal, registry)
            if row[_WHOLE] is not None:
                answer = self.answer(row, signal, registry)
            elif question in answers:
                answer = answers[question]
            else:
                if len(answers) >= REMEMBERED:
                    answers.clear()
                answer = answers[question] = self.answer(row, signal, registry)
            if answer is not None:
                yield signal, answer

    def beside(self, signal: StoredSignal, registry: Registry | None) -> tuple[Any, ...]:
        """What the condition reads beside the signal's fields and measures."""
        read: list[Any] = [signal.creator_id is None]
        if self.per_type:
            read.append(signal.type)
        if self.per_time:
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

    def answer(self, row: tuple[Any, ...], signal: StoredSignal, registry: Registry | None) -> str | None:
        """ "" for a match, a fault's words, or None."""
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
