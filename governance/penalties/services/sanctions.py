"""From a confirmed violation to its consequences: the nth offence, points, bands, penalties and the notice, in one commit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from governance.ledger.services import Entry, record_many
from governance.notices.services import notices_send
from governance.notices.wording import Wordings
from governance.penalties.enums import PenaltyStatus, PointReason
from governance.penalties.models import BandCrossing, Penalty, PointEntry, Sanction
from governance.penalties.origins import origins_of
from governance.penalties.selectors import lock_guilds
from governance.penalties.services.drafts import penalties_draft, penalty_entries, rectifications_open
from governance.penalties.services.points import Standings
from governance.penalties.services.reasons import imposed_draft
from governance.penalties.services.weighing import Case, Offences, weigh
from governance.violations.enums import Verdict
from governance.violations.models import Review, Violation
from guilds.accounts.actor import Actor
from guilds.nudges import nudge

__all__ = ["Case", "Offences", "penalties_draft", "penalty_entries", "sanctions_decide_due"]

ACTOR = "sanctions"


@transaction.atomic
def sanctions_decide_due(*, limit: int = 500, now: dt.datetime | None = None) -> int:
    """Work out the consequences of up to `limit` confirmed violations and return how many were settled.

    Per guild in order of occurrence. Guilds that somebody else has locked wait for the next call. Everything a violation
    leads to commits together: sanction, points, standing, band crossings, penalties, notice, ledger.
    Records points.charged per violation, penalty.scheduled or penalty.held per penalty, rectification.asked where correction
    stops one, notice.sent per notice.
    """
    now = now or timezone.now()
    waiting = Violation.objects.filter(sanction_due=True)
    guilds = lock_guilds(
        set(waiting.order_by("pk").values_list("guild_id", flat=True)[:limit]), skip_locked=True
    )
    violations = list(
        waiting.select_for_update(of=("self",))
        .filter(guild_id__in=guilds)
        .select_related("version", "rule", "creator", "market")
        .order_by("guild_id", "occurred_at", "pk")[:limit]
    )
    if not violations:
        return 0
    deciders = dict(
        Review.objects.filter(violation__in=violations, verdict=Verdict.CONFIRM)
        .order_by("pk")
        .values_list("violation_id", "reviewer_id")
    )
    cases, standings = weigh(violations, guilds, deciders=deciders, now=now)
    _save(cases, standings, now)
    nudge("governance.penalties.apply_due")
    return len(cases)


def _save(cases: Sequence[Case], standings: Standings, now: dt.datetime) -> None:
    actor, wordings = Actor.system(ACTOR), Wordings()
    origins = origins_of([case.violation for case in cases])
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
                origin=origins[case.violation.pk],
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
    entries += rectifications_open([penalty for case in cases for penalty in case.penalties], now=now)
    record_many(actor=actor, entries=entries)
