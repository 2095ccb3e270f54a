"""Back in one step: what was launched ends now, and what it replaced holds again."""

from __future__ import annotations

import pytest
from django.utils import timezone

from governance.launches import services
from governance.models import Assignment, Event, Launch, LivePeriod, Notice, RuleVersion, Wave
from governance.rules.services import version_pause, version_retire
from guilds.errors import InvalidInput, InvalidTransition, NotAllowed
from guilds.models import Market
from tests import factories
from tests.governance.launches.launching import SYSTEM, acting, launcher, nothing_changes, send_all
from tests.governance.launches.test_starting import live

pytestmark = pytest.mark.django_db


@pytest.fixture
def market(db: None) -> Market:
    return factories.market("DE")


def test_what_it_replaced_holds_again_from_the_same_instant(market: Market) -> None:
    former = RuleVersion.objects.get(pk=live(market).launch.version_id)
    wave = live(market, of=factories.draft(former.rule))
    version = wave.launch.version

    services.launch_rollback(actor=launcher(), launch_id=wave.launch_id, reason="It hits the wrong guilds.")

    version.refresh_from_db()
    former.refresh_from_db()
    wave.refresh_from_db()
    ended = version.live_periods.get()
    first, second = former.live_periods.order_by("id")
    assert ended.ends_at is not None
    assert (second.starts_at, second.ends_at, second.market) == (ended.ends_at, None, market)
    assert (second.share, second.holdout, second.opened_by) == (100, 0, f"rollback:{wave.launch_id}")
    assert first.ends_at == ended.starts_at
    assert (version.status, version.status_reason) == ("retired", "It hits the wrong guilds.")
    assert version.withdrawn_at == ended.ends_at
    assert (former.status, former.door) == ("live", "launch")
    launch = Launch.objects.get(pk=wave.launch_id)
    assert (wave.status, launch.status, launch.finished_reason) == (
        "rolled_back",
        "rolled_back",
        "It hits the wrong guilds.",
    )
    [back] = Event.objects.filter(act="rule.rolled_back")
    assert (back.reason, back.before) == ("It hits the wrong guilds.", {"status": "live"})
    assert back.after["restored"] == {former.public_id: ["DE"]}
    assert Event.objects.filter(act="rule_version.restored", object_id=former.public_id).count() == 1


def test_where_nothing_was_replaced_nothing_holds(market: Market) -> None:
    wave = live(market)
    services.launch_rollback(actor=launcher(), launch_id=wave.launch_id, reason="Wrong.")

    assert not LivePeriod.objects.filter(ends_at=None).exists()
    [back] = Event.objects.filter(act="rule.rolled_back")
    assert back.after["restored"] == {}


def test_the_version_before_comes_back_not_one_that_was_rolled_back_itself(market: Market) -> None:
    first = RuleVersion.objects.get(pk=live(market).launch.version_id)
    for _again in range(2):
        wave = live(market, of=factories.draft(first.rule))
        services.launch_rollback(actor=launcher(), launch_id=wave.launch_id, reason="Wrong.")

    [standing] = LivePeriod.objects.filter(ends_at=None)
    assert standing.version == first
    assert list(RuleVersion.objects.order_by("number").values_list("status", flat=True)) == [
        "live",
        "retired",
        "retired",
    ]


def test_a_rollback_after_two_launches_brings_back_the_one_in_between(market: Market) -> None:
    first = live(market).launch.version
    second = live(market, of=factories.draft(first.rule)).launch.version
    third = live(market, of=factories.draft(first.rule))

    services.launch_rollback(actor=launcher(), launch_id=third.launch_id, reason="Wrong.")
    assert LivePeriod.objects.get(ends_at=None).version == second
    services.launch_rollback(actor=launcher(), launch_id=second.launches.get().pk, reason="Wrong too.")
    assert LivePeriod.objects.get(ends_at=None).version == first


def test_a_version_that_was_replaced_while_paused_comes_back_paused(market: Market) -> None:
    former = RuleVersion.objects.get(pk=live(market).launch.version_id)
    version_pause(actor=launcher(), version_id=former.pk, reason="Too many.")
    wave = live(market, of=factories.draft(former.rule))
    former.refresh_from_db()
    assert former.status == "retired"

    services.launch_rollback(actor=launcher(), launch_id=wave.launch_id, reason="Wrong.")

    former.refresh_from_db()
    assert former.status == "paused"
    assert former.live_periods.filter(ends_at=None).count() == 1


def test_what_a_person_withdrew_or_what_has_expired_stays_out(market: Market) -> None:
    former = RuleVersion.objects.get(pk=live(market).launch.version_id)
    wave = live(market, of=factories.draft(former.rule))
    RuleVersion.objects.filter(pk=former.pk).update(withdrawn_at=timezone.now())

    services.launch_rollback(actor=launcher(), launch_id=wave.launch_id, reason="Wrong.")

    assert not LivePeriod.objects.filter(ends_at=None).exists()


def test_a_part_of_the_guilds_falls_back_on_what_was_there_all_along(market: Market) -> None:
    former = RuleVersion.objects.get(pk=live(market).launch.version_id)
    wave = live(market, of=factories.draft(former.rule), share=20)
    services.launch_rollback(actor=launcher(), launch_id=wave.launch_id, reason="Wrong.")

    assert former.live_periods.get().ends_at is None
    assert LivePeriod.objects.filter(ends_at=None).count() == 1


def test_a_period_of_the_demo_carries_on(market: Market) -> None:
    former = factories.version()
    wave = live(market, of=factories.draft(former.rule))
    services.launch_rollback(actor=launcher(), launch_id=wave.launch_id, reason="Wrong.")

    assert LivePeriod.objects.get(ends_at=None).version == former


def test_one_market_goes_back_and_the_others_go_on(market: Market) -> None:
    france = factories.market("FR")
    former = live(market, france).launch.version
    version = factories.draft(former.rule)
    here, there = live(market, of=version), live(france, of=version)

    services.wave_rollback(actor=launcher(), wave_id=here.pk, reason="Not in Germany.")

    assert {(period.version_id, period.market_id) for period in LivePeriod.objects.filter(ends_at=None)} == {
        (former.pk, market.pk),
        (version.pk, france.pk),
    }
    assert Wave.objects.get(pk=there.pk).status == "live"
    assert Launch.objects.get(version=version).status == "completed"
    version.refresh_from_db()
    assert (version.status, version.withdrawn_at) == ("live", None)

    # The last live wave takes the launch with it.
    services.wave_rollback(actor=launcher(), wave_id=there.pk, reason="Nor in France.")
    assert Launch.objects.get(version=version).status == "rolled_back"
    assert {period.version_id for period in LivePeriod.objects.filter(ends_at=None)} == {former.pk}


def test_a_market_taken_back_can_be_launched_again_with_notice(market: Market) -> None:
    france = factories.market("FR")
    version = factories.draft()
    here, _there = live(market, of=version), live(france, of=version)
    services.wave_rollback(actor=launcher(), wave_id=here.pk, reason="Not yet.")

    again = factories.launch_ready(market, of=version)

    assert (again.number, again.announced_at is not None) == (3, True)
    services.wave_start(actor=SYSTEM, wave_id=factories.aged(again).pk)
    assert version.live_periods.filter(ends_at=None).count() == 2


def test_waves_to_come_are_given_up_and_those_who_heard_hear_of_it(market: Market) -> None:
    france = factories.market("FR")
    heard = [factories.guild(market=market), factories.guild(market=france)]
    version = factories.draft()
    wave = live(market, of=version)
    coming = factories.launch_ready(france, of=version)
    factories.guild("later", market=france)
    assert Assignment.objects.filter(cancelled_at=None).count() == 2

    services.launch_rollback(actor=launcher(), launch_id=wave.launch_id, reason="It was a mistake.")
    send_all(services.announcements_send)

    coming.refresh_from_db()
    assert coming.status == "cancelled"
    told = Notice.objects.filter(kind="rule_change_withdrawn")
    assert {notice.guild_id for notice in told} == {guild.pk for guild in heard}
    letter = told.get(guild=heard[0])
    assert letter.subject == f'The change of the rule "{version.name}" in {market.name} was taken back'
    assert "It was a mistake." in letter.body
    assert not Assignment.objects.filter(cancelled_at=None, completed_at=None).exists()


def test_an_approver_may_roll_back_and_others_may_not(market: Market) -> None:
    wave = live(market)
    with nothing_changes():
        for role in ("analyst", "reviewer", "enforcer", "auditor", "admin"):
            with pytest.raises(NotAllowed):
                services.launch_rollback(
                    actor=acting(factories.staff(role)), launch_id=wave.launch_id, reason="So."
                )
        with pytest.raises(NotAllowed):
            services.launch_rollback(
                actor=launcher(markets=[factories.market("JP")]), launch_id=wave.launch_id, reason="So."
            )
        with pytest.raises(InvalidInput):
            services.launch_rollback(actor=launcher(), launch_id=wave.launch_id, reason=" ")

    services.launch_rollback(
        actor=acting(factories.staff("approver")), launch_id=wave.launch_id, reason="So."
    )
    with nothing_changes(), pytest.raises(InvalidTransition):
        services.launch_rollback(actor=launcher(), launch_id=wave.launch_id, reason="Again.")


def test_a_launch_that_is_only_a_plan_is_given_up_not_rolled_back(market: Market) -> None:
    wave = factories.launch_ready(market)
    with nothing_changes(), pytest.raises(InvalidTransition):
        services.launch_rollback(actor=launcher(), launch_id=wave.launch_id, reason="So.")


def test_after_a_retirement_by_hand_the_rollback_still_brings_the_former_back(market: Market) -> None:
    former = live(market).launch.version
    wave = live(market, of=factories.draft(former.rule))
    version_retire(actor=launcher(), version_id=wave.launch.version_id, reason="Off.")
    assert not LivePeriod.objects.filter(ends_at=None).exists()

    services.launch_rollback(actor=launcher(), launch_id=wave.launch_id, reason="And back.")

    assert LivePeriod.objects.get(ends_at=None).version == former
