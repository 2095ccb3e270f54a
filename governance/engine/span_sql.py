"""A rule over a stretch of time in one statement: its measures by window functions, its candidates filtered by SQL.

The same windows as in sql.py, (t − window, t] with rows of equal time included, but for every signal of the stretch at once,
so that each row is read once however many windows it lies in:

- count and sum slide a frame along each subject's signals.
- max cuts time into blocks one window long; a window is the end of one block and the beginning of the next.
- distinct counts values that began to be there less those that ceased: one begins with its first signal and ceases a window
  after the last one before a gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from governance.engine.compiled import CompiledRule
from governance.engine.conditions import TRUE, either
from governance.engine.spec import Aggregate, MeasureSpec, parse_aggregate
from governance.engine.when_sql import LARGE, MeasureColumn, WhenCandidate, when_candidate
from governance.engine.where_sql import SqlFragment, narrowing_sql, where_sql

# What the row begins with
COLUMNS = ("id", "time", "type", "guild_id", "named_guild_id", "creator_id", "market_id")

# Texts of the registry that are never NULL, and the table they are in
_TEXTS: Mapping[tuple[str, ...], str] = {
    ("guild", "id"): "g.external_id",
    ("guild", "name"): "g.name",
    ("guild", "tier"): "g.tier",
    ("guild", "status"): "g.status",
    ("market", "code"): "mk.code",
    ("market", "name"): "mk.name",
}
_JOINS = {
    "g.": "JOIN guilds_guild g ON g.id = s.guild_id",
    "mk.": "JOIN guilds_market mk ON mk.id = s.market_id",
}

# As whole microseconds, which are several times cheaper to send and to read than times are
_TIME = "(extract(epoch FROM time) * 1000000)::bigint AS time"

_EACH = """SELECT id, {columns} FROM ({rows}) AS found ORDER BY 2, 1"""

# Signals of one moment and subject that agree in everything the condition reads are one question. But errors are counted each.
_ONCE = """SELECT min(id) AS id, {columns} FROM ({rows}) AS found
GROUP BY {places}, CASE WHEN doubtful THEN id END
ORDER BY 2, 1"""

_PLAIN = """
    SELECT {columns}
    FROM governance_signal s {joins}
    WHERE {asked} AND s.time < %(until)s::timestamptz AND {chosen}"""

# Read: conditions on each signal, for which the row is then no longer needed. Narrow: what is neither a candidate nor counted
# goes before anything is sorted.
_SLIDING = """
SELECT * FROM (SELECT *, coalesce({doubtful}, FALSE) AS doubtful FROM (
SELECT *, {measured} FROM (
    SELECT {narrowed} FROM (
        SELECT {read}
        FROM governance_signal s {joins}
        WHERE s.time > %(lookback)s::timestamptz AND s.time < %(until)s::timestamptz
            AND s.type = ANY(%(types)s::text[]){near}
        OFFSET 0
    ) AS s WHERE (asked AND {possible}) OR {counted}
) AS narrowed) AS measured WHERE mine) AS found
WHERE doubtful OR {chosen}"""

_NEAR = """s.{subject} IN (SELECT s.{subject} FROM governance_signal s
            WHERE {asked} AND s.time < %(until)s::timestamptz)"""


@dataclass(frozen=True)
class SpanStatement:
    """Rows of COLUMNS, then `doubtful`, `whole`, one column per field and one per measure, in order of (time, id).

    `time` is in microseconds since 1970. Where `exact`, signals of one moment and subject that agree in all that is read are
    one row with the first one's id, unless `doubtful`.

    `fields` are the fields of the signal that `when` reads, as JSON text, NULL where absent; None when it reads the signal
    as a whole, which then is the only field. `measures` are keys (MeasureSpec.key) of the values that follow; `exact` says
    that they are all of the rule's, else the candidates' measures are still to be computed. `doubtful`: the rule may be an
    error on the signal. `whole` is the signal's data where it may be too large to evaluate, and everywhere unless `exact`.
    """

    text: str
    params: Mapping[str, Any]
    fields: tuple[str, ...] | None
    measures: tuple[str, ...]
    exact: bool
    narrows: bool
    lookback: timedelta

    def bound(self, since: datetime, until: datetime, market_ids: list[int]) -> dict[str, Any]:
        """All parameters for the signals with since ≤ t < until; no markets are all markets."""
        return {
            **self.params,
            "since": since,
            "until": until,
            "lookback": since - self.lookback,
            "markets": market_ids,
        }


def span_statement(rule: CompiledRule, *, in_markets: bool) -> SpanStatement:
    """The statement for one rule; `in_markets` when it is asked about some markets only, given as ids."""
    return _Span(rule, in_markets).statement()


@dataclass(frozen=True)
class _Windowed:
    """One measure as a column `m<number>`."""

    number: int
    spec: MeasureSpec
    aggregate: Aggregate
    counted: SqlFragment | None  # its `where`, or what it implies
    bound: Literal["exact", "upper"]

    @property
    def seconds(self) -> int:
        return int(self.spec.window / timedelta(seconds=1))

    @property
    def subject(self) -> str:
        return f"{self.spec.per}_id"

    @cached_property
    def values(self) -> str:
        """The value of a row that is counted."""
        jsonb = (
            "(s.data" + "".join(f" -> %(p{self.number}_{n})s" for n in range(len(self.aggregate.path))) + ")"
        )
        if self.aggregate.function == "distinct":
            return f"nullif({jsonb}, 'null'::jsonb)" if self.aggregate.path else "s.creator_id"
        return f"CASE WHEN jsonb_typeof({jsonb}) = 'number' THEN ({jsonb})::numeric END"

    @property
    def params(self) -> dict[str, Any]:
        return (
            {f"p{self.number}_{n}": step for n, step in enumerate(self.aggregate.path)}
            | {f"t{self.number}": sorted(set(self.spec.types))}
            | (self.counted.params if self.counted else {})
        )

    # -- the layers of the statement, from the inside out
    def read(self) -> Iterator[str]:
        n = self.number
        wanted = [f"s.type = ANY(%(t{n})s::text[])"]
        if self.spec.per == "creator":
            wanted.append("s.creator_id IS NOT NULL")
        if self.counted is not None:
            wanted.append(f"({self.counted.text})")
        yield f"coalesce({' AND '.join(wanted)}, FALSE) AS f{n}"
        if self.aggregate.function != "count":
            yield f"{self.values} AS v{n}"
        if self.aggregate.function == "max":
            epoch = "extract(epoch FROM s.time - %(lookback)s::timestamptz)"
            yield f"floor({epoch} / {self.seconds})::bigint AS b{n}"

    def narrowed(self) -> Iterator[str]:
        n, counted = self.number, f"CASE WHEN f{self.number} THEN v{self.number} END"
        function = self.aggregate.function
        if function == "count":
            yield f"f{n}"
        elif function == "max":
            yield f"b{n}"
            for name, order in (("u", "time"), ("d", "time DESC")):
                yield f"max({counted}) OVER (PARTITION BY {self.subject}, b{n} ORDER BY {order}) AS {name}{n}"
        elif function == "distinct":
            # Comparing hashes first saves most comparisons of JSON
            key = f"jsonb_hash({counted}), {counted}" if self.aggregate.path else counted
            same = f"OVER (PARTITION BY {self.subject}, {key} ORDER BY time)"
            there = f"f{n} AND v{n} IS NOT NULL"
            width = f"interval '{self.seconds} seconds'"
            yield f"{there} AND coalesce(lag(time) {same} + {width} <= time, TRUE) AS e{n}"
            yield f"{there} AND coalesce(lead(time) {same} >= time + {width}, TRUE) AS l{n}"
        else:
            yield f"{counted} AS v{n}"

    def measured(self) -> str:
        n = self.number
        along = f"PARTITION BY {self.subject} ORDER BY time"
        frame = f"OVER ({along} RANGE BETWEEN interval '{self.seconds - 1}.999999 seconds' PRECEDING AND CURRENT ROW)"
        function = self.aggregate.function
        if function == "count":
            value = f"count(*) FILTER (WHERE f{n}) {frame}"
        elif function == "sum":
            value = f"coalesce(sum(v{n}) {frame}, 0)"
        elif function == "max":
            value = f"greatest(u{n}, CASE WHEN first_value(b{n}) {frame} <> b{n} THEN first_value(d{n}) {frame} END)"
        else:
            value = (
                f"count(*) FILTER (WHERE e{n}) OVER ({along} RANGE UNBOUNDED PRECEDING)"
                f" - count(*) FILTER (WHERE l{n}) OVER ({along} RANGE BETWEEN UNBOUNDED PRECEDING"
                f" AND interval '{self.seconds} seconds' PRECEDING)"
            )
        if self.spec.per == "creator":
            value = f"CASE WHEN creator_id IS NOT NULL THEN {value} END"
        return f"{value} AS m{n}"


def _windowed(number: int, spec: MeasureSpec) -> _Windowed | None:
    """None when not even a bound is known: a sum or max over what SQL cannot decide."""
    aggregate = parse_aggregate(spec.aggregate)
    if spec.where is None:
        return _Windowed(number, spec, aggregate, None, "exact")
    exactly = where_sql(spec.where, prefix=f"w{number}_")
    if exactly is not None:
        return _Windowed(number, spec, aggregate, exactly, "exact")
    if not aggregate.counts:
        return None
    return _Windowed(number, spec, aggregate, narrowing_sql(spec.where, prefix=f"w{number}_"), "upper")


class _Span:
    def __init__(self, rule: CompiledRule, in_markets: bool) -> None:
        self.rule = rule
        self.in_markets = in_markets
        read = {path[0] for path in rule.paths}
        measures = [measure for measure in rule.measures if measure.name in read]
        found = [_windowed(number, measure) for number, measure in enumerate(measures)]
        self.exact = all(one is not None and one.bound == "exact" for one in found)
        self.measures = [one for one in found if one is not None]
        self.lookback = max((one.spec.window for one in self.measures), default=timedelta(0))
        fields = {path[1] if len(path) > 1 else None for path in rule.paths if path[0] == "signal"}
        self.fields = None if None in fields else tuple(sorted(name for name in fields if name is not None))
        self.candidate: WhenCandidate = when_candidate(
            rule.spec.when,
            {
                one.spec.name: MeasureColumn(f"m{one.number}", one.bound, one.aggregate.function)
                for one in self.measures
            },
            texts=_TEXTS,
        )

    def statement(self) -> SpanStatement:
        text = self.sliding() if self.measures else self.plain()
        params: dict[str, Any] = {
            **self.candidate.used_in(text),
            "on": sorted(set(self.rule.spec.on)),
            "types": sorted(
                {*self.rule.spec.on, *(name for one in self.measures for name in one.spec.types)}
            ),
        }
        for one in self.measures:
            params |= one.params
        if self.fields:
            params |= {f"k{n}": name for n, name in enumerate(self.fields)}
        return SpanStatement(
            text=text,
            params=params,
            fields=self.fields,
            measures=tuple(one.spec.key for one in self.measures) if self.exact else (),
            exact=self.exact,
            narrows=self.exact or either(self.candidate.condition, self.candidate.errors) != TRUE,
            lookback=self.lookback,
        )

    # -- parts
    @property
    def asked(self) -> str:
        """The signals that the rule is asked about."""
        wanted = ["s.type = ANY(%(on)s::text[])", "s.time >= %(since)s::timestamptz"]
        if self.in_markets:
            wanted.append("s.market_id = ANY(%(markets)s::bigint[])")
        return " AND ".join(wanted)

    @property
    def joins(self) -> str:
        text = self.candidate.condition.sql + self.candidate.errors.sql
        return " ".join(join for alias, join in _JOINS.items() if f" {alias}" in text or f"({alias}" in text)

    def field_columns(self) -> dict[str, str]:
        if self.fields is None:
            return {"k0": "s.data"}
        return {f"k{n}": f"s.data -> %(k{n})s::text" for n in range(len(self.fields))}

    def whole(self) -> str:
        return f"CASE WHEN {LARGE.sql} THEN s.data END" if self.exact else "s.data"

    def result(self, rows: str) -> str:
        """The columns of SpanStatement from rows that have them by name, ordered."""
        fields = [f"k{n}::text" for n in range(1 if self.fields is None else len(self.fields))]
        if not self.exact:
            return _EACH.format(
                columns=", ".join([_TIME, *COLUMNS[2:], "doubtful", "whole::text", *fields]), rows=rows
            )
        measures = [f"m{one.number}" for one in self.measures]
        columns = [_TIME, *COLUMNS[2:], "doubtful", "whole::text", *fields, *measures]
        return _ONCE.format(
            columns=", ".join(columns), places=", ".join(map(str, range(2, len(columns) + 2))), rows=rows
        )

    # -- without measures: one look at each signal
    def plain(self) -> str:
        matches, errors = self.candidate.condition, self.candidate.errors
        columns = [*(f"s.{name}" for name in COLUMNS), f"coalesce({errors.sql}, FALSE) AS doubtful"]
        columns += [f"{text} AS {name}" for name, text in self.field_columns().items()]
        rows = _PLAIN.format(
            columns=", ".join([*columns, f"{self.whole()} AS whole"]),
            joins=self.joins,
            asked=self.asked,
            chosen=either(matches, errors).sql,
        )
        return self.result(rows)

    # -- with measures: read, narrow, measure, choose
    def sliding(self) -> str:
        matches, errors = self.candidate.condition, self.candidate.errors
        chosen, chosen_parts = matches.split(lambda n: f"c{n}")
        doubtful, doubtful_parts = errors.split(lambda n: f"x{n}")
        possible, possible_parts = either(matches, errors).without_measures().split(lambda n: f"q{n}")
        read = [*(f"s.{name}" for name in COLUMNS), "s.data", f"({self.asked}) AS asked"]
        narrowed = [*COLUMNS, f"(asked AND {possible}) AS mine"]
        for prefix, parts in (("c", chosen_parts), ("x", doubtful_parts), ("q", possible_parts)):
            read += [f"{text} AS {prefix}{n}" for n, text in enumerate(parts)]
            narrowed += [f"{prefix}{n}" for n in range(len(parts)) if prefix != "q"]
        for name, text in {**self.field_columns(), "whole": self.whole()}.items():
            narrowed.append(f"CASE WHEN asked AND {possible} THEN {text} END AS {name}")
        for one in self.measures:
            read += one.read()
            narrowed += one.narrowed()
        rows = _SLIDING.format(
            doubtful=doubtful,
            measured=", ".join(one.measured() for one in self.measures),
            narrowed=", ".join(narrowed),
            read=", ".join(read),
            joins=self.joins,
            near=self.near(),
            possible=possible,
            counted=" OR ".join(f"f{one.number}" for one in self.measures),
            chosen=chosen,
        )
        return self.result(rows)

    def near(self) -> str:
        """Measures count signals of every market, but only of those whom signals of the asked markets are about.

        What is asked about stands by itself: a signal that names no creator is near to nobody's.
        """
        if not self.in_markets:
            return ""
        subjects = sorted({one.subject for one in self.measures})
        near = [_NEAR.format(subject=subject, asked=self.asked) for subject in subjects]
        return f" AND ({' OR '.join([f'({self.asked})', *near])})"
