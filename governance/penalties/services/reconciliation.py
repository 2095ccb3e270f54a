"""Comparing what an enforcing system holds against guilds with what we do, and settling what differs."""

from __future__ import annotations

import datetime as dt
import uuid
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from governance.ledger.services import record
from governance.penalties.agreement import LAG, expected_of, open_with
from governance.penalties.enums import DifferenceKind, PenaltyKind, PenaltyStatus
from governance.penalties.models import Difference, Penalty, Reconciliation
from governance.penalties.selectors import penalties_visible_to
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role, Scope
from guilds.errors import InvalidInput, InvalidTransition, NotAllowed, NotFound

#: Rows of one list at most.
ROWS = 20_000
#: Two ends closer than this are the same.
SAME_END = dt.timedelta(minutes=1)
#: One comparison at a time with one system; added to nothing, paired with a number of the system.
RECONCILE_LOCK = 7_180_003
AGREES = "A later comparison agreed."


@dataclass(frozen=True)
class Reported:
    """One line of the other system's list. `ends_at` None: no end; `tells_end` False: it said nothing about the end."""

    penalty: uuid.UUID
    kind: str
    guild: str
    ends_at: dt.datetime | None = None
    tells_end: bool = False

    def as_told(self) -> dict[str, Any]:
        told: dict[str, Any] = {"penalty": str(self.penalty), "kind": self.kind, "guild": self.guild}
        if self.tells_end:
            told["ends_at"] = self.ends_at.isoformat() if self.ends_at else None
        return told


def reported(rows: Sequence[Mapping[str, Any]]) -> list[Reported]:
    """Lines of a file or a request, checked: {penalty, kind, guild, ends_at?}. Raises InvalidInput naming every bad one."""
    read: list[Reported] = []
    errors: list[dict[str, Any]] = []
    for index, row in enumerate(rows):
        try:
            read.append(_line(row))
        except ValueError as fault:
            errors.append({"field": f"{index}", "message": str(fault)})
    if errors:
        raise InvalidInput(
            f"{len(errors)} of {len(rows)} lines cannot be read; nothing was compared.", errors=errors[:100]
        )
    return read


def _line(row: Mapping[str, Any]) -> Reported:
    kind, guild = str(row.get("kind") or ""), str(row.get("guild") or "")
    if kind not in PenaltyKind.values:
        raise ValueError(f"kind: one of {', '.join(PenaltyKind.values)}.")
    if not guild:
        raise ValueError("guild: the guild's external id.")
    try:
        penalty = uuid.UUID(str(row.get("penalty")))
    except ValueError as fault:
        raise ValueError("penalty: the penalty's id, a UUID.") from fault
    end = row.get("ends_at")
    if isinstance(end, str) and end:
        end = parse_datetime(end)
        if end is None or end.tzinfo is None:
            raise ValueError("ends_at: ISO 8601 with an offset, or null for no end.")
    return Reported(penalty, kind, guild, end or None, "ends_at" in row)


@transaction.atomic
def reconcile(
    *,
    actor: Actor,
    rows: Sequence[Reported],
    market_id: int | None = None,
    kinds: Collection[str] = (),
    source: str = "",
) -> Reconciliation:
    """Compare the list of what another system holds with what is in force here, in a market or wherever the actor reaches.

    With `kinds` the list is of these only. What started or ended within the last LAG is given time to arrive. A difference
    that is open already is not opened again; one that a list agrees upon is settled by it. `source` names where the list
    comes from when it is no client's. Records reconciliation.compared.
    """
    _check(actor, rows, market_id, kinds)
    now = timezone.now()
    source = source or actor.label
    with connection.cursor() as cursor:
        number = zlib.crc32(f"{actor.client_id or source}".encode()) % 2**31
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [RECONCILE_LOCK, number])
    visible = penalties_visible_to(actor)
    within = visible.filter(market_id=market_id) if market_id is not None else visible
    if kinds:
        within = within.filter(kind__in=list(kinds))
    ours = {penalty.public_id: penalty for penalty in expected_of(within)}
    named = {row.penalty: row for row in rows}
    others = {
        penalty.public_id: penalty
        for penalty in visible.filter(public_id__in=[key for key in named if key not in ours])
    }
    found: list[Difference] = []
    agreed = 0
    for key, row in named.items():
        penalty = ours.get(key) or others.get(key)
        kind = _difference(row, penalty, now)
        if kind is not None:
            found.append(Difference(kind=kind, penalty=penalty, reported=row.as_told()))
        elif key in ours:
            agreed += 1
    waited = [penalty for penalty in ours.values() if penalty.applied_at and penalty.applied_at <= now - LAG]
    matching = {key for key, row in named.items() if key in ours and _is_same(row, ours[key])}
    found += [
        Difference(kind=DifferenceKind.MISSING, penalty=penalty)
        for penalty in waited
        if penalty.public_id not in matching
    ]
    made = Reconciliation(
        client_id=actor.client_id,
        source=source[:120],
        market_id=market_id,
        reported=len(rows),
        expected=len({penalty.public_id for penalty in waited} | matching),
        agreed=agreed,
        at=now,
    )
    made.full_clean()
    made.save()
    opened, settled = _keep(made, found, kinds=kinds, now=now)
    record(
        actor=actor,
        act="reconciliation.compared",
        obj=made,
        after={
            "source": made.source,
            "kinds": sorted(kinds),
            "reported": made.reported,
            "expected": made.expected,
            "agreed": made.agreed,
            "differences_opened": opened,
            "differences_settled": settled,
        },
        market_id=market_id,
    )
    return made


def _check(actor: Actor, rows: Sequence[Reported], market_id: int | None, kinds: Collection[str]) -> None:
    if actor.guild_id is not None:
        raise NotAllowed("A guild's own system does not say what is enforced against it.")
    if actor.kind == "client":
        if Scope.PENALTIES_ACK not in actor.scopes:
            raise NotAllowed("Only an enforcing system with the scope penalties:ack may reconcile.")
    else:
        actor.require_role(Role.ENFORCER, Role.ADMIN)
    if market_id is not None and not actor.sees_market(market_id):
        raise NotFound("There is no such market.", field="market")
    if len(rows) > ROWS:
        raise InvalidInput(f"At most {ROWS} lines at once; send one market at a time.", field="rows")
    if unknown := sorted(set(kinds) - set(PenaltyKind.values)):
        raise InvalidInput(f"There is no kind of penalty called {unknown[0]}.", field="kind")


def _is_same(row: Reported, penalty: Penalty) -> bool:
    return row.kind == penalty.kind and row.guild == penalty.guild.external_id


def _difference(row: Reported, penalty: Penalty | None, now: dt.datetime) -> DifferenceKind | None:
    """What is wrong about a line of theirs."""
    if penalty is None or not _is_same(row, penalty):
        return DifferenceKind.EXTRA
    if penalty.status != PenaltyStatus.IN_FORCE:
        just_over = penalty.ended_at is not None and penalty.ended_at > now - LAG
        return None if just_over else DifferenceKind.EXTRA
    if row.tells_end and not _ends_alike(row.ends_at, penalty.ends_at):
        return DifferenceKind.OTHER_END
    return None


def _ends_alike(one: dt.datetime | None, other: dt.datetime | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) < SAME_END


def _keep(
    made: Reconciliation, found: Sequence[Difference], *, kinds: Collection[str], now: dt.datetime
) -> tuple[int, int]:
    """Open what is new and settle what is no longer so; returns how many of each."""
    standing = list(open_with(made).select_related("penalty", "reconciliation"))
    known = {_key(difference) for difference in standing}
    wrong = {_key(difference) for difference in found}
    fresh = [difference for difference in found if _key(difference) not in known]
    for difference in fresh:
        difference.reconciliation = made
    Difference.objects.bulk_create(fresh, batch_size=500)
    over = [
        difference.pk
        for difference in standing
        if _key(difference) not in wrong and _is_within(difference, made.market_id, kinds)
    ]
    Difference.objects.filter(pk__in=over).update(settled_at=now, settlement=AGREES)
    return len(fresh), len(over)


def _key(difference: Difference) -> tuple[str, Any]:
    return difference.kind, difference.penalty_id or difference.reported.get("penalty")


def _is_within(difference: Difference, market_id: int | None, kinds: Collection[str]) -> bool:
    """Whether a list of this market and these kinds says anything about the difference."""
    penalty = difference.penalty
    if market_id is not None:
        place = penalty.market_id if penalty else difference.reconciliation.market_id
        if place != market_id:
            return False
    kind = penalty.kind if penalty else difference.reported.get("kind")
    return not kinds or kind in kinds


@transaction.atomic
def difference_settle(*, actor: Actor, difference_id: int, reason: str) -> Difference:
    """A person says how a difference was dealt with. If the next list still differs it is opened again.

    Records difference.settled.
    """
    difference = (
        Difference.objects.select_for_update(of=("self",))
        .select_related("penalty", "reconciliation")
        .filter(pk=difference_id)
        .first()
    )
    if difference is None:
        raise NotFound("There is no such difference.")
    penalty = difference.penalty
    market_id = penalty.market_id if penalty else difference.reconciliation.market_id
    actor.require_role(Role.ENFORCER, market_id=market_id)
    if market_id is None and actor.market_ids is not None:
        raise NotAllowed("This difference belongs to no single market.", code="market_out_of_scope")
    if not reason.strip():
        raise InvalidInput("Say why: the reason goes into the ledger.", field="reason")
    if difference.settled_at is not None:
        raise InvalidTransition("This difference is settled already.")
    difference.settled_at = timezone.now()
    difference.settled_by_id = actor.user_id
    difference.settlement = reason.strip()
    difference.save(update_fields=["settled_at", "settled_by", "settlement"])
    record(
        actor=actor,
        act="difference.settled",
        obj=difference,
        after={"kind": difference.kind, "penalty": str(penalty.public_id) if penalty else None},
        reason=difference.settlement,
        guild_id=penalty.guild_id if penalty else None,
        market_id=market_id,
    )
    return difference
