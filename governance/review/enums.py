from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class CaseKind(TextChoices):
    """Why somebody is asked. To whoever judges, all but the last look the same."""

    VERDICT = "verdict", _("Decision")
    QUALITY = "quality", _("Audit of a decision")
    GOLDEN = "golden", _("Golden case")
    COVERAGE = "coverage", _("Audit of an unflagged guild-day")


class CaseStatus(TextChoices):
    WAITING = "waiting", _("Waiting")
    ON_HOLD = "on_hold", _("On hold")
    DONE = "done", _("Done")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Opinion(TextChoices):
    """What a reviewer says about a case that decides nothing for the guild."""

    CONFIRM = "confirm", _("It is a violation")
    DISMISS = "dismiss", _("It is none")
    UNCLEAR = "unclear", _("Cannot be told")


class Assignment(TextChoices):
    PULL = "pull", _("Whoever is free takes the next")
    SHARED_OUT = "shared_out", _("Shared out by capacity")
