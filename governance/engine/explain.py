"""Why a rule matched a signal or did not, part by part, as JSON that a detection keeps and a page shows."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cel_expr_python import cel

from governance.engine.compiled import CompiledRule
from governance.engine.environment import compile_source, environment_for, rewritten
from governance.engine.evaluate import Asked, answer, lookup
from governance.engine.facts import SignalFacts, SignalTooLargeError, safe_number
from governance.engine.tree import Conditional, Logic, Node, Unary, named_paths

_SHOWN_TEXT = 300  # characters of a text
_SHOWN_JSON = 1_000  # characters of a list or object


def explain(
    rule: CompiledRule, facts: SignalFacts, measures: Mapping[str, Any], asked: Asked | None = None
) -> dict[str, Any]:
    """The outcome with its reasons; `measures` by `MeasureSpec.key`; `asked` is that of an Outcome, if at hand.

    {"state", "reason", "when", "conditions", "measures"}: conditions are the parts joined by the outermost
    &&, each {"text", "state", "value", "values": {path: value}, "missing": [path], "children": [...]}.
    `state` is true, false, unknown or error, `value` true, false or null. `missing` are the fields for want
    of which a part is unknown. Long values are cut.
    """
    explained: dict[str, Any] = {
        "state": "error",
        "reason": "",
        "when": rule.spec.when,
        "conditions": [],
        "measures": {
            measure.name: _shown(safe_number(measures.get(measure.key))) for measure in rule.measures
        },
    }
    try:
        if asked is None:
            asked = Asked(environment_for(rule.measures), facts, rule.measures, measures)
    except SignalTooLargeError as refusal:
        return explained | {"reason": str(refusal)}
    explanation = _Explanation(rule, asked)
    state, reason = asked.state(rule)
    tree = rule.tree
    parts = tree.parts if isinstance(tree, Logic) and tree.operator == "&&" else (tree,)
    return explained | {
        "state": state,
        "reason": explanation.named(reason),
        "conditions": [explanation.part(part) for part in parts],
    }


class _Explanation:
    def __init__(self, rule: CompiledRule, asked: Asked) -> None:
        self.rule = rule
        self.bound = asked.bound
        self.activation = asked.activation
        self.variables = {measure.name: measure.variable for measure in rule.measures}

    def part(self, node: Node) -> dict[str, Any]:
        """One node; it has children where its own truth is made of other truths."""
        source = self.rule.spec.when
        program, paths = self.program(node)
        state, reason = answer(program, self.activation, paths, self.bound, self.rule.measures)
        explained: dict[str, Any] = {
            "text": source[node.start : node.end],
            "state": state,
            "value": {"true": True, "false": False}.get(state),
            "values": {},
            "missing": [],
            "children": [],
        }
        if reason:
            explained["reason"] = self.named(reason)
        if isinstance(node, (Logic, Conditional)) or (isinstance(node, Unary) and node.operator == "!"):
            explained["children"] = [self.part(child) for child in node.children()]
            return explained
        for path in paths:
            found, value = lookup(path, self.bound, self.variables)
            name = ".".join(path)
            if found:
                explained["values"][name] = _shown(value)
            if not found or (value is None and state == "unknown"):
                explained["missing"].append(name)
        return explained

    def program(self, node: Node) -> tuple[cel.Expression, tuple[tuple[str, ...], ...]]:
        """The part as a program, and the paths it reads."""
        place = (node.start, node.end)
        programs = self.rule.parts
        if place not in programs:
            source, measures = self.rule.spec.when, self.rule.measures
            text = rewritten(source, node, measures, node.start, node.end)
            program = compile_source(environment_for(measures), text, source, known=measures)
            programs[place] = program, tuple(dict.fromkeys(named_paths(node)))
        return programs[place]

    def named(self, reason: str) -> str:
        """The runtime's words, with the author's names of measures."""
        for name, variable in self.variables.items():
            reason = reason.replace(variable, name)
        return reason


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return value if len(value) <= _SHOWN_TEXT else value[:_SHOWN_TEXT] + "…"
    if isinstance(value, (list, dict)):
        text = json.dumps(value, ensure_ascii=False, default=str)
        unusual = "Infinity" in text or "NaN" in text
        if len(text) > _SHOWN_JSON or unusual:
            return f"({'list' if isinstance(value, list) else 'object'} of {len(value)})"
    return value
