"""The writers of review: cases from their opening to the verdict, and how the work on them is organised."""

from governance.review.services.assigning import case_assign, cases_cover_absences, cases_share_out
from governance.review.services.claims import (
    HEARTBEAT_SECONDS,
    LEASE,
    case_claim,
    case_heartbeat,
    case_release,
)
from governance.review.services.desks import (
    absence_add,
    absence_end,
    desk_save,
    queue_routes_save,
    queue_save,
    target_save,
)
from governance.review.services.holding import case_escalate, case_hold, case_resume
from governance.review.services.notes import note_add
from governance.review.services.opening import case_ask, cases_open_due
from governance.review.services.sweeping import Swept, cases_sweep
from governance.review.services.verdicts import case_decide, violation_confirm, violation_dismiss

__all__ = [
    "HEARTBEAT_SECONDS",
    "LEASE",
    "Swept",
    "absence_add",
    "absence_end",
    "case_ask",
    "case_assign",
    "case_claim",
    "case_decide",
    "case_escalate",
    "case_heartbeat",
    "case_hold",
    "case_release",
    "case_resume",
    "cases_cover_absences",
    "cases_open_due",
    "cases_share_out",
    "cases_sweep",
    "desk_save",
    "note_add",
    "queue_routes_save",
    "queue_save",
    "target_save",
    "violation_confirm",
    "violation_dismiss",
]
