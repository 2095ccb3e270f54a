"""SQL's candidates keep every match, and every error on request; PostgreSQL and the CEL runtime are the two witnesses."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.engine import Evaluator, MeasureSpec, RuleErrors, compile_rule
from governance.engine.when_sql import MeasureColumn, WhenCandidate, when_candidate
from tests.governance.engine.rules import facts, spec
from tests.governance.engine.test_where_sql import condition, record

DAY = timedelta(days=1)
MEASURES = (
    MeasureSpec("n", types=("t",), window=DAY),
    MeasureSpec("most", types=("t",), window=DAY, aggregate="distinct(creator)"),  # known from above only
    MeasureSpec("total", types=("t",), window=DAY, aggregate="sum(data.x)"),
    MeasureSpec("top", types=("t",), window=DAY, aggregate="max(data.x)"),
    MeasureSpec("hidden", types=("t",), window=3 * DAY),  # SQL does not know this one
)
COLUMNS = {
    "n": MeasureColumn("s.n"),
    "most": MeasureColumn("s.most", bound="upper"),
    "total": MeasureColumn("s.total", function="sum"),
    "top": MeasureColumn("s.top", function="max"),
}
TEXTS: dict[tuple[str, ...], str] = {("guild", "tier"): "s.tier", ("market", "code"): "s.market"}

relation = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
whole = st.sampled_from(["0", "1", "2", "3", "-1", "9007199254740993"])
number = st.sampled_from(["0", "1", "2.5", "-1.5", "3", "1e3"])
about_measures = st.one_of(
    st.builds("{} {} {}".format, st.sampled_from(["n", "most", "hidden"]), relation, whole),
    st.builds("{} {} {}".format, whole, relation, st.sampled_from(["n", "most", "hidden"])),
    st.builds("double(n) {} {}".format, relation, st.sampled_from(["0.5", "2.0", "2.5"])),
    st.builds("{} {} {}".format, st.sampled_from(["total", "top"]), relation, number),
    st.builds("{} {} {}".format, number, relation, st.sampled_from(["total", "top"])),
    st.builds("n {} {}".format, relation, st.sampled_from(["n", "most", "hidden"])),
    st.builds("double(n) / double({}) {} {}".format, st.sampled_from(["n", "most"]), relation, st.sampled_from(["0.5", "1.0"])),
    st.builds("n / hidden {} 1".format, relation),
    st.sampled_from(["top == null", "top != null"]),
)  # fmt: skip
about_others = st.one_of(
    st.builds("guild.tier {} '{}'".format, st.sampled_from(["==", "!="]), st.sampled_from(["gold", "silver"])),
    st.sampled_from([
        "market.code in ['NO', 'SE']", "guild.tier in ['silver']", "guild.provisional",
        "signal.x == signal.y", "signal.x.matches('a')",
        "size(signal.x) > 1", "signal.x + 1 > 2", "signal.l.exists(i, i > 1)", "signal.x / signal.y > 1", "guild.nothing == 1",
        "creator.id == 'c'", "signal_time > timestamp('2020-01-01T00:00:00Z')", "signal.`x` ? true : signal.y",
    ]),
)  # fmt: skip
when = st.recursive(
    st.one_of(condition, about_measures, about_others),
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=6,
)
values = st.fixed_dictionaries(
    {
        "n": st.sampled_from([None, 0, 1, 2, 3]),
        "most": st.sampled_from([0, 1, 2]),
        "total": st.sampled_from([None, "0", "1", "2.5", "2.50", "3", "-1.5", "1" + "0" * 400, "0.1"]),
        "top": st.sampled_from([None, "0", "1", "2.5", "3", "-1.5"]),
        "hidden": st.sampled_from([0, 1, 2, None]),
    }
)
world = st.lists(st.tuples(record, values), min_size=1, max_size=15)


def candidate(source: str, *, faults: bool = False) -> WhenCandidate:
    return when_candidate(source, COLUMNS, texts=TEXTS, faults=faults)


def kept(found: WhenCandidate, rows: list[tuple[str, dict[str, Any]]]) -> list[tuple[bool, Any]]:
    """(whether SQL keeps it, the signal as a worker reads it back) for each row."""
    statement = f"""SELECT coalesce({found.text}, FALSE), s.data::text
        FROM unnest(%(records)s::jsonb[], %(n)s::bigint[], %(most)s::bigint[], %(total)s::numeric[], %(top)s::numeric[])
            WITH ORDINALITY AS given (data, n, most, total, top, place),
        LATERAL (SELECT given.data, given.n, given.most + 1 AS most, given.total, given.top,
            't' AS type, 'gold' AS tier, 'NO' AS market) AS s
        ORDER BY given.place"""
    params = {name: [row[name] for _, row in rows] for name in ("n", "most", "total", "top")}
    with connection.cursor() as cursor:
        cursor.execute(statement, {**found.params, **params, "records": [text for text, _ in rows]})
        return [(keep, json.loads(stored)) for keep, stored in cursor.fetchall()]


def measured(row: dict[str, Any]) -> dict[str, Any]:
    """As the database gives them to a worker; a max of nothing is there and null, others that are None are not known."""
    return {
        measure.key: Decimal(value) if isinstance(value, str) else value
        for measure in MEASURES
        if (value := row[measure.name]) is not None or measure.name == "top"
    }


@pytest.mark.django_db
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(source=when, rows=world)
def test_candidates_keep_every_match_and_every_error(
    source: str, rows: list[tuple[str, dict[str, Any]]]
) -> None:
    try:
        rule = compile_rule(spec(source, *MEASURES))
    except RuleErrors:
        return
    evaluator = Evaluator([rule])
    matches, errors = candidate(source), candidate(source, faults=True)
    for (keep, stored), (_, row) in zip(kept(matches, rows), rows, strict=True):
        found = evaluator.findings(facts(stored), measured(row))
        assert keep or not any(outcome.matched for outcome in found), (source, stored, row, matches.text)
    for (keep, stored), (_, row) in zip(kept(errors, rows), rows, strict=True):
        found = evaluator.findings(facts(stored), measured(row))
        assert keep or not found, (source, stored, row, found, errors.text)


@pytest.mark.django_db
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    source=st.recursive(
        st.one_of(
            condition,
            st.builds("n {} {}".format, relation, st.sampled_from(["0", "1", "2"])),
            st.builds("total {} {}".format, relation, number),
            st.builds("top {} {}".format, st.sampled_from(["<", "<=", ">", ">="]), number),
        ),
        lambda inner: st.one_of(
            st.builds("({} && {})".format, inner, inner),
            st.builds("({} || {})".format, inner, inner),
            st.builds("!({})".format, inner),
            st.builds("({} ? {} : {})".format, inner, inner, inner),
        ),
        max_leaves=5,
    ),
    rows=world,
)
def test_what_sql_can_decide_it_decides(source: str, rows: list[tuple[str, dict[str, Any]]]) -> None:
    """No candidate that CEL refuses: else "TRUE" would pass the test above."""
    try:
        rule = compile_rule(spec(source, *MEASURES))
    except RuleErrors:
        return
    evaluator = Evaluator([rule])
    for (keep, stored), (_, row) in zip(kept(candidate(source), rows), rows, strict=True):
        assert keep == bool(evaluator.matching(facts(stored), measured(row))), (source, stored, row)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("source", "stored", "row", "expected"),
    [
        ("n >= 3 && signal.critical == true", {"critical": True}, {"n": 3}, True),
        ("n >= 3 && signal.critical == true", {"critical": True}, {"n": 2}, False),
        ("n >= 3 && signal.critical == true", {"critical": "true"}, {"n": 3}, False),
        ("n >= 3", {}, {"n": None}, False),
        ("most >= 2", {}, {"most": 0}, False),  # the column says at most one
        ("most >= 2", {}, {"most": 1}, True),
        ("!(most >= 2)", {}, {"most": 9}, True),
        ("top > 2.5", {}, {"top": "2.5"}, False),
        ("top > 2.5", {}, {"top": "3"}, True),
        ("top <= 2.5", {}, {"top": "3"}, False),
        ("double(n) / double(most) > 0.5", {}, {"n": 0, "most": 1}, True),
        ("hidden > 7 && n > 1", {}, {"n": 1}, False),
        ("hidden > 7 || n > 1", {}, {"n": 1}, True),
        ("guild.tier == 'silver' || signal.x > 1", {"x": 1}, {}, False),
        ("market.code in ['SE', 'NO']", {}, {}, True),
        ("signal.x.matches('a') && signal.y == 1", {"y": 2}, {}, False),
    ],
)  # fmt: skip
def test_known_answers(source: str, stored: dict[str, Any], row: dict[str, Any], expected: bool) -> None:
    empty = {"n": 0, "most": 0, "total": "0", "top": None}
    [(keep, _)] = kept(candidate(source), [(json.dumps(stored), {**empty, **row})])
    assert keep is expected


@pytest.mark.django_db
def test_signals_beyond_what_rules_evaluate_are_kept_when_errors_are_asked_for() -> None:
    found = candidate("signal.x == 1", faults=True)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE stored (type text, data jsonb)")
        for text in (
            '{"y": "' + "ab" * 9_000 + '"}',
            json.dumps({"y": list(range(2_001))}),
            '{"y": ' + "[" * 32 + "]" * 32 + "}",
            '{"y": "short"}',
        ):
            cursor.execute("INSERT INTO stored VALUES ('t', %s)", [text])
        cursor.execute(f"SELECT coalesce({found.text}, FALSE) FROM stored AS s", found.params)
        assert cursor.fetchall() == [(True,), (True,), (True,), (False,)]


def test_the_part_that_needs_no_measure_is_told_apart() -> None:
    found = candidate("n >= 3 && signal.a == 1 && (signal.b == 2 || total > 1) && hidden > 1")
    assert not found.keeps_all
    alone = found.condition.without_measures()
    assert "s.n" not in alone.sql
    assert "s.total" not in alone.sql
    assert "jsonb_typeof" in alone.sql
    outer, inner = found.condition.split(lambda index: f"s.c{index}")
    assert "s.data" not in outer
    assert [text.count("s.data") > 0 for text in inner] == [True, True]
    assert outer.count("s.c0") == outer.count("s.c1") == 1
    assert when_candidate("signal.l.exists(i, i > 1)").keeps_all


def test_nothing_of_the_condition_reaches_the_text() -> None:
    found = candidate(
        """signal["x'; DROP TABLE t; --"] == "'; SELECT pg_sleep(9); --%s" && guild.tier == "'; DROP" """
    )
    assert "DROP" not in found.text
    assert "pg_sleep" not in found.text
    assert "x'; DROP TABLE t; --" in found.params.values()
