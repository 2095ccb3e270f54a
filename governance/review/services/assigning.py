"""Who is to take which case: by hand, by capacity, and on behalf of who is away."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.ledger.services import Entry, record_many
from governance.review.enums import Assignment, CaseStatus
from governance.review.models import Absence, Case, Desk
from governance.review.selectors import OPEN, absent_now, has_judged, locked_case, reviewers_of
from governance.review.services.claims import holds_other_place, told, unclaim
from governance.review.services.verdicts import required
from governance.violations.models import Review
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, DomainError, InvalidTransition, NotAllowed, NotFound
from guilds.models import User

#: The advisory lock under which one sweep at a time shares out: two would give everybody twice as much.
SHARING_LOCK = 7_200_001
#: Cases of one queue that one sweep looks at.
LOOKED_AT = 2000
MAY_ASSIGN = (Role.REVIEWER, Role.ADMIN)


@transaction.atomic
def case_assign(*, actor: Actor, case_id: int, user_id: int | None, reason: str) -> Case:
    """Give the case to a reviewer, or back to the queue. Reviewers and admins of the market.

    A case somebody is at is taken away from them by an admin only. Records `case.assigned`. Raises NotFound, NotAllowed,
    InvalidInput, InvalidTransition, and Conflict with code `claimed`, or saying why the person cannot judge it.
    """
    case = locked_case(case_id)
    actor.require_role(*MAY_ASSIGN, market_id=case.market_id)
    if actor.kind != "staff":
        raise NotAllowed(_("People assign cases."), code="person_required")
    if case.status not in OPEN:
        raise InvalidTransition(told(case))
    reason, now = required(reason), timezone.now()
    at_it = case.claimed_by_id if case.claimed_until and case.claimed_until > now else None
    if at_it not in (None, actor.user_id, user_id) and not actor.has_role(Role.ADMIN):
        raise Conflict(
            _("%(person)s is at this case. An admin can take it away.") % {"person": case.claimed_by},
            code="claimed",
        )
    if user_id is not None and (refusal := _unfit(case, user_id, now)) is not None:
        raise refusal
    if at_it not in (None, user_id):
        unclaim(case)
    assign(actor, [(case, user_id)], now, reason)
    return case


def _unfit(case: Case, user_id: int, now: dt.datetime) -> DomainError | None:
    person = reviewers_of(case.market_id).filter(pk=user_id).first()
    if person is None:
        return NotFound(_("There is no such reviewer in this market."), field="user_id")
    if absent_now(now).filter(user=person).exists():
        return Conflict(_("%(person)s is away.") % {"person": person}, code="absent", field="user_id")
    if has_judged(user_id, case):
        return Conflict(
            _("%(person)s has judged this violation already.") % {"person": person},
            code="already_reviewed",
            field="user_id",
        )
    if case.escalated_by_id == user_id:
        return Conflict(
            _("%(person)s has escalated this case.") % {"person": person}, code="escalated", field="user_id"
        )
    if holds_other_place(user_id, case, now):
        return Conflict(
            _("%(person)s is at the other place of this violation.") % {"person": person},
            code="other_place",
            field="user_id",
        )
    return None


def assign(actor: Actor, given: list[tuple[Case, int | None]], now: dt.datetime, reason: str) -> None:
    """Write who is to take the locked cases, and record it. The statements do not grow with their number."""
    people = User.objects.in_bulk({key for case, to in given for key in (to, case.assigned_to_id) if key})
    entries = []
    for case, to in given:
        before = people.get(case.assigned_to_id) if case.assigned_to_id else None
        case.assigned_to = people[to] if to else None
        case.assigned_at = now if to else None
        case.revision += 1
        entries.append(
            Entry(
                act="case.assigned",
                object_type=Case.ledger_type,
                object_id=str(case.public_id),
                before={"assigned_to": str(before) if before else None},
                after={"assigned_to": str(people[to]) if to else None},
                reason=reason,
                guild_id=case.guild_id,
                market_id=case.market_id,
            )
        )
    fields = ["assigned_to", "assigned_at", "revision", "claimed_by", "claimed_at", "claimed_until"]
    Case.objects.bulk_update([case for case, _to in given], fields, batch_size=500)
    record_many(actor=actor, entries=entries, at=now)


# --- by the clock ----------------------------------------------------------------------------------------------------
@dataclass
class Seat:
    """A desk that somebody sits at now: what they can still take today, where, and which violations are not for them."""

    user_id: int
    capacity: int
    room: int
    queues: frozenset[int]
    markets: frozenset[int] | None
    barred: set[int] = field(default_factory=set)

    def may_take(self, case: Case) -> bool:
        return (
            self.room > 0
            and (not self.queues or case.queue_id in self.queues)
            and (self.markets is None or case.market_id in self.markets)
            and case.violation_id not in self.barred
            and case.escalated_by_id != self.user_id
        )


@transaction.atomic
def cases_share_out(*, now: dt.datetime | None = None) -> int:
    """Assign waiting cases of the queues that are shared out, most urgent first, to whoever is there with most of the day left.

    A day is one of UTC. What a person has open or has done today counts against the capacity of their desk; without a desk
    nobody is given anything. Nobody gets two places of one violation, or a violation they judged before. One sweep at a
    time: a second one returns 0. Records `case.assigned`.
    """
    now = now or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SHARING_LOCK])
        if not cursor.fetchone()[0]:
            return 0
    seats = _seats(now)
    room = sum(seat.room for seat in seats)
    if not room:
        return 0
    waiting = Case.objects.filter(
        Q(claimed_by__isnull=True) | Q(claimed_until__lte=now),
        queue__assignment=Assignment.SHARED_OUT,
        status=CaseStatus.WAITING,
        assigned_to__isnull=True,
    )
    if all(seat.markets is not None for seat in seats):
        waiting = waiting.filter(market__in={key for seat in seats for key in seat.markets or ()})
    cases = list(
        waiting.select_for_update(of=("self",), no_key=True, skip_locked=True).order_by("urgent_at", "id")[
            :LOOKED_AT
        ]
    )
    _bar(seats, cases)
    given: list[tuple[Case, int | None]] = []
    for case in cases:
        able = [seat for seat in seats if seat.may_take(case)]
        if able:
            # The greatest share of the day left, so that the small desks are not filled first.
            seat = max(able, key=lambda one: (one.room / one.capacity, -one.user_id))
            seat.room -= 1
            if case.violation_id is not None:
                seat.barred.add(case.violation_id)
            given.append((case, seat.user_id))
    if given:
        assign(Actor.system("sharing out"), given, now, "By capacity.")
    return len(given)


def _seats(now: dt.datetime) -> list[Seat]:
    midnight = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    desks = list(
        Desk.objects.filter(user__in=reviewers_of(), capacity_per_day__gt=0)
        .exclude(user__in=absent_now(now).values("user"))
        .select_related("user")
        .prefetch_related("queues", "user__markets")
        .order_by("user")
    )
    people = [desk.user_id for desk in desks]
    load: dict[int, int] = defaultdict(int)
    open_now = Case.objects.filter(assigned_to__in=people, status__in=OPEN).order_by()
    for user_id, cases in open_now.values_list("assigned_to").annotate(n=Count("pk")):
        load[user_id] += cases
    done_today = Case.objects.filter(done_by__in=people, done_at__gte=midnight).order_by()
    for user_id, cases in done_today.values_list("done_by").annotate(n=Count("pk")):
        load[user_id] += cases
    return [
        Seat(
            user_id=desk.user_id,
            capacity=desk.capacity_per_day,
            room=max(desk.capacity_per_day - load[desk.user_id], 0),
            queues=frozenset(queue.pk for queue in desk.queues.all()),
            markets=None
            if desk.user.all_markets or desk.user.is_superuser
            else frozenset(market.pk for market in desk.user.markets.all()),
        )
        for desk in desks
    ]


def _bar(seats: list[Seat], cases: list[Case]) -> None:
    """Note for each seat the violations of these cases that it has judged or has another place of."""
    violations = {case.violation_id for case in cases if case.violation_id is not None}
    by_user = {seat.user_id: seat for seat in seats}
    judged = Review.objects.filter(violation__in=violations, reviewer__in=by_user)
    audited = Case.objects.filter(violation__in=violations, judgement__reviewer__in=by_user)
    assigned = Case.objects.filter(violation__in=violations, assigned_to__in=by_user, status__in=OPEN)
    claimed = Case.objects.filter(violation__in=violations, claimed_by__in=by_user, status__in=OPEN)
    for user_id, violation_id in (
        *judged.values_list("reviewer", "violation"),
        *audited.values_list("judgement__reviewer", "violation"),
        *assigned.values_list("assigned_to", "violation"),
        *claimed.values_list("claimed_by", "violation"),
    ):
        by_user[user_id].barred.add(violation_id)


@transaction.atomic
def cases_cover_absences(*, now: dt.datetime | None = None, limit: int = 1000) -> int:
    """Hand what is assigned to people who are away to their substitutes, or back to the queue. Records `case.assigned`.

    A substitute who is away too, does not review in the market or has judged the violation gets nothing. Whoever reviews no
    more, or has judged the violation at its other place, holds nothing either: nobody could ever decide such a case.
    """
    now = now or timezone.now()
    absences: dict[int, Absence] = {}
    for absence in absent_now(now).order_by("starts_at", "pk"):
        absences.setdefault(absence.user_id, absence)
    judged = Review.objects.filter(violation=OuterRef("violation"), reviewer=OuterRef("assigned_to"))
    unable = Q(assigned_to__in=absences) | ~Q(assigned_to__in=reviewers_of().values("pk")) | Exists(judged)
    cases = list(
        Case.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .filter(unable, assigned_to__isnull=False, status__in=OPEN)
        .order_by("urgent_at", "id")[:limit]
    )
    given: list[tuple[Case, int | None]] = []
    for case in cases:
        assert case.assigned_to_id is not None
        to = absences[case.assigned_to_id].substitute_id if case.assigned_to_id in absences else None
        taken = any(other.violation_id == case.violation_id and to == user for other, user in given)
        fit = to is not None and not (taken and case.violation_id) and _unfit(case, to, now) is None
        given.append((case, to if fit else None))
    if given:
        assign(Actor.system("absences"), given, now, "Whoever it was assigned to is away or cannot judge it.")
    return len(given)
