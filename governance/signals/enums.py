from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class QuarantineStatus(TextChoices):
    WAITING = "waiting", _("Waiting")
    RELEASED = "released", _("Released")
    DISCARDED = "discarded", _("Discarded")


class QuarantineReason(TextChoices):
    UNKNOWN_GUILD = "unknown_guild", _("Unknown guild and no market to register it in")
    UNKNOWN_MARKET = "unknown_market", _("Unknown market")
    UNKNOWN_CREATOR = "unknown_creator", _("Unknown creator and no guild named")
    NO_MEMBERSHIP = (
        "no_membership",
        _("No guild held the creator then, and none is named"),
    )
