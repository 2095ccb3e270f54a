"""Credits: a passed quiz takes points off that are in force for the rule it is about, within limits, the oldest first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max, Min, Q, Sum
from django.utils import timezone

from governance.education.models import Attempt
from governance.ledger.services import Entry, record_many
from governance.penalties.enums import CreditOutcome, PointReason
from governance.penalties.models import Credit, PointEntry
from governance.penalties.selectors import lock_guilds
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
    charged_at: dt.datetime
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


def weights_of(
    guild_ids: Iterable[int], *, now: dt.datetime, charged_by: dt.datetime | None = None
) -> dict[int, list[Weight]]:
    """Per guild the violations a credit may lighten, charged at `charged_by` at the latest, the oldest first.

    Points of S1 are left out, and those whose time is over though the sweep has not come by yet.
    """
    rows = (
        PointEntry.objects.filter(guild_id__in=list(guild_ids))
        .exclude(violation__severity=Severity.S1)
        .values("guild_id", "violation_id", "violation__code")
        .annotate(left=Sum("points"), charged=Min("pk"), charged_at=Min("at"), expires=Max("expires_at"))
        .filter(Q(expires__isnull=True) | Q(expires__gt=now), left__gt=0)
        .order_by("charged")
    )
    found: dict[int, list[Weight]] = {}
    for row in rows:
        if charged_by is None or row["charged_at"] <= charged_by:
            weight = Weight(
                row["violation_id"], row["violation__code"], row["charged"], row["charged_at"], row["left"]
            )
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


def credits_spent_again(guild: Guild, violation_id: int, *, now: dt.datetime) -> list[PointEntry]:
    """Unsaved entries for credits that a violation just overturned had used up.

    Without that violation they would have gone to the next oldest points of the time; they go there now.
    """
    freed: dict[Credit, int] = {}
    used = PointEntry.objects.filter(violation=violation_id, reason=PointReason.CREDIT, credit__isnull=False)
    for entry in used.select_related("credit__attempt__lesson").order_by("pk"):
        if entry.credit is not None:
            freed[entry.credit] = freed.get(entry.credit, 0) - entry.points
    entries: list[PointEntry] = []
    for credit, points in freed.items():
        lesson = credit.attempt.lesson
        weights = weights_of([guild.pk], now=now, charged_by=credit.decided_at).get(guild.pk, [])
        for weight in weights:
            weight.left += sum(entry.points for entry in entries if entry.violation_id == weight.violation_id)
        codes = codes_of({lesson.rule_id})
        wanted = codes.get(lesson.rule_id, set()) if lesson.rule_id is not None else set()
        entries += spend(credit, points, weights, codes=wanted, now=now)
    return entries


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
