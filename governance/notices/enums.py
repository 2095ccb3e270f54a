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
