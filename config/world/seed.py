"""The whole of it: draw the world, live through its year, leave it ready for visitors."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest import mock

from django.conf import settings
from django.db import connection, transaction

from config.world.appeals import Challenges
from config.world.behaviour import draw_behaviour
from config.world.clock import world_time
from config.world.enforcing import Enforcement, contacts_add, corrections_plan
from config.world.feedback import assessments_make, feedback_plan, register_fill
from config.world.launching import approvals_leave
from config.world.leftovers import endpoint_leave, habits_plan, leftovers_leave
from config.world.people import SYSTEM, passwords_set, portal_people_invite, staff_hire, write_private
from config.world.population import draw_population
from config.world.replay import Replay
from config.world.reviewing import Auditing, desks_leave, desks_set
from config.world.spec import load_world
from config.world.store import population_write
from config.world.teaching import lessons_plan, lessons_publish
from config.world.truth import FILE as TRUTH_FILE
from config.world.truth import truth_of
from governance.launches.policy_file import policy_load
from governance.launches.services import versions_activate_without_launch
from governance.ledger.models import Event
from governance.ledger.services import Entry, record_many
from governance.signals.models import Signal
from governance.violations.models import Violation
from guilds.errors import Conflict, NotAllowed

LOGINS_FILE = "demo-logins.json"
SEED_LOCK = 7_170_200
SEEDED = "demo.seeded"

#: Told (days lived, days in all).
Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Seeded:
    """What there is now; `fresh` is false when it was there before and nothing was done."""

    fresh: bool
    guilds: int = 0
    signals: int = 0
    violations: int = 0


def already_seeded() -> bool:
    return Event.objects.filter(act=SEEDED).exists()


def seed_world(
    *, guilds: int, days: int, seed: int, today: dt.datetime, data_dir: Path, progress: Progress | None = None
) -> Seeded:
    """Build the demo world up to `today` (midnight UTC, aware) unless there is one.

    The database has it whole or not at all. Writes demo-logins.json and demo-truth.json to `data_dir`, readable by the owner
    only. Raises NotAllowed outside GUILDHALL_ENV=demo and Conflict when somebody else is at it. Records demo.seeded.
    """
    if settings.GUILDHALL_ENV != "demo":
        raise NotAllowed("The demo world is for the demo only (GUILDHALL_ENV=demo).", code="demo_only")
    with transaction.atomic():
        _lock()
        if already_seeded():
            return Seeded(fresh=False)
        # It stands or falls as one, so no act in it needs a savepoint of its own: a third of all statements.
        without_savepoints = mock.patch.object(connection.features, "uses_savepoints", new=False)
        # What was mailed in the past has been read long ago.
        unsent = mock.patch.object(settings, "EMAIL_BACKEND", "django.core.mail.backends.dummy.EmailBackend")
        with without_savepoints, unsent, world_time(today - dt.timedelta(days=days)) as clock:
            world = load_world()
            population = draw_population(world, seed=seed, today=today, guilds=guilds, days=days)
            behaviour = draw_behaviour(world, population, seed=seed)
            people = staff_hire(world)
            report = policy_load(
                actor=people.staff["analyst"],
                text=world.policy_text,
                filename="config/demo_world/policy.yaml",
            )
            versions_activate_without_launch(
                actor=people.staff["launcher"], version_ids=list(report.version_ids.values())
            )
            rows = population_write(population)
            portal_people_invite(world, people, rows)
            logins = passwords_set(people)
            register_fill(world, people, today=today.date())
            lessons_publish(world, people)
            desks_set(people)
            _analyze()
            replay = Replay(world, population, behaviour, people, rows, clock, seed)
            contacts_add(replay)
            enforcement = Enforcement(replay)
            replay.on_violation_sanctioned = Challenges(replay).consider
            replay.on_penalty = partial(corrections_plan, replay)
            habits_plan(replay)
            lessons_plan(replay)
            feedback_plan(replay)
            Auditing(replay).plan()
            enforcement.plan()
            for first, end in replay.steps():
                replay.live_through(first, end)
                if progress:
                    progress(end, days)
            leftovers_leave(replay)
            desks_leave(replay)
            enforcement.leave()
            assessments_make(people, today=today.date())
            entry = Entry(
                act=SEEDED,
                object_type="demo",
                object_id=str(seed),
                after={"guilds": guilds, "days": days, "seed": seed, "today": today.date().isoformat()},
            )
            record_many(actor=SYSTEM, entries=[entry])
        seeded = Seeded(True, len(rows), Signal.objects.count(), Violation.objects.count())
        write_private(data_dir / TRUTH_FILE, truth_of(replay))
        write_private(data_dir / LOGINS_FILE, logins)
        # A year of nudges to workers; the sweeps find the little that is left to do.
        connection.run_on_commit.clear()
    endpoint_leave(people)
    approvals_leave(world, people, since=today - dt.timedelta(days=days), until=today)
    return seeded


def _lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SEED_LOCK])
        if not cursor.fetchone()[0]:
            raise Conflict("Somebody else is building the demo world.", code="seeding")


def _analyze() -> None:
    """Fresh tables have no statistics, and autovacuum cannot look into an open transaction."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE guilds_guild, guilds_creator, guilds_membership, guilds_market")
