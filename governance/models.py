"""The app's models, collected from its concepts for Django."""

from governance.backtests.models import Backtest, BacktestHit
from governance.education.models import Assignment, Attempt, Completion, Lesson, Question
from governance.launches.models import Announcement, Gate, Launch, Wave
from governance.ledger.models import Event, EventSeal
from governance.notices.models import Notice, Template
from governance.penalties.models import (
    Band,
    BandCrossing,
    Credit,
    Penalty,
    PointEntry,
    Restriction,
    Sanction,
    Standing,
)
from governance.risks.models import Assessment, Feedback, Risk
from governance.rules.models import Finding, Ladder, LivePeriod, Rule, RuleException, RuleVersion
from governance.signals.models import (
    PendingSignal,
    QuarantinedSignal,
    Signal,
    SignalKey,
    SignalSource,
)
from governance.violations.models import Alarm, Detection, EvaluationFault, Review, Violation
from governance.webhooks.models import Delivery, Endpoint
from governance.workbench.models import Approval, Comment, Draft, Example

__all__ = [
    "Alarm",
    "Announcement",
    "Approval",
    "Assessment",
    "Assignment",
    "Attempt",
    "Backtest",
    "BacktestHit",
    "Band",
    "BandCrossing",
    "Comment",
    "Completion",
    "Credit",
    "Delivery",
    "Detection",
    "Draft",
    "Endpoint",
    "EvaluationFault",
    "Event",
    "EventSeal",
    "Example",
    "Feedback",
    "Finding",
    "Gate",
    "Ladder",
    "Launch",
    "Lesson",
    "LivePeriod",
    "Notice",
    "Penalty",
    "PendingSignal",
    "PointEntry",
    "QuarantinedSignal",
    "Question",
    "Restriction",
    "Review",
    "Risk",
    "Rule",
    "RuleException",
    "RuleVersion",
    "Sanction",
    "Signal",
    "SignalKey",
    "SignalSource",
    "Standing",
    "Template",
    "Violation",
    "Wave",
]
