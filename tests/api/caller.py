"""A client of the API as outsiders are one: client credentials at /oauth/token/, bearer token, JSON."""

from __future__ import annotations

import base64
import json
from typing import Any

from django.test import Client as Http

from guilds.models import Client
from tests import factories

PROBLEM = "application/problem+json"


def token_for(client: Client, *, scope: str | None = None) -> str:
    """A token got by RFC 6749 §4.4, the client authenticated with HTTP Basic and the secret that factories give."""
    basic = base64.b64encode(f"{client.client_id}:secret".encode()).decode()
    asked = {"grant_type": "client_credentials"} | ({"scope": scope} if scope is not None else {})
    answer = Http().post("/oauth/token/", asked, headers={"Authorization": f"Basic {basic}"})
    assert answer.status_code == 200, answer.content
    return str(answer.json()["access_token"])


class Caller:
    """Calls addresses below /api/v1/ with one token; `client` is the row behind it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.http = Http(raise_request_exception=True)
        self.headers = {"Authorization": f"Bearer {token_for(client)}"}

    @classmethod
    def with_scopes(cls, *scopes: str, **bounds: Any) -> Caller:
        return cls(factories.client(*scopes, **bounds))

    def get(self, address: str, **query: Any) -> Any:
        url = address if address.startswith("http") else f"/api/v1/{address}"
        return self.http.get(url, query or None, headers=self.headers)

    def send(
        self,
        method: str,
        address: str,
        body: Any = None,
        *,
        media_type: str = "application/json",
        **headers: str,
    ) -> Any:
        """`body` as JSON unless it is bytes; header names with underscores for hyphens."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.generic(
            method, f"/api/v1/{address}", raw, content_type=media_type, headers={**self.headers, **more}
        )

    def post(self, address: str, body: Any = None, **options: Any) -> Any:
        return self.send("POST", address, body, **options)

    def put(self, address: str, body: Any = None, **options: Any) -> Any:
        return self.send("PUT", address, body, **options)


def problem(answer: Any, status: int, code: str | None = None) -> dict[str, Any]:
    """The body of an answer that must be a problem with this status and code; its form is checked."""
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == PROBLEM
    body: dict[str, Any] = json.loads(answer.content)
    assert body.keys() >= {"type", "title", "status", "detail", "code", "errors"}
    assert body["status"] == status
    assert all(fault.keys() >= {"field", "message"} for fault in body["errors"])
    if code:
        assert body["code"] == code, body
    return body


def fields(body: dict[str, Any]) -> list[str]:
    return [fault["field"] for fault in body["errors"]]
