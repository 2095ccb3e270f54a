"""Questions about penalties and standing, and the locks under which they change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from governance.ledger.models import Event
from governance.penalties.enums import PenaltyStatus, PointReason
from governance.penalties.models import (
    Compensation,
    Credit,
    Penalty,
    PointEntry,
    Restriction,
    Sanction,
    Standing,
)
from governance.rules.models import LivePeriod
from governance.violations.models import Review, Violation
from guilds.accounts.actor import Actor
from guilds.models import Guild

#: Statuses in which a penalty weighs on a guild or is about to.
CURRENT = frozenset(
    {
        PenaltyStatus.HELD,
        PenaltyStatus.SCHEDULED,
        PenaltyStatus.STAYED,
        PenaltyStatus.IN_FORCE,
        PenaltyStatus.FAILED,
    }
)


def compensations_visible_to(actor: Actor) -> QuerySet[Compensation]:
    """What is or was owed to guilds in the actor's markets; a guild sees its own through its penalty."""
    rows = Compensation.objects.select_related("penalty", "guild", "market", "settled_by")
    if actor.guild_id is not None:
        return rows.filter(guild_id=actor.guild_id)
    return rows if actor.market_ids is None else rows.filter(market_id__in=actor.market_ids)


def lock_guilds(guild_ids: Iterable[int], *, skip_locked: bool = False) -> dict[int, Guild]:
    """Lock guilds, in order of id, against every other change of their points and penalties; with market and regime.

    Everything that moves points or penalties takes this lock first, so two such acts never wait for each other in a circle.
    It does not stand in the way of rows that merely refer to the guild. With `skip_locked` the guilds somebody else is at
    work on are left out.
    """
    rows = (
        Guild.objects.select_for_update(of=("self",), no_key=True, skip_locked=skip_locked)
        .filter(pk__in=list(guild_ids))
        .select_related("market__regime")
        .order_by("pk")
    )
    return {guild.pk: guild for guild in rows}


def penalties_visible_to(actor: Actor) -> QuerySet[Penalty]:
    """Penalties in the actor's reach, with everything a list shows. A guild never sees one that is still held."""
    penalties = Penalty.objects.select_related("guild", "market", "violation", "version__rule", "notice")
    if actor.guild_id is not None:
        return penalties.filter(guild_id=actor.guild_id, notice__isnull=False)
    if actor.market_ids is not None:
        return penalties.filter(market_id__in=actor.market_ids)
    return penalties


def active_at(penalties: QuerySet[Penalty], moment: dt.datetime) -> QuerySet[Penalty]:
    """Those that were in effect at a moment, whatever became of them since; a reversed one never was."""
    return penalties.filter(
        Q(ended_at__isnull=True) | Q(ended_at__gt=moment),
        status__in=[PenaltyStatus.IN_FORCE, PenaltyStatus.LIFTED],
        applied_at__lte=moment,
    )


def with_lawfulness(penalties: QuerySet[Penalty]) -> QuerySet[Penalty]:
    """Adds `was_live`: whether the rule version was live in the violation's market when it happened."""
    periods = LivePeriod.objects.filter(
        Q(market__isnull=True) | Q(market_id=OuterRef("violation__market_id")),
        Q(ends_at__isnull=True) | Q(ends_at__gt=OuterRef("violation__occurred_at")),
        version_id=OuterRef("version_id"),
        starts_at__lte=OuterRef("violation__occurred_at"),
    )
    return penalties.annotate(was_live=Exists(periods))


def points_in_force(guild_id: int) -> int:
    """The fold of the guild's point entries: the truth that `Standing` repeats."""
    return PointEntry.objects.filter(guild_id=guild_id).aggregate(sum=Sum("points"))["sum"] or 0


def points_left(violation_id: int) -> int:
    """What a violation still weighs after expiry, reduction and reversal."""
    return PointEntry.objects.filter(violation_id=violation_id).aggregate(sum=Sum("points"))["sum"] or 0


def standing_of(guild_id: int) -> dict[str, Any]:
    """Score, band, points in force per violation, and active restrictions, as plain values with aware UTC times."""
    standing = Standing.objects.filter(guild_id=guild_id).first()
    entries: dict[int, dict[str, Any]] = {}
    for entry in PointEntry.objects.filter(guild_id=guild_id).select_related("violation").order_by("id"):
        held = entries.setdefault(entry.violation_id, {"points": 0})
        held["points"] += entry.points
        if entry.reason == PointReason.VIOLATION:
            held |= {
                "violation": str(entry.violation.public_id),
                "code": entry.violation.code,
                "at": entry.at,
                "expires_at": entry.expires_at,
            }
    restrictions = Restriction.objects.filter(guild_id=guild_id, lifted_at__isnull=True).select_related(
        "penalty"
    )
    return {
        "score": standing.score if standing else 100,
        "band": standing.band if standing else "healthy",
        "points": [held for held in entries.values() if held["points"]],
        "restrictions": [
            {
                "kind": row.kind,
                "params": row.params,
                "penalty": str(row.penalty.public_id),
                "starts_at": row.starts_at,
                "ends_at": row.ends_at,
            }
            for row in restrictions
        ],
    }


def credit_of(attempt_id: int) -> Credit | None:
    """What was decided about a passed quiz; None until it is."""
    return Credit.objects.filter(attempt=attempt_id).first()


def amnesty_is_open(guild_id: int, rule_id: int, *, since: dt.datetime) -> bool:
    """Whether a guild that did the lesson at `since` still has its amnesty for the rule: none used, and no violation since."""
    spoilt = Sanction.objects.filter(
        Q(amnesty=True) | Q(violation__occurred_at__gt=since),
        guild=guild_id,
        violation__rule=rule_id,
        reversed_at__isnull=True,
    )
    return not spoilt.exists()


def standing_history(guild_id: int) -> list[tuple[dt.datetime, int]]:
    """(time, score after it) for every movement of points, oldest first."""
    score, history = 100, []
    for at, points in PointEntry.objects.filter(guild_id=guild_id).order_by("id").values_list("at", "points"):
        score -= points
        history.append((at, score))
    return history


def case_participants(penalty_id: int) -> set[int]:
    """The people of the platform who took part in the case: reviewed the violation, proposed, released or otherwise acted
    on the violation or the penalty, or decided about it before. None of them may decide an appeal."""
    penalty = Penalty.objects.select_related("violation").get(pk=penalty_id)
    people: set[int | None] = {penalty.proposed_by_id, penalty.released_by_id}
    people.update(Review.objects.filter(violation=penalty.violation_id).values_list("reviewer_id", flat=True))
    acts = Event.objects.filter(
        Q(object_type="penalty", object_id=str(penalty.public_id))
        | Q(object_type="violation", object_id=str(penalty.violation.public_id)),
        actor_kind=Event.ActorKind.STAFF,
    )
    people.update(int(actor_id) for actor_id in acts.values_list("actor_id", flat=True))
    return {person for person in people if person is not None}


def violation_participants(violation_id: int) -> set[int]:
    """The people who took part in a violation's case or in any of its penalties, as `case_participants` has it."""
    people: set[int] = set()
    for penalty_id in Penalty.objects.filter(violation=violation_id).values_list("pk", flat=True):
        people |= case_participants(penalty_id)
    people.update(Review.objects.filter(violation=violation_id).values_list("reviewer_id", flat=True))
    public_id = Violation.objects.values_list("public_id", flat=True).get(pk=violation_id)
    acts = Event.objects.filter(
        object_type="violation", object_id=str(public_id), actor_kind=Event.ActorKind.STAFF
    )
    people.update(int(actor_id) for actor_id in acts.values_list("actor_id", flat=True))
    return people
