"""My queue: what waits for one reviewer in the order in which it is wanted, how far the day is, and where to begin."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.review.admin.words import clock, is_day, place_badge
from governance.review.enums import CaseKind
from governance.review.models import Case, Desk, Queue
from governance.review.selectors import my_queue
from governance.rules.enums import Severity
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.lists import by_public_id, of_guild
from guilds.console.page import Badge, Link, link_to, severity_badge
from guilds.models import Market

#: Cases on the page: about as many as anybody decides in a day.
SHOWN = 60
DEFAULT_CAPACITY = 60


@dataclass(frozen=True)
class Progress:
    """A reviewer's day so far, in UTC: cases judged, and as many as the desk is meant for."""

    done: int
    capacity: int


def progress_of(actor: Actor) -> Progress:
    capacity = Desk.objects.filter(pk=actor.user_id).values_list("capacity_per_day", flat=True).first()
    done = Case.objects.filter(done_by=actor.user_id, done_at__gte=day_start()).count()
    return Progress(done, capacity or DEFAULT_CAPACITY)


def day_start() -> dt.datetime:
    return timezone.now().astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def filtered(rows: QuerySet[Case], asked: dict[str, str]) -> QuerySet[Case]:
    """The rows the reader asked for. Nothing here tells an audit from a decision."""
    now = timezone.now()
    due = {
        "overdue": Q(due_at__lte=now),
        "day": Q(due_at__lte=now + dt.timedelta(hours=24)),
        "escalated": Q(escalated_at__isnull=False),
    }
    about = {"day": Q(kind=CaseKind.COVERAGE), "violation": ~Q(kind=CaseKind.COVERAGE)}
    term = asked["q"]
    if term:
        codes = Q(rule__code__iexact=term) | Q(violation__code__iexact=term)
        rows = rows.filter(by_public_id(term) | codes | of_guild(term))
    for name, field in (("queue", "queue__code"), ("market", "market__code"), ("severity", "severity")):
        if asked[name]:
            rows = rows.filter(**{field: asked[name]})
    return rows.filter(due.get(asked["due"], Q()), about.get(asked["about"], Q()))


def mine_context(actor: Actor, request: HttpRequest) -> dict[str, Any]:
    asked = {
        name: request.GET.get(name, "").strip()
        for name in ("queue", "market", "severity", "about", "due", "q")
    }
    queue = my_queue(actor)
    waiting = list(filtered(queue, asked)[: SHOWN + 1])
    return {
        "reviews": actor.has_role(Role.REVIEWER),
        "rows": [row_of(case, actor) for case in waiting[:SHOWN]],
        "more": len(waiting) > SHOWN,
        "count": f"{SHOWN}+" if len(waiting) > SHOWN else len(waiting),
        "narrowed": any(asked.values()),
        "progress": progress_of(actor),
        "next_url": reverse("admin:governance_case_next"),
        "mine_url": reverse("admin:governance_case_mine"),
        "bulk_url": reverse("admin:governance_case_changelist"),
        "search": asked["q"],
        "filters": filters_for(actor, asked),
    }


def filters_for(actor: Actor, asked: dict[str, str]) -> list[dict[str, Any]]:
    markets = Market.objects.order_by("name")
    if actor.market_ids is not None:
        markets = markets.filter(pk__in=actor.market_ids)
    choices: list[tuple[str, str, list[tuple[str, str]]]] = [
        ("queue", _("Queue"), [(queue.code, str(queue)) for queue in Queue.objects.order_by("name")]),
        ("severity", _("Severity"), [(value, str(label)) for value, label in Severity.choices]),
        ("market", _("Market"), [(market.code, market.name) for market in markets]),
        (
            "due",
            _("Time"),
            [("overdue", _("Overdue")), ("day", _("Due within a day")), ("escalated", _("Escalated"))],
        ),
        ("about", _("About"), [("violation", _("A violation")), ("day", _("A guild-day"))]),
    ]
    return [
        {"name": name, "label": label, "choices": options, "value": asked[name]}
        for name, label, options in choices
        # A choice of one is none.
        if len(options) > 1 or asked[name]
    ]


def row_of(case: Case, actor: Actor) -> dict[str, Any]:
    about = _("Anything missed on %(day)s?") % {"day": f"{case.day:%d %b %Y}"} if is_day(case) else ""
    rule = "" if case.violation is None else case.violation.version.name
    marks: list[Badge | Link | str] = [place_badge(case, actor)]
    if case.escalated_at is not None:
        marks.append(Badge(_("escalated"), "danger"))
    return {
        "pk": case.pk,
        "name": str(case),
        "cells": [
            severity_badge(case.severity),
            link_to(case),
            about or rule,
            case.market.code,
            clock(case),
            marks,
        ],
    }
