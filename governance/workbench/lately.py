"""What a wording would have made of the signals last stored, and which other rules caught the same: an answer at once, where a
backtest takes its time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from governance.engine import Evaluator, RuleSpec
from governance.rules.models import RuleVersion
from governance.signals.models import Signal
from governance.signals.selectors import signals_visible_to
from governance.violations.detection_facts import StoredSignal, registry_of
from governance.violations.detection_judging import verdicts
from governance.violations.models import Detection
from governance.workbench.trying import compiled_or_reason
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput

LOOKED_AT = 500
SAMPLES = 8
SUMMARY_LENGTH = 90


@dataclass
class Lately:
    """`overlap` is (rule code, signals both caught), most first; `samples` are signals that matched."""

    looked_at: int = 0
    matched: int = 0
    faults: int = 0
    overlap: list[tuple[str, int]] = field(default_factory=list)
    samples: list[Signal] = field(default_factory=list)


def recent_signals(actor: Actor, spec: RuleSpec, signal_type: str = "") -> Any:
    """Signals the rule would be asked about, within the actor's markets, last stored first."""
    types = [signal_type] if signal_type else list(spec.on)
    found = signals_visible_to(actor).filter(type__in=types).select_related("guild", "market")
    if not spec.everywhere:
        found = found.filter(market__code__in=spec.markets)
    return found.order_by("-id")


def lately(actor: Actor, version: RuleVersion, spec: RuleSpec) -> Lately:
    """Run the wording over the signals last stored. Writes nothing; cooldowns are left out. InvalidInput for a faulty one."""
    rule = compiled_or_reason(spec)
    if isinstance(rule, str):
        raise InvalidInput(rule, field="when")
    stored = list(recent_signals(actor, spec)[:LOOKED_AT])
    rows = [
        StoredSignal(
            row.pk,
            row.time,
            row.type,
            row.guild_id,
            row.named_guild_id,
            row.creator_id,
            row.market_id,
            row.data,
        )
        for row in stored
    ]
    found = Lately(looked_at=len(stored))
    matched: set[int] = set()
    for verdict in verdicts(Evaluator([rule]), rows, registry_of(rows)):
        if verdict.fault:
            found.faults += 1
        else:
            matched.add(verdict.signal.id)
    found.matched = len(matched)
    found.samples = [row for row in stored if row.pk in matched][:SAMPLES]
    caught: Counter[str] = Counter()
    others = Detection.objects.filter(signal_key_id__in=matched).exclude(version__rule_id=version.rule_id)
    for code, _signal in others.values_list("version__rule__code", "signal_key_id").distinct():
        caught[code] += 1
    found.overlap = caught.most_common(10)
    return found


def summary(signal: Signal) -> str:
    """A signal in one line, for picking it from a list."""
    pairs = signal.data.items() if isinstance(signal.data, dict) else ()
    told = ", ".join(f"{name} {value}" for name, value in pairs if not isinstance(value, dict | list))
    return told if len(told) <= SUMMARY_LENGTH else f"{told[:SUMMARY_LENGTH]}…"
