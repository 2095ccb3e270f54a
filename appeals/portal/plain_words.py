"""The engine's explanation of a match, put so that somebody who never saw the rule language understands it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.engine.durations import parse_duration
from governance.engine.spec import parse_aggregate

#: `signal.share > 0.3`, `"gift" == signal.kind` is left to the general form.
COMPARISON = re.compile(
    r"""\s*(?P<name>[A-Za-z_][\w.]*)\s*(?P<operator>>=|<=|==|!=|>|<)\s*(?P<literal>-?\d+(?:\.\d+)?|"[^"]*"|'[^']*'|true|false)\s*"""
)


@dataclass(frozen=True)
class Fact:
    """One thing the rule looked at.

    `detail` says how it was counted, `threshold` from where on the rule applies; each empty where there is nothing to say.
    """

    name: str
    value: str
    detail: str = ""
    threshold: str = ""


def facts_of(spec: Mapping[str, Any], explanation: Mapping[str, Any]) -> list[Fact]:
    """What was found: the measures first, then the values the conditions read. Tolerates anything missing."""
    measures = {measure["name"]: measure for measure in spec.get("measures") or []}
    found: dict[str, Any] = dict(explanation.get("measures") or {})
    thresholds: dict[str, list[str]] = {}
    for node in _nodes(explanation.get("conditions")):
        for name, value in (node.get("values") or {}).items():
            found.setdefault(name, value)
        compared = COMPARISON.fullmatch(str(node.get("text") or ""))
        if compared and node.get("value") is True:
            phrases = thresholds.setdefault(compared["name"], [])
            phrases += [phrase for phrase in [_threshold(compared)] if phrase not in phrases]
    return [
        Fact(
            _in_words(name),
            _shown(value),
            _how_counted(measures[name], spec) if name in measures else "",
            " ".join(thresholds.get(name, [])),
        )
        for name, value in found.items()
    ]


def _nodes(node: Any) -> Iterator[Mapping[str, Any]]:
    """Every part of the condition, outermost first."""
    if isinstance(node, Mapping):
        yield node
        yield from _nodes(node.get("children"))
    elif isinstance(node, list):
        for child in node:
            yield from _nodes(child)


def _threshold(compared: re.Match[str]) -> str:
    literal = compared["literal"].strip("\"'")
    if literal in {"true", "false"}:
        value = _shown(literal == "true")
    elif compared["literal"][0] in "\"'":
        value = f"“{literal}”"
    else:
        value = _shown(float(literal) if "." in literal else int(literal))
    words = {
        ">": _("The rule applies above %(value)s."),
        ">=": _("The rule applies from %(value)s."),
        "<": _("The rule applies below %(value)s."),
        "<=": _("The rule applies up to %(value)s."),
        "==": _("The rule applies when it is %(value)s."),
        "!=": _("The rule applies when it is anything but %(value)s."),
    }
    return words[compared["operator"]] % {"value": value}


def _in_words(name: str) -> str:
    """`signal.share_of_bots` → Share of bots."""
    return name.rpartition(".")[2].replace("_", " ").capitalize()


def _shown(value: Any) -> str:
    if value is None:
        return _("not reported")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int | float):
        return number_format(round(value, 4), use_l10n=True)
    if isinstance(value, list):
        return ", ".join(_shown(part) for part in value)
    return str(value)


def _how_counted(measure: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    """One sentence: what was counted, of whom, over how long."""
    days = parse_duration(measure["window"]).total_seconds() / 86_400
    if days >= 1:
        window = ngettext("%(count)d day", "%(count)d days", round(days)) % {"count": round(days)}
    else:
        hours = max(1, round(days * 24))
        window = ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    reports = ", ".join(measure.get("types") or spec.get("on") or [])
    of_whom = _("of this creator") if measure.get("per") == "creator" else _("of your guild")
    aggregate = parse_aggregate(measure.get("aggregate") or "count")
    what = {
        "count": _("How many reports (%(reports)s) %(whom)s in the %(window)s before"),
        "distinct": _(
            "How many different ones in the reports (%(reports)s) %(whom)s in the %(window)s before"
        ),
        "sum": _("Sum over the reports (%(reports)s) %(whom)s in the %(window)s before"),
        "max": _("Highest in the reports (%(reports)s) %(whom)s in the %(window)s before"),
    }[aggregate.function]
    return what % {"reports": reports, "whom": of_whom, "window": window}
