"""The writers of penalties, points and standing; one module per verb."""

from governance.penalties.services.acts import (
    penalty_acknowledge,
    penalty_cancel,
    penalty_lift,
    penalty_refuse,
    penalty_release,
    penalty_retry,
)
from governance.penalties.services.credits import credits_apply_due
from governance.penalties.services.execution import penalties_apply_due, penalties_lift_due
from governance.penalties.services.points import points_expire_due
from governance.penalties.services.reversal import penalty_overturn, penalty_reduce
from governance.penalties.services.sanctions import sanctions_decide_due
from governance.penalties.services.trained import penalties_trained_due

__all__ = [
    "credits_apply_due",
    "penalties_apply_due",
    "penalties_lift_due",
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
    "sanctions_decide_due",
]
