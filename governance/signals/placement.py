"""Who is charged with an event: pure decisions over what the registry knows, without a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from governance.signals.cloudevents import Event, Fault
from governance.signals.enums import QuarantineReason
from guilds.registry.selectors import GuildPlace


@dataclass(frozen=True)
class Known:
    """What the registry knows of everybody named in a batch."""

    markets: Mapping[str, int]
    guilds: Mapping[str, GuildPlace]
    creators: Mapping[str, int]
    holders: Mapping[tuple[int, datetime], GuildPlace]


@dataclass(frozen=True)
class Bounds:
    """Where a sender may send: one guild, or some markets (code → key). None means no such bound."""

    guild_ref: str | None = None
    guild_id: int | None = None
    markets: Mapping[str, int] | None = None


class Placement(NamedTuple):
    """The people of one event. A key is an int; a string is the external id of somebody yet to be made."""

    guild: int | str
    named_guild: int | str | None
    creator: int | str | None
    market_id: int


def place(event: Event, known: Known, bounds: Bounds | None) -> Placement | QuarantineReason | list[Fault]:
    """Charge the guild that held the creator at the event's time, else the guild the event names.

    A reason when nobody can be charged yet; faults when the sender may not send this.
    """
    if bounds is not None and (faults := _named_out_of_bounds(event, bounds)):
        return faults
    market_id = known.markets.get(event.market)
    if market_id is None and event.market:
        return QuarantineReason.UNKNOWN_MARKET
    guild = known.guilds.get(event.guild)
    creator: int | str | None = None
    holder = None
    if event.creator:
        creator = known.creators.get(event.creator, event.creator)
        holder = known.holders.get((creator, event.time)) if isinstance(creator, int) else None
    charged = holder or guild
    if charged is None:
        if event.guild and market_id is not None:
            return Placement(event.guild, None, creator, market_id)
        return _unplaced(event, creator)
    if bounds is not None and (faults := _charged_out_of_bounds(charged, guild, bounds)):
        return faults
    named: int | str | None = None
    if guild is None and event.guild and market_id is not None:
        named = event.guild
    elif guild is not None and guild.id != charged.id:
        named = guild.id
    return Placement(charged.id, named, creator, charged.market_id if market_id is None else market_id)


def _unplaced(event: Event, creator: int | str | None) -> QuarantineReason:
    if event.guild:
        return QuarantineReason.UNKNOWN_GUILD
    if isinstance(creator, int):
        return QuarantineReason.NO_MEMBERSHIP
    return QuarantineReason.UNKNOWN_CREATOR


def _named_out_of_bounds(event: Event, bounds: Bounds) -> list[Fault]:
    faults: list[Fault] = []
    if bounds.guild_ref is not None and event.guild and event.guild != bounds.guild_ref:
        faults.append(
            {"field": "guild", "message": f"This sender may only send for guild {bounds.guild_ref}."}
        )
    if bounds.markets is not None and event.market and event.market not in bounds.markets:
        allowed = ", ".join(sorted(bounds.markets)) or "none"
        faults.append({"field": "market", "message": f"This sender may only send for markets: {allowed}."})
    return faults


def _charged_out_of_bounds(charged: GuildPlace, named: GuildPlace | None, bounds: Bounds) -> list[Fault]:
    outside = (bounds.guild_id is not None and charged.id != bounds.guild_id) or (
        bounds.markets is not None and charged.market_id not in bounds.markets.values()
    )
    if not outside:
        return []
    if charged == named:
        return [{"field": "guild", "message": "The guild is in a market this sender may not send for."}]
    return [
        {"field": "creator", "message": "The creator was then held by a guild this sender may not send for."}
    ]
