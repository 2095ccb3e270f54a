"""The policy file: markets, regimes, risks, ladders, bands and rules as YAML (docs/rules.md; the shape is
an outside contract).

`parse_policy` reads it into plain values or raises with every problem it has. It knows nothing of the
database: what exists there already is passed in as `known_*`.
"""

from collections.abc import Collection, Sequence
from functools import cache
from zoneinfo import available_timezones

import yaml

from governance.rules.policy_entries import (
    NO_REGIME,
    BandSpec,
    LadderSpec,
    MarketSpec,
    MarketValues,
    PenaltySpec,
    Policy,
    RegimeSpec,
    RiskSpec,
)
from governance.rules.policy_ladders import read_band, read_ladder
from governance.rules.policy_rules import EVERYWHERE, read_rule, refers
from governance.rules.yaml_fields import Fields, Problem, Reader, compose, line_of

__all__ = [
    "NO_REGIME",
    "BandSpec",
    "LadderSpec",
    "MarketSpec",
    "MarketValues",
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
        ladders=tuple(
            read_ladder(fields, code, known_kinds, names["markets"]) for code, fields in sections["ladders"]
        ),
        bands=tuple(
            read_band(fields, code, known_kinds, names["markets"]) for code, fields in sections["bands"]
        ),
        rules=tuple(read_rule(fields, code, names, known_kinds) for code, fields in sections["rules"]),
        rule_lines=tuple((code, line_of(fields.node)) for code, fields in sections["rules"]),
    )
    if problems:
        raise PolicyError(problems)
    return policy


def _coded(top: Fields, section: str, names: set[str]) -> list[tuple[str, Fields]]:
    """The entries of a section with their codes, which join `names`; repeated codes are problems."""
    entries: list[tuple[str, Fields]] = []
    seen: dict[tuple[str, str], int] = {}
    for fields in top.listed(section):
        if len(entries) == MAX_ENTRIES:
            fields.reader.fault(
                fields.node, fields.path, f"more than {MAX_ENTRIES} {section}", "split the file"
            )
            break
        longest, dots = _SECTIONS[section]
        code = fields.code(longest=longest, dots=dots)
        place = (code, _market_of(fields) if section == "bands" else "")
        if place in seen and code:
            fields.fault("code", f"{code!r} stands on line {seen[place]} already", "keep one")
        seen.setdefault(place, line_of(fields.node))
        entries.append((code, fields))
    names.update(code for code, _market in seen)
    return entries


def _market_of(fields: Fields) -> str:
    """The market a band is for, as written: bands of several markets may share their codes."""
    node = fields.found.get("market")
    return node.value.strip() if isinstance(node, yaml.ScalarNode) else ""


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
