"""The console pages of penalties."""

from governance.penalties.admin.bands import BandAdmin
from governance.penalties.admin.penalties import PenaltyAdmin, status_badge

__all__ = ["BandAdmin", "PenaltyAdmin", "status_badge"]
