"""A held penalty that nobody decides is a decision too: after so many hours those above are told."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from governance.ledger.services import Entry, record_many
from governance.penalties.enums import PenaltyStatus
from governance.penalties.models import Penalty, Safeguard
from governance.penalties.selectors import lock_guilds
from guilds.accounts.actor import Actor


def held_too_long(now: dt.datetime) -> Q:
    """Held penalties that have waited longer than the safeguard of their market allows."""
    hours = dict(Safeguard.objects.filter(market__isnull=False).values_list("market_id", "hold_hours"))
    everywhere = (Safeguard.objects.filter(market=None).first() or Safeguard()).hold_hours
    late = Q(proposed_at__lte=now - dt.timedelta(hours=everywhere)) & ~Q(market__in=list(hours))
    for market_id, own in hours.items():
        late |= Q(market=market_id, proposed_at__lte=now - dt.timedelta(hours=own))
    return late & Q(status=PenaltyStatus.HELD)


@transaction.atomic
def penalties_escalate_due(*, limit: int = 500, now: dt.datetime | None = None) -> int:
    """Note, once each, the penalties that have been held for too long; returns how many. Records penalty.waits_too_long."""
    now = now or timezone.now()
    due = Penalty.objects.filter(held_too_long(now), escalated_at__isnull=True)
    first = list(due.order_by("proposed_at", "pk").values_list("pk", "guild_id")[:limit])
    guilds = lock_guilds({guild_id for _pk, guild_id in first}, skip_locked=True)
    penalties = list(
        due.filter(pk__in=[pk for pk, guild_id in first if guild_id in guilds])
        .select_for_update(of=("self",))
        .order_by("pk")
    )
    Penalty.objects.filter(pk__in=[penalty.pk for penalty in penalties]).update(escalated_at=now)
    record_many(
        actor=Actor.system("penalty schedule"),
        entries=[
            Entry(
                act="penalty.waits_too_long",
                object_type=Penalty.ledger_type,
                object_id=str(penalty.public_id),
                after={"kind": penalty.kind, "held_since": penalty.proposed_at.isoformat()},
                reason=penalty.get_hold_reason_display() if penalty.hold_reason else "",
                guild_id=penalty.guild_id,
                market_id=penalty.market_id,
            )
            for penalty in penalties
        ],
        at=now,
    )
    return len(penalties)
