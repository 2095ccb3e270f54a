"""An explanation names every condition, what it saw and what it lacked."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.engine import Evaluator, MeasureSpec, explain
from tests.governance.engine.rules import GUILD, facts, rule

COUNT = MeasureSpec("n_30d")


def test_a_match_shows_each_condition_with_its_values() -> None:
    made = rule('signal.score > 28 && (signal.action == "closed" || n_30d >= 3)', COUNT)
    explained = explain(made, facts({"score": 30, "action": "fined"}), {made.measures[0].key: 4})
    assert explained == {
        "state": "true",
        "reason": "",
        "when": made.spec.when,
        "measures": {"n_30d": 4},
        "conditions": [
            {
                "text": "signal.score > 28",
                "state": "true",
                "value": True,
                "values": {"signal.score": 30},
                "missing": [],
                "children": [],
            },
            {
                "text": 'signal.action == "closed" || n_30d >= 3',
                "state": "true",
                "value": True,
                "values": {},
                "missing": [],
                "children": [
                    {
                        "text": 'signal.action == "closed"',
                        "state": "false",
                        "value": False,
                        "values": {"signal.action": "fined"},
                        "missing": [],
                        "children": [],
                    },
                    {
                        "text": "n_30d >= 3",
                        "state": "true",
                        "value": True,
                        "values": {"n_30d": 4},
                        "missing": [],
                        "children": [],
                    },
                ],
            },
        ],
    }


@pytest.mark.parametrize(
    ("signal", "values"),
    [({}, {}), ({"score": None}, {"signal.score": None})],
)
def test_what_is_missing_is_named(signal: dict[str, Any], values: dict[str, Any]) -> None:
    explained = explain(rule("!(signal.score > 28)"), facts(signal), {})
    [negation] = explained["conditions"]
    [comparison] = negation["children"]
    assert (explained["state"], negation["state"], comparison["state"]) == ("unknown", "unknown", "unknown")
    assert comparison["missing"] == ["signal.score"]
    assert comparison["values"] == values
    assert comparison["value"] is None


def test_a_measure_without_a_value_is_missing_under_its_own_name() -> None:
    explained = explain(rule("n_30d > 3", COUNT), facts({}), {})
    assert explained["conditions"][0]["missing"] == ["n_30d"]
    assert explained["measures"] == {"n_30d": None}
    assert "n_30d" in explained["reason"]
    assert "m_" not in explained["reason"]


def test_an_error_says_what_failed() -> None:
    explained = explain(rule("1 / signal.x > 2"), facts({"x": 0}), {})
    assert (explained["state"], explained["conditions"][0]["state"]) == ("error", "error")
    assert "divide by zero" in explained["reason"]


def test_brackets_negations_and_choices_keep_their_own_text() -> None:
    made = rule("(signal.a || !(signal.b)) && (signal.c ? (signal.d == 1) : (signal.e == (1)))")
    explained = explain(made, facts({"a": False, "b": False, "c": True, "d": 1, "e": 2}), {})
    first, second = explained["conditions"]
    assert first["text"] == "signal.a || !(signal.b)"
    assert [child["text"] for child in first["children"]] == ["signal.a", "!(signal.b)"]
    assert [child["text"] for child in second["children"]] == ["signal.c", "signal.d == 1", "signal.e == (1)"]
    assert [child["value"] for child in second["children"]] == [True, True, False]


def test_times_and_long_values_are_shown_shortly() -> None:
    made = rule('guild.onboarded_at < signal_time && signal.note != "" && signal.l != []')
    onboarded = {**GUILD, "onboarded_at": datetime(2020, 1, 1, tzinfo=UTC)}
    explained = explain(made, facts({"note": "ä" * 5000, "l": list(range(1500))}, guild=onboarded), {})
    first, second, third = explained["conditions"]
    assert first["values"]["guild.onboarded_at"] == "2020-01-01T00:00:00+00:00"
    assert first["values"]["signal_time"] == "2026-03-01T12:00:00+00:00"
    assert len(second["values"]["signal.note"]) == 301
    assert third["values"]["signal.l"] == "(list of 1500)"
    assert len(json.dumps(explained)) < 4000


def states(conditions: list[dict[str, Any]]) -> list[str]:
    return [condition["state"] for condition in conditions]


TEXTS = [
    "signal.x == 1",
    "signal.y > 2",
    "has(signal.x)",
    "!(signal.x > 0)",
    "n_30d > 1",
    "signal.z",
    "1 / signal.x == 1",
]


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(st.sampled_from(TEXTS), min_size=1, max_size=5),
    operator=st.sampled_from([" && ", " || "]),
    signal=st.fixed_dictionaries(
        {},
        optional={
            "x": st.sampled_from([0, 1, None, "a", float("inf")]),
            "y": st.sampled_from([1, 3.5, None]),
            "z": st.sampled_from([True, False, None, 1, [float("nan")]]),
        },
    ),
    n=st.sampled_from([0, 5, None]),
)
def test_the_parts_account_for_the_whole(
    parts: list[str], operator: str, signal: dict[str, Any], n: Any
) -> None:
    made = rule(operator.join(parts), COUNT)
    values = {made.measures[0].key: n}
    explained = explain(made, facts(signal), values)
    assert explained["state"] == Evaluator([made]).evaluate(facts(signal), values)[0].state
    json.dumps(explained, allow_nan=False)
    shown = explained["conditions"]
    if operator == " || " and len(parts) > 1:
        [whole] = shown
        shown = whole["children"]
        expected = "true" if "true" in states(shown) else "false" if set(states(shown)) == {"false"} else None
    else:
        expected = "false" if "false" in states(shown) else "true" if set(states(shown)) == {"true"} else None
    assert [condition["text"] for condition in shown] == parts
    assert explained["state"] == (expected or explained["state"])
    assert expected is not None or explained["state"] in ("unknown", "error")
    for condition in shown:
        [alone] = Evaluator([rule(condition["text"], COUNT)]).evaluate(facts(signal), values)
        assert condition["state"] == alone.state
