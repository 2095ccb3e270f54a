"""How reviewers are doing, for each of them alone: a help to get better, never a ranking."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from governance.engine.intervals import FEWEST, Share
from governance.quality.models import SampleItem
from governance.quality.statistics import Agreement, kappa_of_pairs, krippendorff_alpha
from governance.review.enums import CaseKind, CaseStatus, Opinion
from governance.review.models import Case, Judgement
from governance.violations.models import Review, Violation
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.models import User

#: What the page looks back on. Golden cases and audits are few, so that they are remembered longer.
WINDOW = dt.timedelta(days=90)
LONG_WINDOW = dt.timedelta(days=365)
DIFFERING_SHOWN = 20


@dataclass(frozen=True)
class AuditOfMine:
    """A blind audit that saw a violation otherwise than the reviewer had. Whose audit it was is not told."""

    violation: Violation
    mine: str
    audit: str
    reason: str
    at: dt.datetime


@dataclass(frozen=True)
class Known:
    """A golden case that the reviewer saw otherwise, with why it is as it is."""

    violation: Violation
    mine: str
    expected: str
    explanation: str
    at: dt.datetime


@dataclass(frozen=True)
class Doing:
    """One reviewer's own figures. Shares are None inside while they rest on too few cases; times are seconds."""

    user: User
    decisions: int
    audits_made: int
    golden: Share
    doubles: Share
    kappa: Agreement
    audited: Share
    differing: tuple[AuditOfMine, ...]
    known: tuple[Known, ...]
    median_seconds: float | None
    timed: int

    @property
    def kappa_shown(self) -> float | None:
        """Kappa, where enough pairs stand behind it."""
        return self.kappa.value if self.kappa.n >= FEWEST else None


def doing_of(user: User, *, now: dt.datetime | None = None) -> Doing:
    """The reviewer's figures. The number of queries does not depend on how much he or she has done.

    Decisions, doubles and times of WINDOW, golden cases and audits of LONG_WINDOW. Retired golden cases do not count.
    """
    now = now or timezone.now()
    since, long_since = now - WINDOW, now - LONG_WINDOW
    pairs = [(mine, other) for mine, other in _doubles(since, user) if mine is not None]
    done = Case.objects.filter(done_by=user, done_at__gt=since, status=CaseStatus.DONE)
    times = [seconds for seconds in done.values_list("seconds", flat=True) if seconds is not None]
    audits = _audits(user, long_since)
    judged = audits.count()
    differing = audits.exclude(case__judgement__opinion=F("mine"))
    return Doing(
        user=user,
        decisions=Review.objects.filter(reviewer=user, created_at__gt=since).count(),
        audits_made=Judgement.objects.filter(reviewer=user, created_at__gt=since)
        .exclude(case__kind=CaseKind.GOLDEN)
        .count(),
        golden=_golden(user, long_since),
        doubles=Share.of(sum(mine == other for mine, other in pairs), len(pairs)),
        kappa=kappa_of_pairs(pairs),
        audited=Share.of(judged - differing.count(), judged),
        differing=tuple(
            AuditOfMine(
                item.violation,
                item.mine,  # type: ignore[attr-defined]
                item.case.judgement.opinion,
                item.case.judgement.reason,
                item.case.judgement.created_at,
            )
            for item in differing.select_related("violation__guild", "case__judgement").order_by(
                "-case__judgement__created_at"
            )[:DIFFERING_SHOWN]
            if item.violation is not None and item.case is not None
        ),
        known=_known(user, long_since),
        median_seconds=float(median(times)) if times else None,
        timed=len(times),
    )


_RIGHT = Q(opinion=F("case__violation__golden__expected"))


def _answers(user: User, since: dt.datetime) -> QuerySet[Judgement]:
    return Judgement.objects.filter(
        reviewer=user,
        created_at__gt=since,
        case__kind=CaseKind.GOLDEN,
        case__violation__golden__is_active=True,
    )


def _golden(user: User, since: dt.datetime) -> Share:
    """How often the answer was the expected one; "cannot be told" is not."""
    counted = _answers(user, since).aggregate(n=Count("pk"), right=Count("pk", filter=_RIGHT))
    return Share.of(counted["right"], counted["n"])


def _known(user: User, since: dt.datetime) -> tuple[Known, ...]:
    otherwise = _answers(user, since).exclude(_RIGHT)
    return tuple(
        Known(
            answer.case.violation,
            answer.opinion,
            answer.case.violation.golden.expected,
            answer.case.violation.golden.explanation,
            answer.created_at,
        )
        for answer in otherwise.select_related("case__violation__guild", "case__violation__golden").order_by(
            "-pk"
        )[:DIFFERING_SHOWN]
        if answer.case.violation is not None
    )


def _audits(user: User, since: dt.datetime) -> QuerySet[SampleItem]:
    """Audits of what the user had judged, with his or her verdict as `mine`; only those where the audit could tell."""
    verdict = Review.objects.filter(violation=OuterRef("violation"), reviewer=user).values("verdict")[:1]
    return SampleItem.objects.filter(
        violation__reviews__reviewer=user,
        case__judgement__created_at__gt=since,
        case__judgement__opinion__in=[Opinion.CONFIRM, Opinion.DISMISS],
    ).annotate(mine=Subquery(verdict))


# --- blind doubles --------------------------------------------------------------------------------------------------------
def _first_two(since: dt.datetime, user: User | None = None) -> list[tuple[tuple[int, str], tuple[int, str]]]:
    """The first two verdicts of each violation judged by two or more, as ((reviewer, verdict), (reviewer, verdict)).

    They are given blind: neither judge sees the other's. A third, who settles a difference, knows that there is one.
    """
    chosen = Review.objects.filter(created_at__gt=since)
    if user is not None:
        chosen = chosen.filter(reviewer=user)
    doubles = (
        Review.objects.filter(violation__in=chosen.values("violation"))
        .order_by()
        .values("violation")
        .annotate(times=Count("pk"))
        .filter(times__gte=2)
        .values("violation")
    )
    found: dict[int, list[tuple[int, str]]] = {}
    rows = Review.objects.filter(violation__in=doubles).order_by("violation", "id")
    for violation, reviewer, verdict in rows.values_list("violation", "reviewer", "verdict"):
        found.setdefault(violation, []).append((reviewer, verdict))
    return [(verdicts[0], verdicts[1]) for verdicts in found.values()]


def _doubles(since: dt.datetime, user: User) -> Iterable[tuple[str | None, str]]:
    """(the user's verdict, the other's); the first is None where the user came third."""
    for one, other in _first_two(since, user):
        if one[0] == user.pk:
            yield one[1], other[1]
        elif other[0] == user.pk:
            yield other[1], one[1]
        else:
            yield None, other[1]


def agreement_of_all(*, now: dt.datetime | None = None) -> Agreement:
    """Krippendorff's alpha over all blind doubles of WINDOW, whoever gave them."""
    now = now or timezone.now()
    return krippendorff_alpha([(one[1], other[1]) for one, other in _first_two(now - WINDOW)])


@dataclass(frozen=True)
class Pair:
    """Two reviewers who judged the same violations blind: how many, how many alike, and kappa."""

    one: User
    other: User
    alike: int
    agreement: Agreement


def pairs_of_reviewers(*, now: dt.datetime | None = None) -> list[Pair]:
    """Every two reviewers with at least FEWEST blind doubles in WINDOW, by name: for whoever trains them."""
    now = now or timezone.now()
    verdicts: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for one, other in _first_two(now - WINDOW):
        first, second = sorted([one, other])
        verdicts.setdefault((first[0], second[0]), []).append((first[1], second[1]))
    enough = {key: pairs for key, pairs in verdicts.items() if len(pairs) >= FEWEST}
    people = User.objects.in_bulk({user for key in enough for user in key})
    found = [
        Pair(
            people[one],
            people[other],
            sum(times for (left, right), times in Counter(pairs).items() if left == right),
            kappa_of_pairs(pairs),
        )
        for (one, other), pairs in enough.items()
    ]
    return sorted(found, key=lambda pair: (pair.one.email, pair.other.email))


def reviewers_seen_by(actor: Actor) -> QuerySet[User]:
    """Whose page the actor may open: one's own, and an administrator that of every reviewer. By name, never by figures."""
    if actor.kind != "staff" or actor.user_id is None:
        return User.objects.none()
    if Role.ADMIN not in actor.roles:
        return User.objects.filter(pk=actor.user_id)
    judging = Q(staff_roles__role=Role.REVIEWER) | Q(pk=actor.user_id)
    people = User.objects.filter(judging, is_staff=True)
    if actor.market_ids is not None:
        people = people.filter(Q(markets__in=actor.market_ids) | Q(pk=actor.user_id))
    return people.order_by("email").distinct()
