"""Ladders: what the nth violation of a code costs."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from governance.rules.admin.badges import as_yaml
from governance.rules.models import Ladder
from guilds.console.base import ConsoleAdmin
from guilds.console.lists import moment_column
from guilds.console.page import Section


class LadderAdmin(ConsoleAdmin[Ladder]):
    """Registered in config/ladder_page.py, which adds what the steps mean."""

    intro = _(
        "What the first, second and further violations of a code cost. Versions keep the ladder of their day."
    )
    list_display = (
        "code",
        "steps_shown",
        "window_shown",
        "points_shown",
        moment_column("updated_at", _("changed")),
    )
    search_fields = ("code",)
    ordering = ("code",)

    def matching(self, term: str) -> Q:
        return Q(code__istartswith=term)

    @display(description=_("steps"))
    def steps_shown(self, ladder: Ladder) -> int:
        return len(ladder.spec.get("steps", []))

    @display(description=_("window"))
    def window_shown(self, ladder: Ladder) -> str:
        return str(ladder.spec.get("window", ""))

    @display(description=_("points"))
    def points_shown(self, ladder: Ladder) -> str:
        return str(ladder.spec.get("points", ""))

    def sections(self, ladder: Ladder, request: HttpRequest) -> Sequence[Section]:
        return [Section(_("As in the policy file"), as_yaml(ladder.spec))]
