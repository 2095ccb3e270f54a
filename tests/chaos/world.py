"""Penalties of several kinds over many guilds, scheduled at random over the run. Needs Django to be set up."""

from __future__ import annotations

import datetime as dt
import random

from django.db.models import F
from django.utils import timezone

from governance.models import Notice, Penalty, Violation
from tests import factories
from tests.chaos.model import Planned

#: Of a hundred penalties; a warning has no end, everything else ends within the run.
SHARES = {
    "recruitment_freeze": 30,
    "settlement_hold": 20,
    "reward_freeze": 15,
    "traffic_limit": 10,
    "suspension": 10,
    "tier_removal": 10,
    "warning": 5,
}
PENALTIES_PER_GUILD = 20


#: Seconds from the moment in which all are scheduled until the first one is due.
LEAD_SECONDS = 10


def build(penalties: int, *, seconds: float, chance: random.Random) -> list[Planned]:
    """Schedule them: the first one starts LEAD_SECONDS after all are there, the last one ends `seconds` later.

    Writing them takes a while, so they are written for tomorrow and moved to today in one statement.
    """
    begin = timezone.now() + dt.timedelta(days=1)
    version = factories.version()
    market = factories.market()
    guilds = [
        factories.guild(market=market, tier="star") for _ in range(max(1, penalties // PENALTIES_PER_GUILD))
    ]
    violations, notices, rows = [], [], []
    now = timezone.now()
    for number in range(penalties):
        guild = chance.choice(guilds)
        [kind] = chance.choices(list(SHARES), weights=list(SHARES.values()))
        starts = begin + dt.timedelta(seconds=chance.uniform(0, 0.85 * seconds))
        rest = (begin - starts).total_seconds() + seconds
        ends = None if kind == "warning" else starts + dt.timedelta(seconds=chance.uniform(0.5, rest))
        violation = Violation(
            rule=version.rule,
            version=version,
            code=version.violation_code,
            severity=version.severity,
            review=version.review,
            status="confirmed",
            guild=guild,
            market=market,
            subject=f"n{number}",
            occurred_at=now,
            detected_at=now,
            decided_at=now,
            sanction_due=False,
        )
        notice = Notice(
            guild=guild,
            kind="penalty_imposed",
            object_type="violation",
            object_id=str(number),
            language="en",
            subject="Measure",
            body="As announced.",
            issued_at=now,
        )
        row = Penalty(
            guild=guild,
            market=market,
            violation=violation,
            version=version,
            kind=kind,
            params={"kind": kind},
            status="scheduled",
            notice=notice,
            proposed_at=now,
            starts_at=starts,
            ends_at=ends,
        )
        violations.append(violation)
        notices.append(notice)
        rows.append(row)
    Violation.objects.bulk_create(violations, batch_size=1000)
    Notice.objects.bulk_create(notices, batch_size=1000)
    Penalty.objects.bulk_create(rows, batch_size=1000)
    back = begin - timezone.now() - dt.timedelta(seconds=LEAD_SECONDS)
    Penalty.objects.update(starts_at=F("starts_at") - back, ends_at=F("ends_at") - back)
    return [
        Planned(
            str(row.public_id),
            row.guild.external_id,
            row.kind,
            (row.starts_at - back).timestamp(),
            (row.ends_at - back).timestamp() if row.ends_at else None,
        )
        for row in rows
    ]
