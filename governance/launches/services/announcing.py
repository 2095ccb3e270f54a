"""Telling guilds: what is to come, to every guild of a wave's markets, and that it does not come after all.

An order is a row per market (`Announcement`); the guilds are told in batches, each a transaction of its own with its notices,
lessons and ledger events. A worker that dies leaves whole batches behind, and the next goes on with the guilds that have no
notice yet. Nobody is told twice.
"""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from governance.education.enums import AssignmentSource
from governance.education.selectors import lessons_published_for
from governance.education.services import lesson_assign
from governance.launches.enums import AnnouncementKind, WaveStatus
from governance.launches.gating import spoken, wave_blocks
from governance.launches.models import Announcement, Wave
from governance.launches.notice_period import days_of_notice, over_at
from governance.launches.selectors import (
    OPEN_WAVES,
    clock,
    guilds_to_tell,
    locked_wave,
    notices_about,
    untold,
)
from governance.launches.services.steps import (
    LAUNCHER,
    codes,
    market_of,
    require_open,
    require_person,
    require_reach,
)
from governance.launches.wording import Announcer
from governance.ledger.services import record
from governance.notices.services import notices_send
from governance.rules.models import RuleVersion
from governance.workbench.selectors import approval_intact
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition
from guilds.models import Guild, Market
from guilds.nudges import nudge

ANNOUNCE = "governance.launches.announce"
#: Guilds told in one transaction.
BATCH = 500


@transaction.atomic
def wave_announce(*, actor: Actor, wave_id: int) -> Wave:
    """Tell every guild of the wave's markets what changes, what it costs and from when, and give them the rule's lessons.

    Only what has been approved is announced, and only for a start that leaves every market its notice period. The notices
    themselves are sent by a worker; `wave.announced_at` is set when the last guild has its own. Announcing again tells only the
    markets that were not told of a date as early as the planned one. Raises NotAllowed, InvalidInput, InvalidTransition,
    Conflict. Records `wave.announcing`, later `wave.announced`.
    """
    person = require_person(actor, *LAUNCHER)
    wave = locked_wave(wave_id)
    launch, version = wave.launch, wave.launch.version
    markets = list(wave.markets.select_related("regime").order_by("code"))
    require_reach(actor, markets)
    require_open(launch)
    if wave.status not in OPEN_WAVES:
        raise InvalidTransition("Only a wave that is still to come can be announced.")
    if not approval_intact(version):
        raise Conflict("Nothing is announced before it has been approved.", code="approval_required")
    blocks = wave_blocks(wave, version)
    if blocks:
        raise Conflict(blocks[0].message, code=blocks[0].code)
    _require_words(version, markets)
    now = clock()
    due = [market for market in markets if not _told(wave, market, version, now)]
    if not due:
        raise Conflict("Every market of this wave has been told of this date.", code="announced")
    _require_time(wave, version, due, now)
    Announcement.objects.bulk_create(
        Announcement(
            wave=wave,
            market=market,
            kind=AnnouncementKind.COMING,
            told_at=wave.planned_at,
            notice_days=days_of_notice(version, market),
            asked_by_id=person,
            asked_at=now,
            guilds=guilds_to_tell(market.pk).count(),
        )
        for market in due
    )
    Wave.objects.filter(pk=wave.pk).update(announced_at=None)
    wave.announced_at = None
    record(
        actor=actor,
        act="wave.announcing",
        obj=wave,
        after={"markets": codes(due), "starts_at": wave.planned_at.isoformat()},
        market_id=market_of(wave),
    )
    nudge(ANNOUNCE)
    return wave


def _require_words(version: RuleVersion, markets: list[Market]) -> None:
    text = {str(tag): str(words) for tag, words in version.text.items()}
    missing = [market for market in markets if not spoken(text, market.default_language)]
    if missing:
        named = ", ".join(f"{market.code} ({market.default_language})" for market in missing)
        raise InvalidInput(f"The policy has no wording in the language of {named}.", field="text")


def _require_time(wave: Wave, version: RuleVersion, markets: list[Market], now: dt.datetime) -> None:
    if wave.planned_at <= now:
        raise InvalidInput("The planned start has gone by: plan a later one first.", field="planned_at")
    earliest = {market.code: over_at(now, days_of_notice(version, market), market) for market in markets}
    late = {code: moment for code, moment in earliest.items() if moment > wave.planned_at}
    if late:
        code, moment = max(late.items(), key=lambda item: item[1])
        raise InvalidInput(
            f"Guilds of {code} must know before: told today, it may hold from {moment:%Y-%m-%d %H:%M} UTC.",
            field="planned_at",
            code="notice_too_short",
        )


def _told(wave: Wave, market: Market, version: RuleVersion, now: dt.datetime) -> bool:
    """Whether the market was told of a date no later than the planned one, with time enough, or is being told."""
    days = days_of_notice(version, market)
    return any(
        one.told_at is not None
        and one.told_at <= wave.planned_at
        and over_at(one.sent_at or now, max(one.notice_days, days), market) <= wave.planned_at
        for one in wave.announcements.filter(market=market, kind=AnnouncementKind.COMING)
    )


def take_back(*, actor: Actor, wave: Wave, reason: str, markets: list[Market] | None = None) -> None:
    """Order that those who heard of the wave, in all its markets or in these, hear that it was taken back."""
    announced = Market.objects.filter(
        announcements__wave=wave, announcements__kind=AnnouncementKind.COMING
    ).distinct()
    if markets is not None:
        announced = announced.filter(pk__in=[market.pk for market in markets])
    now = clock()
    orders = [
        Announcement(
            wave=wave,
            market=market,
            kind=AnnouncementKind.TAKEN_BACK,
            reason=reason,
            asked_by_id=actor.user_id if actor.kind == "staff" else None,
            asked_at=now,
            guilds=notices_about(wave, market.pk).values("guild").distinct().count(),
        )
        for market in announced.order_by("pk")
    ]
    Announcement.objects.bulk_create(orders, ignore_conflicts=True)
    if orders:
        nudge(ANNOUNCE)


# --- by the worker ----------------------------------------------------------------------------------------------------
@transaction.atomic
def announcements_send(*, limit: int = BATCH) -> int:
    """Tell one batch of guilds; returns how much was done, 0 when nothing waits. Several workers take different orders.

    Records `notice.sent` and `lesson.assigned` per guild, `wave.announced` when the last guild of a wave has been told.
    """
    over = Q(kind=AnnouncementKind.COMING) & ~Q(wave__status__in=(*OPEN_WAVES, WaveStatus.LIVE))
    announcement = (
        Announcement.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("wave__launch__version__rule", "market")
        .filter(sent_at__isnull=True)
        .exclude(over)
        .order_by("id")
        .first()
    )
    if announcement is None:
        return 0
    guilds = list(untold(announcement)[:limit])
    if guilds:
        _tell(announcement, guilds)
        return len(guilds)
    announcement.sent_at = clock()
    announcement.save(update_fields=["sent_at"])
    if announcement.kind == AnnouncementKind.COMING:
        announced_note(announcement.wave_id)
    return 1


def _tell(announcement: Announcement, guilds: list[Guild]) -> None:
    launch = announcement.wave.launch
    actor = Actor.system(f"launch of {launch.version.public_id}")
    now = timezone.now()
    coming = announcement.kind == AnnouncementKind.COMING
    lessons = list(lessons_published_for(launch.version.rule_id)) if coming else []
    announcer = Announcer(announcement, lessons, now)
    notices_send(actor=actor, notices=[announcer.draft(guild) for guild in guilds])
    due_at = announcement.told_at if announcement.told_at and announcement.told_at > now else None
    for lesson in lessons:
        lesson_assign(
            actor=actor,
            lesson_id=lesson.pk,
            guild_ids=[guild.pk for guild in guilds],
            source=AssignmentSource.LAUNCH,
            source_id=str(launch.public_id),
            due_at=due_at,
        )
    Announcement.objects.filter(pk=announcement.pk).update(guilds_told=F("guilds_told") + len(guilds))


def announced_note(wave_id: int) -> None:
    """Keep `wave.announced_at` in step: set when every market of the wave has been told of a date no later than the planned."""
    wave = Wave.objects.select_for_update(of=("self",)).get(pk=wave_id)
    if wave.status not in OPEN_WAVES:
        return
    sent: list[dt.datetime] = []
    for market in wave.markets.all():
        moments = [
            one.sent_at
            for one in wave.announcements.filter(
                market=market,
                kind=AnnouncementKind.COMING,
                sent_at__isnull=False,
                told_at__lte=wave.planned_at,
            )
            if one.sent_at is not None
        ]
        if not moments:
            sent = []
            break
        sent.append(min(moments))
    announced_at = max(sent, default=None)
    if announced_at == wave.announced_at:
        return
    wave.announced_at = announced_at
    wave.save(update_fields=["announced_at"])
    if announced_at is not None:
        record(
            actor=Actor.system("announcements"),
            act="wave.announced",
            obj=wave,
            after={
                "announced_at": announced_at.isoformat(),
                "guilds": sum(
                    wave.announcements.filter(kind=AnnouncementKind.COMING).values_list(
                        "guilds_told", flat=True
                    )
                ),
            },
            market_id=market_of(wave),
        )


@transaction.atomic
def latecomers_tell(*, limit: int = BATCH) -> int:
    """Tell guilds that came into a market after its announcement, while the wave is still to come; returns how many."""
    told_since = (
        Announcement.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("wave__launch__version__rule", "market")
        .filter(kind=AnnouncementKind.COMING, sent_at__isnull=False, wave__status__in=OPEN_WAVES)
        .filter(Exists(Wave.markets.through.objects.filter(wave=OuterRef("wave"), market=OuterRef("market"))))
        .order_by("wave_id", "market_id", "-id")
    )
    seen: set[tuple[int, int]] = set()
    for announcement in told_since:
        place = (announcement.wave_id, announcement.market_id)
        if place in seen:
            continue
        seen.add(place)
        heard = notices_about(announcement.wave, announcement.market_id).filter(guild=OuterRef("pk"))
        guilds = list(
            guilds_to_tell(announcement.market_id)
            .filter(~Exists(heard))
            .select_related("market__regime")
            .order_by("pk")[:limit]
        )
        if guilds:
            _tell(announcement, guilds)
            return len(guilds)
    return 0
