"""What the tests of samples start from: decided violations, guild-days, and audits judged by the review's own services."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from django.utils import timezone

from governance.ledger.models import Event
from governance.models import Case, Review, Rule, RuleVersion, Sample, SampleItem, Violation
from governance.quality import services
from governance.review.services import case_decide
from guilds.accounts.actor import Actor
from guilds.models import Activity, Guild, User
from tests import factories

UTC = dt.UTC
SINCE = dt.datetime(2026, 3, 2, tzinfo=UTC)
UNTIL = dt.datetime(2026, 3, 9, tzinfo=UTC)


def analyst(**fields: Any) -> Actor:
    return Actor.staff(factories.staff("analyst", **fields))


def reviewer(**fields: Any) -> Actor:
    return Actor.staff(factories.staff("reviewer", **fields))


def decided(
    guild: Guild,
    version: RuleVersion,
    status: str = "confirmed",
    *,
    by: User | None = None,
    at: dt.datetime = SINCE + dt.timedelta(days=1),
    **fields: Any,
) -> Violation:
    """A violation decided at a time; by a rule alone unless a reviewer is given."""
    made = factories.violation(guild, version, status=status, evidence=False, occurred_at=at, **fields)
    Violation.objects.filter(pk=made.pk).update(decided_at=at)
    made.refresh_from_db()
    if by is not None:
        verdict = "confirm" if status in {"confirmed", "overturned"} else "dismiss"
        Review.objects.create(violation=made, reviewer=by, verdict=verdict, reason="Seen.", created_at=at)
    return made


def several(guild: Guild, version: RuleVersion, count: int, **fields: Any) -> list[Violation]:
    start = SINCE + dt.timedelta(days=1)
    return [
        decided(guild, version, at=start + dt.timedelta(minutes=number), **fields) for number in range(count)
    ]


def active(guild: Guild, day: dt.date, hours: str = "5") -> Activity:
    return Activity.objects.create(guild=guild, date=day, live_hours=Decimal(hours), active_creators=0)


def drawn(actor: Actor, kind: str = "decisions", *, size: int = 100, **fields: Any) -> Sample:
    fields = {"name": "A sample", "since": SINCE, "until": UNTIL, "seed": 7, **fields}
    return services.sample_draw(actor=actor, kind=kind, size=size, **fields)


def handed_out(actor: Actor, kind: str = "decisions", **fields: Any) -> Sample:
    sample = drawn(actor, kind, **fields)
    services.sample_hand_out(actor=actor, sample_id=sample.pk, limit=1_000)
    return sample


def judge(item: SampleItem, opinion: str, *, by: Actor | None = None, code: str = "") -> Case:
    item.refresh_from_db()
    assert item.case_id is not None
    return case_decide(
        actor=by or reviewer(), case_id=item.case_id, opinion=opinion, reason="Looked at it.", code=code
    )


def acts(*names: str) -> int:
    return Event.objects.filter(act__in=names).count()


def rule_with(code: str, severity: str = "S2", **fields: Any) -> RuleVersion:
    found = Rule.objects.filter(code=code).first() or factories.rule(code)
    return factories.version(found, severity=severity, **fields)


def last_week(now: dt.datetime | None = None) -> tuple[dt.datetime, dt.datetime]:
    day = (now or timezone.now()).astimezone(UTC).date()
    until = dt.datetime.combine(day - dt.timedelta(days=day.weekday()), dt.time(), UTC)
    return until - dt.timedelta(days=7), until
