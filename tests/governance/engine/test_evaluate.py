"""What matches, what does not, and what is not known. Every published trap of the runtime has a case here."""

import math
import os
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.engine import Evaluator, MeasureSpec, compile_rule, explain
from tests.governance.engine.rules import GUILD, MARKET, NOON, facts, rule, spec

COUNT = MeasureSpec("n")
SUM = MeasureSpec("total", aggregate="sum(data.amount)")
MAX = MeasureSpec("worst", aggregate="max(data.amount)")


def state(
    when: str, signal: Any, values: dict[str, Any] | None = None, *measures: MeasureSpec, **fields: Any
) -> str:
    """The state of one rule; `values` by measure name."""
    made = rule(when, *measures)
    keyed = {
        measure.key: (values or {})[measure.name]
        for measure in made.measures
        if measure.name in (values or {})
    }
    [outcome] = Evaluator([made]).evaluate(facts(signal, **fields), keyed)
    assert outcome.matched is (outcome.state == "true")
    return outcome.state


@pytest.mark.parametrize(
    ("when", "signal", "expected"),
    [
        ("signal.x == 1", {"x": 1}, "true"),
        ("signal.x == 1", {"x": 1.0}, "true"),
        ("signal.x > 1", {"x": 1.5}, "true"),
        ("signal.x == 1", {"x": 2}, "false"),
        ("signal.x == 1", {"x": "1"}, "false"),
        ("signal.x == 1", {"x": True}, "false"),
        ("signal.x > 1", {"x": "2"}, "error"),
        ("signal.x > 1", {"x": True}, "error"),
        # absent is unknown, whichever way one asks
        ("signal.x == 1", {}, "unknown"),
        ("signal.x != 1", {}, "unknown"),
        ("!(signal.x == 1)", {}, "unknown"),
        ("!(!(signal.x == 1))", {}, "unknown"),
        ("signal.x == null", {}, "unknown"),
        ("signal.x in [1, 2]", {}, "unknown"),
        ("signal.x.y == 1", {}, "unknown"),
        ("signal.x.y == 1", {"x": {}}, "unknown"),
        ("signal.x.y == 1", {"x": None}, "unknown"),
        ("signal.x.y == 1", {"x": 3}, "unknown"),
        ("signal.l[3] == 1", {"l": [1]}, "unknown"),
        ("signal.x ? true : true", {}, "unknown"),
        # null is a value for ==, and unknown where a size is needed
        ("signal.x == null", {"x": None}, "true"),
        ("signal.x == null", {"x": 0}, "false"),
        ("signal.x != 'a'", {"x": None}, "true"),
        ("signal.x > 1", {"x": None}, "unknown"),
        ("!(signal.x > 1)", {"x": None}, "unknown"),
        ("signal.x.startsWith('a')", {"x": None}, "unknown"),
        # presence can be asked
        ("has(signal.x)", {"x": None}, "true"),
        ("has(signal.x)", {}, "false"),
        ("!has(signal.x) || signal.x > 1", {}, "true"),
        # an error beside a certain answer does not count
        ("signal.missing > 1 || signal.x == 1", {"x": 1}, "true"),
        ("signal.x == 1 || signal.missing > 1", {"x": 1}, "true"),
        ("signal.missing > 1 && signal.x == 2", {"x": 1}, "false"),
        ("signal.missing > 1 || signal.x == 2", {"x": 1}, "unknown"),
        # failures are failures
        ("1 / signal.x > 1", {"x": 0}, "error"),
        ("signal.x + 1 > 0", {"x": 2**63 - 1}, "error"),
        ("signal.x", {"x": True}, "true"),
        ("signal.x", {"x": 1}, "error"),
        ("signal.x", {"x": "an error's value is a text, and a text is truthy"}, "error"),
        ("signal.l.exists(i, i.a > 1)", {"l": [{"a": 1}, {"b": 1}, {"a": 2}]}, "true"),
        ("signal.l.exists(i, i.a > 1)", {"l": [{"a": 1}, {"b": 1}]}, "unknown"),
        ("signal.l.all(i, i > 0)", {"l": []}, "true"),
    ],
)
def test_states(when: str, signal: dict[str, Any], expected: str) -> None:
    assert state(when, signal) == expected


@pytest.mark.parametrize(
    "odd",
    [
        2**63, -(2**63) - 1, 2**70, 10**400, math.nan, math.inf, Decimal("1.5"), (1, 2), {1: 2}, {"a": {2: 3}},
        "\ud800", {"\ud800": 1},
        "\0", object(), datetime(2026, 1, 1, tzinfo=UTC), [[[[[[1]]]]]], b"bytes", set(),
    ],
)  # fmt: skip
def test_nothing_in_a_signal_spoils_the_rest_of_it(odd: Any) -> None:
    assert state("signal.y == 1", {"odd": odd, "y": 1}) == "true"
    assert state("signal.odd == 'never'", {"odd": odd, "y": 1}) == "false"


def test_large_numbers_are_doubles() -> None:
    assert state("signal.x > 9.2e18", {"x": 2**63}) == "true"
    assert state("signal.x < 0", {"x": -(10**400)}) == "true"


@pytest.mark.parametrize("signal", [None, [], "text", 7, True])
def test_a_signal_that_is_no_object_has_no_fields(signal: Any) -> None:
    assert state("signal.x == 1", signal) == "unknown"
    assert state("has(signal.x)", signal) == "false"


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "signal",
    [
        {"x": "a" * 16_385},
        {"x": ["a" * 10_000] * 7},
        {"x": list(range(2_001))},
        {"x": deep(40)},
        {"x": deep(100_000)},
    ],
    ids=["text", "texts", "values", "levels", "very deep"],
)
def test_a_signal_beyond_limits_matches_nothing_and_says_so(signal: Any) -> None:
    evaluator = Evaluator([rule("true")])
    [outcome] = evaluator.evaluate(facts(signal), {})
    assert (outcome.matched, outcome.state) == (False, "error")
    assert outcome.reason
    assert evaluator.matching(facts(signal), {}) == []
    assert explain(evaluator.rules[0], facts(signal), {})["state"] == "error"


@pytest.mark.parametrize(
    ("when", "values", "expected"),
    [
        ("n > 2", {"n": 3}, "true"),
        ("double(n) > 2.5", {"n": 3}, "true"),
        ("n > 2", {"n": None}, "unknown"),
        ("!(n > 2)", {"n": None}, "unknown"),
        ("n != 2", {"n": None}, "unknown"),
        ("n > 2", {}, "unknown"),
        ("total > 100", {"total": Decimal("100.5")}, "true"),
        ("total > 100.4", {"total": Decimal("100.5")}, "true"),
        ("total == 0", {"total": Decimal(0)}, "true"),
        ("total > 0.3", {"total": Decimal("0.1") + Decimal("0.2")}, "false"),
        ("worst > 1", {"worst": None}, "unknown"),
        ("worst == null", {"worst": None}, "true"),
        ("worst >= 2.0", {"worst": Decimal(2)}, "true"),
        ("total > 1.0e300", {"total": Decimal(10) ** 400}, "true"),
    ],
)
def test_measures(when: str, values: dict[str, Any], expected: str) -> None:
    assert state(when, {}, values, COUNT, SUM, MAX) == expected


def test_who_it_is_about() -> None:
    onboarded = {**GUILD, "onboarded_at": datetime(2026, 2, 20, tzinfo=UTC)}
    new = "guild.onboarded_at > signal_time - duration('336h')"
    assert state(new, {}, guild=onboarded) == "true"
    assert state(new, {}, guild={**GUILD, "onboarded_at": None}) == "unknown"
    assert state("guild.onboarded_at == null", {}, guild={**GUILD, "onboarded_at": None}) == "true"
    assert state("guild.onboarded_at != null && has(guild.onboarded_at)", {}, guild=onboarded) == "true"
    assert state("guild.tier == 'gold' && market.code == 'NO' && 'nb' in market.languages", {}) == "true"
    assert state("creator.id == 'c1'", {}) == "unknown"
    assert state("has(creator.id)", {}) == "false"
    assert state("creator.id == 'c1'", {}, creator={"id": "c1", "name": "C", "market": "NO"}) == "true"
    assert state("signal_time == timestamp('2026-03-01T12:00:00Z') && signal_type == 't'", {}) == "true"
    oslo = datetime.fromisoformat("2026-03-01T23:30:00+01:00")
    assert state("signal_time.getHours() == 22", {}, signal_time=oslo) == "true"


def test_rules_are_found_by_type_and_market() -> None:
    rules = [
        rule("true", code="ALL"),
        rule("true", code="NO", markets=("NO", "SE")),
        rule("true", code="DE", markets=("DE",)),
        rule("true", code="OTHER", on=("other",)),
        rule("true", code="TWICE", on=("t", "t"), markets=("NO", "NO")),
    ]
    evaluator = Evaluator(rules)
    assert [outcome.rule.ref for outcome in evaluator.evaluate(facts({}), {})] == ["ALL", "NO", "TWICE"]
    assert [made.ref for made in evaluator.rules_for("t", "DE")] == ["ALL", "DE"]
    assert evaluator.evaluate(facts({}, signal_type="unheard"), {}) == []
    assert evaluator.signal_types == {"t", "other"}


def test_equal_measures_are_wanted_once_and_equal_names_do_not_mix() -> None:
    month, week = MeasureSpec("n", window=timedelta(days=30)), MeasureSpec("n", window=timedelta(days=7))
    first, second = rule("n > 5", month, code="A"), rule("n > 5", week, code="B")
    third = rule("m > 5", MeasureSpec("m"), code="C")
    evaluator = Evaluator([first, second, third])
    assert len(evaluator.measures_for("t", "NO")) == 2
    assert first.measures[0].key == third.measures[0].key
    values = {first.measures[0].key: 9, second.measures[0].key: 1}
    assert [made.ref for made in evaluator.matching(facts({}), values)] == ["A", "C"]


def test_types_of_a_measure_default_to_the_rules() -> None:
    assert rule("n > 1", COUNT, on=("a", "b")).measures[0].types == ("a", "b")
    assert rule("n > 1", MeasureSpec("n", ("c",))).measures[0].types == ("c",)


CONDITIONS = [
    "signal.x == 1", "signal.x > 1", "!(signal.y == 'a')", "signal.x", "has(signal.y)",
    "signal.z.exists(i, i > 1)", "1 / signal.x > 0",
    "signal.y.matches('a+')", "signal.x == 1 // a comment", "signal.missing || signal.x == 1", "true", "false",
    "n > 1", "n < 1 || total > 2",
    "(" * 23 + "signal.x == 1" + ")" * 23,
    "signal.x ? signal.y == 'a' : signal.z == []", "'''\n''' == signal.y || signal.x == 1",
]  # fmt: skip
SIGNALS = st.fixed_dictionaries(
    {},
    optional={
        "x": st.sampled_from([0, 1, 2, 1.5, True, False, None, "1", 2**64]),
        "y": st.sampled_from(["a", "aa", "", None, 3]),
        "z": st.sampled_from([[], [1], [2], ["a"], None, {"a": 1}]),
    },
)


@settings(max_examples=60, deadline=None)
@given(
    conditions=st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=80),
    signal=SIGNALS,
    n=st.sampled_from([0, 2, None]),
)
def test_rules_together_say_what_each_says_alone(
    conditions: list[str], signal: dict[str, Any], n: Any
) -> None:
    rules = [rule(condition, COUNT, SUM, code=f"R{place}") for place, condition in enumerate(conditions)]
    values = {rules[0].measures[0].key: n, rules[0].measures[1].key: 3}
    together = Evaluator(rules).evaluate(facts(signal), values)
    alone = [Evaluator([made]).evaluate(facts(signal), values)[0] for made in rules]
    assert [outcome.matched for outcome in together] == [outcome.matched for outcome in alone]
    assert [outcome.state for outcome in together] == [outcome.state for outcome in alone]
    matching = Evaluator(rules).matching(facts(signal), values)
    assert [made.ref for made in matching] == [outcome.rule.ref for outcome in alone if outcome.matched]
    findings = Evaluator(rules).findings(facts(signal), values)
    assert [(found.rule.ref, found.state) for found in findings] == [
        (outcome.rule.ref, outcome.state) for outcome in alone if outcome.state in ("true", "error")
    ]


def test_an_evaluator_works_in_a_forked_worker() -> None:
    evaluator = Evaluator([rule("signal.x == 1", code=f"R{place}") for place in range(5)])
    assert len(evaluator.matching(facts({"x": 1}), {})) == 5
    child = os.fork()
    if child == 0:
        os._exit(0 if len(evaluator.matching(facts({"x": 1}), {})) == 5 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_memory_stays_flat() -> None:
    resource = pytest.importorskip("resource")
    evaluator = Evaluator(
        [rule(f"signal.x == {place} || signal.missing == 1", code=f"R{place}") for place in range(20)]
    )
    draw = random.Random(1)

    def run(times: int) -> int:
        for _ in range(times):
            [
                outcome.state
                for outcome in evaluator.evaluate(facts({"x": draw.randrange(30), "t": "a" * 1000}), {})
            ]
        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    before = run(500)
    assert run(3000) - before < 20_000  # KiB


def test_storage_and_back_compiles_to_the_same_answer() -> None:
    original = spec("n > 2 && signal.x == 'a'", COUNT)
    again = compile_rule(type(original).from_dict(original.to_dict()))
    key = again.measures[0].key
    [outcome] = Evaluator([again]).evaluate(facts({"x": "a"}), {key: 3})
    assert outcome.matched
    assert (NOON.tzinfo, MARKET["code"]) == (UTC, "NO")
