"""Every endpoint × token × scope × bound, as data: 401, 403, 404 and nothing in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client as Http

from config import api
from governance.models import Event
from guilds.accounts.enums import Scope
from tests import factories
from tests.api.caller import Caller, problem
from tests.api.world import STATEMENT, Case, World

pytestmark = pytest.mark.django_db

EVENT = {"specversion": "1.0", "id": "e1", "source": "/t", "type": "t", "time": "2026-01-01T00:00:00Z"}


@dataclass(frozen=True)
class Endpoint:
    """One operation. `address` and `body` are made for the case it is about; `good` is the status when allowed."""

    method: str
    route: str
    scope: Scope
    address: Callable[[Case], str]
    good: int = 200
    body: Callable[[Case], Any] | None = None
    #: What a caller bound to another guild or market gets: 404, or (lists) a page without the object.
    of_one_object: bool = False

    def call(self, caller: Caller, about: Case) -> Any:
        return caller.send(self.method, self.address(about), self.body(about) if self.body else None)

    def __str__(self) -> str:
        return f"{self.method} {self.route}"


ENDPOINTS = [
    Endpoint(
        "POST",
        "signals",
        Scope.SIGNALS_WRITE,
        lambda _: "signals",
        202,
        lambda c: {**EVENT, "guild": c.guild.external_id},
    ),
    # A guild does not write the registry it is judged by: a client bound to one is refused in spite of its scope.
    Endpoint("POST", "registry", Scope.REGISTRY_WRITE, lambda _: "registry", 403, lambda _: {}),
    Endpoint(
        "PUT",
        "guilds/<str:external_id>",
        Scope.REGISTRY_WRITE,
        lambda c: f"guilds/{c.guild.external_id}",
        403,
        lambda _: {},
        of_one_object=True,
    ),
    Endpoint(
        "PUT",
        "creators/<str:external_id>",
        Scope.REGISTRY_WRITE,
        lambda c: f"creators/{c.guild.external_id}-creator",
        403,
        lambda _: {},
        of_one_object=True,
    ),
    Endpoint("GET", "violations", Scope.VIOLATIONS_READ, lambda _: "violations"),
    Endpoint(
        "GET",
        "violations/<str:public_id>",
        Scope.VIOLATIONS_READ,
        lambda c: f"violations/{c.violation.public_id}",
        of_one_object=True,
    ),
    Endpoint("GET", "penalties", Scope.PENALTIES_READ, lambda _: "penalties"),
    Endpoint(
        "GET",
        "penalties/<str:public_id>",
        Scope.PENALTIES_READ,
        lambda c: f"penalties/{c.penalty.public_id}",
        of_one_object=True,
    ),
    Endpoint(
        "POST",
        "penalties/<str:public_id>/acknowledge",
        Scope.PENALTIES_ACK,
        lambda c: f"penalties/{c.penalty.public_id}/acknowledge",
        of_one_object=True,
    ),
    # A guild's own system does not say what is enforced against it.
    Endpoint(
        "POST",
        "penalties/reconciliation",
        Scope.PENALTIES_ACK,
        lambda _: "penalties/reconciliation",
        403,
        lambda _: [],
    ),
    Endpoint(
        "GET",
        "guilds/<str:external_id>/standing",
        Scope.PENALTIES_READ,
        lambda c: f"guilds/{c.guild.external_id}/standing",
        of_one_object=True,
    ),
    Endpoint("GET", "appeals", Scope.APPEALS_READ, lambda _: "appeals"),
    Endpoint(
        "GET",
        "appeals/<str:public_id>",
        Scope.APPEALS_READ,
        lambda c: f"appeals/{c.appeal.public_id}",
        of_one_object=True,
    ),
    Endpoint(
        "POST",
        "appeals",
        Scope.APPEALS_WRITE,
        lambda _: "appeals",
        409,  # there is an open one
        lambda c: {"penalty": str(c.penalty.public_id), "grounds": "other", "statement": STATEMENT},
        of_one_object=True,
    ),
    Endpoint(
        "POST",
        "appeals/<str:public_id>/withdraw",
        Scope.APPEALS_WRITE,
        lambda c: f"appeals/{c.appeal.public_id}/withdraw",
        of_one_object=True,
    ),
    Endpoint("GET", "feedback", Scope.FEEDBACK_WRITE, lambda _: "feedback"),
    Endpoint(
        "POST",
        "feedback",
        Scope.FEEDBACK_WRITE,
        lambda _: "feedback",
        201,
        lambda c: {"body": "Our creators do not understand the rule.", "guild": c.guild.external_id},
        of_one_object=True,
    ),
    Endpoint(
        "GET",
        "insights/rules/<str:code>",
        Scope.INSIGHTS_READ,
        lambda c: f"insights/rules/{c.violation.rule.code}",
    ),
    Endpoint("GET", "events", Scope.EVENTS_READ, lambda _: "events"),
]
OBJECTS = [endpoint for endpoint in ENDPOINTS if endpoint.of_one_object]
LISTS = [
    endpoint
    for endpoint in ENDPOINTS
    if endpoint.route in {"violations", "penalties"} or str(endpoint) == "GET appeals"
]

each = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
each_object = pytest.mark.parametrize("endpoint", OBJECTS, ids=str)


def test_the_matrix_knows_every_endpoint() -> None:
    routes = {str(pattern.pattern) for pattern in api.urlpatterns}
    assert routes - {"^"} == {endpoint.route for endpoint in ENDPOINTS}


@each
def test_without_token_401(endpoint: Endpoint, world: World) -> None:
    body = json.dumps(endpoint.body(world.ours)) if endpoint.body else ""
    url = f"/api/v1/{endpoint.address(world.ours)}"

    answer = Http().generic(endpoint.method, url, body, content_type="application/json")

    problem(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


@each
def test_without_the_scope_403_and_nothing_happens(endpoint: Endpoint, world: World) -> None:
    others = [scope for scope in Scope if scope != endpoint.scope]
    caller = Caller.with_scopes(*others, guild=world.ours.guild)
    before = Event.objects.count()

    problem(endpoint.call(caller, world.ours), 403, "insufficient_scope")

    assert Event.objects.count() == before


@each
def test_with_the_scope_alone_it_works(endpoint: Endpoint, world: World) -> None:
    caller = Caller.with_scopes(endpoint.scope, guild=world.ours.guild)

    assert endpoint.call(caller, world.ours).status_code == endpoint.good


@each_object
def test_another_guilds_object_is_404(endpoint: Endpoint, world: World) -> None:
    caller = Caller.with_scopes(endpoint.scope, guild=world.ours.guild)
    before = Event.objects.count()

    problem(endpoint.call(caller, world.theirs), 404, "not_found")

    assert Event.objects.count() == before


@each_object
def test_an_object_of_another_market_is_404(endpoint: Endpoint, world: World) -> None:
    caller = Caller.with_scopes(endpoint.scope, markets=[world.ours.market])

    problem(endpoint.call(caller, world.theirs), 404, "not_found")


#: Well-formed, and of no object.
NOBODYS_ID = "6b1f8a52-2f4e-4c0b-9a37-0d2f6f6d9e11"


@pytest.mark.parametrize("public_id", [NOBODYS_ID, "1", "0", "x" * 500, "%00", "%ff", "..", "null"])
@pytest.mark.parametrize("collection", ["violations", "penalties", "appeals"])
def test_unknown_and_malformed_ids_are_404(collection: str, public_id: str) -> None:
    caller = Caller.with_scopes(*Scope)

    problem(caller.get(f"{collection}/{public_id}"), 404)


@pytest.mark.parametrize("public_id", [NOBODYS_ID, "1", "\0"])
def test_appeal_against_an_unknown_or_malformed_penalty_is_refused(public_id: str) -> None:
    caller = Caller.with_scopes(Scope.APPEALS_WRITE, guild=factories.guild())

    answer = caller.post("appeals", {"penalty": public_id, "grounds": "other", "statement": STATEMENT})

    problem(answer, 400 if public_id == "\0" else 404)


def bounds_of(world: World, bound: str) -> dict[str, Any]:
    bounds: dict[str, dict[str, Any]] = {
        "guild": {"guild": world.ours.guild},
        "market": {"markets": [world.ours.market]},
        "nothing": {},
    }
    return bounds[bound]


@pytest.mark.parametrize("endpoint", LISTS, ids=str)
@pytest.mark.parametrize("bound", ["guild", "market", "nothing"])
def test_lists_hold_what_the_client_may_see(endpoint: Endpoint, bound: str, world: World) -> None:
    bounds = bounds_of(world, bound)
    caller = Caller.with_scopes(endpoint.scope, **bounds)

    results = endpoint.call(caller, world.ours).json()["results"]

    seen = {row["guild"] for row in results}
    assert seen == ({"aurora", "borealis"} if bound == "nothing" else {"aurora"})
    # Asking for the other guild by name shows no more.
    named = caller.get(endpoint.route, guild="borealis").json()["results"]
    assert bool(named) is (bound == "nothing")


@pytest.mark.parametrize("bound", ["guild", "market"])
def test_feed_and_scorecard_keep_to_the_bounds(bound: str, world: World) -> None:
    bounds = bounds_of(world, bound)
    caller = Caller.with_scopes(Scope.EVENTS_READ, Scope.INSIGHTS_READ, **bounds)

    events = caller.get("events").json()["results"]
    card = caller.get("insights/rules/borealis-rule").json()

    assert {event["guild"] for event in events} <= {"aurora"}
    assert card["violations"]["confirmed"] == 0
    assert card["appeals"]["filed"] == 0


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "PUT", "OPTIONS", "TRACE", "POST"])
def test_other_methods_are_405(method: str) -> None:
    caller = Caller.with_scopes(*Scope)

    answer = caller.send(method, "violations")

    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer["Allow"]


@pytest.mark.parametrize("address", ["", "nowhere", "violations/", "signals/x/y", "guilds"])
def test_addresses_nobody_answers_are_404(address: str) -> None:
    problem(Http().get(f"/api/v1/{address}"), 404, "not_found")
