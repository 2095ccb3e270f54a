"""Ending penalties whose lesson the guild has done."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, Q
from django.db.models.functions import Cast
from django.utils import timezone

from governance.education.enums import AssignmentSource
from governance.education.models import Assignment
from governance.education.selectors import OPEN
from governance.ledger.services import Entry, record_many
from governance.penalties.enums import PenaltyKind, PenaltyStatus
from governance.penalties.models import Penalty
from governance.penalties.selectors import lock_guilds
from governance.penalties.services.acts import change_notice, lift
from governance.penalties.training import ACTOR
from guilds.accounts.actor import Actor

REASON = "Your guild has done the lesson."


@transaction.atomic
def penalties_trained_due(*, limit: int = 200, now: dt.datetime | None = None) -> int:
    """Lift up to `limit` penalties in force that last until a lesson is done, where it is done; returns how many.

    Every lesson the penalty asked for must be done. Guilds somebody else has locked wait for the next call.
    Records penalty.lifted and notice.sent for each.
    """
    now = now or timezone.now()
    asked = Assignment.objects.filter(
        source=AssignmentSource.PENALTY,
        guild_id=OuterRef("guild_id"),
        source_id=Cast(OuterRef("public_id"), CharField()),
    )
    due = Penalty.objects.filter(
        Q(kind=PenaltyKind.TRAINING) | Q(params__until_trained=True),
        Exists(asked.filter(completed_at__isnull=False)),
        ~Exists(asked.filter(OPEN)),
        status=PenaltyStatus.IN_FORCE,
    )
    first = set(due.order_by("pk").values_list("guild_id", flat=True)[:limit])
    guilds = lock_guilds(first, skip_locked=True)
    penalties = list(
        due.select_for_update(of=("self",))
        .filter(guild_id__in=guilds)
        .select_related("violation", "version", "notice")
        .order_by("pk")[:limit]
    )
    actor = Actor.system(ACTOR)
    for penalty in penalties:
        lift(penalty, now=now)
    record_many(
        actor=actor,
        entries=[
            Entry(
                act="penalty.lifted",
                object_type=Penalty.ledger_type,
                object_id=str(penalty.public_id),
                before={"status": PenaltyStatus.IN_FORCE},
                after={"kind": penalty.kind, "status": penalty.status},
                reason=REASON,
                guild_id=penalty.guild_id,
                market_id=penalty.market_id,
            )
            for penalty in penalties
        ],
        at=now,
    )
    for penalty in penalties:
        change_notice(actor=actor, penalty=penalty, guild=guilds[penalty.guild_id], reason=REASON)
    return len(penalties)
