"""One signed POST to another system: bounded in time as a whole, never redirected, never to an inside address by accident."""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

import certifi
from standardwebhooks.webhooks import Webhook

#: From the first packet to the end of the answer's head, however slowly it drips in.
TOTAL_SECONDS = 10.0
#: Of these, for one address to accept the connection.
CONNECT_SECONDS = 3.0
CONTENT_TYPE = "application/cloudevents+json"

#: Here an IPv4 address is written inside an IPv6 one, and a gateway goes where the inner address says (RFC 6052, 8215).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")


class Undeliverable(Exception):
    """The attempt failed before there was an answer; the message says why."""


@dataclass(frozen=True)
class Answer:
    """What came back: the status and, when the receiver asked for one, the rest in seconds. The body is never read."""

    status: int
    retry_after: float | None = None


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet, wherever an IPv4 address may be hidden in it."""
    ip = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is not None:
            return is_public(str(inner))
        if ip in NAT64_LOCAL or ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def addresses(host: str, port: int, *, allow_private: bool) -> list[str]:
    """The host's addresses, in the resolver's order. One that is not public refuses the whole host, unless allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Undeliverable(f"the host name does not resolve: {error}") from error
    distinct = list(dict.fromkeys(str(info[4][0]) for info in found))
    if not allow_private and not all(is_public(address) for address in distinct):
        raise Undeliverable(
            "the address is private; allow private addresses on the endpoint if that is meant"
        )
    return distinct


def signed_headers(*, secrets: Sequence[str], message_id: str, body: str, now: datetime) -> dict[str, str]:
    """The headers of a message by Standard Webhooks: one signature for each secret in force, separated by spaces."""
    return {
        "content-type": CONTENT_TYPE,
        "user-agent": "Guildhall-Webhooks",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, now, body) for secret in secrets),
    }


def post(
    url: str,
    *,
    body: str,
    headers: dict[str, str],
    allow_private: bool,
    total_seconds: float = TOTAL_SECONDS,
) -> Answer:
    """Send a body and return the head of the answer.

    The name is resolved once and that very address is connected to, so it cannot change between check and use. Raises
    Undeliverable on anything that is not an HTTP answer: no connection, no valid certificate, no answer in time. Looking up
    the name comes before the time runs and ends when the system's resolver gives up.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Undeliverable(f"the address cannot be read: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Undeliverable("the address must be http:// or https:// with a host")
    found = addresses(parts.hostname, port, allow_private=allow_private)
    until = time.monotonic() + total_seconds
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        line = _connected(parts, found, port, until)
        try:
            connection = http.client.HTTPConnection(parts.hostname, port)
            connection.sock = cast("socket.socket", line)
            host = {"host": parts.netloc.rpartition("@")[2]}
            connection.request("POST", target, body=body.encode(), headers=host | headers)
            response = connection.getresponse()
            return Answer(response.status, _rest(response.getheader("retry-after")))
        finally:
            line.close()
    except TimeoutError as error:
        raise Undeliverable(f"no answer within {total_seconds:g} seconds") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Undeliverable(f"{type(error).__name__}: {error}"[:300]) from error


class _Line:
    """A connected socket on which everything sent and received counts against one deadline.

    A timeout of the socket alone starts anew with every byte: a receiver that drips would hold the sender for good.
    """

    def __init__(self, sock: socket.socket, until: float) -> None:
        self.sock, self.until = sock, until

    def left(self) -> float:
        seconds = self.until - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    def sendall(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            self.sock.settimeout(self.left())
            rest = rest[self.sock.send(rest) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reading(self))

    def close(self) -> None:
        self.sock.close()


class _Reading(io.RawIOBase):
    def __init__(self, line: _Line) -> None:
        self.line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.line.sock.settimeout(self.line.left())
        return self.line.sock.recv_into(buffer)


def _connected(parts: SplitResult, found: Sequence[str], port: int, until: float) -> _Line:
    """A line to the first of the addresses that accepts, with the certificate checked against the host's name."""
    refused: OSError | None = None
    for address in found:
        seconds = min(CONNECT_SECONDS, until - time.monotonic())
        if seconds <= 0:
            raise TimeoutError
        try:
            sock = socket.create_connection((address, port), timeout=seconds)
        except OSError as error:
            refused = error
            continue
        line = _Line(sock, until)
        if parts.scheme == "https":
            try:
                line.sock = _tls().wrap_socket(
                    sock, server_hostname=parts.hostname, do_handshake_on_connect=False
                )
                line.sock.settimeout(line.left())
                line.sock.do_handshake()
            except OSError:
                line.close()
                raise
        return line
    if isinstance(refused, TimeoutError):
        raise ConnectionError(f"no connection within {CONNECT_SECONDS:g} seconds")
    raise refused or ConnectionError("the host has no address")


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


def _rest(header: str | None) -> float | None:
    """The seconds of a Retry-After header, which is a number or a date; None when there is none or it cannot be read."""
    if not header:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
