"""One case that every test about appeals starts from, with a named cast."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from appeals.models import Appeal, Decision, Evidence, Message
from appeals.services import appeal_file
from governance.models import Event, Finding, Notice, Penalty, PointEntry, Rectification, Standing, Violation
from governance.penalties.services import penalties_apply_due, sanctions_decide_due
from guilds.accounts.actor import Actor
from guilds.models import Guild, GuildUser, User
from tests import factories

PASSWORD = "correct horse battery"
STATEMENT = "The logo in the screenshot belongs to another guild."
ANSWER = "You are right: the account was never in your guild."

LADDER: dict[str, Any] = {
    **factories.LADDER,
    "steps": [
        [{"kind": "recruitment_freeze", "days": 7}, {"kind": "training", "days": 14}],
        [{"kind": "settlement_hold", "days": 30}],
    ],
}


@dataclass
class Case:
    """Aurora was sanctioned once: ten points, a freeze of seven days and a training. Borealis has nothing to do with it.

    Olga owns Aurora's account, Max manages, Vera views; Otto owns Borealis. Rita reviewed the violation and is an adjudicator
    too. Ada and Abel adjudicate; Alma does so in another market only.
    """

    guild: Guild
    other_guild: Guild
    olga: GuildUser
    max: GuildUser
    vera: GuildUser
    otto: GuildUser
    rita: User
    ada: User
    abel: User
    alma: User
    violation: Violation
    penalty: Penalty
    training: Penalty

    @property
    def owner(self) -> Actor:
        return Actor.guild_user(self.olga)

    @property
    def adjudicator(self) -> Actor:
        return Actor.staff(self.ada)

    def appeal(self, **fields: Any) -> Appeal:
        """An open appeal against the freeze."""
        filing: dict[str, Any] = {
            "actor": self.owner,
            "penalty_id": self.penalty.pk,
            "grounds": "facts_wrong",
            "statement": STATEMENT,
        }
        return appeal_file(**(filing | fields))


def build_case() -> Case:
    regime = factories.regime(code="eu", appeal_days=15, decide_days=15, decide_urgent_days=7)
    market = factories.market(timezone="Europe/Berlin", regime=regime)
    guild = factories.guild("aurora", name="Aurora Talent", market=market)
    other_guild = factories.guild("borealis", name="Borealis Live", market=market)
    seats = {
        name: factories.seat(of, role, email=f"{name}@guild.test", password=PASSWORD)
        for name, of, role in (
            ("olga", guild, "owner"),
            ("max", guild, "manager"),
            ("vera", guild, "viewer"),
            ("otto", other_guild, "owner"),
        )
    }
    rita = factories.staff("reviewer", "adjudicator", email="rita@staff.test", password=PASSWORD)
    version = factories.version(factories.rule("REC-02", name="Posing as the platform"), ladder=LADDER)
    violation = factories.violation(guild, version, status="confirmed")
    violation.reviews.create(
        reviewer=rita, verdict="confirm", reason="Clear from the logo.", created_at=violation.detected_at
    )
    sanctions_decide_due(limit=10)
    penalties_apply_due(limit=10)
    return Case(
        guild=guild,
        other_guild=other_guild,
        **seats,
        rita=rita,
        ada=factories.staff("adjudicator", email="ada@staff.test", password=PASSWORD),
        abel=factories.staff("adjudicator", email="abel@staff.test"),
        alma=factories.staff("adjudicator", markets=[factories.market()], email="alma@staff.test"),
        violation=violation,
        penalty=Penalty.objects.get(kind="recruitment_freeze"),
        training=Penalty.objects.get(kind="training"),
    )


def put_right_asked(guild: Guild) -> Penalty:
    """A freeze that starts in seven days unless the guild puts things right."""
    step = {"kind": "recruitment_freeze", "days": 14, "grace": "7d", "stops": ["correction", "appeal"]}
    rule = factories.rule("CON-01", name="Unfair contract terms")
    version = factories.version(rule, ladder={**LADDER, "steps": [[step]]})
    violation = factories.violation(guild, version, status="confirmed")
    sanctions_decide_due(limit=10)
    return violation.penalties.get()


def state() -> dict[str, Any]:
    """Everything an appeal can move, to compare before and after."""
    return {
        "appeals": list(Appeal.objects.order_by("pk").values()),
        "messages": Message.objects.count(),
        "evidence": Evidence.objects.count(),
        "decisions": Decision.objects.count(),
        "notices": list(Notice.objects.order_by("pk").values("pk", "read_at")),
        "events": Event.objects.count(),
        "rectifications": list(Rectification.objects.order_by("pk").values()),
        "findings": Finding.objects.count(),
        "penalties": list(Penalty.objects.order_by("pk").values("pk", "status", "ends_at")),
        "points": PointEntry.objects.count(),
        "standing": list(Standing.objects.values("guild_id", "score")),
    }


@contextmanager
def nothing_changes() -> Iterator[None]:
    before = state()
    yield
    assert state() == before


def acts_since(event_id: int) -> list[str]:
    return list(Event.objects.filter(pk__gt=event_id).order_by("pk").values_list("act", flat=True))


def last_event() -> int:
    return Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def upload(name: str, content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="application/octet-stream")


def text_of(response: Any) -> str:
    """What a reader of a page reads."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())
