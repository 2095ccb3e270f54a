from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class AppealStatus(TextChoices):
    OPEN = "open", _("Open")
    DECIDED = "decided", _("Decided")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Outcome(TextChoices):
    UPHELD = "upheld", _("Upheld: the penalty stands")
    REDUCED = "reduced", _("Reduced")
    OVERTURNED = "overturned", _("Overturned")


class Grounds(TextChoices):
    FACTS_WRONG = "facts_wrong", _("The facts are wrong")
    NOT_OURS = "not_ours", _("It was not our guild or creator")
    RULE_MISREAD = "rule_misread", _("The rule does not say that")
    DISPROPORTIONATE = "disproportionate", _("The penalty is too harsh")
    NEW_EVIDENCE = "new_evidence", _("There is new evidence")
    OTHER = "other", _("Something else")
