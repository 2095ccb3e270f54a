"""The console pages of review. Those of a case and of a violation are registered in config, which adds what stands above."""

from governance.review.admin.cases import CaseAdmin
from governance.review.admin.desks import AbsenceAdmin, DeskAdmin, TargetAdmin
from governance.review.admin.queues import QueueAdmin, RouteAdmin
from governance.review.admin.verdicts import JudgedViolationAdmin

__all__ = [
    "AbsenceAdmin",
    "CaseAdmin",
    "DeskAdmin",
    "JudgedViolationAdmin",
    "QueueAdmin",
    "RouteAdmin",
    "TargetAdmin",
]
