"""Which rule versions a batch of signals meets: those live, paused or in shadow now, and superseded ones for the days they
were in force.

The wording of a version never changes, so compiled rules are kept for the life of the process. What does change, status and live
periods, is read anew for every batch: a pause holds from the next batch on.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from django.db.models import Exists, OuterRef, Q

from governance.engine import CompiledRule, Evaluator, RuleError, RuleSpec, compile_rule
from governance.rules.enums import VersionStatus
from governance.rules.models import LivePeriod, RuleVersion
from governance.rules.selectors import CURRENT

#: A version by its key and the moment it was last written, so that a reused key in another database is another version.
Wording = tuple[int, dt.datetime]

_compiled: dict[Wording, CompiledRule | str] = {}


@dataclass(frozen=True, kw_only=True)
class Period:
    """[starts_at, ends_at) in one market, or in every one the version names (None)."""

    market_id: int | None
    starts_at: dt.datetime
    ends_at: dt.datetime | None

    def covers(self, market_id: int, at: dt.datetime) -> bool:
        return (
            self.starts_at <= at
            and (self.ends_at is None or at < self.ends_at)
            and self.market_id in (None, market_id)
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class VersionInPlay:
    """A version as detection needs it; `rule` is None and `fault` says why when its wording does not compile."""

    id: int
    rule_id: int
    code: str
    number: int
    status: str
    violation_code: str
    severity: str
    review: str
    cap: int | None
    on: frozenset[str]
    markets: frozenset[str]
    periods: tuple[Period, ...]
    wording: Wording
    rule: CompiledRule | None
    fault: str

    @property
    def label(self) -> str:
        return f"{self.code}/{self.number}"

    @property
    def is_shadow(self) -> bool:
        return self.status == VersionStatus.SHADOW

    @cached_property
    def cooldown(self) -> dt.timedelta:
        return self.rule.spec.cooldown if self.rule else dt.timedelta(0)

    @cached_property
    def charges_own_act(self) -> bool:
        return self.rule is not None and self.rule.spec.charge == "own"

    def governs(self, signal_type: str, market_code: str) -> bool:
        return signal_type in self.on and ("*" in self.markets or market_code in self.markets)


def compiled(version: RuleVersion) -> CompiledRule | str:
    """The version's rule, or why it cannot be compiled."""
    wording = (version.pk, version.written_at)
    if wording not in _compiled:
        try:
            _compiled[wording] = compile_rule(RuleSpec.from_dict(version.spec), ref=version.pk)
        except (RuleError, KeyError, TypeError, ValueError) as error:
            _compiled[wording] = f"{type(error).__name__}: {error}"
    return _compiled[wording]


class VersionsInPlay:
    """The versions of one batch, and which of them is in force for a signal."""

    def __init__(self, versions: Iterable[VersionInPlay]) -> None:
        self.by_id = {version.id: version for version in versions}
        self._by_rule: dict[int, list[VersionInPlay]] = defaultdict(list)
        for version in self.by_id.values():
            if not version.is_shadow:
                self._by_rule[version.rule_id].append(version)
        for found in self._by_rule.values():
            # The newest wording that covers a moment is the one in force.
            found.sort(key=lambda version: (version.status not in CURRENT, -version.number))
        self.paused_rules = frozenset(
            version.rule_id for version in self.by_id.values() if version.status == VersionStatus.PAUSED
        )
        self._waiting_by_type = self._by_type(
            version
            for version in self.by_id.values()
            if version.rule_id in self.paused_rules and not version.is_shadow
        )
        self._broken_by_type = self._by_type(
            version
            for version in self.by_id.values()
            if version.rule is None and (version.is_shadow or version.rule_id not in self.paused_rules)
        )

    @staticmethod
    def _by_type(versions: Iterable[VersionInPlay]) -> dict[str, list[VersionInPlay]]:
        found: dict[str, list[VersionInPlay]] = defaultdict(list)
        for version in versions:
            for signal_type in version.on:
                found[signal_type].append(version)
        return found

    def applies(self, version: VersionInPlay, market_id: int, at: dt.datetime) -> bool:
        """Whether this is the version of its rule to be asked about a signal; one in shadow is always asked."""
        if version.is_shadow:
            return True
        for other in self._by_rule[version.rule_id]:
            if any(period.covers(market_id, at) for period in other.periods):
                return other is version
        return False

    def narrowed(self, version_id: int) -> frozenset[int]:
        """What a second evaluation is about: the version in shadow alone, or the rule's version of that day."""
        version = self.by_id.get(version_id)
        if version is None:
            return frozenset()
        if version.is_shadow:
            return frozenset({version_id})
        return frozenset(other.id for other in self._by_rule[version.rule_id])

    def evaluator(self, wanted: frozenset[int] | None) -> Evaluator:
        """For every version that runs, or for the wanted ones of them."""
        return _evaluator(
            tuple(
                version.wording
                for version in self.by_id.values()
                if version.rule is not None
                and (version.is_shadow or version.rule_id not in self.paused_rules)
                and (wanted is None or version.id in wanted)
            )
        )

    def waiting(self, signal_type: str) -> Sequence[VersionInPlay]:
        """Versions of paused rules that would have been asked about signals of this type."""
        return self._waiting_by_type.get(signal_type, ())

    def broken(self, signal_type: str) -> Sequence[VersionInPlay]:
        """Versions whose wording does not compile and that would have been asked about signals of this type."""
        return self._broken_by_type.get(signal_type, ())


@lru_cache(maxsize=64)
def _evaluator(wordings: tuple[Wording, ...]) -> Evaluator:
    rules = [_compiled[wording] for wording in wordings]
    return Evaluator([rule for rule in rules if isinstance(rule, CompiledRule)])


def versions_in_play(since: dt.datetime, until: dt.datetime) -> VersionsInPlay:
    """The versions that may be asked about signals of times since … until, both included. At most three queries.

    A version retired by a person is out at once; one retired by its successor still answers for signals of its own days.
    """
    successor = RuleVersion.objects.filter(rule=OuterRef("rule"), status__in=CURRENT)
    found = list(
        RuleVersion.objects.filter(
            Q(status__in=(*CURRENT, VersionStatus.SHADOW))
            | Q(Exists(successor), status=VersionStatus.RETIRED)
        )
        .select_related("rule")
        .defer("spec", "ladder", "text")
        .order_by("rule__code", "number")
    )
    periods: dict[int, list[Period]] = defaultdict(list)
    for version_id, market_id, starts_at, ends_at in LivePeriod.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=since),
        version_id__in=[version.pk for version in found],
        starts_at__lte=until,
    ).values_list("version_id", "market_id", "starts_at", "ends_at"):
        periods[version_id].append(Period(market_id=market_id, starts_at=starts_at, ends_at=ends_at))
    asked = [version for version in found if version.status == VersionStatus.SHADOW or version.pk in periods]
    _compile_missing(asked)
    return VersionsInPlay(_in_play(version, tuple(periods[version.pk])) for version in asked)


def _compile_missing(versions: Sequence[RuleVersion]) -> None:
    missing = [version.pk for version in versions if (version.pk, version.written_at) not in _compiled]
    if missing:
        for version in RuleVersion.objects.filter(pk__in=missing):
            compiled(version)


def _in_play(version: RuleVersion, periods: tuple[Period, ...]) -> VersionInPlay:
    wording = (version.pk, version.written_at)
    found = _compiled[wording]
    return VersionInPlay(
        id=version.pk,
        rule_id=version.rule_id,
        code=version.rule.code,
        number=version.number,
        status=version.status,
        violation_code=version.violation_code,
        severity=version.severity,
        review=version.review,
        cap=version.cap,
        on=frozenset(version.on),
        markets=frozenset(version.markets),
        periods=periods,
        wording=wording,
        rule=found if isinstance(found, CompiledRule) else None,
        fault=found if isinstance(found, str) else "",
    )
