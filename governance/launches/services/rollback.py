"""Back in one step: what a launch put into force ends now, and what it replaced is in force again from now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q

from governance.launches.enums import LaunchStatus, WaveStatus
from governance.launches.models import Launch, Wave
from governance.launches.selectors import OPEN_WAVES, clock, locked_launch, locked_wave
from governance.launches.services.announcing import take_back
from governance.launches.services.plans import lessons_withdraw
from governance.launches.services.steps import codes, market_of, require_reach, require_text
from governance.launches.services.waves import give_up, launch_complete
from governance.launches.transitions import check_launch, check_wave
from governance.ledger.models import Event
from governance.ledger.services import record
from governance.rules.enums import VersionStatus
from governance.rules.models import LivePeriod, RuleVersion
from governance.rules.periods import open_periods, period_open, periods_close
from governance.rules.selectors import CURRENT, locked_version
from governance.rules.services import DETECT_SWEEP
from governance.rules.transitions import check
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.models import Market
from guilds.nudges import nudge

#: Going back is as easy as stopping: whoever approved it may do it too.
MAY_ROLL_BACK = (Role.LAUNCHER, Role.APPROVER)


@transaction.atomic
def launch_rollback(*, actor: Actor, launch_id: int, reason: str) -> Launch:
    """Take a version out of force in every market of its launch, now. It is retired for good.

    What it replaced is in force again from the same instant, with the share it had; where it replaced nothing, nothing is.
    Waves still to come are given up, and guilds that were told hear of it. Raises NotAllowed, InvalidInput, InvalidTransition.
    Records `rule.rolled_back`, `wave.rolled_back` for each live wave and `rule_version.restored` for what comes back.
    """
    launch = locked_launch(launch_id)
    actor.require_role(*MAY_ROLL_BACK)
    waves = list(launch.waves.select_for_update(of=("self",)).order_by("pk"))
    live = [wave for wave in waves if wave.status == WaveStatus.LIVE]
    require_reach(actor, Market.objects.filter(waves__in=live).distinct())
    reason = require_text(reason)
    check_launch(launch.status, LaunchStatus.ROLLED_BACK)
    at = clock()
    version = locked_version(launch.version_id)
    launch.version = version
    markets = _end(actor, launch, live, version, at, reason)
    for wave in waves:
        if wave.status in OPEN_WAVES:
            give_up(actor=actor, wave=wave, reason=reason, at=at)
    before = version.status
    periods_close(version=version, at=at)
    if version.status != VersionStatus.RETIRED:
        check(version.status, VersionStatus.RETIRED)
        version.status, version.status_reason, version.withdrawn_at = VersionStatus.RETIRED, reason, at
        version.save(update_fields=["status", "status_reason", "withdrawn_at"])
    launch.status, launch.finished_at, launch.finished_reason = LaunchStatus.ROLLED_BACK, at, reason
    launch.save(update_fields=["status", "finished_at", "finished_reason"])
    lessons_withdraw(launch=launch, reason=reason)
    restored = _restore(actor, launch, version, markets, at)
    _record(actor, version, before, markets, restored, at, reason)
    record(actor=actor, act="launch.rolled_back", obj=launch, after={"status": launch.status}, reason=reason)
    nudge(DETECT_SWEEP)
    return launch


@transaction.atomic
def wave_rollback(*, actor: Actor, wave_id: int, reason: str) -> Wave:
    """Take a version out of force in the markets of one wave; the others go on. The last live wave takes the launch with it."""
    wave = locked_wave(wave_id)
    launch = wave.launch
    actor.require_role(*MAY_ROLL_BACK)
    require_reach(actor, wave.markets.all())
    reason = require_text(reason)
    check_wave(wave.status, WaveStatus.ROLLED_BACK)
    if not launch.waves.filter(status=WaveStatus.LIVE).exclude(pk=wave.pk).exists():
        launch_rollback(actor=actor, launch_id=launch.pk, reason=reason)
        wave.refresh_from_db()
        return wave
    at = clock()
    version = locked_version(launch.version_id)
    launch.version = version
    markets = _end(actor, launch, [wave], version, at, reason)
    restored = _restore(actor, launch, version, markets, at)
    _record(actor, version, version.status, markets, restored, at, reason)
    launch_complete(actor=actor, launch=launch)
    nudge(DETECT_SWEEP)
    return wave


def _end(
    actor: Actor,
    launch: Launch,
    waves: Iterable[Wave],
    version: RuleVersion,
    at: dt.datetime,
    reason: str,
) -> list[Market]:
    """End live waves and the version's periods in their markets, which are returned."""
    ended: list[Market] = []
    for wave in waves:
        wave.launch = launch
        check_wave(wave.status, WaveStatus.ROLLED_BACK)
        wave.status, wave.reason, wave.ended_at = WaveStatus.ROLLED_BACK, reason, at
        wave.save(update_fields=["status", "reason", "ended_at"])
        markets = list(wave.markets.order_by("code"))
        periods_close(version=version, at=at, market_ids=[market.pk for market in markets])
        take_back(actor=actor, wave=wave, reason=reason)
        record(
            actor=actor,
            act="wave.rolled_back",
            obj=wave,
            before={"status": WaveStatus.LIVE.value},
            after={"status": wave.status},
            reason=reason,
            market_id=market_of(wave),
        )
        ended += markets
    return ended


def _record(
    actor: Actor,
    version: RuleVersion,
    before: str,
    markets: list[Market],
    restored: dict[str, list[str]],
    at: dt.datetime,
    reason: str,
) -> None:
    record(
        actor=actor,
        act="rule.rolled_back",
        obj=version,
        before={"status": before},
        after={
            "status": version.status,
            "rule": version.rule.code,
            "version": version.number,
            "markets": codes(markets),
            "ended_at": at.isoformat(),
            "restored": restored,
        },
        reason=reason,
    )


def _restore(
    actor: Actor, launch: Launch, version: RuleVersion, markets: Iterable[Market], at: dt.datetime
) -> dict[str, list[str]]:
    """Bring back what the version replaced in each market; returns the market codes by version brought back."""
    restored: dict[str, list[str]] = {}
    for market in markets:
        period = _replaced(version, market, at)
        if period is None:
            continue
        former = locked_version(period.version_id)
        was_paused = _revive(actor, former, version)
        period_open(
            version=former,
            market_ids=[market.pk],
            starts_at=at,
            share=period.share,
            holdout=period.holdout,
            salt=period.salt,
            opened_by=f"rollback:{launch.pk}",
        )
        if was_paused:
            former.status = VersionStatus.PAUSED
            former.save(update_fields=["status"])
        restored.setdefault(former.public_id, []).append(market.code)
    return restored


def _replaced(version: RuleVersion, market: Market, at: dt.datetime) -> LivePeriod | None:
    """The period that ended in the market in the very instant one of the version's began: the newest such version's."""
    began = LivePeriod.objects.filter(version=version, market=market).values("starts_at")
    in_force = Q(ends_at__isnull=True) & (Q(market=market) | Q(market__isnull=True))
    others = LivePeriod.objects.filter(version__rule_id=version.rule_id).exclude(version=version)
    if others.filter(in_force, version__status__in=CURRENT, share=100, holdout=0).exists():
        return None  # something governs every guild there already
    found = (
        others.filter(market=market, ends_at__in=began)
        .filter(Q(version__expires_at__isnull=True) | Q(version__expires_at__gt=at))
        .filter(version__withdrawn_at__isnull=True)
        .order_by("-version__number", "-ends_at")
        .select_related("version")
        .first()
    )
    if found is None or open_periods(found.version, [market.pk]).exists():
        return None
    return found


def _revive(actor: Actor, former: RuleVersion, version: RuleVersion) -> bool:
    """Make a replaced version live again; True if it has to be paused again, as it was when it was replaced."""
    if former.status != VersionStatus.RETIRED:
        was_paused = former.status == VersionStatus.PAUSED
    else:
        last = (
            Event.objects.filter(
                object_type=RuleVersion.ledger_type,
                object_id=former.public_id,
                act="rule_version.retired",
            )
            .order_by("-id")
            .first()
        )
        was_paused = last is not None and last.before.get("status") == VersionStatus.PAUSED
        check(former.status, VersionStatus.LIVE)
        record(
            actor=actor,
            act="rule_version.restored",
            obj=former,
            before={"status": former.status},
            after={"status": (VersionStatus.PAUSED if was_paused else VersionStatus.LIVE).value},
            reason=f"{version.public_id} was rolled back.",
        )
    if former.status != VersionStatus.LIVE:
        former.status, former.status_reason = VersionStatus.LIVE, f"{version.public_id} was rolled back."
        former.save(update_fields=["status", "status_reason"])
    return was_paused
