"""Reviewers who press at the same moment, each on a connection of their own: one wins, the others learn who."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from django.db import connection
from django.utils import timezone

from governance.ledger.models import Event
from governance.models import Case, Review, Violation
from governance.review import services
from governance.review.models import Queue
from governance.review.selectors import queue_default
from guilds.accounts.actor import Actor
from guilds.errors import DomainError
from tests import factories
from tests.governance.review.judging import admin, cases_of, found, reviewer, waiting
from tests.governance.violations.detecting import arrive
from tests.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts: Callable[[], object]) -> Sequence[object]:
    """Run them in threads from one starting line; returns what each returned or the refusal it met."""
    barrier, found = threading.Barrier(len(acts)), list[object]()

    def run(act: Callable[[], object]) -> None:
        try:
            barrier.wait(timeout=30)
            found.append(act())
        except DomainError as refusal:
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


def refusals(answers: Sequence[object]) -> list[str]:
    return [answer.code for answer in answers if isinstance(answer, DomainError)]


def test_one_of_several_who_claim_gets_the_case() -> None:
    case, people = waiting(), [reviewer() for _ in range(4)]
    answers = at_once(*[lambda who=who: services.case_claim(actor=who, case_id=case.pk) for who in people])
    assert refusals(answers) == ["claimed"] * 3
    assert Event.objects.filter(act="case.claimed").count() == 1


def test_one_of_two_verdicts_counts_and_the_other_is_told() -> None:
    for _ in range(5):
        case, ann, bob = waiting(), reviewer(), reviewer()

        def decide(who: Actor, opinion: str, case: Case = case) -> Case:
            return services.case_decide(
                actor=who, case_id=case.pk, opinion=opinion, reason="I say so.", revision=case.revision
            )

        answers = at_once(partial(decide, ann, "confirm"), partial(decide, bob, "dismiss"))
        assert refusals(answers) == ["stale"]
        assert Review.objects.filter(violation=case.violation_id).count() == 1


def test_the_two_places_of_a_violation_are_not_taken_by_one_person_in_two_windows() -> None:
    for _ in range(5):
        first, second = cases_of(found("dual"))
        ann = reviewer()
        answers = at_once(
            *[
                lambda key=case.pk, ann=ann: services.case_claim(actor=ann, case_id=key)
                for case in (first, second)
            ]
        )
        assert refusals(answers) == ["other_place"]


def test_verdicts_sweeps_and_openings_at_once_leave_each_violation_what_it_needs() -> None:
    guild = factories.guild()
    human, dual = factories.version(review="human"), factories.version(review="dual")
    made = [
        factories.violation(guild, version, evidence=False, subject=f"s{n}")
        for n in range(6)
        for version in (human, dual)
    ]
    people = [reviewer() for _ in range(3)]

    def judge(who: Actor, turn: int) -> None:
        for n, violation in enumerate(made):
            act = services.violation_confirm if (n + turn) % 3 else services.violation_dismiss
            try:
                act(actor=who, violation_id=violation.pk, reason="I say so.")
            except DomainError:
                continue

    def sweep() -> None:
        for _ in range(5):
            services.cases_open_due(limit=4)
            services.cases_sweep()

    answers = at_once(
        *[lambda who=who, turn=turn: judge(who, turn) for turn, who in enumerate(people)], sweep, sweep
    )
    assert refusals(answers) == []
    services.cases_open_due()
    for violation in made:
        violation.refresh_from_db()
        statuses = [case.status for case in cases_of(violation)]
        assert statuses.count("done") == violation.reviews.count()
        assert statuses.count("waiting") == (1 if violation.status == "open" else 0)
        assert len(statuses) <= 3


def test_two_sweeps_note_and_share_out_once() -> None:
    Queue.objects.filter(pk=queue_default().pk).update(assignment="shared_out")
    ann = reviewer()
    assert ann.user_id is not None
    services.desk_save(actor=admin(), user_id=ann.user_id, capacity_per_day=3, reason="As agreed.")
    cases = [waiting(severity="S1") for _ in range(6)]
    later = max(case.due_at for case in cases)
    at_once(*[lambda: services.cases_sweep(later) for _ in range(3)])
    services.cases_sweep(later)
    assert Case.objects.filter(assigned_to=ann.user_id).count() == 3
    assert Event.objects.filter(act="case.assigned").count() == 3
    assert Event.objects.filter(act="case.overdue").count() == 6


def test_the_worker_opens_a_case_for_what_detection_finds(worker: Worker) -> None:
    """The nudge of detection alone; nobody calls the sweep."""
    from governance.violations.detection_facts import shard_of
    from governance.violations.services import detect_batch

    factories.version(review="dual")
    guild = factories.guild()
    arrive(guild)
    detect_batch(shard=shard_of(guild.pk))
    worker.wait_idle()
    violation = Violation.objects.get()
    assert [(case.place, case.status) for case in cases_of(violation)] == [(1, "waiting"), (2, "waiting")]
    assert cases_of(violation)[0].opened_at <= timezone.now()
