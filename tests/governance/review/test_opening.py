"""How cases come to be: each open violation has exactly those it needs, however often and in whatever order things run."""

from __future__ import annotations

import datetime as dt

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from governance.models import Case, Review, Violation
from governance.review import services, tasks
from governance.review.models import Queue
from governance.review.selectors import is_given, queue_default
from governance.review.services.opening import drawn
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput
from tests import factories
from tests.governance.review.judging import DAY, HOUR, acts, admin, cases_of, found, refuses, reviewer

pytestmark = pytest.mark.django_db


def test_an_open_violation_gets_a_case_routed_ranked_and_due() -> None:
    detected = timezone.now() - 2 * HOUR
    violation = found(severity="S2", detected_at=detected)
    (case,) = cases_of(violation)
    assert (case.kind, case.status, case.place, case.severity, case.revision) == (
        "verdict",
        "waiting",
        1,
        "S2",
        1,
    )
    assert (case.rule, case.guild, case.market) == (violation.rule, violation.guild, violation.market)
    assert case.queue == queue_default()
    assert (case.opened_at, case.due_at) == (detected, detected + 24 * HOUR)
    # Harm 3 of 5 and an unknown source take 15 % each.
    assert case.urgent_at == detected + 24 * HOUR * 0.7
    assert acts() == []


def test_who_is_decided_automatically_or_already_gets_none() -> None:
    guild = factories.guild()
    factories.violation(guild, status="confirmed")
    factories.violation(guild, factories.version(review="human"), status="dismissed")
    assert services.cases_open_due() == 0
    assert not Case.objects.exists()


def test_a_violation_judged_by_two_has_two_places_and_a_third_when_they_disagree() -> None:
    violation = found("dual")
    assert [case.place for case in cases_of(violation)] == [1, 2]
    services.violation_confirm(actor=reviewer(), violation_id=violation.pk, reason="Yes.")
    assert [case.status for case in cases_of(violation)] == ["done", "waiting"]
    services.violation_dismiss(actor=reviewer(), violation_id=violation.pk, reason="No.")
    third = cases_of(violation)[2]
    assert (third.place, third.status) == (3, "waiting")
    # A new promise to a new person, in the place that the age of the violation gives it.
    assert third.opened_at > violation.detected_at
    assert third.urgent_at == cases_of(violation)[0].urgent_at


def test_the_sweep_may_run_as_often_as_it_likes() -> None:
    human, dual = found("human"), found("dual")
    before = list(Case.objects.order_by("pk").values())
    assert [services.cases_open_due(), services.cases_open_due(limit=1)] == [0, 0]
    assert list(Case.objects.order_by("pk").values()) == before
    assert [len(cases_of(human)), len(cases_of(dual))] == [1, 2]


def test_the_frequent_sweep_looks_at_what_was_found_lately() -> None:
    guild, version = factories.guild(), factories.version(review="human")
    now = timezone.now()
    old = factories.violation(guild, version, evidence=False, occurred_at=now, detected_at=now - 2 * HOUR)
    new = factories.violation(guild, version, evidence=False, detected_at=now)
    assert tasks.open_due() == 1
    assert [len(cases_of(new)), len(cases_of(old))] == [1, 0]
    assert tasks.open_missed() == 1
    assert len(cases_of(old)) == 1
    assert [tasks.open_due(), tasks.open_missed()] == [0, 0]


def test_a_verdict_from_before_there_were_cases_has_used_up_its_place() -> None:
    violation = factories.violation(factories.guild(), factories.version(review="dual"))
    Review.objects.create(
        violation=violation,
        reviewer=factories.staff("reviewer"),
        verdict="confirm",
        reason="Long ago.",
        created_at=timezone.now(),
    )
    services.cases_open_due()
    assert [(case.place, case.status) for case in cases_of(violation)] == [(2, "waiting")]


def test_the_first_route_that_fits_names_the_queue() -> None:
    boss = admin()
    guild = factories.guild()
    for code in ("grave", "here"):
        services.queue_save(actor=boss, code=code, name=code, assignment="pull", reason="More people.")
    services.queue_routes_save(
        actor=boss,
        routes=[
            {"queue": "grave", "severities": ["S1"]},
            {"queue": "here", "markets": [guild.market.code], "kinds": ["verdict"]},
        ],
        reason="More people.",
    )
    queues = [
        cases_of(found(severity=severity, guild=where))[0].queue.code
        for severity, where in (
            ("S1", guild),
            ("S3", guild),
            ("S3", factories.guild()),
        )
    ]
    assert queues == ["grave", "here", "general"]


def test_a_target_of_the_market_goes_before_the_one_for_all() -> None:
    boss, here = admin(), factories.guild()
    services.target_save(actor=boss, severity="S3", hours=50, reason="Faster.")
    services.target_save(actor=boss, severity="S3", market_id=here.market_id, hours=10, reason="Faster here.")
    ours, theirs = found(guild=here), found()
    assert cases_of(ours)[0].due_at - ours.detected_at == 10 * HOUR
    assert cases_of(theirs)[0].due_at - theirs.detected_at == 50 * HOUR


def test_a_share_of_a_queue_is_judged_by_two_by_a_draw_that_never_changes() -> None:
    Queue.objects.filter(pk=queue_default().pk).update(double_share=0.5)
    guild, version = factories.guild(), factories.version(review="human")
    made = [factories.violation(guild, version, subject=f"s{n}", evidence=False) for n in range(60)]
    services.cases_open_due()
    queue = queue_default()
    twice = [violation for violation in made if drawn(violation, queue)]
    assert 15 <= len(twice) <= 45
    assert set(Violation.objects.filter(review="dual")) == set(twice)
    assert {violation.pk: len(cases_of(violation)) for violation in made} == {
        violation.pk: 2 if violation in twice else 1 for violation in made
    }
    assert acts() == ["violation.judged_by_two"] * len(twice)
    services.cases_open_due()
    assert acts() == ["violation.judged_by_two"] * len(twice)


def test_none_and_all_of_a_queue_can_be_judged_by_two() -> None:
    violation = factories.violation(factories.guild(), factories.version(review="human"))
    assert not drawn(violation, Queue(double_share=0.0))
    assert drawn(violation, Queue(double_share=1.0))
    violation.review = "dual"
    assert not drawn(violation, Queue(double_share=1.0))


def test_the_statements_do_not_grow_with_the_batch() -> None:
    guild, version = factories.guild(), factories.version(review="dual")

    def statements(number: int) -> int:
        for _ in range(number):
            factories.violation(guild, version, evidence=False, occurred_at=timezone.now())
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert services.cases_open_due() == number
        return len(queries)

    statements(1)
    assert statements(1) == statements(40)


def test_what_somebody_else_is_deciding_is_left_to_the_next_sweep() -> None:
    assert settings.DATABASES["default"]["ENGINE"].endswith("postgresql")
    violation = factories.violation(factories.guild(), factories.version(review="human"))
    services.violation_confirm(actor=reviewer(), violation_id=violation.pk, reason="Yes.")
    assert services.cases_open_due() == 0
    (case,) = cases_of(violation)
    assert (case.status, case.place, case.seconds) == ("done", 1, None)


# --- property ---------------------------------------------------------------------------------------------------------
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("find"), st.sampled_from(["human", "dual"])),
        st.tuples(st.just("sweep"), st.none()),
        st.tuples(st.sampled_from(["confirm", "dismiss", "claim", "hold", "escalate"]), st.integers(0, 7)),
    ),
    max_size=14,
)


@given(steps=STEPS)
@hypothesis_settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_each_open_violation_has_exactly_the_cases_it_needs(steps: list[tuple[str, object]]) -> None:
    guild = factories.guild()
    versions = {review: factories.version(review=review) for review in ("human", "dual")}
    people = [reviewer() for _ in range(4)]
    violations: list[Violation] = []
    for turn, (step, what) in enumerate(steps):
        if step == "find":
            moment = timezone.now() + turn * dt.timedelta(seconds=1)
            violations.append(
                factories.violation(guild, versions[str(what)], evidence=False, occurred_at=moment)
            )
        elif step == "sweep":
            services.cases_open_due()
            services.cases_sweep()
        elif violations:
            assert isinstance(what, int)
            _try(step, violations[what % len(violations)], people[(what + turn) % len(people)])
    services.cases_open_due()
    for violation in violations:
        violation.refresh_from_db()
        statuses = [case.status for case in cases_of(violation)]
        waiting = sum(status in ("waiting", "on_hold") for status in statuses)
        verdicts = violation.reviews.count()
        assert statuses.count("done") == verdicts
        if violation.status == "open":
            assert waiting == (1 if violation.review == "human" or verdicts >= 1 else 2)
        else:
            assert waiting == 0


def _try(step: str, violation: Violation, actor: Actor) -> None:
    """One act; refusals are part of the game."""
    from guilds.errors import DomainError

    try:
        if step in ("confirm", "dismiss"):
            act = services.violation_confirm if step == "confirm" else services.violation_dismiss
            act(actor=actor, violation_id=violation.pk, reason="Seen.")
            return
        case = Case.objects.filter(violation=violation, status="waiting").order_by("place").first()
        if case is None:
            return
        if step == "claim":
            services.case_claim(actor=actor, case_id=case.pk)
        elif step == "hold":
            services.case_hold(actor=actor, case_id=case.pk, until=timezone.now() + DAY, reason="Later.")
        else:
            services.case_escalate(actor=actor, case_id=case.pk, reason="Too hard.")
    except DomainError:
        return


# --- what is asked besides --------------------------------------------------------------------------------------------
def test_an_audit_looks_like_any_other_case_and_bears_the_severity_of_its_violation() -> None:
    violation = factories.violation(factories.guild(), factories.version(severity="S1"), status="confirmed")
    judge = factories.staff("reviewer")
    case = services.case_ask(kind="golden", violation=violation, assigned_to=judge)
    assert (case.kind, case.severity, case.violation, case.assigned_to) == ("golden", "S1", violation, judge)
    # Nobody gave it to the judge, or its looks would tell what it is.
    assert not is_given(case)
    assert case.due_at - case.opened_at == 4 * HOUR
    assert services.case_ask(kind="quality", violation=violation).assigned_to is None
    assert acts() == []


def test_an_unflagged_guild_day_is_asked_about_in_its_market() -> None:
    guild = factories.guild()
    case = services.case_ask(kind="coverage", guild=guild, day=dt.date(2026, 3, 1))
    assert (case.guild, case.market, case.violation, case.rule) == (guild, guild.market, None, None)
    assert (case.severity, case.due_at - case.opened_at) == ("S3", 72 * HOUR)


def test_nothing_is_asked_about_nothing() -> None:
    violation, guild = factories.violation(factories.guild(), status="confirmed"), factories.guild()
    refuses(InvalidInput, services.case_ask, kind="verdict", violation=violation)
    refuses(InvalidInput, services.case_ask, kind="golden")
    refuses(InvalidInput, services.case_ask, kind="coverage", guild=guild)
    refuses(InvalidInput, services.case_ask, kind="coverage", violation=violation)
