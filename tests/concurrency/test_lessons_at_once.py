"""Lessons while several do the same at once: each request, go, credit and lifting happens once; and a real worker does it all."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Sequence

import pytest
from celery import current_app
from django.db import connection
from django.utils import timezone

from governance.education.services import (
    assignments_remind_due,
    attempt_make,
    lesson_assign,
    lesson_complete,
)
from governance.models import Assignment, Attempt, Completion, Credit, Notice, Penalty, PointEntry
from governance.penalties import services
from governance.penalties.selectors import standing_of
from guilds.accounts.actor import Actor
from guilds.errors import Conflict
from tests import factories
from tests.governance.education.cases import ANALYST, answers, published, question
from tests.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)
DAY = dt.timedelta(days=1)


def at_once(*acts: Callable[[], object]) -> Sequence[object]:
    """Run them in threads from one starting line; returns what each returned or the refusal it met."""
    barrier, found = threading.Barrier(len(acts)), list[object]()

    def run(act: Callable[[], object]) -> None:
        try:
            barrier.wait(timeout=30)
            found.append(act())
        except Conflict as refusal:
            found.append(refusal)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(found) == len(acts)
    return found


def test_a_passed_quiz_frees_and_credits_by_the_worker_alone(worker: Worker) -> None:
    """From the sanction on nobody calls anything but the portal's service and the schedule."""
    ladder = {**factories.LADDER, "steps": [[{"kind": "reward_freeze", "until_trained": True}]]}
    version = factories.version(ladder=ladder)
    lesson = published(rule=version.rule, questions=[question(1)], credit_points=4)
    guild = factories.guild()
    factories.violation(guild, version, status="confirmed", evidence=False)
    services.sanctions_decide_due()
    worker.wait_idle()
    assert Penalty.objects.get().status == "in_force"
    assert Assignment.objects.get().source == "penalty"

    attempt_make(actor=Actor.guild_user(factories.seat(guild)), code=lesson.code, answers=answers(lesson, 0))
    worker.wait_idle()
    # The two nudges may meet at the guild's lock, where the later one gives way; the schedule comes round again.
    for task in ("governance.penalties.trained_due", "governance.penalties.credit_due"):
        current_app.send_task(task)
        worker.wait_idle()

    assert Penalty.objects.get().status == "lifted"
    assert Credit.objects.get().points == 4
    assert (standing_of(guild.pk)["score"], standing_of(guild.pk)["restrictions"]) == (94, [])


def test_credits_are_decided_once() -> None:
    version = factories.version()
    lesson = published(rule=version.rule, questions=[question(1)], credit_points=3)
    guilds = [factories.guild() for _ in range(8)]
    for guild in guilds:
        factories.violation(guild, version, status="confirmed", evidence=False)
        attempt_make(
            actor=Actor.guild_user(factories.seat(guild)), code=lesson.code, answers=answers(lesson, 0)
        )
    services.sanctions_decide_due()

    settled = at_once(*[lambda: services.credits_apply_due(limit=3) for _ in range(4)])
    while services.credits_apply_due():
        pass

    assert len(settled) == 4
    assert Credit.objects.count() == 8
    assert PointEntry.objects.filter(reason="credit").count() == 8
    assert {standing_of(guild.pk)["score"] for guild in guilds} == {93}


def test_guilds_are_asked_and_reminded_once() -> None:
    lesson, guilds = published(), [factories.guild() for _ in range(5)]

    def ask() -> int:
        return len(
            lesson_assign(
                actor=ANALYST,
                lesson_id=lesson.pk,
                guild_ids=[guild.pk for guild in guilds],
                source="staff",
                due_at=timezone.now() + 10 * DAY,
            )
        )

    assert sorted(at_once(ask, ask, ask), key=str) == [0, 0, 5]
    assert Notice.objects.filter(kind="lesson_assigned").count() == 5
    later = timezone.now() + 10 * DAY
    reminded = at_once(*[lambda: assignments_remind_due(now=later) for _ in range(3)])
    assert sum(count for count in reminded if isinstance(count, int)) == 5
    assert Notice.objects.filter(kind="lesson_reminder").count() == 5


def test_asking_and_completing_never_miss_each_other() -> None:
    for number in range(6):
        lesson = published(f"lesson-{number}")
        seat = factories.seat(factories.guild())

        def ask(lesson_id: int = lesson.pk, guild_id: int = seat.guild_id) -> object:
            return lesson_assign(actor=ANALYST, lesson_id=lesson_id, guild_ids=[guild_id], source="staff")

        def complete(actor: Actor = Actor.guild_user(seat), code: str = lesson.code) -> object:  # noqa: B008
            return lesson_complete(actor=actor, code=code)

        at_once(ask, complete)
    assert Completion.objects.count() == 6
    assert Assignment.objects.filter(completed_at__isnull=False).count() == 6


def test_five_goes_are_five_however_many_press_at_once() -> None:
    lesson = published(questions=[question(1)])
    guild = factories.guild()
    people = [Actor.guild_user(factories.seat(guild)) for _ in range(8)]
    wrong = answers(lesson, 1)

    found = at_once(
        *[lambda actor=actor: attempt_make(actor=actor, code="logo", answers=wrong) for actor in people]
    )

    assert sum(isinstance(one, Conflict) for one in found) == 3
    assert Attempt.objects.count() == 5
