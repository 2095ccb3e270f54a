"""Queues, and which cases go to which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display
from unfold.enums import ActionVariant

from governance.review.admin.arranging import (
    QueueChangeForm,
    QueueForm,
    RouteChangeForm,
    RouteForm,
    codes_in,
)
from governance.review.models import Case, Queue, Route
from governance.review.services import (
    queue_routes_save,
    queue_save,
)
from governance.review.services.desks import MAY_ARRANGE
from guilds.accounts.actor import Actor
from guilds.console.acts import Answer, act
from guilds.console.base import ConsoleAdmin
from guilds.console.page import (
    Fact,
    Link,
    Section,
    Table,
    admin_url,
    link_to,
    list_url,
    severity_badge,
    shown,
)

ANYTHING = _("Anything")


def fitting(route: Route) -> list[Any]:
    """What a route asks for, as cells."""
    kinds = [
        str(label)
        for value, label in route._meta.get_field("kinds").base_field.choices or ()
        if value in route.kinds
    ]
    return [
        kinds or ANYTHING,
        [severity_badge(severity) for severity in route.severities] or ANYTHING,
        ", ".join(route.markets) or ANYTHING,
        ", ".join(route.rules) or ANYTHING,
    ]


def asked_of(route: Route) -> dict[str, Any]:
    """A route as `queue_routes_save` takes it."""
    return {
        "queue": route.queue.code,
        **{name: list(getattr(route, name)) for name in ("kinds", "severities", "markets", "rules")},
    }


def routes_now() -> list[dict[str, Any]]:
    return [asked_of(route) for route in Route.objects.select_related("queue").order_by("position")]


@admin.register(Queue)
class QueueAdmin(ConsoleAdmin[Queue]):
    intro = _("Piles of cases with people of their own. What no route names goes to “General”.")
    list_display = ("name", "code", "assignment", "double_shown")
    search_fields = ("code",)
    ordering = ("name",)
    actions_list = ("create",)
    actions_detail = ("edit",)

    def matching(self, term: str) -> Q:
        return Q(code__istartswith=term) | Q(name__icontains=term)

    @display(description=_("judged twice"), ordering="double_share")
    def double_shown(self, queue: Queue) -> str:
        return f"{queue.double_share:.0%}"

    def facts(self, queue: Queue, request: HttpRequest) -> Sequence[Fact]:
        return (
            Fact(_("Code"), queue.code),
            Fact(_("How it is shared"), queue.get_assignment_display()),
            Fact(_("Judged by two, blind"), f"{queue.double_share:.0%}"),
            Fact(
                _("Cases"),
                Link(
                    _("Those that wait"), list_url(Case, f"queue__id__exact={queue.pk}&status__exact=waiting")
                ),
            ),
        )

    def sections(self, queue: Queue, request: HttpRequest) -> Sequence[Section]:
        routes = [
            [link_to(route, str(route.position)), *fitting(route)]
            for route in queue.routes.order_by("position")
        ]
        desks = [
            [link_to(desk), desk.capacity_per_day]
            for desk in queue.desks.select_related("user").order_by("user__name", "user__email")
        ]
        return (
            Section(
                _("What comes here"),
                Table(
                    [_("Route"), _("Kinds"), _("Severities"), _("Markets"), _("Rules")],
                    routes,
                    empty=_("No route leads here."),
                    more=Link(_("All routes in their order"), list_url(Route)),
                ),
            ),
            Section(
                _("Desks of this queue"),
                Table(
                    [_("Reviewer"), _("Cases a day")],
                    desks,
                    empty=_("None of its own: whoever has no queues of theirs."),
                ),
            ),
        )

    @act(label=_("New queue"), roles=MAY_ARRANGE, form=QueueForm, icon="add", variant=ActionVariant.PRIMARY)
    def create(self, actor: Actor, queue: None, values: Mapping[str, Any]) -> Answer:
        return admin_url(_save_queue(actor, values["code"], values))

    @act(
        label=_("Change"),
        roles=MAY_ARRANGE,
        question=_("It holds for cases opened from now on."),
        done=_("The queue is changed."),
        form=QueueChangeForm,
        icon="edit",
    )
    def edit(self, actor: Actor, queue: Queue, values: Mapping[str, Any]) -> Answer:
        _save_queue(actor, queue.code, values)
        return None


def _save_queue(actor: Actor, code: str, values: Mapping[str, Any]) -> Queue:
    return queue_save(
        actor=actor,
        code=code,
        name=values["name"],
        assignment=values["assignment"],
        double_share=values["double_percent"] / 100,
        reason=values["reason"],
    )


@admin.register(Route)
class RouteAdmin(ConsoleAdmin[Route]):
    intro = _(
        "Which cases go to which queue: the first route that fits, from the top. An open case stays where it is."
    )
    list_display = ("position", "queue", "kinds_shown", "severities_shown", "markets_shown", "rules_shown")
    list_display_links = ("position", "queue")
    list_select_related = ("queue",)
    search_fields = ("queue__code",)
    ordering = ("position",)
    object_related = ("queue",)
    actions_list = ("create",)
    actions_detail = ("edit", "up", "down", "remove")

    def matching(self, term: str) -> Q:
        return Q(queue__code__istartswith=term) | Q(queue__name__icontains=term)

    @display(description=_("kinds"))
    def kinds_shown(self, route: Route) -> str:
        return shown(fitting(route)[0])

    @display(description=_("severities"))
    def severities_shown(self, route: Route) -> str:
        return shown(fitting(route)[1])

    @display(description=_("markets"))
    def markets_shown(self, route: Route) -> str:
        return shown(fitting(route)[2])

    @display(description=_("rules"))
    def rules_shown(self, route: Route) -> str:
        return shown(fitting(route)[3])

    def facts(self, route: Route, request: HttpRequest) -> Sequence[Fact]:
        kinds, severities, markets, rules = fitting(route)
        return (
            Fact(_("Position"), route.position),
            Fact(_("Leads to"), link_to(route.queue)),
            Fact(_("Kinds"), kinds),
            Fact(_("Severities"), severities),
            Fact(_("Markets"), markets),
            Fact(_("Rules"), rules),
        )

    @act(label=_("New route"), roles=MAY_ARRANGE, form=RouteForm, icon="add", variant=ActionVariant.PRIMARY)
    def create(self, actor: Actor, route: None, values: Mapping[str, Any]) -> Answer:
        routes = routes_now()
        routes.insert(values["position"] - 1, _route_values(values))
        return _save_routes(actor, routes, values)

    @act(label=_("Change"), roles=MAY_ARRANGE, form=RouteChangeForm, icon="edit")
    def edit(self, actor: Actor, route: Route, values: Mapping[str, Any]) -> Answer:
        routes = routes_now()
        del routes[route.position - 1]
        routes.insert(values["position"] - 1, _route_values(values))
        return _save_routes(actor, routes, values)

    @act(label=_("Earlier"), roles=MAY_ARRANGE, when=lambda route: route.position > 1, icon="arrow_upward")
    def up(self, actor: Actor, route: Route, values: Mapping[str, Any]) -> Answer:
        return self._move(actor, route, -1, values)

    @act(label=_("Later"), roles=MAY_ARRANGE, icon="arrow_downward")
    def down(self, actor: Actor, route: Route, values: Mapping[str, Any]) -> Answer:
        return self._move(actor, route, 1, values)

    def _move(self, actor: Actor, route: Route, by: int, values: Mapping[str, Any]) -> Answer:
        routes = routes_now()
        moved = routes.pop(route.position - 1)
        routes.insert(route.position - 1 + by, moved)
        return _save_routes(actor, routes, values)

    @act(
        label=_("Remove"),
        roles=MAY_ARRANGE,
        question=_("What went this way goes to the next route that fits, or to “General”."),
        icon="delete",
    )
    def remove(self, actor: Actor, route: Route, values: Mapping[str, Any]) -> Answer:
        routes = routes_now()
        del routes[route.position - 1]
        return _save_routes(actor, routes, values)


def _route_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "queue": values["queue"].code,
        "kinds": values["kinds"],
        "severities": values["severities"],
        "markets": codes_in(values["markets"]),
        "rules": codes_in(values["rules"]),
    }


def _save_routes(actor: Actor, routes: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> str:
    queue_routes_save(actor=actor, routes=routes, reason=values["reason"])
    # All routes are written anew, so that the page of this one is gone.
    return list_url(Route)
