"""Where an object stands in the cycle, and what it came from and led to.

The one place that knows every stage at once; concepts below know only what lies under them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from appeals.models import Appeal
from appeals.selectors import appeals_visible_to
from governance.models import (
    Alarm,
    Approval,
    Assessment,
    Backtest,
    Feedback,
    Finding,
    Gate,
    Launch,
    Lesson,
    Notice,
    Penalty,
    Risk,
    Rule,
    RuleException,
    RuleVersion,
    Signal,
    Violation,
    Wave,
)
from governance.penalties.selectors import penalties_visible_to
from governance.rules.selectors import findings_visible_to
from governance.violations.selectors import evidence_of, violations_visible_to
from guilds.accounts.actor import Actor
from guilds.console.page import Link, admin_url, list_url

#: Links shown per stage; more become one link to the list.
SHOWN = 3


@dataclass(frozen=True)
class Stage:
    key: str
    title: Any
    icon: str
    links: Sequence[Link]
    more: Link | None
    here: bool


STAGES: tuple[tuple[str, Any, str], ...] = (
    ("risk", gettext_lazy("Risk"), "crisis_alert"),
    ("rule", gettext_lazy("Rule"), "gavel"),
    ("launch", gettext_lazy("Launch"), "rocket_launch"),
    ("signal", gettext_lazy("Signal"), "sensors"),
    ("violation", gettext_lazy("Violation"), "flag"),
    ("penalty", gettext_lazy("Penalty"), "block"),
    ("appeal", gettext_lazy("Appeal"), "balance"),
    ("finding", gettext_lazy("Finding"), "build"),
)

#: Objects of a case by stage, and the list a stage goes on in when there are more.
Case = dict[str, tuple[list[Model], Link | None]]


def _few(rows: QuerySet[Any], more_url: str = "") -> tuple[list[Any], Link | None]:
    found = list(rows[: SHOWN + 1])
    more = Link(_("and more"), more_url) if len(found) > SHOWN and more_url else None
    return found[:SHOWN], more


def _of_version(version: RuleVersion) -> Case:
    return {
        "risk": ([version.rule.risk], None),
        "rule": ([version], None),
        "launch": _few(version.launches.order_by("-id")),
    }


def _of_violation(violation: Violation, actor: Actor) -> Case:
    penalties = penalties_visible_to(actor).filter(violation=violation).order_by("id")
    appeals = appeals_visible_to(actor).filter(penalty__violation=violation).order_by("id")
    findings = findings_visible_to(actor).filter(
        source_type="appeal", source_id__in=[str(appeal.public_id) for appeal in appeals[:SHOWN]]
    )
    return _of_version(violation.version) | {
        "signal": _few(evidence_of(violation)),
        "violation": ([violation], None),
        "penalty": _few(penalties, list_url(Penalty, f"q={violation.public_id}")),
        "appeal": _few(appeals),
        "finding": _few(findings),
    }


def _of_rule(rule: Rule, actor: Actor) -> Case:
    versions = RuleVersion.objects.filter(rule=rule).select_related("rule").order_by("-number")
    return {
        "risk": ([rule.risk], None),
        "rule": _few(versions, list_url(RuleVersion, f"q={rule.code}")),
        "launch": _few(
            Launch.objects.filter(version__rule=rule).order_by("-id"), list_url(Launch, f"q={rule.code}")
        ),
        "violation": _few(
            violations_visible_to(actor).filter(rule=rule).order_by("-id"),
            list_url(Violation, f"q={rule.code}"),
        ),
    }


def _of_rule_version(version: RuleVersion, actor: Actor) -> Case:
    found = violations_visible_to(actor).filter(version=version).order_by("-id")
    return _of_version(version) | {
        "violation": _few(found, list_url(Violation, f"q={version.rule.code}")),
        "finding": _few(
            findings_visible_to(actor).filter(version=version), list_url(Finding, f"q={version.rule.code}")
        ),
    }


def _of_signal(signal: Signal, actor: Actor) -> Case:
    found = violations_visible_to(actor).filter(detections__signal_key_id=signal.pk).distinct()
    violations, more = _few(found.order_by("id"))
    return {"signal": ([signal], None), "violation": (violations, more)}


def _of_risk(risk: Risk, actor: Actor) -> Case:
    rules = Rule.objects.filter(risk=risk).order_by("code")
    return {"risk": ([risk], None), "rule": _few(rules, list_url(Rule, f"q={risk.code}"))}


def _of_feedback(feedback: Feedback, actor: Actor) -> Case:
    told_of = _of_risk(feedback.risk, actor) if feedback.risk else {"risk": ([], None)}
    return told_of | {"feedback": ([feedback], None)}


def _of_lesson(lesson: Lesson, actor: Actor) -> Case:
    return _of_rule(lesson.rule, actor) if lesson.rule else {}


def _of_finding(finding: Finding, _actor: Actor) -> Case:
    return _of_version(finding.version) | {"finding": ([finding], None)}


CASES: dict[type[Model], tuple[str, Callable[[Any, Actor], Case]]] = {
    Risk: ("risk", _of_risk),
    Assessment: ("risk", lambda assessment, actor: _of_risk(assessment.risk, actor)),
    Feedback: ("risk", _of_feedback),
    Rule: ("rule", _of_rule),
    Lesson: ("launch", _of_lesson),
    Backtest: ("rule", lambda backtest, actor: _of_rule_version(backtest.version, actor)),
    Approval: ("rule", lambda approval, actor: _of_rule_version(approval.version, actor)),
    RuleException: ("rule", lambda exception, actor: _of_rule(exception.rule, actor)),
    Alarm: ("rule", lambda alarm, actor: _of_rule(alarm.rule, actor)),
    Launch: ("launch", lambda launch, actor: _of_rule_version(launch.version, actor)),
    Wave: ("launch", lambda wave, actor: _of_rule_version(wave.launch.version, actor)),
    Gate: ("launch", lambda gate, actor: _of_rule_version(gate.launch.version, actor)),
    RuleVersion: ("rule", _of_rule_version),
    Signal: ("signal", _of_signal),
    Violation: ("violation", _of_violation),
    Penalty: ("penalty", lambda penalty, actor: _of_violation(penalty.violation, actor)),
    Appeal: ("appeal", lambda appeal, actor: _of_violation(appeal.penalty.violation, actor)),
    Finding: ("finding", _of_finding),
}


def case_of(obj: Model, actor: Actor) -> Case:
    known = CASES.get(type(obj))
    return known[1](obj, actor) if known else {}


def _label(obj: Any) -> str:
    if isinstance(obj, Penalty):
        return str(obj.get_kind_display())
    if isinstance(obj, Violation):
        return f"{obj.code} · {obj.occurred_at:%d %b %Y}"
    if isinstance(obj, Appeal):
        return str(obj.get_outcome_display() or obj.get_status_display())
    if isinstance(obj, Signal):
        return obj.event_id
    return str(obj)


def stages_of(obj: Model, case: Case) -> list[Stage]:
    """The stages of the cycle with what this object has to do with at each, its own marked; empty for objects outside it."""
    known = CASES.get(type(obj))
    if known is None:
        return []
    here = known[0]
    stages = []
    for key, title, icon in STAGES:
        objects, more = case.get(key, ([], None))
        links = [Link(_label(item), "" if item == obj else admin_url(item)) for item in objects]
        stages.append(Stage(key, title, icon, links, more, key == here))
    return stages


def story_of(obj: Model, case: Case) -> list[Any]:
    """The objects whose events together tell what happened to this one."""
    if isinstance(obj, Violation | Penalty | Appeal):
        told = [item for key in ("violation", "penalty", "appeal") for item in case.get(key, ([], None))[0]]
        return told if obj in told else [*told, obj]
    if isinstance(obj, Launch):
        return [obj, *obj.waves.all(), *obj.gates.all()]
    if isinstance(obj, Assessment):
        return [obj.risk]
    return [obj] if hasattr(obj, "ledger_type") and not isinstance(obj, Notice) else []
