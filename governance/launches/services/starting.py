"""The one function by which a version goes live, and what a live wave may become: wider, or without its holdout.

Whoever calls `wave_start`, the console, a shell or the sweep, it asks everything anew under lock, by the clock of the database.
PostgreSQL asks the gravest of it once more when the live periods are written (migration 0009).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

import structlog
from django.db import ProgrammingError, transaction
from psycopg.errors import RaiseException

from governance.launches.enums import GateKind, LaunchStatus, WaveStatus
from governance.launches.gating import Block, hard_blocks, start_blocks
from governance.launches.models import Wave
from governance.launches.selectors import clock, locked_wave
from governance.launches.services.steps import (
    LAUNCHER,
    codes,
    market_of,
    require_person,
    require_reach,
    require_text,
    superseded,
)
from governance.launches.services.waves import launch_complete
from governance.launches.transitions import check_launch, check_wave
from governance.ledger.services import record
from governance.rules.enums import Door, VersionStatus
from governance.rules.models import RuleVersion
from governance.rules.periods import open_periods, period_open, periods_close
from governance.rules.selectors import CURRENT, locked_version
from governance.rules.services import DETECT_SWEEP
from governance.rules.transitions import check
from governance.workbench.selectors import hands_in
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, DomainError, InvalidInput, InvalidTransition, NotAllowed
from guilds.models import Market
from guilds.nudges import nudge

log = structlog.get_logger(__name__)

#: What must hold on as long as a live wave may grow.
STANDING = (
    GateKind.APPROVAL,
    GateKind.POLICY_TEXT,
    GateKind.NOTICE,
    GateKind.REVIEWER_GUIDE,
    GateKind.STAFFING,
    GateKind.APPEAL_STAFFING,
    GateKind.PRODUCT,
)


@transaction.atomic
def wave_start(*, actor: Actor, wave_id: int) -> Wave:
    """Put the version into force in the wave's markets, from now on. There is no other way for it to go live there.

    With the whole of the guilds governed, what was in force there before ends in the same instant; a former version that is live
    nowhere any more is retired. Raises NotAllowed, and Conflict (`launch_blocked`) with all that is in the way in `errors`.
    Records `wave.started`, `rule.launched` and, of the former, `rule_version.retired`.
    """
    wave = locked_wave(wave_id)
    actor.require_role(Role.LAUNCHER)
    markets = list(wave.markets.order_by("code"))
    require_reach(actor, markets)
    version = locked_version(wave.launch.version_id)
    wave.launch.version = version
    at = clock()
    _refuse(start_blocks(wave, at))
    check_wave(wave.status, WaveStatus.LIVE)
    wave.status, wave.live_at, wave.blocked_reason = WaveStatus.LIVE, at, ""
    wave.save(update_fields=["status", "live_at", "blocked_reason"])
    _run(wave)
    before = version.status
    if version.status != VersionStatus.LIVE:
        check(version.status, VersionStatus.LIVE)
        version.status, version.status_reason, version.door = VersionStatus.LIVE, "", Door.LAUNCH
        version.frozen_at = version.frozen_at or at
        version.save(update_fields=["status", "status_reason", "door", "frozen_at"])
    _open(wave, version, markets, at)
    record(
        actor=actor,
        act="wave.started",
        obj=wave,
        before={"status": WaveStatus.GO.value},
        after={"status": wave.status, "live_at": at.isoformat()},
        market_id=market_of(wave),
    )
    record(
        actor=actor,
        act="rule.launched",
        obj=version,
        before={"status": before},
        after={
            "status": version.status,
            "rule": version.rule.code,
            "version": version.number,
            "wave": wave.number,
            "launch": str(wave.launch.public_id),
            "starts_at": at.isoformat(),
            "markets": codes(markets),
            "share": wave.share,
            "holdout": wave.holdout,
        },
    )
    if wave.share == 100 and not wave.holdout:
        formers_end(actor=actor, version=version, market_ids=[market.pk for market in markets], at=at)
    launch_complete(actor=actor, launch=wave.launch)
    nudge(DETECT_SWEEP)
    return wave


def _run(wave: Wave) -> None:
    launch = wave.launch
    if launch.status != LaunchStatus.RUNNING:
        check_launch(launch.status, LaunchStatus.RUNNING)
        launch.status = LaunchStatus.RUNNING
        launch.save(update_fields=["status"])


def _open(wave: Wave, version: RuleVersion, markets: Sequence[Market], at: dt.datetime) -> None:
    period_open(
        version=version,
        market_ids=[market.pk for market in markets],
        starts_at=at,
        share=wave.share,
        holdout=wave.holdout,
        salt=wave.launch.salt,
        opened_by=f"wave:{wave.pk}",
    )


def _refuse(blocks: Sequence[Block]) -> None:
    if blocks:
        raise Conflict(
            " ".join(block.message for block in blocks),
            code="launch_blocked",
            errors=[
                {"field": block.gate or None, "code": block.code, "message": block.message}
                for block in blocks
            ],
        )


def formers_end(*, actor: Actor, version: RuleVersion, market_ids: Collection[int], at: dt.datetime) -> None:
    """End what older versions of the rule had in force in the markets, and retire one that is in force nowhere any more.

    A period of the demo's door, of every market at once, cannot end in one of them: it stays, and the newer version goes first.
    """
    formers = (
        RuleVersion.objects.select_for_update(of=("self",), no_key=True)
        .select_related("rule")
        .filter(rule=version.rule_id, status__in=CURRENT, number__lt=version.number)
        .order_by("pk")
    )
    for former in formers:
        if not periods_close(version=former, at=at, market_ids=market_ids) or open_periods(former).exists():
            continue
        superseded(actor, former, version)


# --- by the clock -----------------------------------------------------------------------------------------------------
def waves_start_due() -> int:
    """Start every wave whose time has come; returns how many went live. What is in the way of one is written on it.

    Two of them at once do no harm: the second finds the wave locked, then live.
    """
    due = Wave.objects.filter(status=WaveStatus.GO, planned_at__lte=clock()).order_by("planned_at", "pk")
    started = 0
    for wave_id in list(due.values_list("pk", flat=True)):
        try:
            wave_start(actor=Actor.system("launches"), wave_id=wave_id)
        except DomainError as refusal:
            _note_blocked(wave_id, refusal.message)
        except ProgrammingError as refusal:
            if not isinstance(refusal.__cause__, RaiseException):
                raise
            # The guard of the database: the service above should have known, so this is worth a look.
            log.error("wave_refused_by_database", wave=wave_id, error=str(refusal))
            _note_blocked(wave_id, "The database refused it. " + str(refusal).partition("\n")[0])
        else:
            started += 1
    return started


@transaction.atomic
def _note_blocked(wave_id: int, reason: str) -> None:
    """Write on the wave why it did not start; the ledger hears of it once. Records `wave.blocked`."""
    wave = locked_wave(wave_id)
    if wave.status != WaveStatus.GO or wave.blocked_reason == reason:
        return
    first = not wave.blocked_reason
    wave.blocked_reason = reason
    wave.save(update_fields=["blocked_reason"])
    if first:
        record(
            actor=Actor.system("launches"),
            act="wave.blocked",
            obj=wave,
            after={"planned_at": wave.planned_at.isoformat()},
            reason=reason,
            market_id=market_of(wave),
        )


# --- once it is live --------------------------------------------------------------------------------------------------
@transaction.atomic
def wave_widen(*, actor: Actor, wave_id: int, share: int, reason: str) -> Wave:
    """Govern a greater share of guilds from now on. It never shrinks: guilds once governed stay so. Records `wave.widened`."""
    return _regrow(actor, wave_id, reason, share=share, act="wave.widened")


@transaction.atomic
def holdout_end(*, actor: Actor, wave_id: int, reason: str) -> Wave:
    """Govern the guilds that were spared for comparison as well, from now on. Records `wave.holdout_ended`."""
    return _regrow(actor, wave_id, reason, share=None, act="wave.holdout_ended")


def _regrow(actor: Actor, wave_id: int, reason: str, *, share: int | None, act: str) -> Wave:
    """Close the wave's live periods and open wider ones in the same instant."""
    person = require_person(actor, *LAUNCHER)
    wave = locked_wave(wave_id)
    markets = list(wave.markets.order_by("code"))
    require_reach(actor, markets)
    reason = require_text(reason)
    if wave.status != WaveStatus.LIVE:
        raise InvalidTransition("Only a live wave can grow.")
    version = locked_version(wave.launch.version_id)
    wave.launch.version = version
    if version.status != VersionStatus.LIVE:
        raise InvalidTransition("The version is not live now; resume it first.")
    if person in hands_in(version):
        raise NotAllowed("Somebody else decides this than one who had a hand in the rule.", code="own_rule")
    before = {"share": wave.share, "holdout": wave.holdout}
    if share is None:
        if not wave.holdout:
            raise InvalidTransition("This wave has no holdout.")
        wave.holdout = 0
    elif not wave.share < share <= 100:
        raise InvalidInput(f"More than {wave.share} and at most 100 per cent.", field="share")
    else:
        wave.share = share
    at = clock()
    _refuse(hard_blocks(wave, at, STANDING))
    wave.save(update_fields=["share", "holdout"])
    market_ids = [market.pk for market in markets]
    periods_close(version=version, at=at, market_ids=market_ids)
    _open(wave, version, markets, at)
    if wave.share == 100 and not wave.holdout:
        formers_end(actor=actor, version=version, market_ids=market_ids, at=at)
    record(
        actor=actor,
        act=act,
        obj=wave,
        before=before,
        after={"share": wave.share, "holdout": wave.holdout, "from": at.isoformat()},
        reason=reason,
        market_id=market_of(wave),
    )
    nudge(DETECT_SWEEP)
    return wave
