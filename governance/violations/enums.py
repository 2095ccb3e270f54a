from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ViolationStatus(TextChoices):
    OPEN = "open", _("Open")
    CONFIRMED = "confirmed", _("Confirmed")
    DISMISSED = "dismissed", _("Dismissed")
    OVERTURNED = "overturned", _("Overturned")


class DetectionMode(TextChoices):
    SHADOW = "shadow", _("Shadow")
    LIVE = "live", _("Live")


class DetectionOutcome(TextChoices):
    OPENED = "opened", _("Opened a violation")
    JOINED = "joined", _("Joined a violation of the same moment")
    COOLDOWN = "cooldown", _("Within the cooldown")
    SHADOW = "shadow", _("Shadow, nothing opened")
    HELD_OUT = "held_out", _("The guild is held out of the rollout, nothing opened")
    EXCEPTED = "excepted", _("The rule is silenced for the guild, nothing opened")


class Verdict(TextChoices):
    CONFIRM = "confirm", _("Confirm")
    DISMISS = "dismiss", _("Dismiss")


class FaultStatus(TextChoices):
    OPEN = "open", _("Open")
    RETRIED = "retried", _("Retried")


class AlarmKind(TextChoices):
    SURGE = "surge", _("Fires far more than it used to")
    SILENCE = "silence", _("Fires far less than it used to")


class AlarmStatus(TextChoices):
    OPEN = "open", _("Open")
    CLOSED = "closed", _("Closed")


class AlarmState(TextChoices):
    """How a rule stands in a market, as its page shows it."""

    RAISED = "raised", _("Alarm raised")
    QUIET = "quiet", _("Within its history")
    INSUFFICIENT = "insufficient", _("Insufficient data")
