from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ApprovalStatus(TextChoices):
    REQUESTED = "requested", _("Waits for approval")
    APPROVED = "approved", _("Approved")
    REFUSED = "refused", _("Refused")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class ExampleResult(TextChoices):
    """What the wording said about an example when it last ran."""

    NOT_RUN = "not_run", _("Not run")
    PASSED = "passed", _("As expected")
    FAILED = "failed", _("Not as expected")
    ERROR = "error", _("Could not be evaluated")
