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


class Verdict(TextChoices):
    CONFIRM = "confirm", _("Confirm")
    DISMISS = "dismiss", _("Dismiss")


class FaultStatus(TextChoices):
    OPEN = "open", _("Open")
    RETRIED = "retried", _("Retried")
