"""Reading one rule of a policy file."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import cast

import yaml

from governance.engine import MeasureSpec, RuleSpec, check_rule
from governance.engine.spec import Charge, Per, Review
from governance.rules.yaml_fields import Fields, Problem, line_of

SEVERITIES = ("S1", "S2", "S3", "S4")
EVERYWHERE = "*"

_REVIEWS = ("auto", "human", "dual")


def read_rule(
    fields: Fields,
    code: str,
    names: Mapping[str, Collection[str]] | None,
    kinds: Collection[str] | None,
    *,
    checked: bool = True,
) -> RuleSpec:
    """One entry. What it refers to must be among `names` by section, unless they are None; `checked` adds what the rule
    language finds wrong.
    """
    violation = fields.inner("violation", required=True)
    violation_code, severity = "", None
    if violation is not None:
        violation_code = violation.code()
        severity = violation.choice("severity", SEVERITIES)
        if severity is None and violation.place("severity") is violation.node:
            violation.fault("severity", "this field is missing", f"one of {', '.join(SEVERITIES)}")
        violation.done()
    measures: list[MeasureSpec] = []
    places: dict[str, yaml.Node] = {}
    for index, inner in enumerate(fields.listed("measures")):
        measures.append(_measure(inner))
        for name in ("name", "types", "where", "window", "per", "aggregate"):
            places[f"measures[{index}].{name}"] = inner.place(name)
    spec = RuleSpec(
        code=code,
        name=fields.text("name", code),
        risk=fields.text("risk", required=True),
        violation_code=violation_code,
        severity=severity or "",
        on=fields.texts("on", required=True),
        measures=tuple(measures),
        when=fields.text("when", required=True, longest=100_000),
        cooldown=fields.duration("cooldown", timedelta(0)),
        effective_from=fields.moment("effective_from"),
        expires_at=fields.moment("expires"),
        review=cast("Review", fields.choice("review", _REVIEWS, "human")),
        cap=_cap(fields),
        ladder=fields.text("ladder", required=True),
        markets=fields.texts("markets", (EVERYWHERE,)),
        charge=cast("Charge | None", fields.choice("charge", ("own", "share"))),
        share=fields.number("share", least=0, most=1),
        text=_wording(fields),
        description=fields.text("description", longest=10_000),
        notice_days=fields.optional_whole("notice_days", least=0, most=365),
        second_person=fields.texts("second_person"),
    )
    if names is not None:
        refers(fields, "risk", spec.risk, names["risks"])
        refers(fields, "ladder", spec.ladder, names["ladders"])
        for market in spec.markets:
            refers(fields, "markets", market, names["markets"])
    for kind in spec.second_person if kinds is not None else ():
        refers(fields, "second_person", kind, kinds or ())
    fields.done()
    if checked:
        _engine_problems(fields, spec, places)
    return spec


def _measure(fields: Fields) -> MeasureSpec:
    measure = MeasureSpec(
        name=fields.text("name", required=True),
        types=fields.texts("types"),
        where=fields.text("where", longest=100_000) or None,
        window=fields.duration("window", timedelta(days=30), required=True),
        per=cast("Per", fields.choice("per", ("guild", "creator"), "guild")),
        aggregate=fields.text("aggregate", "count"),
    )
    fields.done()
    return measure


def _cap(fields: Fields) -> int | None:
    node = fields.found.get("cap")
    if isinstance(node, yaml.ScalarNode) and node.value == "none":
        fields.take("cap")
        return None
    return fields.optional_whole("cap", least=1, most=10_000_000)


def _wording(fields: Fields) -> tuple[tuple[str, str], ...]:
    """`text` is one wording, or one per language."""
    if not isinstance(fields.found.get("text"), yaml.MappingNode):
        written = fields.text("text", longest=20_000)
        return ((EVERYWHERE, written),) if written else ()
    inner = fields.inner("text")
    if inner is None:
        return ()
    wordings = {language: inner.text(language, longest=20_000) for language in list(inner.found)}
    return tuple(sorted((language, words) for language, words in wordings.items() if words))


def refers(fields: Fields, name: str, code: str, known: Collection[str]) -> None:
    """Report a field that names nothing known."""
    if code and code not in known:
        some = ", ".join(sorted(known)[:10]) or "nothing yet"
        fields.fault(name, f"{code!r} is not known", f"define it in this file; known are {some}")


def _engine_problems(fields: Fields, spec: RuleSpec, places: dict[str, yaml.Node]) -> None:
    """What the rule language refuses, on the line of the file where it stands; fields already blamed stay
    as they are.
    """
    blamed = frozenset(fields.reader.blamed)
    for error in check_rule(spec):
        path = fields.at(error.where)
        node = places.get(error.where) or fields.place(error.where)
        inside = error.where != "measures" and any(place.startswith(f"{path}[") for place in blamed)
        if path in blamed or inside:
            continue
        line = line_of(node)
        if isinstance(node, yaml.ScalarNode) and error.line is not None:
            line += error.line - 1 + (node.style in ("|", ">"))
        where = f" (character {error.position + 1})" if error.position is not None else ""
        fields.reader.report(Problem(line, path, f"{error.message}{where}"))
