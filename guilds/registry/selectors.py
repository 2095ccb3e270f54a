"""Questions to the registry: who may be seen by whom, who is known, and who held a creator when."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import connection
from django.db.models import Q, QuerySet

from guilds.accounts.actor import Actor
from guilds.registry.models import Creator, Guild, Market, Membership


class GuildPlace(NamedTuple):
    """A guild's key and its market's."""

    id: int
    market_id: int


def guilds_visible_to(actor: Actor) -> QuerySet[Guild]:
    """A guild sees itself; staff and clients see the guilds of their markets."""
    if actor.guild_id is not None:
        return Guild.objects.filter(pk=actor.guild_id)
    if actor.market_ids is not None:
        return Guild.objects.filter(market_id__in=actor.market_ids)
    return Guild.objects.all()


def creators_visible_to(actor: Actor) -> QuerySet[Creator]:
    """A guild sees the creators it holds or held; staff and clients those of their markets or of guilds in them."""
    if actor.guild_id is not None:
        held = Membership.objects.filter(guild_id=actor.guild_id)
        return Creator.objects.filter(pk__in=held.values("creator_id"))
    if actor.market_ids is not None:
        held = Membership.objects.filter(guild__market_id__in=actor.market_ids)
        return Creator.objects.filter(Q(market_id__in=actor.market_ids) | Q(pk__in=held.values("creator_id")))
    return Creator.objects.all()


def market_ids(codes: Collection[str]) -> dict[str, int]:
    """Keys of the known markets among these codes."""
    return dict(Market.objects.filter(code__in=codes).values_list("code", "id"))


def guild_places(external_ids: Collection[str]) -> dict[str, GuildPlace]:
    """Keys of the known guilds among these, with their markets."""
    with connection.cursor() as cursor:
        # An array, because thousands of parameters cost Django more than the query costs PostgreSQL.
        cursor.execute(
            "SELECT external_id, id, market_id FROM guilds_guild WHERE external_id = ANY(%s)",
            [list(external_ids)],
        )
        return {external_id: GuildPlace(key, market) for external_id, key, market in cursor.fetchall()}


def creator_ids(external_ids: Collection[str]) -> dict[str, int]:
    """Keys of the known creators among these."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT external_id, id FROM guilds_creator WHERE external_id = ANY(%s)", [list(external_ids)]
        )
        return dict(cursor.fetchall())


def guild_holding(creator_id: int, at: datetime) -> int | None:
    """The key of the guild that held the creator at that moment."""
    place = holders([(creator_id, at)]).get((creator_id, at))
    return place.id if place else None


def holders(pairs: Iterable[tuple[int, datetime]]) -> dict[tuple[int, datetime], GuildPlace]:
    """For each (creator key, moment) the guild that held the creator then; pairs without one are left out."""
    wanted = set(pairs)
    if not wanted:
        return {}
    periods: dict[int, list[tuple[datetime, datetime | None, GuildPlace]]] = {}
    rows = Membership.objects.filter(
        creator_id__in={creator for creator, _ in wanted},
        starts_at__lte=max(at for _, at in wanted),
    ).values_list("creator_id", "starts_at", "ends_at", "guild_id", "guild__market_id")
    for creator, starts_at, ends_at, guild, market in rows.order_by():
        periods.setdefault(creator, []).append((starts_at, ends_at, GuildPlace(guild, market)))
    return {
        (creator, at): place
        for creator, at in wanted
        for starts_at, ends_at, place in periods.get(creator, ())
        if starts_at <= at and (ends_at is None or at < ends_at)
    }
