"""What waits for a reader of the console, role by role: the lists of the first page and the badges of the sidebar."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.cache import cache
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from redis.exceptions import RedisError

from appeals.models import Appeal
from appeals.selectors import assigned_to, open_appeals
from governance.launches.enums import WaveStatus
from governance.launches.selectors import OPEN_WAVES, gates_owed, waves_between
from governance.models import (
    Alarm,
    Approval,
    Delivery,
    Endpoint,
    EvaluationFault,
    Feedback,
    Finding,
    Penalty,
    QuarantinedSignal,
    RuleVersion,
)
from governance.penalties.enums import PenaltyStatus
from governance.penalties.kinds import KINDS
from governance.penalties.selectors import penalties_visible_to
from governance.risks.enums import FeedbackStatus
from governance.risks.selectors import feedback_visible_to
from governance.rules.enums import FindingStatus
from governance.rules.selectors import findings_visible_to, versions_expiring
from governance.signals.enums import QuarantineStatus
from governance.signals.selectors import quarantine_visible_to
from governance.violations.enums import AlarmStatus, FaultStatus
from governance.violations.selectors import (
    alarms_visible_to,
    faults_visible_to,
    review_queue,
    versions_asking,
)
from governance.webhooks.enums import DeliveryStatus
from governance.workbench.models import Draft
from governance.workbench.selectors import approvals_waiting, drafts_of
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.lists import in_markets
from guilds.console.page import Badge, Link, Table, distance, link_to, list_url, severity_badge

#: Rows of a list on this page.
SHOWN = 6
#: Nobody acts upon the difference between a hundred and more.
COUNTED = 99
BADGE_SECONDS = 15
#: How far the list of waves looks back for those that did not start, and ahead.
OVERDUE_SHOWN, COMING_SHOWN = dt.timedelta(days=90), dt.timedelta(days=60)


@dataclass(frozen=True)
class Waiting:
    """A list of what waits, with where to see all of it and where to begin."""

    title: str
    count: str
    table: Table
    url: str
    begin: Link | None = None


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
        fresh = feedback_visible_to(actor).filter(status=FeedbackStatus.NEW)
        yield ("admin:governance_feedback_changelist", ""), fresh
    if actor.has_role(Role.APPROVER):
        yield ("admin:governance_approval_changelist", ""), approvals_waiting(actor)
    if actor.has_role(Role.ANALYST, Role.LAUNCHER, Role.APPROVER):
        place = ("admin:governance_alarm_changelist", "status__exact=open")
        yield place, alarms_visible_to(actor).filter(status=AlarmStatus.OPEN)


def waiting_for(actor: Actor) -> list[Waiting]:
    """The lists of the actor's roles, each once, in the order of PARTS."""
    found: dict[str, Waiting] = {}
    for role, part in PARTS:
        if role in actor.roles:
            for item in part(actor):
                found.setdefault(item.title, item)
    if actor.roles:
        for item in _for_anybody(actor):
            found.setdefault(item.title, item)
    return list(found.values())


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
    asking = versions_asking()
    rows = [
        [
            severity_badge(one.version.severity),
            link_to(one.version),
            shortened(one.version.status_reason),
            Badge(
                ngettext("%(number)s signal waits", "%(number)s signals wait", one.waiting)
                % {"number": one.waiting},
                "warning",
            )
            if one.waiting
            else None,
        ]
        for one in asking[:SHOWN]
    ]
    table = Table(["", _("Version"), _("Why"), _("Waiting")], rows, empty=_("None."))
    yield Waiting(_("Paused rules"), str(len(asking)), table, list_url(RuleVersion, "status__exact=paused"))
    yield _alarms(actor)
    coming = waves_between(actor, timezone.now() - OVERDUE_SHOWN, timezone.now() + COMING_SHOWN)
    waves = [wave for wave in coming if wave.status in OPEN_WAVES]
    rows = [
        [
            link_to(wave.launch),
            wave.name or f"{wave.number}",
            Badge(distance(wave.planned_at), "danger" if wave.planned_at < timezone.now() else "default"),
            Badge(wave.get_status_display(), "success" if wave.status == WaveStatus.GO else "warning"),
            shortened(wave.blocked_reason),
        ]
        for wave in sorted(waves, key=lambda wave: wave.planned_at)[:SHOWN]
    ]
    headers = [_("Launch"), _("Wave"), _("Starts"), _("Status"), _("What is in the way")]
    yield Waiting(
        _("Waves to come"),
        str(len(waves)),
        Table(headers, rows, empty=_("None.")),
        reverse("admin:governance_launch_calendar"),
    )
    expiring = versions_expiring()
    soon: list[list[Any]] = [[link_to(row), row.expires_at] for row in expiring[:SHOWN]]
    yield Waiting(
        _("Rules about to expire"),
        bounded_count(expiring) or "0",
        Table([_("Version"), _("Expires")], soon, empty=_("None.")),
        list_url(RuleVersion, "status__exact=live"),
    )


def _alarms(actor: Actor) -> Waiting:
    alarms = alarms_visible_to(actor).filter(status=AlarmStatus.OPEN)
    rows = [
        [link_to(row, row.rule), row.market.code, row.get_kind_display(), distance(row.raised_at)]
        for row in alarms.order_by("-id")[:SHOWN]
    ]
    table = Table([_("Rule"), _("Market"), _("What"), _("Raised")], rows, empty=_("None."))
    return Waiting(_("Alarms"), bounded_count(alarms) or "0", table, list_url(Alarm, "status__exact=open"))


def _for_approver(actor: Actor) -> Iterator[Waiting]:
    waiting = approvals_waiting(actor)
    rows = [
        [
            severity_badge(row.version.severity),
            link_to(row, row.version),
            row.requested_by,
            distance(row.requested_at),
        ]
        for row in waiting[:SHOWN]
    ]
    table = Table(["", _("Version"), _("Asked by"), _("Asked")], rows, empty=_("Nothing waits for you."))
    yield Waiting(
        _("Rules for your approval"), bounded_count(waiting) or "0", table, list_url(Approval, "waiting=me")
    )


def _for_anybody(actor: Actor) -> Iterator[Waiting]:
    """Gates of launches, which people of every role answer for."""
    owed = gates_owed(actor)
    today = timezone.now().date()
    rows = [
        [
            link_to(gate, gate.get_kind_display()),
            link_to(gate.launch),
            Badge(f"{gate.due_on:%d %b %Y}", "danger" if gate.due_on < today else "default")
            if gate.due_on
            else None,
        ]
        for gate in owed[:SHOWN]
    ]
    if rows:
        table = Table([_("Gate"), _("Launch"), _("Due")], rows)
        yield Waiting(
            _("Gates you answer for"), bounded_count(owed), table, reverse("admin:governance_launch_blockers")
        )


def _for_analyst(actor: Actor) -> Iterator[Waiting]:
    drafts = drafts_of(actor)
    rows = [
        [
            Link(row, reverse("admin:governance_draft_change", args=[row.pk])),
            row.name,
            Badge(_("Refused"), "danger") if getattr(row, "was_refused", False) else None,
            distance(row.written_at),
        ]
        for row in drafts[:SHOWN]
    ]
    table = Table([_("Draft"), _("Name"), "", _("Saved")], rows, empty=_("None."))
    yield Waiting(
        _("Your drafts"), bounded_count(drafts) or "0", table, list_url(Draft, "status__exact=draft")
    )
    fresh = feedback_visible_to(actor).filter(status=FeedbackStatus.NEW)
    rows = [
        [link_to(row, shortened(row.body)), row.get_source_display(), distance(row.created_at)]
        for row in fresh.order_by("-id")[:SHOWN]
    ]
    table = Table([_("Message"), _("From"), _("When")], rows, empty=_("Everything has been read."))
    yield Waiting(
        _("Feedback to read"), bounded_count(fresh) or "0", table, list_url(Feedback, "status__exact=new")
    )
    yield _alarms(actor)
    findings = findings_visible_to(actor).filter(status=FindingStatus.OPEN)
    rows = [
        [link_to(row, row.version), shortened(row.summary), distance(row.created_at)]
        for row in findings.select_related("version__rule").order_by("-id")[:SHOWN]
    ]
    table = Table([_("Version"), _("What was found"), _("Opened")], rows, empty=_("None."))
    yield Waiting(
        _("Open findings"), bounded_count(findings) or "0", table, list_url(Finding, "status__exact=open")
    )
    faults = faults_visible_to(actor).filter(status=FaultStatus.OPEN)
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


PARTS: tuple[tuple[Role, Callable[[Actor], Iterator[Waiting]]], ...] = (
    (Role.REVIEWER, _for_reviewer),
    (Role.ENFORCER, _for_enforcer),
    (Role.ADJUDICATOR, _for_adjudicator),
    (Role.APPROVER, _for_approver),
    (Role.ANALYST, _for_analyst),
    (Role.LAUNCHER, _for_launcher),
    (Role.ADMIN, _for_admin),
)
