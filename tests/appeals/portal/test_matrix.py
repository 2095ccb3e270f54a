"""Who gets what at every address of the portal, as data: exact statuses, and a refused act leaves no trace."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from appeals.portal import urls
from governance.education.services import attempt_make
from governance.models import Lesson, Notice
from governance.notices.mail import receipt_token
from governance.notices.services import contact_add
from governance.risks.services import feedback_send
from guilds.accounts.actor import Actor
from guilds.accounts.services import one_time_link
from guilds.models import User
from tests import factories
from tests.appeals.cases import (
    PASSWORD,
    STATEMENT,
    Case,
    nothing_changes,
    put_right_asked,
    state,
    upload,
)
from tests.appeals.files import PNG
from tests.governance.education.cases import answers, published, question

WHO = ("owner", "manager", "viewer", "other guild", "staff", "no seat", "anonymous")

#: (name of the address, method): statuses in the order of WHO. `+` marks those who change something.
MATRIX: dict[tuple[str, str], str] = {
    ("home", "GET"): "200 200 200 200 403 403 302",
    ("home", "POST"): "405 405 405 405 403 403 302",
    ("login", "GET"): "302 302 302 302 302 302 200",
    ("logout", "GET"): "405 405 405 405 405 405 405",
    ("logout", "POST"): "302 302 302 302 302 302 302",
    ("welcome", "GET"): "200 200 200 200 200 200 200",
    ("choose_guild", "GET"): "200 200 200 200 403 403 302",
    ("choose_guild", "POST"): "302 302 302 422 403 403 302",
    ("penalties", "GET"): "200 200 200 200 403 403 302",
    ("penalty", "GET"): "200 200 200 404 403 403 302",
    ("penalty", "POST"): "405 405 405 405 403 403 302",
    ("put_right", "GET"): "405 405 405 405 403 403 302",
    ("put_right", "POST"): "302+ 302+ 403 404 403 403 302",
    ("appeal_form", "GET"): "200 200 403 404 403 403 302",
    ("appeal_form", "POST"): "302+ 302+ 403 404 403 403 302",
    ("appeals", "GET"): "200 200 200 200 403 403 302",
    ("appeal", "GET"): "200 200 200 404 403 403 302",
    ("message_add", "GET"): "405 405 405 405 403 403 302",
    ("message_add", "POST"): "302+ 302+ 403 404 403 403 302",
    ("withdraw", "GET"): "200 200 403 404 403 403 302",
    ("withdraw", "POST"): "302+ 302+ 403 404 403 403 302",
    ("evidence", "GET"): "200 200 200 404 403 403 302",
    ("lessons", "GET"): "200 200 200 200 403 403 302",
    ("lesson", "GET"): "200 200 200 200 403 403 302",
    ("lesson_acknowledge", "GET"): "405 405 405 405 403 403 302",
    ("lesson_acknowledge", "POST"): "302+ 302+ 403 302+ 403 403 302",
    ("lesson_quiz", "GET"): "405 405 405 405 403 403 302",
    ("lesson_quiz", "POST"): "302+ 302+ 403 302+ 403 403 302",
    ("lesson_result", "GET"): "200 200 200 404 403 403 302",
    ("notices", "GET"): "200 200 200 200 403 403 302",
    ("notice", "GET"): "200 200 200 404 403 403 302",
    ("notice_mark_read", "GET"): "405 405 405 405 403 403 302",
    ("notice_mark_read", "POST"): "302+ 302+ 403 404 403 403 302",
    ("feedback", "GET"): "200 200 200 200 403 403 302",
    ("feedback", "POST"): "302+ 302+ 403 302+ 403 403 302",
    ("feedback_message", "GET"): "200 200 200 404 403 403 302",
    ("feedback_message", "POST"): "405 405 405 405 403 403 302",
    ("changes", "GET"): "200 200 200 200 403 403 302",
    ("change_acknowledge", "GET"): "405 405 405 405 403 403 302",
    ("change_acknowledge", "POST"): "302+ 302+ 403 404 403 403 302",
    ("contacts", "GET"): "200 200 200 200 403 403 302",
    ("contacts", "POST"): "302+ 403 403 302+ 403 403 302",
    ("contact", "GET"): "200 403 403 404 403 403 302",
    ("contact", "POST"): "302+ 403 403 404 403 403 302",
    ("contact_remove", "GET"): "405 405 405 405 403 403 302",
    ("contact_remove", "POST"): "302+ 403 403 404 403 403 302",
    ("receipt", "GET"): "200 200 200 200 200 200 200",
    ("receipt", "POST"): "200+ 200+ 200+ 200+ 200+ 200+ 200+",
    ("nowhere", "GET"): "404 404 404 404 404 404 404",
}

FORMS: dict[str, dict[str, Any]] = {
    "appeal_form": {"grounds": "other", "statement": STATEMENT},
    "message_add": {"body": "One more thing."},
    "withdraw": {"reason": "Settled."},
    "choose_guild": {"guild": "aurora"},
    "put_right": {"statement": "The clause is gone."},
    "contacts": {"email": "legal@aurora.test", "kinds": ["penalty_imposed"]},
    "contact": {"email": "office@aurora.test"},
    "feedback": {"topic": "process", "body": "The notices come at night."},
}


@dataclass
class Scene:
    addresses: dict[str, str]
    forms: dict[str, dict[str, Any]]
    people: dict[str, User | None]


@pytest.fixture
def scene(case: Case) -> Scene:
    appeal = case.appeal(penalty_id=case.training.pk, files=[upload("proof.png", PNG)])
    [evidence] = appeal.evidence.all()
    assert case.penalty.notice
    Lesson.objects.create(
        code="basics", title={"en": "Basics"}, body={"en": "Read."}, published_at=timezone.now()
    )
    told = feedback_send(actor=case.owner, body="The rule on gifts is hard to follow.")
    quiz = published("quiz", questions=[question()])
    attempt = attempt_make(actor=Actor.guild_user(case.olga), code="quiz", answers=answers(quiz, 1))
    factories.launch_ready(case.guild.market)
    letter = Notice.objects.get(guild=case.guild, kind="rule_change")
    invited = factories.user("invited@guild.test")
    contact = contact_add(actor=case.owner, guild_id=case.guild.pk, email="desk@aurora.test")
    pending = put_right_asked(case.guild)
    [dispatch] = case.penalty.notice.dispatches.all()
    base = "/portal"
    return Scene(
        addresses={
            "home": f"{base}/",
            "login": f"{base}/login/",
            "logout": f"{base}/logout/",
            "welcome": urlsplit(one_time_link(invited)).path,
            "choose_guild": f"{base}/guild/",
            "penalties": f"{base}/penalties/",
            "penalty": f"{base}/penalties/{case.penalty.public_id}/",
            "put_right": f"{base}/penalties/{pending.public_id}/put-right/",
            "appeal_form": f"{base}/penalties/{case.penalty.public_id}/appeal/",
            "appeals": f"{base}/appeals/",
            "appeal": f"{base}/appeals/{appeal.public_id}/",
            "message_add": f"{base}/appeals/{appeal.public_id}/message/",
            "withdraw": f"{base}/appeals/{appeal.public_id}/withdraw/",
            "evidence": f"{base}/appeals/{appeal.public_id}/files/{evidence.public_id}/",
            "lessons": f"{base}/lessons/",
            "lesson": f"{base}/lessons/basics/",
            "lesson_acknowledge": f"{base}/lessons/basics/acknowledge/",
            "lesson_quiz": f"{base}/lessons/quiz/quiz/",
            "lesson_result": f"{base}/lessons/quiz/attempts/{attempt.pk}/",
            "notices": f"{base}/notices/",
            "notice": f"{base}/notices/{case.penalty.notice.public_id}/",
            "notice_mark_read": f"{base}/notices/{case.penalty.notice.public_id}/read/",
            "feedback": f"{base}/feedback/",
            "feedback_message": f"{base}/feedback/{told.public_id}/",
            "changes": f"{base}/changes/",
            "change_acknowledge": f"{base}/changes/{letter.public_id}/read/",
            "contacts": f"{base}/contacts/",
            "contact": f"{base}/contacts/{contact.pk}/",
            "contact_remove": f"{base}/contacts/{contact.pk}/remove/",
            "receipt": f"{base}/received/{receipt_token(dispatch)}/",
            "nowhere": f"{base}/nowhere/",
        },
        forms={**FORMS, "lesson_quiz": {f"q{key}": str(place) for key, place in answers(quiz, 0).items()}},
        people={
            "owner": case.olga.user,
            "manager": case.max.user,
            "viewer": case.vera.user,
            "other guild": case.otto.user,
            "staff": case.ada,
            "no seat": factories.user("nobody@guild.test", password=PASSWORD),
            "anonymous": None,
        },
    )


def test_every_address_is_in_the_matrix() -> None:
    names = {pattern.name or "nowhere" for pattern in urls.urlpatterns}

    assert names == {name for name, _method in MATRIX}


@pytest.mark.parametrize("who", WHO)
def test_matrix(scene: Scene, who: str) -> None:
    person = scene.people[who]
    wrong = []
    for (name, method), statuses in MATRIX.items():
        expected = statuses.split()[WHO.index(who)]
        client = Client()
        # Each request starts from the same state: what it did is taken back.
        with transaction.atomic():
            if person is not None:
                client.force_login(person)
            before = state()
            address = scene.addresses[name]
            response = (
                client.get(address) if method == "GET" else client.post(address, scene.forms.get(name, {}))
            )
            got = f"{response.status_code}{'+' if state() != before else ''}"
            transaction.set_rollback(True)
        if got != expected:
            wrong.append((name, method, got, expected))
        if who == "anonymous" and response.status_code == 302 and name != "logout":
            assert response["Location"].startswith("/portal/login/")

    assert wrong == []


def test_another_guilds_things_do_not_exist_for_anybody_else(
    scene: Scene, client: Client, case: Case
) -> None:
    """Owned and made-up ids get the same page, word for word."""
    client.force_login(case.otto.user)
    for name in ("penalty", "appeal", "evidence", "notice", "feedback_message"):
        owned = scene.addresses[name]
        made_up = owned[:-13] + "0" * 12 + "/"
        # A form's token differs every time, and the language form repeats the address.
        pages = {re.sub(rb'value="[^"]*"', b"", client.get(address).content) for address in (owned, made_up)}
        assert len(pages) == 1


def test_closing_a_seat_takes_effect_at_once(scene: Scene, client: Client, case: Case) -> None:
    client.force_login(case.olga.user)
    assert client.get("/portal/").status_code == 200

    case.olga.is_active = False
    case.olga.save()

    assert client.get("/portal/").status_code == 403
    with nothing_changes():
        assert client.post(scene.addresses["withdraw"]).status_code == 403
