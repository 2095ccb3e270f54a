"""Which wording every market's guilds would get today, and what is missing in their own language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from governance.notices.enums import NoticeKind
from governance.notices.wording import Origin, Wordings, tags
from guilds.models import Market, Regime


@dataclass(frozen=True)
class Place:
    """A language and a regime that some markets share: their guilds read notices in it."""

    language: str
    regime: Regime
    markets: Sequence[str]
    #: By kind: whose wording is used in this very language, None where the guilds read another.
    found: Mapping[str, Origin | None]

    @property
    def missing(self) -> int:
        return sum(origin is None for origin in self.found.values())


def coverage() -> list[Place]:
    """Every first language of a market with its regime, the places where most is missing first. Three queries."""
    wordings = Wordings()
    markets: dict[tuple[str, int], list[Market]] = {}
    for market in Market.objects.select_related("regime").order_by("code"):
        markets.setdefault((market.default_language, market.regime_id), []).append(market)
    places = [
        Place(
            language=language,
            regime=there[0].regime,
            markets=[market.code for market in there],
            found={kind: _origin(wordings, kind, language, regime_id) for kind in NoticeKind.values},
        )
        for (language, regime_id), there in markets.items()
    ]
    return sorted(places, key=lambda place: (-place.missing, place.language, place.regime.code))


def _origin(wordings: Wordings, kind: str, language: str, regime_id: int) -> Origin | None:
    found = (wordings.at(kind, tag, regime_id) for tag in tags([language]))
    return next((one[0] for one in found if one), None)
