from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class AssignmentSource(TextChoices):
    """Why a guild does a lesson."""

    VOLUNTARY = "voluntary", _("Of its own accord")
    LAUNCH = "launch", _("A rule is about to change")
    PENALTY = "penalty", _("Part of a penalty")
    STAFF = "staff", _("Asked by staff")
