"""The policy file: markets, regimes, risks, ladders, bands and rules as YAML (docs/rules.md; the shape is
an outside contract).

`parse_policy` reads it into plain values or raises with every problem it has. It knows nothing of the
database: what exists there already is passed in as `known_*`.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import cache
from typing import cast
from zoneinfo import available_timezones

import yaml

from governance.engine import MeasureSpec, RuleSpec, check_rule
from governance.engine.spec import Charge, Per, Review
from governance.rules.policy_entries import (
    NO_REGIME,
    BandSpec,
    LadderSpec,
    MarketSpec,
    PenaltySpec,
    Policy,
    RegimeSpec,
    RiskSpec,
)
from governance.rules.yaml_fields import Fields, Problem, Reader, compose, is_plain, line_of

__all__ = [
    "NO_REGIME",
    "BandSpec",
    "LadderSpec",
    "MarketSpec",
    "PenaltySpec",
    "Policy",
    "PolicyError",
    "Problem",
    "RegimeSpec",
    "RiskSpec",
    "parse_policy",
]

SEVERITIES = ("S1", "S2", "S3", "S4")
EVERYWHERE = "*"
MAX_ENTRIES = 1_000  # of one section

# section → (longest code, may it have dots)
_SECTIONS = {
    "regimes": (40, False),
    "markets": (20, True),
    "risks": (40, True),
    "ladders": (40, False),
    "bands": (40, False),
    "rules": (60, True),
}
_REVIEWS = ("auto", "human", "dual")


@cache
def _timezones() -> frozenset[str]:
    """IANA names; finding them takes a fifth of a second."""
    return frozenset(available_timezones())


class PolicyError(ValueError):
    """The whole file is refused; `problems` are ordered by line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def parse_policy(
    text: str | bytes,
    *,
    known_kinds: Collection[str] | None = None,
    known_regimes: Collection[str] = (),
    known_markets: Collection[str] = (),
    known_risks: Collection[str] = (),
    known_ladders: Collection[str] = (),
) -> Policy:
    """Read a policy file; PolicyError with all problems.

    What the file refers to must stand in the file or in `known_*`; kinds of penalties are checked when
    `known_kinds` is given.
    """
    node, problems = compose(text)
    if node is None or problems:
        raise PolicyError(problems or [Problem(1, "", "the file is empty", "see docs/rules.md")])
    reader = Reader(problems)
    top = reader.fields(node, "")
    if top is None:
        raise PolicyError(problems)
    names = {
        "regimes": {NO_REGIME, *known_regimes},
        "markets": {EVERYWHERE, *known_markets},
        "risks": set(known_risks),
        "ladders": set(known_ladders),
        "bands": set[str](),
        "rules": set[str](),
    }
    sections = {section: _coded(top, section, names[section]) for section in _SECTIONS}
    top.done()
    policy = Policy(
        regimes=tuple(_regime(fields, code) for code, fields in sections["regimes"]),
        markets=tuple(_market(fields, code, names["regimes"]) for code, fields in sections["markets"]),
        risks=tuple(_risk(fields, code) for code, fields in sections["risks"]),
        ladders=tuple(_ladder(fields, code, known_kinds) for code, fields in sections["ladders"]),
        bands=tuple(_band(fields, code, known_kinds) for code, fields in sections["bands"]),
        rules=tuple(_rule(fields, code, names, known_kinds) for code, fields in sections["rules"]),
        rule_lines=tuple((code, line_of(fields.node)) for code, fields in sections["rules"]),
    )
    if problems:
        raise PolicyError(problems)
    return policy


def _coded(top: Fields, section: str, names: set[str]) -> list[tuple[str, Fields]]:
    """The entries of a section with their codes, which join `names`; repeated codes are problems."""
    entries: list[tuple[str, Fields]] = []
    seen: dict[str, int] = {}
    for fields in top.listed(section):
        if len(entries) == MAX_ENTRIES:
            fields.reader.fault(
                fields.node, fields.path, f"more than {MAX_ENTRIES} {section}", "split the file"
            )
            break
        longest, dots = _SECTIONS[section]
        code = fields.code(longest=longest, dots=dots)
        if code in seen and code:
            fields.fault("code", f"{code!r} stands on line {seen[code]} already", "keep one")
        seen.setdefault(code, line_of(fields.node))
        entries.append((code, fields))
    names.update(seen)
    return entries


def _regime(fields: Fields, code: str) -> RegimeSpec:
    usual = RegimeSpec(code, code)
    regime = RegimeSpec(
        code=code,
        name=fields.text("name", code, longest=120),
        notice_days=fields.whole("notice_days", usual.notice_days, least=0, most=365),
        appeal_days=fields.whole("appeal_days", usual.appeal_days, least=1, most=1000),
        termination_days=fields.whole("termination_days", usual.termination_days, least=0, most=365),
        acknowledge_hours=fields.whole("acknowledge_hours", usual.acknowledge_hours, least=1, most=1000),
        decide_days=fields.whole("decide_days", usual.decide_days, least=1, most=365),
        decide_urgent_days=fields.whole("decide_urgent_days", usual.decide_urgent_days, least=1, most=365),
        line=line_of(fields.node),
    )
    fields.done()
    return regime


def _market(fields: Fields, code: str, regimes: Collection[str]) -> MarketSpec:
    market = MarketSpec(
        code=code,
        name=fields.text("name", code, longest=120),
        timezone=fields.text("timezone", required=True),
        languages=fields.texts("languages", ("en",), longest=20) or ("en",),
        regime=fields.text("regime", NO_REGIME),
        line=line_of(fields.node),
    )
    if market.timezone and market.timezone not in _timezones():
        fields.fault(
            "timezone", f"{market.timezone!r} is not a time zone", "an IANA name such as Europe/Berlin"
        )
    _refers(fields, "regime", market.regime, regimes)
    fields.done()
    return market


def _risk(fields: Fields, code: str) -> RiskSpec:
    risk = RiskSpec(
        code=code,
        name=fields.text("name", code),
        harm=fields.whole("harm", 1, least=1, most=5),
        likelihood=fields.whole("likelihood", 1, least=1, most=5),
        owner=fields.text("owner", longest=80),
        line=line_of(fields.node),
    )
    fields.done()
    return risk


def _ladder(fields: Fields, code: str, kinds: Collection[str] | None) -> LadderSpec:
    half_a_year = timedelta(days=180)
    endless = isinstance(node := fields.found.get("decay"), yaml.ScalarNode) and node.value == "never"
    if endless:
        fields.take("decay")
    ladder = LadderSpec(
        code=code,
        name=fields.text("name", code),
        window=fields.duration("window", half_a_year, required=True),
        points=fields.whole("points", 0, least=0, most=100),
        decay=None if endless else fields.duration("decay", half_a_year),
        steps=_steps(fields, kinds),
        line=line_of(fields.node),
    )
    if ladder.window <= timedelta(0):
        fields.fault("window", "a window is longer than nothing", "such as 180d")
    if ladder.decay is not None and ladder.decay <= timedelta(0):
        fields.fault("decay", "points stay for longer than nothing", "such as 180d, or never")
    fields.done()
    return ladder


def _steps(fields: Fields, kinds: Collection[str] | None) -> tuple[tuple[PenaltySpec, ...], ...]:
    node = fields.take("steps", required=True)
    if node is None:
        return ()
    steps = tuple(
        _penalties(fields.reader, rung, path, kinds)
        for path, rung in fields.reader.items(node, fields.at("steps"))
    )
    if not steps and isinstance(node, yaml.SequenceNode):
        fields.fault("steps", "a ladder needs a rung", "such as [[{kind: warning}]]")
    return steps


def _penalties(
    reader: Reader, node: yaml.Node, path: str, kinds: Collection[str] | None
) -> tuple[PenaltySpec, ...]:
    found: list[PenaltySpec] = []
    for place, item in reader.items(node, path):
        fields = reader.fields(item, place)
        if fields is None:
            continue
        kind = fields.text("kind", required=True)
        if kind and kinds is not None and kind not in kinds:
            fields.fault("kind", f"{kind!r} is not a kind of penalty", f"one of {', '.join(sorted(kinds))}")
        days = fields.optional_whole("days", least=1, most=3650)
        options: list[tuple[str, str | int | float | bool]] = []
        for name in list(fields.found):
            value = _option(fields, name) if name not in fields.taken else None
            if value is not None:
                options.append((name, value))
        found.append(PenaltySpec(kind, days, tuple(options)))
    return tuple(found)


def _option(fields: Fields, name: str) -> str | int | float | bool | None:
    node = fields.take(name)
    if node is None:
        return None
    if not isinstance(node, yaml.ScalarNode):
        fields.fault(name, "one value is expected")
        return None
    if is_plain(node) and node.value in ("true", "false"):
        return bool(node.value == "true")
    for read in (int, float):
        if node.tag == f"tag:yaml.org,2002:{read.__name__}":
            try:
                return read(node.value)
            except ValueError:  # YAML also writes numbers as 0x1f and .inf
                fields.fault(name, f"{node.value!r} is not a plain number")
                return None
    return str(node.value)


def _band(fields: Fields, code: str, kinds: Collection[str] | None) -> BandSpec:
    node = fields.take("penalties")
    band = BandSpec(
        code=code,
        name=fields.text("name", code, longest=120),
        at_or_below=fields.whole("at_or_below", 0, least=0, most=100, required=True),
        penalties=() if node is None else _penalties(fields.reader, node, fields.at("penalties"), kinds),
        line=line_of(fields.node),
    )
    fields.done()
    return band


def _rule(fields: Fields, code: str, names: dict[str, set[str]], kinds: Collection[str] | None) -> RuleSpec:
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
    _refers(fields, "risk", spec.risk, names["risks"])
    _refers(fields, "ladder", spec.ladder, names["ladders"])
    for market in spec.markets:
        _refers(fields, "markets", market, names["markets"])
    for kind in spec.second_person if kinds is not None else ():
        _refers(fields, "second_person", kind, kinds or ())
    fields.done()
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


def _refers(fields: Fields, name: str, code: str, known: Collection[str]) -> None:
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
        if path in blamed or (error.where == "on" and not spec.on and "on" in fields.found):
            continue
        line = line_of(node)
        if isinstance(node, yaml.ScalarNode) and error.line is not None:
            line += error.line - 1 + (node.style in ("|", ">"))
        where = f" (character {error.position + 1})" if error.position is not None else ""
        fields.reader.report(Problem(line, path, f"{error.message}{where}"))
