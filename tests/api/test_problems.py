"""Errors in one form, whoever raises them; the limit of requests; the document and its page."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from django.core import exceptions as django_errors
from django.http import Http404
from django.test import Client as Http
from rest_framework import exceptions
from rest_framework.exceptions import ErrorDetail

from config.problems import exception_handler, faults_in
from governance.violations import api as violations_api
from guilds import errors
from guilds.accounts.enums import Scope
from tests.api.caller import PROBLEM, Caller, problem

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (errors.NotAllowed("No."), 403, "not_allowed"),
        (errors.NotFound("No."), 404, "not_found"),
        (errors.InvalidTransition("No."), 409, "invalid_transition"),
        (errors.Conflict("No.", code="already_open"), 409, "already_open"),
        (errors.InvalidInput("No.", field="name"), 422, "invalid_input"),
        (errors.DomainError("No."), 400, "refused"),
        (Http404(), 404, "not_found"),
        (django_errors.PermissionDenied(), 403, "permission_denied"),
        (django_errors.RequestDataTooBig(), 413, "too_large"),
        (django_errors.SuspiciousOperation(), 400, "malformed_request"),
        (exceptions.Throttled(wait=5), 429, "too_many_requests"),
        (exceptions.ValidationError({"a": ["b"]}), 400, "invalid_request"),
        (exceptions.APIException(), 500, "server_error"),
    ],
)
def test_every_refusal_becomes_a_problem(raised: Exception, status: int, code: str) -> None:
    answer = exception_handler(raised, {})

    assert answer is not None
    assert (answer.status_code, answer.content_type, answer.data["code"]) == (status, PROBLEM, code)
    assert answer.data["type"] == f"urn:guildhall:problem:{code}"


def test_what_nobody_foresaw_is_left_to_become_a_500() -> None:
    assert exception_handler(RuntimeError("bug"), {}) is None


@pytest.mark.parametrize(
    ("detail", "found"),
    [
        ({"a": ["x"]}, [("a", "x")]),
        ({"a": {"b": ["x", "y"]}}, [("a.b", "x"), ("a.b", "y")]),
        ({"rows": [{}, {"at": ["x"]}]}, [("rows[1].at", "x")]),
        ({"non_field_errors": ["x"]}, [("", "x")]),
        ([ErrorDetail("x")], [("", "x")]),
    ],
)
def test_faults_carry_the_path_of_their_field(detail: Any, found: list[tuple[str, str]]) -> None:
    assert [(fault["field"], fault["message"]) for fault in faults_in(detail)] == found


def test_a_bug_is_a_500_problem_without_its_details(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("the secret")

    caller = Caller.with_scopes(Scope.VIOLATIONS_READ)
    caller.http.raise_request_exception = False
    monkeypatch.setattr(violations_api.ViolationsView, "visible_to", staticmethod(fails))

    answer = caller.get("violations")

    problem(answer, 500, "server_error")
    assert b"secret" not in answer.content


def test_a_client_that_asks_too_often_is_429_and_told_when_to_come_back(settings: Any) -> None:
    settings.API_REQUESTS_PER_MINUTE = 2
    caller, other = Caller.with_scopes(Scope.VIOLATIONS_READ), Caller.with_scopes(Scope.VIOLATIONS_READ)

    answers = [caller.get("violations") for _ in range(4)]  # even when the minute turns in between
    last = answers[-1] if answers[-1].status_code == 429 else answers[-2]

    problem(last, 429, "too_many_requests")
    assert 1 <= int(last["Retry-After"]) <= 61
    assert other.get("violations").status_code == 200


def test_the_cache_being_away_holds_nobody_back(settings: Any) -> None:
    caller = Caller.with_scopes(Scope.VIOLATIONS_READ)
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "unix:///nowhere/valkey.sock",
        }
    }

    assert caller.get("violations").status_code == 200


def document() -> dict[str, Any]:
    answer = Http().get("/api/schema/")
    assert answer.status_code == 200
    read: dict[str, Any] = yaml.safe_load(answer.content)
    return read


def test_the_document_says_for_every_operation_who_may_and_what_may_go_wrong() -> None:
    doc = document()
    known = set(Scope.values)

    assert doc["openapi"].startswith("3.1")
    flow = doc["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == "/oauth/token/"
    assert set(flow["scopes"]) == known
    names = []
    for path, operations in doc["paths"].items():
        for method, operation in operations.items():
            names.append(operation["operationId"])
            [[scope]] = [requirement["oauth2"] for requirement in operation["security"]]
            assert scope in known, path
            needed = {"400", "401", "403", "429"}
            needed |= {"404"} if "{" in path else set()
            needed |= {"409", "413", "422"} if method != "get" else set()
            assert needed <= set(operation["responses"]), path
            for status, response in operation["responses"].items():
                assert (PROBLEM in response.get("content", {})) is (int(status) >= 400), (path, status)
    assert len(names) == len(set(names)) == 19


def test_the_page_of_the_api_runs_no_inline_script() -> None:
    page = Http().get("/api/docs/")
    html = page.content.decode()

    assert page.status_code == 200
    scripts = re.findall(r"(?:script|default)-src ([^;]*)", page["Content-Security-Policy"])
    assert scripts
    assert not any("unsafe-inline" in sources for sources in scripts)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html))
    assert not re.search(r"https?://(?!testserver)[^\"' ]+\.(js|css)", html)
    for address in re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css))"', html):
        assert Http().get(address).status_code == 200, address
    script = next(tag for tag in re.findall(r'<script src="([^"]+)"', html) if "script" in tag)
    assert Http().get(f"/api/docs/{script}" if script.startswith("?") else script).status_code == 200
