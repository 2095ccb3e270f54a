"""Penalties before they are saved: what each step of a ladder becomes for one guild, when it starts and whether it waits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from django.db.models import Max

from governance.ledger.services import Entry
from governance.penalties.enums import PenaltyStatus
from governance.penalties.ladders import (
    CORRECTION,
    end_of,
    hold_reason_of,
    ladder_of,
    start_of,
    stopped_by,
)
from governance.penalties.models import BandCrossing, Penalty, Rectification
from governance.penalties.safeguards import large, shielded
from governance.violations.models import Violation
from guilds.models import Guild

AFTER = "after"
#: Those that have an end somebody was told of. A held one has none yet, and what is over is no longer in the way.
QUEUED = frozenset({PenaltyStatus.SCHEDULED, PenaltyStatus.STAYED, PenaltyStatus.IN_FORCE})


class Stack:
    """When the last of a kind that lies on a guild, or is announced to it, ends. One query, asked only when a step stacks.

    What was announced keeps its dates: when the one before is lifted, shortened or reversed, the next does not begin earlier,
    and when an appeal stays the one before, the two may lie side by side later on. One without an end is not waited for.
    """

    def __init__(self, guild_ids: Iterable[int]) -> None:
        self.guild_ids = list(guild_ids)
        self._drafted: dict[tuple[int, str], dt.datetime] = {}

    @cached_property
    def _stored(self) -> dict[tuple[int, str], dt.datetime]:
        rows = (
            Penalty.objects.filter(guild_id__in=self.guild_ids, status__in=QUEUED, ends_at__isnull=False)
            .order_by()
            .values_list("guild_id", "kind")
            .annotate(end=Max("ends_at"))
        )
        return {(guild_id, kind): end for guild_id, kind, end in rows}

    def begin(self, guild_id: int, step: Mapping[str, Any], starts_at: dt.datetime) -> dt.datetime:
        """When the step begins that would by itself begin at `starts_at`."""
        if step.get("stack") != AFTER:
            return starts_at
        key = (guild_id, step["kind"])
        ends = [known[key] for known in (self._stored, self._drafted) if key in known]
        return max([starts_at, *ends])

    def lay(self, penalty: Penalty) -> None:
        """Remember a draft, so that the next of its kind begins after it."""
        if penalty.status in QUEUED and penalty.ends_at is not None:
            key = (penalty.guild_id, penalty.kind)
            self._drafted[key] = max(penalty.ends_at, self._drafted.get(key, penalty.ends_at))


class Surroundings:
    """What is to be known about the guilds of a batch before penalties are proposed to them, read once for all of them."""

    def __init__(self, guilds: Mapping[int, Guild], now: dt.datetime) -> None:
        self.large = large(guilds, now)
        self.shielded = shielded(guilds, now)
        self.stack = Stack(guilds)


def penalties_draft(
    *,
    guild: Guild,
    violation: Violation,
    steps: Iterable[Mapping[str, Any]],
    now: dt.datetime,
    proposed_by: int | None = None,
    crossing: BandCrossing | None = None,
    since: dt.datetime | None = None,
    surroundings: Surroundings | None = None,
) -> list[Penalty]:
    """Unsaved penalties for ladder steps: held where a second person is needed, else scheduled.

    `since` backdates the start, for a rung that replaces another: time already served counts. `surroundings` are those of
    the batch; left out, they are read for this guild. The guild comes with market and regime, the violation with its market.
    """
    rung = list(steps)
    version = violation.version
    named = version.spec.get("second_person") or ()
    ladder = ladder_of(version, violation.market.code)
    around = surroundings or Surroundings({guild.pk: guild}, now)
    last_rung = crossing is None and ladder.is_last(rung)
    drafts = []
    for step in rung:
        reason = hold_reason_of(
            step["kind"],
            severity=violation.severity,
            named=named,
            large=guild.pk in around.large,
            shielded=guild.pk in around.shielded,
            last_rung=last_rung,
        )
        starts_at = around.stack.begin(guild.pk, step, since or start_of(step, now=now, market=guild.market))
        penalty = Penalty(
            guild=guild,
            market_id=violation.market_id,
            violation=violation,
            version=version,
            crossing=crossing,
            kind=step["kind"],
            params=dict(step),
            status=PenaltyStatus.HELD if reason else PenaltyStatus.SCHEDULED,
            hold_reason=reason or "",
            proposed_at=now,
            proposed_by_id=proposed_by,
            starts_at=starts_at,
            ends_at=end_of(step, starts_at=starts_at, window=ladder.window),
        )
        around.stack.lay(penalty)
        drafts.append(penalty)
    return drafts


def begin_anew(penalty: Penalty, guild: Guild, *, now: dt.datetime) -> None:
    """Move the times of a held penalty to where they would lie had it been imposed now: notice, grace and length begin anew.

    Unsaved. One that replaces another and was backdated is moved by the time it was held, so that time served still counts.
    """
    length = penalty.ends_at - penalty.starts_at if penalty.ends_at else None
    starts_at = penalty.starts_at + (now - penalty.proposed_at)
    if penalty.starts_at >= penalty.proposed_at:
        starts_at = start_of(penalty.params, now=now, market=guild.market)
    penalty.starts_at = Stack([guild.pk]).begin(guild.pk, penalty.params, starts_at)
    penalty.ends_at = penalty.starts_at + length if length is not None else None


def penalty_entries(penalties: Sequence[Penalty], *, nth: int | None = None, reason: str = "") -> list[Entry]:
    """Ledger entries for penalties just proposed."""
    return [
        Entry(
            act="penalty.held" if penalty.status == PenaltyStatus.HELD else "penalty.scheduled",
            object_type=Penalty.ledger_type,
            object_id=str(penalty.public_id),
            after={
                "kind": penalty.kind,
                "violation": str(penalty.violation.public_id),
                "band": penalty.crossing.band.code if penalty.crossing else None,
                "nth": nth,
                "starts_at": penalty.starts_at.isoformat(),
                "ends_at": penalty.ends_at.isoformat() if penalty.ends_at else None,
                **({"held_because": str(penalty.hold_reason)} if penalty.hold_reason else {}),
            },
            reason=reason,
            guild_id=penalty.guild_id,
            market_id=penalty.market_id,
        )
        for penalty in penalties
    ]


def rectifications_open(penalties: Iterable[Penalty], *, now: dt.datetime) -> list[Entry]:
    """Ask for correction where a saved, announced penalty that is still to come lets itself be stopped by it.

    Returns the entries for the ledger, rectification.asked for each.
    """
    rows = [
        Rectification(penalty=penalty, due_at=penalty.starts_at)
        for penalty in penalties
        if penalty.status == PenaltyStatus.SCHEDULED
        and penalty.starts_at > now
        and stopped_by(penalty.params, CORRECTION)
    ]
    if rows:
        Rectification.objects.bulk_create(rows, batch_size=500)
    return [
        rectification_entry("rectification.asked", row, {}, {"due_at": row.due_at.isoformat()})
        for row in rows
    ]


def rectification_entry(
    act: str, row: Rectification, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Entry:
    """A ledger entry about what a guild is to put right. The penalty is loaded."""
    return Entry(
        act=act,
        object_type=Rectification.ledger_type,
        object_id=row.public_id,
        before=before,
        after=after,
        guild_id=row.penalty.guild_id,
        market_id=row.penalty.market_id,
    )
