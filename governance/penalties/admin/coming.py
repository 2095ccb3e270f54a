"""The dry run as a page: what starts and ends next by itself, what waits, and what would fail."""

from __future__ import annotations

import datetime as dt

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.penalties.due import Coming, Line, penalties_due
from governance.penalties.enums import PenaltyKind
from governance.penalties.models import Penalty
from guilds.console.base import ConsoleAdmin
from guilds.console.page import Badge, Link, Section, Table, link_to

#: The spans of the page in hours.
SPANS = {"24": 24, "168": 7 * 24}


def coming_page(pages: ConsoleAdmin[Penalty], request: HttpRequest) -> HttpResponse:
    """What comes within a day, or within a week."""
    if not pages.has_view_permission(request):
        raise PermissionDenied
    asked = request.GET.get("hours", "")
    span = asked if asked in SPANS else "24"
    now = timezone.now()
    coming = penalties_due(now + dt.timedelta(hours=SPANS[span]), actor=pages.actor(request), now=now)
    context = {
        **pages.admin_site.each_context(request),
        "title": _("Coming"),
        "opts": pages.opts,
        "span": span,
        "coming": coming,
        "sections": sections_of(coming),
    }
    return TemplateResponse(request, "admin/console/penalties_coming.html", context)


def sections_of(coming: Coming) -> list[Section]:
    headers = [_("Kind"), _("Market"), _("Start"), _("First"), _("End"), _("Would fail"), _("Remarks")]
    rows = [
        [line.label, line.market, line.starts, line.first, line.ends, line.fails or "", _remarks(line)]
        for line in coming.lines
    ]
    sections = [
        Section(_("By kind and market"), Table(headers, rows, empty=_("Nothing starts or ends."))),
    ]
    if coming.stops:
        stops = [
            [link_to(stop), stop.reason, stop.opened_at, stop.opened_by or _("A cap")]
            for stop in coming.stops
        ]
        headers = [_("Stopped"), _("Why"), _("Since"), _("By")]
        sections.append(Section(_("What is stopped, and why"), Table(headers, stops)))
    if coming.refusals:
        refused = [
            [one.number, PenaltyKind(one.kind).label, one.market, one.why.label] for one in coming.refusals
        ]
        headers = [_("Number"), _("Kind"), _("Market"), _("Why")]
        sections.append(Section(_("What would fail, and why"), Table(headers, refused)))
    if coming.stuck:
        stuck = [[link_to(one), one.ends_at, one.attempts, one.last_error] for one in coming.stuck]
        headers = [_("Penalty"), _("Was to end"), _("Tries"), _("Fault")]
        sections.append(Section(_("What cannot be lifted"), Table(headers, stuck)))
    return sections


def _remarks(line: Line) -> list[Badge | Link]:
    remarks: list[Badge | Link] = []
    if line.held_by and line.starts:
        remarks.append(Badge(_("Stopped: all wait"), "danger"))
    if line.trips:
        told = {"number": line.busiest, "cap": line.cap}
        remarks.append(Badge(_("%(number)s in one hour, the cap is %(cap)s") % told, "warning"))
    if line.falls_away:
        remarks.append(Badge(_("%(number)s fall away") % {"number": line.falls_away}))
    return remarks
