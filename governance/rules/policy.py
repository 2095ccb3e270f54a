"""The policy file: markets, regimes, risks, ladders, bands and rules as YAML (docs/rules.md; the shape is
an outside contract).

`parse_policy` reads it into plain values or raises with every problem it has. It knows nothing of the
database: what exists there already is passed in as `known_*`.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import cache
from zoneinfo import available_timezones

import yaml

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
from governance.rules.policy_rules import EVERYWHERE, read_rule, refers
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
        rules=tuple(read_rule(fields, code, names, known_kinds) for code, fields in sections["rules"]),
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
    refers(fields, "regime", market.regime, regimes)
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
