"""Questions about cases: who may judge which, in what order, and what a page may show."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable

from django.core.cache import cache
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from redis.exceptions import RedisError

from governance.ledger.models import Event
from governance.ledger.selectors import events_of
from governance.review import ranking
from governance.review.enums import CaseKind, CaseStatus
from governance.review.models import Absence, Case, Desk, Judgement, Queue, Target
from governance.review.presence import look, looking_at
from governance.review.ranking import Promise
from governance.rules.enums import ReviewMode, Severity
from governance.violations.enums import ViolationStatus
from governance.violations.models import Review, Violation
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import NotFound
from guilds.models import StaffRole, User

__all__ = [
    "absent_now",
    "accuracy_of",
    "blind",
    "case_by_public_id",
    "cases_visible_to",
    "escalations",
    "has_judged",
    "is_given",
    "last_change",
    "locked_case",
    "look",
    "looking_at",
    "my_queue",
    "next_case",
    "promises",
    "queue_default",
    "reviewers_of",
    "why_here",
]

OPEN = (CaseStatus.WAITING, CaseStatus.ON_HOLD)
DEFAULT_QUEUE = "general"
#: How far back the accuracy of a rule is counted, and for how long a figure is kept.
ACCURACY_WINDOW = dt.timedelta(days=90)
ACCURACY_SECONDS = 900

#: The acts that make a page out of date: those that raise `Case.revision`. Claims, notes and the clock do not.
CHANGES = tuple(f"case.{act}" for act in "held resumed escalated assigned judged withdrawn".split())

RELATED = (
    "queue",
    "violation__version",
    "rule__risk",
    "guild",
    "market",
    "claimed_by",
    "assigned_to",
    "escalated_by",
)


# --- who sees and judges what -----------------------------------------------------------------------------------------
def cases_visible_to(actor: Actor) -> QuerySet[Case]:
    """The cases of the actor's markets; none for guilds and machine clients."""
    found = Case.objects.select_related(*RELATED)
    if actor.kind not in ("staff", "system") or actor.guild_id is not None:
        return found.none()
    return found if actor.market_ids is None else found.filter(market_id__in=actor.market_ids)


def case_by_public_id(public_id: str, *, actor: Actor) -> Case:
    """The case if the actor may see it, else NotFound."""
    found = cases_visible_to(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such case.")
    return found


def my_queue(actor: Actor) -> QuerySet[Case]:
    """What the actor could judge now, in the order in which it is wanted; empty for whoever is not a reviewer.

    Waiting cases of the actor's markets and of the queues of the actor's desk, and whatever is assigned to the actor. Not
    those that somebody else has claimed or is assigned, that the actor escalated or whose violation the actor has judged;
    of a violation judged by two the actor sees one place.

    Read along an index in the order asked for: a page costs the same whatever the number of cases, as long as most of what
    stands at the top of the queue is for the actor.
    """
    if actor.user_id is None or not actor.has_role(Role.REVIEWER):
        return Case.objects.none()
    me, now = actor.user_id, timezone.now()
    free = Q(claimed_by__isnull=True) | Q(claimed_until__lte=now)
    mine = Q(assigned_to=me) | Q(claimed_by=me, claimed_until__gt=now)
    desk_queues = Desk.queues.through.objects.filter(desk=me).values("queue")
    others = Case.objects.filter(
        violation=OuterRef("violation"), kind=CaseKind.VERDICT, status=CaseStatus.WAITING
    )
    return (
        cases_visible_to(actor)
        .filter(free | Q(claimed_by=me), status=CaseStatus.WAITING)
        .filter(Q(assigned_to__isnull=True) | Q(assigned_to=me))
        .filter(Q(escalated_by__isnull=True) | ~Q(escalated_by=me))
        .filter(mine | ~Exists(desk_queues) | Q(queue__in=desk_queues))
        .filter(~Exists(Review.objects.filter(violation=OuterRef("violation"), reviewer=me)))
        .filter(~Exists(Judgement.objects.filter(case__violation=OuterRef("violation"), reviewer=me)))
        .filter(
            mine
            | ~Q(kind=CaseKind.VERDICT)
            | ~Exists(
                others.filter(mine)
                | others.filter(free, place__lt=OuterRef("place"), assigned_to__isnull=True)
            )
        )
        .order_by("urgent_at", "id")
    )


def next_case(actor: Actor, after: Case | None = None) -> Case | None:
    """The case to judge next: one the actor has claimed already, else the one after `after`, else the first.

    A case that is passed over stays where it is and comes again when the queue begins anew.
    """
    queue = my_queue(actor)
    others = queue if after is None else queue.exclude(pk=after.pk)
    if after is None or after.status != CaseStatus.WAITING:
        claimed = others.filter(claimed_by=actor.user_id, claimed_until__gt=timezone.now()).first()
        if claimed is not None:
            return claimed
    if after is None:
        return queue.first()
    # Written as a range, so that the index is entered at the right place.
    following = others.filter(urgent_at__gte=after.urgent_at).exclude(
        urgent_at=after.urgent_at, id__lte=after.pk
    )
    return following.first() or others.first()


def escalations(actor: Actor) -> QuerySet[Case]:
    """Escalated cases that wait: all of the market for reviewers, those of severity S1 for enforcers too."""
    found = (
        cases_visible_to(actor)
        .filter(status__in=OPEN, escalated_at__isnull=False)
        .order_by("urgent_at", "id")
    )
    if actor.has_role(Role.REVIEWER, Role.ADMIN, Role.AUDITOR):
        return found
    return found.filter(severity=Severity.S1) if actor.has_role(Role.ENFORCER) else found.none()


def has_judged(user_id: int, case: Case) -> bool:
    """Whether the person has said anything about this violation before."""
    if case.violation_id is None:
        return False
    return (
        Review.objects.filter(violation=case.violation_id, reviewer=user_id).exists()
        or Judgement.objects.filter(case__violation=case.violation_id, reviewer=user_id).exists()
    )


def blind(case: Case) -> bool:
    """Whether the page of the case must not show what others said: nobody judges under the eyes of the first.

    So are cases of a violation that two judge until it is decided, and audits and golden cases until they are judged.
    """
    if case.kind != CaseKind.VERDICT or case.violation is None:
        return case.status in OPEN
    return case.violation.review == ReviewMode.DUAL and case.violation.status == ViolationStatus.OPEN


def reviewers_of(market_id: int | None = None) -> QuerySet[User]:
    """Active staff who may give verdicts, of one market where one is given."""
    reviewers = StaffRole.objects.filter(role=Role.REVIEWER).values("user")
    found = User.objects.filter(is_active=True, is_staff=True).filter(
        Q(pk__in=reviewers) | Q(is_superuser=True)
    )
    if market_id is None:
        return found
    here = User.objects.filter(markets=market_id).values("pk")
    return found.filter(Q(all_markets=True) | Q(is_superuser=True) | Q(pk__in=here))


def absent_now(now: dt.datetime | None = None) -> QuerySet[Absence]:
    now = now or timezone.now()
    return Absence.objects.filter(starts_at__lte=now, ends_at__gt=now)


# --- one case ---------------------------------------------------------------------------------------------------------
def locked_case(case_id: int) -> Case:
    """The case, locked until the transaction ends. Its violation first: acts on its two places queue up. NotFound."""
    violation_id = Case.objects.filter(pk=case_id).values_list("violation", flat=True).first()
    if violation_id is not None:
        Violation.objects.select_for_update(no_key=True).filter(pk=violation_id).values("pk").first()
    found = (
        Case.objects.select_for_update(of=("self",), no_key=True)
        .select_related("violation__version", "rule", "guild", "market", "queue", "claimed_by", "assigned_to")
        .filter(pk=case_id)
        .first()
    )
    if found is None:
        raise NotFound("There is no such case.")
    return found


def last_change(case: Case) -> Event | None:
    """Who last did what to the case, by the ledger: the verdict that ended it, or the act upon it."""
    if (
        case.status in (CaseStatus.DONE, CaseStatus.WITHDRAWN)
        and case.kind == CaseKind.VERDICT
        and case.violation
    ):
        verdicts = events_of(case.violation).filter(
            act__in=("violation.confirmed", "violation.dismissed", "violation.reviewed")
        )
        if case.done_by_id is not None:
            verdicts = verdicts.filter(actor_id=str(case.done_by_id))
        return verdicts.last()
    return events_of(case).filter(act__in=CHANGES).last()


def is_given(case: Case) -> bool:
    """Whether somebody gave the case to its reviewer. A golden case has one from the start, and must look like all the others."""
    return case.assigned_to_id is not None and case.assigned_at is not None


def why_here(case: Case) -> list[str]:
    """Why the case stands where it stands in the queue, in sentences; one query more than the case, or none."""
    accuracy = accuracy_of([case.rule_id]).get(case.rule_id) if case.rule_id else None
    return ranking.reasons(
        severity=case.severity,
        opened_at=case.opened_at,
        due_at=case.due_at,
        harm=case.rule.risk.harm if case.rule else None,
        accuracy=accuracy,
        escalated=case.escalated_at is not None,
        now=timezone.now(),
    )


# --- what ranking and routing ask ---------------------------------------------------------------------------------------
def queue_default() -> Queue:
    """Where goes what no route names; made when first asked for."""
    return Queue.objects.get_or_create(code=DEFAULT_QUEUE, defaults={"name": "General"})[0]


def promises() -> dict[tuple[str, int | None], Promise]:
    """By severity and market; market None: every other one."""
    found: dict[tuple[str, int | None], Promise] = {
        (severity, None): ranking.default_promise(severity) for severity in Severity.values
    }
    for target in Target.objects.all():
        found[target.severity, target.market_id] = Promise(
            hours=target.hours, warn_percent=target.warn_percent
        )
    return found


def accuracy_of(rule_ids: Iterable[int]) -> dict[int, float]:
    """How much of what each rule found in the last 90 days, and people decided, was upheld; counted once a quarter of an hour.

    Without the cache slower, not gone. A rule without decisions has the accuracy of one that is unknown.
    """
    quarter = int(timezone.now().timestamp()) // ACCURACY_SECONDS
    keys = {f"review-accuracy:{rule_id}:{quarter}": rule_id for rule_id in rule_ids}
    try:
        kept = {keys[key]: value for key, value in cache.get_many(keys).items()}
    except RedisError:
        return _counted(keys.values())
    counted = _counted([rule_id for rule_id in keys.values() if rule_id not in kept])
    with contextlib.suppress(RedisError):
        cache.set_many(
            {key: counted[rule_id] for key, rule_id in keys.items() if rule_id in counted}, ACCURACY_SECONDS
        )
    return kept | counted


def _counted(rule_ids: Iterable[int]) -> dict[int, float]:
    wanted = list(rule_ids)
    found = dict.fromkeys(wanted, ranking.accuracy_from(0, 0))
    if not wanted:
        return found
    rows = (
        Violation.objects.filter(rule__in=wanted, detected_at__gt=timezone.now() - ACCURACY_WINDOW)
        .exclude(status=ViolationStatus.OPEN)
        .exclude(review=ReviewMode.AUTO)
        .order_by()
        .values("rule")
        .annotate(decided=Count("pk"), upheld=Count("pk", filter=Q(status=ViolationStatus.CONFIRMED)))
    )
    for row in rows:
        found[row["rule"]] = ranking.accuracy_from(row["upheld"], row["decided"])
    return found
