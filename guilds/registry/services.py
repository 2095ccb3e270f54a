"""The writers of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import pghistory
from django.db import connection, transaction

from guilds.accounts.actor import Actor
from guilds.registry.enums import GuildStatus, GuildTier
from guilds.registry.selectors import GuildPlace, creator_ids, guild_places

_GUILDS_MEET = """
INSERT INTO guilds_guild (external_id, name, market_id, tier, status, provisional, created_at)
SELECT external_id, '', market_id, %s, %s, true, now()
FROM unnest(%s::text[], %s::bigint[]) AS met (external_id, market_id)
ON CONFLICT (external_id) DO NOTHING
"""
_CREATORS_MEET = """
INSERT INTO guilds_creator (external_id, name, market_id, created_at)
SELECT external_id, '', market_id, now()
FROM unnest(%s::text[], %s::bigint[]) AS met (external_id, market_id)
ON CONFLICT (external_id) DO NOTHING
"""


@transaction.atomic
def guilds_meet(*, actor: Actor, markets: Mapping[str, int]) -> dict[str, GuildPlace]:
    """Make the guilds first met in a signal: external id → market key, as provisional guilds.

    A guild that somebody else makes at the same moment is taken as it is. Rows are written in the order of their external
    ids, so two batches that meet the same guilds wait for each other and never deadlock.
    """
    refs = sorted(markets)
    with _history(actor, "first met in a signal"), connection.cursor() as cursor:
        cursor.execute(
            _GUILDS_MEET,
            [GuildTier.STANDARD, GuildStatus.ACTIVE, refs, [markets[ref] for ref in refs]],
        )
    return guild_places(refs)


@transaction.atomic
def creators_meet(*, actor: Actor, markets: Mapping[str, int]) -> dict[str, int]:
    """Make the creators first met in a signal: external id → market key. Concurrency as in `guilds_meet`."""
    refs = sorted(markets)
    with _history(actor, "first met in a signal"), connection.cursor() as cursor:
        cursor.execute(_CREATORS_MEET, [refs, [markets[ref] for ref in refs]])
    return creator_ids(refs)


def _history(actor: Actor, reason: str) -> AbstractContextManager[Any]:
    """Rows changed inside keep who changed them and why in their history."""
    context: AbstractContextManager[Any] = pghistory.context(
        actor=actor.label, actor_kind=actor.kind, actor_id=actor.id, reason=reason
    )
    return context
