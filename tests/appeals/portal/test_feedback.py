"""The portal's page for feedback: writing, reading the answers, and what is lost when something goes wrong: nothing."""

from __future__ import annotations

import pytest
from django.test import Client

from appeals.portal.feedback import PER_PAGE
from governance.models import Feedback
from governance.risks.enums import FeedbackChannel
from governance.risks.services import feedback as taking_in
from governance.risks.services import (
    feedback_answer,
    feedback_close,
    feedback_merge,
    feedback_send,
    feedback_triage,
)
from guilds.accounts.actor import Actor
from tests import factories
from tests.appeals.cases import Case, nothing_changes, text_of

BODY = "The rule on idle streams punishes short breaks."
SAID = {"topic": "rule_unfair", "about_rule": "REC-02", "body": BODY}


@pytest.fixture
def analyst(case: Case) -> Actor:
    return Actor.staff(factories.staff("analyst"))


def test_writing_and_reading_it_back(case: Case, client: Client) -> None:
    client.force_login(case.olga.user)
    client.cookies["django_language"] = "de"
    page = client.get("/portal/feedback/")
    assert "REC-02" in page.content.decode()

    answer = client.post("/portal/feedback/", SAID)

    told = Feedback.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/portal/feedback/{told.public_id}/")
    assert (told.guild, told.topic, told.about_rule, told.language, told.channel) == (
        case.guild,
        "rule_unfair",
        "REC-02",
        "de",
        "portal",
    )
    assert BODY in text_of(client.get(answer["Location"]))
    assert BODY in text_of(client.get("/portal/feedback/"))


def test_what_is_wrong_is_said_and_every_word_kept(case: Case, client: Client) -> None:
    client.force_login(case.olga.user)
    for wrong in (
        {"body": "short"},
        {"topic": ""},
        {"topic": "weather"},
        {"about_rule": "no such"},
        {"body": "x" * 4_001},
    ):
        with nothing_changes():
            page = client.post("/portal/feedback/", SAID | wrong)
        assert page.status_code == 422
        assert (wrong.get("body") or BODY) in page.content.decode()
    assert not Feedback.objects.exists()


def test_too_many_for_a_day_loses_nothing(
    case: Case, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(taking_in.DAILY, FeedbackChannel.PORTAL, 1)
    client.force_login(case.olga.user)
    client.post("/portal/feedback/", SAID)
    with nothing_changes():
        page = client.post("/portal/feedback/", SAID | {"body": "One thing more: the notices come at night."})
    assert page.status_code == 429
    assert "Please send this one tomorrow." in text_of(page)
    assert "One thing more: the notices come at night." in page.content.decode()
    assert Feedback.objects.count() == 1


def test_a_viewer_reads_and_does_not_write(case: Case, client: Client) -> None:
    told = feedback_send(actor=case.owner, body=BODY)
    client.force_login(case.vera.user)
    page = client.get("/portal/feedback/")
    assert BODY in text_of(page)
    assert 'name="body"' not in page.content.decode()
    with nothing_changes():
        assert client.post("/portal/feedback/", SAID).status_code == 403
    assert list(Feedback.objects.all()) == [told]


def test_where_a_message_stands(case: Case, client: Client, analyst: Actor) -> None:
    told = feedback_send(actor=case.owner, body=BODY)
    client.force_login(case.olga.user)

    def shown() -> str:
        return text_of(client.get(f"/portal/feedback/{told.public_id}/"))

    assert "Received" in shown()
    feedback_triage(actor=analyst, feedback_id=told.pk, topic="rule_unclear")
    assert "Being looked at" in shown()
    feedback_answer(actor=analyst, feedback_id=told.pk, answer="Fifteen minutes are right.")
    assert "Answered" in shown()
    assert "Fifteen minutes are right." in shown()
    # A notice tells of it, too, and leads here.
    assert "We have answered your message" in text_of(client.get("/portal/notices/"))


def test_a_merged_message_shows_the_answer_and_not_the_other_guilds_words(
    case: Case, client: Client, analyst: Actor
) -> None:
    otto = Actor.guild_user(case.otto)
    first = feedback_send(actor=otto, body="Our breaks are counted against us, says Otto.")
    told = feedback_send(actor=case.owner, body=BODY)
    feedback_merge(actor=analyst, feedback_id=told.pk, into_id=first.pk)
    feedback_answer(actor=analyst, feedback_id=first.pk, answer="Fifteen minutes are right.")
    client.force_login(case.olga.user)

    page = text_of(client.get(f"/portal/feedback/{told.public_id}/"))

    assert "Fifteen minutes are right." in page
    assert "to this and similar messages" in page
    assert "says Otto" not in page
    assert client.get(f"/portal/feedback/{first.public_id}/").status_code == 404


def test_a_closed_message_says_so_without_our_reasons(case: Case, client: Client, analyst: Actor) -> None:
    told = feedback_send(actor=case.owner, body=BODY)
    feedback_close(actor=analyst, feedback_id=told.pk, reason="Spam, in our view.")
    client.force_login(case.olga.user)
    page = text_of(client.get(f"/portal/feedback/{told.public_id}/"))
    assert "Closed" in page
    assert "Spam" not in page


def test_what_others_say_about_a_guild_is_not_shown_to_it(case: Case, client: Client, analyst: Actor) -> None:
    feedback_send(
        actor=analyst, body="A creator says they threaten her.", guild_id=case.guild.pk, source="creator"
    )
    feedback_send(
        actor=analyst, body="They called and asked about breaks.", guild_id=case.guild.pk, source="guild"
    )
    client.force_login(case.olga.user)
    page = text_of(client.get("/portal/feedback/"))
    assert "asked about breaks" in page
    assert "threaten" not in page


def test_words_are_shown_as_text(case: Case, client: Client) -> None:
    feedback_send(actor=case.owner, body="<script>alert(1)</script> and <b>bold</b>")
    client.force_login(case.olga.user)
    page = client.get("/portal/feedback/").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_old_messages_are_on_further_pages(case: Case, client: Client, analyst: Actor) -> None:
    for n in range(PER_PAGE + 1):
        feedback_send(actor=analyst, body=f"Message number {n}.", guild_id=case.guild.pk, source="guild")
    client.force_login(case.olga.user)
    assert "Message number 0." not in text_of(client.get("/portal/feedback/"))
    assert "Message number 0." in text_of(client.get("/portal/feedback/?page=2"))
