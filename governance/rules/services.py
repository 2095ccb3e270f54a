"""The writers of rule versions: how one comes to be, and what becomes of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from governance.engine import RuleSpec
from governance.ledger.services import record
from governance.rules.enums import VersionStatus
from governance.rules.models import Rule, RuleVersion
from governance.rules.periods import periods_close
from governance.rules.selectors import CURRENT, locked_version
from governance.rules.transitions import check
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, InvalidTransition, NotAllowed
from guilds.models import Market
from guilds.nudges import nudge

#: Stopping is easy: everybody who answers for a rule or for its penalties may do it.
MAY_PAUSE = (Role.LAUNCHER, Role.ANALYST, Role.APPROVER, Role.ENFORCER)

DETECT_SWEEP = "governance.violations.detect_sweep"


def require_reason(reason: str) -> str:
    if not reason.strip():
        raise InvalidInput("Give a reason.", field="reason")
    return reason.strip()


def require_markets(actor: Actor, version: RuleVersion, *, every: bool) -> None:
    """The actor's markets must include every market of the version, or at least one of them."""
    if actor.market_ids is None:
        return
    if "*" in version.markets:
        # Markets to come belong to it as well, so only one who reaches every market reaches all of it.
        inside = not every
    else:
        of_version = set(Market.objects.filter(code__in=version.markets).values_list("pk", flat=True))
        inside = of_version <= actor.market_ids if every else bool(of_version & actor.market_ids)
    if not inside:
        raise NotAllowed("This rule also governs markets outside your scope.", code="market_out_of_scope")


@transaction.atomic
def version_create(*, actor: Actor, rule: Rule, spec: RuleSpec, ladder: dict[str, Any]) -> RuleVersion:
    """Write the next version of a rule as a draft. The spec has been checked by the caller. Records `rule_version.created`."""
    actor.require_role(Role.ANALYST)
    Rule.objects.select_for_update(no_key=True).get(pk=rule.pk)
    newest = rule.versions.order_by("-number").first()
    version = RuleVersion(
        rule=rule,
        number=newest.number + 1 if newest else 1,
        status=VersionStatus.DRAFT,
        spec=spec.to_dict(),
        ladder=ladder,
        text=dict(spec.text),
        violation_code=spec.violation_code,
        severity=spec.severity,
        review=spec.review,
        on=list(spec.on),
        markets=list(spec.markets),
        cap=spec.cap,
        effective_from=spec.effective_from,
        expires_at=spec.expires_at,
        author_id=actor.user_id if actor.kind == "staff" else None,
    )
    version.save()
    record(
        actor=actor,
        act="rule_version.created",
        obj=version,
        after={"status": version.status, "digest": spec.digest()},
    )
    return version


@transaction.atomic
def version_pause(*, actor: Actor, version_id: int, reason: str) -> RuleVersion:
    """Stop a live version; the signals it would have judged wait until it resumes. Records `rule_version.paused`.

    Takes effect with the next batch of detection. Raises NotAllowed, InvalidTransition, InvalidInput.
    """
    version = locked_version(version_id)
    actor.require_role(*MAY_PAUSE)
    require_markets(actor, version, every=False)
    return move(actor, version, VersionStatus.PAUSED, require_reason(reason), act="rule_version.paused")


@transaction.atomic
def version_resume(*, actor: Actor, version_id: int, reason: str) -> RuleVersion:
    """Let a paused version go on, first with the signals that waited. Records `rule_version.resumed`."""
    version = locked_version(version_id)
    actor.require_role(Role.LAUNCHER)
    require_markets(actor, version, every=True)
    if version.status != VersionStatus.PAUSED:
        raise InvalidTransition("Only a paused version can be resumed.")
    moved = move(actor, version, VersionStatus.LIVE, require_reason(reason), act="rule_version.resumed")
    nudge(DETECT_SWEEP)
    return moved


@transaction.atomic
def version_retire(*, actor: Actor, version_id: int, reason: str) -> RuleVersion:
    """Withdraw a version for good: it no longer answers, not even for late signals of its own days. What it found stays; signals
    that waited for it are dropped. Records `rule_version.retired`.
    """
    version = locked_version(version_id)
    actor.require_role(Role.LAUNCHER)
    require_markets(actor, version, every=True)
    moved = move(actor, version, VersionStatus.RETIRED, require_reason(reason), act="rule_version.retired")
    now = timezone.now()
    version.withdrawn_at = now
    version.save(update_fields=["withdrawn_at"])
    periods_close(version=version, at=now)
    nudge(DETECT_SWEEP)
    return moved


def move(
    actor: Actor,
    version: RuleVersion,
    to: VersionStatus,
    reason: str,
    *,
    act: str,
    after: Mapping[str, Any] | None = None,
) -> RuleVersion:
    """One change of status of a locked version, with its event: a step of the services of this concept. It resumes a version and
    never makes one live that was not: NotAllowed (`launch_required`).
    """
    check(version.status, to)
    if to == VersionStatus.LIVE and version.status != VersionStatus.PAUSED:
        raise NotAllowed("A rule goes live by a launch.", code="launch_required")
    before = version.status
    version.status = to
    version.status_reason = reason
    version.frozen_at = version.frozen_at or timezone.now()
    version.save(update_fields=["status", "status_reason", "frozen_at"])
    record(
        actor=actor,
        act=act,
        obj=version,
        before={"status": before},
        after={"status": to.value, **(after or {})},
        reason=reason,
    )
    return version


def version_pause_itself(*, version_id: int, reason: str) -> RuleVersion | None:
    """A version that ran into its cap stops and asks a human; None when it is no longer live. Records `rule_version.paused`.

    Inside the transaction of the batch that ran into the cap.
    """
    version = locked_version(version_id)
    if version.status != VersionStatus.LIVE:
        return None
    actor = Actor.system(f"rule {version.public_id}")
    return move(actor, version, VersionStatus.PAUSED, reason, act="rule_version.paused")


@transaction.atomic
def versions_expire_due(now: dt.datetime | None = None) -> int:
    """Retire the versions whose expiry has come; returns how many. Records `rule_version.expired`.

    Their live periods end at the expiry itself, however late the sweep is; for late signals of its own days an expired version
    still answers. A paused one stays paused, for what waits has to be decided upon by a person; once it resumes it is retired.
    """
    now = now or timezone.now()
    due = (
        RuleVersion.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .select_related("rule")
        .filter(status__in=(*CURRENT, VersionStatus.SHADOW), expires_at__lte=now)
        .order_by("pk")
    )
    actor = Actor.system("expiry")
    retired = 0
    for version in due:
        assert version.expires_at is not None  # filtered above
        expiry = {"expires_at": version.expires_at.isoformat()}
        ended = periods_close(version=version, at=version.expires_at)
        reason = "Its day of expiry has come."
        if version.status != VersionStatus.PAUSED:
            move(actor, version, VersionStatus.RETIRED, reason, act="rule_version.expired", after=expiry)
            retired += 1
        elif ended:
            after = {"status": version.status, **expiry}
            record(actor=actor, act="rule_version.expired", obj=version, after=after, reason=reason)
    if retired:
        nudge(DETECT_SWEEP)
    return retired
