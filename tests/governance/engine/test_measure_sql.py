"""Measures of a whole batch by SQL, against windows walked one by one in Python."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.engine import MeasureSpec
from governance.engine.evaluate import Where
from governance.engine.sql import BatchRow, batch_params, candidates_sql, measure_sql, needs_candidates

START = datetime(2026, 3, 28, 22, tzinfo=UTC)  # the night in which Europe's clocks change
TICK = timedelta(microseconds=1)


class Row(NamedTuple):
    """A stored signal."""

    id: int
    time: datetime
    type: str
    guild_id: int
    creator_id: int | None
    text: str


def store(rows: Sequence[Row]) -> None:
    """Into the real table and its months."""
    with connection.cursor() as cursor:
        for month in {row.time.strftime("%Y-%m-01") for row in rows}:
            cursor.execute("SELECT governance_signal_month(%s::timestamptz)", [f"{month} 00:00:00+00"])
        cursor.executemany(
            """INSERT INTO governance_signal
                (id, time, type, source_id, event_id, guild_id, creator_id, market_id, data, received_at)
            VALUES (%s, %s, %s, 1, %s, %s, %s, 1, %s::jsonb, now())""",
            [
                (row.id, row.time, row.type, str(row.id), row.guild_id, row.creator_id, row.text)
                for row in rows
            ],
        )


def by_sql(measure: MeasureSpec, batch: Sequence[BatchRow]) -> dict[int, Any]:
    params = batch_params(measure, batch)
    if params is None:
        return {}
    candidate_ids = needs_candidates(measure)
    with connection.cursor() as cursor:
        if candidate_ids:
            assert measure.where is not None
            fragment = candidates_sql(measure)
            cursor.execute(fragment.text, {**params, **fragment.params})
            where = Where(measure.where)
            params["ids"] = [
                key
                for key, kind, time, stored in cursor.fetchall()
                if where.accepts(json.loads(stored), kind, time)
            ]
        fragment = measure_sql(measure, candidate_ids=candidate_ids)
        cursor.execute(fragment.text, {**params, **fragment.params})
        return dict(cursor.fetchall())


def _aggregated(aggregate: str, inside: list[tuple[Row, dict[str, Any]]]) -> Any:
    numbers = [Decimal(fields["n"]) for _, fields in inside if type(fields.get("n")) in (int, Decimal)]
    values = [fields["n"] for _, fields in inside if fields.get("n") is not None]
    if aggregate == "count":
        return len(inside)
    if aggregate == "sum(data.n)":
        return sum(numbers, Decimal(0))
    if aggregate == "max(data.n)":
        return max(numbers, default=None)
    if aggregate == "distinct(creator)":
        return len({row.creator_id for row, _ in inside} - {None})
    return len({(isinstance(value, str), isinstance(value, bool), value) for value in values})


def by_hand(measure: MeasureSpec, batch: Sequence[BatchRow], rows: Sequence[Row]) -> dict[int, Any]:
    """The definition, read literally: for every signal of the batch, every stored signal in (t - window, t]."""
    results: dict[int, Any] = {}
    for member in batch:
        subject = member.guild_id if measure.per == "guild" else member.creator_id
        if subject is None:
            continue
        inside = []
        for row in rows:
            owner = row.guild_id if measure.per == "guild" else row.creator_id
            if (
                owner == subject
                and row.type in measure.types
                and member.time - measure.window < row.time <= member.time
            ):
                fields = json.loads(row.text, parse_float=Decimal)
                if measure.where is None or fields.get("a") == "yes":
                    inside.append((row, fields))
        results[member.ord] = _aggregated(measure.aggregate, inside)
    return results


AGGREGATES = ["count", "sum(data.n)", "max(data.n)", "distinct(creator)", "distinct(data.n)"]
NUMBERS = ["1", "1.0", "2", "-5", "0.1", "0.2", "1e20", '"1"', '"x"', "true", "false", "null", "3.000001"]

# Times sit on and a microsecond beside each other's window edges
moment = st.builds(
    lambda steps, nudge: START + steps * timedelta(minutes=30) + nudge * TICK,
    st.integers(0, 12),
    st.integers(-1, 1),
)
data_text = st.builds(
    lambda n, a: "{" + ", ".join(part for part in (n and f'"n": {n}', a and f'"a": "{a}"') if part) + "}",
    st.sampled_from(["", *NUMBERS]),
    st.sampled_from(["", "yes", "no"]),
)
stored_rows = st.lists(
    st.builds(
        lambda time, kind, guild, creator, text: (time, kind, guild, creator, text),
        moment,
        st.sampled_from(["t.a", "t.b", "t.c"]),
        st.integers(1, 2),
        st.sampled_from([None, 7, 8, 9]),
        data_text,
    ),
    max_size=30,
).map(lambda drawn: [Row(number, *fields) for number, fields in enumerate(drawn, 1)])


@pytest.mark.django_db
@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("per", ["guild", "creator"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=stored_rows,
    times=st.lists(
        st.tuples(moment, st.integers(1, 2), st.sampled_from([None, 7, 8])), min_size=1, max_size=6
    ),
    window=st.sampled_from(
        [timedelta(minutes=30), timedelta(hours=1), timedelta(hours=3), timedelta(days=1)]
    ),
    where=st.sampled_from([None, 'signal.a == "yes"', 'signal.a.matches("^yes$")']),
)
def test_every_measure_is_what_its_definition_says(
    aggregate: str, per: Any, rows: list[Row], times: list[Any], window: timedelta, where: str | None
) -> None:
    measure = MeasureSpec("m", ("t.a", "t.b"), where, window, per, aggregate)
    batch = [BatchRow(place, guild, creator, time) for place, (time, guild, creator) in enumerate(times)]
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE governance_signal")
    if rows:
        store(rows)

    assert by_sql(measure, batch) == by_hand(measure, batch, rows)


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_a_day_is_24_hours_whatever_the_session_and_the_clocks_say(aggregate: str, zone: str) -> None:
    day = timedelta(days=1)
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    rows = [
        Row(1, change + day / 2 - day, "t", 1, 5, '{"n": 100}'),  # exactly a day before: outside
        Row(2, change + day / 2 - day + TICK, "t", 1, 6, '{"n": 10}'),  # a microsecond later: inside
        Row(3, change + day / 2, "t", 1, 7, '{"n": 1}'),  # the same time: inside
        Row(4, change + day / 2 + TICK, "t", 1, 8, '{"n": 1000}'),  # the future: outside
    ]
    store(rows)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL TIME ZONE '{zone}'")
    measure = MeasureSpec("m", ("t",), None, day, "guild", aggregate)

    [value] = by_sql(measure, [BatchRow(0, 1, None, change + day / 2)]).values()

    assert (
        value
        == {"count": 2, "sum(data.n)": 11, "max(data.n)": 10, "distinct(creator)": 2, "distinct(data.n)": 2}[
            aggregate
        ]
    )


@pytest.mark.django_db
def test_nothing_found_is_zero_and_max_is_null() -> None:
    batch = [BatchRow(3, 1, None, START)]
    results = {
        aggregate: by_sql(MeasureSpec("m", ("t",), None, timedelta(days=1), "guild", aggregate), batch)
        for aggregate in AGGREGATES
    }
    assert results == {
        "count": {3: 0},
        "sum(data.n)": {3: 0},
        "max(data.n)": {3: None},
        "distinct(creator)": {3: 0},
        "distinct(data.n)": {3: 0},
    }


def test_a_signal_without_creator_has_no_measure_per_creator() -> None:
    measure = MeasureSpec("m", ("t",), None, timedelta(days=1), "creator", "count")
    assert batch_params(measure, [BatchRow(0, 1, None, START)]) is None


@pytest.mark.django_db
def test_only_the_months_of_the_window_are_read() -> None:
    store([Row(n, START - timedelta(days=31 * n), "t", 1, None, "{}") for n in range(1, 8)])
    measure = MeasureSpec("m", ("t",), None, timedelta(days=30), "guild", "count")
    params = batch_params(measure, [BatchRow(0, 1, None, START)])
    assert params is not None
    fragment = measure_sql(measure)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + fragment.text, {**params, **fragment.params})
        plan = "\n".join(line for (line,) in cursor.fetchall())
    months = {word.split("_")[2] for word in plan.split() if word.startswith("governance_signal_2")}
    assert {month[:6] for month in months} <= {"202602", "202603"}
    assert months


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_signal_types_must_be_filled_in(aggregate: str) -> None:
    with pytest.raises(ValueError, match="types"):
        measure_sql(MeasureSpec("m", (), None, timedelta(days=1), "guild", aggregate))
