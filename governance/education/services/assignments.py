"""Asking guilds to do a lesson, reminding them, and taking the request back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import DateField, F, Func, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from governance.education.enums import AssignmentSource
from governance.education.models import Assignment, Completion, Lesson
from governance.education.selectors import OPEN, in_language, lessons_published
from governance.ledger.services import Entry, record, record_many
from governance.notices.enums import NoticeKind
from governance.notices.models import Notice
from governance.notices.selectors import in_words
from governance.notices.services import notice_draft, notices_send, portal_url
from governance.notices.wording import Wordings
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Guild
from guilds.registry.enums import GuildStatus

#: Days from the due date at which a guild is reminded: before it, on it, after it. No more often than these.
REMINDED_AT_DAYS = (-3, 0, 3)


@dataclass(frozen=True, kw_only=True)
class Order:
    """One guild to do one lesson. `source_id` names the launch or penalty behind it; `due_at` is aware."""

    guild_id: int
    source: str
    source_id: str
    due_at: dt.datetime | None


@transaction.atomic
def lesson_assign(
    *,
    actor: Actor,
    lesson_id: int,
    guild_ids: Collection[int],
    source: str,
    source_id: str = "",
    due_at: dt.datetime | None = None,
) -> list[Assignment]:
    """Ask guilds to do a published lesson; returns the assignments newly made.

    Asking again from the same source changes nothing, except that a cancelled request stands again. A guild that has
    completed the lesson already is noted as done and not written to, unless a penalty asks: then it does the lesson anew.
    Raises NotFound for a lesson guilds cannot read, NotAllowed beyond the actor's markets, InvalidInput for a due date gone
    by. Records lesson.assigned and notice.sent per guild.
    """
    actor.require_role(Role.ANALYST, Role.LAUNCHER)
    if due_at is not None and due_at <= timezone.now():
        raise InvalidInput(_("The due date has gone by. Choose a day to come."), field="due_at")
    if not guild_ids:
        raise InvalidInput(_("Choose at least one guild."), field="guild_ids")
    orders = [
        Order(guild_id=guild_id, source=source, source_id=source_id, due_at=due_at)
        for guild_id in sorted(set(guild_ids))
    ]
    return assignments_make(actor=actor, lesson_id=lesson_id, orders=orders)


@transaction.atomic
def assignments_make(*, actor: Actor, lesson_id: int, orders: Sequence[Order]) -> list[Assignment]:
    """`lesson_assign` for many sources at once, such as penalties that start in the same minute."""
    actor.require_role(Role.ANALYST, Role.LAUNCHER)
    lesson = locked_lesson(lesson_id)
    guilds = Guild.objects.select_related("market__regime").in_bulk({order.guild_id for order in orders})
    if len(guilds) < len({order.guild_id for order in orders}):
        raise NotFound(_("One of the guilds does not exist."))
    if not all(actor.sees_market(guild.market_id) for guild in guilds.values()):
        raise NotAllowed(
            _("One of the guilds is in a market outside your scope."), code="market_out_of_scope"
        )
    now = timezone.now()
    done = set(Completion.objects.filter(lesson=lesson, guild__in=guilds).values_list("guild_id", flat=True))
    drafts = [
        Assignment(
            lesson=lesson,
            guild=guilds[order.guild_id],
            source=order.source,
            source_id=order.source_id,
            assigned_at=now,
            due_at=order.due_at,
            # Who is asked two days before the date need not hear the reminder of three days before.
            reminders=reminders_reached(guilds[order.guild_id], order.due_at, now),
            completed_at=now if order.guild_id in done and order.source != AssignmentSource.PENALTY else None,
        )
        for order in orders
    ]
    for draft in drafts[:1]:
        draft.full_clean(exclude=["lesson", "guild"], validate_unique=False, validate_constraints=False)
    reopened = _reopen(lesson, orders, guilds, now)
    Assignment.objects.bulk_create(drafts, batch_size=500, ignore_conflicts=True)
    made = {
        assignment.public_id: assignment
        for assignment in Assignment.objects.filter(
            lesson=lesson, public_id__in=[draft.public_id for draft in drafts]
        )
    }
    new = [made[draft.public_id] for draft in drafts if draft.public_id in made] + reopened
    for assignment in new:
        assignment.lesson, assignment.guild = lesson, guilds[assignment.guild_id]
    record_many(actor=actor, entries=[entry("lesson.assigned", assignment) for assignment in new])
    _tell(actor, [one for one in new if one.completed_at is None], NoticeKind.LESSON_ASSIGNED, now=now)
    return new


def _reopen(
    lesson: Lesson, orders: Sequence[Order], guilds: Mapping[int, Guild], now: dt.datetime
) -> list[Assignment]:
    """The cancelled assignments of the same sources, standing again."""
    wanted = {(order.guild_id, order.source, order.source_id): order for order in orders}
    reopened = []
    for assignment in Assignment.objects.select_for_update(of=("self",)).filter(
        lesson=lesson,
        guild_id__in={order.guild_id for order in orders},
        source_id__in={order.source_id for order in orders},
        cancelled_at__isnull=False,
    ):
        order = wanted.get((assignment.guild_id, assignment.source, assignment.source_id))
        if order is not None:
            assignment.cancelled_at, assignment.completed_at = None, None
            assignment.assigned_at, assignment.due_at = now, order.due_at
            assignment.reminders = reminders_reached(guilds[order.guild_id], order.due_at, now)
            assignment.reminded_at = None
            assignment.save()
            reopened.append(assignment)
    return reopened


def locked_lesson(lesson_id: int) -> Lesson:
    """A lesson guilds can read, locked: assigning and completing one lesson wait for each other, so that neither misses what
    the other just wrote."""
    lesson = lessons_published().select_for_update(of=("self",), no_key=True).filter(pk=lesson_id).first()
    if lesson is None:
        raise NotFound(_("There is no such lesson, or it is not published."))
    return lesson


def entry(act: str, assignment: Assignment, *, reason: str = "") -> Entry:
    """The ledger entry of an act on an assignment; its lesson and guild are loaded."""
    return Entry(
        act=act,
        object_type=Assignment.ledger_type,
        object_id=str(assignment.public_id),
        after={
            "lesson": assignment.lesson.code,
            "source": assignment.source,
            "source_id": assignment.source_id,
            "due_at": assignment.due_at.isoformat() if assignment.due_at else None,
            "completed_at": assignment.completed_at.isoformat() if assignment.completed_at else None,
        },
        reason=reason,
        guild_id=assignment.guild_id,
        market_id=assignment.guild.market_id,
    )


def _tell(actor: Actor, assignments: Sequence[Assignment], kind: str, *, now: dt.datetime) -> None:
    """A notice for each, in the guild's language. The guilds come with market and regime."""
    wordings = Wordings()
    drafts: list[Notice] = []
    for assignment in assignments:
        guild, lesson = assignment.guild, assignment.lesson
        language, _text = wordings.find(kind, guild.market.languages)
        with override(language):
            why = str(AssignmentSource(assignment.source).label)
            due = in_words(assignment.due_at, guild.market) if assignment.due_at else _("no date set")
        drafts.append(
            notice_draft(
                guild=guild,
                kind=kind,
                object_type=Assignment.ledger_type,
                object_id=str(assignment.public_id),
                values={
                    "lesson": in_language(lesson.title, guild.market.default_language)[1],
                    "why": why,
                    "due_at": due,
                    "lesson_url": portal_url(f"lessons/{lesson.code}/"),
                },
                statement={
                    "lesson": lesson.code,
                    "source": assignment.source,
                    "due_at": assignment.due_at.isoformat() if assignment.due_at else None,
                },
                wordings=wordings,
                now=now,
            )
        )
    notices_send(actor=actor, notices=drafts)


@transaction.atomic
def assignment_cancel(*, actor: Actor, assignment_id: int, reason: str) -> Assignment:
    """Take a request back that staff made. Records assignment.cancelled.

    Raises Conflict for one that belongs to a penalty or a launch: it goes with those.
    """
    if not reason.strip():
        raise InvalidInput(_("Say why: the reason goes into the ledger."), field="reason")
    assignment = Assignment.objects.select_for_update(of=("self",)).filter(pk=assignment_id).first()
    if assignment is None:
        raise NotFound(_("There is no such assignment."))
    actor.require_role(Role.ANALYST, market_id=assignment.guild.market_id)
    if assignment.source == AssignmentSource.PENALTY:
        raise Conflict(_("This is part of a penalty; it ends when the penalty is lifted or reversed."))
    if assignment.completed_at or assignment.cancelled_at:
        raise InvalidTransition(_("Only an assignment still to be done can be cancelled."))
    assignment.cancelled_at = timezone.now()
    assignment.save(update_fields=["cancelled_at"])
    record(
        actor=actor,
        act="assignment.cancelled",
        obj=assignment,
        after={"lesson": assignment.lesson.code, "source": assignment.source},
        reason=reason,
        guild_id=assignment.guild_id,
        market_id=assignment.guild.market_id,
    )
    return assignment


@transaction.atomic
def assignments_withdraw(*, actor: Actor, source: str, source_ids: Iterable[str], reason: str) -> int:
    """Cancel what sources asked for and was not done yet; returns how many. Records assignment.cancelled for each."""
    actor.require_role(Role.ANALYST, Role.LAUNCHER)
    standing = list(
        Assignment.objects.select_for_update(of=("self",))
        .filter(OPEN, source=source, source_id__in=list(source_ids))
        .select_related("lesson", "guild")
        .order_by("pk")
    )
    Assignment.objects.filter(pk__in=[one.pk for one in standing]).update(cancelled_at=timezone.now())
    record_many(actor=actor, entries=[entry("assignment.cancelled", one, reason=reason) for one in standing])
    return len(standing)


def reminders_reached(guild: Guild, due_at: dt.datetime | None, now: dt.datetime) -> int:
    """How many of the moments to remind have come, counted in days of the guild's own market."""
    if due_at is None:
        return 0
    zone = ZoneInfo(guild.market.timezone)
    gone_by = (now.astimezone(zone).date() - due_at.astimezone(zone).date()).days
    return sum(1 for days in REMINDED_AT_DAYS if gone_by >= days)


def _local_day(moment: Combinable) -> Cast:
    """The day of a moment in the market of the assignment's guild, in SQL."""
    return Cast(Func(F("guild__market__timezone"), moment, function="timezone"), DateField())


@transaction.atomic
def assignments_remind_due(*, limit: int = 500, now: dt.datetime | None = None) -> int:
    """Remind guilds of lessons due in three days, due today and three days overdue; returns how many were reminded.

    A guild hears at most once of each of the three, and of one only where several were missed. Running it again reminds
    nobody twice. Records notice.sent.
    """
    now = now or timezone.now()
    waiting = (
        Assignment.objects.select_for_update(of=("self",), skip_locked=True)
        .filter(OPEN, due_at__isnull=False, lesson__in=lessons_published())
        .exclude(guild__status__in=[GuildStatus.TERMINATED, GuildStatus.LEFT])
        .annotate(gone_by=_local_day(Value(now)) - _local_day(F("due_at")))
        .filter(
            reduce(
                or_,
                (
                    Q(reminders=sent, gone_by__gte=dt.timedelta(days=days))
                    for sent, days in enumerate(REMINDED_AT_DAYS)
                ),
            )
        )
        .select_related("lesson", "guild__market__regime")
        .order_by("due_at", "pk")
    )
    told = list(waiting[:limit])
    for assignment in told:
        assignment.reminders = reminders_reached(assignment.guild, assignment.due_at, now)
        assignment.reminded_at = now
    Assignment.objects.bulk_update(told, ["reminders", "reminded_at"], batch_size=500)
    _tell(Actor.system("lesson reminders"), told, NoticeKind.LESSON_REMINDER, now=now)
    return len(told)
