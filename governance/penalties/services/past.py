"""What would have been: a guild's points as they would have moved without what has fallen since.

Everything derived from points is worked out from here, from what still stands and never from the way it got there, so that it
does not matter in which order several decisions fall.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Q

from governance.penalties.enums import PointReason
from governance.penalties.models import BandCrossing, PointEntry, Sanction

#: What a violation weighed from its first day: a reduction says that it should never have weighed more.
WEIGHT = frozenset({PointReason.VIOLATION, PointReason.REDUCTION, PointReason.REVERSAL})


@dataclass(frozen=True)
class Charge:
    """A violation was charged at `at`, after which `points` were in force; `stands` unless it has fallen."""

    violation_id: int
    at: dt.datetime
    points: int
    stands: bool


class Past:
    """The course of one guild's points without fallen violations and with what was reduced reduced from the start."""

    def __init__(self, guild_id: int) -> None:
        entries = list(
            PointEntry.objects.filter(guild_id=guild_id)
            .select_related("credit")
            .order_by("pk")
            .only("violation_id", "points", "reason", "at", "credit__decided_at")
        )
        self.fallen = fallen = fallen_violations(guild_id)
        weights: dict[int, int] = defaultdict(int)
        for entry in entries:
            if entry.reason in WEIGHT:
                weights[entry.violation_id] += entry.points
        moves: list[tuple[dt.datetime, int, int, int | None]] = []
        for entry in entries:
            stands = entry.violation_id not in fallen
            if entry.reason == PointReason.VIOLATION:
                points = weights[entry.violation_id] if stands else 0
                moves.append((entry.at, entry.pk, points, entry.violation_id))
            elif stands and entry.reason in (PointReason.EXPIRY, PointReason.CREDIT):
                # A credit that was spent again counts from the day it was earned.
                at = entry.credit.decided_at if entry.credit else entry.at
                moves.append((at, entry.pk, entry.points, None))
        self.course: list[tuple[dt.datetime, int]] = []
        self.charges: list[Charge] = []
        in_force = 0
        for at, _pk, points, charged in sorted(moves):
            in_force += points
            self.course.append((at, in_force))
            if charged is not None:
                self.charges.append(Charge(charged, at, in_force, charged not in fallen))

    def score_at(self, crossing: BandCrossing) -> int:
        """The score right after the violation that tipped it had been charged, or at that moment if it had no points."""
        for charge in self.charges:
            if charge.violation_id == crossing.violation_id:
                return 100 - charge.points
        before = [points for at, points in self.course if at <= crossing.entered_at]
        return 100 - (before[-1] if before else 0)

    def stands(self, violation_id: int) -> bool:
        return violation_id not in self.fallen

    def tipped_later(self, crossing: BandCrossing) -> Charge | None:
        """The first charge after the one of the crossing, and before the guild left the band, with the score in the band."""
        places = [
            place
            for place, charge in enumerate(self.charges)
            if charge.violation_id == crossing.violation_id or charge.at <= crossing.entered_at
        ]
        own = [place for place in places if self.charges[place].violation_id == crossing.violation_id]
        after = (own or places or [-1])[-1] + 1
        for charge in self.charges[after:]:
            if crossing.left_at is not None and charge.at >= crossing.left_at:
                return None
            if charge.stands and 100 - charge.points <= crossing.band.at_or_below:
                return charge
        return None


def fallen_violations(guild_id: int) -> set[int]:
    """The guild's violations that count for nothing any more: overturned, or excused by an amnesty."""
    fallen = Sanction.objects.filter(Q(reversed_at__isnull=False) | Q(amnesty=True), guild_id=guild_id)
    return set(fallen.values_list("violation_id", flat=True))
