"""What is owed to a guild for a penalty that did not stand: a record for finance, opened by the reversal, settled by people.

The estimate is a beginning, in gift revenue, which is more than a guild's own share of it:

- settlement hold and reward freeze: the gift revenue of those days, or the share of it that the measure kept back;
- income deduction: the share of the gift revenue of those days;
- traffic limit and suspension: what the days before would have brought in those days, less what they brought;
- forfeiture of a reward: none, since the reward is not known here.

A day begun counts as a day; under an hour in force nothing is opened.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Avg, Sum
from django.utils import timezone

from governance.ledger.services import Entry, record, record_many
from governance.penalties.enums import CompensationStatus, PenaltyKind
from governance.penalties.models import Compensation, Penalty
from governance.penalties.selectors import case_participants, lock_guilds
from governance.penalties.transitions import check_compensation
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, NotAllowed, NotFound
from guilds.models import Activity

KEPT_BACK = frozenset({PenaltyKind.SETTLEMENT_HOLD, PenaltyKind.REWARD_FREEZE, PenaltyKind.INCOME_DEDUCTION})
LOST = frozenset({PenaltyKind.TRAFFIC_LIMIT, PenaltyKind.SUSPENSION})
#: Kinds that cost a guild money while they are in force.
COSTLY = KEPT_BACK | LOST | {PenaltyKind.REWARD_FORFEITURE}
SHORTEST = dt.timedelta(hours=1)
#: So many days before a penalty say what its days would have brought.
BEFORE = dt.timedelta(days=30)
CENT = Decimal("0.01")
LARGEST = Decimal("999999999999.99")


@dataclass(frozen=True)
class Span:
    """From when until when a measure of a kind is in force; `ends_at` None: it does not end by itself."""

    kind: str
    starts_at: dt.datetime
    ends_at: dt.datetime | None


def compensations_open(
    *,
    actor: Actor,
    penalties: Sequence[Penalty],
    now: dt.datetime,
    reason: str,
    rightful: Sequence[Span] = (),
) -> list[Compensation]:
    """Open a record for each penalty that cost money for longer than it should have; returns them.

    `rightful` are measures that stand instead: time in which one of the same kind would have been in force is not made good.
    A record settled before, for a part, is opened again with all of it. Records compensation.opened.
    """
    opened: list[Compensation] = []
    for penalty in penalties:
        if penalty.kind not in COSTLY or penalty.applied_at is None:
            continue
        spans = _beyond(penalty, penalty.applied_at, penalty.ended_at or now, rightful)
        if sum((ends - starts for starts, ends in spans), dt.timedelta()) < SHORTEST:
            continue
        basis, estimate = _reckoned(penalty, spans)
        row = Compensation.objects.filter(penalty=penalty).first() or Compensation(
            penalty=penalty, guild_id=penalty.guild_id, market_id=penalty.market_id
        )
        if row.pk and row.status != CompensationStatus.OPEN:
            basis["settled_before"] = {"amount": str(row.amount or 0), "note": row.note}
            row.amount, row.settled_at, row.settled_by, row.note = None, None, None, ""
        row.status, row.basis, row.estimate, row.opened_at = CompensationStatus.OPEN, basis, estimate, now
        row.save()
        opened.append(row)
    record_many(
        actor=actor,
        entries=[
            Entry(
                act="compensation.opened",
                object_type=Compensation.ledger_type,
                object_id=row.public_id,
                after={
                    "status": row.status,
                    "estimate": str(row.estimate) if row.estimate is not None else None,
                    **row.basis,
                },
                reason=reason,
                guild_id=row.guild_id,
                market_id=row.market_id,
            )
            for row in opened
        ],
    )
    return opened


def _beyond(
    penalty: Penalty, starts_at: dt.datetime, ends_at: dt.datetime, rightful: Sequence[Span]
) -> list[tuple[dt.datetime, dt.datetime]]:
    """The parts of the time in force in which no rightful measure of the same kind would have been."""
    spans = [(starts_at, ends_at)]
    for good in rightful:
        if good.kind == penalty.kind:
            until = good.ends_at or ends_at
            spans = [
                part
                for starts, ends in spans
                for part in ((starts, min(ends, good.starts_at)), (max(starts, until), ends))
                if part[0] < part[1]
            ]
    return spans


def _reckoned(
    penalty: Penalty, spans: Sequence[tuple[dt.datetime, dt.datetime]]
) -> tuple[dict[str, Any], Decimal | None]:
    zone = ZoneInfo(penalty.market.timezone)
    dates = set()
    for starts_at, ends_at in spans:
        first, last = starts_at.astimezone(zone).date(), ends_at.astimezone(zone).date()
        dates |= {first + dt.timedelta(days=number) for number in range((last - first).days + 1)}
    activity = Activity.objects.filter(guild_id=penalty.guild_id)
    first = min(dates)
    brought = activity.filter(date__in=dates).aggregate(sum=Sum("gift_revenue"))["sum"] or Decimal(0)
    usual = (
        activity.filter(date__gte=first - BEFORE, date__lt=first).aggregate(mean=Avg("gift_revenue"))["mean"]
        or Decimal(0)
    ).quantize(CENT)
    share = penalty.params.get("share")
    seconds = sum((ends - starts).total_seconds() for starts, ends in spans)
    basis: dict[str, Any] = {
        "measure": penalty.kind,
        "days": round(seconds / 86_400, 2),
        "from": spans[0][0].isoformat(),
        "until": spans[-1][1].isoformat(),
        "gift_revenue": str(brought),
        "per_day_before": str(usual),
        "share": share,
    }
    if penalty.kind in LOST:
        return basis, max(Decimal(0), usual * len(dates) - brought)
    if penalty.kind == PenaltyKind.INCOME_DEDUCTION and share is None:
        return basis, None
    if penalty.kind in KEPT_BACK:
        return basis, (brought * Decimal(str(1 if share is None else share))).quantize(CENT)
    return basis, None


@transaction.atomic
def compensation_settle(
    *, actor: Actor, compensation_id: int, amount: Decimal | str | int, note: str
) -> Compensation:
    """Write down what was made good, in the platform's reporting currency, and how. Records compensation.settled.

    By an enforcer or administrator of the market who took no part in the case. Raises NotFound, NotAllowed,
    InvalidTransition, InvalidInput.
    """
    row = _begin(actor, compensation_id, note, CompensationStatus.SETTLED, field="note")
    try:
        row.amount = Decimal(str(amount)).quantize(CENT)
    except ArithmeticError as error:
        raise InvalidInput("Give an amount as a number, such as 120.50.", field="amount") from error
    if not row.amount.is_finite() or not 0 < row.amount <= LARGEST:
        raise InvalidInput(
            "Give an amount above nothing; if nothing is owed, decline with a reason.", field="amount"
        )
    return _settled(actor, row, CompensationStatus.SETTLED, note)


@transaction.atomic
def compensation_decline(*, actor: Actor, compensation_id: int, reason: str) -> Compensation:
    """Write down why nothing is owed. Records compensation.declined; raises as `compensation_settle`."""
    row = _begin(actor, compensation_id, reason, CompensationStatus.DECLINED, field="reason")
    return _settled(actor, row, CompensationStatus.DECLINED, reason)


def _begin(
    actor: Actor, compensation_id: int, why: str, to: CompensationStatus, *, field: str
) -> Compensation:
    found = Compensation.objects.filter(pk=compensation_id).values_list("guild_id", flat=True).first()
    if found is None:
        raise NotFound("There is no such compensation.")
    lock_guilds([found])
    row = (
        Compensation.objects.select_for_update(of=("self",))
        .select_related("penalty__guild", "guild", "market")
        .get(pk=compensation_id)
    )
    check_compensation(row.status, to)
    actor.require_role(Role.ENFORCER, Role.ADMIN, market_id=row.market_id)
    if actor.user_id is None:
        raise NotAllowed("What is owed is decided by a person.", code="person_required")
    if actor.user_id in case_participants(row.penalty_id):
        raise NotAllowed(
            "You took part in this case; another person must settle it.", code="second_person_required"
        )
    if not why.strip():
        raise InvalidInput("Say how it was settled: the guild and finance read it.", field=field)
    return row


def _settled(actor: Actor, row: Compensation, status: CompensationStatus, note: str) -> Compensation:
    before = {"status": row.status}
    row.status, row.note = status, note.strip()
    row.settled_at, row.settled_by_id = timezone.now(), actor.user_id
    row.full_clean()
    row.save()
    record(
        actor=actor,
        act=f"compensation.{status.value}",
        obj=row,
        before=before,
        after={"status": row.status, "amount": str(row.amount) if row.amount is not None else None},
        reason=row.note,
        guild_id=row.guild_id,
        market_id=row.market_id,
    )
    return row
