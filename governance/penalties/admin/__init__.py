"""The console pages of penalties."""

from governance.penalties.admin import reconciliation, stops
from governance.penalties.admin.bands import BandAdmin
from governance.penalties.admin.compensation import CompensationAdmin
from governance.penalties.admin.penalties import PenaltyAdmin, status_badge
from governance.penalties.admin.safeguards import SafeguardAdmin

__all__ = [
    "BandAdmin",
    "CompensationAdmin",
    "PenaltyAdmin",
    "SafeguardAdmin",
    "reconciliation",
    "status_badge",
    "stops",
]
