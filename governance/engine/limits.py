"""What keeps one rule from stopping a worker: sizes and shapes refused before anything is compiled.

The runtime stops an evaluation after 10,000 loop steps, and RE2 is linear in the text. What remains is the
cost of one step, and these limits bound it: docs/rules.md lists them for authors.
"""

import difflib
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime

from cel_expr_python import cel

from governance.engine.environment import KNOWN_KEYS, environment
from governance.engine.errors import RuleError
from governance.engine.loops import dear
from governance.engine.tokens import line_of
from governance.engine.tree import (
    Binary,
    Call,
    Index,
    ListOf,
    Literal,
    Loop,
    MapOf,
    Name,
    Node,
    Select,
    loop_of,
    path_of,
    walk,
)

MAX_SOURCE = 2_000  # characters
MAX_ITEMS = 200  # of a list or map written in a rule
MAX_LOOP_NESTING = 2
MAX_PATTERNS = 4  # regular expressions in one expression; the runtime builds each anew at every evaluation
MAX_PATTERN = 200  # characters
MAX_REPEATS = 100  # product of all counted repetitions in one pattern
MAX_SEARCHES = 2  # searches for a text that is itself looked up: their cost is a product
MAX_LOOP_NEEDLE = 64  # characters

SEARCHES = frozenset({"contains", "startsWith", "endsWith", "matches"})
TYPE_NAMES = frozenset(
    ["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint", "google"]
)
_COUNTED = re.compile(r"\{(\d*)(?:,(\d*))?\}")
_WIDE = re.compile(r"\\[pP]")


def faults(source: str, node: Node, names: frozenset[str]) -> Iterator[RuleError]:
    """Everything wrong with the tree that types do not show; `names` are the variables this expression may
    use.
    """
    checker = _Checker(source, names)
    yield from checker.visit(node, frozenset(), 0)
    yield from checker.totals(node)
    for message, position in dear(node):
        yield checker.fault(message, position)


class _Checker:
    def __init__(self, source: str, names: frozenset[str]) -> None:
        self.source = source
        self.names = names
        self.innermost = ""

    def fault(self, message: str, position: int) -> RuleError:
        return RuleError(message, position=position, line=line_of(self.source, position))

    def visit(self, node: Node, bound: frozenset[str], loops: int) -> Iterator[RuleError]:
        if isinstance(node, Name):
            yield from self.name(node, bound)
        elif isinstance(node, (Literal, Binary)):
            yield from self.constant(node)
        elif isinstance(node, (Select, Index)):
            yield from self.known_key(node, bound)
        elif isinstance(node, (ListOf, MapOf)):
            size = len(node.items) if isinstance(node, ListOf) else len(node.entries)
            if size > MAX_ITEMS:
                yield self.fault(
                    f"a list of {size} items; at most {MAX_ITEMS}: keep long lists in the signal or split the rule",
                    node.start,
                )
        elif isinstance(node, Call):
            loop = loop_of(node)
            if loop is not None:
                yield from self.loop(node, loop, bound, loops)
                return
            yield from self.call(node, bound, loops)
            if node.target is not None and node.function in ("map", "filter"):
                return  # its variable means nothing here
        for child in node.children():
            yield from self.visit(child, bound, loops)

    def name(self, node: Name, bound: frozenset[str]) -> Iterator[RuleError]:
        if node.name in bound or node.name in self.names or node.name in TYPE_NAMES:
            return
        close = difflib.get_close_matches(node.name, sorted(self.names | bound), n=1)
        cure = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(self.names))}"
        yield self.fault(f"unknown name {node.name!r}; {cure}", node.start)

    def constant(self, node: Literal | Binary) -> Iterator[RuleError]:
        if isinstance(node, Literal):
            if isinstance(node.value, float) and not math.isfinite(node.value):
                yield self.fault("this number is too large", node.start)
            elif isinstance(node.value, str) and "\0" in node.value:
                # PostgreSQL keeps no such text, neither in a signal nor in an explanation
                yield self.fault("no signal holds a NUL character; take it away", node.start)
        elif node.operator in ("/", "%") and isinstance(node.right, Literal):
            whole = node.right.kind in ("int", "uint")
            if whole and node.right.value == 0:
                yield self.fault("division by zero", node.right.start)

    def known_key(self, node: Select | Index, bound: frozenset[str]) -> Iterator[RuleError]:
        owner = node.operand
        if not isinstance(owner, Name) or owner.name in bound or owner.name not in KNOWN_KEYS:
            return
        if owner.name not in self.names:
            return  # reported as an unknown name
        path = path_of(node)
        if path is None:
            yield self.fault(f"write {owner.name}.field with a fixed field name", node.start)
        elif path[1] not in KNOWN_KEYS[owner.name]:
            known = ", ".join(sorted(KNOWN_KEYS[owner.name]))
            yield self.fault(f"{owner.name} has no field {path[1]!r}; known are {known}", node.start)

    def call(self, node: Call, bound: frozenset[str], loops: int) -> Iterator[RuleError]:
        if node.target is not None and node.function in ("map", "filter"):
            yield self.fault(
                f"{node.function}() builds lists and is not part of rules; use exists, all or a measure",
                node.name_start,
            )
        elif node.target is None and node.function == "has":
            if len(node.args) != 1 or not isinstance(node.args[0], Select):
                yield self.fault("has() takes a field, such as has(signal.amount)", node.start)
        elif node.target is not None and node.function in SEARCHES and len(node.args) == 1:
            yield from self.search(node, loops)
        elif node.args and isinstance(node.args[0], Literal):
            yield from self.moment(node, node.args[0])

    def moment(self, node: Call, written: Literal) -> Iterator[RuleError]:
        """A fixed time, duration or time zone that the runtime could never read."""
        wanted = node.function if node.target is None else "time zone" if node.function in _CLOCKS else ""
        if wanted in _MOMENTS and isinstance(written.value, str):
            source, cure = _MOMENTS[wanted]
            trial = _TRIAL.compile(source).eval(data={"signal_time": _SOME_DAY, "signal_type": written.value})
            if trial.type() == cel.Type.ERROR:
                yield self.fault(f"this is not a {wanted}; write {cure}", written.start)

    def loop(self, node: Call, loop: Loop, bound: frozenset[str], loops: int) -> Iterator[RuleError]:
        if loops >= MAX_LOOP_NESTING:
            yield self.fault(
                f"exists/all inside each other more than {MAX_LOOP_NESTING} deep; use a measure",
                node.name_start,
            )
            return
        if loop.variable.name in self.names | bound | TYPE_NAMES:
            yield self.fault(
                f"the loop variable {loop.variable.name!r} hides a name; choose another", loop.variable.start
            )
            return
        yield from self.visit(loop.over, bound, loops)
        self.innermost = loop.variable.name
        yield from self.visit(loop.body, bound | {loop.variable.name}, loops + 1)

    def search(self, node: Call, loops: int) -> Iterator[RuleError]:
        wanted = node.args[0]
        literal = wanted.value if isinstance(wanted, Literal) and isinstance(wanted.value, str) else None
        if node.function == "matches":
            yield from self.pattern(node, literal, loops)
        elif loops:
            if literal is None and node.function == "contains":
                yield self.fault("inside exists/all, contains() takes a fixed text", wanted.start)
            elif literal is not None and len(literal) > MAX_LOOP_NEEDLE:
                yield self.fault(
                    f"inside exists/all, a text of at most {MAX_LOOP_NEEDLE} characters", wanted.start
                )
            elif node.target is not None and not _mentions(node.target, self.innermost):
                yield self.fault(
                    f"this does not depend on {self.innermost!r}; write it outside of this loop", node.start
                )

    def pattern(self, node: Call, literal: str | None, loops: int) -> Iterator[RuleError]:
        start = node.args[0].start
        if loops:
            yield self.fault(
                "matches() inside exists/all is too costly; use contains, startsWith or ==", node.name_start
            )
        elif literal is None:
            yield self.fault("the pattern must be a fixed text", start)
        elif len(literal) > MAX_PATTERN:
            yield self.fault(
                f"a pattern of {len(literal)} characters; at most {MAX_PATTERN}: split it with ||", start
            )
        elif _repeats(literal) > MAX_REPEATS:
            yield self.fault(
                f"counted repetitions multiply to more than {MAX_REPEATS}; use * or +, or split the pattern",
                start,
            )
        elif len(_WIDE.findall(literal)) * _repeats(literal) > 4:
            yield self.fault(
                "character classes \\p cannot be repeated by count or used more than 4 times", start
            )
        else:
            trial = _TRIAL.compile("signal.x.matches(signal_type)").eval(
                data={"signal": {"x": ""}, "signal_type": literal}
            )
            if trial.type() == cel.Type.ERROR:
                reason = str(trial.value()).removeprefix("INVALID_ARGUMENT: invalid regular expression: ")
                yield self.fault(f"not a regular expression (RE2): {reason}", start)

    def totals(self, node: Node) -> Iterator[RuleError]:
        calls = [part for part in walk(node) if isinstance(part, Call) and part.target is not None]
        patterns = [call for call in calls if call.function == "matches"]
        looked_up = [
            call
            for call in calls
            if call.function == "contains" and call.args and not isinstance(call.args[0], Literal)
        ]
        if len(patterns) > MAX_PATTERNS:
            yield self.fault(
                f"at most {MAX_PATTERNS} calls of matches(); join patterns with |",
                patterns[MAX_PATTERNS].start,
            )
        if len(looked_up) > MAX_SEARCHES:
            yield self.fault(
                f"at most {MAX_SEARCHES} searches for a text that is itself a field",
                looked_up[MAX_SEARCHES].start,
            )


_TRIAL = environment()
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_CLOCKS = frozenset(
    "getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds getMilliseconds".split()
)
_MOMENTS = {
    "timestamp": ("timestamp(signal_type)", 'one such as "2026-01-01T00:00:00Z"'),
    "duration": ("duration(signal_type)", 'one such as "336h", "90m" or "30s" (days are hours here)'),
    "time zone": ("signal_time.getHours(signal_type)", "an IANA name such as Europe/Berlin"),
}


def _mentions(node: Node, name: str) -> bool:
    return any(isinstance(part, Name) and part.name == name for part in walk(node))


def _repeats(pattern: str) -> int:
    product = 1
    for lowest, highest in _COUNTED.findall(pattern):
        product *= max(int(highest or 0), int(lowest or 0), 1)
    return product
