from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class NoticeKind(TextChoices):
    PENALTY_IMPOSED = "penalty_imposed", _("Penalty imposed (statement of reasons)")
    PENALTY_CHANGED = "penalty_changed", _("Penalty changed")
    PENALTY_REVERSED = "penalty_reversed", _("Penalty reversed")
    APPEAL_RECEIVED = "appeal_received", _("Appeal received")
    APPEAL_DECIDED = "appeal_decided", _("Appeal decided")
    RULE_CHANGE = "rule_change", _("A rule is going to change")
    RULE_CHANGE_WITHDRAWN = "rule_change_withdrawn", _("A change of a rule was taken back")
    LESSON_ASSIGNED = "lesson_assigned", _("Lesson assigned")
    LESSON_REMINDER = "lesson_reminder", _("Lesson still to do")
    FEEDBACK_ANSWERED = "feedback_answered", _("Feedback answered")


class Channel(TextChoices):
    """A way a notice reaches somebody. The portal has every notice from the moment it is issued."""

    MAIL = "mail", _("Mail")
    WEBHOOK = "webhook", _("Webhook")


class DispatchStatus(TextChoices):
    PENDING = "pending", _("On its way")
    SENT = "sent", _("Handed over")
    RECEIVED = "received", _("Received")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("No longer to be sent")


class SourceType(TextChoices):
    """Where the first fact of a case came from. A statement of reasons says it."""

    AUTOMATIC_CHECK = "automatic_check", _("an automatic check of platform data")
    INTEGRATION = "integration", _("data from another system of the platform")
    USER_REPORT = "user_report", _("a report by a person or guild")
    AUDIT = "audit", _("an audit by our staff")


class AutomatedDecision(TextChoices):
    """How much of a decision was taken without a person."""

    FULLY = "fully", _("automatically, by the rule")
    PARTIALLY = (
        "partially",
        _("by a member of our staff, after looking at the evidence; the rule sets the measure"),
    )
    NOT_AUTOMATED = "not_automated", _("by two members of our staff, after looking at the evidence")


class ImmediateGround(TextChoices):
    """Why a termination may take effect without the notice its regime asks for."""

    LEGAL_DUTY = "legal_duty", _("a legal duty that obliges us to end it at once")
    REPEATED_INFRINGEMENT = "repeated_infringement", _("repeated infringement of our terms, as shown above")
