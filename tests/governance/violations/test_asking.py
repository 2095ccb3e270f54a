"""Versions that stopped and ask a person, and the ways round a cap that do not exist."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction

from governance.models import Event, PendingSignal, RuleVersion, Violation
from governance.rules.services import version_pause, version_resume
from governance.violations.detection_queue import release
from governance.violations.models import EvaluationFault
from governance.violations.selectors import faults_visible_to, versions_asking
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, NotAllowed
from tests import factories
from tests.governance.violations.detecting import DAY, START, arrive, detect

pytestmark = pytest.mark.django_db

LAUNCHER = Actor.system("launcher")


def capped() -> RuleVersion:
    """A version that paused itself after one violation, with three signals waiting."""
    version = factories.version(cap=1, severity="S3")
    guild = factories.guild(market=factories.market("HERE"))
    for day in range(4):
        arrive(guild, day)
    detect()
    version.refresh_from_db()
    assert version.status == "paused"
    return version


def test_paused_versions_ask_with_why_and_how_many_signals_wait() -> None:
    by_cap = capped()
    by_person = factories.version(severity="S1")
    version_pause(
        actor=Actor.staff(factories.staff("analyst")), version_id=by_person.pk, reason="Too many complaints."
    )
    arrive(factories.guild())
    detect()
    first, second = versions_asking()
    assert (first.version, first.by_itself, first.waiting) == (by_cap, True, 4)
    assert "More than 1 violations in market HERE within an hour." in first.version.status_reason
    assert first.paused_at == Event.objects.filter(act="rule_version.paused").earliest("id").at
    assert (second.version, second.by_itself, second.waiting) == (by_person, False, 1)
    assert second.version.status_reason == "Too many complaints."


def test_the_last_pause_counts() -> None:
    version = capped()
    version_resume(actor=LAUNCHER, version_id=version.pk, reason="Go on.")
    analyst = Actor.staff(factories.staff("analyst"))
    version_pause(actor=analyst, version_id=version.pk, reason="No, wait.")
    (asking,) = versions_asking()
    assert not asking.by_itself
    assert asking.paused_at == Event.objects.filter(act="rule_version.paused").latest("id").at


def test_nobody_asks_when_nothing_is_paused(django_assert_max_num_queries: object) -> None:
    factories.version()
    factories.version(status="retired")
    assert versions_asking() == []


# --- ways round a cap -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("role", sorted(set(Role.values) - {"launcher"}))
def test_whoever_does_not_launch_cannot_let_it_go_on(role: str) -> None:
    version = capped()
    recorded = Event.objects.count()
    with pytest.raises(NotAllowed):
        version_resume(actor=Actor.staff(factories.staff(role)), version_id=version.pk, reason="Go on.")
    version.refresh_from_db()
    assert version.status == "paused"
    assert Event.objects.count() == recorded
    assert release() == 0
    detect()
    assert Violation.objects.count() == 1


def test_a_launcher_of_one_market_or_without_a_reason_cannot_either() -> None:
    version = capped()
    local = Actor.staff(factories.staff("launcher", markets=[factories.market()]))
    recorded = Event.objects.count()
    with pytest.raises(NotAllowed):
        version_resume(actor=local, version_id=version.pk, reason="Go on.")
    with pytest.raises(InvalidInput):
        version_resume(actor=LAUNCHER, version_id=version.pk, reason=" ")
    version.refresh_from_db()
    assert version.status == "paused"
    assert Event.objects.count() == recorded


def test_the_cap_of_a_judging_version_cannot_be_raised_or_removed() -> None:
    version = capped()
    for cap in (1_000, None):
        with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
            RuleVersion.objects.filter(pk=version.pk).update(cap=cap)
    # nor by thawing it, for a status never goes back to draft
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
        RuleVersion.objects.filter(pk=version.pk).update(frozen_at=None, cap=1_000)
    version.refresh_from_db()
    assert version.cap == 1


def test_signals_put_back_by_hand_wait_again() -> None:
    version = capped()
    PendingSignal.objects.update(shard=0)  # as a person at the database would
    detect()
    assert Violation.objects.count() == 1
    assert set(PendingSignal.objects.filter(shard__gte=100).values_list("version", flat=True)) == {version.pk}


def test_retrying_a_fault_does_not_pass_a_pause() -> None:
    from governance.violations.services import fault_retry

    version = factories.version(when='signal.bad == true && signal.amount > "x"')
    arrive(factories.guild(), data={"bad": True, "amount": 1})
    detect()
    fault = EvaluationFault.objects.get()
    version_pause(actor=LAUNCHER, version_id=version.pk, reason="It fails.")
    fault_retry(actor=LAUNCHER, fault_id=fault.pk, reason="Try again.")
    detect()
    assert PendingSignal.objects.get().shard >= 100
    assert not Violation.objects.exists()


def test_a_violation_of_long_ago_counts_by_when_it_was_found() -> None:
    """Signals from far apart in their own time are still found within one hour."""
    version = factories.version(cap=2)
    guild = factories.guild()
    for years in range(3):
        arrive(guild, time=START + years * 365 * DAY)
    detect()
    version.refresh_from_db()
    assert version.status == "paused"
    assert Violation.objects.count() == 2


# --- faults ---------------------------------------------------------------------------------------------------------
def test_faults_are_seen_by_staff_of_the_signals_market() -> None:
    here, there = factories.market("HERE"), factories.market("THERE")
    factories.version(when='signal.bad == true && signal.amount > "x"')
    for market in (here, there):
        arrive(factories.guild(market=market), data={"bad": True, "amount": 1})
    detect()

    def seen(actor: Actor) -> int:
        return faults_visible_to(actor).count()

    assert seen(Actor.staff(factories.staff("analyst"))) == 2
    assert seen(Actor.staff(factories.staff("analyst", markets=[here]))) == 1
    assert seen(Actor.staff(factories.staff("analyst", markets=[factories.market()]))) == 0
    assert seen(Actor.guild_user(factories.seat(factories.guild(market=here)))) == 0
    assert seen(Actor.client(factories.client("violations:read"), scopes=["violations:read"])) == 0
