"""Everything that is wrong with a rule, found when it is saved rather than when it meets a signal."""

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from cel_expr_python import cel

from governance.engine.durations import format_duration
from governance.engine.environment import (
    ONBOARDED_VARIABLE,
    WHEN_NAMES,
    WHERE_NAMES,
    compile_source,
    environment_for,
    rewritten,
)
from governance.engine.errors import RuleError
from governance.engine.limits import MAX_SOURCE, TYPE_NAMES, faults
from governance.engine.spec import MeasureSpec, RuleSpec, parse_aggregate
from governance.engine.syntax import parse
from governance.engine.tokens import KEYWORDS, RESERVED, line_of
from governance.engine.tree import LOOPS, Node

MAX_WINDOW = timedelta(days=400)
MAX_MEASURES = 20
MAX_TYPES = 50
MAX_MARKETS = 1_000
MAX_CODE = 200  # characters of a signal type, market or other code
MAX_AGGREGATE = 200
MAX_WORDS = 20_000  # characters of a policy text or description
MAX_LANGUAGES = 100
MAX_FAULTS = 20  # told of one expression
_MINUTE = timedelta(minutes=1)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
#: What a page does not show, or shows in another order than it is read: raw, it would deceive those who approve.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_HALF = re.compile("[\ud800-\udfff]")
_TAKEN = (
    WHEN_NAMES | TYPE_NAMES | KEYWORDS | RESERVED | LOOPS | {ONBOARDED_VARIABLE, "has", "size", "matches"}
)


def check_rule(spec: RuleSpec) -> list[RuleError]:
    """All faults of a rule in the order of its fields; empty when it may be compiled."""
    errors = [*_about_fields(spec), *_about_life(spec)]
    usable: list[MeasureSpec] = []
    seen: set[str] = set()
    for index, measure in enumerate(spec.measures[:MAX_MEASURES]):
        found = list(_about_measure(measure, f"measures[{index}]", seen))
        errors += found
        seen.add(measure.name)
        # a measure with a bad window is still a name that `when` may use
        if not any(error.where.endswith((".name", ".aggregate")) for error in found):
            unfit = any(error.where.endswith((".window", ".types", ".where")) for error in found)
            usable.append(MeasureSpec(measure.name, aggregate=measure.aggregate) if unfit else measure)
    names = WHEN_NAMES | {name for name in seen if len(name) <= MAX_CODE}
    complete = len(usable) == len(spec.measures)
    errors += _about_source(spec.when, "when", frozenset(names), tuple(usable), typed=complete)
    return errors


def _about_fields(spec: RuleSpec) -> Iterator[RuleError]:
    if not spec.on:
        yield RuleError("name at least one signal type", where="on")
    if len(spec.on) > MAX_TYPES:
        yield RuleError(f"{len(spec.on)} signal types; at most {MAX_TYPES}", where="on")
    if len(spec.markets) > MAX_MARKETS:
        yield RuleError(f"{len(spec.markets)} markets; at most {MAX_MARKETS}", where="markets")
    if not spec.markets:
        yield RuleError('name at least one market, or "*" for all', where="markets")
    if spec.cap is not None and spec.cap < 1:
        yield RuleError("a cap is at least 1; leave it out for no cap", where="cap")
    if len(spec.measures) > MAX_MEASURES:
        yield RuleError(f"{len(spec.measures)} measures; at most {MAX_MEASURES}", where="measures")
    yield from _about_texts(spec)


def _about_life(spec: RuleSpec) -> Iterator[RuleError]:
    if not timedelta(0) <= spec.cooldown <= MAX_WINDOW:
        yield RuleError(f"a cooldown is between 0d and {format_duration(MAX_WINDOW)}", where="cooldown")
    elif spec.cooldown % _MINUTE:
        yield RuleError("a cooldown is a whole number of minutes", where="cooldown")
    if spec.effective_from is not None and spec.effective_from.tzinfo is None:
        yield RuleError("the time needs a time zone", where="effective_from")
    if spec.expires_at is not None and spec.expires_at.tzinfo is None:
        yield RuleError("the time needs a time zone", where="expires")
    elif (
        spec.expires_at is not None
        and spec.effective_from is not None
        and spec.effective_from.tzinfo is not None
        and spec.expires_at <= spec.effective_from
    ):
        yield RuleError("a rule expires after the day it takes effect", where="expires")


def _about_texts(spec: RuleSpec) -> Iterator[RuleError]:
    for name in ("on", "markets", "second_person"):
        yield from _about_codes(getattr(spec, name), name)
    for name in ("code", "name", "risk", "violation_code", "ladder"):
        yield from _about_text(getattr(spec, name), name, MAX_CODE)
    yield from _about_text(spec.description, "description", MAX_WORDS)
    if len(spec.text) > MAX_LANGUAGES:
        yield RuleError(f"{len(spec.text)} languages; at most {MAX_LANGUAGES}", where="text")
    for language, words in spec.text[:MAX_LANGUAGES]:
        yield from _about_text(language, "text", MAX_CODE)
        yield from _about_text(words, "text", MAX_WORDS)


def _about_codes(codes: tuple[str, ...], where: str) -> Iterator[RuleError]:
    for code in codes[:MAX_MARKETS]:
        faulty = list(_about_text(code, where, MAX_CODE))
        if faulty:
            yield faulty[0]
            return  # one is enough to say what is wrong with the list


def _about_text(text: str, where: str, longest: int) -> Iterator[RuleError]:
    """Nothing that PostgreSQL could not keep."""
    if len(text) > longest:
        yield RuleError(f"{len(text)} characters; at most {longest}", where=where)
    elif "\0" in text:
        yield RuleError("contains a NUL character; take it away", where=where)
    elif _HALF.search(text):
        yield RuleError("contains half a character (a lone surrogate); take it away", where=where)


def _about_measure(measure: MeasureSpec, where: str, seen: set[str]) -> Iterator[RuleError]:
    if not _NAME.fullmatch(measure.name):
        yield RuleError(
            f"{_shown(measure.name)} is not a name: lower-case letters, digits and _", where=f"{where}.name"
        )
    elif measure.name in _TAKEN:
        yield RuleError(f"the name {measure.name!r} is taken; choose another", where=f"{where}.name")
    elif measure.name in seen:
        yield RuleError(f"two measures are called {measure.name!r}", where=f"{where}.name")
    if len(measure.aggregate) > MAX_AGGREGATE:
        yield RuleError(
            f"{len(measure.aggregate)} characters; at most {MAX_AGGREGATE}", where=f"{where}.aggregate"
        )
    else:
        try:
            parse_aggregate(measure.aggregate)
        except ValueError as refusal:
            yield RuleError(str(refusal), where=f"{where}.aggregate")
    if measure.window <= timedelta(0):
        yield RuleError("a window is longer than nothing, such as 30d", where=f"{where}.window")
    elif measure.window > MAX_WINDOW:
        yield RuleError(
            f"a window of {measure.window.days} days; at most {format_duration(MAX_WINDOW)}",
            where=f"{where}.window",
        )
    elif measure.window % _MINUTE:
        yield RuleError("a window is a whole number of minutes, such as 90m", where=f"{where}.window")
    if measure.per not in ("guild", "creator"):
        yield RuleError(f"{_shown(measure.per)} is not guild or creator", where=f"{where}.per")
    if len(measure.types) > MAX_TYPES:
        yield RuleError(f"{len(measure.types)} signal types; at most {MAX_TYPES}", where=f"{where}.types")
    yield from _about_codes(measure.types, f"{where}.types")
    if measure.where is not None:
        yield from _about_source(measure.where, f"{where}.where", WHERE_NAMES, (), typed=True)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")


def _about_source(
    source: str, where: str, names: frozenset[str], measures: tuple[MeasureSpec, ...], *, typed: bool
) -> list[RuleError]:
    errors: list[RuleError] = []
    try:
        node = parse_checked(source)
        errors += islice(faults(source, node, names), MAX_FAULTS)
        if typed and not errors:
            compile_checked(source, node, measures)
    except RuleError as refusal:
        errors.append(refusal)
    for found in errors:
        found.where = where
    return errors


def parse_checked(source: str) -> Node:
    """The tree of a source of permitted length."""
    if len(source) > MAX_SOURCE:
        raise RuleError(
            f"{len(source)} characters; at most {MAX_SOURCE}: split the rule", position=MAX_SOURCE, line=None
        )
    if half := _HALF.search(source):
        raise RuleError("half a character (a lone surrogate)", position=half.start())
    if unseen := _UNSEEN.search(source):
        code = ord(unseen[0])
        raise RuleError(
            f"an invisible character (U+{code:04X}); inside quotes write \\u{code:04x} if it is meant",
            position=unseen.start(),
            line=line_of(source, unseen.start()),
        )
    return parse(source)


def compile_checked(source: str, node: Node, measures: tuple[MeasureSpec, ...]) -> cel.Expression:
    """The runtime's program; RuleError unless it can yield true or false."""
    program = compile_source(
        environment_for(measures), rewritten(source, node, measures), source, known=measures
    )
    if program.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        kind = program.return_type().name().lower()
        raise RuleError(
            f"this yields a {kind}, not true or false; compare it with something",
            position=node.start,
            line=line_of(source, node.start),
        )
    return program
