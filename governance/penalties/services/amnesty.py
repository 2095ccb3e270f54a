"""Amnesty: a guild that has just done the lesson is warned, once, for its first violation of the rule.

It holds for S3 and S4 and for a violation that happened after the lesson was first completed and within the lesson's
`amnesty_days`. The violation stays confirmed and the warning can be appealed; it brings no points and does not count as an
offence, so the next one is the first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from governance.education.models import Completion, Lesson
from governance.penalties.enums import PenaltyKind
from governance.penalties.models import Sanction
from governance.rules.enums import Severity
from governance.violations.models import Violation

SEVERITIES = frozenset({Severity.S3, Severity.S4})
#: All that a violation under amnesty leads to.
STEPS: tuple[Mapping[str, Any], ...] = ({"kind": PenaltyKind.WARNING.value},)

Key = tuple[int, int]


class Amnesties:
    """Which amnesties the guilds hold for rules, as a batch uses them up. Two queries, or one where there are none."""

    def __init__(self, guild_ids: Iterable[int], rule_ids: Collection[int]) -> None:
        guilds = list(guild_ids)
        self.windows: dict[Key, list[tuple[dt.datetime, dt.datetime, Lesson]]] = {}
        completions = Completion.objects.filter(
            guild_id__in=guilds, lesson__rule_id__in=rule_ids, lesson__amnesty_days__gt=0
        ).select_related("lesson")
        for completion in completions.order_by("completed_at"):
            lesson, since = completion.lesson, completion.completed_at
            window = (since, since + dt.timedelta(days=lesson.amnesty_days), lesson)
            self.windows.setdefault((completion.guild_id, lesson.rule_id or 0), []).append(window)
        #: (when, under amnesty) of what was sanctioned before.
        self.sanctioned: dict[Key, list[tuple[dt.datetime, bool]]] = {}
        if self.windows:
            rows = Sanction.objects.filter(
                guild_id__in={guild_id for guild_id, _rule_id in self.windows},
                violation__rule_id__in={rule_id for _guild_id, rule_id in self.windows},
                reversed_at__isnull=True,
            ).values_list("guild_id", "violation__rule_id", "violation__occurred_at", "amnesty")
            for guild_id, rule_id, moment, amnesty in rows:
                self.sanctioned.setdefault((guild_id, rule_id), []).append((moment, amnesty))

    def use(self, violation: Violation) -> Lesson | None:
        """The lesson that excuses this violation, or None; remembers the violation either way."""
        key = (violation.guild_id, violation.rule_id)
        lesson = self._excuse(key, violation) if violation.severity in SEVERITIES else None
        if key in self.windows:
            self.sanctioned.setdefault(key, []).append((violation.occurred_at, lesson is not None))
        return lesson

    def _excuse(self, key: Key, violation: Violation) -> Lesson | None:
        known, moment = self.sanctioned.get(key, []), violation.occurred_at
        if any(amnesty for _moment, amnesty in known):
            return None
        for since, until, lesson in self.windows.get(key, []):
            if since < moment <= until and not any(since < other <= moment for other, _amnesty in known):
                return lesson
        return None


def sanction_to_excuse(guild_id: int, rule_id: int) -> tuple[Sanction, Lesson] | None:
    """The standing sanction that would have been a warning alone if those reversed since had never been, with the lesson.

    None when the guild's amnesty for the rule is in use or there is nothing it covers.
    """
    standing = list(
        Sanction.objects.filter(guild=guild_id, violation__rule_id=rule_id, reversed_at__isnull=True)
        .select_related("violation__version", "violation__rule", "violation__creator")
        .order_by("violation__occurred_at", "violation_id")
    )
    if any(sanction.amnesty for sanction in standing):
        return None
    amnesties = Amnesties([guild_id], [rule_id])
    amnesties.sanctioned = {}
    for sanction in standing:
        lesson = amnesties.use(sanction.violation)
        if lesson is not None:
            return sanction, lesson
    return None
