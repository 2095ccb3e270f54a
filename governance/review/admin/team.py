"""The team: what stands in each queue, who is at how much, and what wants a lead's hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Min, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.review.admin.mine import DEFAULT_CAPACITY, day_start
from governance.review.admin.words import amount, clock, place_badge
from governance.review.enums import CaseStatus
from governance.review.models import Case, Desk, Queue
from governance.review.selectors import OPEN, absent_now, cases_visible_to, escalations, reviewers_of
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.accounts.models import User
from guilds.console.page import Badge, Link, Section, Table, admin_url, link_to, list_url, severity_badge

ESCALATED_SHOWN = 20
PEOPLE_SHOWN = 200


def team_sections(actor: Actor) -> list[Section]:
    """Within the actor's markets. What each person has done is for those who answer for it. The queries do not grow."""
    sections = [
        Section(_("Queues"), queue_table(actor), note=_("Waiting and on hold, in your markets.")),
        Section(
            _("Escalated"),
            escalated_table(actor),
            note=_("Somebody with more experience should decide them."),
        ),
    ]
    if actor.has_role(Role.ADMIN, Role.AUDITOR):
        note = _("Today is the day in UTC.")
        sections.insert(1, Section(_("People"), people_table(actor), note=note))
    return sections


def queue_table(actor: Actor) -> Table:
    now = timezone.now()
    waiting = Q(status=CaseStatus.WAITING)
    found = (
        cases_visible_to(actor)
        .select_related(None)
        .filter(status__in=OPEN)
        .order_by()
        .values("queue")
        .annotate(
            backlog=Count("pk", filter=waiting),
            soon=Count("pk", filter=Q(due_at__gt=now, warned_at__isnull=False)),
            overdue=Count("pk", filter=Q(due_at__lte=now)),
            held=Count("pk", filter=Q(status=CaseStatus.ON_HOLD)),
            nobody=Count("pk", filter=waiting & Q(assigned_to__isnull=True, claimed_by__isnull=True)),
            oldest=Min("opened_at"),
        )
    )
    standing = {row["queue"]: row for row in found}
    rows = []
    for queue in Queue.objects.order_by("name"):
        here: Mapping[str, Any] = standing.get(queue.pk, {})
        listed = f"queue__id__exact={queue.pk}"
        rows.append(
            [
                link_to(queue),
                queue.get_assignment_display(),
                _number(here.get("backlog"), f"{listed}&status__exact=waiting"),
                _number(here.get("soon"), f"{listed}&due=warned", Badge(_("soon"), "warning")),
                _number(here.get("overdue"), f"{listed}&due=overdue", Badge(_("late"), "danger")),
                _number(here.get("held"), f"{listed}&status__exact=on_hold"),
                here.get("nobody", 0),
                amount((now - here["oldest"]).total_seconds()) if here.get("oldest") else None,
            ]
        )
    headers = [
        _("Queue"),
        _("How it is shared"),
        _("Waiting"),
        _("Due soon"),
        _("Overdue"),
        _("On hold"),
        _("With nobody"),
        _("Oldest"),
    ]
    return Table(headers, rows, empty=_("There is no queue yet: the first case makes one."))


def _number(count: int | None, query: str, mark: Badge | None = None) -> Any:
    if not count:
        return 0
    link = Link(f"{count:,}", list_url(Case, query))
    return [link, mark] if mark else link


def people_table(actor: Actor) -> Table:
    """The reviewers who share a market with the actor."""
    reviewers = reviewers_of()
    if actor.market_ids is not None:
        reviewers = reviewers.filter(
            Q(all_markets=True)
            | Q(is_superuser=True)
            | Q(pk__in=User.objects.filter(markets__in=actor.market_ids).values("pk"))
        )
    people = list(reviewers.order_by("name", "email")[:PEOPLE_SHOWN])
    ids, now = [person.pk for person in people], timezone.now()
    capacity = dict(Desk.objects.filter(pk__in=ids).values_list("pk", "capacity_per_day"))
    away = {
        absence.user_id: absence
        for absence in absent_now(now).filter(user__in=ids).select_related("substitute")
    }
    cases = Case.objects.order_by()
    done = _per(cases.filter(done_by__in=ids, done_at__gte=day_start()), "done_by")
    at_work = _per(
        cases.filter(claimed_by__in=ids, claimed_until__gt=now, status=CaseStatus.WAITING), "claimed_by"
    )
    assigned = _per(cases.filter(assigned_to__in=ids, status__in=OPEN), "assigned_to")
    late = _per(cases.filter(assigned_to__in=ids, status__in=OPEN, due_at__lte=now), "assigned_to")
    rows = []
    for person in people:
        absence = away.get(person.pk)
        state = (
            Badge(_("away until %(day)s") % {"day": f"{absence.ends_at:%d %b}"}, "info")
            if absence
            else (Badge(_("at a case"), "success") if at_work.get(person.pk) else Badge(_("free")))
        )
        rows.append(
            [
                str(person),
                state,
                _("%(done)s of %(capacity)s")
                % {"done": done.get(person.pk, 0), "capacity": capacity.get(person.pk, DEFAULT_CAPACITY)},
                assigned.get(person.pk, 0),
                Badge(str(late[person.pk]), "danger") if late.get(person.pk) else 0,
                str(absence.substitute) if absence and absence.substitute else None,
            ]
        )
    headers = [
        _("Reviewer"),
        _("Now"),
        _("Judged today"),
        _("Assigned"),
        _("Of them overdue"),
        _("Substitute"),
    ]
    return Table(headers, rows, empty=_("Nobody reviews in your markets."))


def _per(rows: Any, field: str) -> dict[int, int]:
    return dict(rows.values_list(field).annotate(number=Count("pk")))


def escalated_table(actor: Actor) -> Table:
    rows = [
        [
            severity_badge(case.severity),
            link_to(case),
            case.market.code,
            clock(case),
            place_badge(case, actor),
            _("%(who)s: “%(reason)s”") % {"who": case.escalated_by, "reason": case.escalation},
            Link(_("Reassign"), admin_url(case, "assign")),
        ]
        for case in escalations(actor)[:ESCALATED_SHOWN]
    ]
    headers = ["", _("Case"), _("Market"), _("Clock"), _("Whose"), _("Why"), ""]
    return Table(headers, rows, empty=_("Nothing is escalated."))
