"""Questions about notices and the deadlines they set."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from governance.notices.models import Notice
from governance.notices.periods import last_moment
from guilds.accounts.actor import Actor
from guilds.models import Market


def notices_of(guild_id: int) -> QuerySet[Notice]:
    """What a guild was told, newest first."""
    return Notice.objects.filter(guild_id=guild_id)


def notices_visible_to(actor: Actor) -> QuerySet[Notice]:
    notices = Notice.objects.select_related("guild", "guild__market")
    if actor.guild_id is not None:
        return notices.filter(guild_id=actor.guild_id)
    if actor.market_ids is not None:
        return notices.filter(guild__market_id__in=actor.market_ids)
    return notices


def appeal_deadline(issued_at: dt.datetime, market: Market) -> dt.datetime:
    """Until when a decision told at `issued_at` can be appealed: the end of the last day of the regime's window, aware UTC.

    `market.regime` is loaded.
    """
    return last_moment(issued_at, market.regime.appeal_days, market.timezone)


def in_words(moment: dt.datetime, market: Market) -> str:
    """A moment as a guild reads it: market time, with the zone named.

    In the hour that a clock turned back repeats, the distance from UTC says which of the two is meant.
    """
    local = moment.astimezone(ZoneInfo(market.timezone))
    zone = market.timezone
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        zone += f", UTC{local.isoformat()[-6:]}"
    return f"{local:%Y-%m-%d %H:%M} ({zone})"
