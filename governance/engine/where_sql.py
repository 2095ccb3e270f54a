"""A measure's `where` as SQL over `s.data` (jsonb) and `s.type`, for the part of CEL where both agree on
every value.

The translation is three-valued as CEL is: SQL NULL stands for CEL's errors (absent field, null or wrong
type in a comparison). AND, OR and NOT pass NULL on exactly as &&, || and ! pass errors on, so the SQL is
TRUE exactly when CEL says true. What cannot be held to that is not translated:
tests/governance/engine/test_where_sql.py compares both on random conditions and signals.
"""

import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from governance.engine.syntax import parse
from governance.engine.tree import Binary, Call, ListOf, Literal, Logic, Name, Node, Select, Unary, path_of

# Below this, a whole number compares with any JSON number as doubles do, whatever the number's own form
_EXACT = 2**53
#: A comparison read from the other side.
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True)
class SqlFragment:
    """SQL text with psycopg named placeholders and the values of those it brings along."""

    text: str
    params: dict[str, Any]


class Untranslatable(Exception):
    """No exact SQL is known for a part of the condition."""


def where_sql(expression: str, prefix: str = "w") -> SqlFragment | None:
    """The condition over alias `s` of governance_signal, or None when no exact translation is known.

    Placeholders are named `prefix` and a number. RuleError when the expression is not CEL.
    """
    return _translated([parse(expression)], prefix, partly=False)


def narrowing_sql(expression: str, prefix: str = "w") -> SqlFragment | None:
    """A condition that every match of the expression fulfils, not only they: the translatable parts of its
    top-level &&.
    """
    tree = parse(expression)
    parts = tree.parts if isinstance(tree, Logic) and tree.operator == "&&" else (tree,)
    return _translated(list(parts), prefix, partly=True)


def _translated(parts: list[Node], prefix: str, *, partly: bool) -> SqlFragment | None:
    translation = Translation(prefix)
    texts: list[str] = []
    for part in parts:
        try:
            texts.append(translation.condition(part))
        except Untranslatable:
            if not partly:
                return None
    if not texts:
        return None
    text = " AND ".join(texts)
    used = {name: value for name, value in translation.params.items() if f"%({name})s" in text}
    return SqlFragment(text, used)


@dataclass
class Translation:
    """Exact SQL of parts of one expression; the values it binds collect in `params`."""

    prefix: str
    params: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: str | float, cast: str) -> str:
        if isinstance(value, str) and (
            "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value)
        ):
            raise Untranslatable  # PostgreSQL has no such text
        name = f"{self.prefix}{len(self.params)}"
        self.params[name] = value
        return f"%({name})s::{cast}"

    def condition(self, node: Node) -> str:
        """SQL of a CEL bool."""
        if isinstance(node, Logic):
            joint = " AND " if node.operator == "&&" else " OR "
            return "(" + joint.join(self.condition(part) for part in node.parts) + ")"
        if isinstance(node, Unary) and node.operator == "!":
            return f"(NOT {self.condition(node.operand)})"
        if isinstance(node, Literal) and node.kind == "bool":
            return "TRUE" if node.value else "FALSE"
        if isinstance(node, Binary):
            return self.comparison(node)
        if isinstance(node, Call):
            return self.call(node)
        place = self.field(node)
        return f"(CASE WHEN jsonb_typeof({place}) = 'boolean' THEN ({place})::boolean END)"

    def field(self, node: Node) -> str:
        """The jsonb at signal.a.b, NULL where it or a part of the way is absent."""
        path = path_of(node)
        if path is None or path[0] != "signal" or len(path) < 2:
            raise Untranslatable
        return "(s.data" + "".join(f" -> {self.bind(step, 'text')}" for step in path[1:]) + ")"

    def comparison(self, node: Binary) -> str:
        left, right, operator = node.left, node.right, node.operator
        if operator == "in":
            return self.membership(left, right)
        if operator not in FLIPPED:
            raise Untranslatable
        if isinstance(left, Literal):
            left, right, operator = right, left, FLIPPED[operator]
        if not isinstance(right, Literal):
            raise Untranslatable
        if operator == "==":
            return self.equal(left, right)
        if operator == "!=":
            return f"(NOT {self.equal(left, right)})"
        return self.ordered(left, operator, right)

    def equal(self, left: Node, right: Literal) -> str:
        if isinstance(left, Name) and left.name == "signal_type" and isinstance(right.value, str):
            return f"(s.type = {self.bind(right.value, 'text')})"
        place = self.field(left)
        if right.kind in ("null", "bool", "string"):
            # PostgreSQL's equality of JSON: values of another kind are unequal, an absent one is NULL
            return f"({place} = {self.json(right)})"
        value = f"({place})::numeric"
        within = f"{value} {self.limit('>=', right)} AND {value} {self.limit('<=', right)}"
        return f"(CASE jsonb_typeof({place}) WHEN 'number' THEN {within} ELSE {place} IS NULL AND NULL END)"

    def ordered(self, left: Node, operator: str, right: Literal) -> str:
        place = self.field(left)
        if right.kind == "string":
            bound = self.bind(str(right.value), "text")
            kind, result = "string", f"({place} #>> '{{}}') COLLATE \"C\" {operator} {bound}"
        else:
            kind, result = "number", f"({place})::numeric {self.limit(operator, right)}"
        return f"(CASE WHEN jsonb_typeof({place}) = '{kind}' THEN {result} END)"

    def json(self, literal: Literal) -> str:
        if literal.kind == "string":
            self.bind(str(literal.value), "text")  # refuses what PostgreSQL cannot hold
        return self.bind(json.dumps(literal.value), "jsonb")

    def limit(self, operator: str, literal: Literal) -> str:
        """What stands right of a numeric so that it compares as its double does with the literal.

        The doubles' rounding moves into the bound, halfway to the next double, which is cheaper than casts to float8
        and holds beyond their range.
        """
        value = literal.value
        if literal.kind not in ("int", "double") or not isinstance(value, (int, float)):
            raise Untranslatable
        if not math.isfinite(value) or abs(value) >= _EXACT:
            raise Untranslatable
        double = float(value)
        beside = math.nextafter(double, math.inf if operator in (">", "<=") else -math.inf)
        halfway = self.bind(_decimal((Fraction(double) + Fraction(beside)) / 2), "numeric")
        # Halfway goes to the double whose last bit is zero
        if struct.pack("<d", double)[0] & 1:
            operator = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}[operator]
        return f"{operator} {halfway}"

    def membership(self, left: Node, right: Node) -> str:
        if not isinstance(right, ListOf) or not right.items:
            raise Untranslatable
        cases: list[str] = []
        for item in right.items:
            if not isinstance(item, Literal):
                raise Untranslatable
            cases.append(self.equal(left, item))
        return "(" + " OR ".join(cases) + ")"

    def call(self, node: Call) -> str:
        if node.target is None:
            return self.presence(node)
        searches: dict[str, Callable[[str, str], str]] = {
            "startsWith": lambda text, bound: f"starts_with({text}, {bound})",
            "endsWith": lambda text, bound: f"right({text}, length({bound})) = {bound}",
            "contains": lambda text, bound: f"strpos({text}, {bound}) > 0",
        }
        wanted = node.args[0] if len(node.args) == 1 else None
        if node.function not in searches or not isinstance(wanted, Literal) or wanted.kind != "string":
            raise Untranslatable
        place = self.field(node.target)
        bound = self.bind(str(wanted.value), "text")
        found = searches[node.function](f"({place} #>> '{{}}')", bound)
        return f"(CASE WHEN jsonb_typeof({place}) = 'string' THEN {found} END)"

    def presence(self, node: Call) -> str:
        """has(signal.a.b): an error when signal.a is absent or no object. The event's data itself always
        counts as one.
        """
        asked = node.args[0] if node.function == "has" and len(node.args) == 1 else None
        path = path_of(asked) if isinstance(asked, Select) else None
        if not isinstance(asked, Select) or path is None or path[0] != "signal":
            raise Untranslatable
        name = self.bind(asked.field, "text")
        if len(path) == 2:
            return f"(jsonb_typeof(s.data) = 'object' AND s.data ? {name})"
        owner = self.field(asked.operand)
        return f"(CASE WHEN jsonb_typeof({owner}) = 'object' THEN {owner} ? {name} END)"


def _decimal(value: Fraction) -> str:
    """A fraction over a power of two, written out in full."""
    digits = value.denominator.bit_length() - 1
    scaled = abs(value.numerator) * 5**digits
    text = str(scaled).rjust(digits + 1, "0")
    whole, part = (text[:-digits], text[-digits:]) if digits else (text, "")
    return ("-" if value < 0 else "") + whole + ("." + part if part else "")
