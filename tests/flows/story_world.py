"""Where the stories of a guild play: rules of four tempers, a lesson, three bands, and everybody who may act."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.utils import timezone

from governance.models import Band, Lesson, RuleVersion
from governance.penalties import services
from governance.penalties.services.rectification import rectifications_check_due
from guilds.accounts.actor import Actor
from tests import factories
from tests.governance.education.cases import published, question

LADDERS: dict[str, dict[str, Any]] = {
    "mild": {
        "window": "30d",
        "points": 10,
        "steps": [
            [{"kind": "warning"}],
            [{"kind": "recruitment_freeze", "days": 7}],
            [{"kind": "tier_removal", "days": 20}, {"kind": "settlement_hold", "days": 30}],
        ],
    },
    "hard": {
        "window": "90d",
        "points": 20,
        "steps": [
            [{"kind": "settlement_hold", "days": 10}],
            [{"kind": "suspension", "days": 7}, {"kind": "tier_removal", "days": 40}],
            [{"kind": "suspension", "days": 30}, {"kind": "clear_out"}],
        ],
    },
    "patient": {
        "window": "60d",
        "points": 8,
        "steps": [
            [{"kind": "warning"}],
            [{"kind": "traffic_limit", "days": 10, "grace": "3d", "stops": ["correction", "appeal"]}],
            [{"kind": "suspension", "days": 10, "grace": "3d", "stops": ["appeal"]}],
        ],
    },
    "worst": {
        "window": "365d",
        "points": 25,
        "red_line": True,
        "steps": [[{"kind": "warning"}], [{"kind": "suspension", "days": 15}, {"kind": "clear_out"}]],
    },
}


def at_once(of: Iterable[Any], pick: int) -> Any | None:
    """One of these rows, always the same for the same pick."""
    rows = list(of)
    return rows[pick % len(rows)] if rows else None


class World:
    """A guild in gold, rules of four tempers, a lesson about one, three bands and everybody who may act."""

    def __init__(self) -> None:
        self.clock = timezone.now()
        regime = factories.regime(code="short", termination_days=5, appeal_days=3000)
        self.market = factories.market(regime=regime, timezone="Asia/Kolkata")
        self.guild = factories.guild(tier="gold", market=self.market)
        self.owner = Actor.guild_user(factories.seat(self.guild))
        self.reviewers = [Actor.staff(factories.staff("reviewer")) for _ in range(3)]
        self.enforcers = [Actor.staff(factories.staff("enforcer")) for _ in range(2)]
        self.adjudicators = [factories.staff("adjudicator") for _ in range(4)]
        self.versions: dict[str, RuleVersion] = {
            name: factories.version(
                factories.rule(name.upper()),
                ladder={"code": name, "decay": ladder["window"], **ladder},
                severity={"worst": "S1", "hard": "S2"}.get(name, "S3"),
                review="dual" if name == "hard" else "human",
            )
            for name, ladder in LADDERS.items()
        }
        self.lesson: Lesson = published(
            "about-mild",
            rule=self.versions["mild"].rule,
            questions=[question(1)],
            credit_points=6,
            credit_every_days=2,
            amnesty_days=20,
        )
        for code, name, score, steps in (
            ("watch", "Watch", 85, [{"kind": "reward_freeze", "days": 9}]),
            ("hold", "Hold", 60, [{"kind": "suspension", "days": 5}, {"kind": "public_notice", "days": 50}]),
            ("end", "End", 20, [{"kind": "clear_out"}]),
        ):
            Band.objects.create(code=code, name=name, at_or_below=score, penalties=steps)

    def settle(self) -> None:
        for sweep in SWEEPS.values():
            while sweep():
                pass


SWEEPS: dict[str, Callable[[], int]] = {
    "sanction": services.sanctions_decide_due,
    "correct": rectifications_check_due,
    "overtaken": services.penalties_overtaken_cancel,
    "apply": services.penalties_apply_due,
    "lift": services.penalties_lift_due,
    "expire": services.points_expire_due,
    "credit": services.credits_apply_due,
    "trained": services.penalties_trained_due,
}
