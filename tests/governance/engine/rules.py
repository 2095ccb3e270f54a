"""Rules and facts for the tests of the engine."""

from datetime import UTC, datetime
from typing import Any

from governance.engine import CompiledRule, MeasureSpec, RuleSpec, SignalFacts, compile_rule

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
GUILD = {
    "id": "g1",
    "name": "Aurora",
    "tier": "gold",
    "status": "active",
    "provisional": False,
    "market": "NO",
}
MARKET = {"code": "NO", "name": "Norway", "timezone": "Europe/Oslo", "languages": ["nb"], "regime": "eu"}


def spec(when: str, *measures: MeasureSpec, **fields: Any) -> RuleSpec:
    """A rule on signals of type "t" in every market."""
    usual: dict[str, Any] = {
        "code": "R-1",
        "name": "A rule",
        "risk": "HYG",
        "violation_code": "HYG-01",
        "severity": "S2",
        "on": ("t",),
    }
    return RuleSpec(**{**usual, "when": when, "measures": measures, **fields})


def rule(when: str, *measures: MeasureSpec, **fields: Any) -> CompiledRule:
    """The same, compiled; its ref is its code."""
    made = spec(when, *measures, **fields)
    return compile_rule(made, ref=made.code)


def facts(signal: Any, **fields: Any) -> SignalFacts:
    """A signal of type "t" at noon in Norway."""
    usual: dict[str, Any] = {"signal_type": "t", "signal_time": NOON, "guild": GUILD, "market": MARKET}
    return SignalFacts(signal=signal, **{**usual, **fields})
