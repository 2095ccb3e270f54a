"""A rule in the console and its entry in a policy file are the same thing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from governance.engine import MeasureSpec, RuleSpec, check_rule
from governance.rules.policy import PolicyError, parse_policy
from governance.rules.policy_yaml import policy_to_yaml, spec_from_yaml, spec_to_yaml

ROOT = Path(__file__).resolve().parents[3]
POLICIES = ("config/demo_world/policy.yaml", "tests/flows/nyc_policy.yaml", "tests/flows/story_policy.yaml")
PLAIN = RuleSpec(
    code="R-1",
    name="R-1",
    risk="HYG",
    violation_code="HYG-01",
    severity="S2",
    on=("t",),
    when="signal.x > 1",
    ladder="std",
)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_rule_of_the_policies_survives_as_text(policy: str) -> None:
    source = (ROOT / policy).read_text()
    rules = parse_policy(source).rules
    assert [spec_from_yaml(spec_to_yaml(rule)) for rule in rules] == list(rules)
    rewritten = source[: source.index("\nrules:")] + "\n" + policy_to_yaml(rules)
    assert parse_policy(rewritten).rules == rules


def test_defaults_are_left_out() -> None:
    assert spec_to_yaml(PLAIN).splitlines() == [
        "code: R-1",
        "risk: HYG",
        "violation: {code: HYG-01, severity: S2}",
        "on: [t]",
        "when: signal.x > 1",
        "ladder: std",
    ]
    assert policy_to_yaml([]) == "rules: []\n"


def test_every_field_is_written_as_people_write_it() -> None:
    full = replace(
        PLAIN,
        name="Closed: again",
        description="One line.\n\n  And another.",
        measures=(
            MeasureSpec("n", ("a", "b,c"), "signal.x == 'a'", timedelta(hours=36), "creator", "sum(data.x)"),
        ),
        when='signal.x == "1" // why\n&& n > 2',
        cooldown=timedelta(days=7),
        effective_from=datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
        expires_at=datetime(2027, 1, 1, 6, 30, tzinfo=UTC),
        review="dual",
        cap=20,
        markets=("NO", "DE"),
        charge="share",
        share=0.000001,
        notice_days=0,
        second_person=("suspension",),
        text=(("de", "Nein: nie # wirklich"), ("en", "null")),
    )
    assert spec_to_yaml(full).splitlines() == [
        "code: R-1",
        'name: "Closed: again"',
        "description: |-",
        "  One line.",
        "",
        "    And another.",
        "risk: HYG",
        "violation: {code: HYG-01, severity: S2}",
        "on: [t]",
        "measures:",
        "  - {name: n, types: [a, \"b,c\"], where: signal.x == 'a', window: 36h, per: creator, aggregate: sum(data.x)}",
        "when: |-",
        '  signal.x == "1" // why',
        "  && n > 2",
        "cooldown: 7d",
        "effective_from: 2026-01-01",
        "expires: 2027-01-01T06:30:00Z",
        "review: dual",
        "cap: 20",
        "ladder: std",
        "markets: [NO, DE]",
        "charge: share",
        "share: 0.000001",
        "notice_days: 0",
        "second_person: [suspension]",
        "text:",
        '  de: "Nein: nie # wirklich"',
        '  en: "null"',
    ]
    assert spec_from_yaml(spec_to_yaml(full)) == full
    assert spec_from_yaml(policy_to_yaml([full]).removeprefix("rules:\n")) == full


@pytest.mark.parametrize(
    "odd",
    [
        "null", "~", "NO", "on", "yes", "1e3", "2026-01-01", "- x", "? x", "x: y", "x :y", "x #y", "#x", "'", '"', "\\", "a\\nb",
        "a\nb", "a\n b\n\nc", "a\r\nb", "a\tb", "&x", "*", "!x", "%x", "@x", "`x`", "{x}", "[x]", "x,y", "|", ">", "x:", "---",
        "...", "ä", "😀", "حق", "\u202etxt", "\u2028", "\x85", "x\u00a0y", "\x07", "é́", "a  b", "=", "<<",
    ],
)  # fmt: skip
def test_odd_texts_survive(odd: str) -> None:
    spec = replace(
        PLAIN,
        name=odd,
        description=odd,
        on=(odd,),
        when=f"signal.x == 1 // {odd}\n|| true",
        markets=(odd, "DE"),
        text=(("*", odd), ("en", odd)),
    )
    spec = replace(spec, description=spec.description.strip() or "x", name=spec.name.strip() or "x")
    if not odd.strip():  # an empty text is none
        spec = replace(spec, on=("t",), markets=("DE",), text=())
    assert spec_from_yaml(spec_to_yaml(spec), checked=False) == spec
    assert (
        spec_from_yaml(spec_to_yaml(replace(spec, text=spec.text[:1])), checked=False).text == spec.text[:1]
    )


def test_a_draft_may_be_written_before_it_is_right() -> None:
    draft = replace(PLAIN, when="", on=(), risk="", ladder="", markets=())
    assert spec_from_yaml(spec_to_yaml(draft), checked=False) == draft
    with pytest.raises(PolicyError) as refusal:
        spec_from_yaml(spec_to_yaml(draft))
    assert {problem.path for problem in refusal.value.problems} == {"on", "markets", "when"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "there is no rule here"),
        ("just words", 1, "fields are expected"),
        ("[]", 1, "fields are expected"),
        ("rules: []", 1, "this field is missing"),
        ("a: [", 1, "not YAML"),
        ("code: R-1\nrisk: A\nviolation: {code: V, severity: S9}\non: [t]\nwhen: x\nladder: l", 3, "'S9' is not known"),
        (spec_to_yaml(PLAIN) + "whne: x\n", 7, "unknown field"),
        (spec_to_yaml(replace(PLAIN, when="signal.x > ")), 5, "expected a value here"),
        (spec_to_yaml(replace(PLAIN, when="signal.x >\n2 &&\n&& 1")), 8, "expected a value here"),
        (spec_to_yaml(PLAIN) + "expires: tomorrow\n", 7, "'tomorrow' is not a date"),
        (spec_to_yaml(PLAIN) + "effective_from: 2026-01-01\nexpires: 2026-01-01\n", 8, "expires after the day it takes effect"),
    ],
)  # fmt: skip
def test_faults_are_named_with_their_line(text: str, line: int, words: str) -> None:
    with pytest.raises(PolicyError) as refusal:
        spec_from_yaml(text)
    found = [problem for problem in refusal.value.problems if words in problem.message]
    assert [problem.line for problem in found][:1] == [line]


def test_kinds_of_penalty_are_checked_when_they_are_known() -> None:
    text = spec_to_yaml(replace(PLAIN, second_person=("exile",)))
    assert spec_from_yaml(text).second_person == ("exile",)
    with pytest.raises(PolicyError, match="'exile' is not known"):
        spec_from_yaml(text, known_kinds={"suspension"})


def test_an_expiry_before_its_beginning_is_refused() -> None:
    begun = replace(PLAIN, effective_from=datetime(2026, 1, 1, tzinfo=UTC))
    assert check_rule(replace(begun, expires_at=datetime(2026, 1, 2, tzinfo=UTC))) == []
    [fault] = check_rule(replace(begun, expires_at=datetime(2026, 1, 1, tzinfo=UTC)))
    assert (fault.where, fault.message) == ("expires", "a rule expires after the day it takes effect")
    [naive] = check_rule(replace(begun, expires_at=datetime(2026, 1, 2)))
    assert (naive.where, naive.message) == ("expires", "the time needs a time zone")
