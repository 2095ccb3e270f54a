"""Questions about notices and the deadlines they set."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from governance.notices.models import Notice
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


def last_moment(issued_at: dt.datetime, days: int, market: Market) -> dt.datetime:
    """The end of the last day, in the market's own time, of a period of `days` whole days after `issued_at`; aware UTC."""
    zone = ZoneInfo(market.timezone)
    day = issued_at.astimezone(zone).date() + dt.timedelta(days=days)
    return dt.datetime.combine(day, dt.time(23, 59, 59), zone).astimezone(dt.UTC)


def in_words(moment: dt.datetime, market: Market) -> str:
    """A moment as a guild reads it: market time, with the zone named."""
    local = moment.astimezone(ZoneInfo(market.timezone))
    return f"{local:%Y-%m-%d %H:%M} ({market.timezone})"
