"""Versions of a rule compared in words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from governance.engine import MeasureSpec, RuleSpec
from governance.engine.builder import to_builder
from governance.rules.condition_words import condition_words
from governance.rules.differences import differences

OLD = RuleSpec(
    code="R-1",
    name="A rule",
    risk="HYG",
    violation_code="HYG-01",
    severity="S2",
    on=("a",),
    when="signal.score >= 28 && n > 2",
    measures=(MeasureSpec("n", (), "signal.critical == true", timedelta(days=30)),),
    ladder="std",
    markets=("NO",),
    text=(("en", "Do not."),),
)
LADDER = {
    "code": "std",
    "name": "Standard",
    "window": "180d",
    "points": 10,
    "decay": "180d",
    "steps": [[{"kind": "warning"}]],
}


def words(old: str, new: str) -> list[str]:
    """The differences of two conditions."""
    return differences(replace(OLD, when=old), replace(OLD, when=new))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("a > 1", "a > 1", []),
        ("a>1", "(a > 1)", ["The condition says the same, written differently."]),
        ("signal.score >= 28", "signal.score >= 30", ["The condition “signal.score ≥ 28” was replaced by “signal.score ≥ 30”"]),
        ("a > 1 && b > 2 && c", "a > 1 && b > 3 && c", ["The condition “b > 2” was replaced by “b > 3”"]),
        ("a > 1", "a > 1 && b > 2", ["The condition “b > 2” was added"]),
        ("a > 1", "a > 1 || b > 2", ["The alternative “b > 2” was added"]),
        ("a > 1 && b > 2", "b > 2", ["The condition “a > 1” was removed"]),
        ("!(a || b)", "!(a || b || c > 1)", ["The exclusion “c > 1” was added"]),
        ("a && b && c", "a || b || c", ["Conditions were joined by “all of”, now by “any of”"]),
        ("a && b", "b && a", ["The order of the conditions was changed"]),
        ("a && (b > 1 || c)", "a && (b > 2 || c)",
         ["Within “b > 1 or c holds”: The condition “b > 1” was replaced by “b > 2”"]),
        ("a && b", "a && (b || c)", ["The condition “b holds” was replaced by “b holds or c holds”"]),
        ("a > 2", "a > 2.0", ["The condition “a > 2” was replaced by “a > 2.0”"]),
        ("a && b", "c || d", ["The condition “a holds and b holds” was replaced by “c holds or d holds”"]),
        ("a > ", "a > 1", ["The condition “a > ” was replaced by “a > 1”"]),
        ("", "a > 1", ["The condition “nothing yet” was replaced by “a > 1”"]),
        ("a == b ? c : d", "a == b ? c : e", ["The condition “a == b ? c : d” was replaced by “a == b ? c : e”"]),
        ("a && b && c", "a && d && e && c",
         ["The condition “b holds” was removed", "The condition “d holds” was added", "The condition “e holds” was added"]),
    ],
)  # fmt: skip
def test_a_condition_is_compared_part_by_part(old: str, new: str, told: list[str]) -> None:
    assert words(old, new) == told


def test_every_field_is_told() -> None:
    new = replace(
        OLD,
        name="Another",
        risk="MIN",
        severity="S1",
        on=("a", "b"),
        when="signal.score >= 30 && n > 2",
        measures=(
            MeasureSpec("n", ("a",), None, timedelta(days=14), "creator", "distinct(data.x)"),
            MeasureSpec("m", window=timedelta(hours=12)),
        ),
        cooldown=timedelta(days=7),
        expires_at=datetime(2027, 1, 1, tzinfo=UTC),
        review="dual",
        cap=50,
        markets=("NO", "DE", "FR"),
        charge="share",
        share=0.5,
        text=(("de", "Nicht."), ("en", "Never.")),
        second_person=("suspension",),
        notice_days=15,
    )
    assert differences(OLD, new) == [
        "Name: A rule → Another",
        "Risk: HYG → MIN",
        "Severity: S2 → S1",
        "Signal types added: b",
        "Measure n: window 30d → 14d",
        "Measure n: aggregate count → distinct(data.x)",
        "Measure n: per guild → creator",
        "Measure n: signal types those of the rule → a",
        "Measure n: condition signal.critical == true → every signal",
        "Measure m added: count of the rule's signals, per guild in 12h",
        "The condition “signal.score ≥ 28” was replaced by “signal.score ≥ 30”",
        "Cooldown: 0d → 7d",
        "Expires: none → 2027-01-01",
        "Review: one reviewer → two reviewers",
        "Cap per market and hour: none → 50",
        "Markets added: DE, FR",
        "Charged as: none → a share for a managed creator",
        "Share of the points: none → 0.5",
        "Days of notice: none → 15",
        "A second person is now needed for: suspension",
        "Policy text added (de): “Nicht.”",
        "Policy text changed (en): “Do not.” → “Never.”",
    ]


def test_the_way_back_is_told_too() -> None:
    without = replace(OLD, measures=(), text=(), markets=("*",), when="n > 2")
    assert differences(OLD, without) == [
        "Measure n removed",
        "The condition “signal.score ≥ 28” was removed",
        "Markets: NO → all",
        "Policy text removed (en)",
    ]
    renamed = replace(OLD, measures=(replace(OLD.measures[0], name="found_30d"),))
    assert differences(OLD, renamed) == ["Measure n is now called found_30d"]


@pytest.mark.parametrize(
    "change",
    [
        {"code": "R-2"}, {"description": "why"}, {"violation_code": "X"}, {"on": ()}, {"markets": ()}, {"cap": 1},
        {"effective_from": datetime(2026, 1, 1, 6, 30, tzinfo=UTC)}, {"ladder": "s1"}, {"text": (("*", "Do not."),)},
        {"notice_days": 0}, {"when": " signal.score >= 28 && n > 2"}, {"when": ""}, {"share": 0.0}, {"charge": "own"},
    ],
)  # fmt: skip
def test_no_difference_is_passed_over_in_silence(change: dict[str, object]) -> None:
    new = replace(OLD, **change)  # type: ignore[arg-type]
    assert differences(OLD, new)
    assert differences(new, OLD)
    assert differences(new, new) == []


def test_order_is_told_when_it_is_all_that_changed() -> None:
    two = replace(
        OLD,
        on=("a", "b"),
        markets=("NO", "DE"),
        second_person=("x", "y"),
        measures=(*OLD.measures, MeasureSpec("m")),
    )
    turned = replace(
        two, on=("b", "a"), markets=("DE", "NO"), second_person=("y", "x"), measures=two.measures[::-1]
    )
    assert differences(two, turned) == [
        "The order of the signal types was changed",
        "The order of the measures was changed",
        "The order of the markets was changed",
        "The order of the penalties that need a second person was changed",
    ]


def test_ladders_are_compared_rung_by_rung() -> None:
    harder = {
        **LADDER,
        "points": 12,
        "decay": "never",
        "steps": [[{"kind": "warning"}, {"kind": "training", "days": 14}], [{"kind": "clear_out"}]],
    }
    assert differences(OLD, OLD, old_ladder=LADDER, new_ladder=LADDER) == []
    assert differences(OLD, OLD, old_ladder=LADDER, new_ladder=harder) == [
        "Ladder: points: 10 → 12",
        "Ladder: points leave after: 180d → never",
        "Ladder, step 1: warning → warning + training (days 14)",
        "Ladder, step 2: none → clear_out",
    ]
    assert differences(OLD, OLD, new_ladder=harder) == []


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("signal.critical == true", "signal.critical is true"),
        ("signal.a != 'x' && !signal.b", "signal.a ≠ “x” and signal.b does not hold"),
        ("a || b && c", "a holds or (b holds and c holds)"),
        ("!(a == 1 || has(signal.b))", "none of: a = 1; signal.b is there"),
        ("signal.x in ['a', 'b']", "signal.x is one of “a”, “b”"),
        ("!(signal.x in [])", "signal.x is none of nothing"),
        ("'de' in market.languages", "market.languages includes “de”"),
        ("signal.x.startsWith('a')", "signal.x starts with “a”"),
        ("size(signal.lines) > 3", "the size of signal.lines > 3"),
        ("signal_time.getHours(market.timezone) < 6", "the local hour of signal_time < 6"),
        ("guild.onboarded_at > signal_time - duration('336h')", "guild.onboarded_at > 14d before the signal"),
        ("double(a) * 1000.0 >= 1.5 * double(b)", "a per 1000 b ≥ 1.5"),
        ("double(a) / double(b) > 0.2", "a / b > 0.2"),
        ("signal.l.exists(x, x.code == 'a')", "for some x in signal.l: x.code = “a”"),
        ("a + b > 3", "a + b > 3"),
        ("", "nothing yet"),
    ],
)  # fmt: skip
def test_a_condition_in_words(source: str, told: str) -> None:
    assert condition_words(to_builder(source)) == told


def test_what_differs_in_a_market_is_told_with_its_code() -> None:
    before = {**LADDER, "by_market": {"JP": {"points": 5}, "FR": {"window": "30d"}}}
    step = {"kind": "warning", "grace": "7d", "stops": ["correction", "appeal"], "stack": "after"}
    after = {**LADDER, "red_line": True, "by_market": {"JP": {"points": 4, "steps": [[step]]}}}
    assert differences(OLD, OLD, old_ladder=before, new_ladder=after) == [
        "Ladder: step by step → a red line: the last step every time",
        "Ladder in FR: violations are counted over: 30d → as everywhere",
        "Ladder in JP: points: 5 → 4",
        "Ladder in JP: steps: as everywhere → warning (grace 7d, stops correction and appeal, stack after)",
    ]
    assert differences(OLD, OLD, old_ladder=after, new_ladder=after) == []


def test_a_step_that_changed_in_a_market_is_told_step_by_step() -> None:
    before = {**LADDER, "by_market": {"JP": {"steps": [[{"kind": "warning"}], [{"kind": "training"}]]}}}
    after = {**LADDER, "by_market": {"JP": {"steps": [[{"kind": "warning"}], []]}}}
    assert differences(OLD, OLD, old_ladder=before, new_ladder=after) == [
        "Ladder in JP, step 2: training → nothing"
    ]
