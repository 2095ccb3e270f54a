"""The emergency brake: who may pull it, what it holds, what becomes of what it held, and that it is never raced."""

from __future__ import annotations

import datetime as dt
import threading
import time

import pytest
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.models import EnforcementCap, EnforcementStop, Event, Notice, Penalty, Restriction
from governance.penalties import services
from governance.penalties.enforcement import gate_pass, stops_visible_to
from governance.penalties.services.execution import penalties_apply_due
from guilds.accounts.actor import Actor
from guilds.console.page import list_url
from guilds.errors import Conflict, DomainError, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Guild, Market
from tests import factories

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
STEPS = [[{"kind": "recruitment_freeze", "days": 7}, {"kind": "settlement_hold", "days": 7}]]
REASON = "The payout system is being moved."


@pytest.fixture
def enforcer() -> Actor:
    return Actor.staff(factories.staff("enforcer"))


def scheduled(guild: Guild) -> dict[str, Penalty]:
    """A freeze and a settlement hold, both due now, by kind."""
    version = factories.version(ladder={**factories.LADDER, "points": 0, "steps": STEPS})
    violation = factories.violation(guild, version, status="confirmed")
    services.sanctions_decide_due(limit=100)
    return {penalty.kind: penalty for penalty in Penalty.objects.filter(violation=violation)}


def status_of(penalty: Penalty) -> str:
    return Penalty.objects.values_list("status", flat=True).get(pk=penalty.pk)


def test_a_stop_holds_its_kind_in_its_market_and_nothing_else(enforcer: Actor) -> None:
    here, there = factories.market(), factories.market()
    stopped, other = scheduled(factories.guild(market=here)), scheduled(factories.guild(market=there))
    stop = services.stop_open(actor=enforcer, kind="settlement_hold", market_id=here.pk, reason=f" {REASON} ")
    assert services.penalties_apply_due() == 3
    assert status_of(stopped["settlement_hold"]) == "scheduled"
    assert status_of(stopped["recruitment_freeze"]) == "in_force"
    assert {status_of(penalty) for penalty in other.values()} == {"in_force"}
    assert services.penalties_apply_due() == 0

    event = Event.objects.get(act="enforcement_stop.opened")
    assert (event.object_id, event.reason, event.market_id) == (str(stop.public_id), REASON, here.pk)
    services.stop_close(actor=enforcer, stop_id=stop.pk, reason="It has been moved.")
    assert services.penalties_apply_due() == 1
    assert status_of(stopped["settlement_hold"]) == "in_force"
    closed = Event.objects.get(act="enforcement_stop.closed")
    assert (closed.object_id, closed.reason) == (str(stop.public_id), "It has been moved.")


@pytest.mark.parametrize(("kind", "everywhere"), [("", True), ("settlement_hold", True), ("", False)])
def test_empty_means_all(enforcer: Actor, kind: str, everywhere: bool) -> None:
    guild = factories.guild()
    held = scheduled(guild)
    market_id = None if everywhere else guild.market_id
    services.stop_open(actor=enforcer, kind=kind, market_id=market_id, reason=REASON)
    services.penalties_apply_due()
    assert status_of(held["settlement_hold"]) == "scheduled"
    assert status_of(held["recruitment_freeze"]) == ("in_force" if kind else "scheduled")


def test_lifting_and_undoing_are_never_stopped(enforcer: Actor) -> None:
    penalties = scheduled(factories.guild())
    services.penalties_apply_due()
    services.stop_open(actor=enforcer, kind="", market_id=None, reason=REASON)
    services.penalty_overturn(
        actor=Actor.staff(factories.staff("adjudicator")),
        penalty_id=penalties["settlement_hold"].pk,
        reason="It was somebody else.",
    )
    assert {status_of(penalty) for penalty in penalties.values()} == {"reversed"}
    assert not Restriction.objects.filter(lifted_at__isnull=True).exists()

    ending = scheduled(factories.guild())["recruitment_freeze"]
    Penalty.objects.filter(pk=ending.pk).update(status="in_force", applied_at=timezone.now())
    assert services.penalties_lift_due(now=timezone.now() + 8 * DAY) == 1
    assert status_of(ending) == "lifted"


def test_what_a_stop_outlasted_falls_away_with_a_notice_and_the_rest_starts(enforcer: Actor) -> None:
    guild = factories.guild()
    penalties = scheduled(guild)
    stop = services.stop_open(actor=enforcer, kind="", market_id=None, reason=REASON)
    now = timezone.now()
    EnforcementStop.objects.update(opened_at=now - 2 * DAY)
    Penalty.objects.update(starts_at=now - DAY)
    over, going = penalties["settlement_hold"], penalties["recruitment_freeze"]
    Penalty.objects.filter(pk=over.pk).update(ends_at=now - HOUR)
    before = Notice.objects.count()
    assert services.penalties_overtaken_cancel() == 0, "as long as it is stopped it waits"
    assert services.penalties_apply_due() == 0

    services.stop_close(actor=enforcer, stop_id=stop.pk, reason="Go on.")
    assert services.penalties_apply_due() == 1, "one whose time is over never starts, whatever runs first"
    assert services.penalties_overtaken_cancel() == 1
    assert services.penalties_overtaken_cancel() == 0
    assert (status_of(over), status_of(going)) == ("cancelled", "in_force")
    going.refresh_from_db()
    assert going.ends_at == penalties["recruitment_freeze"].ends_at, "the end stays as announced"
    assert Restriction.objects.get().penalty_id == going.pk
    assert Notice.objects.count() == before + 1
    assert Event.objects.filter(act="penalty.cancelled", object_id=str(over.public_id)).count() == 1


def test_an_outage_is_no_stop_what_it_delayed_starts_and_ends() -> None:
    penalty = scheduled(factories.guild())["settlement_hold"]
    now = timezone.now()
    Penalty.objects.filter(pk=penalty.pk).update(starts_at=now - DAY, ends_at=now - HOUR)
    services.penalties_apply_due()
    services.penalties_lift_due()
    acts = Event.objects.filter(object_id=str(penalty.public_id)).order_by("id").values_list("act", flat=True)
    assert list(acts) == ["penalty.scheduled", "penalty.applied", "penalty.lifted"]


# --- who may ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("role", ["analyst", "approver", "reviewer", "adjudicator", "launcher", "auditor"])
def test_only_enforcers_and_admins_stop(role: str) -> None:
    refused(Actor.staff(factories.staff(role)), NotAllowed, market_id=factories.market().pk)


@pytest.mark.parametrize("role", ["enforcer", "admin"])
def test_one_stops_ones_own_markets_only(role: str) -> None:
    here, there = factories.market(), factories.market()
    actor = Actor.staff(factories.staff(role, markets=[here]))
    refused(actor, NotAllowed, market_id=there.pk)
    refused(actor, NotAllowed, market_id=None)
    stop = services.stop_open(actor=actor, kind="", market_id=here.pk, reason=REASON)
    stranger = Actor.staff(factories.staff(role, markets=[there]))
    for other in (stranger, Actor.staff(factories.staff("auditor"))):
        with pytest.raises(NotAllowed):
            services.stop_close(actor=other, stop_id=stop.pk, reason="Enough.")
    assert not Event.objects.filter(act="enforcement_stop.closed").exists()
    assert list(stops_visible_to(stranger)) == []
    assert list(stops_visible_to(actor)) == [stop]


def refused(actor: Actor, error: type[DomainError], *, market_id: int | None, **given: str) -> None:
    asked = {"kind": "", "reason": REASON} | given
    with pytest.raises(error):
        services.stop_open(actor=actor, market_id=market_id, **asked)
    assert not EnforcementStop.objects.exists()
    assert not Event.objects.filter(object_type="enforcement_stop").exists()


def test_a_stop_needs_a_reason_a_kind_and_a_market_that_exist(enforcer: Actor, db: None) -> None:
    refused(enforcer, InvalidInput, market_id=None, reason="  ")
    refused(enforcer, InvalidInput, market_id=None, kind="exile")
    refused(enforcer, NotFound, market_id=1_000_000)


def test_the_same_stop_stands_once_and_is_closed_once(enforcer: Actor) -> None:
    stop = services.stop_open(actor=enforcer, kind="", market_id=None, reason=REASON)
    with pytest.raises(Conflict, match="being moved"):
        services.stop_open(actor=enforcer, kind="", market_id=None, reason="Again.")
    assert EnforcementStop.objects.count() == 1
    with pytest.raises(InvalidInput):
        services.stop_close(actor=enforcer, stop_id=stop.pk, reason="")
    services.stop_close(actor=enforcer, stop_id=stop.pk, reason="Done.")
    with pytest.raises(InvalidTransition):
        services.stop_close(actor=enforcer, stop_id=stop.pk, reason="Done.")
    with pytest.raises(NotFound):
        services.stop_close(actor=enforcer, stop_id=stop.pk + 1, reason="Done.")
    assert Event.objects.filter(act="enforcement_stop.closed").count() == 1
    again = services.stop_open(actor=enforcer, kind="", market_id=None, reason="Once more.")
    assert again.pk != stop.pk


# --- by the console ---------------------------------------------------------------------------------------------------
def press(role: str, markets: list[Market] | None, act: str, **values: str) -> int:
    client = Client()
    client.force_login(factories.staff(role, markets=markets))
    answer = client.post(reverse(f"admin:governance_{act}"), values)
    return answer.status_code


def test_a_stop_is_opened_from_the_list_by_those_who_may_and_where_they_may() -> None:
    here = factories.market()
    asked = {"kind": "suspension", "market": str(here.pk), "reason": REASON}
    assert press("auditor", None, "enforcementstop_stop", **asked) == 403
    assert press("enforcer", [factories.market()], "enforcementstop_stop", **asked) == 422
    assert press("enforcer", [here], "enforcementstop_stop", **asked | {"market": ""}) == 422
    assert not EnforcementStop.objects.exists()
    assert press("enforcer", [here], "enforcementstop_stop", **asked) == 302
    assert press("admin", None, "enforcementstop_stop", **asked) == 409, "it stands already"
    assert press("admin", None, "enforcementstop_stop", reason=REASON) == 302
    kinds = EnforcementStop.objects.order_by("id").values_list("kind", "market_id")
    assert list(kinds) == [("suspension", here.pk), ("", None)]


def test_a_cap_is_set_and_removed_from_the_console() -> None:
    asked = {"kind": "suspension", "per_hour": "5", "reason": REASON}
    assert press("auditor", None, "enforcementcap_set_cap", **asked) == 403
    assert press("enforcer", None, "enforcementcap_set_cap", **asked | {"per_hour": "0"}) == 422
    assert not EnforcementCap.objects.exists()
    assert press("enforcer", None, "enforcementcap_set_cap", **asked) == 302
    cap = EnforcementCap.objects.get()
    client = Client()
    client.force_login(factories.staff("admin"))
    url = reverse("admin:governance_enforcementcap_remove", args=[cap.pk])
    assert client.post(url, {"reason": "No longer."}).headers["Location"] == list_url(EnforcementCap)
    assert not EnforcementCap.objects.exists()


# --- side by side -----------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_a_stop_waits_for_the_batch_under_way_and_the_next_batch_sees_it() -> None:
    enforcer = Actor.staff(factories.staff("enforcer"))
    penalty = scheduled(factories.guild())["settlement_hold"]
    opened = threading.Event()

    def stop() -> None:
        services.stop_open(actor=enforcer, kind="", market_id=None, reason=REASON)
        opened.set()
        connection.close()

    with transaction.atomic():
        gate_pass()  # as a batch under way holds it
        thread = threading.Thread(target=stop)
        thread.start()
        wait_for_the_gate()
        assert not opened.is_set()
    thread.join(timeout=30)
    assert opened.is_set()
    assert services.penalties_apply_due() == 0
    assert status_of(penalty) == "scheduled"


def wait_for_the_gate() -> None:
    """Until somebody waits for an advisory lock."""
    for _ in range(1_000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


@pytest.mark.django_db(transaction=True)
def test_nothing_starts_after_a_stop_has_been_committed() -> None:
    """Four workers start penalties in small batches; in the middle somebody stops them."""
    market: Market = factories.market()
    version = factories.version(ladder={**factories.LADDER, "points": 0, "steps": STEPS})
    for _ in range(60):
        factories.violation(factories.guild(market=market), version, status="confirmed", evidence=False)
    services.sanctions_decide_due(limit=100)
    enforcer = Actor.staff(factories.staff("enforcer"))
    halt = threading.Event()

    def work() -> None:
        try:
            while not halt.is_set():
                penalties_apply_due(limit=3)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while not Penalty.objects.filter(status="in_force").exists():
        time.sleep(0.001)
    services.stop_open(actor=enforcer, kind="", market_id=market.pk, reason=REASON)
    at_the_stop = Penalty.objects.filter(status="in_force").count()
    time.sleep(0.3)  # room for somebody who missed it
    halt.set()
    for thread in threads:
        thread.join(timeout=30)
    assert Penalty.objects.filter(status="in_force").count() == at_the_stop < 120
    assert Event.objects.filter(act="penalty.applied").count() == at_the_stop
