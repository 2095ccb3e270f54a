"""Rules on their way at the end of the demo's year: one before the approver, one being launched.

Lived in true time, after the world: a version is live from the moment of the act and at no other, and neither services nor
PostgreSQL make an exception for a demo.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.utils import timezone

from config.world.people import People
from config.world.population import DAY
from config.world.spec import World, dice
from config.world.teaching import quiz_pass
from governance.backtests.services import backtest_request, backtest_step
from governance.engine import RuleSpec
from governance.launches.models import Launch
from governance.launches.services import (
    announcements_send,
    gate_assign,
    gate_sign,
    launch_create,
    wave_add,
    wave_announce,
    wave_decide,
)
from governance.rules.models import RuleVersion
from governance.rules.selectors import rule_by_code, version_of
from governance.workbench.models import Approval
from governance.workbench.services import approval_request, approve, draft_save, example_add, version_copy
from guilds.accounts.actor import Actor
from guilds.models import Guild, Market
from guilds.registry.enums import GuildStatus


@transaction.atomic
def approvals_leave(world: World, people: People, *, since: dt.datetime, until: dt.datetime) -> Launch:
    """A wording put before the approver, and another approved and on its way through its waves."""
    waits, plan = world.governing["waits_for_approval"], world.governing["launch"]
    _proposed(people, waits, since, until)
    approval = _proposed(people, plan, since, until)
    approve(actor=people.staff["approver"], approval_id=approval.pk, reason=plan["approved"])
    return _launch(world, people, plan, approval.version)


def _proposed(people: People, wanted: Mapping[str, Any], since: dt.datetime, until: dt.datetime) -> Approval:
    """The analyst rewrites the rule, keeps examples with it, runs it over the year, and asks for approval."""
    analyst = people.staff["analyst"]
    version = version_copy(actor=analyst, version_id=version_of(rule_by_code(wanted["rule"])).pk)
    spec = replace(
        RuleSpec.from_dict(version.spec),
        when=wanted["when"],
        description=wanted["description"],
        effective_from=None,
    )
    version = draft_save(actor=analyst, version_id=version.pk, spec=spec)
    for example in wanted["examples"]:
        example_add(
            actor=analyst,
            version_id=version.pk,
            name=example["name"],
            must_match=example["must_match"],
            pasted=json.dumps(example["data"]),
            measures=example["measures"],
        )
    run = backtest_request(actor=analyst, version_id=version.pk, since=since, until=until)
    while backtest_step(run.pk):
        pass
    return approval_request(actor=analyst, version_id=version.pk, backtest_id=run.pk, note=wanted["note"])


def _launch(world: World, people: People, plan: Mapping[str, Any], version: RuleVersion) -> Launch:
    launcher = people.staff["launcher"]
    launch = launch_create(
        actor=launcher, version_id=version.pk, title=plan["title"], lesson_percent=plan["lesson_percent"]
    )
    for gate in launch.gates.order_by("pk"):
        gate_assign(actor=launcher, gate_id=gate.pk, owner_id=_owner(people, gate.team))
        if gate.kind in plan["evidence"]:
            staffed = gate.kind.endswith("staffing")
            gate_sign(
                actor=launcher,
                gate_id=gate.pk,
                evidence=plan["evidence"][gate.kind],
                capacity_hours_per_day=plan["capacity_hours_per_day"] if staffed else None,
                shortfall_reason="No estimate could be made: too few cases in a year." if staffed else "",
            )
    now = timezone.now()
    for wanted in plan["waves"]:
        _wave(launcher, launch, wanted, now)
    _learn(world, people, plan)
    return launch


def _owner(people: People, team: str) -> int | None:
    role = {"policy": "analyst", "product": "launcher", "review": "reviewer", "operations": "adjudicator"}[
        team
    ]
    return people.staff[role].user_id


def _wave(launcher: Actor, launch: Launch, wanted: Mapping[str, Any], now: dt.datetime) -> None:
    markets = Market.objects.filter(code__in=wanted["markets"]).values_list("pk", flat=True)
    wave = wave_add(
        actor=launcher,
        launch_id=launch.pk,
        market_ids=list(markets),
        planned_at=now + wanted.get("in_days", 0) * DAY + dt.timedelta(minutes=wanted.get("in_minutes", 0)),
        share=wanted.get("share", 100),
        holdout=wanted.get("holdout", 0),
        name=wanted["name"],
    )
    if wanted.get("announce"):
        wave_announce(actor=launcher, wave_id=wave.pk)
        while announcements_send():
            pass
    if "go" in wanted:
        wave_decide(actor=launcher, wave_id=wave.pk, decision="go", reason=wanted["go"])


def _learn(world: World, people: People, plan: Mapping[str, Any]) -> None:
    """Most guilds of the first wave do the lesson they were given, as soon as they were told."""
    lesson = next(lesson["code"] for lesson in world.lessons if lesson["rule"] == plan["rule"])
    guilds = Guild.objects.filter(market__code__in=plan["waves"][0]["markets"], status=GuildStatus.ACTIVE)
    for guild in guilds.order_by("external_id"):
        if dice(0, "learns", guild.external_id).random() < plan["completes"]:
            quiz_pass(people.owner(guild), lesson)
