"""Which rules a signal meets. One activation per signal, shared by all rules of its type and market.

A program call costs far more than a comparison, so rules are asked in chunks: first `r1 || r2 || …`, which
is true exactly when one of them is (CEL's || passes over errors), and only then each by name. What kept a
rule from matching is worked out when asked for.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

from cel_expr_python import cel

from governance.engine.check import compile_checked, parse_checked
from governance.engine.compiled import CompiledRule
from governance.engine.environment import ONBOARDED, ONBOARDED_VARIABLE, environment_for
from governance.engine.facts import SignalFacts, SignalTooLargeError, safe_number, safe_record
from governance.engine.spec import MeasureSpec

State = Literal["true", "false", "unknown", "error"]

# Long enough to spread the cost of a call, short enough that one match does not make many rules be asked
# alone
_CHUNK_RULES = 32
_CHUNK_CHARACTERS = 20_000
_STATUS = re.compile(r" \[[A-Z_]+\]$")  # behind the words of a call that was given up


class Outcome:
    """What one rule said of one signal.

    `state` is "unknown" when something it reads is absent or null where a value is needed, "error" when it
    failed otherwise (a text compared with a number, division by zero, a signal beyond limits); neither is a
    match.
    """

    __slots__ = ("_ask", "_found", "asked", "matched", "rule")

    def __init__(
        self,
        rule: CompiledRule,
        *,
        matched: bool,
        ask: Callable[[CompiledRule], tuple[State, str]],
        asked: "Asked | None" = None,
    ) -> None:
        self.rule = rule
        self.matched = matched
        self.asked = asked  # what was asked, so that `explain` need not prepare it again
        self._ask = ask
        self._found: tuple[State, str] | None = ("true", "") if matched else None

    def _answer(self) -> tuple[State, str]:
        if self._found is None:
            self._found = self._ask(self.rule)
        return self._found

    @property
    def state(self) -> State:
        """ "true", "false", "unknown" or "error"."""
        return self._answer()[0]

    @property
    def reason(self) -> str:
        """The runtime's words for "unknown" and "error", else empty."""
        return self._answer()[1]

    def __repr__(self) -> str:
        return f"<Outcome {self.rule.spec.code} {self.state}>"


class Evaluator:
    """Compiled rules, indexed by signal type and market. Holds no state of signals; safe to keep for a
    process's life.
    """

    def __init__(self, rules: Sequence[CompiledRule]) -> None:
        self.rules = tuple(rules)
        self._everywhere: dict[str, list[CompiledRule]] = defaultdict(list)
        self._local: dict[tuple[str, str], list[CompiledRule]] = defaultdict(list)
        for rule in self.rules:
            for signal_type in dict.fromkeys(rule.spec.on):
                if rule.spec.everywhere:
                    self._everywhere[signal_type].append(rule)
                else:
                    for market in dict.fromkeys(rule.spec.markets):
                        self._local[signal_type, market].append(rule)
        self._chunks_everywhere = {name: _chunks(found) for name, found in self._everywhere.items()}
        self._chunks_local = {place: _chunks(found) for place, found in self._local.items()}
        self._plans: dict[tuple[str, str], _Plan] = {}
        self._environment = environment_for(measure for rule in self.rules for measure in rule.measures)

    @property
    def signal_types(self) -> frozenset[str]:
        """Types that any rule listens to."""
        return frozenset(self._everywhere) | {signal_type for signal_type, _ in self._local}

    def rules_for(self, signal_type: str, market: str) -> list[CompiledRule]:
        """The rules a signal of this type in this market is held against, those for all markets first."""
        return self._everywhere.get(signal_type, []) + self._local.get((signal_type, market), [])

    def measures_for(self, signal_type: str, market: str) -> dict[str, MeasureSpec]:
        """What must be computed before `evaluate`, by `MeasureSpec.key`; shared measures once."""
        return {
            measure.key: measure for rule in self.rules_for(signal_type, market) for measure in rule.measures
        }

    def evaluate(self, facts: SignalFacts, measures: Mapping[str, Any]) -> list[Outcome]:
        """One outcome per rule of the signal's type and market; `measures` by `MeasureSpec.key`, a missing
        one is unknown.

        Never raises for what is in the signal. Dates (`effective_from`), cooldown and cap are the caller's.
        """
        plan = self._plan(facts)
        if not plan.chunks:
            return []
        try:
            asking = Asked(self._environment, facts, plan.measures, measures)
        except SignalTooLargeError as refusal:
            reason = str(refusal)
            return [
                Outcome(rule, matched=False, ask=lambda _: ("error", reason))
                for chunk in plan.chunks
                for rule in chunk.rules
            ]
        return [
            Outcome(rule, matched=matched, ask=asking.state)
            for chunk in plan.chunks
            for rule, matched in zip(chunk.rules, chunk.matched(asking.activation), strict=True)
        ]

    def matching(self, facts: SignalFacts, measures: Mapping[str, Any]) -> list[CompiledRule]:
        """Only the rules that match: `evaluate` for those who do not ask why the others did not."""
        plan = self._plan(facts)
        if not plan.chunks:
            return []
        try:
            asking = Asked(self._environment, facts, plan.measures, measures)
        except SignalTooLargeError:
            return []
        found: list[CompiledRule] = []
        for chunk in plan.chunks:
            matched = chunk.matched(asking.activation)
            if matched is not chunk.nothing:
                found += [rule for rule, yes in zip(chunk.rules, matched, strict=True) if yes]
        return found

    def findings(self, facts: SignalFacts, measures: Mapping[str, Any]) -> list[Outcome]:
        """Only what there is to act upon: `evaluate` without the outcomes "false" and "unknown"."""
        plan = self._plan(facts)
        if not plan.chunks:
            return []
        try:
            asking = Asked(self._environment, facts, plan.measures, measures)
        except SignalTooLargeError:
            return self.evaluate(facts, measures)
        found: list[Outcome] = []
        for chunk in plan.chunks:
            for rule, matched in chunk.suspects(asking.activation):
                outcome = Outcome(rule, matched=matched, ask=asking.state, asked=asking)
                if matched or outcome.state == "error":
                    found.append(outcome)
        return found

    def _plan(self, facts: SignalFacts) -> "_Plan":
        place = (facts.signal_type, str(facts.market.get("code", "")))
        plan = self._plans.get(place)
        if plan is None:
            chunks = (*self._chunks_everywhere.get(place[0], ()), *self._chunks_local.get(place, ()))
            measures = {measure.key: measure for chunk in chunks for measure in chunk.measures}
            plan = _Plan(chunks, tuple(measures.values()))
            if chunks:  # types nobody listens to are without number
                self._plans[place] = plan
        return plan


@dataclass(frozen=True, slots=True)
class _Plan:
    chunks: tuple["_Chunk", ...]
    measures: tuple[MeasureSpec, ...]


class _Chunk:
    def __init__(self, rules: Sequence[CompiledRule]) -> None:
        self.rules = tuple(rules)
        self.measures = tuple({measure.key: measure for rule in rules for measure in rule.measures}.values())
        self.nothing = [False] * len(self.rules)

    @cached_property
    def programs(self) -> tuple[cel.Expression, cel.Expression] | None:
        """(any of them, each of them). None when the rules are too deep to be put into one expression."""
        env = environment_for(self.measures)
        try:
            return (
                env.compile(" || ".join(f"({rule.source}\n)" for rule in self.rules)),
                env.compile("[" + ", ".join(f"dyn({rule.source}\n)" for rule in self.rules) + "]"),
            )
        except RuntimeError:
            return None

    def matched(self, activation: cel.Activation) -> Sequence[bool]:
        if len(self.rules) > 1 and self.programs is not None:
            any_of, each_of = self.programs
            first = _result(any_of, activation)
            # a failure of the call itself is one rule's doing, and says nothing of the others
            if first is not None and first.value() is not True:
                return self.nothing
            listed = _result(each_of, activation)
            if listed is not None and listed.type() != cel.Type.ERROR:
                return [value is True for value in listed.plain_value()]
        return [_is_true(rule.program, activation) for rule in self.rules]

    def suspects(self, activation: cel.Activation) -> list[tuple[CompiledRule, bool]]:
        """(rule, whether it matches) for those that match and those that neither hold nor plainly lack a value."""
        if len(self.rules) > 1 and self.programs is not None:
            any_of, each_of = self.programs
            first = _value(any_of, activation)
            if first is False:
                return []  # each one is false, or the whole would be an error
            listed = _result(each_of, activation) if first is True else None
            if listed is not None and listed.type() != cel.Type.ERROR:
                values = listed.plain_value()
                # a rule that yields neither true nor false has failed, though the list did not
                return [
                    (rule, yes is True)
                    for rule, yes in zip(self.rules, values, strict=True)
                    if yes is not False
                ]
        found: list[tuple[CompiledRule, bool]] = []
        for rule in self.rules:
            value = _value(rule.program, activation)
            if value is True or not (value is False or _lacks_value(str(value))):
                found.append((rule, value is True))
        return found


def _chunks(rules: Sequence[CompiledRule]) -> list[_Chunk]:
    """In order. A rule with loops stands alone: it may spend the iteration budget, which is per call."""
    chunks: list[_Chunk] = []
    current: list[CompiledRule] = []

    def close() -> None:
        if current:
            chunks.append(_Chunk(list(current)))
            current.clear()

    for rule in rules:
        size = sum(len(other.source) for other in current) + len(rule.source)
        if rule.loops or len(current) >= _CHUNK_RULES or size > _CHUNK_CHARACTERS:
            close()
        current.append(rule)
        if rule.loops:
            close()
    close()
    return chunks


def _result(program: cel.Expression, activation: cel.Activation) -> cel.Value | None:
    """What a call yields; None when the runtime gives the whole call up (iteration budget, a key twice in a map)."""
    try:
        return program.eval(activation)
    except RuntimeError:
        return None


def _is_true(program: cel.Expression, activation: cel.Activation) -> bool:
    """An ERROR's value is a non-empty text, so nothing but True itself counts."""
    result = _result(program, activation)
    return result is not None and result.value() is True


def _value(program: cel.Expression, activation: cel.Activation) -> Any:
    """True, False, or the runtime's words."""
    try:
        return program.eval(activation).value()
    except RuntimeError as refusal:
        return str(refusal)


class Asked:
    """One signal's activation, and why a rule did not match on it."""

    def __init__(
        self,
        environment: cel.Env,
        facts: SignalFacts,
        wanted: Iterable[MeasureSpec],
        values: Mapping[str, Any],
    ) -> None:
        self.bound = bindings(facts, wanted, values)
        self.activation = environment.Activation(self.bound)

    def state(self, rule: CompiledRule) -> tuple[State, str]:
        return answer(rule.program, self.activation, rule.paths, self.bound, rule.measures)


def bindings(facts: SignalFacts, wanted: Iterable[MeasureSpec], values: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of an activation. Raises SignalTooLargeError.

    A measure without a value is left out, which makes what reads it unknown; only max may be null, when
    nothing was found.
    """
    bound: dict[str, Any] = {
        "signal": safe_record(facts.signal),
        "signal_type": facts.signal_type,
        "signal_time": facts.signal_time.astimezone(UTC),
        "guild": safe_record(facts.guild),
        "creator": safe_record(facts.creator),
        "market": safe_record(facts.market),
    }
    onboarded = facts.guild.get(ONBOARDED[1])
    if onboarded is not None:
        bound[ONBOARDED_VARIABLE] = onboarded.astimezone(UTC)
    for measure in wanted:
        if measure.key in values:
            value = safe_number(values[measure.key])
            if value is not None or measure.nullable:
                bound[measure.variable] = value
    return bound


def answer(
    program: cel.Expression,
    activation: cel.Activation,
    paths: Iterable[tuple[str, ...]],
    bound: Mapping[str, Any],
    measures: Iterable[MeasureSpec] = (),
) -> tuple[State, str]:
    """Evaluate one program and name its state and, for unknown and error, the runtime's reason."""
    try:
        result = program.eval(activation)
    except RuntimeError as refusal:
        return "error", _STATUS.sub("", str(refusal))
    kind = result.type()
    if kind == cel.Type.BOOL:
        return ("true" if result.value() else "false"), ""
    if kind != cel.Type.ERROR:
        return "error", f"yields a {kind.name().lower()}, not true or false"
    reason = str(result.value())
    if _certain_error(reason):
        return "error", reason
    names = {measure.name: measure.variable for measure in measures}
    if _lacks_value(reason) or any(lookup(path, bound, names)[1] is None for path in paths):
        return "unknown", reason
    return "error", reason


def lookup(path: tuple[str, ...], bound: Mapping[str, Any], names: Mapping[str, str]) -> tuple[bool, Any]:
    """(is it there, its value) at a path of the activation; measures are looked up by `names` of their
    variables.
    """
    value: Any = bound
    for index, step in enumerate(path):
        key = names.get(step, step) if index == 0 else step
        if not isinstance(value, Mapping) or key not in value:
            return False, None
        value = value[key]
    return True, value


def _lacks_value(reason: str) -> bool:
    return (
        reason.startswith(("NOT_FOUND", "UNKNOWN: Index error", "UNKNOWN: No value with name"))
        or "null_type" in reason
        or "NoneType" in reason
    )


def _certain_error(reason: str) -> bool:
    return reason.startswith(
        ("OUT_OF_RANGE", "INVALID_ARGUMENT: divide by zero", "INVALID_ARGUMENT: modulus")
    )


class Where:
    """A measure's `where`, evaluated by CEL for those conditions that SQL cannot decide."""

    def __init__(self, expression: str) -> None:
        tree = parse_checked(expression)
        self._program = compile_checked(expression, tree, ())
        self._environment = environment_for(())

    def accepts(self, signal: Mapping[str, Any], signal_type: str, signal_time: datetime) -> bool:
        """True when the condition is true of the signal; unknown, error and too large a signal are not."""
        try:
            bound = bindings(SignalFacts(signal, signal_type, signal_time), (), {})
        except SignalTooLargeError:
            return False
        return _is_true(self._program, self._environment.Activation(bound))
