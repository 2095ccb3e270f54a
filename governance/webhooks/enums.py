from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class WebhookType(TextChoices):
    """What may leave the ledger, fixed by the public contract."""

    VIOLATION_CONFIRMED = "violation.confirmed", _("Violation confirmed")
    PENALTY_APPLIED = "penalty.applied", _("Penalty applied")
    PENALTY_LIFTED = "penalty.lifted", _("Penalty lifted")
    PENALTY_REVERSED = "penalty.reversed", _("Penalty reversed")
    APPEAL_FILED = "appeal.filed", _("Appeal filed")
    APPEAL_DECIDED = "appeal.decided", _("Appeal decided")
    RULE_LAUNCHED = "rule.launched", _("Rule launched")
    NOTICE_SENT = "notice.sent", _("Notice sent")


class DeliveryStatus(TextChoices):
    PENDING = "pending", _("Pending")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")
