"""Rules and signals made to hurt, in detection itself: every signal leaves the queue, and other rules go on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from governance.models import Detection, EvaluationFault, PendingSignal, RuleVersion, Violation
from tests import factories
from tests.governance.engine.hostile_worker import hostile_signals
from tests.governance.engine.test_hostile import DEAR, REFUSED
from tests.governance.violations.detecting import arrive, detect

pytestmark = pytest.mark.django_db


def storable(signal: Any) -> bool:
    """What gets past the front door: an object of JSON that PostgreSQL keeps."""
    try:
        text = json.dumps(signal, allow_nan=False)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(signal, dict) and len(text) < 1_000_000 and "\\u0000" not in text and "\\ud8" not in text
    )


def live(name: str, when: str, **spec: Any) -> RuleVersion:
    """A version that is live whatever its condition says."""
    return factories.version(factories.rule(f"H-{name}"), when=when, review="human", **spec)


def test_dear_rules_on_hostile_signals_keep_nobody_waiting() -> None:
    for number, when in enumerate(DEAR.values()):
        live(str(number), when)
    plain = live("PLAIN", "signal.bad == true")
    guild = factories.guild()
    hostile = [signal for signal in hostile_signals() if storable(signal)]
    assert len(hostile) >= 7
    for signal in hostile:
        arrive(guild, data={**signal, "bad": True})
    arrive(guild, data={"bad": True})

    assert detect() == len(hostile) + 1

    assert not PendingSignal.objects.exists()
    faulty = set(EvaluationFault.objects.filter(version=plain).values_list("signal_key_id", flat=True))
    matched = set(Detection.objects.filter(version=plain).values_list("signal_key_id", flat=True))
    assert len(matched) + len(faulty) == len(hostile) + 1
    assert not matched & faulty
    errors = EvaluationFault.objects.filter(version=plain).values_list("error", flat=True)
    assert all("the signal" in error for error in errors)  # too large for any rule, and said so
    assert Violation.objects.filter(version=plain).exists()


def test_a_refused_wording_that_went_live_all_the_same_stops_only_itself() -> None:
    """As it was accepted by an older release, or written into the database by hand."""
    refused = [
        live(str(number), when)
        for number, (when, _) in enumerate(REFUSED.values())
        if len(when) < 10_000 and "\0" not in when and "\ud800" not in when
    ]
    window: dict[str, Any] = {"name": "n", "types": [], "where": None, "window": "9999999d", "per": "guild"}
    refused.append(live("WINDOW", "n > 1", measures=[window]))
    plain = live("PLAIN", "signal.bad == true")
    arrive(factories.guild())

    assert detect() == 1

    assert [violation.version for violation in Violation.objects.all()] == [plain]
    assert {fault.version_id for fault in EvaluationFault.objects.all()} == {
        version.pk for version in refused
    }
    assert all(fault.error for fault in EvaluationFault.objects.all())
    assert not PendingSignal.objects.exists()
