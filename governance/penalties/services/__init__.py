"""The writers of penalties, points and standing; one module per verb."""

from governance.penalties.services.acknowledgement import penalty_acknowledge
from governance.penalties.services.acts import (
    penalty_cancel,
    penalty_lift,
    penalty_refuse,
    penalty_release,
    penalty_retry,
)
from governance.penalties.services.caps import cap_remove, cap_set
from governance.penalties.services.compensation import compensation_decline, compensation_settle
from governance.penalties.services.credits import credits_apply_due
from governance.penalties.services.escalation import penalties_escalate_due
from governance.penalties.services.execution import penalties_apply_due, penalties_lift_due
from governance.penalties.services.points import points_expire_due
from governance.penalties.services.preview import preview
from governance.penalties.services.reconciliation import difference_settle, reconcile
from governance.penalties.services.rectification import rectification_submit, rectifications_check_due
from governance.penalties.services.reduction import penalty_reduce
from governance.penalties.services.reversal import penalty_overturn, shield_grant, violation_undo
from governance.penalties.services.safeguards import safeguard_set
from governance.penalties.services.sanctions import sanctions_decide_due
from governance.penalties.services.stays import penalties_go_on, penalties_of_case, penalties_stay
from governance.penalties.services.stops import penalties_overtaken_cancel, stop_close, stop_open
from governance.penalties.services.trained import penalties_trained_due

__all__ = [
    "cap_remove",
    "cap_set",
    "compensation_decline",
    "compensation_settle",
    "credits_apply_due",
    "difference_settle",
    "penalties_apply_due",
    "penalties_escalate_due",
    "penalties_go_on",
    "penalties_lift_due",
    "penalties_of_case",
    "penalties_overtaken_cancel",
    "penalties_stay",
    "penalties_trained_due",
    "penalty_acknowledge",
    "penalty_cancel",
    "penalty_lift",
    "penalty_overturn",
    "penalty_reduce",
    "penalty_refuse",
    "penalty_release",
    "penalty_retry",
    "points_expire_due",
    "preview",
    "reconcile",
    "rectification_submit",
    "rectifications_check_due",
    "safeguard_set",
    "sanctions_decide_due",
    "shield_grant",
    "stop_close",
    "stop_open",
    "violation_undo",
]
