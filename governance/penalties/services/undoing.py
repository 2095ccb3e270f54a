"""One act of taking back: penalties reversed, what takes their place, and all of it told to the guild at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext as _

from governance.education.models import Lesson
from governance.ledger.services import Entry, record_many
from governance.notices.enums import NoticeKind
from governance.notices.services import notice_issue, notices_send
from governance.notices.wording import Wordings
from governance.penalties.enums import PenaltyKind, PenaltyStatus, RectificationStatus
from governance.penalties.kinds import KINDS
from governance.penalties.ladders import LadderSpec, end_of
from governance.penalties.models import Penalty, Rectification
from governance.penalties.selectors import CURRENT, points_left
from governance.penalties.services.compensation import Span, compensations_open
from governance.penalties.services.drafts import penalty_entries, rectifications_open
from governance.penalties.services.points import Standings
from governance.penalties.services.reasons import imposed_draft, measures_in_words
from governance.violations.models import Violation
from guilds.accounts.actor import Actor
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


@dataclass
class Undoing:
    """Who takes back what from whom, when and why. The guild is locked, with its market and regime.

    Collects what the guild is told at the end: `reversed` (those it knew of), `instead`, and `points` given back.
    """

    actor: Actor
    guild: Guild
    now: dt.datetime
    reason: str
    reversed: list[Penalty] = field(default_factory=list)
    instead: list[Penalty] = field(default_factory=list)
    points: int = 0


def locked_penalties(penalties: QuerySet[Penalty]) -> list[Penalty]:
    return list(
        penalties.select_for_update(of=("self",))
        .select_related("violation", "notice", "market")
        .order_by("pk")
    )


def penalties_reverse(
    undoing: Undoing, penalties: Sequence[Penalty], *, rightful: Sequence[Span] = ()
) -> None:
    """Reverse locked penalties, newest first; held ones are cancelled, those already over by an act of their own are left.

    What they waited for is no longer asked. Opens compensation for time in force beyond what is `rightful` instead.
    Records penalty.reversed, penalty.cancelled, rectification.dropped, compensation.opened.
    """
    now, entries, ended = undoing.now, [], []
    for penalty in sorted(penalties, key=lambda penalty: -penalty.pk):
        before = penalty.status
        if before == PenaltyStatus.HELD:
            penalty.status = PenaltyStatus.CANCELLED
        elif before in REVERSIBLE:
            if before == PenaltyStatus.IN_FORCE:
                KINDS[penalty.kind].reverse([penalty], now=now)
            penalty.status = PenaltyStatus.REVERSED
            undoing.reversed.append(penalty)
        else:
            continue
        ended.append(penalty)
        penalty.ended_at = penalty.ended_at or now
        penalty.save(update_fields=["status", "ended_at"])
        act = "penalty.cancelled" if penalty.status == PenaltyStatus.CANCELLED else "penalty.reversed"
        entries.append(
            penalty_entry(
                act,
                penalty,
                before={"status": before},
                after={"status": penalty.status},
                reason=undoing.reason,
            )
        )
    entries += rectifications_drop(ended, reason=undoing.reason)
    record_many(actor=undoing.actor, entries=entries)
    compensations_open(
        actor=undoing.actor, penalties=ended, rightful=rightful, now=now, reason=undoing.reason
    )


def rectifications_drop(penalties: Sequence[Penalty], *, reason: str) -> list[Entry]:
    """Ask no longer for what these penalties waited for; returns the entries for the ledger."""
    waiting = Rectification.objects.filter(
        penalty__in=penalties, status__in=[RectificationStatus.OPEN, RectificationStatus.SUBMITTED]
    ).select_related("penalty")
    entries = [
        Entry(
            act="rectification.dropped",
            object_type=Rectification.ledger_type,
            object_id=row.public_id,
            before={"status": row.status},
            after={"status": RectificationStatus.DROPPED.value},
            reason=reason,
            guild_id=row.penalty.guild_id,
            market_id=row.penalty.market_id,
        )
        for row in waiting
    ]
    if entries:
        waiting.update(status=RectificationStatus.DROPPED)
    return entries


def penalties_replace(
    undoing: Undoing,
    old: Sequence[Penalty],
    drafts: Sequence[Penalty],
    *,
    violation: Violation,
    nth: int | None = None,
    excused_by: Lesson | None = None,
) -> None:
    """Reverse `old` and put what of `drafts` still has time to run in its place, with a statement of reasons of its own.

    Records what `penalties_reverse` does, penalty.scheduled or penalty.held, and notice.sent.
    """
    guild, now = undoing.guild, undoing.now
    before = [(draft.kind, draft.starts_at, draft.ends_at) for draft in drafts]
    imposed = _bearable(old, drafts, now=now)
    penalties_reverse(
        undoing,
        old,
        rightful=[
            Span(kind, starts_at, ends_at)
            for draft, (kind, starts_at, ends_at) in zip(drafts, before, strict=True)
            if draft.status != PenaltyStatus.HELD
        ],
    )
    announced = [draft for draft in imposed if draft.status != PenaltyStatus.HELD]
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
        [sent] = notices_send(actor=undoing.actor, notices=[notice])
        for draft in announced:
            draft.notice = sent
    Penalty.objects.bulk_create(imposed)
    entries = penalty_entries(imposed, nth=nth, reason=undoing.reason)
    record_many(actor=undoing.actor, entries=[*entries, *rectifications_open(imposed, now=now)])
    undoing.instead += announced
    nudge("governance.penalties.apply_due")


def _bearable(old: Sequence[Penalty], drafts: Sequence[Penalty], *, now: dt.datetime) -> list[Penalty]:
    """The drafts that may be imposed: a guild that wins is never worse off for it.

    Nothing whose time would be over. Nothing but a warning where none of the old still weighs on the guild: what was lifted
    early or has been served stays over; and not even that where people had cancelled all of it. No longer than what was
    left after a reduction.
    """
    told = [penalty for penalty in old if penalty.status != PenaltyStatus.CANCELLED]
    weighing = [penalty for penalty in old if penalty.status in CURRENT]
    if old and not told and not weighing:
        return []
    shortened = [
        penalty.ends_at
        for penalty in weighing
        if penalty.ends_at is not None and _is_shortened(penalty, penalty.ends_at)
    ]
    imposed = []
    for draft in drafts:
        if draft.kind != PenaltyKind.WARNING:
            if not weighing:
                continue
            if shortened and draft.ends_at is not None:
                draft.ends_at = max(draft.starts_at, min(draft.ends_at, max(shortened)))
        if draft.ends_at is None or draft.ends_at > now:
            imposed.append(draft)
    return imposed


def _is_shortened(penalty: Penalty, ends_at: dt.datetime) -> bool:
    violation = penalty.violation
    window = LadderSpec.read(penalty.version.ladder, severity=violation.severity).window
    written = end_of(penalty.params, starts_at=penalty.starts_at, window=window)
    return written is not None and ends_at < written


def penalty_entry(
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


def guild_tell(
    undoing: Undoing, *, violation: Violation, rule_name: str, object_type: str, object_id: str
) -> None:
    """One notice of all that was taken back, and of what takes its place. Silent where the guild knew of nothing."""
    if not undoing.reversed and not undoing.points and not undoing.instead:
        return
    guild = undoing.guild
    language, _text = Wordings().find(
        NoticeKind.PENALTY_REVERSED, guild.market.languages, guild.market.regime_id
    )
    measures = measures_in_words(language, undoing.reversed, guild)
    if undoing.instead:
        with translation.override(language):
            measures += "\n\n" + _("In their place stands, as a notice of its own says:") + "\n"
        measures += measures_in_words(language, undoing.instead, guild)
    notice_issue(
        actor=undoing.actor,
        guild=guild,
        kind=NoticeKind.PENALTY_REVERSED,
        object_type=object_type,
        object_id=object_id,
        values={
            "rule": rule_name,
            "violation_code": violation.code,
            "reason": undoing.reason,
            "measures": measures,
            "points": undoing.points,
            "score": Standings([guild.pk], undoing.now).rows[guild.pk].score,
        },
        statement={
            "reversed": [str(one.public_id) for one in undoing.reversed],
            "instead": [str(one.public_id) for one in undoing.instead],
            "points": undoing.points,
            "violation": str(violation.public_id),
        },
        now=undoing.now,
    )
