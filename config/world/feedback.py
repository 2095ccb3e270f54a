"""The register of risks as the analyst keeps it, and what people tell the governing team during the year."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import partial
from typing import Any

from config.world.people import People
from config.world.population import DAY
from config.world.replay import Replay
from config.world.spec import World
from governance.insights.risk_facts import risk_assessments
from governance.risks.enums import FeedbackTopic
from governance.risks.models import Feedback, Risk
from governance.risks.services import (
    assessments_record,
    feedback_answer,
    feedback_link,
    feedback_merge,
    feedback_send,
    feedback_triage,
    risk_change,
    risk_create,
)
from guilds.models import Market

#: Days until somebody of the team has read a message, and has answered it.
READ_AFTER, ANSWERED_AFTER = 1.5, 4.0
ASSESSED_DAYS_AGO = (150, 120, 90, 60, 30, 0)


def register_fill(world: World, people: People, *, today: dt.date) -> None:
    """What the policy file does not say about its risks, and a harm without a rule."""
    analyst = people.staff["analyst"]
    known = {risk.code: risk.pk for risk in Risk.objects.all()}
    for code, more in world.governing["risks"].items():
        risk_change(
            actor=analyst,
            risk_id=known[code],
            changes={
                "category": more["category"],
                "definition": more["definition"],
                "treatment": more["treatment"],
                "treatment_note": more.get("note", ""),
                "review_on": today + dt.timedelta(days=more["review_in"]),
            },
            reason="Set down when the register was opened.",
        )
    for risk in world.governing["new_risks"]:
        risk_create(
            actor=analyst,
            code=risk["code"],
            name=risk["name"],
            harm=risk["harm"],
            likelihood=risk["likelihood"],
            owner=risk["owner"],
            definition=risk["definition"],
            category=risk["category"],
            treatment=risk["treatment"],
            review_on=today + dt.timedelta(days=risk["review_in"]),
        )


def assessments_make(people: People, *, today: dt.date) -> None:
    """How great each risk is in each market, as of today and of every thirtieth day before, for half a year."""
    for days in ASSESSED_DAYS_AGO:
        rows = risk_assessments(on=today - dt.timedelta(days=days))
        assessments_record(actor=people.staff["analyst"], rows=rows)


def feedback_plan(replay: Replay) -> None:
    """Put every message of governing.yaml on the agenda, and what becomes of it."""
    for number, message in enumerate(replay.world.governing["feedback"]):
        at = replay.population.today - message["days_ago"] * DAY
        replay.plan(at, f"feedback {number}", partial(_send, replay, number, message))


def _send(replay: Replay, number: int, message: Mapping[str, Any]) -> None:
    people = replay.people
    sender = people.owners.get(message["from"]) or people.staff[message["from"]]
    market = message.get("market")
    sent = feedback_send(
        actor=sender,
        body=message["body"],
        topic=message["topic"],
        source=message.get("source", ""),
        market_id=Market.objects.get(code=market).pk if market else None,
        about_rule=message.get("about", ""),
        language=message.get("language", ""),
    )
    if "risk" in message:
        replay.plan(
            replay.clock.at + READ_AFTER * DAY,
            f"feedback {number} read",
            lambda: _read(replay, sent, message),
        )
    if "answer" in message:
        replay.plan(
            replay.clock.at + ANSWERED_AFTER * DAY,
            f"feedback {number} answered",
            lambda: feedback_answer(
                actor=people.staff["analyst"], feedback_id=sent.pk, answer=message["answer"]
            ),
        )


def _read(replay: Replay, sent: Feedback, message: Mapping[str, Any]) -> None:
    analyst = replay.people.staff["analyst"]
    if message.get("merge"):
        like = (
            Feedback.objects.filter(risk__code=message["risk"], topic=FeedbackTopic.MISCONDUCT)
            .exclude(pk=sent.pk)
            .order_by("-pk")
            .first()
        )
        if like is not None:
            feedback_merge(
                actor=analyst, feedback_id=sent.pk, into_id=like.pk, reason="The same thing in other words."
            )
            return
    feedback_triage(actor=analyst, feedback_id=sent.pk, topic=message["topic"])
    feedback_link(actor=analyst, feedback_id=sent.pk, risk_id=Risk.objects.get(code=message["risk"]).pk)
