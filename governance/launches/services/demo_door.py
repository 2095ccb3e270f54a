"""The demo's own door: versions go live without a launch, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from governance.launches.services.steps import superseded
from governance.ledger.services import record
from governance.rules.enums import Door, VersionStatus
from governance.rules.models import LivePeriod, RuleVersion
from governance.rules.periods import periods_close
from governance.rules.selectors import CURRENT
from governance.rules.transitions import check
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidTransition, NotAllowed, NotFound


@transaction.atomic
def versions_activate_without_launch(*, actor: Actor, version_ids: Sequence[int]) -> list[RuleVersion]:
    """The door of the demo: versions go live at once, without gates, waves or notice. Refused everywhere else.

    A version is live from its `effective_from`, which may lie in the past here and only here, else from now, in
    the markets it names. The version in force before is retired; it answers for signals from before its
    successor's start. Versions that are live already stay as they are. Records `rule.launched` and
    `rule_version.retired`. Raises NotAllowed, NotFound, InvalidTransition.
    """
    if settings.GUILDHALL_ENV != "demo":
        raise NotAllowed(
            "A rule goes live by a launch. Only the demo (GUILDHALL_ENV=demo) may do without one.",
            code="launch_required",
        )
    actor.require_role(Role.LAUNCHER)
    wanted = {
        version.pk: version
        for version in RuleVersion.objects.select_for_update(of=("self",), no_key=True)
        .select_related("rule")
        .filter(pk__in=version_ids)
        .order_by("pk")
    }
    missing = set(version_ids) - set(wanted)
    if missing:
        raise NotFound(f"There is no rule version {min(missing)}.")
    return [_activate(actor, version) for version in wanted.values() if version.status != VersionStatus.LIVE]


def _activate(actor: Actor, version: RuleVersion) -> RuleVersion:
    if version.status == VersionStatus.RETIRED:
        raise InvalidTransition("A retired version comes back only by the rollback of what replaced it.")
    check(version.status, VersionStatus.LIVE)
    now = timezone.now()
    starts_at = version.effective_from or now
    before = version.status
    if before != VersionStatus.PAUSED:
        for former in (
            RuleVersion.objects.select_for_update(of=("self",), no_key=True)
            .select_related("rule")
            .filter(rule=version.rule_id, status__in=CURRENT)
        ):
            superseded(actor, former, version)
            periods_close(version=former, at=max(now, starts_at))
        LivePeriod.objects.create(version=version, starts_at=starts_at, opened_by="demo")
    version.status = VersionStatus.LIVE
    version.status_reason = ""
    version.door = Door.DEMO
    version.frozen_at = version.frozen_at or now
    version.save(update_fields=["status", "status_reason", "door", "frozen_at"])
    record(
        actor=actor,
        act="rule.launched",
        obj=version,
        before={"status": before},
        after={
            "status": VersionStatus.LIVE.value,
            "rule": version.rule.code,
            "version": version.number,
            "starts_at": starts_at.isoformat(),
            "markets": version.markets,
        },
    )
    return version
