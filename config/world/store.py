"""Writing the population: in bulk, for nothing of it is an act of anybody."""

from __future__ import annotations

from collections.abc import Mapping

import pghistory
from django.db import connection
from django.utils import timezone

from config.world.population import Population
from guilds.models import Creator, Guild, Market, Membership

BATCH_ROWS = 2_000


def population_write(population: Population) -> dict[str, Guild]:
    """Guilds, creators and memberships; returns the guilds by external id. The markets are there already."""
    markets = {market.code: market for market in Market.objects.select_related("regime")}
    with pghistory.context(actor="seed_demo", actor_kind="system", reason="the demo world"):
        guilds = Guild.objects.bulk_create(
            [
                Guild(
                    external_id=life.external_id,
                    name=life.name,
                    market=markets[life.market],
                    tier=life.tier,
                    onboarded_at=population.moment(life.onboarded_day),
                    created_at=timezone.now(),
                )
                for life in population.guilds.values()
            ],
            batch_size=BATCH_ROWS,
        )
        creators = Creator.objects.bulk_create(
            [
                Creator(external_id=external_id, name=name, market=markets[market])
                for external_id, (name, market) in population.creators.items()
            ],
            batch_size=BATCH_ROWS,
        )
        by_ref = {guild.external_id: guild for guild in guilds}
        creators_by_ref = {creator.external_id: creator for creator in creators}
        Membership.objects.bulk_create(
            [
                Membership(
                    guild=by_ref[stay.guild],
                    creator=creators_by_ref[stay.creator],
                    starts_at=population.moment(stay.first),
                    ends_at=None if stay.last is None else population.moment(stay.last),
                )
                for stay in population.stays()
            ],
            batch_size=BATCH_ROWS,
        )
    return by_ref


def activity_write(
    population: Population, guilds: Mapping[str, Guild], silent: set[tuple[str, int]], days: range
) -> int:
    """A row per guild and day, except for the days on which a guild was shut out; returns how many."""
    rows = 0
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY guilds_activity (guild_id, date, live_hours, active_creators, gift_revenue) FROM STDIN"
        ) as copy,
    ):
        for life in population.guilds.values():
            key = guilds[life.external_id].pk
            for day in days:
                if day < life.onboarded_day or (life.external_id, day) in silent:
                    continue
                copy.write_row(
                    (key, population.date(day), life.hours[day], life.active[day], life.revenue[day])
                )
                rows += 1
    return rows
