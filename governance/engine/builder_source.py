"""From the builder's tree to CEL source. The forms of the tree are described in governance.engine.builder.

Whatever a tree holds, it cannot smuggle anything in: fields are parsed and written anew, values are quoted, and an expression
is put into brackets where its neighbours would otherwise tear it apart.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.engine.check import parse_checked
from governance.engine.errors import RuleError
from governance.engine.literals import (
    decimal_literal,
    is_identifier,
    path_source,
    text_literal,
    whole_literal,
)
from governance.engine.tree import Binary, Conditional, Logic, Node, Select, Unary

MAX_LEVELS = 30
MAX_PARTS = 500  # groups, tests and values of one tree

COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
SEARCHES = {
    "contains": "contains",
    "starts_with": "startsWith",
    "ends_with": "endsWith",
    "matches": "matches",
}
QUANTIFIERS = {"some": "exists", "every": "all", "one": "exists_one"}
#: What is compared instead of the field itself.
FORMS = {
    "": "{}",
    "number": "double({})",
    "length": "size({})",
    "time": "timestamp({})",
    "hour": "{}.getHours(market.timezone)",
    "weekday": "{}.getDayOfWeek(market.timezone)",
}
TYPES = ("text", "whole", "decimal", "bool", "field", "ago", "time")
_CONSTANTS = ("text", "whole", "decimal", "bool")
_WITHOUT_VALUE = ("is_true", "is_false", "is_null", "is_not_null", "is_present", "is_missing")
OPERATIONS = (*COMPARISONS, *SEARCHES, "in", "not_in", "includes", *_WITHOUT_VALUE)

# How tightly a piece of source holds together, as in the grammar of CEL
_CONDITIONAL, _OR, _AND, _RELATION, _UNARY, _MEMBER = range(6)

_WHOLE = re.compile(r"-?[0-9]{1,20}")
_DECIMAL = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?")
DAYS = re.compile(r"([0-9]{1,6})d")


@dataclass(frozen=True, slots=True)
class _Piece:
    source: str
    holds: int

    def inside(self, least: int) -> str:
        """The source, in brackets unless it holds together at least this tightly."""
        return self.source if self.holds >= least else f"({self.source})"


def from_builder(tree: Mapping[str, Any]) -> str:
    """The CEL source of a tree; RuleError naming the place in the tree, such as items[1].value, when it is malformed.

    The source is CEL by its form; whether names and types are right is check_rule's question. An empty tree is an empty source.
    """
    source = _Writing().piece(tree, "", 1).source
    if source:
        parse_checked(source)
    return source


class _Writing:
    def __init__(self) -> None:
        self.parts = 0

    def piece(self, item: Any, where: str, level: int) -> _Piece:
        if not isinstance(item, Mapping):
            raise RuleError("a group or a test is expected", where=where)
        if level > MAX_LEVELS:
            raise RuleError(f"nested deeper than {MAX_LEVELS} levels; split the rule", where=where)
        self.count(where)
        kinds: dict[str, Callable[[Mapping[str, Any], str, int], _Piece]] = {
            "group": self.group,
            "test": self.test,
            "ratio": self.ratio,
            "each": self.each,
            "expression": self.expression,
        }
        kind = item.get("kind")
        if not isinstance(kind, str) or kind not in kinds:
            raise RuleError(f"{_shown(kind)} is not one of {', '.join(kinds)}", where=_at(where, "kind"))
        return kinds[kind](item, where, level)

    def count(self, where: str, parts: int = 1) -> None:
        self.parts += parts
        if self.parts > MAX_PARTS:
            raise RuleError(f"more than {MAX_PARTS} parts; split the rule", where=where)

    # -- kinds
    def group(self, item: Mapping[str, Any], where: str, level: int) -> _Piece:
        _known(item, where, "join", "items")
        join = _choice(item, where, "join", ("all", "any", "none"))
        items = item.get("items")
        if items == [] and not where:
            return _Piece("", _MEMBER)
        if not isinstance(items, Sequence) or isinstance(items, str) or not items:
            raise RuleError("a group needs at least one test", where=_at(where, "items"))
        self.count(where, len(items))
        pieces = [
            self.piece(part, f"{_at(where, 'items')}[{index}]", level + 1) for index, part in enumerate(items)
        ]
        if join == "none":
            joined = pieces[0] if len(pieces) == 1 else _joined(pieces, " || ", _OR)
            minus = joined.source.startswith("-")  # !-x is not CEL
            return _Piece(f"!{joined.inside(_MEMBER + 1 if minus else _UNARY)}", _UNARY)
        if len(pieces) == 1:
            return pieces[0]
        return _joined(pieces, " && ", _AND) if join == "all" else _joined(pieces, " || ", _OR)

    def test(self, item: Mapping[str, Any], where: str, level: int) -> _Piece:
        _known(item, where, "field", "as", "op", "type", "value")
        operation = _choice(item, where, "op", OPERATIONS)
        form = _choice({"as": "", **item}, where, "as", tuple(FORMS))
        node = self.path(item, where, "field")
        field = _source(node)
        if operation in _WITHOUT_VALUE:
            if form:
                raise RuleError("this question is about the field itself", where=_at(where, "as"))
            return self.plain(operation, node, field, where)
        subject = FORMS[form].format(field)
        value = item.get("value")
        place = _at(where, "value")
        kind = _type(item, where, value)
        if operation in COMPARISONS:
            written = _value(kind, value, place)
            return _Piece(f"{subject} {COMPARISONS[operation]} {written}", _RELATION)
        if operation in ("in", "not_in"):
            return self.membership(operation, subject, kind, value, where)
        if form:
            raise RuleError("this question is about the field itself", where=_at(where, "as"))
        if operation == "includes":
            if kind not in _CONSTANTS:
                raise RuleError("a fixed value is expected", where=_at(where, "type"))
            return _Piece(f"{_value(kind, value, place)} in {field}", _RELATION)
        if kind not in ("text", "field") or (kind == "field" and operation == "matches"):
            raise RuleError("a text is expected", where=_at(where, "type"))
        return _Piece(f"{field}.{SEARCHES[operation]}({_value(kind, value, place)})", _MEMBER)

    def plain(self, operation: str, node: Node, field: str, where: str) -> _Piece:
        if operation in ("is_present", "is_missing"):
            if not isinstance(node, Select):
                raise RuleError(
                    "presence is asked of a field, such as signal.amount", where=_at(where, "field")
                )
            asked = f"has({field})"
            return _Piece(f"!{asked}", _UNARY) if operation == "is_missing" else _Piece(asked, _MEMBER)
        if operation in ("is_null", "is_not_null"):
            return _Piece(f"{field} {'==' if operation == 'is_null' else '!='} null", _RELATION)
        return _Piece(f"!{field}", _UNARY) if operation == "is_false" else _Piece(field, _MEMBER)

    def membership(self, operation: str, subject: str, kind: str, value: Any, where: str) -> _Piece:
        place = _at(where, "value")
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise RuleError("a list of values is expected", where=place)
        if kind not in _CONSTANTS:
            raise RuleError(f"a list holds values of type {', '.join(_CONSTANTS)}", where=_at(where, "type"))
        self.count(where, len(value))
        written = ", ".join(_value(kind, one, f"{place}[{index}]") for index, one in enumerate(value))
        found = _Piece(f"{subject} in [{written}]", _RELATION)
        return found if operation == "in" else _Piece(f"!({found.source})", _UNARY)

    def ratio(self, item: Mapping[str, Any], where: str, level: int) -> _Piece:
        _known(item, where, "field", "over", "scale", "op", "value", "form")
        counted = f"double({_source(self.path(item, where, 'field'))})"
        over = f"double({_source(self.path(item, where, 'over'))})"
        if item.get("scale") is not None:
            counted += f" * {_value('decimal', item['scale'], _at(where, 'scale'))}"
        operator = COMPARISONS[_choice(item, where, "op", tuple(COMPARISONS))]
        value = _value("decimal", item.get("value"), _at(where, "value"))
        if _choice({"form": "product", **item}, where, "form", ("product", "quotient")) == "product":
            return _Piece(f"{counted} {operator} {value} * {over}", _RELATION)
        return _Piece(f"{counted} / {over} {operator} {value}", _RELATION)

    def each(self, item: Mapping[str, Any], where: str, level: int) -> _Piece:
        _known(item, where, "field", "quantifier", "name", "condition")
        field = _source(self.path(item, where, "field"))
        loop = QUANTIFIERS[_choice(item, where, "quantifier", tuple(QUANTIFIERS))]
        name = item.get("name")
        if not isinstance(name, str) or not is_identifier(name):
            raise RuleError(f"{_shown(name)} is not a name", where=_at(where, "name"))
        body = self.piece(item.get("condition"), _at(where, "condition"), level + 1)
        return _Piece(f"{field}.{loop}({name}, {body.source})", _MEMBER)

    def expression(self, item: Mapping[str, Any], where: str, level: int) -> _Piece:
        _known(item, where, "source")
        written = item.get("source")
        if not isinstance(written, str):
            raise RuleError("an expression is expected", where=_at(where, "source"))
        node = _parsed(written, _at(where, "source"))
        return _Piece(written[node.start : node.end], _holds(node))

    # -- parts
    def path(self, item: Mapping[str, Any], where: str, name: str) -> Node:
        written = item.get(name)
        place = _at(where, name)
        if not isinstance(written, str) or not written.strip():
            raise RuleError("choose a field", where=place)
        return _path(written, place)


def _parsed(source: str, where: str) -> Node:
    try:
        return parse_checked(source)
    except RuleError as refusal:
        refusal.where = where
        raise


def _path(written: str, where: str) -> Node:
    node = _parsed(written, where)
    if path_source(node) is None:
        raise RuleError(f"{_shown(written)} is not a field, such as signal.score", where=where)
    return node


def _source(path: Node) -> str:
    return path_source(path) or ""


def _joined(pieces: list[_Piece], joint: str, holds: int) -> _Piece:
    # a chain inside the same chain keeps its brackets, so that it stays a group of its own
    return _Piece(joint.join(piece.inside(holds + 1) for piece in pieces), holds)


def _holds(node: Node) -> int:
    if isinstance(node, Conditional):
        return _CONDITIONAL
    if isinstance(node, Logic):
        return _OR if node.operator == "||" else _AND
    if isinstance(node, Binary):
        return _RELATION  # arithmetic holds tighter, which no group asks
    return _UNARY if isinstance(node, Unary) else _MEMBER


def _type(item: Mapping[str, Any], where: str, value: Any) -> str:
    """The type of the value; "number" and no type at all are settled by the value."""
    kind = item.get("type")
    if kind in (None, "", "number"):
        sample = value[0] if isinstance(value, list) and value else value
        if isinstance(sample, bool):
            return "bool"
        if isinstance(sample, int) or (kind == "number" and _WHOLE.fullmatch(str(sample))):
            return "whole"
        return "decimal" if isinstance(sample, float) or kind == "number" else "text"
    return _choice(item, where, "type", TYPES)


def _value(kind: str, value: Any, where: str) -> str:
    try:
        return _WRITERS[kind](value, where)
    except RuleError:
        raise
    except OverflowError:
        raise RuleError("this number is too large", where=where) from None
    except ValueError as refusal:
        raise RuleError(str(refusal), where=where) from None


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise RuleError("a text is expected", where=where)
    return text_literal(value)


def _whole(value: Any, where: str) -> str:
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RuleError("a whole number is expected", where=where)
    return whole_literal(value)


def _decimal(value: Any, where: str) -> str:
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        value = float(value)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise RuleError("a number is expected", where=where)
    return decimal_literal(float(value))


def _bool(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value not in ("true", "false"):
        raise RuleError("true or false is expected", where=where)
    return str(value)


def _field(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise RuleError("choose a field", where=where)
    return _source(_path(value, where))


def _ago(value: Any, where: str) -> str:
    """A time before the signal: "336h" as the runtime reads it, or "14d"."""
    if not isinstance(value, str) or not value:
        raise RuleError("a duration is expected, such as 336h or 14d", where=where)
    days = DAYS.fullmatch(value)
    return f"signal_time - duration({text_literal(f'{int(days[1]) * 24}h' if days else value)})"


def _time(value: Any, where: str) -> str:
    return f"timestamp({_text(value, where)})"


_WRITERS: dict[str, Callable[[Any, str], str]] = {
    "text": _text,
    "whole": _whole,
    "decimal": _decimal,
    "bool": _bool,
    "field": _field,
    "ago": _ago,
    "time": _time,
}


def _choice(item: Mapping[str, Any], where: str, name: str, allowed: tuple[str, ...]) -> str:
    chosen = item.get(name)
    if not isinstance(chosen, str) or chosen not in allowed:
        raise RuleError(f"{_shown(chosen)} is not one of {', '.join(allowed)}", where=_at(where, name))
    return chosen


def _known(item: Mapping[str, Any], where: str, *names: str) -> None:
    """Refuse keys without a meaning; those that begin with _ are a page's own."""
    for key in item:
        if key != "kind" and key not in names and not str(key).startswith("_"):
            raise RuleError(f"{_shown(key)} has no meaning here; known are {', '.join(names)}", where=where)


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"
