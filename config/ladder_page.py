"""The ladder's page with what its steps mean, in words and market by market."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from governance.models import Ladder
from governance.penalties.step_words import ladder_words, markets_of
from governance.rules.admin import LadderAdmin
from guilds.console.page import Section, Table


class LadderPage(LadderAdmin):
    def sections(self, ladder: Ladder, request: HttpRequest) -> Sequence[Section]:
        own = markets_of(ladder.spec)
        shown = [
            Section(
                _("What it costs"),
                _lines(ladder_words(ladder.spec)),
                note=str(_("In every market without values of its own.")) if own else "",
            )
        ]
        shown += [
            Section(_("In %(market)s") % {"market": code}, _lines(ladder_words(ladder.spec, market=code)))
            for code in own
        ]
        return [*shown, *super().sections(ladder, request)]


def _lines(lines: Sequence[str]) -> Table:
    return Table([_("Step")], [[line] for line in lines], empty=_("Nothing."))
