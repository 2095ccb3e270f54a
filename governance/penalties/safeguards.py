"""What keeps penalties from being hasty: which guilds are large, which have just won an appeal, and how long either counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from django.db.models import Count, Q

from governance.penalties.models import Safeguard, Shield
from guilds.models import Guild, Market, Membership


def safeguard_of(market: Market | None) -> Safeguard:
    """The market's own safeguard, else the general one, else (unsaved) what holds where nobody has decided anything."""
    rows = Safeguard.objects.filter(Q(market=market) | Q(market__isnull=True)) if market else None
    found = {
        row.market_id: row for row in (rows if rows is not None else Safeguard.objects.filter(market=None))
    }
    return (found.get(market.pk) if market else None) or found.get(None) or Safeguard()


class Safeguards:
    """The safeguards of all markets, read once."""

    def __init__(self) -> None:
        self._rows = {row.market_id: row for row in Safeguard.objects.all()}

    def of(self, market_id: int) -> Safeguard:
        return self._rows.get(market_id) or self._rows.get(None) or Safeguard()


def creators_held(guild_ids: Iterable[int], now: dt.datetime) -> dict[int, int]:
    """How many creators each guild holds at a moment; guilds that hold none are left out."""
    return dict(
        Membership.objects.filter(
            Q(ends_at__isnull=True) | Q(ends_at__gt=now), guild_id__in=list(guild_ids), starts_at__lte=now
        )
        .order_by()
        .values_list("guild_id")
        .annotate(creators=Count("pk"))
    )


def large(guilds: Mapping[int, Guild], now: dt.datetime) -> set[int]:
    """Those of the guilds that hold so many creators that their market's safeguard asks for a second person."""
    safeguards, held = Safeguards(), creators_held(guilds, now)
    return {
        guild_id
        for guild_id, creators in held.items()
        if creators >= safeguards.of(guilds[guild_id].market_id).large_creators
    }


def shielded(guild_ids: Iterable[int], now: dt.datetime) -> set[int]:
    """Those of the guilds whose won appeal still keeps the harshest measures from starting by themselves."""
    return set(
        Shield.objects.filter(guild_id__in=list(guild_ids), starts_at__lte=now, ends_at__gt=now)
        .values_list("guild_id", flat=True)
        .distinct()
    )
