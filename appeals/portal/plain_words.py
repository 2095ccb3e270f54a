"""The engine's explanation of a match, put so that somebody who never saw the rule language understands it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.engine.durations import parse_duration
from governance.engine.spec import parse_aggregate


@dataclass(frozen=True)
class Fact:
    """One thing the rule looked at. `detail` says how it was counted; empty for a value that was reported as it is."""

    name: str
    value: str
    detail: str = ""


def facts_of(spec: Mapping[str, Any], explanation: Mapping[str, Any]) -> list[Fact]:
    """What was found: the measures first, then the values the conditions read. Tolerates anything missing."""
    measures = {measure["name"]: measure for measure in spec.get("measures") or []}
    found = dict(explanation.get("measures") or {})
    facts = [
        Fact(_in_words(name), _shown(value), _how_counted(measures[name], spec) if name in measures else "")
        for name, value in found.items()
    ]
    seen = set(found)
    for name, value in _values(explanation.get("conditions")):
        if name not in seen:
            seen.add(name)
            facts.append(Fact(_in_words(name), _shown(value)))
    return facts


def _values(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        yield from (node.get("values") or {}).items()
        yield from _values(node.get("children"))
    elif isinstance(node, list):
        for child in node:
            yield from _values(child)


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
