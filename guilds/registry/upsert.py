"""A registry upsert as a plan: rows against what is stored, every fault found first, then written in bulk.

Stored rows are locked in the order of their keys, guilds before creators, so that upserts at the same time follow one
another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from guilds.registry.enums import GuildStatus
from guilds.registry.models import Activity, Creator, Guild, Market, Membership
from guilds.registry.periods import Change, Period, apply_changes
from guilds.registry.rows import Fault, Row

#: Set and ended by penalties alone.
PENALTY_STATUSES = frozenset({GuildStatus.SUSPENDED, GuildStatus.TERMINATED})
_CHUNK = 2000


@dataclass(frozen=True)
class Batch:
    """Clean rows of every kind."""

    guilds: list[Row]
    creators: list[Row]
    memberships: list[Row]
    activity: list[Row]


class Plan:
    """What a batch would change. Made inside the transaction that writes it, since it locks what it read."""

    def __init__(self, batch: Batch, *, market_ids: frozenset[int] | None, faults: list[Fault]) -> None:
        self.batch = batch
        self.market_ids = market_ids
        #: Faulty rows, and rows outside the actor's markets.
        self.faults, self.outside = faults, list[Fault]()
        self.markets = {market.code: market for market in Market.objects.filter(code__in=self._codes())}
        self.guilds = self._stored_guilds()
        self.creators = self._stored_creators()
        self.changed_guilds = [guild for row in batch.guilds if (guild := self._changed_guild(row))]
        self.changed_creators = [creator for row in batch.creators if (creator := self._changed_creator(row))]
        self.periods = self._changed_periods()
        for row in batch.activity:
            self._check_guild("activity", row)

    # --- what is stored -------------------------------------------------------------------------------------------------
    def _codes(self) -> set[str]:
        rows = [*self.batch.guilds, *self.batch.creators]
        return {row.values["market"] for row in rows if row.values.get("market")}

    def _stored_guilds(self) -> dict[str, Guild]:
        named = {row.values["external_id"] for row in self.batch.guilds}
        named |= {row.values["guild"] for row in (*self.batch.memberships, *self.batch.activity)}
        stored = Guild.objects.filter(external_id__in=named).order_by("external_id").select_for_update()
        return {guild.external_id: guild for guild in stored}

    def _stored_creators(self) -> dict[str, Creator]:
        named = {row.values["external_id"] for row in self.batch.creators}
        named |= {row.values["creator"] for row in self.batch.memberships}
        stored = Creator.objects.filter(external_id__in=named).order_by("external_id").select_for_update()
        return {creator.external_id: creator for creator in stored}

    # --- checks -----------------------------------------------------------------------------------------------------------
    def _fault(self, field: str, message: str) -> None:
        self.faults.append({"field": field, "message": message})

    def _check_scope(self, field: str, market_id: int | None) -> None:
        if self.market_ids is not None and market_id is not None and market_id not in self.market_ids:
            self.outside.append({"field": field, "message": "Is in a market outside your scope."})

    def _market(self, field: str, code: str | None) -> Market | None:
        market = self.markets.get(code) if code else None
        if market is not None:
            self._check_scope(field, market.pk)
        elif code:
            self._fault(field, f"There is no market {code}: ask an administrator to add it.")
        return market

    def _changed_guild(self, row: Row) -> Guild | None:
        """The guild as it will be, when the row changes anything."""
        place, values = f"guilds[{row.index}]", row.values
        guild = self.guilds.get(values["external_id"])
        market = self._market(f"{place}.market", values.get("market"))
        if guild is None:
            if not values.get("market"):
                self._fault(f"{place}.market", "Is missing: a new guild needs its market.")
            guild = Guild(external_id=values["external_id"])
        else:
            self._check_scope(f"{place}.external_id", guild.market_id)
        self._check_status(place, guild.status, values.get("status", guild.status))
        new: dict[str, Any] = {
            name: values[name] for name in ("name", "tier", "status", "onboarded_at") if name in values
        }
        new |= {"provisional": False} | ({"market_id": market.pk} if market else {})
        is_new = guild.pk is None
        self.guilds[guild.external_id] = guild
        return guild if _assign(guild, new) or is_new else None

    def _check_status(self, place: str, old: str, new: str) -> None:
        if new != old and new in PENALTY_STATUSES:
            self._fault(f"{place}.status", f"Only a penalty makes a guild {new}: leave the status out.")
        elif new != old and old in PENALTY_STATUSES:
            self._fault(
                f"{place}.status",
                f"The guild is {old} by a penalty, and only lifting that changes it: leave the status out.",
            )

    def _changed_creator(self, row: Row) -> Creator | None:
        """The creator as it will be, when the row changes anything."""
        place, values = f"creators[{row.index}]", row.values
        creator = self.creators.get(values["external_id"]) or Creator(external_id=values["external_id"])
        is_new = creator.pk is None
        self._check_scope(f"{place}.external_id", creator.market_id)
        market = self._market(f"{place}.market", values.get("market"))
        if is_new and market is None and self.market_ids is not None and "market" not in values:
            self._fault(f"{place}.market", "Is missing: name one of your markets for a new creator.")
        new: dict[str, Any] = {"name": values["name"]} if "name" in values else {}
        if "market" in values:
            new["market_id"] = market.pk if market else None
        self.creators[creator.external_id] = creator
        return creator if _assign(creator, new) or is_new else None

    def _check_guild(self, kind: str, row: Row) -> bool:
        field = f"{kind}[{row.index}].guild"
        guild = self.guilds.get(row.values["guild"])
        if guild is None:
            self._fault(
                field,
                f"There is no guild {row.values['guild']}: send it under guilds, in this call or before.",
            )
            return False
        self._check_scope(field, guild.market_id)
        return True

    def _changed_periods(self) -> dict[str, list[Period]]:
        """By creator, every period as it will be."""
        changes: dict[str, list[Change]] = {}
        for row in self.batch.memberships:
            place, values = f"memberships[{row.index}]", row.values
            creator, starts_at, ends_at = values["creator"], values["starts_at"], values.get("ends_at")
            is_known = self._check_guild("memberships", row)
            if creator not in self.creators:
                self._fault(
                    f"{place}.creator",
                    f"There is no creator {creator}: send it under creators, in this call or before.",
                )
            elif ends_at is not None and ends_at <= starts_at:
                self._fault(f"{place}.ends_at", "Must be after starts_at.")
            elif is_known:
                changes.setdefault(creator, []).append(
                    Change(row.index, values["guild"], starts_at, ends_at, "ends_at" in values)
                )
        periods: dict[str, list[Period]] = {creator: [] for creator in changes}
        stored = Membership.objects.filter(creator__external_id__in=changes).select_related(
            "guild", "creator"
        )
        before: dict[int, Membership] = {}
        for held in stored.order_by("pk"):
            before[held.pk] = held
            period = Period(held.pk, held.guild.external_id, held.starts_at, held.ends_at)
            periods[held.creator.external_id].append(period)
        for creator, rows in changes.items():
            apply_changes(periods[creator], rows, self.faults)
            for period in periods[creator]:
                if period.pk is not None and period.index is not None:
                    field = f"memberships[{period.index}].creator"
                    self._check_scope(field, before[period.pk].guild.market_id)
        self.memberships = before
        return periods

    # --- writing ----------------------------------------------------------------------------------------------------------
    def write(self) -> dict[str, int]:
        """Write the plan; returns how many rows of each kind were created or changed."""
        _upsert_all(
            Guild, self.changed_guilds, ["name", "market", "tier", "status", "onboarded_at", "provisional"]
        )
        _upsert_all(Creator, self.changed_creators, ["name", "market"])
        guilds = _keys(
            Guild, (row.values["guild"] for row in (*self.batch.memberships, *self.batch.activity))
        )
        creators = _keys(Creator, self.periods)
        memberships, transfers = self._write_memberships(guilds, creators)
        self._write_activity(guilds)
        return {
            "guilds": len(self.changed_guilds),
            "creators": len(self.changed_creators),
            "memberships": memberships,
            "activity": len(self.batch.activity),
            "transfers": transfers,
        }

    def _write_activity(self, guilds: dict[str, int]) -> None:
        """Revenue that a row leaves out stays as it is, so rows with and without it are written apart."""
        for has_revenue in (False, True):
            given = [
                row.values for row in self.batch.activity if ("gift_revenue" in row.values) == has_revenue
            ]
            Activity.objects.bulk_create(
                [
                    Activity(
                        guild_id=guilds[values["guild"]],
                        **{name: values[name] for name in values if name != "guild"},
                    )
                    for values in sorted(given, key=lambda values: (values["guild"], values["date"]))
                ],
                update_conflicts=True,
                unique_fields=["guild", "date"],
                update_fields=["live_hours", "active_creators", *(["gift_revenue"] if has_revenue else [])],
                batch_size=_CHUNK,
            )

    def _write_memberships(self, guilds: dict[str, int], creators: dict[str, int]) -> tuple[int, int]:
        new: list[Membership] = []
        changed: list[Membership] = []
        transfers = 0
        for creator, periods in self.periods.items():
            for period in periods:
                if period.pk is None:
                    new.append(
                        Membership(
                            creator_id=creators[creator],
                            guild_id=guilds[period.guild],
                            starts_at=period.starts_at,
                            ends_at=period.ends_at,
                        )
                    )
                    continue
                held = self.memberships[period.pk]
                guild_id = guilds.get(period.guild, held.guild_id)
                if (guild_id, period.ends_at) != (held.guild_id, held.ends_at):
                    held.guild_id, held.ends_at = guild_id, period.ends_at
                    changed.append(held)
                    transfers += period.is_transferred
        # Ends first: a new period may start where a known one now stops.
        Membership.objects.bulk_update(changed, ["guild", "ends_at"], batch_size=_CHUNK)
        Membership.objects.bulk_create(new, batch_size=_CHUNK)
        return len(new) + len(changed) - transfers, transfers


def _assign(row: Any, new: dict[str, Any]) -> bool:
    """Set these attributes; whether any of them differed."""
    changed = {name: value for name, value in new.items() if getattr(row, name, None) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    return bool(changed)


def _upsert_all(model: Any, rows: list[Any], columns: list[str]) -> None:
    """Insert these rows or change those with the same external id, in the order of external ids."""
    model.objects.bulk_create(
        sorted(rows, key=lambda row: str(row.external_id)),
        update_conflicts=True,
        unique_fields=["external_id"],
        update_fields=columns,
        batch_size=_CHUNK,
    )


def _keys(model: Any, external_ids: Iterable[str]) -> dict[str, int]:
    found = model.objects.filter(external_id__in=set(external_ids))
    return dict(found.values_list("external_id", "pk"))
