"""How often each rule fired in the last day, market by market, against its own history: what alarms are raised from."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db import connection
from django.db.models import Max, Q
from django.utils import timezone

from governance.ledger.models import Event
from governance.rules.enums import VersionStatus
from governance.rules.models import LivePeriod, Rule, RuleVersion
from governance.rules.selectors import periods_covering
from governance.violations.alarm_test import FAR, rejected, silence_p, surge_p
from governance.violations.enums import AlarmKind, AlarmState, AlarmStatus
from governance.violations.models import Alarm
from guilds.models import Market

WINDOW = dt.timedelta(hours=24)
BASELINE_DAYS = 28
#: A rule needs this much history in a market, and this many violations expected or found, before it is tested there.
LEAST_DAYS = 14
LEAST_COUNT = 5


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One rule in one market: `observed` in [until − 24 h, until) and `before` in the `baseline_days` days before that.

    `tested` says whether there was enough to test at all, and for what.
    """

    rule_id: int
    market_id: int
    until: dt.datetime
    observed: int
    before: int
    baseline_days: int
    tested: frozenset[AlarmKind]

    @property
    def since(self) -> dt.datetime:
        return self.until - WINDOW

    @property
    def expected(self) -> float:
        return self.before / self.baseline_days if self.baseline_days else 0.0

    def p_value(self, kind: AlarmKind) -> float:
        test = surge_p if kind == AlarmKind.SURGE else silence_p
        return test(self.observed, self.before, self.baseline_days)

    def is_far(self, kind: AlarmKind) -> bool:
        if kind == AlarmKind.SURGE:
            return self.observed >= FAR * self.expected
        return self.observed * FAR <= self.expected


@dataclass(frozen=True, kw_only=True)
class Outlier:
    """A reading that a test rejects."""

    reading: Reading
    kind: AlarmKind
    p_value: float


def readings(now: dt.datetime, *, rule_ids: Collection[int] | None = None) -> list[Reading]:
    """Every rule and market where a version is live now, of all rules or of some. Seven queries, whatever their number.

    History counts from the rule's first live period in the market, or from its creation where that is later: a back-dated
    period is no history. A day in which a person or a cap paused or resumed the rule says nothing about silence.
    """
    begun = _live_since(now, rule_ids)
    counts = _counts({rule_id for rule_id, _ in begun}, now)
    stirred = _stirred({rule_id for rule_id, _ in begun}, now - WINDOW)
    found = []
    for (rule_id, market_id), since in sorted(begun.items()):
        days = min(max((now - WINDOW - since).days, 0), BASELINE_DAYS)
        by_day = counts.get((rule_id, market_id), {})
        observed = by_day.get(0, 0)
        before = sum(count for day, count in by_day.items() if 1 <= day <= days)
        enough = days >= LEAST_DAYS and max(observed, before / max(days, 1)) >= LEAST_COUNT
        kinds = frozenset(AlarmKind) if rule_id not in stirred else frozenset({AlarmKind.SURGE})
        found.append(
            Reading(
                rule_id=rule_id,
                market_id=market_id,
                until=now,
                observed=observed,
                before=before,
                baseline_days=days,
                tested=kinds if enough else frozenset(),
            )
        )
    return found


def outliers(found: Iterable[Reading]) -> list[Outlier]:
    """The readings far outside their history; the error rate holds over all the tests of this one family."""
    tests = [
        Outlier(reading=reading, kind=kind, p_value=reading.p_value(kind))
        for reading in found
        for kind in sorted(reading.tested)
    ]
    verdicts = rejected([test.p_value for test in tests])
    return [
        test
        for test, is_rejected in zip(tests, verdicts, strict=True)
        if is_rejected and test.reading.is_far(test.kind)
    ]


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What a rule's page says of one market."""

    market: Market
    state: AlarmState
    reading: Reading
    alarms: tuple[Alarm, ...]


def watched(rule: Rule, *, market_ids: Collection[int] | None) -> list[Watched]:
    """How the rule stands in each market where it is live, or where an alarm is open; raised ones first.

    `market_ids` bounds it to the reader's markets, None to none.
    """
    now = timezone.now()
    by_market = {reading.market_id: reading for reading in readings(now, rule_ids=[rule.pk])}
    alarms: dict[int, list[Alarm]] = defaultdict(list)
    for alarm in Alarm.objects.filter(rule=rule, status=AlarmStatus.OPEN).order_by("id"):
        alarms[alarm.market_id].append(alarm)
    markets = Market.objects.filter(pk__in={*by_market, *alarms})
    if market_ids is not None:
        markets = markets.filter(pk__in=market_ids)
    rank = list(AlarmState)
    found = [
        Watched(
            market=market,
            state=_state(by_market.get(market.pk), alarms[market.pk]),
            reading=by_market.get(market.pk) or _nothing(rule.pk, market.pk, now),
            alarms=tuple(alarms[market.pk]),
        )
        for market in markets.order_by("code")
    ]
    return sorted(found, key=lambda one: (rank.index(one.state), -one.reading.observed))


def _state(reading: Reading | None, alarms: Collection[Alarm]) -> AlarmState:
    if alarms:
        return AlarmState.RAISED
    if reading is not None and reading.tested:
        return AlarmState.QUIET
    return AlarmState.INSUFFICIENT


def _nothing(rule_id: int, market_id: int, now: dt.datetime) -> Reading:
    return Reading(
        rule_id=rule_id,
        market_id=market_id,
        until=now,
        observed=0,
        before=0,
        baseline_days=0,
        tested=frozenset(),
    )


def _live_since(now: dt.datetime, rule_ids: Collection[int] | None) -> dict[tuple[int, int], dt.datetime]:
    """Where a version is live now, by rule and market: since when the rule has a history there."""
    live = RuleVersion.objects.filter(status=VersionStatus.LIVE)
    if rule_ids is not None:
        live = live.filter(rule__in=rule_ids)
    now_live = list(
        LivePeriod.objects.filter(periods_covering(now), version__in=live).values_list(
            "version__rule_id", "market_id", "version__markets"
        )
    )
    rules = {rule_id for rule_id, _, _ in now_live}
    created = dict(Rule.objects.filter(pk__in=rules).values_list("pk", "created_at"))
    markets = dict(Market.objects.values_list("pk", "code"))
    places = {
        (rule_id, market)
        for rule_id, market_id, named in now_live
        for market in _markets_of(market_id, markets)
        if "*" in named or markets[market] in named
    }
    first: dict[tuple[int, int], dt.datetime] = {}
    for rule_id, market_id, starts_at in LivePeriod.objects.filter(
        ~Q(ends_at__lte=now - WINDOW - dt.timedelta(days=BASELINE_DAYS)), version__rule__in=rules
    ).values_list("version__rule_id", "market_id", "starts_at"):
        for market in _markets_of(market_id, markets):
            if (place := (rule_id, market)) in places:
                first[place] = min(first.get(place, now), starts_at)
    return {place: max(since, created[place[0]]) for place, since in first.items()}


def _markets_of(period_market: int | None, every: Collection[int]) -> Collection[int]:
    return every if period_market is None else (period_market,)


# Day 0 is the window, day 1 the day before it.
_BY_DAY = """
SELECT rule_id, market_id, floor(extract(epoch FROM %(now)s - detected_at) / 86400)::integer AS day, count(*)
FROM governance_violation
WHERE rule_id = ANY(%(rules)s) AND detected_at > %(since)s AND detected_at <= %(now)s
GROUP BY rule_id, market_id, day
"""


def _counts(rule_ids: Collection[int], now: dt.datetime) -> dict[tuple[int, int], dict[int, int]]:
    found: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        since = now - WINDOW - dt.timedelta(days=BASELINE_DAYS)
        cursor.execute(_BY_DAY, {"rules": sorted(rule_ids), "since": since, "now": now})
        for rule_id, market_id, day, count in cursor.fetchall():
            found[rule_id, market_id][day] = count
    return found


def _stirred(rule_ids: Collection[int], since: dt.datetime) -> set[int]:
    """Rules of which a version was paused or resumed since the moment."""
    labels = {
        f"{code}/{number}": rule_id
        for rule_id, code, number in RuleVersion.objects.filter(rule__in=rule_ids).values_list(
            "rule", "rule__code", "number"
        )
    }
    acts = ("rule_version.paused", "rule_version.resumed")
    events = (
        Event.objects.filter(object_type=RuleVersion.ledger_type, object_id__in=labels, act__in=acts)
        .order_by()
        .values_list("object_id")
        .annotate(last=Max("at"))
    )
    return {labels[label] for label, last in events if last > since}
