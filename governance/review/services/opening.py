"""How cases come to be: in bulk for what detection opened, and one by one for who asks for an opinion.

Opening a case decides nothing and is not told in the ledger: it follows from the violation's own event, or from the sample that
asked. What it may add is: a violation drawn to be judged by two is recorded as such.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models import Count
from django.utils import timezone

from governance.ledger.services import Entry, record_many
from governance.review import ranking, routing
from governance.review.enums import CaseKind, CaseStatus
from governance.review.models import Case, Queue, Route
from governance.review.ranking import Promise
from governance.review.selectors import accuracy_of, promises, queue_default
from governance.rules.enums import ReviewMode, Severity
from governance.violations.enums import ViolationStatus
from governance.violations.models import Review, Violation
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput
from guilds.models import Guild, Market, User

#: How many agreeing verdicts decide.
VERDICTS_NEEDED = {ReviewMode.AUTO: 1, ReviewMode.HUMAN: 1, ReviewMode.DUAL: 2}

#: The open violations that nobody is asked about; locked, for a verdict may open their cases as well. All severities are named
#: so that the index of what is open, by severity and time of detection, is entered at `since`.
_UNASKED = """
SELECT v.id FROM governance_violation v
WHERE v.status = 'open' AND v.severity = ANY(%(severities)s) AND v.detected_at > %(since)s AND NOT EXISTS (
    SELECT 1 FROM governance_case c
    WHERE c.violation_id = v.id AND c.kind = 'verdict' AND c.status IN ('waiting', 'on_hold')
)
LIMIT %(limit)s FOR NO KEY UPDATE OF v SKIP LOCKED
"""


@transaction.atomic
def cases_open_due(*, limit: int = 1000, within: dt.timedelta | None = None) -> int:
    """Open the cases of up to `limit` open violations that nobody is asked about; returns how many violations were dealt with.

    `within` looks at what was detected so lately only, which costs the same however many are open; None at everything.
    Twice or side by side does no harm: a place of a violation has one case. Records `violation.judged_by_two`.
    """
    since = timezone.now() - within if within else dt.datetime(1, 1, 1, tzinfo=dt.UTC)
    with connection.cursor() as cursor:
        cursor.execute(_UNASKED, {"severities": Severity.values, "since": since, "limit": limit})
        keys = [row[0] for row in cursor.fetchall()]
    if keys:
        found = Violation.objects.select_related("rule__risk", "market").filter(
            pk__in=keys, status=ViolationStatus.OPEN
        )
        cases_open(list(found.order_by("pk")))
    return len(keys)


def cases_open(violations: Sequence[Violation]) -> None:
    """Open whatever cases these open violations, locked by the caller, still need. The statements do not grow with their number.

    A violation needs so many cases that those judged and those open make up the verdicts asked for, and one more while its
    verdicts disagree.
    """
    keys = [violation.pk for violation in violations]
    judged = _judged(keys)
    taken: dict[int, dict[int, str]] = {key: {} for key in keys}
    standing = Case.objects.filter(violation__in=keys, kind=CaseKind.VERDICT).exclude(
        status=CaseStatus.WITHDRAWN
    )
    for violation_id, place, status in standing.values_list("violation", "place", "status"):
        taken[violation_id][place] = status
    plan = Plan.now([violation.rule_id for violation in violations])
    routed = [(violation, plan.queue_of(CaseKind.VERDICT, violation)) for violation in violations]
    _judge_by_two([v for v, queue in routed if not judged[v.pk] and not taken[v.pk] and drawn(v, queue)])
    made = []
    for violation, queue in routed:
        verdicts, places = judged[violation.pk], taken[violation.pk]
        wanted = max(VERDICTS_NEEDED[ReviewMode(violation.review)], verdicts + 1)
        # Verdicts from before there were cases have used up the first places.
        older = verdicts - sum(status == CaseStatus.DONE for status in places.values())
        for place in range(1 + max(older, 0), wanted + 1):
            if place not in places:
                opened_at = plan.at if place > 2 else violation.detected_at
                made.append(plan.case(CaseKind.VERDICT, violation, queue, place=place, opened_at=opened_at))
    Case.objects.bulk_create(made, batch_size=1000, ignore_conflicts=True)


def drawn(violation: Violation, queue: Queue) -> bool:
    """Whether the queue's share falls on this violation: the same answer whenever and wherever it is asked."""
    if violation.review != ReviewMode.HUMAN or queue.double_share <= 0:
        return False
    digest = hashlib.sha256(f"judged by two:{violation.public_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < queue.double_share


def _judge_by_two(violations: Sequence[Violation]) -> None:
    for violation in violations:
        violation.review = ReviewMode.DUAL
    Violation.objects.filter(pk__in=[violation.pk for violation in violations]).update(review=ReviewMode.DUAL)
    entries = [
        Entry(
            act="violation.judged_by_two",
            object_type=Violation.ledger_type,
            object_id=str(violation.public_id),
            before={"review": ReviewMode.HUMAN.value},
            after={"review": ReviewMode.DUAL.value},
            reason="Drawn at random.",
            guild_id=violation.guild_id,
            market_id=violation.market_id,
        )
        for violation in violations
    ]
    record_many(actor=Actor.system("double review"), entries=entries)


def _judged(violation_ids: Sequence[int]) -> dict[int, int]:

    found = dict.fromkeys(violation_ids, 0)
    rows = (
        Review.objects.filter(violation__in=violation_ids)
        .order_by()
        .values("violation")
        .annotate(n=Count("pk"))
    )
    found.update({row["violation"]: row["n"] for row in rows})
    return found


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What opening needs to know, read once for a batch."""

    at: dt.datetime
    routes: Sequence[Route]
    fallback: Queue
    promises: dict[tuple[str, int | None], Promise]
    accuracy: dict[int, float] = field(default_factory=dict)

    @classmethod
    def now(cls, rule_ids: Iterable[int]) -> Plan:
        return cls(
            at=timezone.now(),
            routes=list(Route.objects.select_related("queue").order_by("position")),
            fallback=queue_default(),
            promises=promises(),
            accuracy=accuracy_of(set(rule_ids)),
        )

    def promise(self, severity: str, market_id: int) -> Promise:
        return self.promises.get((severity, market_id)) or self.promises[severity, None]

    def queue(self, subject: routing.Subject) -> Queue:
        route = routing.first_fitting(self.routes, subject)
        return route.queue if route else self.fallback

    def queue_of(self, kind: str, violation: Violation) -> Queue:
        return self.queue(
            routing.Subject(
                kind=kind,
                severity=violation.severity,
                market=violation.market.code,
                rule=violation.rule.code,
            )
        )

    def case(
        self, kind: str, violation: Violation, queue: Queue, *, place: int, opened_at: dt.datetime
    ) -> Case:
        """Due from `opened_at` on; urgent as if asked when the violation was found, where it is still to be decided."""
        promise = self.promise(violation.severity, violation.market_id)
        return Case(
            kind=kind,
            place=place,
            queue=queue,
            violation=violation,
            rule_id=violation.rule_id,
            guild_id=violation.guild_id,
            market_id=violation.market_id,
            severity=violation.severity,
            opened_at=opened_at,
            urgent_at=ranking.urgent_at(
                violation.detected_at if kind == CaseKind.VERDICT else opened_at,
                promise,
                harm=violation.rule.risk.harm,
                accuracy=self.accuracy.get(violation.rule_id),
            ),
            due_at=ranking.due_at(opened_at, promise),
        )


@transaction.atomic
def case_ask(
    *,
    kind: str,
    violation: Violation | None = None,
    guild: Guild | None = None,
    day: dt.date | None = None,
    market: Market | None = None,
    severity: str = Severity.S3,
    assigned_to: User | None = None,
) -> Case:
    """Put an audit, a golden case or an unflagged guild-day into the queue; it decides nothing for the guild.

    An audit or golden case is about a `violation` and bears its severity; a coverage case about a `guild` and `day` (of the
    guild's market unless one is given). The caller has recorded why. `assigned_to` is the only one to be asked, and is not
    told so: the case was not given by anybody, and looks free (`is_given`). Raises InvalidInput.
    """
    if kind == CaseKind.VERDICT:
        raise InvalidInput("Verdicts are asked for by detection.", field="kind")
    about_day = kind == CaseKind.COVERAGE
    if about_day != (violation is None) or about_day != (guild is not None and day is not None):
        raise InvalidInput(
            "Name the violation, or the guild and the day of an unflagged one.", field="violation"
        )
    now = timezone.now()
    plan = Plan.now([violation.rule_id] if violation else [])
    if violation is not None:
        case = plan.case(kind, violation, plan.queue_of(kind, violation), place=1, opened_at=now)
    else:
        assert guild is not None
        market = market or guild.market
        promise = plan.promise(severity, market.pk)
        case = Case(
            kind=kind,
            queue=plan.queue(routing.Subject(kind=kind, severity=severity, market=market.code)),
            guild=guild,
            market=market,
            day=day,
            severity=severity,
            opened_at=now,
            urgent_at=ranking.urgent_at(now, promise, harm=None, accuracy=None),
            due_at=ranking.due_at(now, promise),
        )
    case.assigned_to = assigned_to
    case.save()
    return case
