"""A mail server on localhost that takes, refuses, postpones or never answers, as it is told. SMTP as far as a client needs it."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default

from django.test import override_settings


@dataclass
class PostOffice:
    """`recipients` and `content` are the answers to RCPT and to the end of DATA; `silent_at` is the word it never answers."""

    port: int = 0
    recipients: str = "250 OK"
    content: str = "250 Queued"
    silent_at: str = ""
    mails: list[Message] = field(default_factory=list)
    conversations: int = 0
    closing: threading.Event = field(default_factory=threading.Event)


class Clerk(socketserver.StreamRequestHandler):
    office: PostOffice

    def handle(self) -> None:
        office = self.office
        office.conversations += 1
        if office.silent_at == "CONNECT":
            office.closing.wait()
            return
        self.say("220 post office")
        while line := self.rfile.readline().decode("utf-8", "replace").strip():
            word = line.split()[0].upper()
            if word == office.silent_at:
                office.closing.wait()
                return
            if word in {"EHLO", "HELO"}:
                self.say("250-post office\r\n250-8BITMIME\r\n250 SMTPUTF8")
            elif word == "RCPT":
                self.say(office.recipients)
            elif word == "DATA":
                self.say("354 Go on")
                self.take()
                if office.silent_at == "END":
                    office.closing.wait()
                    return
                self.say(office.content)
            elif word == "QUIT":
                self.say("221 Bye")
                return
            else:
                self.say("250 OK")

    def say(self, words: str) -> None:
        self.wfile.write(f"{words}\r\n".encode())

    def take(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        self.office.mails.append(message_from_bytes(b"".join(lines), policy=default))


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the middle is part of the tests."""


@contextmanager
def post_office(**how: str) -> Iterator[PostOffice]:
    """An open post office, and the settings that lead to it; of a silent one a client soon has enough."""
    office = PostOffice(**how)  # type: ignore[arg-type]
    clerk = type("ThisClerk", (Clerk,), {"office": office})
    with Server(("127.0.0.1", 0), clerk) as server:
        office.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        with smtp_at(office.port, patience=0.3 if office.silent_at else 10):
            yield office
        office.closing.set()
        server.shutdown()
        thread.join()


def smtp_at(port: int, *, patience: float = 10) -> override_settings:
    return override_settings(
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=port,
        EMAIL_TIMEOUT=patience,
    )
