"""What people and enforcing systems do to one penalty, and what they are refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.utils import timezone

from governance.models import Event, Notice, Penalty, Restriction, Review
from governance.penalties import services
from guilds.accounts.actor import Actor
from guilds.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from tests import factories

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
HOLD = {**factories.LADDER, "steps": [[{"kind": "settlement_hold", "days": 30}]]}


@pytest.fixture
def enforcer() -> Actor:
    return Actor.staff(factories.staff("enforcer"))


def held() -> Penalty:
    version = factories.version(severity="S1", review="human", ladder=HOLD)
    factories.violation(factories.guild(), version, status="confirmed")
    services.sanctions_decide_due()
    return Penalty.objects.latest("pk")


def scheduled() -> Penalty:
    factories.violation(factories.guild(), factories.version(ladder=HOLD), status="confirmed")
    services.sanctions_decide_due()
    return Penalty.objects.latest("pk")


def in_force() -> Penalty:
    penalty = scheduled()
    services.penalties_apply_due()
    penalty.refresh_from_db()
    return penalty


def test_a_second_person_releases_and_only_then_the_guild_hears_of_it(enforcer: Actor) -> None:
    penalty = held()
    Penalty.objects.update(
        proposed_at=penalty.proposed_at - 5 * DAY,
        starts_at=penalty.starts_at - 5 * DAY,
        ends_at=penalty.starts_at + 25 * DAY,
    )
    services.penalty_release(actor=enforcer, penalty_id=penalty.pk, reason="evidence is sound")
    penalty.refresh_from_db()
    assert (penalty.status, penalty.released_by_id) == ("scheduled", enforcer.user_id)
    assert penalty.notice is not None
    assert penalty.notice.issued_at <= penalty.starts_at, "notice at or before effect"
    assert penalty.ends_at is not None
    assert penalty.ends_at - penalty.starts_at == 30 * DAY, "waiting does not eat into the penalty"
    services.penalties_apply_due()
    assert Restriction.objects.count() == 1


def test_who_proposed_or_reviewed_may_not_release() -> None:
    reviewer = factories.staff("reviewer", "enforcer")
    version = factories.version(severity="S1", review="human", ladder=HOLD)
    violation = factories.violation(factories.guild(), version, status="confirmed")
    Review.objects.create(
        violation=violation, reviewer=reviewer, verdict="confirm", reason="seen", created_at=timezone.now()
    )
    services.sanctions_decide_due()
    penalty, count = violation.penalties.get(), Event.objects.count()
    assert penalty.proposed_by == reviewer

    with pytest.raises(NotAllowed, match="another person"):
        services.penalty_release(actor=Actor.staff(reviewer), penalty_id=penalty.pk, reason="I am sure")

    penalty.refresh_from_db()
    assert (penalty.status, penalty.notice_id, Event.objects.count()) == ("held", None, count)


def test_a_refused_penalty_is_cancelled_and_the_guild_never_hears_of_it(enforcer: Actor) -> None:
    penalty, told = held(), Notice.objects.filter(kind="penalty_changed").count()
    services.penalty_refuse(actor=enforcer, penalty_id=penalty.pk, reason="too weak")
    penalty.refresh_from_db()
    assert (penalty.status, Notice.objects.filter(kind="penalty_changed").count()) == ("cancelled", told)


def test_cancelling_and_lifting_tell_the_guild(enforcer: Actor) -> None:
    first = scheduled()
    services.penalty_cancel(actor=enforcer, penalty_id=first.pk, reason="rectified")
    second = in_force()
    services.penalty_lift(actor=enforcer, penalty_id=second.pk, reason="rectified")
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("cancelled", "lifted")
    assert Notice.objects.filter(kind="penalty_changed").count() == 2
    assert not Restriction.objects.filter(lifted_at__isnull=True).exists()


Act = Callable[..., Penalty]
ACTS: list[tuple[Act, Callable[[], Penalty]]] = [
    (services.penalty_release, held),
    (services.penalty_refuse, held),
    (services.penalty_cancel, scheduled),
    (services.penalty_lift, in_force),
]


@pytest.mark.parametrize(("act", "prepare"), ACTS)
@pytest.mark.parametrize(
    "role", ["analyst", "approver", "reviewer", "adjudicator", "launcher", "auditor", "admin"]
)
def test_other_roles_are_refused(act: Act, prepare: Callable[[], Penalty], role: str) -> None:
    penalty = prepare()
    before = Penalty.objects.values().get(pk=penalty.pk), Event.objects.count()
    with pytest.raises(NotAllowed):
        act(actor=Actor.staff(factories.staff(role)), penalty_id=penalty.pk, reason="because")
    assert (Penalty.objects.values().get(pk=penalty.pk), Event.objects.count()) == before


@pytest.mark.parametrize(("act", "prepare"), ACTS)
def test_other_markets_and_missing_reasons_are_refused(
    act: Act, prepare: Callable[[], Penalty], enforcer: Actor
) -> None:
    penalty = prepare()
    elsewhere = Actor.staff(factories.staff("enforcer", markets=[factories.market()]))
    with pytest.raises(NotAllowed):
        act(actor=elsewhere, penalty_id=penalty.pk, reason="because")
    with pytest.raises(InvalidInput):
        act(actor=enforcer, penalty_id=penalty.pk, reason="  ")


@pytest.mark.parametrize(("act", "prepare"), ACTS)
def test_doing_it_twice_is_refused(act: Act, prepare: Callable[[], Penalty], enforcer: Actor) -> None:
    penalty = prepare()
    act(actor=enforcer, penalty_id=penalty.pk, reason="because")
    count = Event.objects.count()
    with pytest.raises(InvalidTransition):
        act(actor=enforcer, penalty_id=penalty.pk, reason="again")
    assert Event.objects.count() == count


def test_the_enforcing_system_acknowledges_once() -> None:
    penalty = in_force()
    machine = Actor.client(factories.client("penalties:ack"), scopes=["penalties:ack"])
    services.penalty_acknowledge(actor=machine, penalty_id=penalty.pk)
    first = services.penalty_acknowledge(actor=machine, penalty_id=penalty.pk).acknowledged_at
    penalty.refresh_from_db()
    assert penalty.acknowledged_at == first
    assert Event.objects.filter(act="penalty.acknowledged").count() == 1


def test_acknowledging_needs_the_scope_and_an_effect() -> None:
    penalty = scheduled()
    with pytest.raises(NotAllowed):
        services.penalty_acknowledge(
            actor=Actor.client(factories.client("penalties:read"), scopes=["penalties:read"]),
            penalty_id=penalty.pk,
        )
    machine = Actor.client(factories.client("penalties:ack"), scopes=["penalties:ack"])
    with pytest.raises(DomainError):
        services.penalty_acknowledge(actor=machine, penalty_id=penalty.pk)
    penalty.refresh_from_db()
    assert penalty.acknowledged_at is None
