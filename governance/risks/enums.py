from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class RiskCategory(TextChoices):
    MINORS = "minors", _("Minors")
    CONTENT = "content", _("Content of streams")
    FRAUD = "fraud", _("Fraud and illicit funds")
    INTEGRITY = "integrity", _("Integrity of figures and rewards")
    COMPETITION = "competition", _("Competition between guilds")
    LABOUR = "labour", _("Treatment of creators")
    COMPLIANCE = "compliance", _("Licences, contracts and the law")
    OTHER = "other", _("Other")


class Treatment(TextChoices):
    """What has been decided to do about a risk (ISO 31000's options)."""

    UNDECIDED = "undecided", _("Not decided")
    REDUCE = "reduce", _("Reduce it by rules and education")
    AVOID = "avoid", _("Avoid it by changing the product")
    TRANSFER = "transfer", _("Leave it to somebody else")
    ACCEPT = "accept", _("Accept it")


class Trend(TextChoices):
    RISING = "rising", _("Rising")
    STEADY = "steady", _("Steady")
    FALLING = "falling", _("Falling")
    UNKNOWN = "unknown", _("Insufficient data")


class FeedbackSource(TextChoices):
    """Who told us."""

    GUILD = "guild", _("A guild")
    CREATOR = "creator", _("A creator")
    BUSINESS = "business", _("Business colleagues")
    REVIEWER = "reviewer", _("A reviewer")
    PARTNER = "partner", _("Another system")


class FeedbackChannel(TextChoices):
    PORTAL = "portal", _("Portal")
    CONSOLE = "console", _("Console")
    API = "api", _("API")


class FeedbackTopic(TextChoices):
    MISCONDUCT = "misconduct", _("Somebody breaks the rules")
    RULE_UNFAIR = "rule_unfair", _("A rule is unfair or wrong")
    RULE_UNCLEAR = "rule_unclear", _("A rule is hard to understand")
    PROCESS = "process", _("How we work")
    OTHER = "other", _("Something else")


class FeedbackStatus(TextChoices):
    NEW = "new", _("New")
    TRIAGED = "triaged", _("Triaged")
    ANSWERED = "answered", _("Answered")
    MERGED = "merged", _("Merged into another")
    CLOSED = "closed", _("Closed without an answer")
