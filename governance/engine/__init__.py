"""The rule language: checked when a rule is saved, compiled once, evaluated per signal. Pure Python, no
Django.
"""

from governance.engine.check import check_rule
from governance.engine.compiled import CompiledRule, compile_rule
from governance.engine.durations import format_duration, parse_duration
from governance.engine.errors import RuleError, RuleErrors
from governance.engine.evaluate import Evaluator, Outcome
from governance.engine.explain import explain
from governance.engine.facts import SignalFacts
from governance.engine.spec import MeasureSpec, RuleSpec, parse_aggregate

__all__ = [
    "CompiledRule",
    "Evaluator",
    "MeasureSpec",
    "Outcome",
    "RuleError",
    "RuleErrors",
    "RuleSpec",
    "SignalFacts",
    "check_rule",
    "compile_rule",
    "explain",
    "format_duration",
    "parse_aggregate",
    "parse_duration",
]
