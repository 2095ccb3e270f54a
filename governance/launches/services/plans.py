"""Planning a launch, changing the plan, and giving it up."""

from __future__ import annotations

import datetime as dt
import secrets

from django.db import transaction
from django.utils import timezone

from governance.education.enums import AssignmentSource
from governance.education.services import assignments_withdraw
from governance.launches.enums import RESPONSIBLE, GateKind, LaunchStatus, WaveStatus
from governance.launches.models import Gate, Launch
from governance.launches.selectors import OPEN_WAVES, locked_launch
from governance.launches.services.steps import (
    LAUNCHER,
    colleague,
    require_open,
    require_person,
    require_reach,
    require_text,
)
from governance.launches.services.waves import give_up
from governance.launches.transitions import check_launch
from governance.ledger.services import record
from governance.rules.enums import VersionStatus
from governance.rules.selectors import locked_version
from governance.rules.services import require_markets
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition

LESSON_PERCENT = 80


@transaction.atomic
def launch_create(
    *,
    actor: Actor,
    version_id: int,
    title: str = "",
    lesson_percent: int = LESSON_PERCENT,
    notes: str = "",
    owner_id: int | None = None,
) -> Launch:
    """Plan the launch of a version, with a gate of every kind. It may be planned before the version is approved.

    Raises NotAllowed, InvalidInput, InvalidTransition (the version is live or over), Conflict (it has a launch). Records
    `launch.created`.
    """
    person = require_person(actor, *LAUNCHER)
    version = locked_version(version_id)
    require_markets(actor, version, every=False)
    if version.status not in {VersionStatus.DRAFT, VersionStatus.SHADOW}:
        raise InvalidTransition("Only a version that is a draft or in shadow can be launched.")
    if version.expires_at is not None and version.expires_at <= timezone.now():
        raise InvalidInput("This version has expired.", field="version")
    over = (LaunchStatus.CANCELLED, LaunchStatus.ROLLED_BACK)
    if version.launches.exclude(status__in=over).exists():
        raise Conflict("This version has a launch already.", code="launch_exists")
    now = timezone.now()
    launch = Launch(
        version=version,
        title=title.strip() or version.name[:200],
        owner=colleague(owner_id or person, field="owner"),
        salt=secrets.token_hex(16),
        lesson_percent=_percent(lesson_percent),
        notes=notes.strip(),
        created_at=now,
    )
    if len(launch.title) > 200:
        raise InvalidInput("At most 200 characters.", field="title")
    launch.full_clean(validate_constraints=False)
    launch.save()
    today = now.date()
    Gate.objects.bulk_create(
        Gate(
            launch=launch,
            kind=kind,
            team=RESPONSIBLE[kind][0],
            due_on=today + dt.timedelta(days=RESPONSIBLE[kind][1]),
        )
        for kind in GateKind.values
    )
    record(
        actor=actor,
        act="launch.created",
        obj=launch,
        after={
            "rule": version.rule.code,
            "version": version.number,
            "lesson_percent": launch.lesson_percent,
            "status": launch.status,
        },
    )
    return launch


def _percent(value: int) -> int:
    if not 0 <= value <= 100:
        raise InvalidInput("0 to 100 per cent.", field="lesson_percent")
    return value


@transaction.atomic
def launch_change(
    *,
    actor: Actor,
    launch_id: int,
    reason: str,
    title: str | None = None,
    lesson_percent: int | None = None,
    notes: str | None = None,
    owner_id: int | None = None,
) -> Launch:
    """Change the plan. Asking less of guilds takes every go back that was said on the old figure. Records `launch.changed`."""
    require_person(actor, *LAUNCHER)
    launch = locked_launch(launch_id)
    require_markets(actor, launch.version, every=False)
    require_open(launch)
    reason = require_text(reason)
    before: dict[str, object] = {}
    after: dict[str, object] = {}

    def note(name: str, value: object) -> None:
        if getattr(launch, name) != value:
            before[name], after[name] = _plain(getattr(launch, name)), _plain(value)
            setattr(launch, name, value)

    if title is not None:
        note("title", require_text(title, field="title", message="Give the launch a title."))
    if notes is not None:
        note("notes", notes.strip())
    if owner_id is not None:
        note("owner", colleague(owner_id, field="owner"))
    lowered = lesson_percent is not None and lesson_percent < launch.lesson_percent
    if lesson_percent is not None:
        note("lesson_percent", _percent(lesson_percent))
    if not after:
        return launch
    launch.full_clean(validate_constraints=False)
    launch.save()
    if lowered:
        for wave in launch.waves.filter(status=WaveStatus.GO).order_by("pk"):
            wave.status, wave.decided_by, wave.decided_at = WaveStatus.PLANNED, None, None
            wave.save(update_fields=["status", "decided_by", "decided_at"])
    record(actor=actor, act="launch.changed", obj=launch, before=before, after=after, reason=reason)
    return launch


def _plain(value: object) -> object:
    return value if isinstance(value, str | int) else str(value)


@transaction.atomic
def launch_cancel(*, actor: Actor, launch_id: int, reason: str) -> Launch:
    """Give up a launch before any of its waves is live. Guilds that were told hear that it does not come.

    Raises NotAllowed, InvalidInput, InvalidTransition. Records `launch.cancelled` and `wave.removed` for each of its waves.
    """
    require_person(actor, *LAUNCHER)
    launch = locked_launch(launch_id)
    require_markets(actor, launch.version, every=False)
    reason = require_text(reason)
    check_launch(launch.status, LaunchStatus.CANCELLED)
    for wave in launch.waves.select_for_update(of=("self",)).filter(status__in=OPEN_WAVES).order_by("pk"):
        require_reach(actor, wave.markets.all())
        give_up(actor=actor, wave=wave, reason=reason, at=timezone.now())
    before = launch.status
    launch.status, launch.finished_at, launch.finished_reason = LaunchStatus.CANCELLED, timezone.now(), reason
    launch.save(update_fields=["status", "finished_at", "finished_reason"])
    lessons_withdraw(launch=launch, reason=reason)
    record(
        actor=actor,
        act="launch.cancelled",
        obj=launch,
        before={"status": before},
        after={"status": launch.status},
        reason=reason,
    )
    return launch


def lessons_withdraw(*, launch: Launch, reason: str) -> None:
    """Nobody has to do a lesson for a change that does not come. The platform asked for it and takes it back."""
    assignments_withdraw(
        actor=Actor.system(f"launch of {launch.version.public_id}"),
        source=AssignmentSource.LAUNCH,
        source_ids=[str(launch.public_id)],
        reason=reason,
    )
