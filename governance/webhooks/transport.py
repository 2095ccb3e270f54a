"""One signed POST to another system: bounded in time, never redirected, never to an inside address by accident."""

from __future__ import annotations

import ipaddress
import json
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import certifi
import urllib3
from standardwebhooks.webhooks import Webhook
from urllib3.exceptions import HTTPError

TIMEOUT = urllib3.Timeout(connect=3.0, read=10.0)
#: Nobody needs more of an answer than its status; a longer one is not read.
ANSWER_BYTES = 1024


class Undeliverable(Exception):
    """The attempt failed before there was an answer; the message says why."""


@dataclass(frozen=True)
class Answer:
    status: int


def addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The host's addresses. Any that is not public (loopback, private, link-local, …) refuses the host, unless allowed."""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError as error:
        raise Undeliverable(f"the host name does not resolve: {error}") from error
    if not allow_private:
        inside = [address for address in found if not ipaddress.ip_address(address.split("%")[0]).is_global]
        if inside:
            raise Undeliverable(
                "the address is private; allow private addresses on the endpoint if that is meant"
            )
    return sorted(found)


def post(url: str, *, secret: str, message_id: str, payload: dict[str, Any], allow_private: bool) -> Answer:
    """Send a payload with Standard Webhooks headers and return the answer's status.

    The name is resolved once and that very address is connected to, so it cannot change between check and use. Raises
    Undeliverable on anything that is not an HTTP answer: no connection, no certificate, no answer within 10 seconds.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Undeliverable("the address must be http:// or https:// with a host")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = addresses(parts.hostname, port, allow_private=allow_private)[0]
    body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
    now = datetime.now(UTC)
    headers = {
        "content-type": "application/cloudevents+json",
        "user-agent": "Guildhall-Webhooks",
        "host": parts.netloc.rpartition("@")[2],
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, now, body),
    }
    options: dict[str, Any] = {"timeout": TIMEOUT, "retries": False, "maxsize": 1}
    if parts.scheme == "https":
        pool: urllib3.HTTPConnectionPool = urllib3.HTTPSConnectionPool(
            address,
            port,
            server_hostname=parts.hostname,
            assert_hostname=parts.hostname,
            ca_certs=certifi.where(),
            **options,
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, **options)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with pool:
            response = pool.request(
                "POST", target, body=body.encode(), headers=headers, redirect=False, preload_content=False
            )
            response.read(ANSWER_BYTES)
            response.close()
    except (HTTPError, OSError) as error:
        raise Undeliverable(f"{type(error).__name__}: {error}"[:300]) from error
    return Answer(response.status)
