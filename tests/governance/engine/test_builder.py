"""What people build without code is the same condition as its source."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from governance.engine import RuleError
from governance.engine.builder import from_builder, to_builder
from governance.engine.syntax import parse
from governance.rules.policy import parse_policy

ROOT = Path(__file__).resolve().parents[3]
POLICIES = ("config/demo_world/policy.yaml", "tests/flows/nyc_policy.yaml", "tests/flows/story_policy.yaml")


def shape(node: Any) -> Any:
    """A parsed tree without its places: equal for sources that differ in spaces and needless brackets only."""
    if isinstance(node, tuple):
        return tuple(map(shape, node))
    if dataclasses.is_dataclass(node):
        fields = [found.name for found in dataclasses.fields(node)]
        kept = [name for name in fields if name not in ("start", "end", "name_start")]
        return (type(node).__name__, *((name, shape(getattr(node, name))) for name in kept))
    return repr(node)  # tells 1 from 1.0 and -0.0 from 0.0


def exact(tree: Any) -> str:
    """A tree as text, in which 1, 1.0 and true differ."""
    return json.dumps(tree)


def conditions() -> list[tuple[str, str, tuple[str, ...]]]:
    """(where it stands, source, names of measures) of every condition of the three policies."""
    found: list[tuple[str, str, tuple[str, ...]]] = []
    for policy in POLICIES:
        for rule in parse_policy((ROOT / policy).read_text()).rules:
            found.append((rule.code, rule.when, tuple(measure.name for measure in rule.measures)))
            found += [(f"{rule.code} {one.name}", one.where, ()) for one in rule.measures if one.where]
    return found


def test_every_condition_of_the_policies_can_be_built() -> None:
    assert len(conditions()) > 40
    for place, source, names in conditions():
        tree = to_builder(source, names)
        written = from_builder(tree)
        assert shape(parse(written)) == shape(parse(source)), place
        assert exact(to_builder(written, names)) == exact(tree), place
        assert '"expression"' not in exact(tree), f"{place} cannot be shown without code"


def item(**fields: Any) -> dict[str, Any]:
    """A test as the builder shows it."""
    return {"kind": "test", "as": "", "type": None, "value": None, **fields}


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("signal.score >= 28", item(field="signal.score", op="ge", type="whole", value=28)),
        ("signal.score >= 28.0", item(field="signal.score", op="ge", type="decimal", value=28.0)),
        ("signal.x == -1", item(field="signal.x", op="eq", type="whole", value=-1)),
        ("signal.x == 9007199254740993", item(field="signal.x", op="eq", type="whole", value="9007199254740993")),
        ("signal.x == 'closed'", item(field="signal.x", op="eq", type="text", value="closed")),
        ("signal.x != true", item(field="signal.x", op="ne", type="bool", value=True)),
        ("signal.x == null", item(field="signal.x", op="is_null")),
        ("signal.x != null", item(field="signal.x", op="is_not_null")),
        ("signal.x", item(field="signal.x", op="is_true")),
        ("!signal.x", item(field="signal.x", op="is_false")),
        ("has(signal.x)", item(field="signal.x", op="is_present")),
        ("!has(signal.x)", item(field="signal.x", op="is_missing")),
        ("signal.x in ['a', 'b']", item(field="signal.x", op="in", type="text", value=["a", "b"])),
        ("!(signal.x in [1])", item(field="signal.x", op="not_in", type="whole", value=[1])),
        ("signal.x in []", item(field="signal.x", op="in", type="text", value=[])),
        ("'de' in market.languages", item(field="market.languages", op="includes", type="text", value="de")),
        ("signal.x.contains('fee')", item(field="signal.x", op="contains", type="text", value="fee")),
        ("signal.x.startsWith(signal.y)", item(field="signal.x", op="starts_with", type="field", value="signal.y")),
        ("signal.x.matches('(?i)fee')", item(field="signal.x", op="matches", type="text", value="(?i)fee")),
        ("n > signal.limit", item(field="n", op="gt", type="field", value="signal.limit")),
        ("double(n) > 2.5", {**item(field="n", op="gt", type="decimal", value=2.5), "as": "number"}),
        ("size(signal.lines) > 3", {**item(field="signal.lines", op="gt", type="whole", value=3), "as": "length"}),
        (
            "signal_time.getHours(market.timezone) < 6",
            {**item(field="signal_time", op="lt", type="whole", value=6), "as": "hour"},
        ),
        (
            "guild.onboarded_at > signal_time - duration('336h')",
            item(field="guild.onboarded_at", op="gt", type="ago", value="336h"),
        ),
        (
            "timestamp(signal.seen_at) < timestamp('2026-01-01T00:00:00Z')",
            {**item(field="signal.seen_at", op="lt", type="time", value="2026-01-01T00:00:00Z"), "as": "time"},
        ),
        (
            "double(a) * 100.0 >= 10.0 * double(signal.joins)",
            {"kind": "ratio", "field": "a", "over": "signal.joins", "scale": 100.0, "op": "ge", "value": 10.0,
             "form": "product"},
        ),
        (
            "double(a) / double(b) > 0.2",
            {"kind": "ratio", "field": "a", "over": "b", "scale": None, "op": "gt", "value": 0.2, "form": "quotient"},
        ),
        (
            "signal.lines.exists(line, line.code == '04L')",
            {"kind": "each", "field": "signal.lines", "quantifier": "some", "name": "line", "condition":
             {"kind": "group", "join": "all", "items": [item(field="line.code", op="eq", type="text", value="04L")]}},
        ),
        ("5 < signal.x", {"kind": "expression", "source": "5 < signal.x"}),
        ("a ? b : c", {"kind": "expression", "source": "a ? b : c"}),
        ("signal.a + 1 > 2 // sum", {"kind": "expression", "source": "signal.a + 1 > 2"}),
    ],
)  # fmt: skip
def test_how_a_condition_is_shown(source: str, shown: dict[str, Any]) -> None:
    tree = to_builder(source)
    assert json.dumps(tree["items"], sort_keys=True) == json.dumps([shown], sort_keys=True)
    assert shape(parse(from_builder(tree))) == shape(parse(source))


def test_groups_stay_as_they_were_written() -> None:
    source = "a && (b && c || !(d || e)) && !(f && g)"
    tree = to_builder(source)
    assert from_builder(tree) == source
    assert [part.get("join") for part in tree["items"]] == [None, "any", "none"]
    assert [part.get("join") for part in tree["items"][1]["items"]] == ["all", "none"]
    assert from_builder(to_builder("a && (b && c)")) == "a && (b && c)"


def test_an_empty_condition_is_an_empty_group() -> None:
    assert to_builder(" \n") == {"kind": "group", "join": "all", "items": []}
    assert from_builder(to_builder("")) == ""


def test_a_name_nobody_offers_is_shown_as_an_expression() -> None:
    tree = to_builder("n > 1 && gone > 1 && signal.l.exists(x, x > 1)", ["n"])
    assert [part["kind"] for part in tree["items"]] == ["test", "expression", "each"]
    assert to_builder("gone > 1")["items"][0]["kind"] == "test"


@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [
        ("28", "number", "28"), ("28.0", "number", "28.0"), (28, None, "28"), (2.5, None, "2.5"), (100, "decimal", "100.0"),
        ("7", "decimal", "7.0"), (3.0, "whole", "3"), ("true", "bool", "true"), (True, None, "true"), ("x", None, '"x"'),
        ("14d", "ago", 'signal_time - duration("336h")'), (1e300, "decimal", "1e+300"), ("n", "field", "n"),
    ],
)  # fmt: skip
def test_values_as_forms_hand_them_in(value: Any, kind: str | None, written: str) -> None:
    tree = {"kind": "test", "field": " signal.x ", "op": "eq", "value": value, "type": kind, "_row": 7}
    assert from_builder(tree) == f"signal.x == {written}"


@pytest.mark.parametrize(
    "value", ['" || true || "', "\\", "\\\" || true //", "a\nb", "\0", "\u202e", "ä😀", "'''", "\x85\u2028", "`", "}{%s"]
)  # fmt: skip
def test_no_value_breaks_out_of_its_quotes(value: str) -> None:
    tree = to_builder('signal["f"] == "x" && signal.y in ["x"]')
    tree["items"][0]["value"] = value
    tree["items"][1]["value"] = [value]
    source = from_builder(tree)
    assert exact(to_builder(source)) == exact(tree)
    assert source.isprintable()


TEST = item(field="signal.x", op="eq", type="whole", value=1)


@pytest.mark.parametrize(
    ("tree", "where", "words"),
    [
        ("signal.x == 1", "", "a group or a test is expected"),
        ({}, "kind", "None is not one of group"),
        ({"kind": ["group"]}, "kind", "not one of group"),
        ({"kind": "group", "join": "xor", "items": [TEST]}, "join", "'xor' is not one of all, any, none"),
        ({"kind": "group", "join": "all", "items": "abc"}, "items", "at least one test"),
        ({"kind": "group", "join": "all", "items": [TEST, {"kind": "group", "join": "any", "items": []}]},
         "items[1].items", "at least one test"),
        ({"kind": "group", "join": "all", "items": [None]}, "items[0]", "a group or a test is expected"),
        ({**TEST, "field": "signal.x == 1 || true"}, "field", "is not a field"),
        ({**TEST, "field": "signal.x ||"}, "field", "expected a value here"),
        ({**TEST, "field": ""}, "field", "choose a field"),
        ({**TEST, "field": 7}, "field", "choose a field"),
        ({**TEST, "op": "like"}, "op", "'like' is not one of eq"),
        ({**TEST, "type": "money"}, "type", "'money' is not one of text"),
        ({**TEST, "as": "money"}, "as", "'money' is not one of"),
        ({**TEST, "as": "length", "op": "is_true"}, "as", "about the field itself"),
        ({**TEST, "as": "length", "op": "contains"}, "as", "about the field itself"),
        ({**TEST, "extra": 1}, "", "'extra' has no meaning here"),
        ({**TEST, "value": "1 || true"}, "value", "a whole number is expected"),
        ({**TEST, "value": True}, "value", "a whole number is expected"),
        ({**TEST, "value": 1.5}, "value", "a whole number is expected"),
        ({**TEST, "value": 2**63}, "value", "too large"),
        ({**TEST, "value": float("inf")}, "value", "a whole number is expected"),
        ({**TEST, "type": "decimal", "value": float("nan")}, "value", "too large or none at all"),
        ({**TEST, "type": "decimal", "value": 10**400}, "value", "too large"),
        ({**TEST, "type": "decimal", "value": "9" * 400}, "value", "too large"),
        ({**TEST, "type": "decimal", "value": None}, "value", "a number is expected"),
        ({**TEST, "type": "text", "value": "\ud800"}, "value", "half a character"),
        ({**TEST, "field": 'signal["\ud800"]'}, "field", "half a character"),
        ({**TEST, "type": "text", "value": 5}, "value", "a text is expected"),
        ({**TEST, "type": "bool", "value": 1}, "value", "true or false"),
        ({**TEST, "type": "field", "value": "a + b"}, "value", "is not a field"),
        ({**TEST, "type": "field", "value": None}, "value", "choose a field"),
        ({**TEST, "type": "ago", "value": ""}, "value", "a duration is expected"),
        ({**TEST, "op": "in"}, "value", "a list of values"),
        ({**TEST, "op": "in", "type": "field", "value": ["signal.y"]}, "type", "a list holds values"),
        ({**TEST, "op": "in", "value": [1, "x"]}, "value[1]", "a whole number is expected"),
        ({**TEST, "op": "includes", "type": "ago", "value": "24h"}, "type", "a fixed value"),
        ({**TEST, "op": "contains"}, "type", "a text is expected"),
        ({**TEST, "op": "matches", "type": "field", "value": "signal.y"}, "type", "a text is expected"),
        ({**TEST, "op": "is_present", "field": "n"}, "field", "presence is asked of a field"),
        ({"kind": "ratio", "field": "a", "over": "b", "op": "ge", "value": "x"}, "value", "a number is expected"),
        ({"kind": "ratio", "field": "a", "op": "ge", "value": 1}, "over", "choose a field"),
        ({"kind": "ratio", "field": "a", "over": "b", "op": "ge", "value": 1, "form": "sum"}, "form", "'sum' is not"),
        ({"kind": "each", "field": "signal.l", "quantifier": "some", "name": "in", "condition": TEST}, "name", "is not a name"),
        ({"kind": "each", "field": "signal.l", "quantifier": "most", "name": "x", "condition": TEST}, "quantifier", "'most'"),
        ({"kind": "each", "field": "signal.l", "quantifier": "some", "name": "x", "condition": {**TEST, "op": ""}},
         "condition.op", "'' is not one of"),
        ({"kind": "expression", "source": "a) || (b"}, "source", "unexpected ')'"),
        ({"kind": "expression", "source": None}, "source", "an expression is expected"),
        ({"kind": "group", "join": "all", "items": [TEST] * 600}, "", "more than 500 parts"),
        ({**TEST, "op": "in", "value": [1] * 600}, "", "more than 500 parts"),
    ],
)  # fmt: skip
def test_a_malformed_tree_is_refused_with_its_place(tree: Any, where: str, words: str) -> None:
    with pytest.raises(RuleError) as refusal:
        from_builder(tree)
    assert refusal.value.where == where
    assert words in refusal.value.message


def test_a_bottomless_tree_is_refused() -> None:
    tree: dict[str, Any] = dict(TEST)
    for _ in range(5_000):
        tree = {"kind": "group", "join": "none", "items": [tree]}
    with pytest.raises(RuleError, match="nested deeper than 30 levels"):
        from_builder(tree)


def test_an_expression_keeps_to_itself() -> None:
    parts = [
        {"kind": "expression", "source": written} for written in ("a || b // or", "(c) ? d : e", "-1", "(f)")
    ]
    assert (
        from_builder({"kind": "group", "join": "all", "items": parts})
        == "(a || b) && ((c) ? d : e) && -1 && f"
    )
    assert from_builder({"kind": "group", "join": "none", "items": parts[2:3]}) == "!(-1)"
    with pytest.raises(RuleError, match="the rule or take brackets away"):
        from_builder({"kind": "expression", "source": "(" * 30 + "a" + ")" * 30})
