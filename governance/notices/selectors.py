"""Questions about notices and the deadlines they set."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q, QuerySet

from governance.ledger.models import Event
from governance.notices.enums import DispatchStatus
from governance.notices.models import Contact, Dispatch, Notice
from governance.notices.periods import last_moment
from governance.webhooks.models import Delivery
from guilds.accounts.actor import Actor
from guilds.accounts.enums import GuildRole
from guilds.accounts.models import GuildUser
from guilds.models import Market

#: Days after which a notice that nobody opened and no mail carried counts as not having reached anybody.
UNREACHED_AFTER_DAYS = 3


def notices_of(guild_id: int) -> QuerySet[Notice]:
    """What a guild was told, newest first."""
    return Notice.objects.filter(guild_id=guild_id)


def notices_visible_to(actor: Actor) -> QuerySet[Notice]:
    notices = Notice.objects.select_related("guild", "guild__market")
    if actor.guild_id is not None:
        return notices.filter(guild_id=actor.guild_id)
    if actor.market_ids is not None:
        return notices.filter(guild__market_id__in=actor.market_ids)
    return notices


def contacts_of(guild_id: int) -> QuerySet[Contact]:
    """The addresses a guild's notices go to now."""
    return Contact.objects.filter(guild_id=guild_id, is_active=True).order_by("email")


def contacts_visible_to(actor: Actor) -> QuerySet[Contact]:
    contacts = Contact.objects.select_related("guild", "guild__market")
    if actor.guild_id is not None:
        return contacts.filter(guild_id=actor.guild_id)
    if actor.market_ids is not None:
        return contacts.filter(guild__market_id__in=actor.market_ids)
    return contacts


def dispatches_visible_to(actor: Actor) -> QuerySet[Dispatch]:
    """What left by mail. Addresses of people are none of a guild's or client's business."""
    dispatches = Dispatch.objects.select_related("notice", "notice__guild")
    if actor.kind not in ("staff", "system") or actor.guild_id is not None:
        return dispatches.none()
    if actor.market_ids is not None:
        return dispatches.filter(notice__guild__market_id__in=actor.market_ids)
    return dispatches


def owners_of(guild_ids: Sequence[int]) -> dict[int, list[str]]:
    """The addresses of each guild's owners who can sign in."""
    found: dict[int, list[str]] = {}
    seats = GuildUser.objects.filter(
        guild_id__in=guild_ids, role=GuildRole.OWNER, is_active=True, user__is_active=True
    ).order_by("pk")
    for guild_id, email in seats.values_list("guild_id", "user__email"):
        found.setdefault(guild_id, []).append(email)
    return found


def addressees(notices: Sequence[Notice]) -> Iterator[tuple[Notice, int | None, str]]:
    """(notice, contact or None, address): every active contact that wants the kind, else the guild's owners.

    Two queries however many notices there are.
    """
    guild_ids = sorted({notice.guild_id for notice in notices})
    contacts: dict[int, list[Contact]] = {}
    for contact in Contact.objects.filter(guild_id__in=guild_ids, is_active=True).order_by("pk"):
        contacts.setdefault(contact.guild_id, []).append(contact)
    wanting = {
        id(notice): [
            contact
            for contact in contacts.get(notice.guild_id, ())
            if not contact.kinds or notice.kind in contact.kinds
        ]
        for notice in notices
    }
    without = sorted({notice.guild_id for notice in notices if not wanting[id(notice)]})
    owners = owners_of(without) if without else {}
    for notice in notices:
        for contact in wanting[id(notice)]:
            yield notice, contact.pk, contact.email
        if not wanting[id(notice)]:
            for address in owners.get(notice.guild_id, ()):
                yield notice, None, address


def unreached(notices: QuerySet[Notice], now: dt.datetime) -> QuerySet[Notice]:
    """Those that nobody opened for days and whose mails all failed: somebody must find another way to the guild."""
    mails = Dispatch.objects.filter(notice=OuterRef("pk"))
    failed = Dispatch.objects.filter(status=DispatchStatus.FAILED).values("notice")
    return notices.filter(
        ~Exists(mails.exclude(status__in=[DispatchStatus.FAILED, DispatchStatus.CANCELLED])),
        pk__in=failed,
        read_at__isnull=True,
        issued_at__lt=now - dt.timedelta(days=UNREACHED_AFTER_DAYS),
    )


def unaddressed(notices: QuerySet[Notice]) -> QuerySet[Notice]:
    """Those that nobody opened and that there was no address to mail to: the portal has them, and nobody knows."""
    return notices.filter(~Exists(Dispatch.objects.filter(notice=OuterRef("pk"))), read_at__isnull=True)


def deliveries_of(notice: Notice) -> QuerySet[Delivery]:
    """The webhook deliveries that told other systems of the notice."""
    events = Event.objects.filter(
        object_type=Notice.ledger_type, object_id=str(notice.public_id), act="notice.sent"
    )
    return Delivery.objects.filter(event__in=events).select_related("endpoint", "event").order_by("pk")


def still_wanted(dispatch: Dispatch) -> bool:
    """Whether the address still stands for the guild: an active contact, or an owner who can sign in."""
    if dispatch.contact_id is not None:
        return Contact.objects.filter(pk=dispatch.contact_id, is_active=True).exists()
    return GuildUser.objects.filter(
        Q(user__email__iexact=dispatch.address),
        guild_id=dispatch.notice.guild_id,
        role=GuildRole.OWNER,
        is_active=True,
        user__is_active=True,
    ).exists()


def appeal_deadline(issued_at: dt.datetime, market: Market) -> dt.datetime:
    """Until when a decision told at `issued_at` can be appealed: the end of the last day of the regime's window, aware UTC.

    `market.regime` is loaded.
    """
    return last_moment(issued_at, market.regime.appeal_days, market.timezone)


def in_words(moment: dt.datetime, market: Market) -> str:
    """A moment as a guild reads it: market time, with the zone named.

    In the hour that a clock turned back repeats, the distance from UTC says which of the two is meant.
    """
    local = moment.astimezone(ZoneInfo(market.timezone))
    zone = market.timezone
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        zone += f", UTC{local.isoformat()[-6:]}"
    return f"{local:%Y-%m-%d %H:%M} ({zone})"
