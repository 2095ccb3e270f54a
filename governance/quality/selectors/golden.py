"""Golden cases: who may know them, whom to ask which, and what a reviewer is told afterwards."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from governance.quality.models import GoldenCase
from governance.review.enums import CaseKind, CaseStatus, Opinion
from governance.review.models import Case, Judgement
from governance.violations.enums import Verdict
from governance.violations.models import Review
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.models import User

#: Who makes and retires golden cases, and who may read them. Nobody of these is ever asked one.
ASKED_BY = (Role.ANALYST, Role.ADJUDICATOR, Role.ADMIN)
READ_BY = (*ASKED_BY, Role.AUDITOR)
#: One golden case for so many decisions of a reviewer, and one a week at least.
ONE_IN = 50
WEEK = dt.timedelta(days=7)


def may_read_golden(actor: Actor) -> bool:
    return actor.kind == "system" or (actor.kind == "staff" and actor.has_role(*READ_BY))


def golden_visible_to(actor: Actor) -> QuerySet[GoldenCase]:
    """Golden cases of the actor's markets; none for those who may be asked one."""
    found = GoldenCase.objects.select_related("violation__guild", "violation__rule", "made_by")
    if not may_read_golden(actor):
        return found.none()
    return found if actor.market_ids is None else found.filter(violation__market__in=actor.market_ids)


# --- whom to ask which --------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Owed:
    """A reviewer with `decisions` in the last week who is due another golden case."""

    user: User
    decisions: int


def reviewers_to_ask(now: dt.datetime) -> list[Owed]:
    """Reviewers at work who have had fewer golden cases within a week than ONE_IN asks for, and have none waiting.

    Those who may read golden cases are left out. Ordered by id.
    """
    known = Q(staff_roles__role__in=READ_BY)
    reviewers = (
        User.objects.filter(
            is_active=True, is_staff=True, is_superuser=False, staff_roles__role=Role.REVIEWER
        )
        .exclude(pk__in=User.objects.filter(known).values("pk"))
        .order_by("pk")
    )
    since = now - WEEK
    decided = dict(
        Review.objects.filter(created_at__gt=since, reviewer__in=reviewers)
        .order_by()
        .values_list("reviewer")
        .annotate(times=Count("pk"))
    )
    asked: dict[int, int] = {}
    waiting = set()
    given = Case.objects.filter(kind=CaseKind.GOLDEN, assigned_to__in=decided).exclude(
        status=CaseStatus.WITHDRAWN
    )
    for user, status, opened_at in given.filter(
        Q(opened_at__gt=since) | ~Q(status=CaseStatus.DONE)
    ).values_list("assigned_to", "status", "opened_at"):
        if status != CaseStatus.DONE:
            waiting.add(user)
        if opened_at > since:
            asked[user] = asked.get(user, 0) + 1
    return [
        Owed(user, decided[user.pk])
        for user in reviewers
        if user.pk in decided
        and user.pk not in waiting
        and asked.get(user.pk, 0) < max(1, decided[user.pk] // ONE_IN)
    ]


def golden_to_ask(user: User) -> GoldenCase | None:
    """An active golden case in the reviewer's markets that the reviewer neither made, judged nor was ever asked; else None.

    Which one is a matter of a hash of both, so that no two reviewers meet them in the same order.
    """
    mine = Q(assigned_to=user) | Q(done_by=user) | Q(claimed_by=user)
    met = Case.objects.filter(mine, violation=OuterRef("violation")).exclude(status=CaseStatus.WITHDRAWN)
    judged = Review.objects.filter(violation=OuterRef("violation"), reviewer=user)
    fresh = (
        golden_visible_to(Actor.system("quality"))
        .filter(is_active=True)
        .exclude(made_by=user)
        .exclude(Exists(met))
        .exclude(Exists(judged))
    )
    reach = Actor.staff(user).market_ids
    if reach is not None:
        fresh = fresh.filter(violation__market__in=reach)
    chosen = _first(fresh.order_by().values_list("pk", flat=True), user)
    return fresh.get(pk=chosen) if chosen is not None else None


def _first(golden: Iterable[int], user: User) -> int | None:
    def place(pk: int) -> bytes:
        return hashlib.sha256(f"{user.pk}|{pk}".encode()).digest()

    return min(golden, key=place, default=None)


# --- afterwards -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class GoldenFeedback:
    """What a reviewer is shown after a golden case: `right` is None where the reviewer could not tell."""

    opinion: Opinion
    expected: Verdict
    right: bool | None
    explanation: str


def golden_feedback(case: Case) -> GoldenFeedback | None:
    """What to show the reviewer of a golden case once it has been judged; None for every other case."""
    if case.kind != CaseKind.GOLDEN or case.status != CaseStatus.DONE:
        return None
    judgement = Judgement.objects.filter(case=case).first()
    golden = GoldenCase.objects.filter(violation=case.violation_id).first()
    if judgement is None or golden is None:
        return None
    opinion, expected = Opinion(judgement.opinion), Verdict(golden.expected)
    right = None if opinion == Opinion.UNCLEAR else opinion.value == expected.value
    return GoldenFeedback(opinion, expected, right, golden.explanation)
