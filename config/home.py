"""The console's first page: what waits for this reader, and how the cycle flows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Model, QuerySet
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from appeals.models import Appeal
from config.charts import daily_chart, legend
from config.home_waiting import waiting_for
from governance.models import Penalty, Signal, Violation
from governance.penalties.selectors import penalties_visible_to
from governance.violations.selectors import violations_visible_to
from guilds.accounts.actor import Actor
from guilds.console.lists import in_markets
from guilds.console.page import Badge, list_url
from guilds.console.reader import staff_actor
from guilds.remembering import remembered

#: The figures of the flow are counted over whole tables: fresh enough for a picture, seldom enough for a million rows.
FLOW_SECONDS = 120
FLOW_DAYS = 30


@dataclass(frozen=True)
class Counter:
    title: str
    icon: str
    week: str
    month: str
    url: str


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What Unfold's index page shows: the parts of the reader's roles, then the flow everybody sees."""
    actor = staff_actor(request)
    waiting = waiting_for(actor)
    flow = flow_of(actor) if actor.roles else None
    return {
        **context,
        "title": _("Home"),
        "waiting": [item for item in waiting if item.table.rows],
        "idle": [item for item in waiting if not item.table.rows],
        "flow": flow,
        "roles": [Badge(role, "primary") for role in sorted(actor.roles)],
        "has_roles": bool(actor.roles),
    }


# --- the flow -----------------------------------------------------------------------------------------------------
def flow_of(actor: Actor) -> dict[str, Any]:
    """Counters and picture of the last days within the actor's markets, kept for some minutes a scope."""
    scope = "all" if actor.market_ids is None else "-".join(map(str, sorted(actor.market_ids)))
    today = timezone.now().date()
    key = f"console-flow:{today}:{scope}"
    daily = remembered(key, FLOW_SECONDS, lambda: _daily(actor, today))
    days = [today - dt.timedelta(days=back) for back in range(FLOW_DAYS - 1, -1, -1)]
    week = f"{today - dt.timedelta(days=6):%Y-%m-%d}"
    stages = (
        ("signals", _("Signals"), "sensors", list_url(Signal, f"time_from_0={week}&time_from_1=00:00")),
        ("opened", _("Violations found"), "flag", list_url(Violation)),
        ("confirmed", _("Violations confirmed"), "task_alt", list_url(Violation, "status__exact=confirmed")),
        ("penalties", _("Penalties in effect"), "block", list_url(Penalty, "status__exact=in_force")),
        ("appeals", _("Appeals filed"), "balance", list_url(Appeal)),
        ("overturned", _("Appeals overturned"), "undo", list_url(Appeal, "outcome__exact=overturned")),
    )
    counters = [
        Counter(
            title,
            icon,
            f"{sum(daily[name].get(day, 0) for day in days[-7:]):,}",
            f"{sum(daily[name].get(day, 0) for day in days):,}",
            url,
        )
        for name, title, icon, url in stages
    ]
    drawn = {
        title: [daily[name].get(day, 0) for day in days] for name, title, *_rest in stages if name in DRAWN
    }
    return {"counters": counters, "chart": daily_chart(days, drawn), "legend": legend(list(drawn))}


#: The series that fit one scale; signals would dwarf them.
DRAWN = ("opened", "confirmed", "penalties", "appeals")


def _daily(actor: Actor, today: dt.date) -> dict[str, dict[dt.date, int]]:
    """Counts per UTC day and stage."""
    since = dt.datetime.combine(today - dt.timedelta(days=FLOW_DAYS - 1), dt.time(), dt.UTC)
    violations = violations_visible_to(actor).select_related(None)
    appeals = in_markets(Appeal.objects.all(), actor)
    asked: dict[str, tuple[QuerySet[Any], str]] = {
        "signals": (in_markets(Signal.objects.all(), actor), "time"),
        "opened": (violations, "detected_at"),
        "confirmed": (violations.filter(status="confirmed"), "decided_at"),
        "penalties": (penalties_visible_to(actor).select_related(None), "applied_at"),
        "appeals": (appeals, "filed_at"),
        "overturned": (appeals.filter(outcome="overturned"), "settled_at"),
    }
    return {name: _per_day(rows, field, since) for name, (rows, field) in asked.items()}


def _per_day(rows: QuerySet[Model], field: str, since: dt.datetime) -> dict[dt.date, int]:
    found = (
        rows.filter(**{f"{field}__gte": since})
        .order_by()
        .annotate(day=TruncDate(field, tzinfo=dt.UTC))
        .values("day")
        .annotate(number=Count("pk"))
    )
    return {row["day"]: row["number"] for row in found}
