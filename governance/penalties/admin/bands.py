"""Bands in the console: the thresholds of the score and what falling below one brings."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from governance.penalties.models import Band, BandCrossing
from governance.penalties.step_words import step_words
from guilds.console.base import ConsoleAdmin
from guilds.console.page import Fact, Section, Table, link_to


@admin.register(Band)
class BandAdmin(ConsoleAdmin[Band]):
    intro = _(
        "Thresholds on the score. A guild that falls into a band gets its penalties once per crossing. A market with bands"
        " of its own has none of the others. They are written in the policy file."
    )
    list_display = ("code", "name", "market_shown", "at_or_below")
    list_select_related = ("market",)
    list_filter = (("market", RelatedDropdownFilter),)
    search_fields = ("code",)
    ordering = ("market", "-at_or_below")
    object_related = ("market",)

    def matching(self, term: str) -> Q:
        return Q(code__istartswith=term) | Q(name__icontains=term)

    @display(description=_("market"), ordering="market")
    def market_shown(self, band: Band) -> str:
        return str(band.market or _("All without their own"))

    def facts(self, band: Band, request: HttpRequest) -> Sequence[Fact]:
        inside = BandCrossing.objects.filter(band=band, left_at__isnull=True).count()
        return (
            Fact(_("Score at or below"), band.at_or_below),
            Fact(
                _("Market"),
                link_to(band.market, band.market.name) if band.market else _("All without their own"),
            ),
            Fact(_("Guilds in it now"), f"{inside:,}"),
        )

    def sections(self, band: Band, request: HttpRequest) -> Sequence[Section]:
        rows = [[step_words(step)] for step in band.penalties]
        return [Section(_("What it brings"), Table([_("Penalty")], rows, empty=_("Nothing.")))]
