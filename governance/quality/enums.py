from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class SampleKind(TextChoices):
    DECISIONS = "decisions", _("Decisions, for accuracy")
    COVERAGE = "coverage", _("Unflagged guild-days, for coverage")


class SampleStatus(TextChoices):
    DRAWN = "drawn", _("Being judged")
    CLOSED = "closed", _("Closed")


class Allocation(TextChoices):
    """How the items of a sample are shared out among its strata."""

    PROPORTIONAL = "proportional", _("As many as each part is large")
    NEYMAN = "neyman", _("More where earlier samples found more wrong")
