"""The same request twice acts once; a key belongs to one client and one request."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from oauth2_provider.models import get_access_token_model

from appeals.models import Appeal
from governance.models import SignalKey
from governance.signals import api as signals_api
from governance.signals.services import signals_ingest
from guilds.accounts import idempotency
from guilds.accounts.enums import Scope
from guilds.accounts.tasks import forget
from guilds.models import IdempotentAnswer
from tests import factories
from tests.api.caller import Caller, fields, problem
from tests.api.world import STATEMENT, World

pytestmark = pytest.mark.django_db


def event(event_id: str, guild: str = "aurora") -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/t",
        "type": "t",
        "time": "2026-01-01T00:00:00Z",
        "guild": guild,
    }


@pytest.fixture
def sender(db: None) -> Caller:
    factories.guild("aurora")
    return Caller.with_scopes(Scope.SIGNALS_WRITE)


def test_a_repeated_request_gets_the_first_answer(sender: Caller) -> None:
    first = sender.post("signals", event("1"), Idempotency_Key="k")
    again = sender.post("signals", event("1"), Idempotency_Key="k")

    assert first.json()["accepted"] == 1
    assert "Idempotent-Replayed" not in first
    assert (again.status_code, again.json()) == (202, first.json())
    assert again["Idempotent-Replayed"] == "true"


def test_without_a_key_nothing_is_stored(sender: Caller) -> None:
    sender.post("signals", event("1"))

    assert sender.post("signals", event("1")).json()["duplicates"] == 1
    assert not IdempotentAnswer.objects.exists()


def test_filing_twice_makes_one_appeal_and_repeats_its_201(world: World) -> None:
    caller = Caller.with_scopes(Scope.APPEALS_WRITE, guild=world.ours.guild)
    caller.post(f"appeals/{world.ours.appeal.public_id}/withdraw")
    filing = {"penalty": str(world.ours.penalty.public_id), "grounds": "not_ours", "statement": STATEMENT}

    first = caller.post("appeals", filing, Idempotency_Key="one")
    again = caller.post("appeals", filing, Idempotency_Key="one")

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert Appeal.objects.filter(guild=world.ours.guild, status="open").count() == 1


def test_a_key_used_for_another_request_is_422(sender: Caller) -> None:
    sender.post("signals", event("1"), Idempotency_Key="k")

    body = problem(sender.post("signals", event("2"), Idempotency_Key="k"), 422, "idempotency_key_reused")

    assert fields(body) == ["Idempotency-Key"]
    assert SignalKey.objects.count() == 1


def test_a_key_is_the_clients_own(sender: Caller) -> None:
    sender.post("signals", event("1"), Idempotency_Key="k")
    other = Caller.with_scopes(Scope.SIGNALS_WRITE)

    answer = other.post("signals", event("1"), Idempotency_Key="k")

    assert answer.json()["duplicates"] == 1
    assert "Idempotent-Replayed" not in answer


def test_a_refusal_is_repeated_as_the_problem_it_was(world: World) -> None:
    caller = Caller.with_scopes(Scope.APPEALS_WRITE, guild=world.ours.guild)
    filing = {"penalty": str(world.ours.penalty.public_id), "grounds": "other", "statement": STATEMENT}

    first = caller.post("appeals", filing, Idempotency_Key="k")
    again = caller.post("appeals", filing, Idempotency_Key="k")

    assert problem(first, 409) == problem(again, 409)
    assert again["Idempotent-Replayed"] == "true"


def test_an_answer_that_names_what_jsonb_cannot_hold_is_stored_all_the_same(sender: Caller) -> None:
    for _ in range(2):
        answer = sender.post("signals", [event("a\0b")], Idempotency_Key="k")
        assert (answer.status_code, len(answer.json()["rejected"])) == (202, 1)


def test_a_failure_on_our_side_is_not_stored(sender: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: Any) -> None:
        raise ConnectionError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(signals_api, "signals_ingest", fails)
        sender.http.raise_request_exception = False
        assert sender.post("signals", event("1"), Idempotency_Key="k").status_code == 500
    assert not IdempotentAnswer.objects.exists()

    assert sender.post("signals", event("1"), Idempotency_Key="k").json()["accepted"] == 1


def test_after_a_day_the_key_is_free(sender: Caller) -> None:
    sender.post("signals", event("1"), Idempotency_Key="k")
    IdempotentAnswer.objects.update(created_at=timezone.now() - idempotency.KEPT_FOR - timedelta(seconds=1))

    assert sender.post("signals", event("2"), Idempotency_Key="k").json()["accepted"] == 1
    assert sender.post("signals", event("2"), Idempotency_Key="k")["Idempotent-Replayed"] == "true"


def test_old_answers_and_tokens_are_forgotten_and_young_ones_kept(sender: Caller) -> None:
    sender.post("signals", event("1"), Idempotency_Key="old")
    IdempotentAnswer.objects.update(created_at=timezone.now() - idempotency.KEPT_FOR - timedelta(seconds=1))
    Caller.with_scopes(Scope.SIGNALS_WRITE)
    tokens = get_access_token_model().objects
    tokens.exclude(application=sender.client).update(expires=timezone.now() - timedelta(seconds=1))
    sender.post("signals", event("2"), Idempotency_Key="young")

    assert forget() == {"answers": 1, "tokens": 1}

    assert sender.post("signals", event("2"), Idempotency_Key="young")["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", ["", "x" * 256, "näher"])
def test_a_key_that_is_none_is_400(sender: Caller, key: str) -> None:
    body = problem(sender.post("signals", event("1"), Idempotency_Key=key), 400)

    assert fields(body) == ["Idempotency-Key"]
    assert not SignalKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_same_request_while_the_first_is_at_work_is_409(
    sender: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, go_on = threading.Event(), threading.Event()
    genuine = signals_ingest

    def slowly(**options: Any) -> Any:
        at_work.set()
        assert go_on.wait(10)
        return genuine(**options)

    monkeypatch.setattr(signals_api, "signals_ingest", slowly)
    answers: list[Any] = []

    def first() -> None:
        answers.append(sender.post("signals", event("1"), Idempotency_Key="k"))
        connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert at_work.wait(10)
    second = sender.post("signals", event("1"), Idempotency_Key="k")
    go_on.set()
    thread.join()

    problem(second, 409, "request_in_progress")
    assert answers[0].json()["accepted"] == 1
    assert sender.post("signals", event("1"), Idempotency_Key="k").json() == answers[0].json()


@pytest.mark.django_db(transaction=True)
def test_a_request_that_died_leaves_no_lock_behind(sender: Caller) -> None:
    def dies() -> None:
        with suppress(OperationalError), transaction.atomic():
            idempotency._lock(sender.client.pk, "k")
            connection.connection.close()
            SignalKey.objects.exists()
        connection.close()

    thread = threading.Thread(target=dies)
    thread.start()
    thread.join()

    assert sender.post("signals", event("1"), Idempotency_Key="k").json()["accepted"] == 1
