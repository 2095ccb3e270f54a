"""One POST: which addresses it may go to, how long it may take, and what counts as an answer."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from governance.webhooks import transport
from governance.webhooks.transport import Answer, Undeliverable, addresses, is_public, post
from tests.governance.webhooks.receiver import Receiver

BODY = '{"specversion":"1.0"}'


def send(url: str, *, allow_private: bool = True, total_seconds: float = 5.0) -> Answer:
    headers = transport.signed_headers(
        secrets=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        message_id="m-1",
        body=BODY,
        now=dt.datetime.now(dt.UTC),
    )
    return post(url, body=BODY, headers=headers, allow_private=allow_private, total_seconds=total_seconds)


# --- where to -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",  # noqa: S104  refused is the point
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "2001:db8::1",
        "fc00::1",
        "fd12:3456:789a::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "1.1.1.1", "172.32.0.1", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"],
)
def test_addresses_outside_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    "127.0.0.1 localhost 2130706433 0x7f000001 0177.0.0.1 127.1 0 169.254.169.254 ::1 :: ::ffff:127.0.0.1".split(),
)
def test_a_host_that_leads_inside_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(Undeliverable, match="private"):
        addresses(host, 80, allow_private=False)
    assert addresses(host, 80, allow_private=True)


def test_one_inside_address_among_several_refuses_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(host: str, port: int, **kwargs: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, port)) for address in ("93.184.216.34", "10.0.0.7")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(Undeliverable, match="private"):
        addresses("two.example.test", 443, allow_private=False)


def test_a_name_that_points_elsewhere_after_the_check_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    dialled: list[Any] = []

    def rebinding(host: str, port: int, **kwargs: Any) -> list[Any]:
        asked.append(host)
        return [(0, 0, 0, "", ("93.184.216.34" if len(asked) == 1 else "127.0.0.1", port))]

    def dial(address: Any, **kwargs: Any) -> socket.socket:
        dialled.append(address)
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket, "create_connection", dial)
    with pytest.raises(Undeliverable, match="nobody there"):
        send("https://rebinding.example.test/hook", allow_private=False)
    assert asked == ["rebinding.example.test"]
    assert dialled == [("93.184.216.34", 443)]


def test_the_next_address_is_tried_when_the_first_does_not_accept(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "addresses", lambda *_args, **_kwargs: ["127.0.0.2", "127.0.0.1"])
    assert send(receiver.url) == Answer(204)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.test/", "http"),
        ("http:///path", "http"),
        ("http://example.test:99999/", "cannot be read"),
        ("http://[::1/", "cannot be read"),
        ("http://no-such-host.invalid/", "does not resolve"),
        (f"http://{'a' * 70}.test/", "does not resolve"),
        ("http://127.0.0.1:9/", "ConnectionRefusedError"),
        ("{live}a b", "InvalidURL"),
    ],
)
def test_what_cannot_be_sent_says_why(receiver: Receiver, url: str, words: str) -> None:
    with pytest.raises(Undeliverable, match=words):
        send(url.replace("{live}", receiver.url))
    assert receiver.requests == []


# --- how long -------------------------------------------------------------------------------------------------------
def test_a_receiver_that_says_nothing_is_given_up(receiver: Receiver) -> None:
    receiver.answers = [receiver.hang]
    with pytest.raises(Undeliverable, match=r"no answer within 0\.5 seconds"):
        send(receiver.url, total_seconds=0.5)


def test_a_receiver_that_drips_is_given_up_too(receiver: Receiver) -> None:
    """Every byte comes well within any timeout of the socket; only the whole is bounded."""
    receiver.answers = [receiver.drip]
    with pytest.raises(Undeliverable, match=r"no answer within 0\.5 seconds"):
        send(receiver.url, total_seconds=0.5)


def test_endless_words_of_patience_are_given_up(receiver: Receiver) -> None:
    def patience(request: BaseHTTPRequestHandler) -> None:
        try:
            while not receiver.gone.wait(0.01):
                request.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        except OSError:
            request.close_connection = True

    receiver.answers = [patience]
    with pytest.raises(Undeliverable, match="no answer within"):
        send(receiver.url, total_seconds=0.5)


def test_the_body_of_an_answer_is_not_waited_for(receiver: Receiver) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        try:
            request.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n")
            while not receiver.gone.is_set():
                request.wfile.write(b"x" * 65_536)
        except OSError:
            request.close_connection = True

    receiver.answers = [endless]
    assert send(receiver.url) == Answer(200)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000,
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1_000 + b"\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
    ids=["a header without end", "headers without end", "another protocol", "nothing"],
)
def test_what_is_no_answer_is_no_success(receiver: Receiver, head: bytes) -> None:
    def say(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(head)
        request.close_connection = True

    receiver.answers = [say]
    with pytest.raises(Undeliverable):
        send(receiver.url)


# --- what comes back ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_answer_like_any_other(receiver: Receiver, status: int) -> None:
    receiver.answers = [(status, {"location": f"{receiver.url}elsewhere"})]
    assert send(receiver.url) == Answer(status)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"), [("120", 120.0), ("0", 0.0), ("soon", None), ("-5", None), ("1.5", None)]
)
def test_retry_after_in_seconds(receiver: Receiver, header: str, seconds: float | None) -> None:
    receiver.answers = [(503, {"retry-after": header})]
    assert send(receiver.url) == Answer(503, seconds)


def test_retry_after_as_a_date(receiver: Receiver) -> None:
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(hours=2)
    receiver.answers = [(429, {"retry-after": format_datetime(moment, usegmt=True)})]
    found = send(receiver.url).retry_after
    assert found is not None
    assert 7_000 < found <= 7_200
    receiver.answers = [(429, {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"})]
    assert send(receiver.url) == Answer(429, 0.0)


def test_host_path_and_query_arrive_as_written(receiver: Receiver) -> None:
    seen: list[tuple[str, str | None]] = []

    def note(request: BaseHTTPRequestHandler) -> None:
        seen.append((request.path, request.headers["host"]))
        request.send_response(204)
        request.end_headers()

    receiver.answers = [note]
    port = receiver.server.server_port
    send(f"http://localhost:{port}/hooks/guilds?tenant=7&x=%20")
    assert seen == [("/hooks/guilds?tenant=7&x=%20", f"localhost:{port}")]


# --- TLS ------------------------------------------------------------------------------------------------------------
def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / f"{name}.pem", folder / f"{name}.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, secret


class _NoContent(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("name", "trusted", "words"),
    [
        ("localhost", True, ""),
        ("localhost", False, "CERTIFICATE_VERIFY_FAILED"),
        ("elsewhere.example.test", True, "Hostname mismatch"),
    ],
)
def test_only_a_certificate_of_the_host_by_somebody_we_trust_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool, words: str
) -> None:
    pem, key = certificate(tmp_path, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    server = HTTPServer(("127.0.0.1", 0), _NoContent)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if trusted:
        monkeypatch.setattr(transport, "_tls", lambda: ssl.create_default_context(cafile=str(pem)))
    url = f"https://localhost:{server.server_port}/"
    try:
        if words:
            with pytest.raises(Undeliverable, match=words):
                send(url)
        else:
            assert send(url) == Answer(204)
    finally:
        server.shutdown()
        server.server_close()


def test_a_handshake_that_never_comes_is_given_up() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    try:
        with pytest.raises(Undeliverable, match="no answer within"):
            send(f"https://127.0.0.1:{silent.getsockname()[1]}/", total_seconds=0.5)
    finally:
        silent.close()
