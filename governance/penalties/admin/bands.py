"""Bands in the console: the thresholds of the score and what falling below one brings."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from governance.penalties.kinds import KINDS
from governance.penalties.models import Band
from guilds.console.base import ConsoleAdmin
from guilds.console.page import Fact, Section, Table


@admin.register(Band)
class BandAdmin(ConsoleAdmin[Band]):
    intro = _("Thresholds on the score. A guild that falls into a band gets its penalties once per crossing.")
    list_display = ("code", "name", "at_or_below")
    search_fields = ("code",)
    ordering = ("-at_or_below",)

    def matching(self, term: str) -> Q:
        return Q(code__istartswith=term) | Q(name__icontains=term)

    def facts(self, band: Band, request: HttpRequest) -> Sequence[Fact]:
        return (Fact(_("Score at or below"), band.at_or_below),)

    def sections(self, band: Band, request: HttpRequest) -> Sequence[Section]:
        rows = [[KINDS[step["kind"]].describe(step)] for step in band.penalties]
        return [Section(_("What it brings"), Table([_("Penalty")], rows, empty=_("Nothing.")))]
