"""Shadow beside live: what a version in shadow matched, and what the rule's live versions did with the same signals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from django.db import connection
from django.db.models import Max, Q
from django.utils import timezone

from governance.ledger.models import Event
from governance.rules.enums import VersionStatus
from governance.rules.models import LivePeriod, RuleVersion
from governance.violations.enums import DetectionMode, DetectionOutcome
from guilds.models import Market

Side = Literal["both", "only_shadow", "only_live"]
SIDES: tuple[Side, ...] = ("both", "only_shadow", "only_live")
SAMPLES = 10


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Signals matched, of one market or of all: by both, by the one alone, by the other alone."""

    both: int = 0
    only_shadow: int = 0
    only_live: int = 0

    @property
    def shadow(self) -> int:
        return self.both + self.only_shadow

    @property
    def live(self) -> int:
        return self.both + self.only_live

    @property
    def agreement(self) -> float | None:
        """The share of all matched signals that both matched, 0 to 1; None when nothing was."""
        either = self.both + self.only_shadow + self.only_live
        return self.both / either if either else None

    def __add__(self, other: Compared) -> Compared:
        return Compared(
            both=self.both + other.both,
            only_shadow=self.only_shadow + other.only_shadow,
            only_live=self.only_live + other.only_live,
        )


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A signal to open; `signal_id` is also its key in the table of signals."""

    side: Side
    signal_id: int
    event_id: str
    guild: str
    market: str
    occurred_at: dt.datetime


@dataclass(frozen=True, kw_only=True)
class ShadowReport:
    """What was judged in [since, until). `live` are the versions of the rule that were live beside it, newest first.

    Without one there is nothing to compare with, and everything stands under `only_shadow`.
    """

    version: RuleVersion
    since: dt.datetime
    until: dt.datetime
    live: tuple[RuleVersion, ...]
    markets: tuple[tuple[Market, Compared], ...]
    total: Compared
    samples: tuple[Sample, ...]


# A signal counts for the live side when a live version that governs its guild matched it, whatever came of that: a cooldown
# and an exception are not the wording's doing. Versions that only looked on are left out.
_SIDES = """
WITH shadow AS (
    SELECT signal_key_id, market_id, guild_id, occurred_at FROM governance_detection
    WHERE version_id = %(version)s AND mode = %(shadow)s AND detected_at >= %(since)s AND detected_at < %(until)s
), live AS (
    SELECT DISTINCT ON (signal_key_id) signal_key_id, market_id, guild_id, occurred_at FROM governance_detection
    WHERE version_id = ANY(%(live_versions)s) AND mode = %(live)s AND outcome <> %(held_out)s
    AND detected_at >= %(since)s AND detected_at < %(until)s
    AND (%(markets)s::bigint[] IS NULL OR market_id = ANY(%(markets)s::bigint[]))
    ORDER BY signal_key_id
), matched AS (
    SELECT coalesce(shadow.signal_key_id, live.signal_key_id) AS signal_key_id,
        coalesce(shadow.market_id, live.market_id) AS market_id,
        coalesce(shadow.guild_id, live.guild_id) AS guild_id,
        coalesce(shadow.occurred_at, live.occurred_at) AS occurred_at,
        CASE WHEN live.signal_key_id IS NULL THEN 'only_shadow'
            WHEN shadow.signal_key_id IS NULL THEN 'only_live' ELSE 'both' END AS side
    FROM shadow FULL JOIN live ON live.signal_key_id = shadow.signal_key_id
)
"""
_BY_MARKET = _SIDES + (  # noqa: S608 - constants of this module
    "SELECT market_id, side, count(*) FROM matched"
    " WHERE %(reach)s::bigint[] IS NULL OR market_id = ANY(%(reach)s::bigint[]) GROUP BY market_id, side"
)
_SAMPLES = _SIDES + (  # noqa: S608
    "SELECT side, signal_key_id, key.event_id, guild.name, market.code, occurred_at FROM ("
    " SELECT *, row_number() OVER (PARTITION BY side ORDER BY occurred_at DESC, signal_key_id DESC) AS place FROM matched"
    " WHERE %(reach)s::bigint[] IS NULL OR market_id = ANY(%(reach)s::bigint[])"
    ") AS newest JOIN governance_signalkey key ON key.id = newest.signal_key_id"
    " JOIN guilds_guild guild ON guild.id = newest.guild_id JOIN guilds_market market ON market.id = newest.market_id"
    " WHERE place <= %(samples)s ORDER BY side, place"
)


def shadow_report(version: RuleVersion, *, market_ids: Collection[int] | None = None) -> ShadowReport | None:
    """The report over the version's last shadow until now, or until its end; None when it never was in shadow.

    `market_ids` bounds it to the reader's markets, None to none. Both sides are told by when they were judged, which a signal of
    both is at the same moment. Eight queries at most.
    """
    span = shadow_span(version)
    if span is None:
        return None
    since, until = span
    live = tuple(
        RuleVersion.objects.filter(
            pk__in=LivePeriod.objects.filter(
                Q(ends_at__isnull=True) | Q(ends_at__gt=since),
                version__rule=version.rule_id,
                starts_at__lt=until,
            ).values("version")
        )
        .exclude(pk=version.pk)
        .select_related("rule")
        .order_by("-number")
    )
    named = None
    if "*" not in version.markets:
        named = list(Market.objects.filter(code__in=version.markets).values_list("pk", flat=True))
    asked: dict[str, Any] = {
        "version": version.pk,
        "shadow": DetectionMode.SHADOW.value,
        "live": DetectionMode.LIVE.value,
        "held_out": DetectionOutcome.HELD_OUT.value,
        "live_versions": [found.pk for found in live],
        "since": since,
        "until": until,
        "markets": named,
        "reach": None if market_ids is None else sorted(market_ids),
        "samples": SAMPLES,
    }
    counts: dict[int, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_BY_MARKET, asked)
        for market_id, side, count in cursor.fetchall():
            counts.setdefault(market_id, {})[side] = count
        cursor.execute(_SAMPLES, asked)
        samples = tuple(
            Sample(side=side, signal_id=key, event_id=event_id, guild=guild, market=market, occurred_at=at)
            for side, key, event_id, guild, market, at in cursor.fetchall()
        )
    compared = tuple(
        (market, Compared(**counts[market.pk]))
        for market in Market.objects.filter(pk__in=counts).order_by("code")
    )
    total = sum((one for _market, one in compared), Compared())
    return ShadowReport(
        version=version,
        since=since,
        until=until,
        live=live,
        markets=compared,
        total=total,
        samples=samples,
    )


def shadow_span(version: RuleVersion) -> tuple[dt.datetime, dt.datetime] | None:
    """From when to when the version judged in shadow last; until now while it does. None when it never did."""
    events = Event.objects.filter(object_type=RuleVersion.ledger_type, object_id=version.public_id)
    begun = events.filter(act="rule_version.shadowed").aggregate(at=Max("at"))["at"]
    if begun is None:
        return None
    ends = [timezone.now()]
    if version.shadow_until is not None:
        ends.append(version.shadow_until)
    if version.status != VersionStatus.SHADOW:
        # A launch, retirement or expiry ended it.
        later = events.filter(at__gt=begun).exclude(act__startswith="rule_version.shadow").order_by("id")
        ended = later.filter(after__has_key="status").values_list("at", flat=True).first()
        ends += [ended] if ended is not None else []
    return begun, max(min(ends), begun)
