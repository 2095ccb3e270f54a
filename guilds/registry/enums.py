from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class GuildStatus(TextChoices):
    ONBOARDING = "onboarding", _("Onboarding")
    ACTIVE = "active", _("Active")
    SUSPENDED = "suspended", _("Suspended")
    TERMINATED = "terminated", _("Terminated")
    LEFT = "left", _("Left")


class GuildTier(TextChoices):
    STAR = "star", _("Star")
    GOLD = "gold", _("Gold")
    SILVER = "silver", _("Silver")
    STANDARD = "standard", _("Standard")


#: From highest to lowest; removal of a tier moves one step down.
TIER_ORDER = [GuildTier.STAR, GuildTier.GOLD, GuildTier.SILVER, GuildTier.STANDARD]
