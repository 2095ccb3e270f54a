"""How the work is organised, and who may say so."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.ledger.models import Event
from governance.review import services
from governance.review.models import Absence, Desk, Queue, Route, Target
from governance.review.selectors import absent_now
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, InvalidTransition, NotAllowed, NotFound
from tests import factories
from tests.governance.review.judging import DAY, HOUR, acts, admin, refuses, reviewer

pytestmark = pytest.mark.django_db


def arrangement() -> list[list[Any]]:
    return [list(model.objects.order_by("pk").values()) for model in (Queue, Route, Desk, Absence, Target)]


def refused(kind: type[Exception], act: Any, **asked: Any) -> None:
    before = arrangement()
    refuses(kind, act, **asked)  # type: ignore[arg-type]
    assert arrangement() == before


def test_a_queue_is_made_and_changed() -> None:
    boss = admin()
    asked: dict[str, Any] = {"actor": boss, "code": "grave", "reason": "More people."}
    services.queue_save(name="Grave", assignment="pull", **asked)
    queue = services.queue_save(name="Gravest", assignment="shared_out", double_share=0.1, **asked)
    assert (queue.name, queue.assignment, queue.double_share) == ("Gravest", "shared_out", 0.1)
    assert Queue.objects.filter(code="grave").count() == 1
    event = Event.objects.latest("id")
    assert (event.act, event.object_id, event.before["name"], event.after["name"]) == (
        "queue.saved",
        "grave",
        "Grave",
        "Gravest",
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "no spaces"},
        {"name": " "},
        {"assignment": "thrown"},
        {"double_share": 1.1},
        {"double_share": -0.1},
        {"reason": ""},
    ],
)
def test_a_queue_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    asked: dict[str, Any] = {
        "code": "grave",
        "name": "Grave",
        "assignment": "pull",
        "reason": "More people.",
        **wrong,
    }
    refused(InvalidInput, services.queue_save, actor=admin(), **asked)


def test_routes_are_replaced_as_a_whole() -> None:
    boss, market = admin(), factories.market()
    services.queue_save(actor=boss, code="grave", name="Grave", assignment="pull", reason="More people.")
    rule = factories.rule()
    first = [{"queue": "grave", "severities": ["S1"]}]
    services.queue_routes_save(actor=boss, routes=first, reason="To begin with.")
    made = services.queue_routes_save(
        actor=boss,
        routes=[
            {"queue": "grave", "markets": [market.code], "rules": [rule.code], "kinds": ["verdict"]},
            *first,
        ],
        reason="More of them.",
    )
    assert [
        (route.position, route.markets, route.severities) for route in Route.objects.order_by("position")
    ] == [
        (1, [market.code], []),
        (2, [], ["S1"]),
    ]
    assert len(made) == 2
    event = Event.objects.latest("id")
    assert (event.act, event.before) == ("route.replaced", {"routes": first})


@pytest.mark.parametrize(
    "wrong",
    [
        {"queue": "nowhere"},
        {"kinds": ["guess"]},
        {"severities": ["S9"]},
        {"markets": ["ATLANTIS"]},
        {"rules": ["NONE"]},
    ],
)
def test_a_route_that_leads_nowhere_is_refused_with_all_the_others(wrong: dict[str, Any]) -> None:
    boss = admin()
    services.queue_save(actor=boss, code="grave", name="Grave", assignment="pull", reason="More people.")
    good = {"queue": "grave", "severities": ["S1"]}
    services.queue_routes_save(actor=boss, routes=[good], reason="To begin with.")
    refused(
        InvalidInput,
        services.queue_routes_save,
        actor=boss,
        routes=[good, {"queue": "grave", **wrong}],
        reason="More.",
    )


def test_a_desk_has_a_capacity_and_queues() -> None:
    boss, ann = admin(), reviewer()
    assert ann.user_id is not None
    queue = services.queue_save(actor=boss, code="grave", name="Grave", assignment="pull", reason="Apart.")
    asked: dict[str, Any] = {"actor": boss, "user_id": ann.user_id, "reason": "As agreed."}
    services.desk_save(capacity_per_day=40, queue_ids=[queue.pk], **asked)
    made = services.desk_save(capacity_per_day=30, **asked)
    assert (made.capacity_per_day, list(made.queues.all())) == (30, [])
    assert Event.objects.latest("id").before["queues"] == ["grave"]
    refused(InvalidInput, services.desk_save, capacity_per_day=-1, **asked)
    refused(InvalidInput, services.desk_save, capacity_per_day=30, queue_ids=[0], **asked)
    refused(NotFound, services.desk_save, capacity_per_day=30, **{**asked, "user_id": boss.user_id})


def test_a_target_is_set_for_all_and_for_one_market() -> None:
    boss, market = admin(), factories.market()
    asked: dict[str, Any] = {"actor": boss, "severity": "S1", "reason": "Promised."}
    services.target_save(hours=6, **asked)
    services.target_save(hours=5, warn_percent=60, **asked)
    services.target_save(hours=2, market_id=market.pk, **asked)
    assert list(Target.objects.order_by("pk").values_list("hours", "warn_percent", "market")) == [
        (5, 60, None),
        (2, 75, market.pk),
    ]
    for wrong in ({"hours": 0}, {"hours": 5, "warn_percent": 100}, {"hours": 5, "severity": "S9"}):
        refused(InvalidInput, services.target_save, **{**asked, **wrong})
    refused(InvalidInput, services.target_save, hours=5, market_id=0, **asked)


def test_launchers_arrange_too_and_markets_bound_them() -> None:
    market = factories.market()
    launcher = Actor.staff(factories.staff("launcher", markets=[market]))
    asked: dict[str, Any] = {"actor": launcher, "severity": "S1", "hours": 5, "reason": "Promised."}
    services.target_save(market_id=market.pk, **asked)
    refused(NotAllowed, services.target_save, **asked)
    refused(NotAllowed, services.target_save, market_id=factories.market().pk, **asked)
    refused(NotAllowed, services.queue_routes_save, actor=launcher, routes=[], reason="None.")


@pytest.mark.parametrize("role", [role.value for role in Role if role not in (Role.ADMIN, Role.LAUNCHER)])
def test_nobody_else_arranges(role: str) -> None:
    actor, ann = Actor.staff(factories.staff(role)), reviewer()
    asked: dict[str, Any] = {"actor": actor, "reason": "Please."}
    refused(NotAllowed, services.queue_save, code="x", name="X", assignment="pull", **asked)
    refused(NotAllowed, services.queue_routes_save, routes=[], **asked)
    refused(NotAllowed, services.desk_save, user_id=ann.user_id, capacity_per_day=1, **asked)
    refused(NotAllowed, services.target_save, severity="S1", hours=1, **asked)
    now = timezone.now()
    refused(NotAllowed, services.absence_add, user_id=ann.user_id, starts_at=now, ends_at=now + DAY, **asked)


def test_machines_do_not_arrange() -> None:
    robot = Actor.system("robot")
    refused(
        NotAllowed, services.queue_save, actor=robot, code="x", name="X", assignment="pull", reason="Beep."
    )


def test_a_reviewer_says_when_they_are_away_and_back() -> None:
    ann, bob = reviewer(), reviewer()
    assert ann.user_id is not None
    now = timezone.now()
    absence = services.absence_add(
        actor=ann, user_id=ann.user_id, starts_at=now - HOUR, ends_at=now + DAY, substitute_id=bob.user_id
    )
    assert [row.user_id for row in absent_now()] == [ann.user_id]
    refused(NotAllowed, services.absence_end, actor=bob, absence_id=absence.pk)
    services.absence_end(actor=ann, absence_id=absence.pk)
    assert not absent_now().exists()
    refused(InvalidTransition, services.absence_end, actor=ann, absence_id=absence.pk)
    refused(NotFound, services.absence_end, actor=ann, absence_id=0)
    planned = services.absence_add(
        actor=admin(), user_id=ann.user_id, starts_at=now + DAY, ends_at=now + 2 * DAY
    )
    services.absence_end(actor=admin(), absence_id=planned.pk)
    assert not absent_now(now + 1.5 * DAY).exists()
    assert acts() == ["absence.added", "absence.ended"] * 2


def test_an_absence_that_makes_no_sense_is_refused() -> None:
    ann, now = reviewer(), timezone.now()
    asked: dict[str, Any] = {"actor": ann, "user_id": ann.user_id, "starts_at": now, "ends_at": now + DAY}
    for wrong in (
        {"ends_at": now},
        {"starts_at": now - 2 * DAY, "ends_at": now - DAY},
        {"starts_at": dt.datetime(2026, 1, 1)},
        {"substitute_id": ann.user_id},
        {"substitute_id": admin().user_id},
    ):
        refused(InvalidInput, services.absence_add, **{**asked, **wrong})
    services.absence_add(**asked)
    refused(InvalidInput, services.absence_add, **asked)
    refused(NotFound, services.absence_add, **{**asked, "actor": admin(), "user_id": admin().user_id})
