"""Two guilds in two markets with the same things in each: a violation, a penalty in force, an open appeal."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from appeals.models import Appeal
from appeals.services import appeal_file
from governance.models import Penalty, Violation
from governance.penalties.services import penalties_apply_due, sanctions_decide_due
from guilds.accounts.actor import Actor
from guilds.models import Guild, Market
from tests import factories

STATEMENT = "The stream in question was not ours, see the logs of that evening."
FREEZE = {**factories.LADDER, "steps": [[{"kind": "recruitment_freeze", "days": 7}]]}


@dataclass(frozen=True)
class Case:
    """One guild and what happened to it."""

    market: Market
    guild: Guild
    violation: Violation
    penalty: Penalty
    appeal: Appeal


@dataclass(frozen=True)
class World:
    ours: Case
    theirs: Case


def case(name: str) -> Case:
    market = factories.market(f"{name}-market", regime=factories.regime(appeal_days=15))
    guild = factories.guild(name, market=market)
    creator = factories.creator(f"{name}-creator", market=market)
    factories.membership(creator, guild, dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    rule = factories.rule(f"{name}-rule")
    version = factories.version(rule, ladder=FREEZE)
    violation = factories.violation(guild, version, status="confirmed", creator=creator)
    sanctions_decide_due(limit=100)
    penalties_apply_due()
    penalty = Penalty.objects.get(violation=violation)
    seat = Actor.guild_user(factories.seat(guild))
    appeal = appeal_file(actor=seat, penalty_id=penalty.pk, grounds="facts_wrong", statement=STATEMENT)
    return Case(market, guild, violation, penalty, appeal)


def world() -> World:
    return World(ours=case("aurora"), theirs=case("borealis"))
