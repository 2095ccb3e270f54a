"""Tokens: who gets one, for which scopes, and what the API says to those who have none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client as Http
from django.utils import timezone
from oauth2_provider.models import get_access_token_model

from tests import factories
from tests.api.caller import Caller, problem, token_for

pytestmark = pytest.mark.django_db


def ask(**form: str) -> tuple[int, dict[str, str]]:
    answer = Http().post("/oauth/token/", form)
    return answer.status_code, answer.json()


def test_token_carries_the_scopes_asked_for_and_by_default_all_allowed() -> None:
    client = factories.client("violations:read", "penalties:read")

    _, by_default = ask(grant_type="client_credentials", client_id=client.client_id, client_secret="secret")
    _, narrowed = ask(
        grant_type="client_credentials",
        client_id=client.client_id,
        client_secret="secret",
        scope="penalties:read",
    )

    assert set(by_default["scope"].split()) == {"violations:read", "penalties:read"}
    assert by_default["token_type"] == "Bearer"
    assert narrowed["scope"] == "penalties:read"


def test_scope_beyond_the_clients_own_is_refused() -> None:
    client = factories.client("violations:read")

    status, body = ask(
        grant_type="client_credentials",
        client_id=client.client_id,
        client_secret="secret",
        scope="violations:read penalties:ack",
    )

    assert (status, body["error"]) == (400, "invalid_scope")
    assert not get_access_token_model().objects.exists()


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_id": "a\0b"}, 401, "invalid_client"),
        ({"client_id": "\ud7ff" * 3000}, 401, "invalid_client"),
        ({"client_secret": "\0"}, 401, "invalid_client"),
        ({"scope": "\0"}, 400, "invalid_scope"),
        ({"scope": "made:up"}, 400, "invalid_scope"),
        ({"grant_type": "password", "username": "a", "password": "b"}, 400, "unsupported_grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}, 400, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "code": "\0"}, 400, "unsupported_grant_type"),
        ({"grant_type": "made up"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
    ],
)
def test_errors_of_the_token_endpoint_keep_the_form_of_rfc_6749(
    form: dict[str, str], status: int, error: str
) -> None:
    client = factories.client("violations:read")
    good = {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": "secret"}

    answered, body = ask(**{**good, **form})

    assert (answered, body["error"]) == (status, error)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer nope", "Bearer \xff\0", "Basic YTpi", "bearer a b"]
)
def test_without_a_good_token_every_call_is_401(header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}

    answer = Http().get("/api/v1/violations", headers=headers)

    problem(answer, 401)
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_expired_token_is_401() -> None:
    caller = Caller.with_scopes("violations:read")
    get_access_token_model().objects.update(expires=timezone.now() - timedelta(seconds=1))

    problem(caller.get("violations"), 401, "invalid_token")


def test_scope_taken_away_works_at_once() -> None:
    caller = Caller.with_scopes("violations:read")
    assert caller.get("violations").status_code == 200

    caller.client.allowed_scopes = []
    caller.client.save()

    problem(caller.get("violations"), 403, "insufficient_scope")


def test_secret_is_kept_hashed() -> None:
    client = factories.client("violations:read")

    assert client.client_secret != "secret"
    assert token_for(client)
