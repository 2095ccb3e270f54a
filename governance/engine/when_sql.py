"""A rule's `when` as a SQL condition that keeps every match, over alias `s` of governance_signal.

What SQL decides exactly as CEL does (see where_sql) narrows; everything else counts as possible. The condition is built from
leaves by AND and OR alone, so a leaf that is NULL is a leaf that does not hold. Each part of `when` is bounded from five
sides, for !, ||, ?: and errors turn one into another. tests/governance/engine/test_when_sql.py compares with CEL on random
conditions and signals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from typing import Literal as OneOf

from governance.engine.conditions import FALSE, TRUE, Condition, both, either
from governance.engine.syntax import parse
from governance.engine.tree import (
    Binary,
    Call,
    Conditional,
    ListOf,
    Literal,
    Logic,
    Name,
    Node,
    Unary,
    path_of,
)
from governance.engine.where_sql import FLIPPED, Translation, Untranslatable

_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "<>", "!=": "="}
_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_SQL = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "=", "!=": "<>"}


@dataclass(frozen=True)
class MeasureColumn:
    """Where SQL finds a measure.

    `bound` is "exact" when the column holds the measure's very value, "upper" when the measure is never above it. NULL is
    "not known", or for max that nothing was found. `function` is the aggregate's.
    """

    text: str
    bound: OneOf["exact", "upper"] = "exact"
    function: OneOf["count", "distinct", "sum", "max"] = "count"

    @property
    def whole(self) -> bool:
        return self.function in ("count", "distinct")


# Beyond what facts.py evaluates a signal is an error for every rule. These are all that may be: 2,000 values or 16,384
# characters take more room or compression; a level takes eight bytes.
LARGE = Condition(
    "(pg_column_size(s.data) > 2000 OR pg_column_compression(s.data) IS NOT NULL"
    " OR (pg_column_size(s.data) > 250 AND jsonb_path_exists(s.data, '$.**{32}')))"
)


@dataclass(frozen=True)
class WhenCandidate:
    """`text` holds (is TRUE) for every signal on which the rule matches, and for others; `params` are its values.

    `errors` holds for every signal on which the rule is an error rather than true, false or unknown.
    """

    condition: Condition
    errors: Condition
    params: Mapping[str, Any]

    @property
    def text(self) -> str:
        return self.condition.sql

    @property
    def keeps_all(self) -> bool:
        return self.condition == TRUE

    def used_in(self, text: str) -> dict[str, Any]:
        """The values that a text made of these conditions needs."""
        return {name: value for name, value in self.params.items() if f"%({name})s" in text}


def when_candidate(
    source: str,
    measures: Mapping[str, MeasureColumn] | None = None,
    *,
    texts: Mapping[tuple[str, ...], str] | None = None,
    prefix: str = "c",
    faults: bool = False,
) -> WhenCandidate:
    """Compile a checked `when`. Placeholders are named `prefix` and a number.

    `measures` by the rule's own names; one that is left out may have any value. `texts` are columns of text, never NULL, for
    fixed paths such as ("guild", "tier"). With `faults` the condition keeps `errors` too. RuleError when the source is not
    CEL.
    """
    bounds = _Bounds(dict(measures or {}), dict(texts or {}), Translation(prefix))
    found = bounds.of(parse(source))
    errors = either(found.error, LARGE)
    condition = either(found.true, errors) if faults else found.true
    text = condition.sql + errors.sql
    params = {name: value for name, value in bounds.exact.params.items() if f"%({name})s" in text}
    return WhenCandidate(condition, errors, params)


@dataclass(frozen=True)
class _Sides:
    """Conditions that hold whenever CEL's value is true; is false; is not true; is not false; is an error to be counted.

    "Not true" and "not false" take in what is unknown or an error.
    """

    true: Condition = TRUE
    false: Condition = TRUE
    not_true: Condition = TRUE
    not_false: Condition = TRUE
    error: Condition = TRUE


_ANYTHING = _Sides()


class _Bounds:
    def __init__(
        self, measures: dict[str, MeasureColumn], texts: dict[tuple[str, ...], str], exact: Translation
    ) -> None:
        self.measures = measures
        self.texts = texts
        self.exact = exact

    def of(self, node: Node) -> _Sides:
        if isinstance(node, Logic):
            return self.logic(node)
        if isinstance(node, Conditional):
            return self.conditional(node)
        if isinstance(node, Unary) and node.operator == "!":
            inner = self.of(node.operand)
            return _Sides(inner.false, inner.true, inner.not_false, inner.not_true, inner.error)
        return self.measured(node) or self.text(node) or self.leaf(node)

    def logic(self, node: Logic) -> _Sides:
        parts = [self.of(part) for part in node.parts]
        if node.operator == "&&":
            undecided = both(*(part.not_false for part in parts))
            return _Sides(
                true=both(*(part.true for part in parts)),
                false=either(*(part.false for part in parts)),
                not_true=either(*(part.not_true for part in parts)),
                not_false=undecided,
                error=both(either(*(part.error for part in parts)), undecided),
            )
        undecided = both(*(part.not_true for part in parts))
        return _Sides(
            true=either(*(part.true for part in parts)),
            false=both(*(part.false for part in parts)),
            not_true=undecided,
            not_false=either(*(part.not_false for part in parts)),
            error=both(either(*(part.error for part in parts)), undecided),
        )

    def conditional(self, node: Conditional) -> _Sides:
        asked, then, otherwise = self.of(node.condition), self.of(node.then), self.of(node.otherwise)
        undecided = both(asked.not_true, asked.not_false)

        def chosen(if_true: Condition, if_false: Condition, *others: Condition) -> Condition:
            return either(both(asked.true, if_true), both(asked.false, if_false), *others)

        return _Sides(
            true=chosen(then.true, otherwise.true),
            false=chosen(then.false, otherwise.false),
            not_true=chosen(then.not_true, otherwise.not_true, undecided),
            not_false=chosen(then.not_false, otherwise.not_false, undecided),
            error=chosen(then.error, otherwise.error, asked.error),
        )

    # -- what the signal alone decides
    def leaf(self, node: Node) -> _Sides:
        try:
            text = self.exact.condition(node)
            error = self.error(node, text)
        except Untranslatable:
            return _ANYTHING
        if text in ("TRUE", "FALSE"):
            yes, no = (TRUE, FALSE) if text == "TRUE" else (FALSE, TRUE)
            return _Sides(true=yes, false=no, not_true=no, not_false=yes, error=FALSE)
        return _exactly(text, measured=False, error=error)

    def error(self, node: Node, text: str) -> Condition:
        """Where the condition is no answer though nothing it reads is absent or null, which would be "unknown"."""
        if isinstance(node, Binary):
            if node.operator not in ("<", "<=", ">", ">="):
                return FALSE  # equal or not: everything that is there compares
            place = node.right if isinstance(node.left, Literal) else node.left
        elif isinstance(node, Call):
            if node.target is None:
                return FALSE
            place = node.target
        elif path_of(node) is not None:
            # A bare field is the one part that yields null where it is null
            return Condition(f"(jsonb_typeof({self.exact.field(node)}) <> 'boolean')")
        else:
            return FALSE
        return Condition(f"(jsonb_typeof({self.exact.field(place)}) <> 'null' AND ({text}) IS NULL)")

    # -- what is known of guild, creator and market
    def text(self, node: Node) -> _Sides | None:
        if not isinstance(node, Binary) or node.operator not in ("==", "!=", "in"):
            return None
        left, right = node.left, node.right
        if isinstance(left, Literal) and node.operator != "in":
            left, right = right, left
        path = path_of(left)
        column = self.texts.get(path) if path is not None else None
        if column is None:
            return None
        items = right.items if node.operator == "in" and isinstance(right, ListOf) else (right,)
        wanted = [item.value for item in items if isinstance(item, Literal) and isinstance(item.value, str)]
        if not wanted or len(wanted) < len(items) or any("\0" in word for word in wanted):
            return None
        try:
            found = " OR ".join(f"{column} = {self.exact.bind(word, 'text')}" for word in wanted)
        except Untranslatable:
            return None
        text = f"({found})" if node.operator != "!=" else f"(NOT ({found}))"
        return _exactly(text, measured=False, error=FALSE)

    # -- what measures decide
    def measured(self, node: Node) -> _Sides | None:
        try:
            return self.against_number(node) or self.against_each_other(node) or self.ratio(node)
        except Untranslatable:
            return None

    def against_number(self, node: Node) -> _Sides | None:
        sides = _measure_and_number(node, self.measures.keys())
        if sides is None:
            return None
        name, operator, number = sides
        column = self.measures[name]
        if column.whole:
            compare = _whole_comparison(column.text, self.float8(number))
        else:
            compare = self.numeric_comparison(column.text, number)
        if column.bound == "exact":
            maybe_null = column.function == "max" and operator in ("==", "!=")
            return _exactly(compare(operator), measured=True, error=FALSE, maybe_null=maybe_null)
        return _at_most(operator, compare)

    def numeric_comparison(self, column: str, number: Literal) -> Callable[[str], str]:
        def compared(operator: str) -> str:
            if operator in ("==", "!="):
                equal = " AND ".join(f"{column} {self.exact.limit(side, number)}" for side in (">=", "<="))
                return f"({equal})" if operator == "==" else f"(NOT ({equal}))"
            return f"({column} {self.exact.limit(operator, number)})"

        return compared

    def against_each_other(self, node: Node) -> _Sides | None:
        if not isinstance(node, Binary) or node.operator not in _SQL:
            return None
        columns = [self.whole(side) for side in (node.left, node.right)]
        if None in columns:
            return None
        return _exactly(f"({columns[0]} {_SQL[node.operator]} {columns[1]})", measured=True, error=FALSE)

    def ratio(self, node: Node) -> _Sides | None:
        """double(a) / double(b) against a number. Over zero CEL has infinities, which are left to it."""
        if not isinstance(node, Binary) or node.operator not in _SQL:
            return None
        left, right, operator = node.left, node.right, node.operator
        if isinstance(left, Literal):
            left, right, operator = right, left, FLIPPED[operator]
        if not (isinstance(right, Literal) and isinstance(left, Binary) and left.operator == "/"):
            return None
        above, below = (self.whole(_doubled(side)) for side in (left.left, left.right))
        if above is None or below is None:
            return None
        quotient = f"({above})::float8 / nullif({below}, 0)::float8"
        bound = self.float8(right)
        zero = f"{below} = 0"

        def compared(written: str) -> Condition:
            return Condition(f"({zero} OR {quotient} {written} {bound})", measured=True)

        yes, no = compared(_SQL[operator]), compared(_OPPOSITE[operator])
        return _Sides(yes, no, _or_unknown(no), _or_unknown(yes), FALSE)

    def float8(self, number: Literal) -> str:
        if not isinstance(number.value, (int, float)) or not abs(number.value) < 2**53:
            raise Untranslatable
        return self.exact.bind(float(number.value), "float8")

    def whole(self, node: Node | None) -> str | None:
        """The column of a count that is exactly known."""
        column = self.measures.get(node.name) if isinstance(node, Name) else None
        return column.text if column is not None and column.whole and column.bound == "exact" else None


def _whole_comparison(column: str, bound: str) -> Callable[[str], str]:
    return lambda operator: f"({column} {_SQL[operator]} {bound})"


def _exactly(text: str, *, measured: bool, error: Condition, maybe_null: bool = False) -> _Sides:
    """SQL says TRUE, FALSE or NULL exactly where CEL says true, false or neither.

    With `maybe_null` NULL may also be CEL's null, to which a number is unequal: then it may be true as well as false.
    """
    return _Sides(
        true=Condition(f"({text} IS NOT FALSE)" if maybe_null else text, measured),
        false=Condition(f"({text} IS NOT TRUE)" if maybe_null else f"(NOT {text})", measured),
        not_true=Condition(f"({text} IS NOT TRUE)", measured),
        not_false=Condition(f"({text} IS NOT FALSE)", measured),
        error=error,
    )


def _or_unknown(condition: Condition) -> Condition:
    return Condition(f"({condition.text} IS NOT FALSE)", condition.measured)


def _at_most(operator: str, compared: Callable[[str], str]) -> _Sides:
    """A measure of which only an upper bound is known: it can prove that the measure is not above a number."""
    if operator in (">", ">=", "=="):
        reached = Condition(compared(">=" if operator == "==" else operator), measured=True)
        return _Sides(true=reached, not_false=_or_unknown(reached), error=FALSE)
    reached = Condition(compared(">=" if operator == "!=" else _NEGATED[operator]), measured=True)
    return _Sides(false=reached, not_true=_or_unknown(reached), error=FALSE)


def _measure_and_number(node: Node, names: Any) -> tuple[str, str, Literal] | None:
    """(measure, operator, number) of a comparison of a measure, plain or as double(measure), with a number."""
    if not isinstance(node, Binary) or node.operator not in _SQL:
        return None
    left, right, operator = node.left, node.right, node.operator
    if isinstance(left, Literal):
        left, right, operator = right, left, FLIPPED[operator]
    left = _doubled(left) or left
    if not (isinstance(left, Name) and left.name in names and isinstance(right, Literal)):
        return None
    if right.kind not in ("int", "double"):
        return None
    return left.name, operator, right


def _doubled(node: Node) -> Node | None:
    """x of double(x)."""
    if isinstance(node, Call) and node.target is None and node.function == "double" and len(node.args) == 1:
        return node.args[0]
    return None
