"""What became of guilds after a lesson, as raw facts: violations and live hours in the days before and after.

Two groups per lesson and reason. *Done*: guilds that completed it, counted around the day they did. *Not done*: guilds that
were asked for the same reason and have not, counted around the day they were asked. Nothing is estimated or compared here:
guilds that do a lesson differ from those that do not, so a difference between the groups is no effect by itself.

Violations are those of the codes of the lesson's rule by the time they happened, without dismissed and overturned ones. Live
hours are whole guild-days of the guild's market. A guild is counted only if all of the days after have gone by, so that both
spans are equally long; `waiting` says how many are not yet there.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

from governance.education.models import Lesson
from guilds.accounts.actor import Actor

#: Days looked at on each side.
DAYS = 90


@dataclass(frozen=True, kw_only=True)
class Group:
    """Guilds of one lesson and reason that did it, or did not; counts before and after their day, over `DAYS` days each.

    `guilds_before` and `guilds_after` are those with a violation in the span; hours are live hours.
    """

    lesson: str
    source: str
    done: bool
    guilds: int
    waiting: int
    violations_before: int
    violations_after: int
    guilds_before: int
    guilds_after: int
    hours_before: float
    hours_after: float


SQL = """
WITH pivots AS (
    SELECT c.lesson_id, c.guild_id, c.source, true AS done, c.completed_at AS at
    FROM governance_completion c
    WHERE c.lesson_id = ANY(%(lessons)s)
    UNION ALL
    SELECT a.lesson_id, a.guild_id, a.source, false, min(a.assigned_at)
    FROM governance_assignment a
    WHERE a.lesson_id = ANY(%(lessons)s) AND a.cancelled_at IS NULL
      AND NOT EXISTS (
          SELECT 1 FROM governance_completion c WHERE c.lesson_id = a.lesson_id AND c.guild_id = a.guild_id
      )
    GROUP BY a.lesson_id, a.guild_id, a.source
),
placed AS (
    SELECT p.*, (p.at AT TIME ZONE m.timezone)::date AS day, m.timezone,
           p.at + make_interval(days => %(days)s) <= %(now)s AS over
    FROM pivots p
    JOIN guilds_guild g ON g.id = p.guild_id
    JOIN guilds_market m ON m.id = g.market_id
    WHERE %(markets)s::bigint[] IS NULL OR m.id = ANY(%(markets)s::bigint[])
),
codes AS (
    SELECT DISTINCT l.id AS lesson_id, v.violation_code AS code
    FROM governance_lesson l JOIN governance_ruleversion v ON v.rule_id = l.rule_id
    WHERE l.id = ANY(%(lessons)s)
),
counted AS (
    SELECT p.lesson_id, p.source, p.done, p.over,
           (SELECT count(*) FROM governance_violation v JOIN codes k ON k.code = v.code AND k.lesson_id = p.lesson_id
            WHERE v.guild_id = p.guild_id AND v.status IN ('open', 'confirmed')
              AND v.occurred_at >= p.at - make_interval(days => %(days)s) AND v.occurred_at < p.at) AS before,
           (SELECT count(*) FROM governance_violation v JOIN codes k ON k.code = v.code AND k.lesson_id = p.lesson_id
            WHERE v.guild_id = p.guild_id AND v.status IN ('open', 'confirmed')
              AND v.occurred_at >= p.at AND v.occurred_at < p.at + make_interval(days => %(days)s)) AS after,
           (SELECT COALESCE(sum(y.live_hours), 0) FROM guilds_activity y
            WHERE y.guild_id = p.guild_id AND y.date >= p.day - %(days)s AND y.date < p.day) AS hours_before,
           (SELECT COALESCE(sum(y.live_hours), 0) FROM guilds_activity y
            WHERE y.guild_id = p.guild_id AND y.date >= p.day AND y.date < p.day + %(days)s) AS hours_after
    FROM placed p
)
SELECT l.code, c.source, c.done,
       count(*) FILTER (WHERE over),
       count(*) FILTER (WHERE NOT over),
       COALESCE(sum(before) FILTER (WHERE over), 0),
       COALESCE(sum(after) FILTER (WHERE over), 0),
       count(*) FILTER (WHERE over AND before > 0),
       count(*) FILTER (WHERE over AND after > 0),
       COALESCE(sum(hours_before) FILTER (WHERE over), 0),
       COALESCE(sum(hours_after) FILTER (WHERE over), 0)
FROM counted c JOIN governance_lesson l ON l.id = c.lesson_id
GROUP BY l.code, c.source, c.done
ORDER BY l.code, c.source, c.done DESC
"""


def lesson_effect(
    *, actor: Actor, lesson_id: int | None = None, now: dt.datetime | None = None, days: int = DAYS
) -> list[Group]:
    """The groups of one lesson or of all that are about a rule, within the actor's markets."""
    lessons = Lesson.objects.filter(rule__isnull=False)
    if lesson_id is not None:
        lessons = lessons.filter(pk=lesson_id)
    values: dict[str, Any] = {
        "lessons": list(lessons.values_list("pk", flat=True)),
        "markets": None if actor.market_ids is None else sorted(actor.market_ids),
        "days": days,
        "now": now or timezone.now(),
    }
    with connection.cursor() as cursor:
        cursor.execute(SQL, values)
        rows = cursor.fetchall()
    return [
        Group(
            lesson=code,
            source=source,
            done=done,
            guilds=guilds,
            waiting=waiting,
            violations_before=int(before),
            violations_after=int(after),
            guilds_before=guilds_before,
            guilds_after=guilds_after,
            hours_before=float(hours_before),
            hours_after=float(hours_after),
        )
        for (
            code,
            source,
            done,
            guilds,
            waiting,
            before,
            after,
            guilds_before,
            guilds_after,
            hours_before,
            hours_after,
        ) in rows
    ]
