"""Writing and issuing notices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from governance.ledger.services import Entry, record, record_many
from governance.notices.enums import Channel
from governance.notices.models import Dispatch, Notice
from governance.notices.selectors import addressees, appeal_deadline
from governance.notices.wording import Wordings
from guilds.accounts.actor import Actor
from guilds.errors import NotAllowed
from guilds.models import Guild
from guilds.nudges import nudge

#: The task that mails what was issued; named, so that whoever issues need not know it.
DISPATCH = "governance.notices.dispatch_due"


def portal_url(path: str) -> str:
    """An absolute address in the guild portal."""
    return f"{settings.SITE_URL}/portal/{path}"


def notice_draft(
    *,
    guild: Guild,
    kind: str,
    object_type: str,
    object_id: str,
    values: Mapping[str, Any],
    statement: Mapping[str, Any],
    wordings: Wordings,
    now: dt.datetime,
    appealable: bool = False,
) -> Notice:
    """A notice in the guild's language, not yet saved. `guild` comes with its market and regime loaded.

    With `appealable` the deadline of the market's regime is set, counted from `now`, to the end of that day in market time.
    """
    market = guild.market
    language, text = wordings.find(kind, market.languages, market.regime_id)
    subject, body = text.fill({"guild": str(guild), "market": market.name, **values})
    return Notice(
        guild=guild,
        kind=kind,
        object_type=object_type,
        object_id=object_id,
        language=language,
        subject=subject,
        body=body,
        statement=dict(statement),
        issued_at=now,
        appeal_by=appeal_deadline(now, market) if appealable else None,
    )


@transaction.atomic
def notices_send(*, actor: Actor, notices: Sequence[Notice]) -> list[Notice]:
    """Issue drafts: they stand in the portal from this commit on, and go by mail to every contact that wants their kind.

    Records notice.sent for each.
    """
    sent = Notice.objects.bulk_create(notices, batch_size=500)
    now = timezone.now()
    dispatches = [
        Dispatch(
            notice=notice, channel=Channel.MAIL, contact_id=contact_id, address=address, next_attempt_at=now
        )
        for notice, contact_id, address in addressees(sent)
    ]
    if dispatches:
        Dispatch.objects.bulk_create(dispatches, batch_size=500)
        nudge(DISPATCH)
    record_many(
        actor=actor,
        entries=[
            Entry(
                act="notice.sent",
                object_type=Notice.ledger_type,
                object_id=str(notice.public_id),
                after={"kind": notice.kind, "about": f"{notice.object_type}:{notice.object_id}"},
                guild_id=notice.guild_id,
                market_id=notice.guild.market_id,
            )
            for notice in sent
        ],
    )
    return sent


@transaction.atomic
def notice_issue(
    *,
    actor: Actor,
    guild: Guild,
    kind: str,
    object_type: str,
    object_id: str,
    values: Mapping[str, Any],
    statement: Mapping[str, Any] | None = None,
    now: dt.datetime | None = None,
    appealable: bool = False,
) -> Notice:
    """Write and send one notice."""
    draft = notice_draft(
        guild=guild,
        kind=kind,
        object_type=object_type,
        object_id=object_id,
        values=values,
        statement=statement or {},
        wordings=Wordings(),
        now=now or timezone.now(),
        appealable=appealable,
    )
    return notices_send(actor=actor, notices=[draft])[0]


@transaction.atomic
def notice_read(*, actor: Actor, notice_id: int) -> Notice:
    """Note that somebody of the guild has opened the notice; the first time counts. Records notice.read."""
    notice = Notice.objects.select_for_update(of=("self",)).get(pk=notice_id)
    if actor.guild_id != notice.guild_id:
        raise NotAllowed("Only the guild it was sent to can open a notice.")
    if notice.read_at is None:
        notice.read_at = timezone.now()
        notice.save(update_fields=["read_at"])
        record(actor=actor, act="notice.read", obj=notice, guild_id=notice.guild_id)
    return notice
