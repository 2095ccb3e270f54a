"""Who lives in the demo world: guilds, creators, who held whom when, and a year of activity. Drawn, not stored."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from config.world.spec import World, dice

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Stay:
    """A creator in a guild on the days [first, last), counted from the first day of the world; last None: to this day."""

    creator: str
    guild: str
    first: int
    last: int | None

    def covers(self, day: int) -> bool:
        return self.first <= day and (self.last is None or day < self.last)


@dataclass
class GuildLife:
    """One guild: what is known of it, what is hidden (`kind`, `factor`), and its days."""

    external_id: str
    name: str
    market: str
    size: str
    tier: str
    kind: str
    factor: float
    onboarded_day: int
    stays: list[Stay] = field(default_factory=list)
    hours: list[float] = field(default_factory=list)
    revenue: list[float] = field(default_factory=list)
    active: list[int] = field(default_factory=list)

    def members(self, day: int) -> list[str]:
        """Creators held on that day; stays begin and end at midnight."""
        return [stay.creator for stay in self.stays if stay.covers(day)]

    def known(self, quantity: str, day: int) -> float | int:
        """What a detector reads off the guild's books on a day."""
        if quantity == "creators":
            return len(self.members(day))
        if quantity == "live_hours_30d":
            return round(sum(self.hours[max(0, day - 29) : day + 1]), 1)
        span = {"gift_revenue_30d": 30, "gift_revenue_7d": 7}[quantity]
        return round(sum(self.revenue[max(0, day - span + 1) : day + 1]), 2)


@dataclass
class Population:
    """Everybody. `creators` maps external id to (stage name, market)."""

    today: dt.datetime
    days: int
    guilds: dict[str, GuildLife]
    creators: dict[str, tuple[str, str]]

    @property
    def begin(self) -> dt.datetime:
        return self.today - self.days * DAY

    def moment(self, day: float) -> dt.datetime:
        """The moment so many days into the world, aware UTC."""
        return self.begin + dt.timedelta(days=day)

    def date(self, day: int) -> dt.date:
        """The date of a day, which in every market is taken from noon UTC of it."""
        return self.moment(day).date()

    def stays(self) -> Iterable[Stay]:
        for guild in self.guilds.values():
            yield from guild.stays


def draw_population(world: World, *, seed: int, today: dt.datetime, guilds: int, days: int) -> Population:
    """Guilds with their creators over `days` days up to `today` (midnight UTC, aware)."""
    population = Population(today=today, days=days, guilds={}, creators={})
    _draw_guilds(world, population, seed, guilds)
    _draw_creators(world, population, seed)
    for life in population.guilds.values():
        _draw_activity(world, population, life, dice(seed, "activity", life.external_id))
    return population


def _draw_guilds(world: World, population: Population, seed: int, wanted: int) -> None:
    rng = dice(seed, "guilds")
    names = _names(world, rng)
    for entry in world.portal:
        population.guilds[entry.guild] = GuildLife(
            external_id=entry.guild,
            name=entry.name,
            market=entry.market,
            size="medium",
            tier="gold",
            kind="ordinary",
            factor=0.0,  # its story is written in world.yaml
            onboarded_day=-200,
        )
    markets = _spread(world.raw["markets"], wanted - len(world.portal), rng)
    sizes, kinds = world.sizes, world.kinds
    for number, market in enumerate(markets, start=1):
        size = _weighted(rng, {name: one.share for name, one in sizes.items()})
        kind = _weighted(rng, {name: share for name, (share, _) in kinds.items()})
        new = rng.random() < 0.12
        external_id = f"demo-{number:04d}"
        population.guilds[external_id] = GuildLife(
            external_id=external_id,
            name=next(names),
            market=market,
            size=size,
            tier=_weighted(rng, sizes[size].tiers),
            kind=kind,
            factor=kinds[kind][1],
            onboarded_day=rng.randrange(0, max(1, population.days // 2)) if new else -rng.randrange(30, 1200),
        )


def _names(world: World, rng: random.Random) -> Iterator[str]:
    """Endless names of guilds, each once; when the pairs run out they are numbered."""
    pairs = [f"{one} {two}" for one in world.raw["names"]["first"] for two in world.raw["names"]["second"]]
    rng.shuffle(pairs)
    yield from pairs
    for turn in count(2):
        yield from (f"{pair} {turn}" for pair in pairs)


def _spread(weights: Mapping[str, float], wanted: int, rng: random.Random) -> list[str]:
    """Markets of so many guilds: each once as long as they last, the others by weight."""
    codes = list(weights)
    rest = rng.choices(codes, weights=list(weights.values()), k=max(0, wanted - len(codes)))
    return [*codes[: max(0, wanted)], *rest]


def _weighted(rng: random.Random, shares: Mapping[str, float]) -> str:
    return rng.choices(list(shares), weights=list(shares.values()))[0]


def _draw_creators(world: World, population: Population, seed: int) -> None:
    rng = dice(seed, "creators")
    rules = world.raw["creators"]
    by_market: dict[str, list[GuildLife]] = defaultdict(list)
    for life in population.guilds.values():
        by_market[life.market].append(life)
    names = world.raw["names"]["creators"]
    for life in list(population.guilds.values()):
        least, most = world.sizes[life.size].creators
        for _ in range(rng.randint(least, most)):
            creator = f"demo-c{len(population.creators) + 1:05d}"
            population.creators[creator] = (f"{rng.choice(names)} {rng.randrange(10, 100)}", life.market)
            joined_lately = rng.random() < rules["joined_during_the_year"]
            first = rng.randrange(0, population.days) if joined_lately else -rng.randrange(20, 500)
            first = max(first, life.onboarded_day)
            _draw_stays(population, life, by_market[life.market], creator, first, rng, rules)


def _draw_stays(
    population: Population,
    life: GuildLife,
    neighbours: list[GuildLife],
    creator: str,
    first: int,
    rng: random.Random,
    rules: Mapping[str, float],
) -> None:
    earliest = max(first + 15, 1)
    if rng.random() >= rules["left"] or earliest >= population.days:
        life.stays.append(Stay(creator, life.external_id, first, None))
        return
    last = rng.randrange(earliest, population.days)
    life.stays.append(Stay(creator, life.external_id, first, last))
    there = last + rng.randint(1, 30)
    others = [one for one in neighbours if one is not life and one.onboarded_day <= there]
    if rng.random() < rules["transferred"] and others and there < population.days:
        other = rng.choice(others)
        other.stays.append(Stay(creator, other.external_id, there, None))


def _draw_activity(world: World, population: Population, life: GuildLife, rng: random.Random) -> None:
    rules = world.raw["creators"]
    price = rng.uniform(*world.sizes[life.size].revenue_per_hour)
    low, high = rules["hours_per_day"]
    spread = (high - low) / math.sqrt(12)
    joins: dict[int, int] = defaultdict(int)
    leaves: dict[int, int] = defaultdict(int)
    held = 0
    begin = population.date(0).weekday()
    for stay in life.stays:
        if stay.first <= 0:
            held += 1
        else:
            joins[stay.first] += 1
        if stay.last is not None:
            leaves[stay.last] += 1
    for day in range(population.days):
        held += joins[day] - leaves[day]
        weekend = (begin + day) % 7 >= 5
        share = rng.uniform(*rules["active_share"]) * (1.1 if weekend else 0.95)
        active = min(held, math.ceil(held * share)) if day >= life.onboarded_day else 0
        hours = round(max(active * low, rng.gauss(active * (low + high) / 2, spread * math.sqrt(active))), 2)
        life.active.append(active)
        life.hours.append(hours)
        life.revenue.append(round(hours * price * rng.lognormvariate(0, 0.35), 2))
