"""The console's first page: what waits for this reader by role, and how the cycle flows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.cache import cache
from django.db.models import Count, Model, QuerySet
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from appeals.models import Appeal
from appeals.selectors import assigned_to, open_appeals
from config.charts import daily_chart, legend
from governance.models import (
    Delivery,
    Endpoint,
    EvaluationFault,
    Finding,
    Penalty,
    QuarantinedSignal,
    RuleVersion,
    Signal,
    Violation,
)
from governance.penalties.enums import PenaltyStatus
from governance.penalties.kinds import KINDS
from governance.penalties.selectors import penalties_visible_to
from governance.rules.enums import FindingStatus, VersionStatus
from governance.rules.selectors import findings_visible_to
from governance.signals.enums import QuarantineStatus
from governance.signals.selectors import quarantine_visible_to
from governance.violations.admin import faults_within
from governance.violations.enums import FaultStatus
from governance.violations.selectors import review_queue, violations_visible_to
from governance.webhooks.enums import DeliveryStatus
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.lists import in_markets
from guilds.console.page import Badge, Link, Table, distance, link_to, list_url, severity_badge
from guilds.console.reader import staff_actor

#: Rows of a list on this page.
SHOWN = 6
#: Nobody acts upon the difference between a hundred and more.
COUNTED = 99
#: The figures of the flow are counted over whole tables: fresh enough for a picture, seldom enough for a million rows.
FLOW_SECONDS = 120
BADGE_SECONDS = 15
FLOW_DAYS = 30


@dataclass(frozen=True)
class Waiting:
    """A list of what waits, with where to see all of it and where to begin."""

    title: str
    count: str
    table: Table
    url: str
    begin: Link | None = None


@dataclass(frozen=True)
class Counter:
    title: str
    icon: str
    week: str
    month: str
    url: str


Kept = TypeVar("Kept")


def remembered(key: str, seconds: int, make: Callable[[], Kept]) -> Kept:
    """What the cache has, or what is made now. Without a cache the console is slower, not gone."""
    try:
        known: Kept | None = cache.get(key)
        if known is None:
            known = make()
            cache.set(key, known, seconds)
    except RedisError:
        return make()
    return known


def shortened(text: str) -> str:
    return Truncator(text).chars(90)


def bounded_count(rows: QuerySet[Any]) -> str:
    """At most "99+", "" for none: never a count of a whole table."""
    number = rows.order_by()[: COUNTED + 1].count()
    return f"{COUNTED}+" if number > COUNTED else str(number or "")


def waiting_counts(actor: Actor) -> dict[tuple[str, str], str]:
    """The badges of the sidebar by (URL name, query), kept for some seconds a person."""
    key = f"console-badges:{actor.user_id}:{','.join(sorted(actor.roles))}:{sorted(actor.market_ids or ())}"
    return remembered(
        key, BADGE_SECONDS, lambda: {place: bounded_count(rows) for place, rows in _waiting_rows(actor)}
    )


def _waiting_rows(actor: Actor) -> Iterator[tuple[tuple[str, str], QuerySet[Any]]]:
    if actor.has_role(Role.REVIEWER):
        yield ("admin:governance_violation_queue", ""), review_queue(actor)
    if actor.has_role(Role.ENFORCER):
        for status in (PenaltyStatus.HELD, PenaltyStatus.FAILED):
            place = ("admin:governance_penalty_changelist", f"status__exact={status.value}")
            yield place, penalties_visible_to(actor).filter(status=status)
    if actor.has_role(Role.ADJUDICATOR):
        yield ("admin:appeals_appeal_changelist", "assigned=me&status__exact=open"), assigned_to(actor)
        yield ("admin:appeals_appeal_changelist", ""), open_appeals(actor)
    if actor.has_role(Role.ADMIN):
        place = ("admin:governance_quarantinedsignal_changelist", "status__exact=waiting")
        yield place, _quarantined(actor)
    if actor.has_role(Role.ANALYST):
        place = ("admin:governance_finding_changelist", "status__exact=open")
        yield place, findings_visible_to(actor).filter(status=FindingStatus.OPEN)


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What Unfold's index page shows: the parts of the reader's roles, then the flow everybody sees."""
    actor = staff_actor(request)
    parts: Sequence[tuple[Role, Callable[[Actor], Iterator[Waiting]]]] = (
        (Role.REVIEWER, _for_reviewer),
        (Role.ENFORCER, _for_enforcer),
        (Role.ADJUDICATOR, _for_adjudicator),
        (Role.ANALYST, _for_analyst),
        (Role.LAUNCHER, _for_launcher),
        (Role.ADMIN, _for_admin),
    )
    waiting: dict[str, Waiting] = {}
    for role, part in parts:
        if role in actor.roles:
            for item in part(actor):
                waiting.setdefault(item.title, item)
    flow = flow_of(actor) if actor.roles else None
    return {
        **context,
        "title": _("Home"),
        "waiting": [item for item in waiting.values() if item.table.rows],
        "idle": [item for item in waiting.values() if not item.table.rows],
        "flow": flow,
        "roles": [Badge(role, "primary") for role in sorted(actor.roles)],
        "has_roles": bool(actor.roles),
    }


def _for_reviewer(actor: Actor) -> Iterator[Waiting]:
    queue = review_queue(actor)
    first = list(queue[:SHOWN])
    rows = [
        [
            severity_badge(row.severity),
            link_to(row, f"{row.code} · {row.guild}"),
            row.market.code,
            distance(row.detected_at),
        ]
        for row in first
    ]
    yield Waiting(
        _("Cases for your review"),
        bounded_count(queue) or "0",
        Table(["", _("Case"), _("Market"), _("Waits since")], rows, empty=_("Nothing waits for you.")),
        reverse("admin:governance_violation_queue"),
        Link(_("Begin"), link_to(first[0]).url) if first else None,  # type: ignore[union-attr]
    )


def _for_enforcer(actor: Actor) -> Iterator[Waiting]:
    visible = penalties_visible_to(actor)
    parts = (
        (_("Held for a second person"), PenaltyStatus.HELD, "proposed_at", _("Proposed")),
        (_("Failed penalties"), PenaltyStatus.FAILED, "starts_at", _("Due")),
        (_("Starting next"), PenaltyStatus.SCHEDULED, "starts_at", _("Starts")),
    )
    for title, status, moment, header in parts:
        found = visible.filter(status=status)
        rows = [
            [
                severity_badge(row.violation.severity),
                link_to(row, f"{KINDS[row.kind].describe(row.params)} · {row.guild}"),
                distance(getattr(row, moment)),
            ]
            for row in found.order_by(moment, "id")[:SHOWN]
        ]
        table = Table(["", _("Penalty"), header], rows, empty=_("None."))
        yield Waiting(
            title, bounded_count(found) or "0", table, list_url(Penalty, f"status__exact={status.value}")
        )


def _for_adjudicator(actor: Actor) -> Iterator[Waiting]:
    appeals = open_appeals(actor)
    now = timezone.now()
    rows = [
        [
            severity_badge(row.penalty.violation.severity),
            link_to(row, f"{row.guild} · {row.penalty.get_kind_display()}"),
            Badge(distance(row.decide_by), "danger" if row.decide_by < now else "default"),
            row.assigned_to or Badge(_("Nobody"), "warning"),
        ]
        for row in appeals[:SHOWN]
    ]
    headers = ["", _("Appeal"), _("Decide by"), _("Assigned to")]
    url = list_url(Appeal, "status__exact=open&o=7")
    yield Waiting(
        _("Open appeals"), bounded_count(appeals) or "0", Table(headers, rows, empty=_("None.")), url
    )


def _for_launcher(actor: Actor) -> Iterator[Waiting]:
    paused = RuleVersion.objects.filter(status=VersionStatus.PAUSED).select_related("rule")
    rows = [
        [severity_badge(row.severity), link_to(row), shortened(row.status_reason)]
        for row in paused.order_by("severity", "id")[:SHOWN]
    ]
    table = Table(["", _("Version"), _("Why")], rows, empty=_("None."))
    yield Waiting(
        _("Paused rules"), bounded_count(paused) or "0", table, list_url(RuleVersion, "status__exact=paused")
    )


def _for_analyst(actor: Actor) -> Iterator[Waiting]:
    yield from _for_launcher(actor)
    findings = findings_visible_to(actor).filter(status=FindingStatus.OPEN)
    rows = [
        [link_to(row, row.version), shortened(row.summary), distance(row.created_at)]
        for row in findings.select_related("version__rule").order_by("-id")[:SHOWN]
    ]
    table = Table([_("Version"), _("What was found"), _("Opened")], rows, empty=_("None."))
    yield Waiting(
        _("Open findings"), bounded_count(findings) or "0", table, list_url(Finding, "status__exact=open")
    )
    faults = faults_within(actor).filter(status=FaultStatus.OPEN)
    rows = [
        [link_to(row, row.version), shortened(row.error), distance(row.created_at)]
        for row in faults.select_related("version__rule").order_by("-id")[:SHOWN]
    ]
    table = Table([_("Version"), _("Error"), _("When")], rows, empty=_("None."))
    yield Waiting(
        _("Evaluation faults"),
        bounded_count(faults) or "0",
        table,
        list_url(EvaluationFault, "status__exact=open"),
    )


def _quarantined(actor: Actor) -> QuerySet[QuarantinedSignal]:
    return quarantine_visible_to(actor).filter(status=QuarantineStatus.WAITING)


def _for_admin(actor: Actor) -> Iterator[Waiting]:
    found = _quarantined(actor)
    rows = [
        [link_to(row, row.key.event_id), row.get_reason_display(), distance(row.received_at)]
        for row in found.select_related("key").order_by("-received_at")[:SHOWN]
    ]
    table = Table([_("Signal"), _("Why it waits"), _("Received")], rows, empty=_("None."))
    yield Waiting(
        _("Quarantine"),
        bounded_count(found) or "0",
        table,
        list_url(QuarantinedSignal, "status__exact=waiting"),
    )
    failed = in_markets(Delivery.objects.filter(status=DeliveryStatus.FAILED), actor, "event__market_id")
    rows = [
        [link_to(row, row.event.act), row.endpoint.name, shortened(row.error)]
        for row in failed.select_related("event", "endpoint").order_by("-id")[:SHOWN]
    ]
    disabled: list[list[Any]] = [
        [Badge(_("Disabled"), "warning"), link_to(endpoint), endpoint.disabled_reason]
        for endpoint in Endpoint.objects.filter(is_active=False).exclude(disabled_reason="")[:SHOWN]
    ]
    table = Table(
        [_("Event"), _("Endpoint"), _("Error")], [*rows, *disabled], empty=_("Every delivery arrived.")
    )
    yield Waiting(
        _("Failing webhooks"), bounded_count(failed) or "0", table, list_url(Delivery, "status__exact=failed")
    )


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
