"""What rules may name, and the CEL environments that declare it.

CEL sees `signal` (the event's data) as a map of string to anything. `guild`, `creator` and `market` have
the fixed keys below, checked on the syntax tree. Measures are declared under names derived from what they
compute, so that rules which call different things by one name can share an activation; `rewritten` puts
those names into the source.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cel_expr_python import cel

from governance.engine.errors import RuleError
from governance.engine.spec import MeasureSpec, parse_aggregate
from governance.engine.tokens import line_of
from governance.engine.tree import Binary, Call, Literal, Name, Node, path_of

KNOWN_KEYS: Mapping[str, frozenset[str]] = {
    "guild": frozenset({"id", "name", "tier", "status", "provisional", "market", "onboarded_at"}),
    "creator": frozenset({"id", "name", "market"}),
    "market": frozenset({"code", "name", "timezone", "languages", "regime"}),
}
WHEN_NAMES = frozenset({"signal", "signal_type", "signal_time", *KNOWN_KEYS})
WHERE_NAMES = frozenset({"signal", "signal_type", "signal_time"})

# A map cannot hold a timestamp in this runtime; rules read this one through a variable of its own
ONBOARDED = ("guild", "onboarded_at")
ONBOARDED_VARIABLE = "guild_onboarded_at"

# Loops that build lists double memory at every nesting, so they are out; `+` on texts and lists likewise
_CONFIG = """
stdlib:
  exclude_macros: ["map", "filter"]
  exclude_functions:
    - name: "_+_"
      overloads: [{id: add_list}, {id: add_string}, {id: add_bytes}]
"""
_RECORD = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_FIXED = {
    "signal": _RECORD,
    "signal_type": cel.Type.STRING,
    "signal_time": cel.Type.TIMESTAMP,
    "guild": _RECORD,
    "creator": _RECORD,
    "market": _RECORD,
    ONBOARDED_VARIABLE: cel.Type.TIMESTAMP,
}
_FAULT = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")


@lru_cache(maxsize=1)
def _config() -> cel.EnvConfig:
    return cel.NewEnvConfigFromYaml(_CONFIG)


@lru_cache(maxsize=256)
def environment(counts: frozenset[str] = frozenset(), numbers: frozenset[str] = frozenset()) -> cel.Env:
    """The fixed names, plus variables that hold whole counts (INT) and variables that hold any number or
    null (DYN).
    """
    variables = dict(_FIXED)
    variables.update(dict.fromkeys(counts, cel.Type.INT))
    variables.update(dict.fromkeys(numbers, cel.Type.DYN))
    return cel.NewEnv(config=_config(), variables=variables)


def environment_for(measures: Iterable[MeasureSpec]) -> cel.Env:
    """The environment that declares exactly these measures by `MeasureSpec.variable`."""
    counts: set[str] = set()
    numbers: set[str] = set()
    for measure in measures:
        (counts if parse_aggregate(measure.aggregate).counts else numbers).add(measure.variable)
    return environment(frozenset(counts), frozenset(numbers))


@dataclass(frozen=True)
class Rewritten:
    """A source with some spans replaced, and the way back from its offsets to the author's."""

    source: str
    starts: tuple[int, ...]  # where unchanged stretches begin in `source` …
    origins: tuple[int, ...]  # … and in the author's text

    def back(self, offset: int) -> int:
        """The author's offset of a character of `source`; inside a replacement, where the replaced name
        begins.
        """
        stretch = max(bisect_right(self.starts, offset) - 1, 0)
        origin = self.origins[stretch] + offset - self.starts[stretch]
        if stretch + 1 < len(self.origins):
            origin = min(origin, self.origins[stretch + 1] - 1)
        return max(origin, 0)


def rewritten(
    source: str, node: Node, measures: Sequence[MeasureSpec], start: int = 0, end: int | None = None
) -> Rewritten:
    """The stretch start:end of the source as the runtime sees it; `node` is the tree of that stretch."""
    variables = {measure.name: measure.variable for measure in measures}
    pieces: list[str] = []
    starts: list[int] = [0]
    origins: list[int] = [start]
    length, place = 0, start
    for span_start, span_end, replacement in sorted(_replacements(node, variables)):
        pieces += [source[place:span_start], replacement]
        length += span_start - place
        starts.append(length)
        origins.append(span_start)
        length += len(replacement)
        place = span_end
        starts.append(length)
        origins.append(span_end)
    pieces.append(source[place : len(source) if end is None else end])
    return Rewritten("".join(pieces), tuple(starts), tuple(origins))


def _replacements(node: Node, variables: Mapping[str, str]) -> Iterator[tuple[int, int, str]]:
    if path_of(node) == ONBOARDED:
        yield node.start, node.end, ONBOARDED_VARIABLE
        return
    if isinstance(node, Name) and node.name in variables:
        yield node.start, node.end, variables[node.name]
        return
    asks_presence = isinstance(node, Call) and node.target is None and node.function == "has"
    asks_null = isinstance(node, Binary) and any(
        isinstance(side, Literal) and side.kind == "null" for side in node.children()
    )
    for child in node.children():
        if not ((asks_presence or asks_null) and path_of(child) == ONBOARDED):
            yield from _replacements(child, variables)


def compile_source(
    env: cel.Env, text: Rewritten, source: str, known: Iterable[MeasureSpec] = ()
) -> cel.Expression:
    """Compile for the runtime; RuleError with the author's position when its type check refuses."""
    try:
        return env.compile(text.source)
    except RuntimeError as refusal:
        raise _translated(str(refusal), text, source, known) from None


def _translated(fault: str, text: Rewritten, source: str, known: Iterable[MeasureSpec]) -> RuleError:
    match = _FAULT.search(fault)
    if match is None:
        return RuleError(fault.splitlines()[0].removesuffix(" [INVALID_ARGUMENT]"), position=0, line=1)
    row, column, message = int(match[1]), int(match[2]), match[3].removesuffix(" [INVALID_ARGUMENT]")
    lines = text.source.split("\n")
    offset = sum(len(line) + 1 for line in lines[: row - 1]) + column - 1
    position = min(text.back(offset), max(len(source) - 1, 0))
    for measure in known:
        message = message.replace(measure.variable, measure.name)
    message = message.replace(ONBOARDED_VARIABLE, ".".join(ONBOARDED)).replace(" (in container '')", "")
    if "(int, double)" in message or "(double, int)" in message:
        message += "; write double(…) around the whole number"
    elif "_+_" in message and ("string" in message or "list" in message):
        message += "; rules cannot join texts or lists"
    return RuleError(message, position=position, line=line_of(source, position))
