"""At most so many starts of a kind within an hour: what would exceed a cap waits, and a person is asked."""

from __future__ import annotations

import datetime as dt
import zlib
from collections import defaultdict
from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models import Max

from governance.ledger.services import record
from governance.penalties.enforcement import CAP_LOCK, caps_by_place
from governance.penalties.enums import PenaltyKind
from governance.penalties.models import EnforcementCap, EnforcementStop, Penalty
from governance.penalties.services.stops import check_reach, stop_record
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput, NotFound
from guilds.models import Market

HOUR = dt.timedelta(hours=1)
Place = tuple[str, int]


def within_caps(penalties: Sequence[Penalty], *, now: dt.datetime) -> list[Penalty]:
    """Those of a batch that their caps let start, the longest due first. For the others a stop is opened, once.

    Counted under a lock per kind and market that lasts until the batch commits, so that two batches cannot both use the
    last place. When a person has closed an automatic stop the count begins anew. Records enforcement_stop.opened.
    """
    caps = caps_by_place()
    if not caps:
        return list(penalties)
    free: list[Penalty] = []
    capped: dict[Place, list[Penalty]] = defaultdict(list)
    limits: dict[Place, int] = {}
    for penalty in penalties:
        place = (penalty.kind, penalty.market_id)
        cap = caps.get(place) or caps.get((penalty.kind, None))
        if cap is None:
            free.append(penalty)
        else:
            capped[place].append(penalty)
            limits[place] = cap.per_hour
    _lock(capped)
    for place, batch in capped.items():
        started = _started(place, now)
        batch.sort(key=lambda penalty: (penalty.starts_at, penalty.pk))
        room = max(0, limits[place] - started)
        free += batch[:room]
        if len(batch) > room:
            _break(place, started + min(room, len(batch)), len(batch) - room, limits[place], now)
    return free


def _lock(places: dict[Place, list[Penalty]]) -> None:
    """One by one in order of their numbers. Two places may share a number, which only makes one wait for the other."""
    numbers = sorted({zlib.crc32(f"{kind}:{market_id}".encode()) % 2**31 for kind, market_id in places})
    with connection.cursor() as cursor:
        for number in numbers:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [CAP_LOCK, number])


def _started(place: Place, now: dt.datetime) -> int:
    kind, market_id = place
    closed = EnforcementStop.objects.filter(kind=kind, market=market_id, automatic=True).aggregate(
        last=Max("closed_at")
    )["last"]
    since = max(now - HOUR, closed) if closed else now - HOUR
    return Penalty.objects.filter(kind=kind, market=market_id, applied_at__gt=since).count()


def _break(place: Place, started: int, waiting: int, per_hour: int, now: dt.datetime) -> None:
    kind, market_id = place
    if EnforcementStop.objects.filter(kind=kind, market=market_id, closed_at__isnull=True).exists():
        return
    market = Market.objects.get(pk=market_id)
    stop_record(
        EnforcementStop(
            kind=kind,
            market_id=market_id,
            automatic=True,
            reason=(
                f"{started} of kind {PenaltyKind(kind).label} started in {market.code} within an hour, the cap is "
                f"{per_hour}; at least {waiting} more were due. Look whether they are right, then close this stop."
            ),
            opened_at=now,
        ),
        actor=Actor.system("penalty schedule"),
    )


# --- setting them ---------------------------------------------------------------------------------------------------
@transaction.atomic
def cap_set(*, actor: Actor, kind: str, market_id: int | None, per_hour: int, reason: str) -> EnforcementCap:
    """Set the cap of a kind in a market, or (market None) in each that has none of its own. Records enforcement_cap.set."""
    check_reach(actor, market_id, reason)
    if kind not in PenaltyKind.values:
        raise InvalidInput(f"There is no kind of penalty called {kind}.", field="kind")
    if per_hour < 1:
        raise InvalidInput("At least one an hour; to let nothing start, open a stop.", field="per_hour")
    cap = EnforcementCap.objects.select_for_update(of=("self",)).filter(kind=kind, market=market_id).first()
    before = {"per_hour": cap.per_hour} if cap else {}
    cap = cap or EnforcementCap(kind=kind, market_id=market_id)
    cap.per_hour = per_hour
    cap.full_clean()
    cap.save()
    record(
        actor=actor,
        act="enforcement_cap.set",
        obj=cap,
        before=before,
        after={"kind": kind, "per_hour": per_hour},
        reason=reason.strip(),
        market_id=market_id,
    )
    return cap


@transaction.atomic
def cap_remove(*, actor: Actor, cap_id: int, reason: str) -> None:
    """Take a cap away: a market's own gives way to that of every market. Records enforcement_cap.removed."""
    cap = EnforcementCap.objects.select_for_update(of=("self",)).filter(pk=cap_id).first()
    if cap is None:
        raise NotFound("There is no such cap.")
    check_reach(actor, cap.market_id, reason)
    record(
        actor=actor,
        act="enforcement_cap.removed",
        obj=cap,
        before={"kind": cap.kind, "per_hour": cap.per_hour},
        reason=reason.strip(),
        market_id=cap.market_id,
    )
    cap.delete()
