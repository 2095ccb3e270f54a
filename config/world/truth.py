"""The hidden truth of the demo world as a file, for whoever checks estimates against it. The application never reads it."""

from __future__ import annotations

from typing import Any

from config.world.replay import Replay

FILE = "demo-truth.json"


def truth_of(replay: Replay) -> dict[str, Any]:
    """Plain values: what every guild did on which day, which alarms were raised, how good detectors and reviewers are.

    Days on which a guild was shut out did not take place and are left out. Dates are UTC days as "YYYY-MM-DD".
    """
    population, behaviour, silent = replay.population, replay.behaviour, replay.silent
    codes = {rule.code: rule.violation_code for rule in replay.world.policy.rules}
    return {
        "seed": replay.seed,
        "today": population.today.date().isoformat(),
        "days": population.days,
        "guilds": [
            {"guild": life.external_id, "market": life.market, "kind": life.kind, "factor": life.factor}
            for life in population.guilds.values()
        ],
        "misbehaviour": [
            {"guild": guild, "rule": rule, "code": codes[rule], "date": population.date(day).isoformat()}
            for (guild, rule), days in sorted(behaviour.misdeeds.items())
            for day in sorted(days)
            if (guild, day) not in silent
        ],
        "alarms": [
            {
                "guild": alarm.guild,
                "rule": alarm.rule,
                "date": population.date(alarm.day).isoformat(),
                "true": alarm.true,
                "staged": (alarm.guild, alarm.rule, alarm.day) in behaviour.marked,
            }
            for alarm in behaviour.alarms
            if (alarm.guild, alarm.day) not in silent
        ],
        "silent": sorted([guild, population.date(day).isoformat()] for guild, day in silent),
        "detectors": {
            rule: {
                "type": conduct.type,
                "source": conduct.source,
                "recall": conduct.recall,
                "precision": conduct.precision,
                "rate_per_guild_year": conduct.rate,
            }
            for rule, conduct in replay.world.conducts.items()
        },
        "reviewers": {person.email: dict(person.error) for _, person in replay.people.reviewers},
    }
