"""The writers of the registry."""

from __future__ import annotations

from collections.abc import Mapping

import pghistory
from django.db import transaction
from django.utils import timezone

from guilds.accounts.actor import Actor
from guilds.registry.models import Creator, Guild
from guilds.registry.selectors import GuildPlace, creator_ids, guild_places


@transaction.atomic
def guilds_meet(*, actor: Actor, markets: Mapping[str, int]) -> dict[str, GuildPlace]:
    """Make the guilds first met in a signal: external id → market key, as provisional guilds.

    A guild that somebody else makes at the same moment is taken as it is. Rows are written in the order of their external
    ids, so two batches that meet the same guilds wait for each other and never deadlock.
    """
    with pghistory.context(actor=actor.label, actor_kind=actor.kind, reason="first met in a signal"):
        now = timezone.now()
        Guild.objects.bulk_create(
            [
                Guild(external_id=external_id, market_id=markets[external_id], provisional=True, created_at=now)
                for external_id in sorted(markets)
            ],
            ignore_conflicts=True,
            batch_size=2000,
        )
    return guild_places(markets.keys())


@transaction.atomic
def creators_meet(*, actor: Actor, markets: Mapping[str, int]) -> dict[str, int]:
    """Make the creators first met in a signal: external id → market key. Concurrency as in `guilds_meet`."""
    with pghistory.context(actor=actor.label, actor_kind=actor.kind, reason="first met in a signal"):
        now = timezone.now()
        Creator.objects.bulk_create(
            [
                Creator(external_id=external_id, market_id=markets[external_id], created_at=now)
                for external_id in sorted(markets)
            ],
            ignore_conflicts=True,
            batch_size=2000,
        )
    return creator_ids(markets.keys())
