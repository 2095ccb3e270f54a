"""A wave that has earned it goes live at its time, and what was in force before gives way."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.db import connection
from django.utils import timezone

from governance.launches import services
from governance.launches.services import starting
from governance.models import Completion, Event, Launch, LivePeriod, RuleVersion, Wave
from governance.rules.selectors import was_live
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed
from guilds.models import Market
from tests import factories
from tests.governance.launches.launching import SYSTEM, acting, launcher, nothing_changes

pytestmark = pytest.mark.django_db


@pytest.fixture
def market(db: None) -> Market:
    return factories.market(
        "DE", regime=factories.regime(code="p2b", notice_days=15), timezone="Europe/Berlin"
    )


def live(*markets: Market, **fields: object) -> Wave:
    """A wave that has just gone live."""
    wave = factories.aged(factories.launch_ready(*markets, **fields))  # type: ignore[arg-type]
    return services.wave_start(actor=SYSTEM, wave_id=wave.pk)


def test_a_wave_goes_live_when_its_time_has_come(market: Market) -> None:
    factories.guild("first", market=market)
    wave = factories.aged(factories.launch_ready(market))
    before = timezone.now()

    assert services.waves_start_due() == 1

    wave.refresh_from_db()
    version = RuleVersion.objects.get(pk=wave.launch.version_id)
    [period] = version.live_periods.all()
    assert (wave.status, wave.blocked_reason, version.status, version.door) == ("live", "", "live", "launch")
    assert wave.live_at == period.starts_at
    assert before <= period.starts_at <= timezone.now()
    assert (period.market, period.ends_at, period.share, period.holdout) == (market, None, 100, 0)
    assert (period.opened_by, period.salt) == (f"wave:{wave.pk}", wave.launch.salt)
    assert Launch.objects.get().status == "completed"
    assert not was_live(version, market.pk, before)
    assert was_live(version, market.pk, timezone.now())
    [launched] = Event.objects.filter(act="rule.launched")
    assert launched.after == {
        "status": "live",
        "rule": version.rule.code,
        "version": 1,
        "wave": 1,
        "launch": str(wave.launch.public_id),
        "starts_at": period.starts_at.isoformat(),
        "markets": ["DE"],
        "share": 100,
        "holdout": 0,
    }
    assert services.waves_start_due() == 0


def test_waves_follow_one_another_market_by_market(market: Market) -> None:
    france = factories.market("FR")
    first = live(market)
    assert Launch.objects.get().status == "completed"
    version = RuleVersion.objects.get()

    second = factories.launch_ready(france, of=version)
    assert Launch.objects.get().status == "running"
    assert not was_live(version, france.pk, timezone.now())
    services.wave_start(actor=SYSTEM, wave_id=factories.aged(second).pk)

    assert (first.number, second.number) == (1, 2)
    assert [(period.market_id, period.ends_at) for period in LivePeriod.objects.order_by("id")] == [
        (market.pk, None),
        (france.pk, None),
    ]
    assert Launch.objects.get().status == "completed"


def test_the_lesson_has_to_be_learnt_by_enough_guilds(market: Market) -> None:
    guilds = [factories.guild(market=market) for _ in range(5)]
    wave = factories.aged(factories.launch_ready(market))
    Launch.objects.update(lesson_percent=80)
    lesson = wave.launch.version.rule.lessons.get()

    def learn(count: int) -> None:
        for guild in guilds[:count]:
            Completion.objects.get_or_create(
                lesson=lesson,
                guild=guild,
                defaults={"user": factories.user(), "completed_at": timezone.now()},
            )

    learn(3)
    assert services.waves_start_due() == 0
    wave.refresh_from_db()
    assert wave.blocked_reason == "3 of 5 guilds have completed it; 80 % must."
    learn(4)
    assert services.waves_start_due() == 1
    wave.refresh_from_db()
    assert (wave.status, wave.blocked_reason) == ("live", "")


# --- what was in force before -----------------------------------------------------------------------------------------
def test_with_all_guilds_governed_the_former_version_ends_in_the_same_instant(market: Market) -> None:
    former = RuleVersion.objects.get(pk=live(market).launch.version_id)
    wave = live(market, of=factories.draft(former.rule))

    former.refresh_from_db()
    old, new = LivePeriod.objects.order_by("id")
    assert old.ends_at == new.starts_at == wave.live_at
    assert (former.status, former.withdrawn_at) == ("retired", None)
    assert former.status_reason == f"Succeeded by {wave.launch.version.public_id}."
    [retired] = Event.objects.filter(act="rule_version.retired")
    assert (retired.before, retired.object_id) == ({"status": "live"}, former.public_id)


def test_where_it_is_not_launched_the_former_version_goes_on(market: Market) -> None:
    france = factories.market("FR")
    former = RuleVersion.objects.get(pk=live(market, france).launch.version_id)
    live(market, of=factories.draft(former.rule))

    former.refresh_from_db()
    assert former.status == "live"
    assert list(former.live_periods.filter(ends_at=None).values_list("market__code", flat=True)) == ["FR"]


@pytest.mark.parametrize("rollout", [{"share": 20}, {"holdout": 5}, {"share": 99, "holdout": 50}])
def test_with_part_of_the_guilds_governed_the_former_version_stays(
    market: Market, rollout: dict[str, int]
) -> None:
    former = RuleVersion.objects.get(pk=live(market).launch.version_id)
    live(market, of=factories.draft(former.rule), **rollout)

    former.refresh_from_db()
    assert former.status == "live"
    assert LivePeriod.objects.filter(ends_at=None).count() == 2


def test_a_period_of_the_demo_stays_beneath(market: Market) -> None:
    """It holds in every market at once and cannot end in one; the newer version goes first where it is live."""
    former = factories.version()
    live(market, of=factories.draft(former.rule))

    former.refresh_from_db()
    assert former.status == "live"
    assert former.live_periods.get().ends_at is None


# --- growing ----------------------------------------------------------------------------------------------------------
def test_a_share_grows_without_a_gap_and_then_replaces_the_former(market: Market) -> None:
    former = RuleVersion.objects.get(pk=live(market).launch.version_id)
    wave = live(market, of=factories.draft(former.rule), share=20, holdout=5)
    actor = launcher()

    services.wave_widen(actor=actor, wave_id=wave.pk, share=100, reason="No complaints.")
    former.refresh_from_db()
    assert former.status == "live"
    services.holdout_end(actor=actor, wave_id=wave.pk, reason="Measured.")

    periods = list(LivePeriod.objects.filter(version=wave.launch.version).order_by("id"))
    assert [(period.share, period.holdout) for period in periods] == [(20, 5), (100, 5), (100, 0)]
    assert [period.ends_at for period in periods] == [periods[1].starts_at, periods[2].starts_at, None]
    assert {(period.salt, period.opened_by) for period in periods} == {(wave.launch.salt, f"wave:{wave.pk}")}
    former.refresh_from_db()
    assert former.status == "retired"
    assert former.live_periods.get().ends_at == periods[2].starts_at
    acts = Event.objects.filter(act__in=["wave.widened", "wave.holdout_ended"]).order_by("id")
    assert [(event.act, event.before, event.reason) for event in acts] == [
        ("wave.widened", {"share": 20, "holdout": 5}, "No complaints."),
        ("wave.holdout_ended", {"share": 100, "holdout": 5}, "Measured."),
    ]


def test_a_share_never_shrinks_and_a_hand_in_the_rule_does_not_widen_it(market: Market) -> None:
    wave = live(market, share=20)
    version = wave.launch.version
    hand = factories.staff("launcher")
    version.writers.add(hand)
    with nothing_changes():
        for share in (0, 1, 20, 101):
            with pytest.raises(InvalidInput):
                services.wave_widen(actor=launcher(), wave_id=wave.pk, share=share, reason="So.")
        with pytest.raises(InvalidTransition):
            services.holdout_end(actor=launcher(), wave_id=wave.pk, reason="So.")
        with pytest.raises(InvalidInput):
            services.wave_widen(actor=launcher(), wave_id=wave.pk, share=50, reason="  ")
        with pytest.raises(NotAllowed):
            services.wave_widen(actor=acting(hand), wave_id=wave.pk, share=50, reason="So.")


def test_a_paused_version_does_not_grow(market: Market) -> None:
    wave = live(market, share=20)
    RuleVersion.objects.update(status="paused")
    with nothing_changes(), pytest.raises(InvalidTransition):
        services.wave_widen(actor=launcher(), wave_id=wave.pk, share=50, reason="So.")


def test_growing_asks_what_starting_asked(market: Market) -> None:
    wave = live(market, share=20)
    wave.launch.gates.filter(kind="product").update(status="open")
    with nothing_changes(), pytest.raises(Conflict) as refused:
        services.wave_widen(actor=launcher(), wave_id=wave.pk, share=50, reason="So.")
    assert refused.value.errors == [{"field": "product", "code": "gate_open", "message": "Not signed."}]


# --- the worst of times -----------------------------------------------------------------------------------------------
def test_one_wave_in_the_way_does_not_hold_up_the_others(market: Market) -> None:
    stuck = factories.aged(factories.launch_ready(market))
    stuck.launch.gates.filter(kind="product").update(status="open")
    factories.aged(factories.launch_ready(factories.market("FR")))

    assert services.waves_start_due() == 1
    stuck.refresh_from_db()
    assert (stuck.status, stuck.blocked_reason) == ("go", "Not signed.")


def test_the_guard_of_the_database_has_the_last_word(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the service ever to overlook something, the wave stays where it was and says who refused it."""
    wave = factories.launch_ready(market, planned_in=dt.timedelta(days=16))
    Wave.objects.update(planned_at=timezone.now())
    monkeypatch.setattr(starting, "start_blocks", lambda *_of: [])

    assert services.waves_start_due() == 0

    wave.refresh_from_db()
    assert wave.status == "go"
    assert wave.blocked_reason == ("The database refused it. the notice period of the market has not run out")
    assert not LivePeriod.objects.exists()
    assert not Event.objects.filter(act="rule.launched").exists()


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_start_a_wave_once() -> None:
    place = factories.market("DE")
    factories.aged(factories.launch_ready(place))
    started: list[int] = []
    barrier = threading.Barrier(4)

    def sweep() -> None:
        barrier.wait()
        started.append(services.waves_start_due())
        connection.close()

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(started) == 1
    assert LivePeriod.objects.count() == 1
    assert Event.objects.filter(act="rule.launched").count() == 1
    assert not Event.objects.filter(act="wave.blocked").exists()
    assert Wave.objects.get().blocked_reason == ""
