"""What a wording would have opened: the evaluator, measures and openings of live detection over stored signals.

Signals are taken span by span. For most wordings one SQL statement measures and narrows a span, see backtest_spans; few
signals among many, and what PostgreSQL refuses, are judged in batches as live detection does. Both find the same.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from django.db import DataError, InternalError, NotSupportedError, ProgrammingError, connection, transaction
from django.db.models import Count, Max, Min, QuerySet

from governance.engine import CompiledRule, Evaluator
from governance.rules.models import RuleVersion
from governance.signals.models import Signal
from governance.violations.backtest_spans import EPOCH, MICROSECOND, Judged, SpanReader, judged
from governance.violations.detection_facts import StoredSignal, market_registry, registry_of
from governance.violations.detection_judging import verdicts
from governance.violations.detection_versions import compiled
from guilds.errors import InvalidInput
from guilds.models import Market

CHUNK_SIGNALS = 5_000
#: A span has about so many signals, more where windows are long: what a window looks back on is read again for each span.
SPAN_SIGNALS = 500_000
LONGEST_SPAN_SIGNALS = 8 * SPAN_SIGNALS
#: In a batch a signal takes about as long as so many take in a span.
BATCH_COST = 20
#: Openings after which those too old to matter are forgotten.
FORGET_AFTER = 20_000
#: Bytes that a signal takes in its table, roughly; for sizes of spans only.
_BYTES = 250


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


class Span(NamedTuple):
    """since ≤ t < until; `size` is roughly how many signals of all kinds lie in it."""

    since: dt.datetime
    until: dt.datetime
    size: int


@dataclass(frozen=True)
class Asked:
    """The signals a rule is asked about: its types, its markets, and of these the wanted ones (codes; none: all)."""

    rule: CompiledRule
    markets: tuple[str, ...] = ()

    @cached_property
    def codes(self) -> frozenset[str] | None:
        """Market codes; None is every market."""
        own = None if self.rule.spec.everywhere else frozenset(self.rule.spec.markets)
        if not self.markets:
            return own
        return frozenset(self.markets) if own is None else own & frozenset(self.markets)

    @cached_property
    def market_ids(self) -> list[int] | None:
        if self.codes is None:
            return None
        return list(Market.objects.filter(code__in=self.codes).order_by("pk").values_list("pk", flat=True))

    def signals(self, since: dt.datetime | None, until: dt.datetime | None) -> QuerySet[Signal]:
        found = Signal.objects.filter(type__in=self.rule.spec.on).order_by()
        if self.market_ids is not None:
            found = found.filter(market__in=self.market_ids)
        if since is not None:
            found = found.filter(time__gte=since)
        if until is not None:
            found = found.filter(time__lt=until)
        return found


def compiled_or_refused(version: RuleVersion) -> CompiledRule:
    """The version's rule; InvalidInput when the wording does not compile."""
    rule = compiled(version)
    if isinstance(rule, str):
        raise InvalidInput(f"{version} cannot be evaluated: {rule}")
    return rule


def backtest_reach(
    version: RuleVersion, *, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> Reach:
    """How much a backtest has to read; times since ≤ t < until. InvalidInput when the wording does not compile."""
    found = Asked(compiled_or_refused(version)).signals(since, until)
    return Reach(**found.aggregate(signals=Count("pk"), first=Min("time"), last=Max("time")))


def backtest(
    version: RuleVersion,
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    progress: Callable[[int], object] | None = None,
    opened: Callable[[Judged], object] | None = None,
) -> Backtest:
    """Run a version over stored signals with since ≤ t < until and count the violations it would open. Writes nothing.

    Windows are as of each signal's own time, cooldown and joining as live; status, live periods, `effective_from` and cap
    are left out, for the question is what the wording finds. Guilds and creators are seen as the registry is now. Memory stays
    flat. `opened` gets each violation. Raises InvalidInput when the wording does not compile.
    """
    began = time.monotonic()
    found = Backtest()
    run = Rehearsal(Asked(compiled_or_refused(version)))
    for span in spans(since, until, lookback=run.lookback):
        with transaction.atomic():
            signals = run.judge(span, found, opened)
        if progress is not None:
            progress(signals)
    found.seconds = time.monotonic() - began
    return found


def spans(
    since: dt.datetime | None,
    until: dt.datetime | None,
    *,
    lookback: dt.timedelta = dt.timedelta(0),
    signals: int = SPAN_SIGNALS,
) -> Iterator[Span]:
    """Spans that cover every stored signal with since ≤ t < until, in order; whole months but for the ends.

    A span of about `signals` signals at least; with long windows longer ones, so that not most of the work is looking back.
    """
    found: Span | None = None
    for month, size in _months():
        following = (month + dt.timedelta(days=32)).replace(day=1)
        first, last = max(month, since or month), min(following, until or following)
        if first >= last:
            continue
        part = Span(first, last, int(size * ((last - first) / (following - month))))
        found = part if found is None else Span(found.since, last, found.size + part.size)
        long_enough = found.size >= signals and found.until - found.since >= 2 * lookback
        if long_enough or found.size >= LONGEST_SPAN_SIGNALS:
            yield found
            found = None
    if found is not None:
        yield found


def _months() -> list[tuple[dt.datetime, int]]:
    """(first moment, about how many signals) of every month's partition, in order. Nothing is read but the catalogue."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT to_date(right(c.relname, 6), 'YYYYMM'), pg_relation_size(c.oid) / %s
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'governance_signal'::regclass ORDER BY c.relname""",
            [_BYTES],
        )
        return [(dt.datetime(day.year, day.month, 1, tzinfo=dt.UTC), size) for day, size in cursor.fetchall()]


#: Guild and creator charged.
Subject = tuple[int, int | None]


class Rehearsal:
    """One wording on its way through the signals, in order of their time.

    `standing` is the moment of each subject's last opening (microseconds since 1970), as long as later matches may fall in
    with it. In order of time that is all of detection_openings that matters: what stands later is not there yet.
    """

    def __init__(self, asked: Asked, standing: dict[Subject, int] | None = None) -> None:
        self.asked = asked
        self.rule = asked.rule
        self.standing: dict[Subject, int] = standing or {}
        self.evaluator = Evaluator([self.rule])
        self.own_act = self.rule.spec.charge == "own"
        self.cooldown = self.rule.spec.cooldown // MICROSECOND
        self.markets = market_registry()
        self.reader = SpanReader(self.rule, self.evaluator, asked.market_ids or [], self.markets)
        self.lookback = self.reader.statement.lookback
        self.unforgotten = 0

    def judge(self, span: Span, found: Backtest, opened: Callable[[Judged], object] | None = None) -> int:
        """Judge one span and add to the counts; spans must come in order. Returns the number of signals asked about.

        Wants a transaction.
        """
        if self.asked.codes is not None and not self.asked.market_ids:
            return 0
        signals = self.asked.signals(span.since, span.until).count()
        found.signals += signals
        if signals:
            quick = self.reader.statement.narrows and signals * BATCH_COST > span.size
            self.take(self.quick(span) if quick else self.batches(span), found, opened)
        return signals

    def take(
        self, said: Iterator[Judged], found: Backtest, opened: Callable[[Judged], object] | None
    ) -> None:
        month, month_ends = "", 0
        for match in said:
            if match.fault:
                found.faults += 1
                continue
            _, at, guild_id, creator_id, market_id, _ = match
            if self.settled(at, guild_id, creator_id):
                continue
            self.standing[guild_id, creator_id] = at
            found.matches += 1
            if at >= month_ends:
                month, month_ends = _month_of(match.time)
            found.by_month[self.markets.market_code(market_id), month] += 1
            if opened is not None:
                opened(match)
            self.unforgotten += 1
            if self.unforgotten >= max(FORGET_AFTER, len(self.standing) // 2):
                self.forget_before(at)

    def forget_before(self, at: int) -> None:
        """Nothing before this moment is to come."""
        self.standing = {
            subject: last for subject, last in self.standing.items() if last >= at - self.cooldown
        }
        self.unforgotten = 0

    def settled(self, at: int, guild_id: int, creator_id: int | None) -> bool:
        """Whether a match would open nothing: it joins a violation of its moment, or falls into a cooldown."""
        last = self.standing.get((guild_id, creator_id))
        return last is not None and (last == at or at - last < self.cooldown)

    def quick(self, span: Span) -> Iterator[Judged]:
        begun = False
        try:
            with transaction.atomic():
                for said in self.reader.said(span.since, span.until, self.settled):
                    begun = True
                    yield said
        except (DataError, InternalError, NotSupportedError, ProgrammingError):
            # Such as a sum beyond PostgreSQL's numbers. Batches isolate the measure and count its faults.
            if begun:
                raise
            yield from self.batches(span)

    def batches(self, span: Span) -> Iterator[Judged]:
        rows = (
            self.asked.signals(span.since, span.until)
            .order_by("time", "id")
            .values_list(
                "id", "time", "type", "guild_id", "named_guild_id", "creator_id", "market_id", "data"
            )
            .iterator(chunk_size=CHUNK_SIGNALS)
        )
        while chunk := [StoredSignal._make(row) for row in islice(rows, CHUNK_SIGNALS)]:
            for verdict in verdicts(self.evaluator, chunk, registry_of(chunk)):
                yield judged(verdict.signal, verdict.fault, own_act=self.own_act)


def _month_of(time: dt.datetime) -> tuple[str, int]:
    """ "2014-06", and the moment at which the next month begins."""
    following = (
        time.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + dt.timedelta(days=32)
    ).replace(day=1)
    return f"{time:%Y-%m}", (following - EPOCH) // MICROSECOND
