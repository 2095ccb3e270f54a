"""What must hold of a guild whatever happened to it, worked out from the ledger and plain rows and not by the services."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.db.models import F

from governance.engine import parse_duration
from governance.models import (
    Band,
    BandCrossing,
    Event,
    Penalty,
    PointEntry,
    Rectification,
    Restriction,
    Sanction,
    Standing,
)
from guilds.models import Guild

CURRENT = ("held", "scheduled", "stayed", "in_force", "failed")
TIERS = ("star", "gold", "silver", "standard")
POINT_ACTS = ("points.charged", "points.expired", "points.reversed", "points.reduced", "points.credited")


def check_points(guild: Guild) -> None:
    """The standing is the fold of the entries and the fold of the ledger; score, band and crossings follow from it."""
    folded = sum(PointEntry.objects.filter(guild=guild).values_list("points", flat=True))
    events = list(
        Event.objects.filter(guild_id=guild.pk, act__in=POINT_ACTS)
        .order_by("id")
        .values_list("after", flat=True)
    )
    assert folded == sum(event["points"] for event in events), "the ledger tells another sum"
    standing = Standing.objects.filter(guild=guild).first()
    points, score = (standing.points, standing.score) if standing else (0, 100)
    assert (points, score) == (folded, 100 - folded)
    assert not events or events[-1]["score"] == score
    left: Counter[int] = Counter()
    for violation_id, moved in PointEntry.objects.filter(guild=guild).values_list("violation_id", "points"):
        left[violation_id] += moved
    assert all(weight >= 0 for weight in left.values()), "a violation weighs less than nothing"
    reached = [band for band in Band.objects.order_by("at_or_below") if score <= band.at_or_below]
    assert (standing.band if standing else "healthy") == (reached[0].code if reached else "healthy")
    crossed = BandCrossing.objects.filter(guild=guild, left_at__isnull=True).values_list("band_id", flat=True)
    assert sorted(crossed) == sorted(band.pk for band in reached), (
        "open crossings are the bands the score is in"
    )


def check_effects(guild: Guild) -> None:
    """Restrictions, status and tier are what the penalties in force make of them."""
    in_force = list(Penalty.objects.filter(guild=guild, status="in_force").exclude(kind="warning"))
    active = Restriction.objects.filter(guild=guild, lifted_at__isnull=True)
    assert sorted(active.values_list("penalty_id", "kind", "ends_at")) == sorted(
        (penalty.pk, penalty.kind, penalty.ends_at) for penalty in in_force
    )
    kinds = Counter(penalty.kind for penalty in in_force)
    guild.refresh_from_db()
    status = "terminated" if kinds["clear_out"] else "suspended" if kinds["suspension"] else "active"
    lowered = TIERS.index("gold") + kinds["tier_removal"]
    assert (guild.status, guild.tier) == (status, TIERS[min(lowered, len(TIERS) - 1)])


def check_penalties(guild: Guild) -> None:
    """Each began and ended once in the ledger, was told of before, and stands on a violation that stands."""
    told: dict[str, Counter[str]] = {}
    acts = Event.objects.filter(guild_id=guild.pk, object_type="penalty").values_list("object_id", "act")
    for object_id, act in acts:
        told.setdefault(object_id, Counter())[act] += 1
    for penalty in Penalty.objects.filter(guild=guild).select_related("violation", "crossing"):
        seen = told.get(str(penalty.public_id), Counter())
        where = f"{penalty.kind} {penalty.pk} is {penalty.status}: {dict(seen)}"
        assert seen["penalty.applied"] == (penalty.applied_at is not None), where
        ended = {"lifted": "penalty.lifted", "reversed": "penalty.reversed", "cancelled": "penalty.cancelled"}
        for status, act in ended.items():
            assert seen[act] == (penalty.status == status) or (
                status == "lifted" and penalty.status == "reversed" and seen[act] == 1
            ), where
        assert penalty.notice_id is not None or penalty.status in ("held", "cancelled"), where
        if penalty.status in CURRENT:
            assert penalty.violation.status == "confirmed", where
            crossing = penalty.crossing
            assert crossing is None or crossing.left_at != crossing.entered_at, where
    waiting = Rectification.objects.filter(penalty__guild=guild, status__in=["open", "submitted"])
    assert not waiting.exclude(penalty__status__in=["scheduled", "stayed"]).exists()


def check_offences(guild: Guild) -> None:
    """The nth of each standing sanction is what a recount gives, and what still weighs belongs to that rung."""
    sanctions = list(
        Sanction.objects.filter(guild=guild)
        .select_related("violation__version")
        .order_by("created_at", "violation__occurred_at", "violation_id")
    )
    counted: list[Sanction] = []
    for sanction in sanctions:
        assert (sanction.reversed_at is not None) == (sanction.violation.status == "overturned")
        if sanction.reversed_at is not None:
            continue
        nth, steps = 0, [{"kind": "warning"}]
        if not sanction.amnesty:
            ladder = sanction.violation.version.ladder
            window = parse_duration(ladder["window"])
            at = sanction.violation.occurred_at
            nth = 1 + sum(
                1
                for other in counted
                if other.code == sanction.code and at - window < other.violation.occurred_at <= at
            )
            steps = ladder["steps"][-1 if ladder.get("red_line") else min(nth, len(ladder["steps"])) - 1]
            counted.append(sanction)
        assert sanction.nth == nth
        weighing = sanction.violation.penalties.filter(crossing__isnull=True, status__in=CURRENT)
        assert all(penalty.params in steps for penalty in weighing), "a measure from another rung"


def as_at_the_beginning(guild: Guild) -> None:
    """Nothing is left of all that happened."""
    guild.refresh_from_db()
    standing = Standing.objects.filter(guild=guild).first()
    assert (guild.status, guild.tier, standing.score if standing else 100) == ("active", "gold", 100)
    assert not Penalty.objects.filter(guild=guild, status__in=CURRENT).exists()
    assert not Restriction.objects.filter(guild=guild, lifted_at__isnull=True).exists()
    assert not Rectification.objects.filter(penalty__guild=guild, status__in=["open", "submitted"]).exists()
    assert not BandCrossing.objects.filter(guild=guild, left_at__isnull=True).exists()
    assert not Sanction.objects.filter(guild=guild, reversed_at__isnull=True).exists()


def weight_of(guild: Guild) -> dict[str, Any]:
    """What weighs on a guild now, told by what happened and not by keys: to compare two ways to the same place."""
    guild.refresh_from_db()
    penalties = Penalty.objects.filter(guild=guild, status__in=CURRENT)
    left: Counter[int] = Counter()
    for violation_id, points in PointEntry.objects.filter(guild=guild).values_list("violation_id", "points"):
        left[violation_id] += points
    crossings = BandCrossing.objects.filter(guild=guild).exclude(left_at=F("entered_at"))
    standing = Standing.objects.filter(guild=guild).first()
    return {
        "guild": (guild.status, guild.tier, standing.score if standing else 100),
        "points": sorted((key, points) for key, points in left.items() if points),
        "offences": sorted(
            Sanction.objects.filter(guild=guild, reversed_at__isnull=True).values_list(
                "violation_id", "nth", "points", "amnesty"
            )
        ),
        "penalties": sorted(
            (
                penalty.violation_id,
                penalty.crossing.band.code if penalty.crossing else "",
                penalty.kind,
                penalty.status,
                penalty.starts_at,
                str(penalty.ends_at),
            )
            for penalty in penalties.select_related("crossing__band")
        ),
        "crossings": sorted(crossings.values_list("band__code", "violation_id", "score", "entered_at")),
        "restrictions": sorted(
            Restriction.objects.filter(guild=guild, lifted_at__isnull=True).values_list("kind", flat=True)
        ),
    }
