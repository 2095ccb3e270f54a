"""The app's models, collected from its concepts for Django."""

from governance.education.models import Completion, Lesson
from governance.ledger.models import Event, EventSeal
from governance.notices.models import Notice, Template
from governance.penalties.models import (
    Band,
    BandCrossing,
    Penalty,
    PointEntry,
    Restriction,
    Sanction,
    Standing,
)
from governance.risks.models import Risk
from governance.rules.models import Finding, Ladder, LivePeriod, Rule, RuleVersion
from governance.signals.models import (
    PendingSignal,
    QuarantinedSignal,
    Signal,
    SignalKey,
    SignalSource,
)
from governance.violations.models import Detection, EvaluationFault, Review, Violation
from governance.webhooks.models import Delivery, Endpoint

__all__ = [
    "Band",
    "BandCrossing",
    "Completion",
    "Delivery",
    "Detection",
    "Endpoint",
    "EvaluationFault",
    "Event",
    "EventSeal",
    "Finding",
    "Ladder",
    "Lesson",
    "LivePeriod",
    "Notice",
    "Penalty",
    "PendingSignal",
    "PointEntry",
    "QuarantinedSignal",
    "Restriction",
    "Review",
    "Risk",
    "Rule",
    "RuleVersion",
    "Sanction",
    "Signal",
    "SignalKey",
    "SignalSource",
    "Standing",
    "Template",
    "Violation",
]
