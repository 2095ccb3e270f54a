"""Lessons as part of a penalty: which penalties ask for one, and asking and taking back together with apply and reverse."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from governance.education.enums import AssignmentSource
from governance.education.models import Lesson
from governance.education.selectors import lessons_published
from governance.education.services import Order, assignments_make, assignments_withdraw
from governance.penalties.enums import PenaltyKind
from governance.penalties.models import Penalty
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput

#: How long a guild has for a lesson that a penalty without an end asks for.
DAYS_TO_DO = dt.timedelta(days=14)
ACTOR = "penalty schedule"


def until_trained(params: Mapping[str, Any]) -> bool:
    """Whether the ladder says that the penalty ends when the guild has done the lesson of the rule."""
    return bool(params.get("until_trained"))


def asks_for_lesson(penalty: Penalty) -> bool:
    return penalty.kind == PenaltyKind.TRAINING or until_trained(penalty.params)


def lessons_ask(penalties: Sequence[Penalty], *, now: dt.datetime) -> None:
    """Assign the lessons of the rule broken, due when the penalty ends.

    A training without a lesson to read is followed up by staff. A penalty that lasts until the lesson is done could then
    never end: it is refused with InvalidInput.
    """
    wanting = [penalty for penalty in penalties if asks_for_lesson(penalty)]
    if not wanting:
        return
    lessons: dict[int | None, list[Lesson]] = {}
    rule_ids = {penalty.violation.rule_id for penalty in wanting}
    for lesson in lessons_published().filter(rule_id__in=rule_ids).order_by("pk"):
        lessons.setdefault(lesson.rule_id, []).append(lesson)
    orders: dict[int, list[Order]] = {}
    for penalty in wanting:
        found = lessons.get(penalty.violation.rule_id, [])
        if not found and until_trained(penalty.params):
            raise InvalidInput(
                "The penalty lasts until a lesson is done, but no lesson about the rule is published. Publish one and retry."
            )
        for lesson in found:
            orders.setdefault(lesson.pk, []).append(
                Order(
                    guild_id=penalty.guild_id,
                    source=AssignmentSource.PENALTY,
                    source_id=str(penalty.public_id),
                    due_at=penalty.ends_at or now + DAYS_TO_DO,
                )
            )
    for lesson_id, wanted in sorted(orders.items()):
        assignments_make(actor=Actor.system(ACTOR), lesson_id=lesson_id, orders=wanted)


def lessons_take_back(penalties: Sequence[Penalty]) -> None:
    """Cancel what the penalties asked for and the guild has not done; what it has learned stays learned."""
    wanting = [str(penalty.public_id) for penalty in penalties if asks_for_lesson(penalty)]
    if wanting:
        assignments_withdraw(
            actor=Actor.system(ACTOR),
            source=AssignmentSource.PENALTY,
            source_ids=wanting,
            reason="The penalty has ended.",
        )
