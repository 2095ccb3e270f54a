from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class NoticeKind(TextChoices):
    PENALTY_IMPOSED = "penalty_imposed", _("Penalty imposed (statement of reasons)")
    PENALTY_CHANGED = "penalty_changed", _("Penalty changed")
    PENALTY_REVERSED = "penalty_reversed", _("Penalty reversed")
    APPEAL_RECEIVED = "appeal_received", _("Appeal received")
    APPEAL_DECIDED = "appeal_decided", _("Appeal decided")
