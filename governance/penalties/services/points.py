"""Points, standing and bands: entries are added, the current standing follows, crossings are noticed once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Subquery, Sum
from django.utils import timezone

from governance.ledger.services import Entry, record_many
from governance.penalties.bands import Bands
from governance.penalties.enums import PointReason
from governance.penalties.models import Band, BandCrossing, PointEntry, Standing
from governance.penalties.selectors import lock_guilds
from governance.violations.models import Violation
from guilds.accounts.actor import Actor
from guilds.models import Guild


@dataclass
class Standings:
    """The standings of locked guilds in memory while a batch moves their points; `save` writes them in two statements.

    Each guild is measured against the bands of its market.
    """

    guild_ids: Iterable[int]
    now: dt.datetime
    bands: Bands = field(init=False)
    rows: dict[int, Standing] = field(init=False)
    markets: dict[int, int] = field(init=False)
    open_crossings: dict[tuple[int, int], BandCrossing] = field(init=False)

    def __post_init__(self) -> None:
        ids = list(self.guild_ids)
        self.bands = Bands()
        self.rows = {row.guild_id: row for row in Standing.objects.filter(guild_id__in=ids)}
        for guild_id in ids:
            self.rows.setdefault(guild_id, Standing(guild_id=guild_id, points=0, score=100))
        placed = Guild.objects.filter(pk__in=ids).values_list("pk", "market_id") if self.bands.differ else ()
        self.markets = dict(placed)
        crossings = (
            BandCrossing.objects.filter(guild_id__in=ids, left_at__isnull=True) if self.bands.rows else []
        )
        self.open_crossings = {(row.guild_id, row.band_id): row for row in crossings}

    def move(self, guild_id: int, points: int) -> Standing:
        """Add points (negative to give back) and set score and band to match."""
        row = self.rows[guild_id]
        row.points += points
        row.score = 100 - row.points
        row.band = self.bands.code_at(self.markets.get(guild_id), row.score)
        row.updated_at = self.now
        return row

    def crossings_entered(self, guild_id: int, violation: Violation) -> list[BandCrossing]:
        """Bands the score has just fallen into, mildest first, as unsaved crossings; each only once until it is left."""
        score = self.rows[guild_id].score
        entered = []
        for band in self.bands.of(self.markets.get(guild_id)):
            if score <= band.at_or_below and (guild_id, band.pk) not in self.open_crossings:
                crossing = BandCrossing(
                    guild_id=guild_id, band=band, violation=violation, score=score, entered_at=self.now
                )
                self.open_crossings[guild_id, band.pk] = crossing
                entered.append(crossing)
        return entered

    def save(self) -> None:
        """Write the standings, and close crossings whose band the score has risen out of."""
        moved = [row for row in self.rows.values() if row.updated_at == self.now]
        Standing.objects.bulk_create(
            moved,
            update_conflicts=True,
            unique_fields=["guild"],
            update_fields=["points", "score", "band", "updated_at"],
            batch_size=500,
        )
        thresholds = {band.pk: band.at_or_below for band in self.bands.rows}
        left = [
            crossing.pk
            for (guild_id, band_id), crossing in self.open_crossings.items()
            if crossing.pk and self.rows[guild_id].score > thresholds[band_id]
        ]
        if left:
            BandCrossing.objects.filter(pk__in=left).update(left_at=self.now)


def entries_taking_back(
    violations: Sequence[Violation], *, reason: PointReason, now: dt.datetime
) -> list[PointEntry]:
    """Unsaved entries that cancel what the violations still weigh. The entries they undo stay."""
    left = dict(
        PointEntry.objects.filter(violation__in=violations)
        .values_list("violation_id")
        .annotate(sum=Sum("points"))
        .order_by()
    )
    charged = {
        entry.violation_id: entry
        for entry in PointEntry.objects.filter(violation__in=violations, reason=PointReason.VIOLATION)
    }
    return [
        PointEntry(
            guild_id=violation.guild_id,
            violation=violation,
            points=-left[violation.pk],
            reason=reason,
            undoes=charged[violation.pk],
            at=now,
        )
        for violation in violations
        if left.get(violation.pk)
    ]


@transaction.atomic
def points_expire_due(*, limit: int = 500, now: dt.datetime | None = None) -> int:
    """Take points whose time is over out of force, by an opposite entry each; returns how many violations it concerned.

    Records points.expired per guild. Guilds somebody else has locked are left for the next sweep.
    """
    now = now or timezone.now()
    undone = PointEntry.objects.filter(
        undoes=OuterRef("pk"), reason__in=[PointReason.EXPIRY, PointReason.REVERSAL]
    )
    # A credit may have taken all of a violation's points; nothing is left to expire then.
    left = PointEntry.objects.filter(violation=OuterRef("violation_id")).order_by().values("violation")
    due = (
        PointEntry.objects.filter(Q(reason=PointReason.VIOLATION, expires_at__lte=now), ~Exists(undone))
        .annotate(left=Subquery(left.annotate(sum=Sum("points")).values("sum")))
        .filter(left__gt=0)
    )
    guilds = lock_guilds(set(due.order_by("pk").values_list("guild_id", flat=True)[:limit]), skip_locked=True)
    violations = list(
        Violation.objects.filter(
            pk__in=due.filter(guild_id__in=guilds).order_by("pk").values("violation_id")[:limit]
        ).order_by("pk")
    )
    entries = PointEntry.objects.bulk_create(
        entries_taking_back(violations, reason=PointReason.EXPIRY, now=now), batch_size=500
    )
    standings = Standings({entry.guild_id for entry in entries}, now)
    given_back: dict[int, int] = {}
    for entry in entries:
        standings.move(entry.guild_id, entry.points)
        given_back[entry.guild_id] = given_back.get(entry.guild_id, 0) - entry.points
    standings.save()
    record_many(
        actor=Actor.system("points expiry"),
        entries=[
            Entry(
                act="points.expired",
                object_type="guild",
                object_id=guilds[guild_id].external_id,
                after={"points": -points, "score": standings.rows[guild_id].score},
                guild_id=guild_id,
                market_id=guilds[guild_id].market_id,
            )
            for guild_id, points in given_back.items()
        ],
    )
    return len(entries)


def crossings_not_reached(
    guild_id: int,
    *,
    since: dt.datetime,
    points: int,
    bands_by_id: dict[int, Band],
    until: dt.datetime | None = None,
) -> list[BandCrossing]:
    """Crossings from a moment on, and before `until`, that would not have happened without so many of the guild's points.

    Each crossing remembers the score at which it happened; the points taken back are added to that memory, so that several
    reversals one after another add up.
    """
    crossings = BandCrossing.objects.filter(guild_id=guild_id, entered_at__gte=since)
    if until is not None:
        crossings = crossings.filter(entered_at__lt=until)
    crossings.update(score=F("score") + points)
    return [
        crossing
        for crossing in crossings.order_by("pk")
        if crossing.score > bands_by_id[crossing.band_id].at_or_below
    ]
