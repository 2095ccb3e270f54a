from __future__ import annotations

from typing import Any

import pytest

from appeals.portal.plain_words import Fact, facts_of


def _facts(*conditions: dict[str, Any], **measures: Any) -> list[Fact]:
    return facts_of({}, {"measures": measures, "conditions": list(conditions)})


@pytest.mark.parametrize(
    ("text", "value", "words"),
    [
        ("signal.rate > 0.25", 0.5, "The rule applies above 0.25."),
        ("signal.rate >= 3", 4, "The rule applies from 3."),
        ("signal.rate < -1", -2, "The rule applies below -1."),
        ("signal.rate <= 3", 2, "The rule applies up to 3."),
        ('signal.rate == "closed"', "closed", "The rule applies when it is “closed”."),
        ("signal.rate == true", True, "The rule applies when it is yes."),
        ("signal.rate != 'A'", "B", "The rule applies when it is anything but “A”."),
        ("signal.rate + 1 > 2", 2, ""),
        ("signal.rate.contains('x')", "x", ""),
        ("signal.other > 2", 2, ""),
    ],
)
def test_a_comparison_is_said_as_a_threshold(text: str, value: Any, words: str) -> None:
    [fact] = _facts({"text": text, "value": True, "values": {"signal.rate": value}})

    assert (fact.name, fact.threshold) == ("Rate", words)


def test_what_did_not_hold_sets_no_threshold() -> None:
    [fact] = _facts({"text": "signal.rate > 3", "value": False, "values": {"signal.rate": 1}})

    assert fact.threshold == ""


def test_each_value_is_told_once_measures_first() -> None:
    facts = _facts(
        {"text": "n > 1", "value": True, "values": {"n": 2}},
        {"text": "n > 1", "value": True, "values": {"n": 2, "signal.kinds": ["a", 1, None]}},
        n=2,
    )

    assert facts == [
        Fact("N", "2", "", "The rule applies above 1."),
        Fact("Kinds", "a, 1, not reported"),
    ]


@pytest.mark.parametrize(
    "explanation",
    [{}, {"conditions": None}, {"conditions": {}}, {"measures": None}, {"conditions": [{"values": None}]}],
)
def test_an_empty_explanation_tells_nothing(explanation: dict[str, Any]) -> None:
    assert facts_of({"measures": None}, explanation) == []
