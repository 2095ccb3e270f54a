"""The SQL of a condition is TRUE exactly where the CEL runtime says true; PostgreSQL and the runtime are the two witnesses."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.engine.evaluate import Where
from governance.engine.where_sql import narrowing_sql, where_sql

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

# Everything a field may hold that could be taken for something else
VALUES = [
    "null", "true", "false", "0", "-0", "1", "1.0", "1.5", "-3", "2", "1e2", "100", "100.0", "1e400", "-1e400", "1e-400",
    "2e-324", "3e-324", "1.00000000000000000001", "0.1", "0.10000000000000000001", "9007199254740991",
    "9007199254740992", "9007199254740993", "9223372036854775807", "9223372036854775808", "1" + "0" * 400,
    '""', '"a"', '"ab"', '"b"', '"A"', '"1"', '"true"', '"null"', '"ä"', '"z"', '"😀"', '"\\uffff"', '"a%b_"',
    "[]", "[1]", '["a"]', '{}', '{"a": 1}', '{"a": null}', '{"a": {"b": "a"}}', '{"a": "ab", "b": true}',
]  # fmt: skip
LITERALS = [
    "null", "true", "false", "0", "1", "-3", "1.0", "1.5", "0.1", "100", "9007199254740991", "-0.0", "2e-324", "5e-324",
    "''", "'a'", "'ab'", "'ä'", "'1'", "'😀'", "'\\uffff'", "'%'", "'_'",
]  # fmt: skip
PLACES = ["signal.x", "signal.y", "signal.n.a", 'signal.n["a"].b', "signal['x']", "signal.`x`", "signal.n.b"]

place = st.sampled_from(PLACES)
literal = st.sampled_from(LITERALS)
ordered = st.sampled_from([written for written in LITERALS if written not in ("null", "true", "false")])
comparison = st.one_of(
    st.builds("{} {} {}".format, place, st.sampled_from(["==", "!="]), literal),
    st.builds("{} {} {}".format, literal, st.sampled_from(["==", "!="]), place),
    st.builds("{} {} {}".format, place, st.sampled_from(["<", "<=", ">", ">="]), ordered),
    st.builds("{} {} {}".format, ordered, st.sampled_from(["<", "<=", ">", ">="]), place),
    st.builds("{} in [{}]".format, place, st.lists(literal, min_size=1, max_size=3).map(", ".join)),
    st.builds("has({})".format, st.sampled_from(["signal.x", "signal.n.a", 'signal.n["a"].b', "signal.zz"])),
    st.builds("{}.{}({})".format, place, st.sampled_from(["startsWith", "endsWith", "contains"]),
              st.sampled_from(["''", "'a'", "'%'", "'ä'", "'ab'"])),
    st.builds("signal_type {} {}".format, st.sampled_from(["==", "!="]), st.sampled_from(["'t.one'", "'t'"])),
    place,
    st.sampled_from(["true", "false"]),
)  # fmt: skip
condition = st.recursive(
    comparison,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
    ),
    max_leaves=6,
)
value = st.sampled_from(VALUES)
record = st.one_of(
    st.dictionaries(st.sampled_from(["x", "y", "n", "other"]), value, max_size=4).map(
        lambda fields: "{" + ", ".join(f'"{name}": {text}' for name, text in fields.items()) + "}"
    ),
    st.sampled_from(["null", "1", "[]", '["x"]', '"x"', "true"]),
)


def verdicts(text: str, params: dict[str, Any], records: list[str]) -> list[tuple[bool, Any]]:
    """(SQL's verdict, the record as a worker reads it back) for each record."""
    statement = f"""SELECT coalesce({text}, FALSE), s.data::text
        FROM unnest(%(records)s::jsonb[]) WITH ORDINALITY AS given (data, place),
        LATERAL (SELECT given.data AS data, 't.one' AS type) AS s ORDER BY given.place"""
    with connection.cursor() as cursor:
        cursor.execute(statement, {**params, "records": records})
        return [(verdict, json.loads(stored)) for verdict, stored in cursor.fetchall()]


@pytest.mark.django_db
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(source=condition, records=st.lists(record, min_size=1, max_size=25))
def test_sql_is_true_exactly_where_cel_is(source: str, records: list[str]) -> None:
    try:
        where = Where(source)
    except ValueError:  # such as 1 == 'a': refused when saved, never translated
        return
    fragment = where_sql(source)
    assert fragment is not None, source
    for verdict, stored in verdicts(fragment.text, fragment.params, records):
        assert verdict is where.accepts(stored, "t.one", NOON), (source, stored)


@pytest.mark.django_db
@pytest.mark.parametrize("text", VALUES)
def test_every_value_against_every_literal(text: str) -> None:
    record = f'{{"x": {text}}}'
    for written in LITERALS:
        for operator in ("==", "!=", "<", "<=", ">", ">="):
            source = f"signal.x {operator} {written}"
            try:
                where = Where(source)
            except ValueError:
                continue
            fragment = where_sql(source)
            if fragment is None:
                continue
            [(verdict, stored)] = verdicts(fragment.text, fragment.params, [record])
            assert verdict is where.accepts(stored, "t.one", NOON), (source, stored)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("source", "record", "expected"),
    [
        ("signal.x != 'a'", '{"x": null}', True),
        ("signal.x != 'a'", "{}", False),
        ("!(signal.x == 'a')", "{}", False),
        ("!(signal.x > 1)", '{"x": null}', False),
        ("signal.x > 1", '{"x": "2"}', False),
        ("signal.x == 1", '{"x": true}', False),
        ("signal.x == 1", '{"x": 1.0}', True),
        ("signal.x == null", '{"x": null}', True),
        ("signal.x == null", "{}", False),
        ("signal.missing > 1 || signal.x == 1", '{"x": 1}', True),
        ("signal.x == 1 || signal.missing > 1", '{"x": 2}', False),
        ("!(signal.missing > 1 && signal.x == 1)", '{"x": 2}', True),
        ("has(signal.x) && !has(signal.y)", '{"x": null}', True),
        ("signal.n.a == 1", '{"n": 3}', False),
        ("signal.critical == true", '{"critical": true}', True),
        ("signal.critical == true", '{"critical": "true"}', False),
    ],
)
def test_known_answers(source: str, record: str, expected: bool) -> None:
    fragment = where_sql(source)
    assert fragment is not None
    [(verdict, stored)] = verdicts(fragment.text, fragment.params, [record])
    assert (verdict, Where(source).accepts(stored, "t.one", NOON)) == (expected, expected)


@pytest.mark.parametrize(
    "source",
    [
        "signal.x + 1 == 2",
        "signal.x == signal.y",
        "signal.x == 9007199254740992",
        "signal.x == 1u",
        "signal.x < true",
        "signal.x ? true : false",
        "signal.l.exists(i, i > 1)",
        "signal.x.matches('a')",
        "size(signal.x) > 1",
        "signal['a\\x00'] == 1",
        "signal_time > timestamp('2026-01-01T00:00:00Z')",
        "signal.l[0] == 1",
    ],
)
def test_what_has_no_exact_sql_is_left_to_cel(source: str) -> None:
    assert where_sql(source) is None


@pytest.mark.django_db
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(known=condition, records=st.lists(record, min_size=1, max_size=20))
def test_narrowing_keeps_every_match(known: str, records: list[str]) -> None:
    source = f"{known} && (signal.x == signal.y || signal.x != signal.y)"
    try:
        where = Where(source)
    except ValueError:
        return
    fragment = narrowing_sql(source)
    assert fragment is not None
    for kept, stored in verdicts(fragment.text, fragment.params, records):
        assert kept or not where.accepts(stored, "t.one", NOON), (source, stored)


def test_nothing_of_the_condition_reaches_the_text() -> None:
    fragment = where_sql("""signal["x'; DROP TABLE t; --"] == "'; SELECT pg_sleep(9); --%s" """)
    assert fragment is not None
    assert "DROP" not in fragment.text
    assert "pg_sleep" not in fragment.text
    assert "x'; DROP TABLE t; --" in fragment.params.values()
