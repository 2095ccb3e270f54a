"""Specs survive storage, and equal ones are equal."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.engine import MeasureSpec, RuleSpec, format_duration, parse_aggregate, parse_duration
from governance.engine.spec import Aggregate

FULL = RuleSpec(
    code="HYG-CLOSE",
    name="Closed by inspectors",
    risk="HYG",
    violation_code="HYG-01",
    severity="S1",
    on=("inspection.citation", "inspection.closure"),
    when='signal.action == "closed" && critical_30d > 2',
    measures=(
        MeasureSpec("critical_30d", (), "signal.critical == true", timedelta(days=30), "guild", "count"),
        MeasureSpec("worst", ("a", "b"), None, timedelta(hours=36), "creator", "max(data.score)"),
    ),
    cooldown=timedelta(hours=12),
    effective_from=datetime(2010, 1, 1, tzinfo=UTC),
    review="dual",
    cap=200,
    ladder="standard",
    markets=("US-NY-MN", "NO"),
    charge="share",
    share=0.5,
    text=(("de", "Geschlossen"), ("en", "Closed")),
    description="why",
    notice_days=15,
    second_person=("suspension",),
    expires_at=datetime(2030, 6, 1, 6, tzinfo=UTC),
)


def test_a_rule_survives_json_unchanged() -> None:
    stored = json.loads(json.dumps(FULL.to_dict()))
    back = RuleSpec.from_dict(stored)
    assert back == FULL
    assert back.digest() == FULL.digest()
    assert hash(back) == hash(FULL)
    assert back.to_dict() == FULL.to_dict()


def test_the_stored_form_is_the_policy_files() -> None:
    assert FULL.to_dict()["measures"][0] == {
        "name": "critical_30d",
        "types": [],
        "where": "signal.critical == true",
        "window": "30d",
        "per": "guild",
        "aggregate": "count",
    }
    assert FULL.to_dict()["violation"] == {"code": "HYG-01", "severity": "S1"}
    assert FULL.to_dict()["cooldown"] == "12h"


def test_what_is_left_out_takes_its_default() -> None:
    stored = {
        "code": "A", "name": "A", "risk": "R", "violation": {"code": "V", "severity": "S4"}, "on": ["t"], "when": "true",
    }  # fmt: skip
    back = RuleSpec.from_dict(stored)
    assert (back.markets, back.review, back.cap, back.cooldown, back.everywhere) == (
        ("*",),
        "human",
        None,
        timedelta(0),
        True,
    )


def test_the_digest_changes_with_the_wording() -> None:
    changed = RuleSpec.from_dict({**FULL.to_dict(), "when": 'signal.action == "Closed" && critical_30d > 2'})
    assert changed.digest() != FULL.digest()


def test_a_measures_key_ignores_its_name_and_the_order_of_types() -> None:
    one = MeasureSpec("one", ("a", "b"), " signal.x > 1 ", timedelta(hours=24))
    other = MeasureSpec("other", ("b", "a", "b"), "signal.x > 1", timedelta(days=1))
    assert one.key == other.key
    assert one.variable == other.variable
    assert MeasureSpec("one", ("a",), None, timedelta(days=1)).key != one.key


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30d", timedelta(days=30)),
        ("12h", timedelta(hours=12)),
        ("15m", timedelta(minutes=15)),
        ("0d", timedelta(0)),
    ],
)
def test_durations_as_the_contract_writes_them(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration
    assert format_duration(duration) == text


@pytest.mark.parametrize(
    "text", ["", "30", "d", "-1d", "1.5h", "30 d", "030d", "1w", "30D", "٣d", "99999999d"]
)
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.integers(0, 600_000))
def test_every_whole_minute_has_one_writing(minutes: int) -> None:
    assert parse_duration(format_duration(timedelta(minutes=minutes))) == timedelta(minutes=minutes)


@pytest.mark.parametrize("duration", [timedelta(seconds=30), timedelta(days=-1)])
def test_what_cannot_be_written_is_refused(duration: timedelta) -> None:
    with pytest.raises(ValueError, match="whole"):
        format_duration(duration)


@pytest.mark.parametrize(
    ("text", "aggregate"),
    [
        ("count", Aggregate("count")),
        ("sum(data.a)", Aggregate("sum", ("a",))),
        ("max(data.a.b_2)", Aggregate("max", ("a", "b_2"))),
        ("distinct(creator)", Aggregate("distinct")),
        ("distinct(data.a)", Aggregate("distinct", ("a",))),
    ],
)
def test_aggregates(text: str, aggregate: Aggregate) -> None:
    assert parse_aggregate(text) == aggregate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "count()",
        "sum(a)",
        "sum(data)",
        "sum(creator)",
        "max(creator)",
        "avg(data.a)",
        "sum(data.a-b)",
        "sum(data..a)",
    ],
)
def test_other_aggregates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an aggregate"):
        parse_aggregate(text)
