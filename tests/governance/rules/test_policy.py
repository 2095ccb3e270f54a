"""The policy file: its shape is the contract's, and a bad file is refused whole, every fault with its line."""

import textwrap
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.engine import MeasureSpec, RuleSpec
from governance.notices import periods
from governance.notices.enums import ImmediateGround
from governance.rules import policy_ladders
from governance.rules.policy import (
    BandSpec,
    LadderSpec,
    MarketSpec,
    PenaltySpec,
    Policy,
    PolicyError,
    Problem,
    RegimeSpec,
    RiskSpec,
    parse_policy,
)

KINDS = ["warning", "recruitment_freeze", "settlement_hold"]

CONTRACT = """\
markets: [{code: US-NY-MN, name: Manhattan, timezone: America/New_York, languages: [en], regime: none}]
risks: [{code: HYG, name: Hygiene, harm: 4, likelihood: 3, owner: analyst}]
ladders:
  - {code: standard, window: 180d, points: 10, steps: [[{kind: warning}], [{kind: recruitment_freeze, days: 7}], [{kind: settlement_hold, days: 30}]]}
rules:
  - code: HYG-CLOSE            # stable code of the rule
    name: Closed by inspectors
    risk: HYG
    violation: {code: HYG-01, severity: S1}
    on: [inspection.citation]
    measures:
      - {name: critical_30d, where: "signal.critical == true", window: 30d, per: guild, aggregate: count}
    when: signal.action == "closed"
    cooldown: 0d               # see below
    effective_from: 2010-01-01 # optional, default now; with --activate only
    review: auto               # auto | human | dual
    cap: 200                   # detections per market and hour before the rule pauses itself; none: no cap
    ladder: standard
    markets: ["*"]
"""  # noqa: E501 - as the contract prints it


def problems(text: str | bytes, **known: object) -> list[tuple[int, str, str]]:
    """(line, path, message with cure) of a refused file."""
    with pytest.raises(PolicyError) as refusal:
        parse_policy(text, **known)  # type: ignore[arg-type]
    return [
        (found.line, found.path, f"{found.message} {found.cure}".strip()) for found in refusal.value.problems
    ]


def test_the_contracts_example_reads_as_it_says() -> None:
    assert parse_policy(CONTRACT, known_kinds=KINDS) == Policy(
        markets=(MarketSpec("US-NY-MN", "Manhattan", "America/New_York", ("en",), "none"),),
        risks=(RiskSpec("HYG", "Hygiene", 4, 3, "analyst"),),
        ladders=(
            LadderSpec(
                code="standard",
                name="standard",
                window=timedelta(days=180),
                points=10,
                decay=timedelta(days=180),
                steps=(
                    (PenaltySpec("warning"),),
                    (PenaltySpec("recruitment_freeze", 7),),
                    (PenaltySpec("settlement_hold", 30),),
                ),
            ),
        ),
        rules=(
            RuleSpec(
                code="HYG-CLOSE",
                name="Closed by inspectors",
                risk="HYG",
                violation_code="HYG-01",
                severity="S1",
                on=("inspection.citation",),
                measures=(
                    MeasureSpec(
                        "critical_30d", (), "signal.critical == true", timedelta(days=30), "guild", "count"
                    ),
                ),
                when='signal.action == "closed"',
                effective_from=datetime(2010, 1, 1, tzinfo=UTC),
                review="auto",
                cap=200,
                ladder="standard",
                markets=("*",),
            ),
        ),
    )


def test_every_optional_field() -> None:
    policy = parse_policy(
        """\
        regimes: [{code: eu, name: EU, notice_days: 15, appeal_days: 184, termination_days: 30, acknowledge_hours: 12,
                   decide_days: 10, decide_urgent_days: 3}]
        markets: [{code: DE, timezone: Europe/Berlin, languages: [de, en], regime: eu}]
        risks: [{code: R}]
        ladders: [{code: hard, window: 90d, points: 50, decay: never, steps: [[{kind: cut, part: 1.5, in: EUR, all: true}], []]}]
        bands: [{code: hold, name: Settlement hold, at_or_below: 70, penalties: [{kind: settlement_hold, days: 30}]}]
        rules:
          - code: R.1
            risk: R
            violation: {code: POA-01, severity: S2}
            on: [a, b]
            measures:
              - {name: joins, types: [c], window: 12h, per: creator, aggregate: distinct(data.agent.id)}
            when: |
              joins > 3 &&
                signal.exclusive
            cooldown: 15m
            effective_from: 2026-02-01T06:00:00+02:00
            review: dual
            cap: none
            ladder: hard
            markets: [DE]
            charge: share
            share: 0.25
            text: {de: "Kein Abwerben.", en: No poaching.}
            description: why
            notice_days: 15
            second_person: [settlement_hold]
        """
    )
    assert policy.regimes == (RegimeSpec("eu", "EU", 15, 184, 30, 12, 10, 3),)
    assert policy.bands == (BandSpec("hold", "Settlement hold", 70, (PenaltySpec("settlement_hold", 30),)),)
    [ladder] = policy.ladders
    assert ladder.decay is None
    assert ladder.to_dict() == {
        "code": "hard",
        "name": "hard",
        "window": "90d",
        "points": 50,
        "decay": "never",
        "steps": [[{"kind": "cut", "part": 1.5, "in": "EUR", "all": True}], []],
    }
    [rule] = policy.rules
    assert rule == RuleSpec(
        code="R.1",
        name="R.1",
        risk="R",
        violation_code="POA-01",
        severity="S2",
        on=("a", "b"),
        measures=(
            MeasureSpec("joins", ("c",), None, timedelta(hours=12), "creator", "distinct(data.agent.id)"),
        ),
        when="joins > 3 &&\n  signal.exclusive",
        cooldown=timedelta(minutes=15),
        effective_from=datetime(2026, 2, 1, 4, tzinfo=UTC),
        review="dual",
        cap=None,
        ladder="hard",
        markets=("DE",),
        charge="share",
        share=0.25,
        text=(("de", "Kein Abwerben."), ("en", "No poaching.")),
        description="why",
        notice_days=15,
        second_person=("settlement_hold",),
    )
    assert RuleSpec.from_dict(rule.to_dict()) == rule
    assert policy.rule_lines == (("R.1", 8),)


def test_what_yaml_takes_for_something_else_stays_what_was_written() -> None:
    policy = parse_policy(
        """\
        markets: [{code: NO, name: off, timezone: Europe/Oslo, languages: [no]}]
        risks: [{code: 010, name: 1_000, owner: yes}]
        """
    )
    assert policy.markets == (MarketSpec("NO", "off", "Europe/Oslo", ("no",)),)
    assert policy.risks == (RiskSpec("010", "1_000", owner="yes"),)


def test_all_problems_come_at_once_in_order_of_lines() -> None:
    text = CONTRACT
    for right, wrong in [
        ("America/New_York", "Mars/Base"),
        ("harm: 4", "harm: 6"),
        ("kind: warning", "kind: wrning"),
        ("risk: HYG\n", "risk: HYX\n"),
        ("severity: S1", "severity: S9"),
        ("window: 30d", "window: 30 days"),
        ('when: signal.action == "closed"', 'when: signal.action = "closed"'),
        ("cap: 200", "cap: 0\n    kap: 3"),
        ("review: auto", "review: maybe"),
        ("ladder: standard", "ladder: standerd"),
        ('markets: ["*"]', "markets: [XX]"),
    ]:
        assert text.count(right) == 1
        text = text.replace(right, wrong)
    found = problems(text, known_kinds=KINDS)
    assert [(line, path) for line, path, _ in found] == [
        (1, "markets[0].timezone"),
        (2, "risks[0].harm"),
        (4, "ladders[0].steps[0][0].kind"),
        (8, "rules[0].risk"),
        (9, "rules[0].violation.severity"),
        (12, "rules[0].measures[0].window"),
        (13, "rules[0].when"),
        (16, "rules[0].review"),
        (17, "rules[0].cap"),
        (18, "rules[0].kap"),
        (19, "rules[0].ladder"),
        (20, "rules[0].markets"),
    ]
    assert "did you mean cap?" in found[9][2]
    assert "write ==" in found[6][2]


def test_a_fault_in_a_long_condition_is_on_its_own_line() -> None:
    text = CONTRACT.replace(
        'when: signal.action == "closed"',
        'when: |\n      signal.action == "closed"\n      && signal.score > 3\n      && sgnal.x == 1',
    )
    assert problems(text) == [
        (16, "rules[0].when", "unknown name 'sgnal'; did you mean signal? (character 50)"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "path", "said"),
    [
        ("", 1, "", "empty"),
        ("# nothing", 1, "", "empty"),
        ("- a", 1, "", "fields are expected"),
        ("rules: 3", 1, "rules", "a list is expected"),
        ("rules: [3]", 1, "rules[0]", "fields are expected"),
        ("rulez: []", 1, "rulez", "did you mean rules?"),
        ("risks: []\nrisks: []", 2, "risks", "written twice"),
        ("risks:\n- code: A\n- code: A", 3, "risks[1].code", "line 2 already"),
        ("risks: [{code: a b}]", 1, "risks[0].code", "not a code"),
        ("risks: [{name: A}]", 1, "risks[0].code", "missing"),
        ("risks: [{code: ~}]", 1, "risks[0].code", "empty"),
        ("risks: [{code: [A]}]", 1, "risks[0].code", "one value"),
        ("markets: [{code: A}]", 1, "markets[0].timezone", "missing"),
        ("markets: [{code: A, timezone: UTC, regime: mars}]", 1, "markets[0].regime", "'mars' is not known"),
        ("markets: [{code: A, timezone: ../../etc/passwd}]", 1, "markets[0].timezone", "not a time zone"),
        ("ladders: [{code: A, window: 1d, steps: []}]", 1, "ladders[0].steps", "needs a rung"),
        ("ladders: [{code: A, window: 0d, steps: [[]]}]", 1, "ladders[0].window", "longer than nothing"),
        ("ladders: [{code: A, window: 1d, steps: [[{days: 3}]]}]", 1, "ladders[0].steps[0][0].kind", "missing"),
        ("ladders: [{code: A, window: 1d, steps: [[{kind: a, days: 0}]]}]", 1, "ladders[0].steps[0][0].days", "1 to 3650"),
        ("ladders: [{code: A, window: 1d, steps: [{kind: a}]}]", 1, "ladders[0].steps[0]", "a list is expected"),
        ("bands: [{code: A, at_or_below: 101}]", 1, "bands[0].at_or_below", "0 to 100"),
        ("a: b: c", 1, "", "not YAML"),
        ("a: [", 1, "", "not YAML"),
        ("a: 1\n---\nb: 2", 2, "", "not YAML"),
        ("a: &x 1", 1, "", "anchors"),
        ("a: !!python/object/apply:os.system [ls]", 1, "", "tag"),
        ("a: !!binary aGk=", 1, "", "tag"),
        ("a: 'x\x01'", 1, "", "not YAML"),
        ("risks: [{code: A, name: \"a\\0b\"}]", 1, "risks[0].name", "NUL"),
    ],
)  # fmt: skip
def test_faults_of_form(text: str, line: int, path: str, said: str) -> None:
    found = problems(text)
    assert (line, path) in [(at, place) for at, place, _ in found]
    assert any(said in message for _, _, message in found)


RULE = """\
risks: [{code: R}]
ladders: [{code: L, window: 1d, steps: [[]]}]
rules:
- {code: A, risk: R, ladder: L, violation: {code: V, severity: S1}, on: [t], when: "true", FIELD}
"""


@pytest.mark.parametrize(
    ("field", "path", "said"),
    [
        ("cooldown: 1w", "cooldown", "not a duration"),
        ("cooldown: 500d", "cooldown", "400d"),
        ("effective_from: yesterday", "effective_from", "not a date"),
        ("effective_from: 2026-02-30", "effective_from", "not a date"),
        ("cap: many", "cap", "whole number"),
        ("share: 2", "share", "0 to 1"),
        ("share: .nan", "share", "0 to 1"),
        ("charge: both", "charge", "own, share"),
        ("markets: []", "markets", "at least one"),
        ("markets: DE", "markets", "a list is expected"),
        ("measures: [{name: n}]", "measures[0].window", "missing"),
        ("measures: [{name: n, window: 401d}]", "measures[0].window", "at most 400d"),
        (
            "measures: [{name: n, window: 1d, aggregate: avg(data.x)}]",
            "measures[0].aggregate",
            "not an aggregate",
        ),
        ('measures: [{name: n, window: 1d, where: "signal.x >"}]', "measures[0].where", "expected a value"),
        ("measures: [{name: signal, window: 1d}]", "measures[0].name", "taken"),
        ("measures: [{name: n, window: 1d}, {name: n, window: 2d}]", "measures[1].name", "two measures"),
        ("second_person: [nonsense]", "second_person", "'nonsense' is not known"),
        ("text: {en: [a]}", "text.en", "one value"),
        ("notice_days: -1", "notice_days", "0 to 365"),
    ],
)
def test_faults_of_rules(field: str, path: str, said: str) -> None:
    found = problems(RULE.replace("FIELD", field), known_kinds=KINDS)
    assert [(line, place) for line, place, _ in found] == [(4, f"rules[0].{path}")]
    assert said in found[0][2]


def test_what_is_referred_to_may_stand_elsewhere() -> None:
    text = """\
    markets: [{code: DE, timezone: Europe/Berlin, regime: eu}]
    rules:
    - {code: A, risk: R, ladder: L, violation: {code: V, severity: S1}, on: [t], when: "true", markets: [DE, FR]}
    """
    assert [path for _, path, _ in problems(text)] == [
        "markets[0].regime",
        "rules[0].risk",
        "rules[0].ladder",
        "rules[0].markets",
    ]
    policy = parse_policy(
        textwrap.dedent(text),
        known_regimes=["eu"],
        known_risks=["R"],
        known_ladders=["L"],
        known_markets=["FR"],
    )
    assert policy.rules[0].markets == ("DE", "FR")


def test_a_rule_left_short_is_reviewed_by_a_human_everywhere_without_cap() -> None:
    [rule] = parse_policy(RULE.replace(", FIELD", "")).rules
    assert (rule.review, rule.markets, rule.cap, rule.cooldown, rule.effective_from) == (
        "human",
        ("*",),
        None,
        timedelta(0),
        None,
    )


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2010-01-01", datetime(2010, 1, 1, tzinfo=UTC)),
        ("2010-01-01T06:00:00", datetime(2010, 1, 1, 6, tzinfo=UTC)),
        ("2010-01-01 06:00:00Z", datetime(2010, 1, 1, 6, tzinfo=UTC)),
        ('"2010-01-01T06:00:00-05:00"', datetime(2010, 1, 1, 11, tzinfo=UTC)),
    ],
)
def test_moments(written: str, moment: datetime) -> None:
    [rule] = parse_policy(RULE.replace("FIELD", f"effective_from: {written}")).rules
    assert rule.effective_from == moment


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [BOMB, "[" * 100_000, "{a: " * 50_000, "a: " * 50_000, "x" * 1_048_577, b"\xff\xfe", "- " * 50_000, "\ud800",
     "rules: [" + "{}," * 20_000 + "]"],
    ids=["aliases", "lists", "maps", "keys", "size", "bytes", "dashes", "surrogate", "many"],
)  # fmt: skip
def test_hostile_files_are_refused_quickly(text: str | bytes) -> None:
    began = time.perf_counter()
    assert problems(text)
    assert time.perf_counter() - began < 10  # a fraction of it on an idle machine


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_mangled_file_is_read_or_refused_never_anything_else(data: st.DataObject) -> None:
    lines = CONTRACT.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(lines) - 1))
        line = lines[place]
        cut = data.draw(st.integers(0, len(line)))
        odd = data.draw(st.sampled_from(["", ":", "- ", "{", "]", '"', "\t", "null", "&a", "*", "#", "é"]))
        lines[place] = line[:cut] + odd + line[cut + 1 :]
    found: tuple[Problem, ...] = ()
    try:
        parse_policy("\n".join(lines), known_kinds=KINDS)
    except PolicyError as refusal:
        found = refusal.problems or (Problem(0, "", "refused without a reason"),)
    assert all(1 <= problem.line <= len(lines) + 2 for problem in found)


# --- steps that wait, red lines and values of a market ----------------------------------------------------------------
PLACES = "markets: [{code: DE, timezone: Europe/Berlin}, {code: JP, timezone: Asia/Tokyo}]\n"


def test_a_ladder_with_all_that_a_market_and_a_step_may_say() -> None:
    policy = parse_policy(
        PLACES
        + """\
ladders:
  - code: exit
    window: 180d
    points: 10
    red_line: true
    steps:
      - [{kind: recruitment_freeze, days: 7, grace: 168h, stops: [appeal, correction], stack: after}]
    by_market:
      JP: {points: 0, window: 365d, decay: never, steps: [[{kind: warning}], [{kind: settlement_hold, days: 3}]]}
      DE: {decay: 30d}
bands:
  - {code: hold, at_or_below: 70}
  - {code: hold, market: JP, at_or_below: 70, penalties: [{kind: clear_out, immediate_ground: legal_duty}]}
"""
    )
    [ladder] = policy.ladders
    assert ladder.to_dict() == {
        "code": "exit",
        "name": "exit",
        "window": "180d",
        "points": 10,
        "decay": "180d",
        "steps": [
            [
                {
                    "kind": "recruitment_freeze",
                    "days": 7,
                    "grace": "7d",
                    "stops": ["correction", "appeal"],
                    "stack": "after",
                }
            ]
        ],
        "red_line": True,
        "by_market": {
            "JP": {
                "window": "365d",
                "points": 0,
                "decay": "never",
                "steps": [[{"kind": "warning"}], [{"kind": "settlement_hold", "days": 3}]],
            },
            "DE": {"decay": "30d"},
        },
    }
    assert [(band.code, band.market) for band in policy.bands] == [("hold", ""), ("hold", "JP")]
    assert policy.bands[1].penalties[0].to_dict() == {"kind": "clear_out", "immediate_ground": "legal_duty"}


def test_what_is_not_used_leaves_the_stored_form_as_it_was() -> None:
    policy = parse_policy(
        "ladders: [{code: A, window: 1d, red_line: false, by_market: {}, steps: [[{kind: a}]]}]"
    )
    assert policy.ladders[0].to_dict() == {
        "code": "A",
        "name": "A",
        "window": "1d",
        "points": 0,
        "decay": "180d",
        "steps": [[{"kind": "a"}]],
    }


STEP = "ladders: [{code: A, window: 1d, steps: [[{kind: a, PUT}]]}]"
TWICE = "bands: [{code: A, at_or_below: 70, market: DE}, {code: A, at_or_below: 60, market: PUT}]"
MARKET = "ladders: [{code: A, window: 1d, steps: [[]], by_market: PUT}]"


@pytest.mark.parametrize(
    ("form", "put", "path", "told"),
    [
        (STEP, "grace: 0d", "ladders[0].steps[0][0].grace", "longer than nothing and at most 400d such as 7d"),
        (STEP, "grace: 401d", "ladders[0].steps[0][0].grace", "at most 400d"),
        (STEP, "grace: a week", "ladders[0].steps[0][0].grace", "is not a duration"),
        (STEP, "grace: 7d, stops: [prayer]", "ladders[0].steps[0][0].stops", "'prayer' cannot stop a penalty any of"),
        (STEP, "stops: [appeal]", "ladders[0].steps[0][0].stops", "nothing can stop it add grace"),
        (STEP, "grace: 7d, stops: appeal", "ladders[0].steps[0][0].stops", "a list is expected"),
        (STEP, "stack: before", "ladders[0].steps[0][0].stack", "one of parallel, after"),
        (STEP, "immediate_ground: legal_duty", "ladders[0].steps[0][0].immediate_ground", "only a termination"),
        (STEP, "immediate_ground: whim", "ladders[0].steps[0][0].immediate_ground", "one of legal_duty"),
        (MARKET, "{XX: {points: 1}}", "ladders[0].by_market.XX", "'XX' is not a market define it in this file; known are DE, JP"),
        (MARKET, "{'*': {points: 1}}", "ladders[0].by_market.*", "is not a market"),
        (MARKET, "{DE: }", "ladders[0].by_market.DE", "empty"),
        (MARKET, "{DE: {}}", "ladders[0].by_market.DE", "nothing differs here give points"),
        (MARKET, "{DE: {points: 101}}", "ladders[0].by_market.DE.points", "from 0 to 100"),
        (MARKET, "{DE: {window: 0d}}", "ladders[0].by_market.DE.window", "longer than nothing"),
        (MARKET, "{DE: {decay: 0d}}", "ladders[0].by_market.DE.decay", "longer than nothing"),
        (MARKET, "{DE: {steps: []}}", "ladders[0].by_market.DE.steps", "needs a rung"),
        (MARKET, "{DE: {pints: 3}}", "ladders[0].by_market.DE.pints", "did you mean points?"),
        (MARKET, "[DE]", "ladders[0].by_market", "fields are expected"),
        ("ladders: [{code: A, window: 1d, steps: [[]], red_line: PUT}]", "often", "ladders[0].red_line", "one of true, false"),
        ("bands: [{code: A, at_or_below: 70, market: PUT}]", "XX", "bands[0].market", "'XX' is not known"),
        ("bands: [{code: A, at_or_below: 70, market: PUT}]", "'*'", "bands[0].market", "leave it out"),
        (TWICE, "DE", "bands[1].code", "stands on line"),
    ],
)  # fmt: skip
def test_what_a_step_a_market_and_a_band_may_not_say(form: str, put: str, path: str, told: str) -> None:
    [(line, where, message)] = problems(PLACES + form.replace("PUT", put))
    assert (line, where) == (2, path)
    assert told in message


def test_the_file_knows_every_ground_for_a_termination_without_notice() -> None:
    assert (policy_ladders.GROUND_KEY, set(policy_ladders.GROUNDS)) == (
        periods.GROUND_KEY,
        set(ImmediateGround.values),
    )
