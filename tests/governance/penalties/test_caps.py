"""Caps on starts: the breaker trips once, nothing starts beyond, a person is asked, and closing begins the count anew."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from governance.models import EnforcementCap, EnforcementStop, Event, Penalty
from governance.penalties import services
from governance.penalties.enforcement import caps_visible_to
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput, NotAllowed, NotFound
from guilds.models import Market
from tests import factories

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
FREEZE = {**factories.LADDER, "points": 0, "steps": [[{"kind": "recruitment_freeze", "days": 7}]]}
WHY = "A flood of freezes is more likely our fault than theirs."


@pytest.fixture
def enforcer() -> Actor:
    return Actor.staff(factories.staff("enforcer"))


def due(market: Market, number: int) -> None:
    version = factories.version(ladder=FREEZE)
    for _ in range(number):
        factories.violation(factories.guild(market=market), version, status="confirmed", evidence=False)
    while services.sanctions_decide_due(limit=500):
        pass


def started(market: Market) -> int:
    return Penalty.objects.filter(market=market, status="in_force").count()


def drain() -> None:
    while services.penalties_apply_due(limit=4):
        pass


def test_what_would_exceed_a_cap_waits_behind_one_stop_with_figures(enforcer: Actor) -> None:
    market = factories.market("CAPPED")
    services.cap_set(actor=enforcer, kind="recruitment_freeze", market_id=market.pk, per_hour=5, reason=WHY)
    due(market, 9)
    drain()
    assert started(market) == 5
    [stop] = EnforcementStop.objects.all()
    assert (stop.automatic, stop.kind, stop.market, stop.opened_by) == (
        *(True, "recruitment_freeze", market, None),
    )
    assert "5 of kind Recruitment freeze started in CAPPED within an hour, the cap is 5" in stop.reason
    assert Event.objects.filter(act="enforcement_stop.opened").count() == 1
    assert not Event.objects.filter(act="penalty.failed").exists()

    services.stop_close(actor=enforcer, stop_id=stop.pk, reason="They are right.")
    drain()
    assert started(market) == 9, "after a person has looked, the count begins anew"
    assert EnforcementStop.objects.count() == 1


def test_the_longest_due_go_first(enforcer: Actor) -> None:
    market = factories.market()
    services.cap_set(actor=enforcer, kind="recruitment_freeze", market_id=None, per_hour=2, reason=WHY)
    due(market, 4)
    order = list(Penalty.objects.order_by("-pk").values_list("pk", flat=True))
    for minutes, pk in enumerate(order):
        Penalty.objects.filter(pk=pk).update(starts_at=timezone.now() - HOUR + dt.timedelta(minutes=minutes))
    services.penalties_apply_due()
    assert set(Penalty.objects.filter(status="in_force").values_list("pk", flat=True)) == set(order[:2])


def test_a_cap_of_every_market_counts_each_by_itself_and_gives_way_to_its_own(enforcer: Actor) -> None:
    one, two = factories.market(), factories.market()
    services.cap_set(actor=enforcer, kind="recruitment_freeze", market_id=None, per_hour=3, reason=WHY)
    own = services.cap_set(
        actor=enforcer, kind="recruitment_freeze", market_id=two.pk, per_hour=5, reason=WHY
    )
    due(one, 6)
    due(two, 6)
    drain()
    assert (started(one), started(two)) == (3, 5)
    assert EnforcementStop.objects.count() == 2
    services.cap_remove(actor=enforcer, cap_id=own.pk, reason="No longer needed.")
    assert EnforcementCap.objects.count() == 1


def test_the_hour_slides(enforcer: Actor) -> None:
    market = factories.market()
    services.cap_set(actor=enforcer, kind="recruitment_freeze", market_id=None, per_hour=3, reason=WHY)
    due(market, 3)
    drain()
    Penalty.objects.update(applied_at=timezone.now() - HOUR - dt.timedelta(seconds=1))
    due(market, 3)
    drain()
    assert started(market) == 6
    assert not EnforcementStop.objects.exists()


def test_other_kinds_are_not_counted(enforcer: Actor) -> None:
    market = factories.market()
    services.cap_set(actor=enforcer, kind="settlement_hold", market_id=None, per_hour=1, reason=WHY)
    due(market, 6)
    drain()
    assert started(market) == 6


@pytest.mark.django_db(transaction=True)
def test_workers_side_by_side_start_no_more_than_the_cap_and_trip_it_once() -> None:
    enforcer = Actor.staff(factories.staff("enforcer"))
    market = factories.market()
    services.cap_set(actor=enforcer, kind="recruitment_freeze", market_id=market.pk, per_hour=17, reason=WHY)
    due(market, 60)
    barrier = threading.Barrier(4)

    def work() -> None:
        try:
            barrier.wait(timeout=30)
            drain()
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert started(market) == 17
    assert EnforcementStop.objects.count() == 1
    assert Event.objects.filter(act="enforcement_stop.opened").count() == 1
    assert Event.objects.filter(act="penalty.applied").count() == 17


# --- setting them -----------------------------------------------------------------------------------------------------
def test_a_cap_is_set_changed_and_recorded(enforcer: Actor) -> None:
    set_once = services.cap_set(actor=enforcer, kind="suspension", market_id=None, per_hour=10, reason=WHY)
    changed = services.cap_set(actor=enforcer, kind="suspension", market_id=None, per_hour=4, reason=WHY)
    assert (changed.pk, changed.per_hour) == (set_once.pk, 4)
    event = Event.objects.filter(act="enforcement_cap.set").latest("id")
    assert (event.before, event.after) == ({"per_hour": 10}, {"kind": "suspension", "per_hour": 4})


def test_caps_are_refused_to_others_and_elsewhere() -> None:
    here, there = factories.market(), factories.market()
    local = Actor.staff(factories.staff("enforcer", markets=[here]))
    for actor, market_id in (
        (Actor.staff(factories.staff("reviewer")), here.pk),
        (local, there.pk),
        (local, None),
    ):
        with pytest.raises(NotAllowed):
            services.cap_set(actor=actor, kind="suspension", market_id=market_id, per_hour=1, reason=WHY)
    boss = Actor.staff(factories.staff("admin"))
    for wrong in ({"kind": "exile"}, {"per_hour": 0}, {"reason": " "}):
        asked: dict[str, Any] = {"kind": "suspension", "per_hour": 1, "reason": WHY} | wrong
        with pytest.raises(InvalidInput):
            services.cap_set(actor=boss, market_id=None, **asked)
    assert not EnforcementCap.objects.exists()
    own = services.cap_set(actor=local, kind="suspension", market_id=here.pk, per_hour=1, reason=WHY)
    with pytest.raises(NotAllowed):
        services.cap_remove(
            actor=Actor.staff(factories.staff("enforcer", markets=[there])), cap_id=own.pk, reason=WHY
        )
    with pytest.raises(NotFound):
        services.cap_remove(actor=boss, cap_id=own.pk + 1, reason=WHY)
    assert list(caps_visible_to(local)) == [own]
    assert Event.objects.filter(object_type="enforcement_cap").count() == 1
