"""Builder → YAML → builder is the identity, whatever a rule holds."""

from dataclasses import replace

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from governance.engine import RuleError, RuleSpec, check_rule
from governance.engine.builder import from_builder, to_builder
from governance.engine.syntax import parse
from governance.rules.condition_words import condition_words
from governance.rules.differences import differences
from governance.rules.policy_yaml import spec_from_yaml, spec_to_yaml
from tests.governance.engine.generated import NAMES, Tree, leaves, specs, trees
from tests.governance.engine.test_builder import exact, shape

PLAIN = RuleSpec("R", "R", "HYG", "V", "S1", ("t",), "true", ladder="std")


def written(tree: Tree) -> str:
    """The source; examples beyond the size of a rule are passed over."""
    try:
        return from_builder(tree)
    except RuleError as refusal:
        assume("characters; at most" not in refusal.message and "nested" not in refusal.message)
        raise


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=trees())
def test_builder_to_yaml_to_builder_is_the_identity(tree: Tree) -> None:
    source = written(tree)
    assert exact(to_builder(source, NAMES)) == exact(tree)
    assert from_builder(to_builder(source, NAMES)) == source
    back = spec_from_yaml(spec_to_yaml(replace(PLAIN, when=source)), checked=False)
    assert exact(to_builder(back.when, NAMES)) == exact(tree)
    assert condition_words(tree)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=specs())
def test_a_whole_rule_survives_as_text(spec: RuleSpec) -> None:
    text = spec_to_yaml(spec)
    faults = check_rule(spec)
    assert all(fault.where == "when" or fault.where.endswith(".where") for fault in faults), faults
    event("checked" if not faults else "form only")
    back = spec_from_yaml(text, checked=not faults)
    assert back == spec
    assert back.digest() == spec.digest()
    assert spec_to_yaml(back) == text
    assert differences(spec, back) == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(old=trees(), new=trees(), tests=st.lists(leaves, min_size=1, max_size=2))
def test_no_change_of_a_condition_is_passed_over(old: Tree, new: Tree, tests: list[Tree]) -> None:
    grown = {"kind": "group", "join": "all", "items": [*old["items"], *tests]}
    for after in (new, grown):
        before = replace(PLAIN, when=written(old))
        changed = replace(PLAIN, when=written(after))
        told = differences(before, changed)
        assert bool(told) == (before.when != changed.when)
        if told == ["The condition says the same, written differently."]:
            assert shape(parse(before.when)) == shape(parse(changed.when))
