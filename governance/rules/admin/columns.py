"""What every list of rule versions shows of one."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from governance.rules.models import RuleVersion
from guilds.console.page import Badge, severity_badge, shown

#: More codes than this do not help the eye.
MARKETS_SHOWN = 12


def markets_of(version: RuleVersion) -> str:
    if "*" in version.markets:
        return shown(Badge(_("Every market"), "info"))
    return ", ".join(version.markets[:MARKETS_SHOWN]) + (" …" if len(version.markets) > MARKETS_SHOWN else "")


class VersionColumns:
    """To be mixed into a console page of versions; `list_display` names what it shows."""

    @display(description=_("version"), ordering="rule__code")
    def version_shown(self, version: RuleVersion) -> str:
        return str(version)

    @display(description=_("name"))
    def name_shown(self, version: RuleVersion) -> str:
        return version.name

    @display(description=_("severity"), ordering="severity")
    def severity_shown(self, version: RuleVersion) -> str:
        return shown(severity_badge(version.severity))

    @display(description=_("markets"))
    def markets_shown(self, version: RuleVersion) -> str:
        return markets_of(version)
