"""Questions about launches: rows under lock, who is told of them, and lists for the pages."""

from __future__ import annotations

import datetime as dt

from django.db import connection
from django.db.models import CharField, Exists, F, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Cast

from governance.launches.enums import (
    AUTOMATIC,
    AnnouncementKind,
    GateKind,
    GateStatus,
    LaunchStatus,
    WaveStatus,
)
from governance.launches.models import Announcement, Gate, Launch, Wave
from governance.notices.models import Notice
from guilds.accounts.actor import Actor
from guilds.errors import NotFound
from guilds.models import Guild
from guilds.registry.enums import GuildStatus

#: Waves that may still go live.
OPEN_WAVES = (WaveStatus.PLANNED, WaveStatus.GO, WaveStatus.NO_GO)
#: Launches in which something is still to do.
OPEN_LAUNCHES = (LaunchStatus.PLANNING, LaunchStatus.RUNNING)
#: Guilds that are told what is to change: all but those that are gone.
TOLD = (GuildStatus.ONBOARDING, GuildStatus.ACTIVE, GuildStatus.SUSPENDED)


def clock() -> dt.datetime:
    """The time of the database, aware UTC: one clock for all machines, and not that of the one that asks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: dt.datetime = cursor.fetchone()[0]
    return moment.astimezone(dt.UTC)


# --- locks ------------------------------------------------------------------------------------------------------------
def locked_launch(launch_id: int) -> Launch:
    """The launch, locked: the first lock of every act on it, its waves and gates. NotFound."""
    found = (
        Launch.objects.select_for_update(of=("self",))
        .select_related("version__rule")
        .filter(pk=launch_id)
        .first()
    )
    if found is None:
        raise NotFound("There is no such launch.")
    return found


def locked_wave(wave_id: int) -> Wave:
    """The wave with its launch, both locked, the launch first. NotFound."""
    launch_id = Wave.objects.filter(pk=wave_id).values_list("launch_id", flat=True).first()
    if launch_id is None:
        raise NotFound("There is no such wave.")
    launch = locked_launch(launch_id)
    wave = Wave.objects.select_for_update(of=("self",)).get(pk=wave_id)
    wave.launch = launch
    return wave


def locked_gate(gate_id: int) -> Gate:
    """The gate with its launch, both locked, the launch first. NotFound."""
    launch_id = Gate.objects.filter(pk=gate_id).values_list("launch_id", flat=True).first()
    if launch_id is None:
        raise NotFound("There is no such gate.")
    launch = locked_launch(launch_id)
    gate = Gate.objects.select_for_update(of=("self",)).get(pk=gate_id)
    gate.launch = launch
    return gate


# --- who is told ------------------------------------------------------------------------------------------------------
def guilds_to_tell(market_id: int) -> QuerySet[Guild]:
    return Guild.objects.filter(market_id=market_id, status__in=TOLD)


def notices_about(wave: Wave, market_id: int) -> QuerySet[Notice]:
    """The notices by which guilds of the market were told that the wave is coming."""
    ids = (
        wave.announcements.filter(market_id=market_id, kind=AnnouncementKind.COMING)
        .annotate(name=Cast("public_id", CharField()))
        .values("name")
    )
    return Notice.objects.filter(object_type=Announcement.ledger_type, object_id__in=ids)


def untold(announcement: Announcement) -> QuerySet[Guild]:
    """The guilds that are still to have this notice; a change taken back is told to those who heard of it."""
    mine = Notice.objects.filter(
        object_type=Announcement.ledger_type,
        object_id=str(announcement.public_id),
        guild=OuterRef("pk"),
    )
    waiting = guilds_to_tell(announcement.market_id).filter(~Exists(mine))
    if announcement.kind == AnnouncementKind.TAKEN_BACK:
        heard = notices_about(announcement.wave, announcement.market_id).filter(guild=OuterRef("pk"))
        waiting = waiting.filter(Exists(heard))
    return waiting.select_related("market__regime").order_by("pk")


def changes_for(guild: Guild) -> QuerySet[Announcement]:
    """The changes a guild was told of: of each wave the last announcement, the latest start first."""
    told = Notice.objects.filter(
        object_type=Announcement.ledger_type,
        object_id=Cast(OuterRef("public_id"), CharField()),
        guild=guild,
    )
    last = (
        Announcement.objects.filter(Exists(told), wave=OuterRef("wave"), kind=AnnouncementKind.COMING)
        .order_by("-id")
        .values("pk")[:1]
    )
    return (
        Announcement.objects.filter(pk=Subquery(last))
        .select_related("wave__launch__version__rule")
        .prefetch_related("wave__markets")
        .order_by("-told_at", "-id")
    )


# --- lists ------------------------------------------------------------------------------------------------------------
def launches_visible_to(actor: Actor) -> QuerySet[Launch]:
    """Launches, like the rules they are of, may be read by all staff; no guild reads them."""
    return Launch.objects.none() if actor.guild_id is not None else Launch.objects.all()


def launches_open(actor: Actor) -> QuerySet[Launch]:
    """Launches with something still to do, with waves and gates, those with the nearest wave first."""
    waves = Wave.objects.prefetch_related("markets").order_by("planned_at", "number")
    return (
        launches_visible_to(actor)
        .filter(status__in=OPEN_LAUNCHES)
        .select_related("version__rule", "owner")
        .prefetch_related(Prefetch("waves", queryset=waves))
        .order_by("id")
    )


def gates_owed(actor: Actor) -> QuerySet[Gate]:
    """Gates of open launches that this person is to sign, the first due first."""
    if actor.user_id is None:
        return Gate.objects.none()
    signable = [kind for kind in GateKind.values if kind not in AUTOMATIC]
    return (
        Gate.objects.filter(
            owner=actor.user_id, status=GateStatus.OPEN, kind__in=signable, launch__status__in=OPEN_LAUNCHES
        )
        .select_related("launch")
        .order_by(F("due_on").asc(nulls_last=True), "id")
    )


def waves_between(actor: Actor, since: dt.datetime, until: dt.datetime) -> QuerySet[Wave]:
    """Waves that went live or are planned in [since, until), in the order of their time."""
    if actor.guild_id is not None:
        return Wave.objects.none()
    return (
        Wave.objects.filter(
            Q(live_at__gte=since, live_at__lt=until)
            | Q(live_at__isnull=True, planned_at__gte=since, planned_at__lt=until)
        )
        .select_related("launch__version__rule")
        .prefetch_related("markets")
        .order_by("planned_at", "id")
    )


def progress_of(wave: Wave) -> tuple[int, int]:
    """(guilds told, guilds to tell) of announcements being sent."""
    sending = wave.announcements.filter(sent_at__isnull=True).values_list("guilds_told", "guilds")
    told = sum(one for one, _of in sending)
    return told, max(told, sum(of for _one, of in sending))
