"""A process that checks and evaluates rules, so that a test can stop it when it does not come back."""

import multiprocessing
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from multiprocessing.connection import Connection
from typing import Any

from governance.engine import Evaluator, RuleSpec, SignalFacts, check_rule, compile_rule, explain
from tests.governance.engine.rules import GUILD, MARKET, facts

PATIENCE = 10  # seconds: only what is stuck takes so long
MEMORY = 2 * 1024**3


def deep(levels: int) -> Any:
    """A list in a list in a list."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def wide(levels: int) -> dict[str, Any]:
    """An object in an object in an object."""
    value: dict[str, Any] = {"x": 1}
    for _ in range(levels):
        value = {"x": value, "l": [value]}
    return value


@cache
def hostile_signals() -> list[Any]:
    """What a source might send to hurt; made here, as no pipe carries the deepest of them."""
    return [
        None,
        [],
        "text",
        {},
        {"x": None, "y": None, "l": None, "n": None},
        {"x": "a" * 16_384, "y": "a" * 8_192 + "b", "l": ["a"] * 1_900, "n": 0},
        {"x": "a" * 16_384, "y": "ab" * 8_192, "l": [["a"] * 40] * 45, "n": -(2**63)},
        {"x": "a" * 100_000, "y": "", "l": [{"m": ["b"] * 40}] * 45, "n": 2**63 - 1},
        {"x": ["a" * 30] * 1_900, "y": {}, "l": [{"m": [0]}] * 600, "n": 10**400},
        {"x": deep(30), "y": deep(31), "l": [deep(20)] * 40, "n": float("nan")},
        {"x": deep(100_000)},
        {"x": wide(12)},
        {"x": list(range(1_000_000))},
        {"x": "a" * 50_000_000},
        {str(number): number for number in range(100_000)},
        {"x": "\ud800", "y": "\0", "\ud800": 1, "l": [None, True, 1.5, "x", {}], "n": float("-inf")},
        {"x": "../../etc/passwd", "y": "9" * 16_000, "l": [[]], "n": True},
        {"x": "9999-12-31T23:59:59Z", "y": "-999999999h", "l": [{"m": None}], "n": "1"},
    ]


def hostile_people() -> list[SignalFacts]:
    """Guilds, creators and markets that are too much, each beside an empty signal; the third is only odd."""
    return [
        facts({}, guild={**GUILD, "name": "a" * 1_000_000}),
        facts({}, guild={**GUILD, "tier": deep(100_000)}),
        facts({}, guild={**GUILD, "name": "\ud800\0"}),
        facts({}, market={**MARKET, "languages": ["x"] * 100_000}),
        facts({}, creator={"id": deep(40)}),
    ]


def serve(wire: Connection) -> None:
    """Answer (question, spec) until the other side is gone; what a question raises is its answer."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    questions: dict[str, Callable[[RuleSpec], list[str]]] = {
        "check": faults,
        "signals": lambda spec: outcomes(spec, [facts(signal) for signal in hostile_signals()]),
        "people": lambda spec: outcomes(spec, hostile_people()),
    }
    while True:
        try:
            question, spec = wire.recv()
        except EOFError:
            return
        try:
            wire.send(questions[question](spec))
        except Exception as crash:  # noqa: BLE001 -- the test tells a crash from an answer
            wire.send([f"crashed: {crash!r:.500}"])


def faults(spec: RuleSpec) -> list[str]:
    """What is wrong with the rule."""
    return [str(fault) for fault in check_rule(spec)]


def outcomes(spec: RuleSpec, signals: list[SignalFacts]) -> list[str]:
    """What a rule that was accepted says of signals; its explanation must say the same."""
    rule = compile_rule(spec)
    evaluator = Evaluator([rule])
    found: list[str] = []
    for signal in signals:
        values: dict[str, Any] = dict.fromkeys((measure.key for measure in rule.measures), 1)
        [outcome] = evaluator.evaluate(signal, values)
        told = explain(rule, signal, values)["state"]
        found.append(outcome.state if told == outcome.state else f"{outcome.state}, explained as {told}")
    return found


class Worker:
    """The process, started anew after it was stopped."""

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("spawn")
        self.start()

    def start(self) -> None:
        self.wire, other = self.context.Pipe()
        self.process = self.context.Process(target=serve, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def ask(self, question: str, spec: RuleSpec) -> list[str]:
        """The answer; ["stuck"] when it takes longer than PATIENCE, ["died"] when there is none."""
        self.wire.send((question, spec))
        try:
            if self.wire.poll(PATIENCE):
                return list(self.wire.recv())
        except (EOFError, ConnectionError):
            self.restart()
            return ["died"]
        self.restart()
        return ["stuck"]

    def restart(self) -> None:
        self.stop()
        self.start()

    def stop(self) -> None:
        self.wire.close()
        self.process.kill()
        self.process.join()


@contextmanager
def worker() -> Iterator[Worker]:
    """One process for many questions."""
    process = Worker()
    try:
        yield process
    finally:
        process.stop()
