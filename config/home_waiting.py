"""What waits for a reader of the console, role by role: the lists of the first page and the badges of the sidebar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from appeals.models import Appeal
from appeals.selectors import assigned_to, open_appeals
from config.home_governing import for_analyst, for_anybody, for_approver, for_launcher
from config.home_parts import SHOWN, Waiting, bounded_count, shortened
from governance.models import (
    Delivery,
    Endpoint,
    EnforcementStop,
    Notice,
    Penalty,
    QuarantinedSignal,
)
from governance.notices.selectors import notices_visible_to, unreached
from governance.penalties.enforcement import stops_visible_to
from governance.penalties.enums import PenaltyStatus
from governance.penalties.kinds import KINDS
from governance.penalties.selectors import penalties_visible_to
from governance.quality.selectors import ASKED_BY, items_visible_to
from governance.review.admin.mine import progress_of
from governance.review.admin.words import clock
from governance.review.selectors import escalations, my_queue
from governance.risks.enums import FeedbackStatus
from governance.risks.selectors import feedback_visible_to
from governance.rules.enums import FindingStatus
from governance.rules.selectors import findings_visible_to
from governance.signals.enums import QuarantineStatus
from governance.signals.selectors import quarantine_visible_to
from governance.violations.enums import AlarmStatus
from governance.violations.selectors import alarms_visible_to
from governance.webhooks.enums import DeliveryStatus
from governance.workbench.selectors import approvals_waiting
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.lists import in_markets
from guilds.console.page import Badge, Link, Table, admin_url, distance, link_to, list_url, severity_badge
from guilds.remembering import remembered

BADGE_SECONDS = 15


def waiting_counts(actor: Actor) -> dict[tuple[str, str], str]:
    """The badges of the sidebar by (URL name, query), kept for some seconds a person."""
    key = f"console-badges:{actor.user_id}:{','.join(sorted(actor.roles))}:{sorted(actor.market_ids or ())}"
    return remembered(
        key, BADGE_SECONDS, lambda: {place: bounded_count(rows) for place, rows in _waiting_rows(actor)}
    )


def _waiting_rows(actor: Actor) -> Iterator[tuple[tuple[str, str], QuerySet[Any]]]:
    if actor.has_role(Role.REVIEWER):
        yield ("admin:governance_case_mine", ""), my_queue(actor)
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
    if actor.has_role(*ASKED_BY):
        place = ("admin:governance_sampleitem_changelist", "answer=disputed")
        yield place, items_visible_to(actor).disputed().filter(settled_at__isnull=True)
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
        for item in for_anybody(actor):
            found.setdefault(item.title, item)
    return list(found.values())


def _for_reviewer(actor: Actor) -> Iterator[Waiting]:
    queue = my_queue(actor)
    first = list(queue[:SHOWN])
    rows = [[severity_badge(row.severity), link_to(row), row.market.code, clock(row)] for row in first]
    day = progress_of(actor)
    table = Table(["", _("Case"), _("Market"), _("Clock")], rows, empty=_("Nothing waits for you."))
    yield Waiting(
        _("Cases for your review"),
        bounded_count(queue) or "0",
        table,
        reverse("admin:governance_case_mine"),
        Link(_("Begin"), admin_url(first[0])) if first else None,
        _("%(done)s of %(capacity)s judged today") % {"done": day.done, "capacity": day.capacity},
    )
    late = queue.filter(due_at__lte=timezone.now())
    rows = [[severity_badge(row.severity), link_to(row), str(row.queue), clock(row)] for row in late[:SHOWN]]
    table = Table(["", _("Case"), _("Queue"), _("Clock")], rows, empty=_("None."))
    url = f"{reverse('admin:governance_case_mine')}?due=overdue"
    yield Waiting(_("Overdue cases"), bounded_count(late) or "0", table, url)


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


def _unreached(actor: Actor) -> Iterator[Waiting]:
    found = unreached(notices_visible_to(actor), timezone.now())
    rows = [
        [link_to(row), link_to(row.guild), distance(row.issued_at)]
        for row in found.order_by("issued_at")[:SHOWN]
    ]
    table = Table([_("Notice"), _("Guild"), _("Issued")], rows, empty=_("None."))
    yield Waiting(
        _("Notices that reached nobody"),
        bounded_count(found) or "0",
        table,
        list_url(Notice, "reach=nobody"),
    )


def _escalated(actor: Actor) -> Iterator[Waiting]:
    """The gravest cases that a reviewer has handed up."""
    found = escalations(actor)
    rows = [
        [severity_badge(row.severity), link_to(row), row.escalated_by, clock(row)] for row in found[:SHOWN]
    ]
    table = Table(["", _("Case"), _("Escalated by"), _("Clock")], rows, empty=_("None."))
    yield Waiting(
        _("Escalated cases"), bounded_count(found) or "0", table, reverse("admin:governance_case_team")
    )


def _waits_for_a_person(actor: Actor) -> Iterator[Waiting]:
    """What goes no further by itself: held for too long, or stopped."""
    held = penalties_visible_to(actor).filter(status=PenaltyStatus.HELD)
    late = held.filter(escalated_at__isnull=False)
    rows = [
        [severity_badge(row.violation.severity), link_to(row), distance(row.proposed_at)]
        for row in late.order_by("proposed_at", "id")[:SHOWN]
    ]
    table = Table(["", _("Penalty"), _("Proposed")], rows, empty=_("None."))
    url = list_url(Penalty, f"status__exact={PenaltyStatus.HELD.value}&o=1")
    yield Waiting(_("Held for too long"), bounded_count(late) or "0", table, url)
    stops = stops_visible_to(actor).filter(closed_at__isnull=True)
    rows = [
        [
            Badge(_("By a cap"), "danger") if row.automatic else "",
            link_to(row),
            shortened(row.reason),
            distance(row.opened_at),
        ]
        for row in stops.order_by("-automatic", "id")[:SHOWN]
    ]
    table = Table(["", _("Stopped"), _("Why"), _("Since")], rows, empty=_("None."))
    url = list_url(EnforcementStop, "standing=now")
    yield Waiting(_("Penalties stopped"), bounded_count(stops) or "0", table, url)


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
    (Role.ENFORCER, _escalated),
    (Role.ENFORCER, _waits_for_a_person),
    (Role.ENFORCER, _unreached),
    (Role.ADMIN, _unreached),
    (Role.ADJUDICATOR, _for_adjudicator),
    (Role.APPROVER, for_approver),
    (Role.ANALYST, for_analyst),
    (Role.LAUNCHER, for_launcher),
    (Role.ADMIN, _for_admin),
)
