"""What waits for those who write, approve and launch rules, and for everybody who answers for a gate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config.home_parts import SHOWN, Waiting, bounded_count, shortened
from governance.launches.enums import WaveStatus
from governance.launches.selectors import OPEN_WAVES, gates_owed, waves_between
from governance.models import (
    Alarm,
    Approval,
    EvaluationFault,
    Feedback,
    Finding,
    Risk,
    RuleVersion,
)
from governance.risks.enums import FeedbackStatus
from governance.risks.selectors import feedback_visible_to, risks_to_review
from governance.rules.enums import FindingStatus
from governance.rules.selectors import findings_visible_to, versions_expiring
from governance.violations.enums import AlarmStatus, FaultStatus
from governance.violations.selectors import (
    alarms_visible_to,
    faults_visible_to,
    versions_asking,
)
from governance.workbench.models import Draft
from governance.workbench.selectors import approvals_waiting, drafts_of
from guilds.accounts.actor import Actor
from guilds.console.page import Badge, Link, Table, distance, link_to, list_url, severity_badge

#: How far the list of waves looks back for those that did not start, and ahead.
OVERDUE_SHOWN, COMING_SHOWN = dt.timedelta(days=90), dt.timedelta(days=60)


def for_launcher(actor: Actor) -> Iterator[Waiting]:
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


def for_approver(actor: Actor) -> Iterator[Waiting]:
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


def for_anybody(actor: Actor) -> Iterator[Waiting]:
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


def for_analyst(actor: Actor) -> Iterator[Waiting]:
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
    due = risks_to_review()
    rows = [
        [link_to(risk), risk.owner, Badge(f"{risk.review_on:%d %b %Y}", "danger")] for risk in due[:SHOWN]
    ]
    table = Table([_("Risk"), _("Owning team"), _("Was due")], rows, empty=_("None."))
    yield Waiting(_("Risks to review"), bounded_count(due) or "0", table, list_url(Risk))
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
