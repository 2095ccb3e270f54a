"""The demo world's data files as plain values. Nothing is drawn and nothing stored here."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from governance.rules.policy import Policy, parse_policy

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
FILES = Path(__file__).resolve().parent.parent / "demo_world"


@dataclass(frozen=True)
class Size:
    """A size of guilds: share of all, creators and gift revenue per live hour as (least, most), tiers with shares."""

    share: float
    creators: tuple[int, int]
    tiers: Mapping[str, float]
    revenue_per_hour: tuple[float, float]


@dataclass(frozen=True)
class Emission:
    """How events of one sort look. `count` is (least, most), `values` the recipes of the event's data."""

    count: tuple[int, int]
    values: Mapping[str, Any]
    creators: str = "none"
    names_guild: bool = True
    per_1000_hours: float = 0.0


@dataclass(frozen=True)
class Conduct:
    """How guilds misbehave under one rule, and how well its detector sees it."""

    rule: str
    type: str
    source: str
    markets: frozenset[str]
    rate: float
    days: tuple[int, int]
    recall: float
    precision: float
    alarm: Emission
    noise: Emission
    noise_per_year: float

    def holds_in(self, market: str) -> bool:
        return "*" in self.markets or market in self.markets


@dataclass(frozen=True)
class Happening:
    """A breach that is to happen whatever the dice say, and what becomes of it. `markets` narrows whose it may be."""

    rule: str
    days_ago: int
    appeal: str = ""
    confirm: bool = False
    release: bool = False
    markets: Sequence[str] = ()


@dataclass(frozen=True)
class Person:
    role: str
    email: str
    name: str = ""
    language: str = ""
    error: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PortalGuild:
    """A guild whose people can sign in, with what happened to it lately."""

    guild: str
    name: str
    market: str
    story: Sequence[Happening]
    people: Sequence[Person]


@dataclass(frozen=True)
class World:
    """Everything the files say. `raw` is world.yaml and `governing` governing.yaml, for parts read where they are used."""

    policy_text: str
    policy: Policy
    sizes: Mapping[str, Size]
    kinds: Mapping[str, tuple[float, float]]
    conducts: Mapping[str, Conduct]
    staff: Sequence[Person]
    portal: Sequence[PortalGuild]
    waiting: Sequence[Happening]
    lessons: Sequence[Mapping[str, Any]]
    governing: Mapping[str, Any]
    raw: Mapping[str, Any]


def dice(seed: int, *topic: object) -> random.Random:
    """The generator of one topic: the same for the same seed and topic, whatever else has been drawn."""
    return random.Random("/".join(map(str, (seed, *topic))))  # noqa: S311  a game, not a secret


@lru_cache(maxsize=1)
def load_world() -> World:
    """Read and check the files; ValueError or KeyError when one of them does not fit the others."""
    policy_text = (FILES / "policy.yaml").read_text()
    policy = parse_policy(policy_text)
    raw = _read("world.yaml")
    recipes = _read("behaviour.yaml")
    rules = {rule.code: rule for rule in policy.rules}
    if rules.keys() != recipes.keys():
        raise ValueError(f"policy.yaml and behaviour.yaml differ in {sorted(rules.keys() ^ recipes.keys())}")
    return World(
        policy_text=policy_text,
        policy=policy,
        sizes={
            name: Size(
                share=size["share"],
                creators=(size["creators"][0], size["creators"][1]),
                tiers=size["tiers"],
                revenue_per_hour=(size["revenue_per_hour"][0], size["revenue_per_hour"][1]),
            )
            for name, size in raw["sizes"].items()
        },
        kinds={name: (kind["share"], kind["factor"]) for name, kind in raw["kinds"].items()},
        conducts={
            code: _conduct(code, recipe, rules[code].on[0], rules[code].markets)
            for code, recipe in recipes.items()
        },
        staff=[Person(**person) for person in raw["staff"]],
        portal=[
            PortalGuild(
                guild=entry["guild"],
                name=entry["name"],
                market=entry["market"],
                story=[Happening(**happening) for happening in entry["story"]],
                people=[Person(**person) for person in entry["people"]],
            )
            for entry in raw["portal"]
        ],
        waiting=[Happening(**happening) for happening in raw["waiting"]],
        lessons=_read("lessons.yaml"),
        governing=_read("governing.yaml"),
        raw=raw,
    )


def _read(name: str) -> Any:
    return yaml.load((FILES / name).read_text(), Loader=LOADER)  # noqa: S506  a safe loader


def _conduct(rule: str, recipe: Mapping[str, Any], signal_type: str, markets: Sequence[str]) -> Conduct:
    noise = recipe["noise"]
    return Conduct(
        rule=rule,
        type=signal_type,
        source=recipe["source"],
        markets=frozenset(markets),
        rate=recipe["rate"],
        days=(recipe["days"][0], recipe["days"][1]),
        recall=recipe["recall"],
        precision=recipe["precision"],
        alarm=_emission(recipe["alarm"], (recipe["alarm"]["count"][0], recipe["alarm"]["count"][1])),
        noise=_emission(noise, (1, 1)),
        noise_per_year=noise["per_year"],
    )


def _emission(recipe: Mapping[str, Any], count: tuple[int, int]) -> Emission:
    return Emission(
        count=count,
        values=recipe["data"],
        creators=recipe.get("creators", "none"),
        names_guild=recipe.get("names_guild", True),
        per_1000_hours=recipe.get("per_1000_hours", 0.0),
    )
