"""What is allowed and yet seldom meant: fields no signal has, values of another type, no brake. Hints never stand in the way."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from governance.engine import RuleSpec
from governance.engine.literals import path_source
from governance.engine.syntax import parse
from governance.engine.tree import Node, loop_of, path_of
from governance.signals.fields import Field
from governance.workbench.form import Problem

_NUMBERS = {"whole", "decimal"}


def hints_of(
    spec: RuleSpec,
    fields: Sequence[Field],
    seen_types: Sequence[str],
    trees: Mapping[str, Mapping[str, Any]],
    languages: Sequence[str],
) -> list[Problem]:
    """Hints in the order of the rule's fields; `trees` are the conditions that could be read, by field."""
    known = {found.path: found for found in fields if not found.in_list}
    found = [
        Problem("on", _("No signal of type %(type)s is stored yet.") % {"type": name})
        for name in spec.on
        if seen_types and name not in seen_types
    ]
    if known:
        for where, written in sources(spec):
            if where in trees and written.strip():
                found += _unknown_fields(where, written, known)
                found += _other_types(where, trees[where], known)
    if spec.review == "auto" and spec.cap is None:
        found.append(
            Problem(
                "cap",
                _("Nobody reviews it and nothing brakes it."),
                _("Set a cap: the rule then pauses itself and asks a person."),
            )
        )
    written_in = {language for language, words in spec.text if words.strip()}
    missing = [language for language in languages if language not in written_in]
    if written_in and missing and "*" not in written_in:
        found.append(
            Problem("text", _("No text yet in: %(languages)s.") % {"languages": ", ".join(missing[:12])})
        )
    return found


def sources(spec: RuleSpec) -> Iterator[tuple[str, str]]:
    """(field, source) of every condition of the rule."""
    for index, measure in enumerate(spec.measures):
        if measure.where:
            yield f"measures[{index}].where", measure.where
    yield "when", spec.when


def _unknown_fields(where: str, written: str, known: Mapping[str, Field]) -> Iterator[Problem]:
    told: set[str] = set()
    for node in _reads(parse(written)):
        path = path_source(node)
        if path is None or path in known or path in told:
            continue
        told.add(path)
        close = difflib.get_close_matches(path, list(known), n=1, cutoff=0.75)
        yield Problem(
            where,
            _("No stored signal of these types has %(field)s.") % {"field": path},
            _("Did you mean %(field)s?") % {"field": close[0]} if close else "",
            node.start,
            node.end,
            written.count("\n", 0, node.start) + 1,
        )


def _reads(node: Node) -> Iterator[Node]:
    """The whole paths into the signal: signal.shop.id, and not signal.shop within it."""
    path = path_of(node)
    if path is not None:
        if path[0] == "signal" and len(path) > 1:
            yield node
        return
    loop = loop_of(node)
    for child in (loop.over, loop.body) if loop is not None else node.children():
        yield from _reads(child)


def _other_types(where: str, tree: Mapping[str, Any], known: Mapping[str, Field]) -> Iterator[Problem]:
    for item in _tests(tree):
        field = known.get(str(item.get("field")))
        kind = item.get("type")
        if field is None or item.get("as") or kind not in ("text", "whole", "decimal", "bool"):
            continue
        if item.get("op") == "includes":
            continue
        wanted = _NUMBERS if kind in _NUMBERS else {kind}
        holds = set(field.types) - {"null"}
        if holds and not holds & wanted:
            yield Problem(
                where,
                _("%(field)s holds %(types)s; it is compared with another type.")
                % {"field": field.path, "types": " or ".join(sorted(holds))},
            )


def _tests(item: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(item, Mapping):
        return
    if item.get("kind") == "test":
        yield item
    for inner in item.get("items") or ():
        yield from _tests(inner)
