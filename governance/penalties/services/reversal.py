"""Undoing: when an appeal succeeds, everything that followed from the decision is taken back in the order it came about.

violation → its penalties → its points → bands those points tipped, with their penalties → the credit it had used up → the
amnesty it had used up → later rungs of the same code. Nothing is deleted: statuses move, points get opposite entries, the guild
is told.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from governance.education.models import Lesson
from governance.ledger.services import Entry, record_many
from governance.notices.enums import NoticeKind
from governance.notices.services import notice_issue, notices_send
from governance.notices.wording import Wordings
from governance.penalties import transitions
from governance.penalties.enums import PenaltyStatus, PointReason
from governance.penalties.kinds import KINDS
from governance.penalties.ladders import LadderSpec
from governance.penalties.models import Band, BandCrossing, Penalty, PointEntry, Sanction
from governance.penalties.selectors import points_left
from governance.penalties.services import amnesty
from governance.penalties.services.acts import change_notice, lift, locked
from governance.penalties.services.amnesty import sanction_to_excuse
from governance.penalties.services.credits import credits_spent_again
from governance.penalties.services.points import Standings, crossings_not_reached, entries_taking_back
from governance.penalties.services.reasons import imposed_draft, measures_in_words
from governance.penalties.services.sanctions import penalties_draft, penalty_entries
from governance.violations.models import Violation
from governance.violations.services import violation_overturn
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput
from guilds.models import Guild
from guilds.nudges import nudge

#: From these a penalty can be reversed; a held one is cancelled instead, since nobody was told of it.
REVERSIBLE = (
    PenaltyStatus.SCHEDULED,
    PenaltyStatus.STAYED,
    PenaltyStatus.IN_FORCE,
    PenaltyStatus.LIFTED,
    PenaltyStatus.FAILED,
)


@transaction.atomic
def penalty_overturn(*, actor: Actor, penalty_id: int, reason: str) -> Penalty:
    """An appeal against this penalty has been won: take back all that was derived.

    A penalty for a violation falls with the violation and everything else that came of it. A penalty for a band crossing
    falls alone, for the violations behind the score were not in question. Records violation.overturned, penalty.reversed
    for each, points.reversed, notice.sent.
    """
    penalty, guild = locked(penalty_id)
    actor.require_role(Role.ADJUDICATOR, market_id=penalty.market_id)
    transitions.check(penalty.status, PenaltyStatus.REVERSED)
    now = timezone.now()
    if penalty.crossing_id:
        reversed_ = _reverse(actor, [penalty], now=now, reason=reason)
        points = 0
    else:
        points = points_left(penalty.violation_id)
        violation_overturn(actor=actor, violation_id=penalty.violation_id, reason=reason)
        Sanction.objects.filter(violation=penalty.violation_id, reversed_at__isnull=True).update(
            reversed_at=now
        )
        own = Penalty.objects.filter(violation=penalty.violation_id, crossing__isnull=True)
        reversed_ = _reverse(actor, _lock(own), now=now, reason=reason)
        reversed_ += _give_back(actor, guild, penalty.violation, now=now, reason=reason)
        _pass_amnesty_on(actor, guild, penalty, now=now, reason=reason)
        _recompute_rungs(actor, guild, penalty, now=now, reason=reason)
    _tell(actor, guild, penalty, reversed_, points=points, reason=reason, now=now)
    penalty.refresh_from_db()
    return penalty


@transaction.atomic
def penalty_reduce(
    *, actor: Actor, penalty_id: int, reason: str, days: int | None = None, points: int | None = None
) -> Penalty:
    """An appeal has been won in part: a shorter time, fewer points, or both.

    `days` counts from the start and must be fewer than now; past already, the penalty is lifted at once. `points` is what the
    violation shall weigh from now on. Records penalty.reduced, points.reduced, and penalty.lifted where it comes to that.
    """
    if days is None and points is None:
        raise InvalidInput("Say what is reduced: days, points or both.", field="reduction")
    penalty, guild = locked(penalty_id)
    actor.require_role(Role.ADJUDICATOR, market_id=penalty.market_id)
    now = timezone.now()
    before = {"ends_at": penalty.ends_at.isoformat() if penalty.ends_at else None}
    if days is not None:
        _shorten(penalty, days, now=now)
    if points is not None:
        _lower(actor, guild, penalty, points, now=now, reason=reason)
    record_many(
        actor=actor,
        entries=[
            _entry(
                "penalty.reduced",
                penalty,
                before=before,
                after={"ends_at": penalty.ends_at.isoformat() if penalty.ends_at else None, "points": points},
                reason=reason,
            ),
            *(
                [_entry("penalty.lifted", penalty, reason=reason)]
                if penalty.status == PenaltyStatus.LIFTED
                else []
            ),
        ],
    )
    change_notice(actor=actor, penalty=penalty, guild=guild, reason=reason)
    return penalty


def _shorten(penalty: Penalty, days: int, *, now: dt.datetime) -> None:
    if penalty.status not in (PenaltyStatus.SCHEDULED, PenaltyStatus.IN_FORCE):
        raise InvalidInput("Its time is over already; only points can still be reduced.", field="days")
    if days < 0:
        raise InvalidInput("Days cannot be negative.", field="days")
    ends_at = penalty.starts_at + dt.timedelta(days=days)
    if penalty.ends_at is None and not KINDS[penalty.kind].ends:
        raise InvalidInput("This kind has no duration that could be shortened.", field="days")
    if penalty.ends_at is not None and ends_at >= penalty.ends_at:
        have = (penalty.ends_at - penalty.starts_at).days
        raise InvalidInput(f"A reduction must be shorter than the {have} days it has now.", field="days")
    penalty.ends_at = ends_at
    penalty.save(update_fields=["ends_at"])
    if ends_at <= now and penalty.status == PenaltyStatus.IN_FORCE:
        lift(penalty, now=now)


def _lower(
    actor: Actor, guild: Guild, penalty: Penalty, points: int, *, now: dt.datetime, reason: str
) -> None:
    have = points_left(penalty.violation_id)
    if not 0 <= points < have:
        raise InvalidInput(f"Points must be from 0 to less than the {have} it weighs now.", field="points")
    charged = PointEntry.objects.get(violation=penalty.violation_id, reason=PointReason.VIOLATION)
    entry = PointEntry(
        guild=guild,
        violation=penalty.violation,
        points=points - have,
        reason=PointReason.REDUCTION if points else PointReason.REVERSAL,
        undoes=charged,
        at=now,
    )
    _move_points(actor, guild, [entry], act="points.reduced", now=now, reason=reason)


def _give_back(
    actor: Actor, guild: Guild, violation: Violation, *, now: dt.datetime, reason: str
) -> list[Penalty]:
    """Give back what the violation still weighs, and settle what it weighed before a credit or its expiry: bands entered
    until then fall with it, and the credit goes to other points."""
    bands = Band.objects.in_bulk()
    undone: list[BandCrossing] = []
    for spent in PointEntry.objects.filter(
        violation=violation, reason__in=[PointReason.CREDIT, PointReason.EXPIRY]
    ).select_related("undoes"):
        if spent.undoes is not None:
            undone += crossings_not_reached(
                guild.pk, since=spent.undoes.at, until=spent.at, points=-spent.points, bands_by_id=bands
            )
    derived = Penalty.objects.filter(crossing__in=undone)
    reversed_ = _reverse(actor, _lock(derived), now=now, reason=reason) if undone else []
    entries = entries_taking_back([violation], reason=PointReason.REVERSAL, now=now)
    reversed_ += _move_points(actor, guild, entries, act="points.reversed", now=now, reason=reason)
    moved = credits_spent_again(guild, violation.pk, now=now)
    return reversed_ + _move_points(actor, guild, moved, act="points.credited", now=now, reason=reason)


def _move_points(
    actor: Actor, guild: Guild, entries: Sequence[PointEntry], *, act: str, now: dt.datetime, reason: str
) -> list[Penalty]:
    """Add entries that give points back, follow with the standing, and reverse penalties of bands not truly reached."""
    reversed_: list[Penalty] = []
    for entry in entries:
        entry.save()
        standings = Standings([guild.pk], now)
        score = standings.move(guild.pk, entry.points).score
        standings.save()
        charged_at = entry.undoes.at if entry.undoes else now
        # A credit that is spent again counts from the day it was earned.
        since = entry.credit.decided_at if entry.credit else charged_at
        bands = Band.objects.in_bulk()
        undone = crossings_not_reached(guild.pk, since=since, points=-entry.points, bands_by_id=bands)
        if undone:
            derived = Penalty.objects.filter(crossing__in=undone)
            reversed_ += _reverse(actor, _lock(derived), now=now, reason=reason)
        record_many(
            actor=actor,
            entries=[
                Entry(
                    act=act,
                    object_type=entry.violation.ledger_type,
                    object_id=str(entry.violation.public_id),
                    after={"points": entry.points, "score": score},
                    reason=reason,
                    guild_id=guild.pk,
                    market_id=entry.violation.market_id,
                )
            ],
        )
    return reversed_


def _recompute_rungs(actor: Actor, guild: Guild, penalty: Penalty, *, now: dt.datetime, reason: str) -> None:
    """Later offences of the same code move down: what was the third is now the second.

    Where the rung differs, its penalties are reversed and those of the lower rung take their place from the same start, so
    that time already served counts. What would have ended by now is not imposed any more.
    """
    fallen = Sanction.objects.get(violation=penalty.violation_id)
    _recompute_rungs_of(actor, guild, fallen.code, now=now, reason=reason)


def _recompute_rungs_of(actor: Actor, guild: Guild, code: str, *, now: dt.datetime, reason: str) -> None:
    active = list(
        Sanction.objects.filter(guild=guild, code=code, reversed_at__isnull=True, amnesty=False)
        .select_related("violation__version", "violation__rule", "violation__creator")
        .order_by("created_at", "violation_id")
    )
    for place, sanction in enumerate(active):
        violation = sanction.violation
        ladder = LadderSpec.read(violation.version.ladder, severity=violation.severity)
        moment = violation.occurred_at
        nth = 1 + sum(
            1 for other in active[:place] if moment - ladder.window < other.violation.occurred_at <= moment
        )
        if nth >= sanction.nth:
            continue
        changed = ladder.rung(nth) != ladder.rung(sanction.nth)
        sanction.nth = nth
        sanction.save(update_fields=["nth"])
        if changed:
            _replace_rung(actor, guild, sanction, ladder.rung(nth), now=now, reason=reason)


def _pass_amnesty_on(actor: Actor, guild: Guild, penalty: Penalty, *, now: dt.datetime, reason: str) -> None:
    """Without the fallen violation another may have been the first after the lesson: it becomes a warning alone."""
    found = sanction_to_excuse(guild.pk, penalty.violation.rule_id)
    if found is None:
        return
    sanction, lesson = found
    sanction.amnesty, sanction.nth, sanction.points = True, 0, 0
    sanction.save(update_fields=["amnesty", "nth", "points"])
    _give_back(actor, guild, sanction.violation, now=now, reason=reason)
    _replace_rung(actor, guild, sanction, amnesty.STEPS, now=now, reason=reason, excused_by=lesson)
    _recompute_rungs_of(actor, guild, sanction.code, now=now, reason=reason)


def _replace_rung(
    actor: Actor,
    guild: Guild,
    sanction: Sanction,
    steps: Sequence[Mapping[str, Any]],
    *,
    now: dt.datetime,
    reason: str,
    excused_by: Lesson | None = None,
) -> None:
    violation = sanction.violation
    old = _lock(Penalty.objects.filter(violation=violation, crossing__isnull=True))
    standing = [penalty for penalty in old if penalty.status != PenaltyStatus.CANCELLED]
    since = min((penalty.starts_at for penalty in standing), default=now)
    proposed_by = next((penalty.proposed_by_id for penalty in standing), None)
    _reverse(actor, old, now=now, reason=reason)
    drafts = [
        draft
        for draft in penalties_draft(
            guild=guild,
            violation=violation,
            steps=steps,
            now=now,
            proposed_by=proposed_by,
            since=since,
        )
        if draft.ends_at is None or draft.ends_at > now
    ]
    announced = [draft for draft in drafts if draft.status != PenaltyStatus.HELD]
    if announced:
        notice = imposed_draft(
            guild=guild,
            violation=violation,
            penalties=announced,
            points=points_left(violation.pk),
            score=Standings([guild.pk], now).rows[guild.pk].score,
            wordings=Wordings(),
            now=now,
            amnesty=excused_by,
        )
        [sent] = notices_send(actor=actor, notices=[notice])
        for draft in announced:
            draft.notice = sent
    Penalty.objects.bulk_create(drafts)
    record_many(actor=actor, entries=penalty_entries(drafts, nth=sanction.nth, reason=reason))
    nudge("governance.penalties.apply_due")


def _lock(penalties: QuerySet[Penalty]) -> list[Penalty]:
    return list(
        penalties.select_for_update(of=("self",)).select_related("violation", "notice").order_by("pk")
    )


def _reverse(actor: Actor, penalties: Sequence[Penalty], *, now: dt.datetime, reason: str) -> list[Penalty]:
    """Reverse locked penalties, newest first; held ones are cancelled. Returns those the guild knew of."""
    known: list[Penalty] = []
    entries: list[Entry] = []
    for penalty in sorted(penalties, key=lambda penalty: -penalty.pk):
        before = penalty.status
        if before == PenaltyStatus.HELD:
            penalty.status = PenaltyStatus.CANCELLED
        elif before in REVERSIBLE:
            if before == PenaltyStatus.IN_FORCE:
                KINDS[penalty.kind].reverse([penalty], now=now)
            penalty.status = PenaltyStatus.REVERSED
            known.append(penalty)
        else:
            continue
        penalty.ended_at = penalty.ended_at or now
        penalty.save(update_fields=["status", "ended_at"])
        act = "penalty.cancelled" if penalty.status == PenaltyStatus.CANCELLED else "penalty.reversed"
        entries.append(
            _entry(act, penalty, before={"status": before}, after={"status": penalty.status}, reason=reason)
        )
    record_many(actor=actor, entries=entries)
    return known


def _entry(
    act: str,
    penalty: Penalty,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    reason: str,
) -> Entry:
    return Entry(
        act=act,
        object_type=Penalty.ledger_type,
        object_id=str(penalty.public_id),
        before=before or {},
        after={"kind": penalty.kind, **(after or {})},
        reason=reason,
        guild_id=penalty.guild_id,
        market_id=penalty.market_id,
    )


def _tell(
    actor: Actor,
    guild: Guild,
    penalty: Penalty,
    reversed_: Sequence[Penalty],
    *,
    points: int,
    reason: str,
    now: dt.datetime,
) -> None:
    language, _text = Wordings().find(NoticeKind.PENALTY_REVERSED, guild.market.languages)
    notice_issue(
        actor=actor,
        guild=guild,
        kind=NoticeKind.PENALTY_REVERSED,
        object_type=Penalty.ledger_type,
        object_id=str(penalty.public_id),
        values={
            "rule": penalty.version.name,
            "violation_code": penalty.violation.code,
            "reason": reason,
            "measures": measures_in_words(language, reversed_, guild),
            "points": points,
            "score": Standings([guild.pk], now).rows[guild.pk].score,
        },
        statement={
            "reversed": [str(one.public_id) for one in reversed_],
            "points": points,
            "violation": str(penalty.violation.public_id),
        },
        now=now,
    )
