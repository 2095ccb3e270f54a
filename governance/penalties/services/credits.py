"""Credits: a passed quiz takes points off that are in force for the rule it is about, within limits, the oldest first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max, Min, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from governance.education.models import Attempt
from governance.ledger.services import Entry, record_many
from governance.penalties.enums import CreditOutcome, PointReason
from governance.penalties.models import Credit, PointEntry
from governance.penalties.selectors import lock_guilds
from governance.penalties.services.past import WEIGHT, fallen_violations
from governance.penalties.services.points import Standings
from governance.rules.enums import Severity
from governance.rules.models import RuleVersion
from governance.violations.enums import ViolationStatus
from guilds.accounts.actor import Actor
from guilds.models import Guild

ACTOR = "credits for lessons"


@dataclass
class Weight:
    """What one violation still weighs, and its entry that charged it."""

    violation_id: int
    code: str
    charged: int
    left: int


@transaction.atomic
def credits_apply_due(*, limit: int = 500, now: dt.datetime | None = None) -> int:
    """Decide on up to `limit` passed quizzes, and return how many were settled.

    Each attempt is decided once: up to the lesson's points come off what is in force for the codes of its rule, the oldest
    first, never off S1, never more than there is, and only when the guild's last credit for the lesson is far enough back. A
    credit spent on a violation that fell on appeal does not count as the last. Guilds somebody else has locked wait for the
    next call. Records points.credited for each that takes points off.
    """
    now = now or timezone.now()
    waiting = Attempt.objects.filter(passed=True, credit__isnull=True)
    guilds = lock_guilds(
        set(waiting.order_by("pk").values_list("guild_id", flat=True)[:limit]), skip_locked=True
    )
    attempts = list(waiting.filter(guild_id__in=guilds).select_related("lesson__rule").order_by("pk")[:limit])
    if not attempts:
        return 0
    weights = weights_of(guilds, now=now)
    codes = codes_of({attempt.lesson.rule_id for attempt in attempts})
    last = last_given(guilds)
    standings = Standings(guilds, now)
    decided: list[Credit] = []
    spent: list[PointEntry] = []
    ledger: list[Entry] = []
    for attempt in attempts:
        lesson, key = attempt.lesson, (attempt.guild_id, attempt.lesson_id)
        credit = Credit(attempt=attempt, guild_id=attempt.guild_id, decided_at=now)
        decided.append(credit)
        before = last.get(key)
        if not lesson.credit_points or lesson.rule_id is None:
            credit.outcome = CreditOutcome.NONE_PROMISED
            continue
        if before is not None and attempt.created_at < before + dt.timedelta(days=lesson.credit_every_days):
            credit.outcome = CreditOutcome.TOO_SOON
            continue
        entries = spend(
            credit,
            lesson.credit_points,
            weights.get(attempt.guild_id, []),
            codes=codes.get(lesson.rule_id, set()),
            now=now,
        )
        credit.points = -sum(entry.points for entry in entries)
        credit.outcome = CreditOutcome.GIVEN if entries else CreditOutcome.NOTHING_IN_FORCE
        if not entries:
            continue
        last[key] = attempt.created_at
        spent += entries
        score = standings.move(attempt.guild_id, -credit.points).score
        ledger.append(_entry(guilds[attempt.guild_id], credit, entries, score=score))
    Credit.objects.bulk_create(decided, batch_size=500)
    PointEntry.objects.bulk_create(spent, batch_size=500)
    standings.save()
    record_many(actor=Actor.system(ACTOR), entries=ledger)
    return len(attempts)


def spend(
    credit: Credit, points: int, weights: Iterable[Weight], *, codes: Collection[str], now: dt.datetime
) -> list[PointEntry]:
    """Unsaved entries that take up to `points` off the weights of these codes, which it lowers."""
    entries = []
    for weight in weights:
        taken = min(points, weight.left) if weight.code in codes else 0
        if taken > 0:
            points -= taken
            weight.left -= taken
            entries.append(
                PointEntry(
                    guild_id=credit.guild_id,
                    violation_id=weight.violation_id,
                    points=-taken,
                    reason=PointReason.CREDIT,
                    undoes_id=weight.charged,
                    credit=credit,
                    at=now,
                )
            )
    return entries


def weights_of(guild_ids: Iterable[int], *, now: dt.datetime) -> dict[int, list[Weight]]:
    """Per guild the violations a credit may lighten, the oldest first.

    Points of S1 are left out, and those whose time is over though the sweep has not come by yet.
    """
    rows = (
        PointEntry.objects.filter(guild_id__in=list(guild_ids))
        .exclude(violation__severity=Severity.S1)
        .values("guild_id", "violation_id", "violation__code")
        .annotate(left=Sum("points"), charged=Min("pk"), expires=Max("expires_at"))
        .filter(Q(expires__isnull=True) | Q(expires__gt=now), left__gt=0)
        .order_by("charged")
    )
    found: dict[int, list[Weight]] = {}
    for row in rows:
        weight = Weight(row["violation_id"], row["violation__code"], row["charged"], row["left"])
        found.setdefault(row["guild_id"], []).append(weight)
    return found


def codes_of(rule_ids: Collection[int | None]) -> dict[int, set[str]]:
    """Every violation code that a version of each rule charges or has charged."""
    codes: dict[int, set[str]] = {}
    rows = RuleVersion.objects.filter(rule_id__in=[one for one in rule_ids if one is not None])
    for rule_id, code in rows.values_list("rule_id", "violation_code").distinct():
        codes.setdefault(rule_id, set()).add(code)
    return codes


def last_given(guild_ids: Iterable[int]) -> dict[tuple[int, int], dt.datetime]:
    """(guild, lesson) → when the attempt was made that last took points off and still does."""
    rows = (
        PointEntry.objects.filter(guild_id__in=list(guild_ids), reason=PointReason.CREDIT)
        .exclude(violation__status=ViolationStatus.OVERTURNED)
        .values_list("guild_id", "credit__attempt__lesson_id")
        .annotate(last=Max("credit__attempt__created_at"))
        .order_by()
    )
    return {(guild_id, lesson_id): moment for guild_id, lesson_id, moment in rows}


def credits_spent_again(guild: Guild, *, now: dt.datetime) -> list[PointEntry]:
    """Unsaved entries for credits that fallen violations had used up.

    Every credit is spent anew, in the order they were earned, on what still stands: without the fallen ones it would have
    gone to the next oldest points of its time. What a violation gets more by that than it has is given to it now. Nothing is
    ever taken away again, and points that have expired meanwhile are gone anyway.
    """
    fallen = fallen_violations(guild.pk)
    standing = [weight for weight in _charged(guild.pk) if weight.violation_id not in fallen]
    earned = list(
        Credit.objects.filter(guild=guild, points__gt=0)
        .select_related("attempt__lesson")
        .order_by("decided_at", "pk")
    )
    used = PointEntry.objects.filter(guild=guild, reason=PointReason.CREDIT).exclude(violation_id__in=fallen)
    spent = dict(used.values_list("violation_id").annotate(sum=-Sum("points")).order_by())
    free = sum(credit.points for credit in earned) - sum(spent.values())
    if free <= 0:
        return []
    codes = codes_of({credit.attempt.lesson.rule_id for credit in earned})
    room = {weight.violation_id: weight.charged_points for weight in standing}
    shares: dict[int, list[tuple[Credit, int]]] = {}
    for credit in earned:
        budget = credit.points
        wanted = codes.get(credit.attempt.lesson.rule_id or 0, set())
        for weight in standing:
            in_force = weight.expires_at is None or weight.expires_at > credit.decided_at
            if weight.code in wanted and weight.charged_at <= credit.decided_at and in_force:
                taken = min(budget, room[weight.violation_id])
                if taken > 0:
                    budget -= taken
                    room[weight.violation_id] -= taken
                    shares.setdefault(weight.violation_id, []).append((credit, taken))
    entries = []
    for weight in standing:
        due = sum(taken for _credit, taken in shares.get(weight.violation_id, []))
        due = min(due - spent.get(weight.violation_id, 0), weight.left, free)
        if weight.expires_at is not None and weight.expires_at <= now:
            continue
        for credit, taken in reversed(shares.get(weight.violation_id, [])):
            part = min(taken, due)
            if part > 0:
                due -= part
                free -= part
                entries.append(
                    PointEntry(
                        guild=guild,
                        violation_id=weight.violation_id,
                        points=-part,
                        reason=PointReason.CREDIT,
                        undoes_id=weight.charged,
                        credit=credit,
                        at=now,
                    )
                )
    return entries


@dataclass
class Charged:
    """A violation that credits may lighten: what it was charged, with reductions, and what is left of that."""

    violation_id: int
    code: str
    charged: int
    charged_at: dt.datetime
    expires_at: dt.datetime | None
    charged_points: int
    left: int


def _charged(guild_id: int) -> list[Charged]:
    """All that was ever charged to the guild but S1, the oldest first."""
    rows = (
        PointEntry.objects.filter(guild_id=guild_id)
        .exclude(violation__severity=Severity.S1)
        .values("violation_id", "violation__code")
        .annotate(
            charged=Min("pk"),
            charged_at=Min("at"),
            expires=Max("expires_at"),
            weighed=Coalesce(Sum("points", filter=Q(reason__in=WEIGHT)), 0),
            left=Sum("points"),
        )
        .order_by("charged")
    )
    return [
        Charged(
            row["violation_id"],
            row["violation__code"],
            row["charged"],
            row["charged_at"],
            row["expires"],
            row["weighed"],
            row["left"],
        )
        for row in rows
    ]


def _entry(guild: Guild, credit: Credit, entries: Iterable[PointEntry], *, score: int) -> Entry:
    return Entry(
        act="points.credited",
        object_type=Guild.ledger_type,
        object_id=guild.external_id,
        after={
            "points": -credit.points,
            "score": score,
            "lesson": credit.attempt.lesson.code,
            "attempt": credit.attempt_id,
            "taken_off": [[entry.violation_id, -entry.points] for entry in entries],
        },
        guild_id=guild.pk,
        market_id=guild.market_id,
    )
