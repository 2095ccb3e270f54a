"""What the rules say about a batch of signals: one evaluation for live, shadow and backtest alike. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.engine import CompiledRule, Evaluator, SignalFacts, explain
from governance.engine.evaluate import Asked
from governance.violations.detection_facts import Registry, StoredSignal
from governance.violations.measures import MeasureValues, measure_values


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule on one signal. `fault` is empty for a match, else why the rule could not be evaluated."""

    rule: CompiledRule
    signal: StoredSignal
    facts: SignalFacts
    values: Mapping[str, Any]
    fault: str = ""
    asked: Asked | None = None

    def explanation(self) -> dict[str, Any]:
        return explain(self.rule, self.facts, self.values, self.asked)


def verdicts(evaluator: Evaluator, signals: Sequence[StoredSignal], registry: Registry) -> Iterator[Verdict]:
    """Matches and faults, in the order of the signals; that a rule does not match is not worth a verdict.

    Windows are as of each signal's own time. A rule one of whose measures failed is faulty on every signal of the batch.
    """
    if not evaluator.rules or not signals:
        return
    measured = measure_values(evaluator, signals, registry)
    faulty = _faulty(evaluator, measured)
    for ordinal, signal in enumerate(signals):
        facts = registry.facts(signal)
        values = measured.values[ordinal]
        if faulty:
            for rule in evaluator.rules_for(signal.type, registry.market_code(signal.market_id)):
                if rule in faulty:
                    yield Verdict(rule, signal, facts, values, faulty[rule])
        for outcome in evaluator.findings(facts, values):
            if outcome.rule not in faulty:
                fault = "" if outcome.matched else outcome.reason or "error"
                yield Verdict(outcome.rule, signal, facts, values, fault, outcome.asked)


def _faulty(evaluator: Evaluator, measured: MeasureValues) -> dict[CompiledRule, str]:
    """The rules that a failed measure takes down, and its error."""
    return {
        rule: measured.failed[measure.key]
        for rule in evaluator.rules
        for measure in rule.measures
        if measure.key in measured.failed
    }
