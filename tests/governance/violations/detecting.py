"""What the tests of detection have in common: signals that wait, and detection of whatever waits."""

from __future__ import annotations

import datetime as dt
from typing import Any

from governance.models import PendingSignal, RuleVersion, Signal, Violation
from governance.signals.models import SHARDS
from governance.violations.services import detect_batch
from guilds.models import Guild
from tests import factories

START = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def arrive(guild: Guild, day: float = 0, *, version: RuleVersion | None = None, **fields: Any) -> Signal:
    """A signal `day` days after START, stored and waiting to be judged."""
    signal = factories.signal(guild, time=fields.pop("time", START + day * DAY), **fields)
    wait(signal, version=version)
    return signal


def wait(signal: Signal, *, version: RuleVersion | None = None) -> None:
    PendingSignal.objects.create(
        signal_id=signal.pk, shard=signal.guild_id % SHARDS, time=signal.time, version=version
    )


def detect() -> int:
    """Judge everything that waits; returns how many rows left the queue."""
    evaluated = 0
    for shard in range(SHARDS):
        while done := detect_batch(shard=shard):
            evaluated += done
    return evaluated


def days(version: RuleVersion | None = None) -> list[float]:
    """When violations occurred, in days since START, in order."""
    found = Violation.objects.filter(version=version) if version else Violation.objects.all()
    return sorted((violation.occurred_at - START) / DAY for violation in found)
