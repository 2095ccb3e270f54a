"""Waves while they are plans: which markets, when, for whom, and the word go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from governance.launches.enums import AnnouncementKind, LaunchStatus, WaveStatus
from governance.launches.gating import gate_states, names, start_blocks, wave_blocks
from governance.launches.models import Launch, Wave
from governance.launches.notice_period import free_at
from governance.launches.selectors import OPEN_WAVES, clock, locked_launch, locked_wave
from governance.launches.services.announcing import announced_note, take_back
from governance.launches.services.steps import (
    LAUNCHER,
    codes,
    market_of,
    require_person,
    require_reach,
    require_text,
)
from governance.launches.transitions import check_launch, check_wave
from governance.ledger.services import record
from governance.rules.enums import Severity
from governance.workbench.selectors import hands_in
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition, NotAllowed
from guilds.models import Market

#: Gates that may still be under way when somebody says go: time and guilds will pass them.
MAY_BE_UNDER_WAY = frozenset({"notice", "lesson"})
#: States in which a wave holds its markets, so that no other wave of the launch may have them.
HOLDING = (*OPEN_WAVES, WaveStatus.LIVE)


@transaction.atomic
def wave_add(
    *,
    actor: Actor,
    launch_id: int,
    market_ids: Collection[int],
    planned_at: dt.datetime,
    share: int = 100,
    holdout: int = 0,
    name: str = "",
) -> Wave:
    """Plan the start in some markets, for `share` per cent of guilds less a `holdout`; a completed launch goes on with it.

    Raises NotAllowed, InvalidInput, InvalidTransition, Conflict (a market is in another wave). Records `wave.added`.
    """
    require_person(actor, *LAUNCHER)
    launch = locked_launch(launch_id)
    if launch.status == LaunchStatus.COMPLETED:
        check_launch(launch.status, LaunchStatus.RUNNING)
        launch.status, launch.finished_at = LaunchStatus.RUNNING, None
        launch.save(update_fields=["status", "finished_at"])
    elif launch.status not in {LaunchStatus.PLANNING, LaunchStatus.RUNNING}:
        raise InvalidTransition(f"This launch is {LaunchStatus(launch.status).label.lower()}.")
    markets = _markets(actor, launch, market_ids)
    _require_plan(launch, planned_at, share, holdout)
    number = (launch.waves.aggregate(last=Max("number"))["last"] or 0) + 1
    wave = Wave(
        launch=launch,
        number=number,
        name=_name(name),
        planned_at=planned_at,
        share=share,
        holdout=holdout,
    )
    wave.save()
    wave.markets.set(markets)
    record(
        actor=actor,
        act="wave.added",
        obj=wave,
        after={
            "launch": str(launch.public_id),
            "number": number,
            "markets": codes(markets),
            "planned_at": planned_at.isoformat(),
            "share": share,
            "holdout": holdout,
        },
        market_id=market_of(wave),
    )
    return wave


def _name(name: str) -> str:
    if len(name.strip()) > 120:
        raise InvalidInput("At most 120 characters.", field="name")
    return name.strip()


def _markets(
    actor: Actor, launch: Launch, market_ids: Collection[int], wave: Wave | None = None
) -> list[Market]:
    """The markets, if they may be those of a wave of this launch."""
    markets = list(Market.objects.select_related("regime").filter(pk__in=market_ids).order_by("code"))
    if not markets or len(markets) != len(set(market_ids)):
        raise InvalidInput("Choose at least one market.", field="markets")
    require_reach(actor, markets)
    beyond = [market.code for market in markets if not names(launch.version, market)]
    if beyond:
        raise InvalidInput(f"The rule does not name {', '.join(beyond)}.", field="markets")
    held = launch.waves.filter(status__in=HOLDING, markets__in=markets)
    if wave is not None:
        held = held.exclude(pk=wave.pk)
    taken = held.order_by("number").first()
    if taken is not None:
        raise Conflict(f"Wave {taken.number} has one of these markets already.", code="market_in_wave")
    if wave is not None:
        regretted = wave.announcements.filter(kind=AnnouncementKind.TAKEN_BACK, market__in=markets).first()
        if regretted is not None:
            raise Conflict(
                f"The guilds of {regretted.market} heard that this wave does not come: plan another for them.",
                code="taken_back",
            )
    return markets


def _require_plan(launch: Launch, planned_at: dt.datetime, share: int, holdout: int) -> None:
    if timezone.is_naive(planned_at):
        raise InvalidInput("Give a moment with its time zone.", field="planned_at")
    if planned_at <= clock():
        raise InvalidInput("Plan a moment to come.", field="planned_at")
    expires_at = launch.version.expires_at
    if expires_at is not None and planned_at >= expires_at:
        raise InvalidInput(f"The version expires on {expires_at:%Y-%m-%d}.", field="planned_at")
    if not 1 <= share <= 100:
        raise InvalidInput("1 to 100 per cent of guilds.", field="share")
    if not 0 <= holdout <= 50:
        raise InvalidInput("0 to 50 per cent of guilds.", field="holdout")
    if holdout and launch.version.severity == Severity.S1:
        raise InvalidInput("A rule against the worst harm (S1) spares nobody: no holdout.", field="holdout")


@transaction.atomic
def wave_change(
    *,
    actor: Actor,
    wave_id: int,
    market_ids: Collection[int] | None = None,
    planned_at: dt.datetime | None = None,
    share: int | None = None,
    holdout: int | None = None,
    name: str | None = None,
) -> Wave:
    """Change the plan of a wave that is still to come; None leaves a part as it is.

    Whatever was decided about it is open again, a new name aside. Guilds of a market that is taken out, and that were told,
    hear that it does not come. Refused while guilds are being told. Records `wave.changed`.
    """
    require_person(actor, *LAUNCHER)
    wave = locked_wave(wave_id)
    launch = wave.launch
    former = list(wave.markets.order_by("code"))
    require_reach(actor, former)
    if wave.status not in OPEN_WAVES:
        raise InvalidTransition("Only a wave that is still to come can be changed.")
    before = _plan(wave, former)
    markets = former if market_ids is None else _markets(actor, launch, market_ids, wave)
    wave.planned_at = wave.planned_at if planned_at is None else planned_at
    wave.share = wave.share if share is None else share
    wave.holdout = wave.holdout if holdout is None else holdout
    wave.name = wave.name if name is None else _name(name)
    after = _plan(wave, markets)
    changed = [part for part in after if after[part] != before[part]]
    if not changed:
        return wave
    if changed != ["name"]:
        _require_plan(launch, wave.planned_at, wave.share, wave.holdout)
        if wave.announcements.filter(kind=AnnouncementKind.COMING, sent_at__isnull=True).exists():
            raise Conflict(
                "Guilds are being told of this wave now; change it when that is done.", code="announcing"
            )
        if wave.status != WaveStatus.PLANNED:
            check_wave(wave.status, WaveStatus.PLANNED)
        wave.status, wave.decided_by, wave.decided_at, wave.reason = WaveStatus.PLANNED, None, None, ""
        wave.blocked_reason = ""
    wave.save()
    if markets is not former:
        wave.markets.set(markets)
        left_out = [market for market in former if market not in markets]
        if left_out:
            take_back(
                actor=actor, wave=wave, reason="The market was taken out of the plan.", markets=left_out
            )
    announced_note(wave.pk)
    record(
        actor=actor,
        act="wave.changed",
        obj=wave,
        before={part: before[part] for part in changed},
        after={part: after[part] for part in changed} | {"status": wave.status},
        market_id=market_of(wave),
    )
    wave.refresh_from_db()
    return wave


def _plan(wave: Wave, markets: list[Market]) -> dict[str, object]:
    return {
        "markets": codes(markets),
        "planned_at": wave.planned_at.isoformat(),
        "share": wave.share,
        "holdout": wave.holdout,
        "name": wave.name,
    }


@transaction.atomic
def wave_remove(*, actor: Actor, wave_id: int, reason: str) -> Wave:
    """Take a wave out of the plan; guilds that were told hear that it does not come. Records `wave.removed`."""
    require_person(actor, *LAUNCHER)
    wave = locked_wave(wave_id)
    require_reach(actor, wave.markets.all())
    reason = require_text(reason)
    give_up(actor=actor, wave=wave, reason=reason, at=timezone.now())
    launch_complete(actor=actor, launch=wave.launch)
    return wave


def give_up(*, actor: Actor, wave: Wave, reason: str, at: dt.datetime) -> None:
    """A step of whatever ends a locked wave before its start: guilds that were told hear that it does not come."""
    check_wave(wave.status, WaveStatus.CANCELLED)
    before = wave.status
    wave.status, wave.reason, wave.ended_at = WaveStatus.CANCELLED, reason, at
    wave.blocked_reason = ""
    wave.save(update_fields=["status", "reason", "ended_at", "blocked_reason"])
    take_back(actor=actor, wave=wave, reason=reason)
    record(
        actor=actor,
        act="wave.removed",
        obj=wave,
        before={"status": before},
        after={"status": wave.status},
        reason=reason,
        market_id=market_of(wave),
    )


@transaction.atomic
def wave_decide(*, actor: Actor, wave_id: int, decision: str, reason: str) -> Wave:
    """Say go or no_go. A go is a word of somebody who had no hand in the rule, and only once all that people can do is done:
    approved, worded, signed and announced. The notice period and the lessons may still be under way; nothing starts before they
    are through. Raises NotAllowed, InvalidInput, InvalidTransition, Conflict with every block. Records `wave.decided`.
    """
    person = require_person(actor, *LAUNCHER)
    wave = locked_wave(wave_id)
    require_reach(actor, wave.markets.all())
    reason = require_text(reason)
    if decision not in {WaveStatus.GO.value, WaveStatus.NO_GO.value}:
        raise InvalidInput("Decide go or no_go.", field="decision")
    check_wave(wave.status, decision)
    if decision == WaveStatus.GO:
        if person in hands_in(wave.launch.version):
            raise NotAllowed("Somebody else says go than one who had a hand in the rule.", code="own_rule")
        _require_ready(wave)
    before = wave.status
    wave.status, wave.decided_by_id, wave.decided_at = decision, person, timezone.now()
    wave.reason, wave.blocked_reason = reason, ""
    wave.save(update_fields=["status", "decided_by", "decided_at", "reason", "blocked_reason"])
    record(
        actor=actor,
        act="wave.decided",
        obj=wave,
        before={"status": before},
        after={"status": wave.status, "planned_at": wave.planned_at.isoformat()},
        reason=reason,
        market_id=market_of(wave),
    )
    return wave


def _require_ready(wave: Wave) -> None:
    blocks = [
        state.reason
        for state in gate_states(wave.launch, wave)
        if not state.passed and state.kind not in MAY_BE_UNDER_WAY
    ]
    version = wave.launch.version
    blocks += [block.message for block in wave_blocks(wave, version)]
    # What would stop it on the day, its own time and the word go aside, stops it now as well.
    aside = {"no_go", "too_early", "gate_open"}
    known = set(blocks)
    for block in start_blocks(wave, wave.planned_at):
        if block.code not in aside and not block.code.startswith("decider") and block.message not in known:
            blocks.append(block.message)
    announced = list(wave.announcements.filter(kind=AnnouncementKind.COMING))
    for market in wave.markets.select_related("regime").order_by("code"):
        moment = free_at(announced, version, market)
        if moment is None:
            blocks.append(f"The guilds of {market.code} have not all been told.")
        elif moment > wave.planned_at:
            blocks.append(f"In {market.code} it may hold from {moment:%Y-%m-%d %H:%M} UTC.")
    if blocks:
        raise Conflict(
            "It is not ready: " + " ".join(blocks),
            code="not_ready",
            errors=[{"field": None, "message": message} for message in blocks],
        )


def launch_complete(*, actor: Actor, launch: Launch) -> None:
    """A launch all of whose waves are live or given up is completed. Records `launch.completed`."""
    statuses = set(launch.waves.values_list("status", flat=True))
    if launch.status != LaunchStatus.RUNNING or WaveStatus.LIVE not in statuses or statuses & set(OPEN_WAVES):
        return
    check_launch(launch.status, LaunchStatus.COMPLETED)
    launch.status, launch.finished_at = LaunchStatus.COMPLETED, timezone.now()
    launch.save(update_fields=["status", "finished_at"])
    record(actor=actor, act="launch.completed", obj=launch, after={"status": launch.status})
