"""What violations weigh: offence, points, bands and penalties of each, reckoned but not saved.

Deciding and previewing both call `weigh`, so that what a reviewer is shown before confirming is what confirming does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from governance.education.models import Lesson
from governance.penalties.ladders import LadderSpec, ladder_of, points_of
from governance.penalties.models import BandCrossing, Penalty, Sanction
from governance.penalties.services import amnesty
from governance.penalties.services.amnesty import Amnesties
from governance.penalties.services.drafts import Surroundings, penalties_draft
from governance.penalties.services.points import Standings
from governance.violations.models import Violation
from guilds.models import Guild


@dataclass
class Case:
    """One violation on its way through a batch, with what it leads to. Nothing in it is saved yet.

    `score_before` and `score` are the guild's before and after its points.
    """

    violation: Violation
    guild: Guild
    ladder: LadderSpec
    sanction: Sanction
    penalties: list[Penalty]
    crossings: list[BandCrossing]
    excused_by: Lesson | None = None
    score_before: int = 100
    score: int = 100


class Offences:
    """How often each guild has broken each code, as the batch moves along."""

    def __init__(self, guild_ids: Iterable[int], codes: Iterable[str]) -> None:
        self.moments: dict[tuple[int, str], list[tuple[int, dt.datetime]]] = {}
        rows = Sanction.objects.filter(
            guild_id__in=list(guild_ids), code__in=set(codes), reversed_at__isnull=True, amnesty=False
        ).values_list("guild_id", "code", "violation_id", "violation__occurred_at")
        for guild_id, code, violation_id, moment in rows:
            self.moments.setdefault((guild_id, code), []).append((violation_id, moment))

    def nth(self, violation: Violation, window: dt.timedelta) -> int:
        """1 + the other sanctioned violations of the code in (t − window, t], and remember this one.

        An audit previews what has been decided already: that must look as it did before.
        """
        known = self.moments.setdefault((violation.guild_id, violation.code), [])
        moment = violation.occurred_at
        others = [at for violation_id, at in known if violation_id != violation.pk]
        count = 1 + sum(1 for at in others if moment - window < at <= moment)
        known.append((violation.pk, moment))
        return count


def weigh(
    violations: Sequence[Violation],
    guilds: Mapping[int, Guild],
    *,
    deciders: Mapping[int, int],
    now: dt.datetime,
) -> tuple[list[Case], Standings]:
    """The consequences of violations, which come by guild and in order of occurrence, and the standings they lead to.

    Guilds come with market and regime, violations with version, rule, market and creator; `deciders` is who confirmed which
    violation. The number of queries does not grow with the batch.
    """
    concerned = {violation.guild_id: guilds[violation.guild_id] for violation in violations}
    offences = Offences(concerned, {violation.code for violation in violations})
    standings = Standings(concerned, now)
    amnesties = Amnesties(concerned, {violation.rule_id for violation in violations})
    around = Surroundings(concerned, now)
    cases = []
    for violation in violations:
        guild, decider = guilds[violation.guild_id], deciders.get(violation.pk)
        case = _case(violation, guild, offences, amnesties.use(violation), around, decider, now)
        _charge(case, standings, around, now)
        cases.append(case)
    return cases, standings


def _case(
    violation: Violation,
    guild: Guild,
    offences: Offences,
    excused_by: Lesson | None,
    around: Surroundings,
    proposed_by: int | None,
    now: dt.datetime,
) -> Case:
    """The rung the violation lands on. Excused, it is a warning alone: no points, and no offence later ones count from."""
    ladder = ladder_of(violation.version, violation.market.code)
    nth, points = 0, 0
    if excused_by is None:
        nth = offences.nth(violation, ladder.window)
        points = points_of(ladder, violation.version.spec.get("share") if violation.creator_id else None)
    sanction = Sanction(
        violation=violation,
        guild=guild,
        code=violation.code,
        nth=nth,
        points=points,
        amnesty=excused_by is not None,
        created_at=now,
    )
    penalties = penalties_draft(
        guild=guild,
        violation=violation,
        steps=amnesty.STEPS if excused_by else ladder.rung(nth),
        now=now,
        proposed_by=proposed_by,
        surroundings=around,
    )
    return Case(violation, guild, ladder, sanction, penalties, [], excused_by=excused_by)


def _charge(case: Case, standings: Standings, around: Surroundings, now: dt.datetime) -> None:
    case.score_before = standings.rows[case.guild.pk].score
    case.score = standings.move(case.guild.pk, case.sanction.points).score
    case.crossings = standings.crossings_entered(case.guild.pk, case.violation)
    for crossing in case.crossings:
        case.penalties += penalties_draft(
            guild=case.guild,
            violation=case.violation,
            steps=crossing.band.penalties,
            now=now,
            crossing=crossing,
            surroundings=around,
        )
