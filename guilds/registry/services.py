"""The writers of the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pghistory
from django.db import connection, transaction

from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, NotAllowed
from guilds.nudges import nudge
from guilds.registry import contacts, rows, upsert
from guilds.registry.enums import GuildStatus, GuildTier
from guilds.registry.models import Guild
from guilds.registry.rows import Fault
from guilds.registry.selectors import GuildPlace, creator_ids, guild_places

#: Rows of each kind in one call.
BATCH_ROWS = 5_000

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


@dataclass(frozen=True)
class UpsertReport:
    """How many rows of each kind were created or changed; rows that said nothing new are not counted."""

    guilds: int = 0
    creators: int = 0
    memberships: int = 0
    activity: int = 0
    #: Memberships that ended because another guild took the creator over.
    transfers: int = 0


@transaction.atomic
def registry_upsert(
    *,
    actor: Actor,
    guilds: Sequence[Any] = (),
    creators: Sequence[Any] = (),
    memberships: Sequence[Any] = (),
    activity: Sequence[Any] = (),
) -> UpsertReport:
    """Create or change registry rows by their outside keys: everything, or nothing and every fault.

    A guild is {external_id, name, market, tier, status, onboarded_at, contacts}, a creator {external_id, name, market}, a
    membership {creator, guild, starts_at, ends_at}, activity {guild, date, live_hours, active_creators, gift_revenue}; markets
    by code, guilds and creators by external id, and rows may refer to others of the same batch. What a row leaves out stays as
    it is; a new guild needs its market. A guild named here is no longer provisional. Only penalties suspend and terminate a
    guild: a status that would set or end that is refused. `contacts` are {email, name, kinds} each and replace what was there.

    Clients write within their markets, staff as administrators of theirs. Raises NotAllowed for others and for rows outside
    the actor's markets, InvalidInput for faulty rows and more than 5,000 of a kind. Every changed row keeps its history.
    """
    _require_writer(actor)
    faults: list[Fault] = []
    batches = {"guilds": guilds, "creators": creators, "memberships": memberships, "activity": activity}
    for kind, given in batches.items():
        if len(given) > BATCH_ROWS:
            faults.append(
                {"field": kind, "message": f"Has {len(given)} rows; send at most {BATCH_ROWS} a call."}
            )
    if faults:
        raise InvalidInput("Too many rows for one call.", code="too_many", errors=list(faults))
    batch = upsert.Batch(
        guilds=rows.read_rows("guilds", guilds, rows.GUILD, ["external_id"], faults),
        creators=rows.read_rows("creators", creators, rows.CREATOR, ["external_id"], faults),
        memberships=rows.read_rows(
            "memberships", memberships, rows.MEMBERSHIP, ["creator", "starts_at"], faults
        ),
        activity=rows.read_rows("activity", activity, rows.ACTIVITY, ["guild", "date"], faults),
    )
    plan = upsert.Plan(batch, market_ids=actor.market_ids, faults=faults)
    if plan.outside:
        raise NotAllowed(
            "Some rows are outside your markets; nothing was written.",
            code="market_out_of_scope",
            errors=[*plan.outside, *faults],
        )
    if faults:
        raise InvalidInput("Some rows are faulty; nothing was written.", errors=list(faults))
    with _history(actor, "registry upsert"):
        counts = plan.write()
        _write_contacts(actor, batch)
    nudge("governance.signals.retry_quarantine")  # some signals may have waited for just these rows
    return UpsertReport(**counts)


def _write_contacts(actor: Actor, batch: upsert.Batch) -> None:
    """The contacts of the rows that name any; a row that leaves them out keeps what is there."""
    given = {
        row.values["external_id"]: row.values["contacts"] for row in batch.guilds if "contacts" in row.values
    }
    if given:
        keys = dict(Guild.objects.filter(external_id__in=given).values_list("external_id", "pk"))
        contacts.replace(actor=actor, contacts={keys[guild]: named for guild, named in given.items()})


def _require_writer(actor: Actor) -> None:
    if actor.kind == "guild_user" or actor.guild_id is not None:
        raise NotAllowed("A guild does not write the registry that it is judged by.")
    if actor.kind == "staff":
        actor.require_role(Role.ADMIN)


def _history(actor: Actor, reason: str) -> AbstractContextManager[Any]:
    """Rows changed inside keep who changed them and why in their history."""
    context: AbstractContextManager[Any] = pghistory.context(
        actor=actor.label, actor_kind=actor.kind, actor_id=actor.id, reason=reason
    )
    return context
