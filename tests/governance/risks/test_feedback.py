"""Feedback from arrival to answer: who may say what, what becomes of it, and that nobody is told what is not theirs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from governance.ledger.models import Event
from governance.models import Feedback, Notice, Risk
from governance.risks.enums import FeedbackStatus
from governance.risks.feedback_trend import WEEKS, trend_of
from governance.risks.selectors import feedback_visible_to, similar_to, unanswered
from governance.risks.services import (
    feedback_answer,
    feedback_close,
    feedback_link,
    feedback_merge,
    feedback_reopen,
    feedback_send,
    feedback_triage,
    risk_retire,
)
from governance.risks.services.feedback import DAILY
from governance.risks.transitions import TRANSITIONS
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, DomainError, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Guild
from tests import factories

pytestmark = pytest.mark.django_db

BODY = "The rule on idle streams punishes short breaks."


@dataclass
class Cast:
    """Olga owns Aurora, Otto Borealis in another market; Ana triages everywhere, Nora in Aurora's market only."""

    aurora: Guild
    borealis: Guild
    olga: Actor
    otto: Actor
    ana: Actor
    nora: Actor
    risk: Risk


@pytest.fixture
def cast(db: None) -> Cast:
    aurora, borealis = factories.guild("aurora"), factories.guild("borealis")
    return Cast(
        aurora,
        borealis,
        Actor.guild_user(factories.seat(aurora)),
        Actor.guild_user(factories.seat(borealis)),
        Actor.staff(factories.staff("analyst")),
        Actor.staff(factories.staff("analyst", markets=[aurora.market])),
        Risk.objects.create(code="DAT", name="False data", harm=3, likelihood=3, owner="Integrity"),
    )


def acts() -> list[str]:
    return list(Event.objects.order_by("id").values_list("act", flat=True))


def state() -> tuple[Any, ...]:
    rows = list(Feedback.objects.order_by("pk").values())
    return rows, Event.objects.count(), Notice.objects.count()


# --- taken in ---------------------------------------------------------------------------------------------------------
def test_a_guild_writes_for_itself(cast: Cast) -> None:
    sent = feedback_send(actor=cast.olga, body=BODY, topic="rule_unfair", language="de")
    assert (sent.source, sent.channel, sent.guild, sent.market, sent.status) == (
        "guild",
        "portal",
        cast.aurora,
        cast.aurora.market,
        "new",
    )
    event = Event.objects.get()
    assert (event.guild, event.market, event.after) == (
        cast.aurora,
        cast.aurora.market,
        {"source": "guild", "channel": "portal", "topic": "rule_unfair"},
    )


@pytest.mark.parametrize("role", Role)
def test_every_colleague_but_an_auditor_may_note_what_they_heard(cast: Cast, role: Role) -> None:
    actor = Actor.staff(factories.staff(role))
    if role == Role.AUDITOR:
        with pytest.raises(NotAllowed):
            feedback_send(actor=actor, body=BODY)
        assert state() == ([], 0, 0)
    else:
        sent = feedback_send(actor=actor, body=BODY, source="creator", guild_id=cast.aurora.pk)
        assert (sent.channel, sent.source, sent.by_user_id) == ("console", "creator", actor.user_id)
        # It is about the guild, not from it: the guild's own record says nothing of it.
        assert Event.objects.get().guild is None


REFUSED: dict[str, tuple[Callable[[Cast], dict[str, Any]], type[DomainError]]] = {
    "viewers": (
        lambda cast: {"actor": Actor.guild_user(factories.seat(cast.aurora, "viewer"))},
        NotAllowed,
    ),
    "another guild": (lambda cast: {"actor": cast.olga, "guild_id": cast.borealis.pk}, NotFound),
    "a source that is not theirs": (lambda cast: {"actor": cast.olga, "source": "reviewer"}, InvalidInput),
    "beyond one's markets": (lambda cast: {"actor": cast.nora, "guild_id": cast.borealis.pk}, NotFound),
    "a market beyond": (lambda cast: {"actor": cast.nora, "market_id": cast.borealis.market_id}, NotFound),
    "no market without all": (lambda cast: {"actor": cast.nora}, InvalidInput),
    "guild and market that differ": (
        lambda cast: {"actor": cast.ana, "guild_id": cast.aurora.pk, "market_id": cast.borealis.market_id},
        InvalidInput,
    ),
    "unknown guild": (lambda cast: {"actor": cast.ana, "guild_id": 0}, NotFound),
    "too short": (lambda cast: {"actor": cast.olga, "body": " short    "}, InvalidInput),
    "too long": (lambda cast: {"actor": cast.olga, "body": "x" * 4_001}, InvalidInput),
    "unknown topic": (lambda cast: {"actor": cast.olga, "topic": "weather"}, InvalidInput),
    "no language": (lambda cast: {"actor": cast.olga, "language": "German!"}, InvalidInput),
    "the platform itself": (lambda _: {"actor": Actor.system("test")}, NotAllowed),
    "a client without the scope": (
        lambda _: {"actor": Actor.client(factories.client("appeals:read"), scopes=["feedback:write"])},
        NotAllowed,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_taken_in_leaves_no_trace(cast: Cast, name: str) -> None:
    made, error = REFUSED[name]
    fields = {"body": BODY} | made(cast)
    with pytest.raises(error):
        feedback_send(**fields)
    assert state() == ([], 0, 0)


def test_ten_messages_a_day_and_guild(cast: Cast) -> None:
    for _ in range(DAILY["portal"]):  # type: ignore[index]
        feedback_send(actor=cast.olga, body=BODY)
    before = state()
    with pytest.raises(Conflict) as refused:
        feedback_send(actor=Actor.guild_user(factories.seat(cast.aurora, "manager")), body=BODY)
    assert (refused.value.code, state()) == ("too_many_messages", before)
    assert feedback_send(actor=cast.otto, body=BODY).pk
    # What colleagues note down about the guild does not count, and a day later there is room again.
    feedback_send(actor=cast.ana, body=BODY, guild_id=cast.aurora.pk, source="guild")
    Feedback.objects.update(created_at=timezone.now() - dt.timedelta(hours=25))
    assert feedback_send(actor=cast.olga, body=BODY).pk


# --- who sees what ----------------------------------------------------------------------------------------------------
def test_everybody_sees_what_is_theirs(cast: Cast) -> None:
    own = feedback_send(actor=cast.olga, body=BODY)
    theirs = feedback_send(actor=cast.otto, body=BODY)
    heard = feedback_send(actor=cast.ana, body=BODY, guild_id=cast.aurora.pk, source="creator")
    nowhere = feedback_send(actor=cast.ana, body=BODY)
    seen = {name: set(feedback_visible_to(getattr(cast, name))) for name in ("olga", "otto", "ana", "nora")}
    assert seen == {
        "olga": {own},
        "otto": {theirs},
        "ana": {own, theirs, heard, nowhere},
        "nora": {own, heard},
    }
    assert list(unanswered(cast.nora)) == [own, heard]


# --- what becomes of it -----------------------------------------------------------------------------------------------
def test_the_way_of_a_message(cast: Cast) -> None:
    sent = feedback_send(actor=cast.olga, body=BODY)
    feedback_triage(actor=cast.nora, feedback_id=sent.pk, topic="rule_unclear")
    feedback_link(actor=cast.nora, feedback_id=sent.pk, risk_id=cast.risk.pk)
    feedback_answer(actor=cast.nora, feedback_id=sent.pk, answer=" Fifteen minutes are right. ")

    sent.refresh_from_db()
    assert (sent.status, sent.topic, sent.risk, sent.answer, sent.answered_by_id) == (
        "answered",
        "rule_unclear",
        cast.risk,
        "Fifteen minutes are right.",
        cast.nora.user_id,
    )
    assert sent.body == BODY
    assert acts() == [
        "feedback.received",
        "feedback.triaged",
        "feedback.linked",
        "notice.sent",
        "feedback.answered",
    ]
    linked = Event.objects.get(act="feedback.linked")
    assert (linked.before["risk"], linked.after["risk"]) == (None, "DAT")
    notice = Notice.objects.get()
    assert (notice.guild, notice.kind, notice.object_id) == (
        cast.aurora,
        "feedback_answered",
        str(sent.public_id),
    )
    assert "Fifteen minutes are right." in notice.body
    assert BODY in notice.body
    assert f"/portal/feedback/{sent.public_id}/" in notice.body


def test_an_answer_goes_once_to_every_guild_whose_message_was_merged(cast: Cast) -> None:
    first = feedback_send(actor=cast.olga, body=BODY)
    again = feedback_send(actor=cast.olga, body=f"{BODY} Again.")
    other = feedback_send(actor=cast.otto, body=f"{BODY} With us too.")
    about = feedback_send(
        actor=cast.ana, body="They told a creator so.", guild_id=cast.borealis.pk, source="creator"
    )
    for message in (again, other, about):
        feedback_merge(actor=cast.ana, feedback_id=message.pk, into_id=first.pk)

    feedback_answer(actor=cast.ana, feedback_id=first.pk, answer="Put right.")

    assert sorted(Notice.objects.values_list("guild__external_id", "object_id")) == [
        ("aurora", str(first.public_id)),
        ("borealis", str(other.public_id)),
    ]
    assert Event.objects.get(act="feedback.answered").after["guilds_told"] == 2


def test_what_is_merged_later_hears_the_answer_at_once(cast: Cast) -> None:
    first = feedback_send(actor=cast.olga, body=BODY)
    feedback_answer(actor=cast.ana, feedback_id=first.pk, answer="Put right.")
    late = feedback_send(actor=cast.otto, body=f"{BODY} With us too.")
    feedback_merge(actor=cast.ana, feedback_id=late.pk, into_id=first.pk)
    assert list(Notice.objects.order_by("pk").values_list("guild__external_id", flat=True)) == [
        "aurora",
        "borealis",
    ]


def test_a_message_without_a_guild_is_answered_without_a_notice(cast: Cast) -> None:
    heard = feedback_send(actor=cast.ana, body=BODY, source="business")
    feedback_answer(actor=cast.ana, feedback_id=heard.pk, answer="Thank you.")
    assert not Notice.objects.exists()


def test_merged_messages_move_along_and_can_be_split_again(cast: Cast) -> None:
    one, two, three = (feedback_send(actor=cast.olga, body=f"{BODY} {n}") for n in range(3))
    feedback_merge(actor=cast.ana, feedback_id=one.pk, into_id=two.pk)
    feedback_merge(actor=cast.ana, feedback_id=two.pk, into_id=three.pk)
    one.refresh_from_db()
    assert one.merged_into_id == three.pk

    feedback_reopen(actor=cast.ana, feedback_id=one.pk, reason="Not the same after all.")
    one.refresh_from_db()
    assert (one.status, one.merged_into) == ("triaged", None)
    reopened = Event.objects.get(act="feedback.reopened")
    assert reopened.before == {"status": "merged", "into": str(three.public_id)}


def test_similar_messages_are_found_and_dissimilar_ones_not(cast: Cast) -> None:
    message = feedback_send(actor=cast.olga, body="Short breaks are punished by the rule on idle streams.")
    alike = feedback_send(actor=cast.otto, body=BODY)
    feedback_send(actor=cast.otto, body="The notices come in the middle of the night.")
    closed = feedback_send(actor=cast.otto, body=BODY)
    feedback_close(actor=cast.ana, feedback_id=closed.pk, reason="A test.")
    assert list(similar_to(message, cast.ana)) == [alike]
    # Another market's messages are not offered.
    assert not similar_to(message, cast.nora).exists()


def test_a_link_can_be_taken_away(cast: Cast) -> None:
    sent = feedback_send(actor=cast.olga, body=BODY)
    feedback_link(actor=cast.ana, feedback_id=sent.pk, risk_id=cast.risk.pk)
    feedback_link(actor=cast.ana, feedback_id=sent.pk, risk_id=None)
    sent.refresh_from_db()
    assert (sent.risk, sent.status) == (None, "triaged")


ACTS: dict[str, Callable[[Actor, int, int], Feedback]] = {
    "triage": lambda actor, pk, _: feedback_triage(actor=actor, feedback_id=pk, topic="process"),
    "link": lambda actor, pk, _: feedback_link(actor=actor, feedback_id=pk, risk_id=None),
    "merge": lambda actor, pk, into: feedback_merge(actor=actor, feedback_id=pk, into_id=into),
    "answer": lambda actor, pk, _: feedback_answer(actor=actor, feedback_id=pk, answer="So it is."),
    "close": lambda actor, pk, _: feedback_close(actor=actor, feedback_id=pk, reason="So."),
    "reopen": lambda actor, pk, _: feedback_reopen(actor=actor, feedback_id=pk, reason="So."),
}
#: In which statuses each act happens.
HAPPENS = {
    "triage": {"new", "triaged"},
    "link": {"new", "triaged", "answered", "closed"},
    "merge": {"new", "triaged"},
    "answer": {"new", "triaged"},
    "close": {"new", "triaged"},
    "reopen": {"merged", "closed"},
}


def brought_to(cast: Cast, status: str) -> Feedback:
    sent = feedback_send(actor=cast.olga, body=BODY)
    if status == "triaged":
        ACTS["triage"](cast.ana, sent.pk, 0)
    elif status == "answered":
        ACTS["answer"](cast.ana, sent.pk, 0)
    elif status == "closed":
        ACTS["close"](cast.ana, sent.pk, 0)
    elif status == "merged":
        ACTS["merge"](cast.ana, sent.pk, feedback_send(actor=cast.olga, body=BODY).pk)
    return Feedback.objects.get(pk=sent.pk)


@pytest.mark.parametrize("status", FeedbackStatus.values)
@pytest.mark.parametrize("act", ACTS)
def test_every_act_in_every_status(cast: Cast, act: str, status: str) -> None:
    message, target = brought_to(cast, status), feedback_send(actor=cast.olga, body=BODY)
    before = state()
    if status in HAPPENS[act]:
        done = ACTS[act](cast.ana, message.pk, target.pk)
        assert done.status == status or FeedbackStatus(done.status) in TRANSITIONS[FeedbackStatus(status)]
        assert Event.objects.count() > before[1]
    else:
        with pytest.raises((InvalidTransition, Conflict)):
            ACTS[act](cast.ana, message.pk, target.pk)
        assert state() == before


@pytest.mark.parametrize("act", ACTS)
def test_only_analysts_and_launchers_within_their_markets(cast: Cast, act: str) -> None:
    message = brought_to(cast, "closed" if act == "reopen" else "new")
    target = feedback_send(actor=cast.olga, body=BODY)
    away = factories.market()
    before = state()
    others = [
        Actor.staff(factories.staff(role)) for role in Role if role not in {Role.ANALYST, Role.LAUNCHER}
    ]
    for actor, error in (
        *((actor, NotAllowed) for actor in others),
        (cast.olga, NotAllowed),
        (Actor.staff(factories.staff("analyst", markets=[away])), NotFound),
        (Actor.staff(factories.staff("launcher", markets=[away])), NotFound),
    ):
        with pytest.raises(error):
            ACTS[act](actor, message.pk, target.pk)
    with pytest.raises(NotFound):
        ACTS[act](cast.ana, 0, target.pk)
    assert state() == before
    assert ACTS[act](Actor.staff(factories.staff("launcher")), message.pk, target.pk).pk == message.pk


def test_what_cannot_be_merged(cast: Cast) -> None:
    message = feedback_send(actor=cast.olga, body=BODY)
    merged, closed = brought_to(cast, "merged"), brought_to(cast, "closed")
    theirs = feedback_send(actor=cast.otto, body=BODY)
    before = state()
    for actor, into, error in (
        (cast.ana, message, Conflict),
        (cast.ana, merged, Conflict),
        (cast.ana, closed, Conflict),
        (cast.nora, theirs, NotFound),
    ):
        with pytest.raises(error):
            feedback_merge(actor=actor, feedback_id=message.pk, into_id=into.pk)
    assert state() == before


def test_what_cannot_be_said_or_linked(cast: Cast) -> None:
    message = feedback_send(actor=cast.olga, body=BODY)
    risk_retire(actor=cast.ana, risk_id=cast.risk.pk, reason="Gone.")
    before = state()
    for answer in ("", "  ", "x" * 4_001, "a\0b"):
        with pytest.raises(InvalidInput):
            feedback_answer(actor=cast.ana, feedback_id=message.pk, answer=answer)
    with pytest.raises(InvalidInput):
        feedback_close(actor=cast.ana, feedback_id=message.pk, reason=" ")
    with pytest.raises(InvalidInput):
        feedback_triage(actor=cast.ana, feedback_id=message.pk, topic="weather")
    with pytest.raises(Conflict):
        feedback_link(actor=cast.ana, feedback_id=message.pk, risk_id=cast.risk.pk)
    with pytest.raises(NotFound):
        feedback_link(actor=cast.ana, feedback_id=message.pk, risk_id=0)
    assert state() == before


# --- over time --------------------------------------------------------------------------------------------------------
def test_the_trend_counts_weeks_by_topic_and_by_risk(cast: Cast) -> None:
    now = dt.datetime(2026, 6, 30, 12, tzinfo=dt.UTC)  # a Tuesday
    told = [
        ("misconduct", "2026-06-29T00:00:00Z", cast.risk),  # Monday: this week
        ("misconduct", "2026-06-28T23:59:59Z", None),  # Sunday: the week before
        ("process", "2026-06-30T09:00:00Z", None),
        ("misconduct", "2026-01-05T00:00:00Z", cast.risk),  # the first moment counted
        ("misconduct", "2026-01-04T23:59:59Z", cast.risk),  # too old
    ]
    for topic, at, risk in told:
        sent = feedback_send(actor=cast.ana, body=BODY, topic=topic)
        Feedback.objects.filter(pk=sent.pk).update(created_at=dt.datetime.fromisoformat(at), risk=risk)

    by_topic = trend_of(feedback_visible_to(cast.ana), by="topic", now=now)
    assert (by_topic.weeks[0], by_topic.weeks[-1], len(by_topic.weeks)) == (
        dt.date(2026, 1, 5),
        dt.date(2026, 6, 29),
        WEEKS,
    )
    counted = {
        series.name: (series.counts[0], *series.counts[-2:], series.total) for series in by_topic.series
    }
    assert counted == {"Somebody breaks the rules": (1, 1, 1, 3), "How we work": (0, 0, 1, 1)}
    assert (by_topic.most, by_topic.total) == (1, 4)

    by_risk = trend_of(feedback_visible_to(cast.ana), by="risk", now=now)
    assert {series.name: series.total for series in by_risk.series} == {"DAT False data": 2, "No risk yet": 2}
    assert trend_of(Feedback.objects.none(), by="topic", now=now).series == []


@pytest.mark.parametrize("change", ["body = 'Quite different words.'", "source = 'guild'", "guild_id = NULL"])
def test_the_words_and_who_said_them_cannot_be_rewritten(cast: Cast, change: str) -> None:
    feedback_send(actor=cast.ana, body=BODY, source="creator", guild_id=cast.aurora.pk)
    before = state()
    with pytest.raises(DatabaseError, match="feedback"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE governance_feedback SET {change}")
    with pytest.raises(DatabaseError), transaction.atomic():
        Feedback.objects.all().delete()
    assert state() == before
