"""Shadow: a version judges beside what is live, without any consequence, until an end date."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone

from governance.engine import RuleSpec, check_rule
from governance.ledger.services import record
from governance.rules.enums import VersionStatus
from governance.rules.models import RuleVersion
from governance.rules.periods import periods_close
from governance.rules.selectors import locked_version
from governance.rules.services import DETECT_SWEEP, move, require_markets, require_reason
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, InvalidTransition
from guilds.nudges import nudge

SHADOW_DAYS = 14
LONGEST_SHADOW = dt.timedelta(days=90)


@transaction.atomic
def shadow_start(
    *, actor: Actor, version_id: int, until: dt.datetime | None = None, reason: str
) -> RuleVersion:
    """Let a version judge without consequence: a draft before its launch, or a live or paused one that is taken back.

    `until` is at most 90 days away, 14 unless given. A draft must check clean, and its wording is frozen from here on. Signals
    that waited for a paused one are judged in shadow. Records `rule_version.shadowed`. Raises NotAllowed, InvalidInput,
    InvalidTransition.
    """
    version = locked_version(version_id)
    actor.require_role(Role.LAUNCHER, Role.ANALYST)
    require_markets(actor, version, every=True)
    if version.status != VersionStatus.DRAFT:
        actor.require_role(Role.LAUNCHER)
    now = timezone.now()
    until = _within_bounds(until or now + dt.timedelta(days=SHADOW_DAYS), now)
    if version.status == VersionStatus.SHADOW:
        raise InvalidTransition("It is in shadow already; its end can be moved.")
    if version.status == VersionStatus.DRAFT:
        _require_clean(version)
    move(
        actor,
        version,
        VersionStatus.SHADOW,
        require_reason(reason),
        act="rule_version.shadowed",
        after={"until": until.isoformat()},
    )
    version.shadow_until = until
    version.save(update_fields=["shadow_until"])
    periods_close(version=version, at=now)
    nudge(DETECT_SWEEP)
    return version


@transaction.atomic
def shadow_extend(*, actor: Actor, version_id: int, until: dt.datetime, reason: str) -> RuleVersion:
    """Move the end of a shadow, at most 90 days from now; an ended one goes on. Records `rule_version.shadow_extended`."""
    version = _locked_shadow(actor, version_id)
    return _end_at(
        version, _within_bounds(until, timezone.now()), actor, reason, act="rule_version.shadow_extended"
    )


@transaction.atomic
def shadow_stop(*, actor: Actor, version_id: int, reason: str) -> RuleVersion:
    """End a shadow now; what it found stays, and so does its status. Records `rule_version.shadow_stopped`."""
    version = _locked_shadow(actor, version_id)
    now = timezone.now()
    if version.shadow_until is not None and version.shadow_until <= now:
        raise InvalidTransition("This shadow has ended already.")
    return _end_at(version, now, actor, reason, act="rule_version.shadow_stopped")


def _locked_shadow(actor: Actor, version_id: int) -> RuleVersion:
    version = locked_version(version_id)
    actor.require_role(Role.LAUNCHER, Role.ANALYST)
    require_markets(actor, version, every=True)
    if version.status != VersionStatus.SHADOW:
        raise InvalidTransition("Only a version in shadow has an end of it.")
    return version


def _end_at(version: RuleVersion, until: dt.datetime, actor: Actor, reason: str, *, act: str) -> RuleVersion:
    before = version.shadow_until
    version.shadow_until = until
    version.save(update_fields=["shadow_until"])
    record(
        actor=actor,
        act=act,
        obj=version,
        before={"until": before.isoformat() if before else None},
        after={"until": until.isoformat()},
        reason=require_reason(reason),
    )
    return version


def _within_bounds(until: dt.datetime, now: dt.datetime) -> dt.datetime:
    if until <= now:
        raise InvalidInput("The end of a shadow lies ahead.", field="until")
    if until > now + LONGEST_SHADOW:
        raise InvalidInput(f"A shadow lasts {LONGEST_SHADOW.days} days at most.", field="until")
    return until


def _require_clean(version: RuleVersion) -> None:
    try:
        problems = [str(problem) for problem in check_rule(RuleSpec.from_dict(version.spec))]
    except (KeyError, TypeError, ValueError) as error:
        problems = [f"the wording is incomplete: {error}"]
    if problems:
        raise InvalidInput(f"Put the wording right first: {'; '.join(problems[:5])}", code="wording_faulty")
