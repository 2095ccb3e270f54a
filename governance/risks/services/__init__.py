"""The writers of the register of risks, of its assessments and of feedback; one module per noun."""

from governance.risks.services.assessments import assessments_record
from governance.risks.services.feedback import feedback_send
from governance.risks.services.register import (
    risk_change,
    risk_create,
    risk_restore,
    risk_retire,
    risk_review,
)
from governance.risks.services.triage import (
    feedback_answer,
    feedback_close,
    feedback_link,
    feedback_merge,
    feedback_reopen,
    feedback_triage,
)

__all__ = [
    "assessments_record",
    "feedback_answer",
    "feedback_close",
    "feedback_link",
    "feedback_merge",
    "feedback_reopen",
    "feedback_send",
    "feedback_triage",
    "risk_change",
    "risk_create",
    "risk_restore",
    "risk_retire",
    "risk_review",
]
