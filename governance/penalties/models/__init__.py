"""What a confirmed violation costs: points, standing, penalties and the restrictions they put on a guild."""

from governance.penalties.models.enforcement import (
    Acknowledgement,
    Difference,
    EnforcementCap,
    EnforcementStop,
    Reconciliation,
)
from governance.penalties.models.penalty import Penalty, Restriction
from governance.penalties.models.protection import Compensation, Rectification, Safeguard, Shield
from governance.penalties.models.standing import Band, BandCrossing, Credit, PointEntry, Sanction, Standing

__all__ = [
    "Acknowledgement",
    "Band",
    "BandCrossing",
    "Compensation",
    "Credit",
    "Difference",
    "EnforcementCap",
    "EnforcementStop",
    "Penalty",
    "PointEntry",
    "Reconciliation",
    "Rectification",
    "Restriction",
    "Safeguard",
    "Sanction",
    "Shield",
    "Standing",
]
