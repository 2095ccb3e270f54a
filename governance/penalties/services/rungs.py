"""Rungs after a reversal: later offences of the code move down, and an amnesty that is free again excuses another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from governance.education.models import Lesson
from governance.penalties.enums import PenaltyKind, PenaltyStatus
from governance.penalties.ladders import end_of, grace_of, ladder_of, start_of
from governance.penalties.models import Penalty, Sanction
from governance.penalties.services import amnesty
from governance.penalties.services.amnesty import sanction_to_excuse
from governance.penalties.services.drafts import penalties_draft
from governance.penalties.services.undoing import Undoing, locked_penalties, penalties_replace
from guilds.models import Guild


def rungs_recounted(undoing: Undoing, codes: Collection[str]) -> None:
    """Later offences of these codes move down: what was the third is now the second.

    Counted in the order in which they were sanctioned, as the first time. Where the rung differs, its penalties are reversed
    and those of the lower rung take their place from the same start, so that time already served counts. What would have
    ended by now is not imposed any more.
    """
    for code in sorted(set(codes)):
        active = list(
            Sanction.objects.filter(guild=undoing.guild, code=code, reversed_at__isnull=True, amnesty=False)
            .select_related(
                "violation__version", "violation__rule", "violation__creator", "violation__market"
            )
            .order_by("created_at", "violation__occurred_at", "violation_id")
        )
        for place, sanction in enumerate(active):
            violation = sanction.violation
            ladder = ladder_of(violation.version, violation.market.code)
            moment = violation.occurred_at
            nth = 1 + sum(
                1
                for other in active[:place]
                if moment - ladder.window < other.violation.occurred_at <= moment
            )
            if nth >= sanction.nth:
                continue
            rung = ladder.rung(nth)
            changed = rung != ladder.rung(sanction.nth)
            sanction.nth = nth
            sanction.save(update_fields=["nth"])
            if changed:
                rung_replaced(undoing, sanction, rung)


def amnesty_passed_on(undoing: Undoing, rule_id: int) -> tuple[Sanction, Lesson] | None:
    """Without what has fallen another offence may have been the first after the lesson: it counts for none from now on.

    The caller gives its points back and replaces its rung by a warning alone.
    """
    found = sanction_to_excuse(undoing.guild.pk, rule_id)
    if found is not None:
        sanction, _lesson = found
        sanction.amnesty, sanction.nth, sanction.points = True, 0, 0
        sanction.save(update_fields=["amnesty", "nth", "points"])
    return found


def rung_excused(undoing: Undoing, sanction: Sanction, lesson: Lesson) -> None:
    """A warning alone in place of the rung, for the sake of a lesson."""
    rung_replaced(undoing, sanction, amnesty.STEPS, excused_by=lesson)


def rung_replaced(
    undoing: Undoing,
    sanction: Sanction,
    steps: Sequence[Mapping[str, Any]],
    *,
    excused_by: Lesson | None = None,
) -> None:
    """Reverse the penalties of a sanction and put other measures in their place, from when the first of them began.

    None begun yet: from when it was sanctioned. A termination has its whole notice period again.
    """
    violation, guild, now = sanction.violation, undoing.guild, undoing.now
    old = locked_penalties(Penalty.objects.filter(violation=violation, crossing__isnull=True))
    told = [penalty for penalty in old if penalty.status != PenaltyStatus.CANCELLED]
    since = min((one.starts_at for one in told if one.starts_at <= now), default=sanction.created_at)
    drafts = penalties_draft(
        guild=guild,
        violation=violation,
        steps=steps,
        now=now,
        proposed_by=next((one.proposed_by_id for one in told), None),
        since=since,
    )
    for draft in drafts:
        _begin(draft, guild, since=since, now=now)
    penalties_replace(undoing, old, drafts, violation=violation, nth=sanction.nth, excused_by=excused_by)


def _begin(draft: Penalty, guild: Guild, *, since: dt.datetime, now: dt.datetime) -> None:
    """Time served does not stand in for the notice of a termination, nor for the time a step gives to put things right."""
    starts_at = draft.starts_at
    if draft.kind == PenaltyKind.CLEAR_OUT:
        starts_at = start_of(draft.params, now=now, market=guild.market)
    elif grace_of(draft.params):
        starts_at = max(starts_at, start_of(draft.params, now=since, market=guild.market))
    if starts_at != draft.starts_at:
        window = ladder_of(draft.version, draft.violation.market.code).window
        draft.starts_at, draft.ends_at = starts_at, end_of(draft.params, starts_at=starts_at, window=window)
