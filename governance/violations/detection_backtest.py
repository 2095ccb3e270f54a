"""What a version would have opened: the evaluator, measures and openings of live detection over stored signals."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from django.db.models import Count, Max, Min, QuerySet

from governance.engine import Evaluator
from governance.rules.models import RuleVersion
from governance.signals.models import Signal
from governance.violations.detection_facts import StoredSignal, registry_of
from governance.violations.detection_judging import verdicts
from governance.violations.detection_openings import Openings
from governance.violations.detection_versions import compiled
from guilds.errors import InvalidInput

CHUNK_SIGNALS = 5_000


@dataclass
class Backtest:
    """Counts of one run. `by_month` is keyed by (market code, "2014-06"), months in UTC; `seconds` is wall time."""

    signals: int = 0
    matches: int = 0
    faults: int = 0
    by_month: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def signals_per_second(self) -> float:
        return self.signals / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Reach:
    """The stored signals a version would be asked about: how many, and from when to when (both included)."""

    signals: int
    first: dt.datetime | None
    last: dt.datetime | None


def _asked(version: RuleVersion, since: dt.datetime | None, until: dt.datetime | None) -> QuerySet[Signal]:
    found = Signal.objects.filter(type__in=version.on).order_by()
    if "*" not in version.markets:
        found = found.filter(market__code__in=version.markets)
    if since is not None:
        found = found.filter(time__gte=since)
    if until is not None:
        found = found.filter(time__lt=until)
    return found


def backtest_reach(
    version: RuleVersion, *, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> Reach:
    """How much a backtest has to read; times since ≤ t < until."""
    found = _asked(version, since, until).aggregate(signals=Count("pk"), first=Min("time"), last=Max("time"))
    return Reach(**found)


def backtest(
    version: RuleVersion,
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    progress: Callable[[int], object] | None = None,
    opened: Callable[[StoredSignal], object] | None = None,
) -> Backtest:
    """Run a version over stored signals with since ≤ t < until and count the violations it would open. Writes nothing.

    Windows are as of each signal's own time, cooldown and joining as live; status, live periods, `effective_from` and cap
    are left out, for the question is what the wording finds. Guilds and creators are seen as the registry is now. Memory stays
    flat: signals are read month by month in chunks. `opened` gets the signal of each violation. Raises
    InvalidInput when the wording does not compile.
    """
    rule = compiled(version)
    if isinstance(rule, str):
        raise InvalidInput(f"{version} cannot be evaluated: {rule}")
    found = Backtest()
    began = time.monotonic()
    evaluator = Evaluator([rule])
    own, cooldown = rule.spec.charge == "own", rule.spec.cooldown
    standing: Openings[bool] = Openings()
    for chunk in _chunks(version, since, until):
        registry = registry_of(chunk)
        for verdict in verdicts(evaluator, chunk, registry):
            signal = verdict.signal
            if verdict.fault:
                found.faults += 1
                continue
            subject = (version.rule_id, signal.subject(own_act=own))
            if standing.at(subject, signal.time) or standing.shields(subject, signal.time, cooldown):
                continue
            standing.add(subject, signal.time, True)
            found.matches += 1
            found.by_month[registry.market_code(signal.market_id), f"{signal.time:%Y-%m}"] += 1
            if opened is not None:
                opened(signal)
        standing.forget_before(chunk[-1].time - cooldown)
        found.signals += len(chunk)
        if progress is not None:
            progress(len(chunk))
    found.seconds = time.monotonic() - began
    return found


def _chunks(
    version: RuleVersion, since: dt.datetime | None, until: dt.datetime | None
) -> Iterator[list[StoredSignal]]:
    """In order of time, month by month, so that PostgreSQL never sorts more than one month."""
    reach = backtest_reach(version, since=since, until=until)
    if reach.first is None or reach.last is None:
        return
    month = reach.first.astimezone(dt.UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while month <= reach.last:
        following = (month + dt.timedelta(days=32)).replace(day=1)
        rows = (
            _asked(version, since, until)
            .filter(time__gte=month, time__lt=following)
            .order_by("time", "id")
            .values_list(
                "id", "time", "type", "guild_id", "named_guild_id", "creator_id", "market_id", "data"
            )
            .iterator(chunk_size=CHUNK_SIGNALS)
        )
        while chunk := [StoredSignal._make(row) for row in islice(rows, CHUNK_SIGNALS)]:
            yield chunk
        month = following
