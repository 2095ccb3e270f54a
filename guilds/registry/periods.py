"""How membership rows change the periods in which guilds hold one creator: pure decisions, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from guilds.registry.rows import Fault


@dataclass
class Period:
    """A membership as it is or will be; `pk` None is a new one, `index` the row of the batch that last changed it."""

    pk: int | None
    guild: str
    starts_at: datetime
    ends_at: datetime | None
    index: int | None = None
    #: Ended by the transfer to another guild and not by a row of its own.
    is_transferred: bool = False


@dataclass(frozen=True)
class Change:
    """A row of the batch. `ends_at` counts only when `gives_end`; a row without one leaves the end of a known period."""

    index: int
    guild: str
    starts_at: datetime
    ends_at: datetime | None
    gives_end: bool


def apply_changes(periods: list[Period], changes: Sequence[Change], faults: list[Fault]) -> None:
    """Change one creator's periods in place, in order of start; adds to `faults` what cannot be.

    A row with the start of a known period changes that period. An open one that starts while another guild holds the creator
    is a transfer: it ends the other at that instant. Every other overlap is a fault.
    """
    for change in sorted(changes, key=lambda change: change.starts_at):
        same = next((period for period in periods if period.starts_at == change.starts_at), None)
        if same is not None:
            same.guild = change.guild
            same.index = change.index
            if change.gives_end and not (change.ends_at is None and _was_taken_over(same, periods)):
                same.ends_at = change.ends_at
            continue
        current = next(
            (period for period in periods if period.ends_at is None and period.starts_at < change.starts_at),
            None,
        )
        if current is not None and change.ends_at is None and current.guild != change.guild:
            current.ends_at = change.starts_at
            current.is_transferred = True
            current.index = change.index
        periods.append(Period(None, change.guild, change.starts_at, change.ends_at, change.index))
    periods.sort(key=lambda period: period.starts_at)
    for period, following in pairwise(periods):
        if period.ends_at is None or period.ends_at > following.starts_at:
            _overlap(period, following, faults)


def _was_taken_over(period: Period, periods: list[Period]) -> bool:
    """Whether a transfer ended the period: a sender that still calls it open has only not heard of that."""
    return any(other.starts_at == period.ends_at and other.guild != period.guild for other in periods)


def _overlap(period: Period, following: Period, faults: list[Fault]) -> None:
    ours, other = (following, period) if following.index is not None else (period, following)
    until = f"until {other.ends_at:%Y-%m-%dT%H:%M:%SZ}" if other.ends_at else "open"
    cure = (
        "end that membership first, by a row with its starts_at and an ends_at"
        if other.starts_at <= ours.starts_at
        else "give this one an ends_at that is not later"
    )
    message = f"Overlaps the membership in {other.guild} from {other.starts_at:%Y-%m-%dT%H:%M:%SZ} ({until}): {cure}."
    faults.append({"field": f"memberships[{ours.index}].starts_at", "message": message})
