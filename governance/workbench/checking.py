"""What is said while a rule is being typed: problems with place and cure, the same wording in every form, what it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.translation import gettext as _

from governance.engine import RuleError, RuleSpec, check_rule
from governance.engine.builder import to_builder
from governance.rules.differences import differences
from governance.rules.models import Ladder, RuleVersion
from governance.rules.policy import PolicyError
from governance.rules.policy_yaml import spec_from_yaml, spec_to_yaml
from governance.rules.selectors import CURRENT
from governance.signals.fields import fields_of, known_types
from governance.workbench.form import Form, Problem, problem_of, read_form
from governance.workbench.hints import hints_of, sources
from governance.workbench.selectors import spec_of
from guilds.accounts.actor import Actor
from guilds.models import Market

YAML_LENGTH = 200_000


@dataclass
class Checked:
    """A wording in every form the page shows it in. `trees` lacks the conditions that could not be read."""

    spec: RuleSpec
    problems: list[Problem] = field(default_factory=list)
    hints: list[Problem] = field(default_factory=list)
    trees: dict[str, Any] = field(default_factory=dict)
    yaml: str = ""
    changes: list[str] = field(default_factory=list)
    against: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "spec": self.spec.to_dict(),
            "problems": [problem.to_dict() for problem in self.problems],
            "hints": [hint.to_dict() for hint in self.hints],
            "trees": self.trees,
            "yaml": self.yaml,
            "changes": self.changes,
            "against": self.against,
        }


def read(version: RuleVersion, sent: Mapping[str, Any]) -> Form:
    """What the page sent: `yaml`, or `spec` with the `trees` of conditions that were built by clicks."""
    stored = spec_of(version)
    written = sent.get("yaml")
    if not isinstance(written, str):
        return read_form(sent.get("spec"), stored, sent.get("trees"))
    if len(written) > YAML_LENGTH:
        return Form(stored, [Problem("yaml", _("This is too long for one rule."))])
    try:
        spec = spec_from_yaml(written, checked=False)
    except PolicyError as refusal:
        return Form(
            stored,
            [
                Problem(
                    "yaml", f"{found.path}: {found.message}".removeprefix(": "), found.cure, line=found.line
                )
                for found in refusal.problems
            ],
        )
    form = Form(spec)
    if spec.code != stored.code:
        form.problems.append(
            Problem("yaml", _("The code belongs to the rule and does not change."), stored.code)
        )
    if spec.risk != stored.risk:
        form.problems.append(
            Problem("yaml", _("The risk belongs to the rule and does not change."), stored.risk)
        )
    form.spec = replace(spec, code=stored.code, risk=stored.risk)
    return form


def checked(actor: Actor, version: RuleVersion, form: Form) -> Checked:
    """Everything the page shows of a wording. Never raises for what is in it."""
    spec = form.spec
    found = Checked(spec, list(form.problems))
    blamed = {problem.where for problem in found.problems}
    written_as = dict(sources(spec))
    for error in check_rule(spec):
        if error.where not in blamed:
            found.problems.append(problem_of(error, written=written_as.get(error.where, "")))
    names = [measure.name for measure in spec.measures]
    for where, written in [("when", spec.when), *sources(spec)]:
        tree = _tree(written, names if where == "when" else [])
        if tree is not None:
            found.trees[where] = tree
    try:
        found.yaml = spec_to_yaml(spec)
    except ValueError as error:
        found.problems.append(Problem("yaml", str(error)))
    found.hints = hints_of(
        spec,
        fields_of(spec.on, actor.market_ids),
        known_types(actor.market_ids),
        found.trees,
        languages_of(spec),
    )
    found.changes, found.against = changes_of(version, spec)
    return found


def _tree(written: str, names: list[str]) -> dict[str, Any] | None:
    try:
        return to_builder(written, names)
    except (RuleError, RecursionError):
        return None


def languages_of(spec: RuleSpec) -> list[str]:
    """The default languages of the rule's markets, each once."""
    markets = Market.objects.order_by("code")
    if not spec.everywhere:
        markets = markets.filter(code__in=spec.markets)
    found = (languages[0] for languages in markets.values_list("languages", flat=True) if languages)
    return list(dict.fromkeys(found))


def compared_with(version: RuleVersion) -> RuleVersion | None:
    """The version in force, else the one before this; None for a first version."""
    others = RuleVersion.objects.filter(rule_id=version.rule_id).exclude(pk=version.pk).order_by("-number")
    live = others.filter(status__in=CURRENT, number__lt=version.number).first()
    return live or others.filter(number__lt=version.number).first()


def changes_of(version: RuleVersion, spec: RuleSpec) -> tuple[list[str], str]:
    """(differences in words, against which version); nothing for a first version."""
    other = compared_with(version)
    if other is None:
        return [], ""
    ladder = Ladder.objects.filter(code=spec.ladder).values_list("spec", flat=True).first()
    frozen = version.frozen_at is not None or version.status != "draft"
    return (
        differences(
            spec_of(other),
            spec,
            old_ladder=other.ladder or None,
            new_ladder=version.ladder if frozen else ladder,
        ),
        str(other),
    )
