from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class VersionStatus(TextChoices):
    DRAFT = "draft", _("Draft")
    SHADOW = "shadow", _("Shadow")
    LIVE = "live", _("Live")
    PAUSED = "paused", _("Paused")
    RETIRED = "retired", _("Retired")


class Severity(TextChoices):
    S1 = "S1", _("S1, worst")
    S2 = "S2", _("S2")
    S3 = "S3", _("S3")
    S4 = "S4", _("S4, least")


class ReviewMode(TextChoices):
    AUTO = "auto", _("Automatic")
    HUMAN = "human", _("One reviewer")
    DUAL = "dual", _("Two reviewers")


class FindingStatus(TextChoices):
    OPEN = "open", _("Open")
    CLOSED = "closed", _("Closed")


class Door(TextChoices):
    """How a version came to be live."""

    LAUNCH = "launch", _("A launch")
    DEMO = "demo", _("The demo's own door")
