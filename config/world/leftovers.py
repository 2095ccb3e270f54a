"""What lies about in any real installation: rules being written, events nobody can place, a detector gone wrong."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from django.utils import timezone

from config.world.people import SYSTEM, People
from config.world.population import DAY
from config.world.replay import Replay, detect
from governance.engine import RuleSpec
from governance.rules.exceptions import exception_grant
from governance.rules.models import Rule, RuleVersion
from governance.rules.selectors import rule_by_code, version_of
from governance.rules.services import version_create, version_pause
from governance.rules.shadow import shadow_start
from governance.signals.services import signals_ingest
from governance.violations.detection_queue import shards_at_work
from governance.webhooks.enums import WebhookType
from governance.webhooks.models import Endpoint
from governance.webhooks.services import endpoint_create, endpoint_set_active

SHADOW_DAYS, EXCEPTION_DAYS = 30, 60


def habits_plan(replay: Replay) -> None:
    """Put on the agenda: a new wording goes into shadow a month before today."""
    replay.plan(replay.population.today - SHADOW_DAYS * DAY, "shadow", lambda: _shadow(replay.people))


def _reworded(people: People, rule: Rule, **changes: Any) -> RuleVersion:
    version = version_of(rule)
    spec = replace(RuleSpec.from_dict(version.spec), **changes)
    return version_create(actor=people.staff["analyst"], rule=rule, spec=spec, ladder=dict(version.ladder))


def _shadow(people: People) -> None:
    stricter = "signal.still_ratio >= 0.7 && signal.interactions_per_hour < 2.0 && idle_7d >= 1"
    version = _reworded(
        people, rule_by_code("DAT-IDLE"), when=stricter, description="Would one stream be enough?"
    )
    shadow_start(
        actor=people.staff["launcher"],
        version_id=version.pk,
        until=timezone.now() + (SHADOW_DAYS + 14) * DAY,
        reason="See how many more it would find before it counts.",
    )


def leftovers_leave(replay: Replay) -> None:
    """At the end of the year: a paused rule with signals waiting, a rule silenced for a guild, a fault, quarantine."""
    people = replay.people
    version_pause(
        actor=people.staff["launcher"],
        version_id=version_of(rule_by_code("REC-POSE")).pk,
        reason="The brand detector takes our own spring campaign for impersonation. Paused until it has been repaired.",
    )
    exception_grant(
        actor=people.staff["launcher"],
        rule_id=rule_by_code("EDU-TRAINED").pk,
        guild_id=replay.guilds[replay.world.portal[0].guild].pk,
        expires_at=replay.population.today + EXCEPTION_DAYS * DAY,
        reason="Its training moves to our new academy this quarter; the old count misses what is done there.",
    )
    signals_ingest(actor=SYSTEM, events=list(_odd_events(replay)))
    detect(shards_at_work())


def _odd_events(replay: Replay) -> list[dict[str, Any]]:
    at = replay.population.today - dt.timedelta(hours=2)
    life = replay.population.guilds[replay.world.portal[0].guild]

    def event(number: int, source: str, type_: str, data: dict[str, Any], **whom: str) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": f"odd-{at:%Y%m%d}-{number}",
            "source": source,
            "type": type_,
            "time": (at + dt.timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "data": data,
            **whom,
        }

    fees = {"topic": "fees", "receipt": True, "amount": 120}
    return [
        # Waits for REC-POSE: the campaign that made the launcher pause it.
        event(
            1, "/detectors/brand", "recruiting.impersonation", {"logo_match": 0.97}, guild=life.external_id
        ),
        # A text where a number belongs: this rule faults on it, the others go on.
        event(
            2,
            "/detectors/gifts",
            "gift.self_gifting",
            {"linked_share": "n/a", "gift_revenue_7d": 900.0},
            guild=life.external_id,
        ),
        # Nobody we know, and nowhere to put them.
        event(3, "/reports/creators", "creator.complaint", fees, guild="acquired-77"),
        event(4, "/reports/creators", "creator.complaint", fees, creator="acquired-c1204"),
        event(
            5, "/detectors/streams", "stream.idle", {"still_ratio": 0.95}, guild="acquired-78", market="XX"
        ),
        # A guild the registry has not heard of yet, in a market it has: provisional.
        event(
            6,
            "/detectors/audience",
            "audience.bot_scan",
            {"bot_share": 0.1},
            guild="acquired-90",
            market="ID",
        ),
    ]


def endpoint_leave(people: People) -> Endpoint:
    """A receiver of webhooks, paused, with its place at the end of the world's year. In a transaction of its own, after it."""
    endpoint = endpoint_create(
        actor=people.staff["admin"],
        name="Enforcement (example)",
        url="https://enforcement.example.test/guildhall",
        types=[
            WebhookType.PENALTY_APPLIED.value,
            WebhookType.PENALTY_LIFTED.value,
            WebhookType.PENALTY_REVERSED.value,
        ],
    )
    return endpoint_set_active(
        actor=people.staff["admin"],
        endpoint_id=endpoint.pk,
        active=False,
        reason="An example: nobody listens there.",
    )
