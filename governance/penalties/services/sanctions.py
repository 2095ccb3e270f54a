"""From a confirmed violation to its consequences: the nth offence, points, bands, penalties and the notice, in one commit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from governance.education.models import Lesson
from governance.ledger.services import Entry, record_many
from governance.notices.services import notices_send
from governance.notices.wording import Wordings
from governance.penalties.enums import PenaltyStatus, PointReason
from governance.penalties.ladders import LadderSpec, end_of, needs_second_person, points_of, start_of
from governance.penalties.models import BandCrossing, Penalty, PointEntry, Sanction
from governance.penalties.selectors import lock_guilds
from governance.penalties.services import amnesty
from governance.penalties.services.amnesty import Amnesties
from governance.penalties.services.points import Standings
from governance.penalties.services.reasons import imposed_draft
from governance.violations.enums import Verdict
from governance.violations.models import Review, Violation
from guilds.accounts.actor import Actor
from guilds.models import Guild
from guilds.nudges import nudge

ACTOR = "sanctions"


@dataclass
class Case:
    """One violation on its way through a batch, with what it leads to. Nothing in it is saved yet."""

    violation: Violation
    guild: Guild
    ladder: LadderSpec
    sanction: Sanction
    penalties: list[Penalty]
    crossings: list[BandCrossing]
    excused_by: Lesson | None = None
    score: int = 100


def penalties_draft(
    *,
    guild: Guild,
    violation: Violation,
    steps: Iterable[Mapping[str, Any]],
    now: dt.datetime,
    proposed_by: int | None = None,
    crossing: BandCrossing | None = None,
    since: dt.datetime | None = None,
) -> list[Penalty]:
    """Unsaved penalties for ladder steps: held where a second person is needed, else scheduled.

    `since` backdates the start, for a rung that replaces another: time already served counts.
    """
    version = violation.version
    named = version.spec.get("second_person") or ()
    window = LadderSpec.read(version.ladder, severity=violation.severity).window
    drafts = []
    for step in steps:
        held = needs_second_person(step["kind"], severity=violation.severity, named=named)
        starts_at = since or start_of(
            step, now=now, termination_days=guild.market.regime.termination_days
        )
        drafts.append(
            Penalty(
                guild=guild,
                market_id=violation.market_id,
                violation=violation,
                version=version,
                crossing=crossing,
                kind=step["kind"],
                params=dict(step),
                status=PenaltyStatus.HELD if held else PenaltyStatus.SCHEDULED,
                proposed_at=now,
                proposed_by_id=proposed_by,
                starts_at=starts_at,
                ends_at=end_of(step, starts_at=starts_at, window=window),
            )
        )
    return drafts


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
            },
            reason=reason,
            guild_id=penalty.guild_id,
            market_id=penalty.market_id,
        )
        for penalty in penalties
    ]


class Offences:
    """How often each guild has broken each code, as the batch moves along."""

    def __init__(self, guild_ids: Iterable[int], codes: Iterable[str]) -> None:
        self.moments: dict[tuple[int, str], list[dt.datetime]] = {}
        rows = Sanction.objects.filter(
            guild_id__in=list(guild_ids), code__in=set(codes), reversed_at__isnull=True, amnesty=False
        ).values_list("guild_id", "code", "violation__occurred_at")
        for guild_id, code, moment in rows:
            self.moments.setdefault((guild_id, code), []).append(moment)

    def nth(self, violation: Violation, window: dt.timedelta) -> int:
        """1 + the sanctioned violations of the code in (t − window, t], and remember this one."""
        known = self.moments.setdefault((violation.guild_id, violation.code), [])
        moment = violation.occurred_at
        count = 1 + sum(1 for other in known if moment - window < other <= moment)
        known.append(moment)
        return count


@transaction.atomic
def sanctions_decide_due(*, limit: int = 500, now: dt.datetime | None = None) -> int:
    """Work out the consequences of up to `limit` confirmed violations and return how many were settled.

    Per guild in order of occurrence. Guilds that somebody else has locked wait for the next call. Everything a violation
    leads to commits together: sanction, points, standing, band crossings, penalties, notice, ledger.
    Records points.charged per violation, penalty.scheduled or penalty.held per penalty, notice.sent per notice.
    """
    now = now or timezone.now()
    waiting = Violation.objects.filter(sanction_due=True)
    guilds = lock_guilds(
        set(waiting.order_by("pk").values_list("guild_id", flat=True)[:limit]), skip_locked=True
    )
    violations = list(
        waiting.select_for_update(of=("self",))
        .filter(guild_id__in=guilds)
        .select_related("version", "rule", "creator")
        .order_by("guild_id", "occurred_at", "pk")[:limit]
    )
    if not violations:
        return 0
    offences = Offences(guilds, {violation.code for violation in violations})
    deciders = dict(
        Review.objects.filter(violation__in=violations, verdict=Verdict.CONFIRM)
        .order_by("pk")
        .values_list("violation_id", "reviewer_id")
    )
    standings = Standings({violation.guild_id for violation in violations}, now)
    amnesties = Amnesties(guilds, {violation.rule_id for violation in violations})
    cases = []
    for violation in violations:
        guild, decider = guilds[violation.guild_id], deciders.get(violation.pk)
        lesson = amnesties.use(violation)
        if lesson is None:
            case = _case(violation, guild, offences, decider, now)
        else:
            case = _excused(violation, guild, lesson, decider, now)
        _charge(case, standings, now)
        cases.append(case)
    _save(cases, standings, now)
    nudge("governance.penalties.apply_due")
    return len(cases)


def _case(
    violation: Violation, guild: Guild, offences: Offences, proposed_by: int | None, now: dt.datetime
) -> Case:
    ladder = LadderSpec.read(violation.version.ladder, severity=violation.severity)
    nth = offences.nth(violation, ladder.window)
    points = points_of(ladder, violation.version.spec.get("share") if violation.creator_id else None)
    sanction = Sanction(
        violation=violation, guild=guild, code=violation.code, nth=nth, points=points, created_at=now
    )
    penalties = penalties_draft(
        guild=guild, violation=violation, steps=ladder.rung(nth), now=now, proposed_by=proposed_by
    )
    return Case(violation, guild, ladder, sanction, penalties, [])


def _excused(
    violation: Violation, guild: Guild, lesson: Lesson, proposed_by: int | None, now: dt.datetime
) -> Case:
    """A warning alone: no points, and no offence that later ones are counted from."""
    ladder = LadderSpec.read(violation.version.ladder, severity=violation.severity)
    sanction = Sanction(
        violation=violation,
        guild=guild,
        code=violation.code,
        nth=0,
        points=0,
        amnesty=True,
        created_at=now,
    )
    penalties = penalties_draft(
        guild=guild, violation=violation, steps=amnesty.STEPS, now=now, proposed_by=proposed_by
    )
    return Case(violation, guild, ladder, sanction, penalties, [], excused_by=lesson)


def _charge(case: Case, standings: Standings, now: dt.datetime) -> None:
    case.score = standings.move(case.guild.pk, case.sanction.points).score
    case.crossings = standings.crossings_entered(case.guild.pk, case.violation)
    for crossing in case.crossings:
        case.penalties += penalties_draft(
            guild=case.guild,
            violation=case.violation,
            steps=crossing.band.penalties,
            now=now,
            crossing=crossing,
        )


def _save(cases: Sequence[Case], standings: Standings, now: dt.datetime) -> None:
    actor, wordings = Actor.system(ACTOR), Wordings()
    Sanction.objects.bulk_create([case.sanction for case in cases], batch_size=500)
    PointEntry.objects.bulk_create(
        [
            PointEntry(
                guild=case.guild,
                violation=case.violation,
                points=case.sanction.points,
                reason=PointReason.VIOLATION,
                at=now,
                expires_at=now + case.ladder.decay if case.ladder.decay else None,
            )
            for case in cases
            if case.sanction.points
        ],
        batch_size=500,
    )
    BandCrossing.objects.bulk_create(
        [crossing for case in cases for crossing in case.crossings], batch_size=500
    )
    standings.save()
    told = []
    for case in cases:
        announced = [penalty for penalty in case.penalties if penalty.status != PenaltyStatus.HELD]
        if announced or case.sanction.points:
            notice = imposed_draft(
                guild=case.guild,
                violation=case.violation,
                penalties=announced,
                points=case.sanction.points,
                score=case.score,
                wordings=wordings,
                now=now,
                amnesty=case.excused_by,
            )
            told.append((notice, announced))
    notices_send(actor=actor, notices=[notice for notice, _penalties in told])
    for notice, announced in told:
        for penalty in announced:
            penalty.notice = notice
    Penalty.objects.bulk_create([penalty for case in cases for penalty in case.penalties], batch_size=500)
    Violation.objects.filter(pk__in=[case.violation.pk for case in cases]).update(sanction_due=False)
    entries = []
    for case in cases:
        entries.append(
            Entry(
                act="points.charged",
                object_type=Violation.ledger_type,
                object_id=str(case.violation.public_id),
                after={
                    "points": case.sanction.points,
                    "nth": case.sanction.nth,
                    "score": case.score,
                    **({"amnesty": case.excused_by.code} if case.excused_by else {}),
                },
                guild_id=case.guild.pk,
                market_id=case.violation.market_id,
            )
        )
        entries += penalty_entries(case.penalties, nth=case.sanction.nth)
    record_many(actor=actor, entries=entries)
