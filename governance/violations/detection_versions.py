"""Which rule versions a batch of signals meets: those live, paused or in shadow now, and superseded or expired ones for the
days they were in force.

The wording of a version never changes once it judges, so compiled rules are kept for the life of the process. What does change,
status, live periods and exceptions, is read anew for every batch: a pause holds from the next batch on.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache

from django.db.models import Exists, OuterRef, Q

from governance.engine import CompiledRule, Evaluator, RuleError, RuleSpec, compile_rule
from governance.rules.enums import VersionStatus
from governance.rules.models import LivePeriod, RuleException, RuleVersion
from governance.rules.rollout import governed
from governance.rules.selectors import CURRENT
from governance.violations.detection_facts import Registry, StoredSignal

#: A version by its key and the moment it was last written, so that a reused key in another database is another version.
Wording = tuple[int, dt.datetime]

_compiled: dict[Wording, CompiledRule | str] = {}


class Part(Enum):
    """What a version has to do with a signal that it may be asked about."""

    IN_FORCE = "in force"
    #: Live there and then, but not for this guild, which waits or is held out: asked so that the effect can be measured.
    HELD_OUT = "held out"


@dataclass(frozen=True, kw_only=True)
class Period:
    """[starts_at, ends_at) in one market, or in every one the version names (None), for a share of guilds less a holdout."""

    market_id: int | None
    starts_at: dt.datetime
    ends_at: dt.datetime | None
    share: int = 100
    holdout: int = 0
    salt: str = ""

    def covers(self, market_id: int, at: dt.datetime) -> bool:
        return (
            self.starts_at <= at
            and (self.ends_at is None or at < self.ends_at)
            and self.market_id in (None, market_id)
        )

    def governs(self, guild_key: str) -> bool:
        """Whether the guild, by its external id, is within the share and not held out."""
        if self.share >= 100 and not self.holdout:
            return True
        return governed(guild_key, salt=self.salt, share=self.share, holdout=self.holdout) == "governed"


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
    #: The end of its shadow, or its expiry where that comes first.
    shadow_ends: dt.datetime | None
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

    def shadows_at(self, at: dt.datetime) -> bool:
        return self.shadow_ends is None or at < self.shadow_ends

    def names(self, market_code: str) -> bool:
        return "*" in self.markets or market_code in self.markets

    def period_at(self, market_id: int, market_code: str, at: dt.datetime) -> Period | None:
        """The live period that holds there and then."""
        if not self.names(market_code):
            return None
        return next((period for period in self.periods if period.covers(market_id, at)), None)


def compiled(version: RuleVersion) -> CompiledRule | str:
    """The version's rule, or why it cannot be compiled."""
    wording = (version.pk, version.written_at)
    if wording not in _compiled:
        try:
            _compiled[wording] = compile_rule(RuleSpec.from_dict(version.spec), ref=version.pk)
        except (RuleError, KeyError, TypeError, ValueError) as error:
            _compiled[wording] = f"{type(error).__name__}: {error}"
    return _compiled[wording]


#: [starts_at, end) of the exceptions by rule and guild.
Exceptions = Mapping[tuple[int, int], Sequence[tuple[dt.datetime, dt.datetime]]]


class VersionsInPlay:
    """The versions of one batch, and which of them is in force for a signal.

    `statuses` are those of every version of the rules, also of versions that are not in play for these signals.
    """

    def __init__(
        self,
        versions: Iterable[VersionInPlay],
        statuses: Mapping[int, frozenset[str]],
        exceptions: Exceptions | None = None,
    ) -> None:
        self.by_id = {version.id: version for version in versions}
        self._exceptions = exceptions or {}
        self._by_rule: dict[int, list[VersionInPlay]] = defaultdict(list)
        for version in self.by_id.values():
            if not version.is_shadow:
                self._by_rule[version.rule_id].append(version)
        for found in self._by_rule.values():
            # The newest wording that covers a moment comes first, also when it was superseded or expired since.
            found.sort(key=lambda version: -version.number)
        self._waiting = frozenset(
            version.id
            for version in self.by_id.values()
            if waits(version.status, statuses.get(version.rule_id, frozenset()))
        )
        self._waiting_by_type = self._by_type(
            version for version in self.by_id.values() if version.id in self._waiting
        )
        self._broken_by_type = self._by_type(
            version
            for version in self.by_id.values()
            if version.rule is None and version.id not in self._waiting
        )

    @staticmethod
    def _by_type(versions: Iterable[VersionInPlay]) -> dict[str, list[VersionInPlay]]:
        found: dict[str, list[VersionInPlay]] = defaultdict(list)
        for version in versions:
            for signal_type in version.on:
                found[signal_type].append(version)
        return found

    def part(self, version: VersionInPlay, signal: StoredSignal, registry: Registry) -> Part | None:
        """What the version has to do with a signal; None when it is not asked. One in shadow is asked about every signal.

        The newest version of the rule that is live there and then and governs the charged guild is in force; newer ones that
        hold the guild out look on.
        """
        code = registry.market_code(signal.market_id)
        if version.is_shadow:
            return Part.IN_FORCE if version.names(code) and version.shadows_at(signal.time) else None
        for other in self._by_rule[version.rule_id]:
            period = other.period_at(signal.market_id, code, signal.time)
            if period is None:
                continue
            guild_id = signal.charged_guild(own_act=other.charges_own_act)
            governs = period.governs(str(registry.guilds[guild_id]["id"]))
            if other is version:
                return Part.IN_FORCE if governs else Part.HELD_OUT
            if governs:
                return None
        return None

    def excepts(self, rule_id: int, guild_id: int, at: dt.datetime) -> bool:
        """Whether the rule is silenced for the charged guild at the moment."""
        return any(since <= at < until for since, until in self._exceptions.get((rule_id, guild_id), ()))

    def narrowed(self, version_id: int) -> frozenset[int]:
        """What a second evaluation is about: the version alone, or the rule's version of that day if it was superseded."""
        version = self.by_id.get(version_id)
        if version is None:
            return frozenset()
        if version.is_shadow or version.status in CURRENT:
            return frozenset({version_id})
        return frozenset(other.id for other in self._by_rule[version.rule_id])

    def evaluator(self, wanted: frozenset[int] | None) -> Evaluator:
        """For every version that runs, or for the wanted ones of them."""
        return _evaluator(
            tuple(
                version.wording
                for version in self.by_id.values()
                if version.rule is not None
                and version.id not in self._waiting
                and (wanted is None or version.id in wanted)
            )
        )

    def waiting(self, signal_type: str) -> Sequence[VersionInPlay]:
        """Versions that would be asked about signals of this type if they were not paused."""
        return self._waiting_by_type.get(signal_type, ())

    def broken(self, signal_type: str) -> Sequence[VersionInPlay]:
        """Versions whose wording does not compile and that would have been asked about signals of this type."""
        return self._broken_by_type.get(signal_type, ())


def waits(status: str, of_rule: Iterable[str]) -> bool:
    """Whether a version's signals wait: it is paused, or it was superseded and of its rule one is paused and none is live.

    `of_rule` are the statuses of the rule's versions.
    """
    if status == VersionStatus.RETIRED:
        return VersionStatus.PAUSED in of_rule and VersionStatus.LIVE not in of_rule
    return status == VersionStatus.PAUSED


@lru_cache(maxsize=64)
def _evaluator(wordings: tuple[Wording, ...]) -> Evaluator:
    rules = [_compiled[wording] for wording in wordings]
    return Evaluator([rule for rule in rules if isinstance(rule, CompiledRule)])


def versions_in_play(since: dt.datetime, until: dt.datetime, *, now: dt.datetime) -> VersionsInPlay:
    """The versions that may be asked about signals of times since … until, both included. At most four queries.

    A version that a person withdrew is out at once; one retired by its successor or its expiry still answers for signals of its
    own days. A shadow is over at its end, whatever the time of a signal.
    """
    successor = RuleVersion.objects.filter(rule=OuterRef("rule"), status__in=CURRENT)
    retired = Q(status=VersionStatus.RETIRED, withdrawn_at__isnull=True)
    found = list(
        RuleVersion.objects.filter(
            Q(status__in=CURRENT)
            | Q(status=VersionStatus.SHADOW) & (Q(shadow_until__isnull=True) | Q(shadow_until__gt=now))
            | retired & (Q(expires_at__isnull=False) | Q(Exists(successor)))
        )
        .select_related("rule")
        .defer("spec", "ladder", "text")
        .order_by("rule__code", "number")
    )
    expiries = {version.pk: version.expires_at for version in found}
    periods: dict[int, list[Period]] = defaultdict(list)
    for version_id, market_id, starts_at, ends_at, share, holdout, salt in LivePeriod.objects.filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=since),
        version_id__in=[version.pk for version in found],
        starts_at__lte=until,
    ).values_list("version_id", "market_id", "starts_at", "ends_at", "share", "holdout", "salt"):
        ends = min((end for end in (ends_at, expiries[version_id]) if end is not None), default=None)
        periods[version_id].append(
            Period(
                market_id=market_id,
                starts_at=starts_at,
                ends_at=ends,
                share=share,
                holdout=holdout,
                salt=salt,
            )
        )
    asked = [version for version in found if version.status == VersionStatus.SHADOW or version.pk in periods]
    _compile_missing(asked)
    statuses: dict[int, frozenset[str]] = defaultdict(frozenset)
    for version in found:
        statuses[version.rule_id] |= {version.status}
    return VersionsInPlay(
        (_in_play(version, tuple(periods[version.pk])) for version in asked),
        statuses,
        _exceptions(since, until),
    )


def _exceptions(since: dt.datetime, until: dt.datetime) -> Exceptions:
    found: dict[tuple[int, int], list[tuple[dt.datetime, dt.datetime]]] = defaultdict(list)
    for rule_id, guild_id, starts_at, expires_at, ended_at in RuleException.objects.filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=since), starts_at__lte=until, expires_at__gt=since
    ).values_list("rule_id", "guild_id", "starts_at", "expires_at", "ended_at"):
        found[rule_id, guild_id].append((starts_at, ended_at or expires_at))
    return found


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
        shadow_ends=min(
            (end for end in (version.shadow_until, version.expires_at) if end is not None), default=None
        ),
        wording=wording,
        rule=found if isinstance(found, CompiledRule) else None,
        fault=found if isinstance(found, str) else "",
    )
