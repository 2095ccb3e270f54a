"""How the work is organised: queues and their routes, desks, absences and targets.

Admins and launchers arrange it; reviewers say themselves when they are away. What is changed here holds for cases opened from
then on: neither the queue nor the promise of an open case moves.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.ledger.services import Entry, record, record_many
from governance.review.enums import CaseKind
from governance.review.models import Absence, Desk, Queue, Route, Target
from governance.review.selectors import reviewers_of
from governance.review.services.verdicts import required
from governance.rules.enums import Severity
from governance.rules.models import Rule
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Market, User

MAY_ARRANGE = (Role.ADMIN, Role.LAUNCHER)
#: Whoever replaces the routes waits for the one before.
ROUTES_LOCK = 7_200_002


@transaction.atomic
def queue_save(
    *, actor: Actor, code: str, name: str, assignment: str, double_share: float = 0.0, reason: str
) -> Queue:
    """Make the queue of this code, or change it. `double_share` of its cases for one reviewer are judged by two, 0 to 1.

    Records `queue.saved`. Admins and launchers. Raises NotAllowed, InvalidInput.
    """
    _may_arrange(actor)
    reason = required(reason)
    queue = Queue.objects.select_for_update().filter(code=code).first() or Queue(code=code)
    before = _queue_facts(queue) if queue.pk else {}
    queue.name, queue.assignment, queue.double_share = name.strip(), assignment, double_share
    _clean(queue)
    queue.save()
    record(actor=actor, act="queue.saved", obj=queue, before=before, after=_queue_facts(queue), reason=reason)
    return queue


@transaction.atomic
def queue_routes_save(*, actor: Actor, routes: Sequence[Mapping[str, Any]], reason: str) -> list[Route]:
    """Replace all routes by these, in their order: {"queue": code, "kinds", "severities", "markets", "rules": lists of codes}.

    A list left out or empty fits everything. Records `route.replaced` with both lists. Admins and launchers. Raises
    NotAllowed, InvalidInput with the number of the route.
    """
    _may_arrange(actor)
    reason = required(reason)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ROUTES_LOCK])
    before = [_route_facts(route) for route in Route.objects.select_related("queue").order_by("position")]
    made = [_route(position, asked) for position, asked in enumerate(routes, start=1)]
    Route.objects.all().delete()
    Route.objects.bulk_create(made)
    entry = Entry(
        act="route.replaced",
        object_type=Route.ledger_type,
        object_id="all",
        before={"routes": before},
        after={"routes": [_route_facts(route) for route in made]},
        reason=reason,
    )
    record_many(actor=actor, entries=[entry])
    return made


@transaction.atomic
def desk_save(
    *, actor: Actor, user_id: int, capacity_per_day: int, queue_ids: Sequence[int] = (), reason: str
) -> Desk:
    """Say how many cases a reviewer can take on a day, and from which queues; none named: from all.

    Records `desk.saved`. Admins and launchers. Raises NotFound, NotAllowed, InvalidInput.
    """
    _may_arrange(actor)
    reason = required(reason)
    person = reviewers_of().filter(pk=user_id).first()
    if person is None:
        raise NotFound(_("There is no such reviewer."), field="user_id")
    queues = list(Queue.objects.filter(pk__in=queue_ids).order_by("code"))
    if len(queues) != len(set(queue_ids)):
        raise InvalidInput(_("There is no such queue."), field="queue_ids")
    desk = Desk.objects.select_for_update().filter(user=person).first()
    before = _desk_facts(desk) if desk else {}
    desk = desk or Desk(user=person)
    desk.capacity_per_day = capacity_per_day
    _clean(desk)
    desk.save()
    desk.queues.set(queues)
    record(actor=actor, act="desk.saved", obj=desk, before=before, after=_desk_facts(desk), reason=reason)
    return desk


@transaction.atomic
def absence_add(
    *,
    actor: Actor,
    user_id: int,
    starts_at: dt.datetime,
    ends_at: dt.datetime,
    substitute_id: int | None = None,
    reason: str = "",
) -> Absence:
    """A reviewer is away from `starts_at` until before `ends_at`, aware times; the sweep hands over what is assigned to them.

    Reviewers for themselves; admins and launchers for everybody. Records `absence.added`. Raises NotFound, NotAllowed,
    InvalidInput.
    """
    _may_say_away(actor, user_id)
    person = reviewers_of().filter(pk=user_id).first()
    if person is None:
        raise NotFound(_("There is no such reviewer."), field="user_id")
    if timezone.is_naive(starts_at) or timezone.is_naive(ends_at) or ends_at <= starts_at:
        raise InvalidInput(_("An absence ends after it starts."), field="ends_at")
    if ends_at <= timezone.now():
        raise InvalidInput(_("This absence is over already."), field="ends_at")
    substitute: User | None = None
    if substitute_id is not None:
        substitute = reviewers_of().filter(pk=substitute_id).exclude(pk=user_id).first()
        if substitute is None:
            raise InvalidInput(_("The substitute is another reviewer."), field="substitute_id")
    User.objects.select_for_update(no_key=True).filter(pk=user_id).values("pk").first()
    if Absence.objects.filter(user=person, starts_at__lt=ends_at, ends_at__gt=starts_at).exists():
        raise InvalidInput(
            _("An absence of this time is noted already. End that one first."), field="starts_at"
        )
    absence = Absence.objects.create(user=person, starts_at=starts_at, ends_at=ends_at, substitute=substitute)
    record(
        actor=actor, act="absence.added", obj=absence, after=_absence_facts(absence), reason=reason.strip()
    )
    return absence


@transaction.atomic
def absence_end(*, actor: Actor, absence_id: int, reason: str = "") -> Absence:
    """The reviewer is back, or does not go: the absence ends now. Records `absence.ended`.

    Reviewers for themselves; admins and launchers for everybody. Raises NotFound, NotAllowed, InvalidTransition.
    """
    absence = (
        Absence.objects.select_for_update(of=("self",))
        .select_related("user", "substitute")
        .filter(pk=absence_id)
        .first()
    )
    if absence is None:
        raise NotFound(_("There is no such absence."))
    _may_say_away(actor, absence.user_id)
    now = timezone.now()
    if absence.ends_at <= now:
        raise InvalidTransition(_("This absence is over already."))
    before = _absence_facts(absence)
    # One that has not begun is kept as a moment long, for a row says that it was planned.
    absence.starts_at = min(absence.starts_at, now - dt.timedelta(microseconds=1))
    absence.ends_at = now
    absence.save(update_fields=["starts_at", "ends_at"])
    record(
        actor=actor,
        act="absence.ended",
        obj=absence,
        before=before,
        after=_absence_facts(absence),
        reason=reason.strip(),
    )
    return absence


@transaction.atomic
def target_save(
    *,
    actor: Actor,
    severity: str,
    market_id: int | None = None,
    hours: int,
    warn_percent: int = 75,
    reason: str,
) -> Target:
    """Within how many hours cases of a severity are to be decided, in one market or, without one, in all others.

    Records `target.saved`. Admins and launchers; a market's own within their markets. Raises NotAllowed, InvalidInput.
    """
    _may_arrange(actor, market_id)
    reason = required(reason)
    market = Market.objects.filter(pk=market_id).first() if market_id is not None else None
    if market_id is not None and market is None:
        raise InvalidInput(_("There is no such market."), field="market_id")
    target = Target.objects.select_for_update(of=("self",)).filter(severity=severity, market=market).first()
    before = {"hours": target.hours, "warn_percent": target.warn_percent} if target else {}
    target = target or Target(severity=severity, market=market)
    target.hours, target.warn_percent = hours, warn_percent
    _clean(target)
    target.save()
    record(
        actor=actor,
        act="target.saved",
        obj=target,
        before=before,
        after={
            "severity": target.severity,
            "market": market.code if market else None,
            "hours": target.hours,
            "warn_percent": target.warn_percent,
        },
        reason=reason,
        market_id=market_id,
    )
    return target


# --- who may, and what is said of it -----------------------------------------------------------------------------------
def _may_arrange(actor: Actor, market_id: int | None = None) -> None:
    actor.require_role(*MAY_ARRANGE, market_id=market_id)
    if actor.kind != "staff":
        raise NotAllowed(_("People arrange the work."), code="person_required")
    if market_id is None and actor.market_ids is not None:
        raise NotAllowed(_("This concerns every market."), code="market_out_of_scope")


def _may_say_away(actor: Actor, user_id: int) -> None:
    if actor.kind == "staff" and actor.user_id == user_id and actor.has_role(Role.REVIEWER):
        return
    actor.require_role(*MAY_ARRANGE)
    if actor.kind != "staff":
        raise NotAllowed(_("People arrange the work."), code="person_required")


def _route(position: int, asked: Mapping[str, Any]) -> Route:
    queue = Queue.objects.filter(code=asked.get("queue", "")).first()
    if queue is None:
        raise InvalidInput(
            _("Route %(number)s: there is no such queue.") % {"number": position}, field="queue"
        )
    route = Route(
        position=position,
        queue=queue,
        **{name: list(asked.get(name) or []) for name in ("kinds", "severities", "markets", "rules")},
    )
    known = {
        "kinds": set(CaseKind.values),
        "severities": set(Severity.values),
        "markets": set(Market.objects.filter(code__in=route.markets).values_list("code", flat=True)),
        "rules": set(Rule.objects.filter(code__in=route.rules).values_list("code", flat=True)),
    }
    for name, codes in known.items():
        unknown = [code for code in getattr(route, name) if code not in codes]
        if unknown:
            raise InvalidInput(
                _("Route %(number)s: “%(code)s” is unknown.")
                % {"number": position, "code": ", ".join(unknown)},
                field=name,
            )
    return route


def _clean(obj: Model) -> None:
    try:
        obj.full_clean(validate_unique=False)
    except ValidationError as error:
        faults = [
            {"field": field, "message": message}
            for field, messages in error.message_dict.items()
            for message in messages
        ]
        raise InvalidInput(faults[0]["message"], field=faults[0]["field"], errors=faults) from error


def _queue_facts(queue: Queue) -> dict[str, object]:
    return {"name": queue.name, "assignment": str(queue.assignment), "double_share": queue.double_share}


def _route_facts(route: Route) -> dict[str, object]:
    names = ("kinds", "severities", "markets", "rules")
    return {
        "queue": route.queue.code,
        **{name: getattr(route, name) for name in names if getattr(route, name)},
    }


def _desk_facts(desk: Desk) -> dict[str, object]:
    return {
        "user": str(desk.user),
        "capacity_per_day": desk.capacity_per_day,
        "queues": [queue.code for queue in desk.queues.order_by("code")],
    }


def _absence_facts(absence: Absence) -> dict[str, object]:
    return {
        "user": str(absence.user),
        "starts_at": absence.starts_at.isoformat(),
        "ends_at": absence.ends_at.isoformat(),
        "substitute": str(absence.substitute) if absence.substitute else None,
    }
