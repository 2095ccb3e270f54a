"""A condition as a tree of groups and tests, the form in which people build it without code.

`to_builder` reads CEL source into a tree, `from_builder` writes it back: the same expression but for spaces, comments and
needless brackets. Trees are JSON:

    {"kind": "group", "join": "all" | "any" | "none", "items": [...]}
    {"kind": "test", "field": "signal.score", "as": "", "op": "ge", "type": "whole", "value": 28}
    {"kind": "ratio", "field": "failed_90d", "over": "checked_90d", "scale": None, "op": "ge", "value": 0.2, "form": "product"}
    {"kind": "each", "field": "signal.lines", "quantifier": "some" | "every" | "one", "name": "line", "condition": {a group}}
    {"kind": "expression", "source": "..."}

The root and the condition of an `each` are always groups; a root without items is an empty condition. `field` is a path as
written in CEL. `as` is what is compared instead of the field: "" (itself), "number" double(…), "length" size(…), "time"
timestamp(…), "hour" or "weekday" in the market's time zone. Operations: eq ne lt le gt ge; in not_in (`value` is a list);
includes (the field is a list that holds the value); contains starts_with ends_with matches; is_true (the field itself) is_false
is_null is_not_null is_present is_missing, which have neither type nor value (both None).

Types: text, whole, decimal, bool, field (`value` is another field), ago (`value` is "336h" or "14d": that long before the
signal), time ("2026-01-01T00:00:00Z"). A whole number beyond 2^53 is a text, as JavaScript would round it. A reader of forms may
leave `type` out, or say "number" and hand in what was typed. Only whole numbers compare with counts, only decimals with
`as: number`.

A ratio reads "field per scale of over, compared with value". As a product it is double(field) * scale >= value * double(over),
which has no division by zero; as a quotient double(field) * scale / double(over) >= value. An expression is what has no form
here, such as arithmetic of other kinds or a literal on the left.
"""

from collections.abc import Collection
from typing import Any

from governance.engine.builder_source import COMPARISONS, DAYS, QUANTIFIERS, SEARCHES, from_builder
from governance.engine.check import parse_checked
from governance.engine.environment import WHEN_NAMES
from governance.engine.literals import INT_MAX, INT_MIN, SAFE_WHOLE, path_source
from governance.engine.tree import (
    Binary,
    Call,
    ListOf,
    Literal,
    Logic,
    Loop,
    Name,
    Node,
    Select,
    Unary,
    loop_of,
    path_of,
)

__all__ = ["from_builder", "to_builder"]

Tree = dict[str, Any]

_OPERATIONS = {symbol: name for name, symbol in COMPARISONS.items()}
_SEARCHES = {function: name for name, function in SEARCHES.items()}
_QUANTIFIERS = {loop: name for name, loop in QUANTIFIERS.items()}
_TYPES = {"string": "text", "int": "whole", "double": "decimal", "bool": "bool"}
_FUNCTIONS = {"double": "number", "size": "length", "timestamp": "time"}
_CLOCKS = {"getHours": "hour", "getDayOfWeek": "weekday"}
_TIME_ZONE = ("market", "timezone")


def to_builder(source: str, measure_names: Collection[str] | None = None) -> Tree:
    """The tree of a condition; RuleError with position when it is not CEL.

    With `measure_names`, a test of any other unknown name is shown as an expression, as no list of fields could offer it.
    """
    if not source.strip():
        return {"kind": "group", "join": "all", "items": []}
    names = None if measure_names is None else WHEN_NAMES | frozenset(measure_names)
    return _Reading(source, names).rooted(parse_checked(source))


class _Reading:
    def __init__(self, source: str, names: frozenset[str] | None) -> None:
        self.source = source
        self.names = names

    def rooted(self, node: Node) -> Tree:
        tree = self.item(node)
        return tree if tree["kind"] == "group" else {"kind": "group", "join": "all", "items": [tree]}

    def item(self, node: Node) -> Tree:
        if isinstance(node, Logic):
            return self.group("all" if node.operator == "&&" else "any", node.parts)
        if isinstance(node, Unary) and node.operator == "!":
            return self.negated(node.operand)
        found = None
        if isinstance(node, Binary):
            found = self.ratio(node) or self.comparison(node)
        elif isinstance(node, Call):
            found = self.call(node)
        elif self.path(node) is not None:
            found = self.test(node, "is_true")
        return found or {"kind": "expression", "source": self.source[node.start : node.end]}

    def group(self, join: str, parts: tuple[Node, ...]) -> Tree:
        return {"kind": "group", "join": join, "items": [self.item(part) for part in parts]}

    def negated(self, node: Node) -> Tree:
        if isinstance(node, Logic) and node.operator == "||":
            return self.group("none", node.parts)
        test = self.item(node)
        opposite = {"is_true": "is_false", "is_present": "is_missing", "in": "not_in"}.get(test.get("op", ""))
        if opposite is None:
            return {"kind": "group", "join": "none", "items": [test]}
        return {**test, "op": opposite}

    # -- tests; None when a node has no such form
    def test(
        self, node: Node, operation: str, kind: str | None = None, value: Any = None, form: str = ""
    ) -> Tree | None:
        field = self.path(node)
        if field is None:
            return None
        return {"kind": "test", "field": field, "as": form, "op": operation, "type": kind, "value": value}

    def comparison(self, node: Binary) -> Tree | None:
        form, subject = _form(node.left)
        if node.operator == "in":
            return self.membership(node, form, subject)
        if node.operator not in _OPERATIONS:
            return None
        operation = _OPERATIONS[node.operator]
        if isinstance(node.right, Literal) and node.right.kind == "null":
            asked = {"eq": "is_null", "ne": "is_not_null"}.get(operation)
            return None if form or asked is None else self.test(subject, asked)
        typed = _constant(node.right) or self.computed(node.right)
        return None if typed is None else self.test(subject, operation, *typed, form=form)

    def computed(self, node: Node) -> tuple[str, Any] | None:
        """(type, value) of what a field may be compared with besides constants."""
        if (path := self.path(node)) is not None:
            return "field", path
        if isinstance(node, Binary) and node.operator == "-" and path_of(node.left) == ("signal_time",):
            written = _argument(node.right, "duration")
            return None if not written or DAYS.fullmatch(written) else ("ago", written)
        written = _argument(node, "timestamp")
        return None if written is None else ("time", written)

    def membership(self, node: Binary, form: str, subject: Node) -> Tree | None:
        if isinstance(node.right, ListOf):
            typed = [_constant(item) for item in node.right.items]
            kinds = {found[0] if found else None for found in typed}
            if None in kinds or len(kinds) > 1:
                return None
            kind = next(iter(kinds), "text")
            return self.test(subject, "in", kind, [found[1] for found in typed if found], form=form)
        constant = _constant(node.left)
        return None if constant is None else self.test(node.right, "includes", *constant)

    def call(self, node: Call) -> Tree | None:
        loop = loop_of(node)
        if loop is not None:
            return self.each(node, loop)
        if len(node.args) != 1:
            return None
        [argument] = node.args
        if node.target is None:
            asks = node.function == "has" and isinstance(argument, Select)
            return self.test(argument, "is_present") if asks else None
        if node.function not in _SEARCHES:
            return None
        if isinstance(argument, Literal):
            if argument.kind != "string":
                return None
            return self.test(node.target, _SEARCHES[node.function], "text", argument.value)
        path = None if node.function == "matches" else self.path(argument)
        return None if path is None else self.test(node.target, _SEARCHES[node.function], "field", path)

    def each(self, node: Call, loop: Loop) -> Tree | None:
        field = self.path(loop.over)
        if field is None:
            return None
        names = None if self.names is None else self.names | {loop.variable.name}
        return {
            "kind": "each",
            "field": field,
            "quantifier": _QUANTIFIERS[node.function],
            "name": loop.variable.name,
            "condition": _Reading(self.source, names).rooted(loop.body),
        }

    def ratio(self, node: Binary) -> Tree | None:
        """double(a) [* scale] >= value * double(b), or double(a) [* scale] / double(b) >= value."""
        if node.operator not in _OPERATIONS:
            return None
        left, right = node.left, node.right
        if isinstance(right, Binary) and right.operator == "*":
            form, counted, value, over = "product", left, right.left, right.right
        elif isinstance(left, Binary) and left.operator == "/":
            form, counted, value, over = "quotient", left.left, right, left.right
        else:
            return None
        scale = None
        if isinstance(counted, Binary) and counted.operator == "*":
            scale = _decimal(counted.right)
            counted = counted.left
            if scale is None:
                return None
        wanted, field, per = _decimal(value), self.as_number(counted), self.as_number(over)
        if wanted is None or field is None or per is None:
            return None
        return {
            "kind": "ratio",
            "field": field,
            "over": per,
            "scale": scale,
            "op": _OPERATIONS[node.operator],
            "value": wanted,
            "form": form,
        }

    def as_number(self, node: Node) -> str | None:
        form, subject = _form(node)
        return self.path(subject) if form == "number" else None

    def path(self, node: Node) -> str | None:
        """The node as a field, None when it is none or, with known names, none of them."""
        path = path_of(node)
        if path is None or (self.names is not None and path[0] not in self.names):
            return None
        return path_source(node)


def _form(node: Node) -> tuple[str, Node]:
    """("number", x) for double(x) and so on; ("", node) otherwise."""
    if isinstance(node, Call):
        if node.target is None and node.function in _FUNCTIONS and len(node.args) == 1:
            return _FUNCTIONS[node.function], node.args[0]
        if node.target is not None and node.function in _CLOCKS and len(node.args) == 1:
            zone = node.args[0]
            plain = isinstance(zone, Select) and isinstance(zone.operand, Name)
            if plain and path_of(zone) == _TIME_ZONE:
                return _CLOCKS[node.function], node.target
    return "", node


def _constant(node: Node) -> tuple[str, Any] | None:
    if not isinstance(node, Literal) or node.kind not in _TYPES:
        return None
    kind, value = _TYPES[node.kind], node.value
    if kind == "whole" and isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            return None
        return kind, value if abs(value) <= SAFE_WHOLE else str(value)
    return None if kind == "decimal" and _decimal(node) is None else (kind, value)


def _decimal(node: Node) -> float | None:
    """A double that is a number; 1e999 is infinity to the runtime."""
    if isinstance(node, Literal) and isinstance(node.value, float) and abs(node.value) < float("inf"):
        return node.value
    return None


def _argument(node: Node, function: str) -> str | None:
    """The fixed text handed to duration() or timestamp()."""
    if isinstance(node, Call) and node.target is None and node.function == function and len(node.args) == 1:
        [argument] = node.args
        if isinstance(argument, Literal) and isinstance(argument.value, str):
            return argument.value
    return None
