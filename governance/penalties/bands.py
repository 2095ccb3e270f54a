"""Which bands a guild's score is measured against: those of its market where it has any, else the general ones."""

from __future__ import annotations

from collections.abc import Sequence

from governance.penalties.models import Band

HEALTHY = "healthy"


class Bands:
    """All bands, read once."""

    def __init__(self) -> None:
        #: Mildest first, as every list of bands is.
        self.rows = list(Band.objects.order_by("-at_or_below", "pk"))
        self._by_market: dict[int | None, list[Band]] = {}
        for band in self.rows:
            self._by_market.setdefault(band.market_id, []).append(band)

    def of(self, market_id: int | None) -> Sequence[Band]:
        """The bands that hold in a market, mildest first."""
        return self._by_market.get(market_id) or self._by_market.get(None, [])

    @property
    def differ(self) -> bool:
        """Whether any market has bands of its own."""
        return any(market_id is not None for market_id in self._by_market)

    def code_at(self, market_id: int | None, score: int) -> str:
        """The code of the harshest band the score is in, or "healthy"."""
        return next(
            (band.code for band in reversed(self.of(market_id)) if score <= band.at_or_below), HEALTHY
        )


def bands_of(market_id: int) -> Sequence[Band]:
    """The bands that hold in one market, mildest first."""
    return Bands().of(market_id)
