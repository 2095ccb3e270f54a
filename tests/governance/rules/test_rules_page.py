"""What docs/rules.md shows to authors works."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from governance.engine import MeasureSpec, RuleSpec, check_rule
from governance.engine.builder import from_builder, to_builder
from governance.rules.policy import parse_policy

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "rules.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
CONDITIONS = [
    condition.strip()
    for language, block in BLOCKS
    if not language
    for line in block.splitlines()
    for condition in re.split(r"\s{2,}(?=[a-z])|(?<=5\)) (?=size)", line)
]


BUILT = [
    source
    for row in re.findall(r"^\| in the builder .*?\n\n", PAGE, re.DOTALL | re.MULTILINE)[0].splitlines()[2:]
    for source in re.findall(r"`(.+?)`", row)
]


@pytest.mark.parametrize("when", BUILT)
def test_what_it_says_of_the_builder_holds(when: str) -> None:
    measures = (MeasureSpec("n"), MeasureSpec("m"))
    assert check_rule(RuleSpec("A", "A", "R", "V", "S1", ("t",), when, measures)) == []
    tree = to_builder(when, ["n", "m"])
    assert {item["kind"] for item in tree["items"]} <= {"test", "ratio", "each"}
    assert from_builder(tree) == when


def test_the_page_has_examples() -> None:
    assert len(BUILT) == 18
    assert len(CONDITIONS) == 12
    assert [language for language, _ in BLOCKS] == ["yaml", "", "yaml", "yaml"]


@pytest.mark.parametrize("when", CONDITIONS)
def test_its_conditions_pass(when: str) -> None:
    week = timedelta(days=7)
    measures = (MeasureSpec("flagged_7d", window=week), MeasureSpec("joins_7d", window=week))
    rule = RuleSpec("A", "A", "R", "V", "S1", ("t",), when, measures)
    assert [str(error) for error in check_rule(rule)] == []


@pytest.mark.parametrize("text", [block for language, block in BLOCKS if language == "yaml"])
def test_its_files_load(text: str) -> None:
    policy = parse_policy(text, known_risks=["HYG"], known_ladders=["standard"])
    assert policy.rules or policy.ladders
