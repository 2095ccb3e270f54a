"""`make demo`: the whole of Guildhall in the foreground, on servers of its own.

    python -m config.demo

Starts PostgreSQL and Valkey (unless DATABASE_URL and REDIS_URL are given), migrates, seeds the demo world once,
starts web, worker and beat, waits until /readyz agrees and prints where to go. SIGINT or SIGTERM stops everything it
started; so does the death of a child, which is reported, and the end of the `make` above it.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from django.core.exceptions import ImproperlyConfigured

from config import demo_marker, embedded, env

BASE_DIR = demo_marker.BASE_DIR
READY_SECONDS = 120
#: Web, worker and beat have this long to end their work; with the servers after them, everything is down in 15 s.
STOP_SECONDS = 9
POLL_SECONDS = 0.25
WEB_WORKERS, WEB_THREADS, TASK_PROCESSES = 2, 2, 2
PR_SET_PDEATHSIG = 1


class DemoError(RuntimeError):
    """The demo cannot go on; the message is for the person in front of the terminal."""


class Stopped(Exception):
    """Somebody asked the demo to stop."""


@dataclass(slots=True)
class Child:
    """A process of ours with a log file, and how much of that log has been looked at."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    read_bytes: int = 0

    def new_errors(self) -> Iterator[str]:
        """What the log lines of level error or worse say that were written since the last call, one line each."""
        with self.log.open("rb") as file:
            file.seek(self.read_bytes)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.read_bytes += len(line)
                if b'"level": "error"' in line or b'"level": "critical"' in line:
                    entry = json.loads(line)
                    yield f"{entry.get('logger', '')}: {str(entry.get('event', '')).partition(chr(10))[0]}"

    def tail(self, lines: int = 15) -> str:
        return "\n".join(f"  {line}" for line in self.log.read_text(errors="replace").splitlines()[-lines:])


def say(text: str) -> None:
    print(text, flush=True)


def _die_with_parent() -> None:
    """In the child: if the demo is killed outright, so that it cannot stop us, the kernel asks us to stop."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _make_asked_to_stop() -> bool:
    """GNU make, sent SIGINT by name, waits for its children without telling them. It then no longer catches SIGINT."""
    try:
        status = Path("/proc", str(os.getppid()), "status").read_text()
    except (FileNotFoundError, PermissionError):
        return False
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return not int(caught, 16) >> (signal.SIGINT - 1) & 1


class Demo:
    def __init__(self) -> None:
        self.data_dir = demo_marker.data_dir().absolute()
        self.port = env.integer("GUILDHALL_PORT", 8000, lowest=1, highest=65535)
        self.host = env.text("GUILDHALL_HOST", "127.0.0.1")
        self.seed = env.choice("GUILDHALL_SEED", "demo", ("demo", "none"))
        self.own_postgres = not env.text("DATABASE_URL")
        self.own_valkey = not env.text("REDIS_URL")
        self.logs = self.data_dir / "logs"
        self.children: list[Child] = []
        self.stop_requested = False
        self.parent = os.getppid()
        # Started by anything but make, the demo outlives its parent: a shell that puts it into the background.
        self.under_make = "MAKELEVEL" in os.environ and not _make_asked_to_stop()

    # --- what a run is ---
    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._request_stop)
        try:
            self._refuse_second_demo()
            self._start()
            self._watch()
        except Stopped:
            say("\nStopping …")
            return 0
        except (DemoError, embedded.EmbeddedServerError) as error:
            say(f"\nmake demo: {error}")
            return 1
        finally:
            self._stop()
        return 0

    def _request_stop(self, number: int, frame: FrameType | None) -> None:
        self.stop_requested = True

    def _check_stop(self) -> None:
        if self.stop_requested:
            raise Stopped
        if self.under_make and (os.getppid() != self.parent or _make_asked_to_stop()):
            raise Stopped

    # --- start ---
    def _refuse_second_demo(self) -> None:
        if demo_marker.running(self.data_dir) is not None:
            self.own_postgres = self.own_valkey = False  # they are the other's; _stop must leave them alone
            raise DemoError(f"a demo already runs in {self.data_dir}. Stop it, or set GUILDHALL_DATA_DIR.")
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError as error:
                self.own_postgres = self.own_valkey = False
                raise DemoError(
                    f"port {self.port} cannot be used ({error.strerror}). Choose another: GUILDHALL_PORT=8001 make demo"
                ) from None

    def _start(self) -> None:
        started = time.monotonic()
        self.logs.mkdir(parents=True, exist_ok=True)
        os.environ["GUILDHALL_ENV"] = "demo"
        os.environ["GUILDHALL_DATA_DIR"] = str(self.data_dir)
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        if self.own_postgres or self.own_valkey:
            say("Starting the embedded servers …")
            embedded.ensure_running(self.data_dir, postgres=self.own_postgres, valkey=self.own_valkey)
        self._check_stop()
        kept = ("DATABASE_URL", "REDIS_URL")
        names = [name for name in os.environ if name.startswith("GUILDHALL_") or name in kept]
        demo_marker.leave(self.data_dir, {name: os.environ[name] for name in names})
        say("Migrating …")
        self._manage("migrate", "--noinput", "--verbosity", "0")
        self._seed_once()
        programs = Path(sys.executable).parent
        celery = [sys.executable, "-m", "celery", "-A", "config.celery"]
        say("Starting web, worker and beat …")
        self._spawn(
            "web",
            [
                *(
                    str(programs / "granian"),
                    "--interface",
                    "wsgi",
                    "--host",
                    self.host,
                    "--port",
                    str(self.port),
                ),
                *("--workers", str(WEB_WORKERS), "--blocking-threads", str(WEB_THREADS)),
                # Without it a signal that arrives while a worker boots is waited for without end.
                *(
                    "--workers-kill-timeout",
                    "8",
                    "--no-ws",
                    "--log-level",
                    "warning",
                    "config.wsgi:application",
                ),
            ],
        )
        self._spawn("worker", [*celery, "worker", "--concurrency", str(TASK_PROCESSES), "--loglevel", "INFO"])
        schedule = self.data_dir / "beat-schedule"
        self._spawn("beat", [*celery, "beat", "--schedule", str(schedule), "--pidfile", ""])
        self._wait_ready()
        say(f"Ready after {time.monotonic() - started:.0f} s.")
        self._print_addresses()

    def _spawn(self, name: str, command: list[str]) -> Child:
        log = self.logs / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us only, and we stop them in order
                preexec_fn=_die_with_parent,  # noqa: PLW1509  this process has one thread
            )
        child = Child(name, process, log)
        self.children.append(child)
        return child

    def _manage(self, *arguments: str) -> None:
        """Run a management command to its end, or until we are told to stop."""
        child = self._spawn(f"manage-{arguments[0]}", [sys.executable, "manage.py", *arguments])
        while child.process.poll() is None:
            self._check_stop()
            time.sleep(POLL_SECONDS)
        self.children.remove(child)
        if child.process.returncode != 0:
            raise DemoError(f"manage.py {arguments[0]} failed:\n{child.tail()}")

    def _seed_once(self) -> None:
        """The note that it was done names the database: another DATABASE_URL is another world."""
        database = hashlib.sha256(env.text("DATABASE_URL", "embedded").encode()).hexdigest()
        seeded = self.data_dir / "seeded"
        if self.seed == "none" or (seeded.exists() and seeded.read_text() == database):
            return
        say("Seeding the demo world (once) …")
        self._manage("seed_demo")
        seeded.write_text(database)

    def _wait_ready(self) -> None:
        until = time.monotonic() + READY_SECONDS
        answer = "no answer"
        while time.monotonic() < until:
            self._check_stop()
            self._check_children()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=10) as response:
                    if response.status == 200:
                        return
            except urllib.error.HTTPError as error:
                answer = error.read().decode(errors="replace")
            except (OSError, ValueError) as error:
                answer = str(error)
            time.sleep(POLL_SECONDS)
        raise DemoError(f"not ready after {READY_SECONDS} s: {answer}\nLogs are in {self.logs}.")

    def _print_addresses(self) -> None:
        site = f"http://localhost:{self.port}"
        say(f"\n  Console        {site}/admin/")
        say(f"  Guild portal   {site}/portal/")
        say(f"  API            {site}/api/docs/")
        say(f"  Logs           {self.logs}\n")
        try:
            logins = json.loads((self.data_dir / "demo-logins.json").read_text())
        except FileNotFoundError:
            logins = []
        rows = [tuple(str(login[key]) for key in ("role", "email", "password", "where")) for login in logins]
        widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else []
        for row in rows:
            say("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        say("\nCtrl-C stops everything.")

    # --- watch ---
    def _watch(self) -> None:
        while True:
            self._check_stop()
            self._check_children()
            time.sleep(POLL_SECONDS)

    def _check_children(self) -> None:
        for child in self.children:
            for line in child.new_errors():
                say(f"[{child.name}] {line} (see {child.log})")
            if (code := child.process.poll()) is not None:
                raise DemoError(f"{child.name} ended by itself with {code}; stopping.\n{child.tail()}")

    # --- stop ---
    def _stop(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave servers behind
        for child in self.children:
            if child.process.poll() is None:
                child.process.terminate()
        until = time.monotonic() + STOP_SECONDS
        for child in self.children:
            try:
                child.process.wait(timeout=max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                say(
                    f"{child.name} did not stop in time and was killed; its unfinished tasks run at the next start."
                )
            # What is left of the child's session: itself, or processes it did not take along.
            with suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGKILL)
            child.process.wait()
        if self.own_postgres or self.own_valkey:
            try:
                embedded.stop(self.data_dir)
            except embedded.EmbeddedServerError as error:
                say(f"make demo: {error}")
        if demo_marker.written_by(self.data_dir) == os.getpid():
            demo_marker.remove(self.data_dir)


def main() -> int:
    try:
        return Demo().run()
    except ImproperlyConfigured as error:
        say(f"make demo: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
