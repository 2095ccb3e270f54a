"""Every rule of the default policy, through the page's own doors: no problem, and the same rule by clicks, by text and back."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from governance.engine import RuleSpec
from governance.models import RuleVersion
from governance.rules.policy import parse_policy
from governance.workbench.checking import checked, read
from guilds.accounts.actor import Actor
from tests import factories
from tests.governance.workbench import writing

pytestmark = pytest.mark.django_db

POLICY = parse_policy((settings.BASE_DIR / "config/demo_world/policy.yaml").read_text())


def held(spec: RuleSpec) -> RuleVersion:
    risk = writing.risk()
    risk.code = spec.risk
    risk.save()
    rule = factories.rule(spec.code, risk=risk)
    return RuleVersion(rule=rule, number=1, spec=spec.to_dict())


def kinds(item: dict[str, Any]) -> set[str]:
    inner = [*item.get("items", ()), *([item["condition"]] if "condition" in item else [])]
    return {str(item["kind"])}.union(*(kinds(part) for part in inner))


@pytest.mark.parametrize("spec", POLICY.rules, ids=lambda spec: spec.code)
def test_a_rule_is_the_same_by_clicks_and_as_text(spec: RuleSpec) -> None:
    version, actor = held(spec), Actor.staff(writing.analyst())
    shown = checked(actor, version, read(version, {"spec": spec.to_dict()}))
    assert shown.spec == spec
    assert shown.problems == []
    assert set(shown.trees) == {"when"} | {
        f"measures[{index}].where" for index, measure in enumerate(spec.measures) if measure.where
    }
    assert "expression" not in set().union(*(kinds(tree) for tree in shown.trees.values()))
    clicked = checked(actor, version, read(version, {"spec": spec.to_dict(), "trees": shown.trees}))
    assert clicked.problems == []
    assert clicked.trees == shown.trees
    again = read(version, {"yaml": clicked.yaml})
    assert (again.problems, again.spec) == ([], clicked.spec)
