"""Another system, as HTTP sees it: answers what the test says, and as well or as badly as the test says."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.db import transaction
from standardwebhooks.webhooks import Webhook

from governance.webhooks import services
from guilds.models import Guild
from tests import factories

Answering = Callable[[BaseHTTPRequestHandler], None]


class Receiver:
    """An HTTP server that notes every request and answers the next of `answers`, 204 when there is none.

    An answer is a status, a status with headers, or a function that writes whatever it likes.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int | tuple[int, dict[str, str]] | Answering] = []
        self.always: int | Answering | None = None
        self.gone = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append(
                    ({name.lower(): value for name, value in self.headers.items()}, body)
                )
                answer = receiver.answers.pop(0) if receiver.answers else (receiver.always or 204)
                if callable(answer):
                    answer(self)
                    return
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def hang(self, request: BaseHTTPRequestHandler) -> None:
        """Take the request and say nothing until the test is over."""
        self.gone.wait(60)
        request.close_connection = True

    def drip(self, request: BaseHTTPRequestHandler) -> None:
        """One byte of the answer's head every little while, for as long as anybody listens."""
        try:
            request.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
            while not self.gone.wait(0.05):
                request.wfile.write(b"a")
                request.wfile.flush()
        except OSError:
            request.close_connection = True

    def stop(self) -> None:
        self.gone.set()
        self.server.shutdown()
        self.server.server_close()

    @property
    def seen(self) -> list[tuple[str | None, str, str]]:
        """(guild, type, webhook-id) of every request, in the order they came."""
        found = [(json.loads(body), headers) for headers, body in self.requests]
        return [
            (payload["data"]["guild"], payload["type"], headers["webhook-id"]) for payload, headers in found
        ]


class Inbox:
    """What an integrator writes with the standard library: verify with the secrets it holds, then dedupe by id."""

    def __init__(self, *secrets: str) -> None:
        self.secrets = list(secrets)
        self.taken: dict[str, dict[str, Any]] = {}
        self.repeated = 0

    def take(self, headers: dict[str, str], body: bytes) -> None:
        payload: dict[str, Any] = Webhook(self.secrets[-1]).verify(body, headers)
        if headers["webhook-id"] in self.taken:
            self.repeated += 1
        else:
            self.taken[headers["webhook-id"]] = payload


def happen(act: str, guild: Guild | None = None) -> None:
    with transaction.atomic():
        factories.event(
            act, guild_id=guild.pk if guild else None, after={"kind": "warning"}, reason="for our eyes only"
        )


def deliver(now: dt.datetime | None = None) -> int:
    """What the sweep does, at a moment of one's own choosing; returns how many were tried."""
    services.replays_go_on()
    services.deliveries_create_due()
    tried = 0
    while sent := services.deliveries_send_due(now=now):
        tried += sent
        services.replays_go_on()
    return tried
