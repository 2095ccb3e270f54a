"""A case in words and colours: how urgent it is, why it is here, who is at it, and what somebody else made of it."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone
from django.utils.translation import gettext as _

from governance.review.enums import CaseKind, CaseStatus
from governance.review.models import Case
from governance.review.selectors import OPEN, is_given, why_here
from governance.review.services.claims import moment, told
from governance.violations.enums import ViolationStatus
from guilds.accounts.actor import Actor
from guilds.console.page import Badge, Variant

#: A case is shown as nearly due once so little of its time is left, also before a sweep has noticed.
SOON = 0.25

STATUS_VARIANTS: dict[str, Variant] = {
    CaseStatus.WAITING: "warning",
    CaseStatus.ON_HOLD: "info",
    CaseStatus.DONE: "success",
    CaseStatus.WITHDRAWN: "default",
}


def is_open(case: Case) -> bool:
    return case.status in OPEN


def is_waiting(case: Case) -> bool:
    return case.status == CaseStatus.WAITING


def is_day(case: Case) -> bool:
    """Whether a guild-day is judged; every other case looks like any other, whatever it is for."""
    return case.kind == CaseKind.COVERAGE


def status_badge(case: Case) -> Badge:
    return Badge(case.get_status_display(), STATUS_VARIANTS[case.status])


def amount(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds // 60)} min"


def clock(case: Case, now: dt.datetime | None = None) -> Badge:
    """The promise: when it is due, in words as well as in colour."""
    now = now or timezone.now()
    if not is_open(case):
        return Badge(case.get_status_display())
    left = (case.due_at - now).total_seconds()
    if left <= 0:
        return Badge(_("overdue by %(amount)s") % {"amount": amount(-left)}, "danger")
    words = {"amount": amount(left)}
    if case.warned_at is not None or left <= SOON * (case.due_at - case.opened_at).total_seconds():
        return Badge(_("soon: due in %(amount)s") % words, "warning")
    return Badge(_("due in %(amount)s") % words)


def claimed_until(case: Case, now: dt.datetime | None = None) -> dt.datetime | None:
    """The end of the claim that holds now, if one does."""
    held = case.claimed_until is not None and case.claimed_until > (now or timezone.now())
    return case.claimed_until if held else None


def claim_words(case: Case, actor: Actor) -> str:
    """Who is at it."""
    until = claimed_until(case)
    if until is not None and case.claimed_by_id == actor.user_id:
        return _("You are at it; it stays yours while you work on this page.")
    if until is not None:
        return _("%(who)s is at it.") % {"who": case.claimed_by}
    if case.status == CaseStatus.ON_HOLD and case.held_until is not None:
        return _("On hold until %(until)s UTC: %(reason)s") % {
            "until": f"{case.held_until.astimezone(dt.UTC):%d %b %H:%M}",
            "reason": case.hold_reason,
        }
    if is_given(case) and case.assigned_to_id == actor.user_id:
        return _("Assigned to you.")
    if is_given(case):
        return _("Assigned to %(who)s.") % {"who": case.assigned_to}
    return _("Nobody is at it.")


def place_badge(case: Case, actor: Actor) -> Badge:
    """Whose it is, for a list."""
    if claimed_until(case) is not None:
        mine = case.claimed_by_id == actor.user_id
        return Badge(_("you are at it"), "primary") if mine else Badge(str(case.claimed_by), "info")
    if is_given(case):
        mine = case.assigned_to_id == actor.user_id
        return Badge(_("yours") if mine else str(case.assigned_to), "primary" if mine else "default")
    return Badge(_("free"))


def why(case: Case, actor: Actor) -> list[str]:
    """What brought the case here and to this place in the queue, in sentences, the weightiest first."""
    said = []
    if case.escalated_at is not None and case.escalation:
        said.append(_("%(who)s: “%(reason)s”") % {"who": case.escalated_by, "reason": case.escalation})
    if is_open(case):
        said += why_here(case)
    if is_given(case) and case.assigned_to_id == actor.user_id:
        said.append(_("It is assigned to you."))
    said.append(_("Queue “%(queue)s”.") % {"queue": case.queue})
    return said


def lost(case: Case, actor: Actor, *, opened: bool = False) -> str:
    """Who was faster, what they did and why, for somebody who has the page open; "" while it is theirs to decide.

    `opened` says that the page was opened while the case waited: a hold or another's assignment is news then. Of a case judged
    blind it tells who and when, never what.
    """
    if case.status in (CaseStatus.DONE, CaseStatus.WITHDRAWN):
        return "" if case.done_by_id == actor.user_id else told(case)
    if claimed_until(case) is not None and case.claimed_by_id != actor.user_id:
        return _("%(who)s has taken it over at %(at)s.") % {
            "who": case.claimed_by,
            "at": moment(case.claimed_at),
        }
    if opened and (case.status == CaseStatus.ON_HOLD or case.assigned_to_id not in (None, actor.user_id)):
        return told(case)
    return ""


def outcome(case: Case) -> str:
    """What became of a case that has just been judged, for the one who judged it."""
    if case.kind != CaseKind.VERDICT or case.violation is None or case.status != CaseStatus.DONE:
        return _("your answer is noted")
    status = case.violation.status
    if status == ViolationStatus.CONFIRMED:
        return _("confirmed, and its consequences follow")
    if status == ViolationStatus.DISMISSED:
        return _("dismissed, nothing follows for the guild")
    return _("your verdict is noted; another reviewer judges it too")
