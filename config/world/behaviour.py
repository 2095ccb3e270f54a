"""What the guilds of the demo world really do, and what the detectors make of it. Drawn, not stored.

Truth is a set of days per guild and rule. On a misbehaving day the rule's detector raises an alarm with the chance `recall`;
false alarms are sprinkled over the other days until the share `precision` of all alarms is true. An alarm is a few events
that together meet the rule's condition; noise never does.
"""

from __future__ import annotations

import datetime as dt
import math
import random
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, cycle, islice
from typing import Any

from config.world.population import GuildLife, Population
from config.world.spec import Conduct, Emission, Happening, World, dice

EVENTS = uuid.UUID("6d1b2c0a-5a50-4a3e-9d53-0a4c8f6f7b11")  # names the ids of the world's events


@dataclass(frozen=True)
class Alarm:
    """A detector's alarm about a guild's day. `true`: the guild did misbehave."""

    guild: str
    rule: str
    day: int
    true: bool


@dataclass(frozen=True)
class Emitted:
    """One event on its way to the platform, and the guild it is about; `noise` never meets a rule."""

    at: dt.datetime
    day: int
    guild: str
    noise: bool
    event: dict[str, Any]


@dataclass
class Behaviour:
    """The year as it was. `misdeeds` maps (guild, rule) to days; `marked` are happenings of world.yaml by alarm."""

    misdeeds: dict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set))
    alarms: list[Alarm] = field(default_factory=list)
    events: list[Emitted] = field(default_factory=list)
    marked: dict[tuple[str, str, int], Happening] = field(default_factory=dict)

    def true(self, guild: str, rule: str, day: int) -> bool:
        return day in self.misdeeds.get((guild, rule), ())


def draw_behaviour(world: World, population: Population, *, seed: int) -> Behaviour:
    """Everybody's year, events in order of time."""
    behaviour = Behaviour()
    _happenings(world, population, behaviour, seed)
    for conduct in world.conducts.values():
        rng = dice(seed, "conduct", conduct.rule)
        _misdeeds(world, population, conduct, behaviour, rng)
        _alarms(world, population, conduct, behaviour, rng)
        _noise(population, conduct, behaviour, dice(seed, "noise", conduct.rule))
    for alarm in behaviour.alarms:
        rng = dice(seed, "alarm", alarm.rule, alarm.guild, alarm.day)
        conduct = world.conducts[alarm.rule]
        life = population.guilds[alarm.guild]
        behaviour.events += _emit(
            population, life, conduct, conduct.alarm, alarm.day, rng, f"alarm {alarm.day}"
        )
    behaviour.events.sort(key=lambda emitted: (emitted.at, emitted.event["id"]))
    return behaviour


def able(conduct: Conduct, life: GuildLife, day: int) -> bool:
    """Whether the guild can break this rule on that day: market, creators enough, and streaming at all."""
    if not conduct.holds_in(life.market) or not life.active[day]:
        return False
    needed = conduct.alarm.count[0] if conduct.alarm.creators == "distinct" else 1
    return len(life.members(day)) >= needed


def _happenings(world: World, population: Population, behaviour: Behaviour, seed: int) -> None:
    """The stories of the portal's guilds, and the cases that are to wait in the queues, each of another guild."""
    for entry in world.portal:
        for happening in entry.story:
            _happen(population, behaviour, population.guilds[entry.guild], happening, world)
    rng = dice(seed, "waiting")
    own = {entry.guild for entry in world.portal}
    for happening in world.waiting:
        conduct = world.conducts[happening.rule]
        day = population.days - happening.days_ago
        free = [
            life
            for life in population.guilds.values()
            if life.external_id not in own
            and life.market in (happening.markets or [life.market])
            and day > 0
            and able(conduct, life, day)
        ]
        if free:
            life = rng.choice(free)
            own.add(life.external_id)
            _happen(population, behaviour, life, happening, world)


def _happen(
    population: Population, behaviour: Behaviour, life: GuildLife, happening: Happening, world: World
) -> None:
    day = population.days - happening.days_ago
    if day < 1 or not able(world.conducts[happening.rule], life, day):
        return
    behaviour.misdeeds[life.external_id, happening.rule].add(day)
    behaviour.alarms.append(Alarm(life.external_id, happening.rule, day, true=True))
    behaviour.marked[life.external_id, happening.rule, day] = happening


def _misdeeds(
    world: World, population: Population, conduct: Conduct, behaviour: Behaviour, rng: random.Random
) -> None:
    staged = {guild for guild, _, _ in behaviour.marked}
    busy = _busyness(world, population)
    for life in population.guilds.values():
        mean = conduct.rate * life.factor * busy[-1] / 365
        for _ in range(_poisson(rng, mean) if life.external_id not in staged else 0):
            first = rng.choices(range(population.days), cum_weights=busy)[0]
            for day in range(first, min(first + rng.randint(*conduct.days), population.days)):
                if able(conduct, life, day):
                    behaviour.misdeeds[life.external_id, conduct.rule].add(day)


def _busyness(world: World, population: Population) -> list[float]:
    """For each day how much happens up to its end, an ordinary day being 1."""
    recent = world.raw["recent"]
    factors = (
        recent["factor"] if day >= population.days - recent["days"] else 1.0 for day in range(population.days)
    )
    return list(accumulate(factors))


def _alarms(
    world: World, population: Population, conduct: Conduct, behaviour: Behaviour, rng: random.Random
) -> None:
    true_days = [
        (guild, day)
        for (guild, rule), days in behaviour.misdeeds.items()
        if rule == conduct.rule
        for day in sorted(days)
        if (guild, rule, day) not in behaviour.marked
    ]
    behaviour.alarms += [
        Alarm(guild, conduct.rule, day, true=True)
        for guild, day in true_days
        if rng.random() < conduct.recall
    ]
    expected = len(true_days) * conduct.recall * (1 - conduct.precision) / conduct.precision
    staged = {guild for guild, _, _ in behaviour.marked}
    candidates = [life for life in population.guilds.values() if life.external_id not in staged]
    busy = _busyness(world, population)
    raised: set[tuple[str, int]] = set()
    for _ in range(_poisson(rng, expected) if candidates else 0):
        life = rng.choice(candidates)
        day = rng.choices(range(population.days), cum_weights=busy)[0]
        place = (life.external_id, day)
        if (
            able(conduct, life, day)
            and place not in raised
            and not behaviour.true(life.external_id, conduct.rule, day)
        ):
            raised.add(place)
            behaviour.alarms.append(Alarm(life.external_id, conduct.rule, day, true=False))


def _noise(population: Population, conduct: Conduct, behaviour: Behaviour, rng: random.Random) -> None:
    for life in population.guilds.values():
        if not conduct.holds_in(life.market):
            continue
        for number in range(_poisson(rng, conduct.noise_per_year * population.days / 365)):
            day = rng.randrange(population.days)
            if life.active[day]:
                behaviour.events += _emit(
                    population, life, conduct, conduct.noise, day, rng, f"noise {number}"
                )


def _emit(
    population: Population,
    life: GuildLife,
    conduct: Conduct,
    emission: Emission,
    day: int,
    rng: random.Random,
    occasion: str,
) -> Iterator[Emitted]:
    count = rng.randint(*emission.count)
    if emission.per_1000_hours:
        hours = float(life.known("live_hours_30d", day))
        count = max(count, math.ceil(emission.per_1000_hours * hours / 1000))
    at = population.moment(day) + dt.timedelta(minutes=rng.randrange(30, 18 * 60))
    for number, creator in enumerate(_creators(emission, life.members(day), count, rng)):
        name = f"{population.date(day)} {life.external_id} {conduct.rule} {occasion} {number}"
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": str(uuid.uuid5(EVENTS, name)),
            "source": conduct.source,
            "type": conduct.type,
            "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "market": life.market,
            "data": {key: _value(recipe, life, day, number, rng) for key, recipe in emission.values.items()},
        }
        if creator:
            event["creator"] = creator
        if emission.names_guild or not creator:
            event["guild"] = life.external_id
        yield Emitted(at, day, life.external_id, emission is conduct.noise, event)
        at += dt.timedelta(seconds=rng.randrange(90, 900))


def _creators(emission: Emission, members: list[str], count: int, rng: random.Random) -> list[str]:
    """Whom each of `count` events is about; empty strings where it is the guild itself."""
    if emission.creators == "none" or not members:
        return [""] * count
    if emission.creators == "same":
        return [rng.choice(members)] * count
    return list(islice(cycle(rng.sample(members, min(count, len(members)))), count))


def _value(recipe: Any, life: GuildLife, day: int, number: int, rng: random.Random) -> Any:
    """One value of an event's data; the recipes are explained in behaviour.yaml."""
    if not isinstance(recipe, dict):
        return recipe
    if "between" in recipe:
        low, high = recipe["between"]
        if isinstance(low, int) and isinstance(high, int):
            return rng.randint(low, high)
        return round(rng.uniform(low, high), 3)
    if "one_of" in recipe:
        return rng.choice(recipe["one_of"])
    if "each" in recipe:
        return recipe["each"][number % len(recipe["each"])]
    known = life.known(recipe["guild"], day)
    return max(known, recipe["at_least"]) if "at_least" in recipe else known


def _poisson(rng: random.Random, mean: float) -> int:
    """Knuth's way, good for the small means of this world; a sum of parts for larger ones."""
    total = 0
    while mean > 0:
        part = min(mean, 20.0)
        mean -= part
        limit, product = math.exp(-part), rng.random()
        while product > limit:
            total += 1
            product *= rng.random()
    return total
