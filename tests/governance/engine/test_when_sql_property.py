"""Candidates of SQL judged by CEL are what CEL alone finds: whole rules as the builder makes them, on stored signals.

CEL alone means: every signal of the span, with measures computed from their definition in Python, one window after another.
"""

import decimal
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from governance.engine import CompiledRule, Evaluator, MeasureSpec, RuleSpec, SignalFacts, compile_rule
from governance.engine.builder import from_builder
from governance.engine.evaluate import Where
from governance.engine.facts import safe_number
from governance.engine.span_sql import span_statement
from guilds.models import Guild, Market
from tests.factories import guild as a_guild
from tests.factories import market as a_market
from tests.governance.engine.generated import Tree, one_test, trees
from tests.governance.engine.rules import spec
from tests.governance.engine.test_measure_sql import START, moment
from tests.governance.engine.test_where_sql import record

DONE = START + timedelta(days=1)
CREATORS = (None, 7, 8)

# -- rules
PLACES = ("signal.x", "signal.y", "signal.n.a", 'signal.n["a"].b', "signal.x.a")
OPERATIONS = ("eq", "ne", "lt", "le", "gt", "ge")
operations = st.sampled_from(OPERATIONS)
wholes = st.tuples(st.just("whole"), st.sampled_from([0, 1, 2, 100, -3, "9007199254740993"]))
decimals = st.tuples(st.just("decimal"), st.sampled_from([0.0, 1.0, 1.5, 0.1, 2.5, 1e300]))
texts = st.tuples(st.just("text"), st.sampled_from(["", "a", "ab", "A", "1", "ä", "😀", "%", "null"]))
truths = st.tuples(st.just("bool"), st.booleans())
places = st.sampled_from(PLACES)


def counted(name: str, typed: st.SearchStrategy[tuple[str, Any]], form: str = "") -> st.SearchStrategy[Tree]:
    """A measure compared with a number."""
    return st.builds(lambda op, pair: one_test(name, op, pair[0], pair[1], form), operations, typed)


def ratio(field: str, over: str, scale: float | None, op: str, value: float, form: str) -> Tree:
    """A rate as the builder shows it."""
    return {
        "kind": "ratio",
        "field": field,
        "over": over,
        "scale": scale,
        "op": op,
        "value": value,
        "form": form,
    }


about_signals = st.one_of(
    st.builds(lambda field, op, pair: one_test(field, op, *pair), places, operations, st.one_of(wholes, decimals, texts)),
    st.builds(lambda field, op, pair: one_test(field, op, *pair), places, st.sampled_from(["eq", "ne"]), truths),
    st.builds(
        one_test, places, st.sampled_from(["in", "not_in"]), st.just("text"),
        st.lists(st.sampled_from(["a", "ab", "1", "ä"]), max_size=3),
    ),
    st.builds(
        lambda field, op, text: one_test(field, op, "text", text),
        places, st.sampled_from(["contains", "starts_with", "ends_with"]), st.sampled_from(["", "a", "%", "b"]),
    ),
    st.builds(
        one_test, st.sampled_from(["signal.x", "signal.n.a", "signal.zz"]),
        st.sampled_from(["is_true", "is_false", "is_null", "is_not_null", "is_present", "is_missing"]),
    ),
    st.builds(lambda field, op, other: one_test(field, op, "field", other), places, operations, places),
)  # fmt: skip
about_others = st.one_of(
    st.builds(
        lambda field, op, text: one_test(field, op, "text", text),
        st.sampled_from(["guild.tier", "guild.name", "market.code", "creator.id", "signal_type"]),
        st.sampled_from(["eq", "ne"]),
        st.sampled_from(["gold", "silver", "AA", "BB", "c7", "t.a"]),
    ),
    st.just(one_test("guild.provisional", "is_false")),
    st.just(one_test("market.languages", "includes", "text", "en")),
    st.just(one_test("signal.x", "gt", "whole", 1, "length")),
    st.just({"kind": "expression", "source": "signal.x + 1 > 2"}),
    st.just({"kind": "expression", "source": "signal.x ? true : n > 1"}),
)
about_measures = st.one_of(
    counted("n", wholes),
    counted("n", decimals, "number"),
    counted("kinds", st.tuples(st.just("whole"), st.sampled_from([0, 1, 2, 3]))),
    counted("total", st.one_of(wholes, decimals)),
    counted("worst", st.one_of(wholes, decimals)),
    st.builds(
        ratio, st.just("n"), st.sampled_from(["kinds", "n", "signal.x"]), st.sampled_from([None, 100.0]), operations,
        st.sampled_from([0.0, 0.5, 1.0, 50.0]), st.sampled_from(["product", "quotient"]),
    ),
    st.builds(lambda op: one_test("n", op, "field", "kinds"), operations),
    st.just(one_test("worst", "is_null")),
)  # fmt: skip
conditions = trees(
    st.one_of(about_signals, about_signals, about_measures, about_measures, about_others), most=6
)

windows = st.sampled_from([timedelta(minutes=30), timedelta(hours=1), timedelta(hours=3), timedelta(days=1)])
wheres = st.one_of(
    st.none(),
    trees(about_signals, most=2).map(from_builder),
    st.sampled_from(["signal.x.matches('a')", "signal.x > 0 && size(signal.y) > 0"]),
)
types = st.sampled_from([(), ("t.a", "t.b"), ("t.b",)])
paths = st.sampled_from(["data.x", "data.y", "data.n.a"])
measure_sets = st.tuples(
    st.builds(
        MeasureSpec, st.just("n"), types, wheres, windows, st.sampled_from(["guild", "creator"]), st.just("count")
    ),
    st.builds(
        MeasureSpec, st.just("kinds"), types, wheres, windows, st.just("guild"),
        st.one_of(st.just("distinct(creator)"), paths.map("distinct({})".format)),
    ),
    st.builds(MeasureSpec, st.just("total"), types, wheres, windows, st.just("guild"), paths.map("sum({})".format)),
    st.builds(
        MeasureSpec, st.just("worst"), types, wheres, windows, st.sampled_from(["guild", "creator"]),
        paths.map("max({})".format),
    ),
)  # fmt: skip
rules = st.builds(
    lambda tree, measures: spec(from_builder(tree), *measures, on=("t.a",)), conditions, measure_sets
)


# -- signals
class Stored(NamedTuple):
    """A signal as the table keeps it; guild and market are places in the two that there are."""

    id: int
    time: datetime
    type: str
    guild: int
    creator: int | None
    market: int
    text: str


worlds = st.lists(
    st.tuples(
        moment,
        st.sampled_from(["t.a", "t.a", "t.a", "t.b", "t.c"]),
        st.integers(0, 1),
        st.sampled_from(CREATORS),
        st.integers(0, 1),
        record,
    ),
    min_size=3,
    max_size=16,
).map(lambda drawn: [Stored(number, *fields) for number, fields in enumerate(drawn, 1)])


def store(rows: Sequence[Stored], guilds: Sequence[int], markets: Sequence[int]) -> dict[int, str]:
    """Into the real table; what PostgreSQL made of the data, by id."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE governance_signal")
        for month in {row.time.strftime("%Y-%m-01") for row in rows}:
            cursor.execute("SELECT governance_signal_month(%s::timestamptz)", [f"{month} 00:00:00+00"])
        cursor.executemany(
            """INSERT INTO governance_signal
                (id, time, type, source_id, event_id, guild_id, creator_id, market_id, data, received_at)
            VALUES (%s, %s, %s, 1, %s, %s, %s, %s, %s::jsonb, now())""",
            [
                (row.id, row.time, row.type, row.id, guilds[row.guild], row.creator, markets[row.market], row.text)
                for row in rows
            ],
        )  # fmt: skip
        cursor.execute("SELECT id, data::text FROM governance_signal")
        return dict(cursor.fetchall())


# -- CEL alone
def same(value: Any) -> str:
    """Equal for values that are equal as JSON: numbers by their size, texts and truths by themselves."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{same(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(same, value)) + "]"
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return f"{Decimal(value).normalize(decimal.Context(prec=1_000))}".replace("-0", "0", value == 0)
    return json.dumps(value)


def at(data: Any, path: Sequence[str]) -> Any:
    """The value at a path of objects, None when it is not there."""
    for step in path:
        data = data.get(step) if isinstance(data, dict) else None
    return data


def aggregated(measure: MeasureSpec, inside: Sequence[tuple[Stored, Any]]) -> Any:
    """By the definition in docs/rules.md."""
    function, _, rest = measure.aggregate.removesuffix(")").partition("(")
    if function == "count":
        return len(inside)
    if rest == "creator":
        return len({row.creator for row, _ in inside} - {None})
    values = [at(data, rest.split(".")[1:]) for _, data in inside]
    if function == "distinct":
        return len({same(value) for value in values if value is not None})
    numbers = [
        Decimal(value)
        for value in values
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    ]
    if function == "max":
        return max(numbers, default=None)
    with decimal.localcontext(decimal.Context(prec=2_000)):
        return sum(numbers, Decimal(0))


def by_definition(
    rule: CompiledRule, rows: Sequence[Stored], kept: dict[int, str]
) -> dict[int, dict[str, Any]]:
    """The measures of every signal, by id and MeasureSpec.key; those per creator only where there is one."""
    exact = {row.id: json.loads(kept[row.id], parse_float=Decimal) for row in rows}
    found: dict[int, dict[str, Any]] = {row.id: {} for row in rows}
    for measure in rule.measures:
        where = Where(measure.where) if measure.where else None
        counting = [
            row
            for row in rows
            if row.type in measure.types
            and (where is None or where.accepts(json.loads(kept[row.id]), row.type, row.time))
        ]
        for row in rows:
            subject = row.guild if measure.per == "guild" else row.creator
            if subject is None:
                continue
            inside = [
                (other, exact[other.id])
                for other in counting
                if (other.guild if measure.per == "guild" else other.creator) == subject
                and row.time - measure.window < other.time <= row.time
            ]
            found[row.id][measure.key] = aggregated(measure, inside)
    return found


def place_of(row: Stored) -> tuple[Any, ...]:
    """Signals of one place are one to a rule: the statement may return the first of those that say the same."""
    return row.time, row.guild, row.creator, row.market


class Registry(NamedTuple):
    """Two markets with a guild each."""

    markets: list[Market]
    guilds: list[Guild]


@pytest.fixture
def registry(db: None) -> Registry:
    markets = [a_market("AA", languages=["en"]), a_market("BB", languages=["de"])]
    return Registry(
        markets,
        [
            a_guild("g-0", name="AA", tier="gold", market=markets[0]),
            a_guild("g-1", name="silver", tier="silver", market=markets[1]),
        ],
    )


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    wording=rules, rows=worlds, since=st.one_of(st.just(START - timedelta(hours=1)), moment),
    markets_asked=st.sampled_from([(), (), (0,), (1,)]),
)  # fmt: skip
def test_candidates_judged_by_cel_are_what_cel_alone_finds(
    registry: Registry,
    wording: RuleSpec,
    rows: list[Stored],
    since: datetime,
    markets_asked: tuple[int, ...],
) -> None:
    rule = compile_rule(wording)
    evaluator = Evaluator([rule])
    markets, guilds = registry
    kept = store(rows, [one.pk for one in guilds], [one.pk for one in markets])
    measured = by_definition(rule, rows, kept)

    def matched(row: Stored) -> bool:
        of, market = guilds[row.guild], markets[row.market]
        facts = SignalFacts(
            signal=json.loads(kept[row.id]),
            signal_type=row.type,
            signal_time=row.time,
            guild={"id": of.external_id, "name": of.name, "tier": of.tier, "status": of.status, "provisional": False},
            creator={"id": f"c{row.creator}"} if row.creator else {},
            market={"code": market.code, "name": market.name, "languages": market.languages},
        )  # fmt: skip
        return bool(evaluator.matching(facts, measured[row.id]))

    asked = [
        row
        for row in rows
        if row.type in wording.on
        and since <= row.time < DONE
        and (not markets_asked or row.market in markets_asked)
    ]
    alone = {place_of(row) for row in asked if matched(row)}

    statement = span_statement(rule, in_markets=bool(markets_asked))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            statement.text, statement.bound(since, DONE, [markets[place].pk for place in markets_asked])
        )
        returned = {values[0]: values for values in cursor.fetchall()}
    by_id = {row.id: row for row in rows}

    assert set(returned) <= {row.id for row in asked}
    assert {place_of(by_id[key]) for key in returned if matched(by_id[key])} == alone, wording.when
    if statement.exact:
        for key, values in returned.items():
            last = values[len(values) - len(statement.measures) :]
            for name, value in zip(statement.measures, last, strict=True):
                if name in measured[key]:
                    assert safe_number(value) == safe_number(measured[key][name]), (name, key)
    if asked:
        event("matches" if alone else "no match")
        event("narrowed" if len(returned) < len({place_of(row) for row in asked}) else "everything kept")
