"""The console pages of violations. That of a violation is registered in config, which adds what stands above it."""

from governance.violations.admin.alarms import AlarmAdmin, watched_table
from governance.violations.admin.faults import EvaluationFaultAdmin
from governance.violations.admin.violations import ViolationAdmin, is_open, status_badge

__all__ = [
    "AlarmAdmin",
    "EvaluationFaultAdmin",
    "ViolationAdmin",
    "is_open",
    "status_badge",
    "watched_table",
]
