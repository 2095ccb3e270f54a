from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class BacktestStatus(TextChoices):
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    CANCELLED = "cancelled", _("Cancelled")
    FAILED = "failed", _("Failed")


class Side(TextChoices):
    """Which wording found a hit: the one under test, or the one it is compared with."""

    TESTED = "tested", _("Tested")
    BASE = "base", _("Compared with")
