"""What is killed: PostgreSQL, Valkey, two workers and two beats, each watched and started again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import psycopg
import redis

from config import embedded
from config.celery import WORKERS_KEY
from config.embedded_layout import command_line, postgres_pid, valkey_pid

ROOT = Path(__file__).resolve().parent.parent.parent
LOOK_SECONDS = 0.05
#: A server is started again after up to so long, as by whatever watches over it.
LONGEST_ABSENCE = 2.0


class Server(ABC):
    """One thing that can be killed. `outages` are spans of seconds since 1970 from its end until it served again."""

    def __init__(self, name: str, data_dir: Path) -> None:
        self.name = name
        self.data_dir = data_dir
        self.outages: list[tuple[float, float]] = []
        self.kills = 0
        #: How often it ended without being killed; whatever watches over it starts it again then too.
        self.ends = 0
        self.trouble = ""
        self.lock = threading.Lock()

    @abstractmethod
    def start(self) -> None:
        """Start it and return; it need not serve yet."""

    @abstractmethod
    def serves(self) -> bool:
        """Whether it does its work now."""

    @abstractmethod
    def pids(self) -> list[int]:
        """What SIGKILL goes to; a negative number is a process group."""

    def bring_up(self, *, timeout_seconds: float = 90) -> None:
        until = time.monotonic() + timeout_seconds
        self.start()
        while not self.serves():
            if time.monotonic() > until:
                raise TimeoutError(f"{self.name} does not come up; see {self.data_dir / 'logs'}")
            time.sleep(LOOK_SECONDS)

    def kill_and_bring_up(self, chance: random.Random) -> None:
        """SIGKILL, a moment of absence, and back again. The outage is counted until it serves."""
        absence = chance.uniform(0, LONGEST_ABSENCE)
        with self.lock:
            if not self.pids():
                return
            began = time.time()
            self.kills += 1
            try:
                self.kill()
                time.sleep(absence)
                self.bring_up()
            except (OSError, TimeoutError, embedded.EmbeddedServerError) as error:
                self.trouble = str(error)
            self.outages.append((began, time.time()))

    def kill(self) -> None:
        for pid in self.pids():
            try:
                if pid < 0:
                    os.killpg(-pid, signal.SIGKILL)
                else:
                    os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


class Postgres(Server):
    def start(self) -> None:
        """Start the embedded server; while the orphans of the last one still hold its memory it will not, so try again."""
        until = time.monotonic() + 60
        while True:
            try:
                embedded.ensure_running(self.data_dir, valkey=False)
                return
            except (embedded.EmbeddedServerError, psycopg.Error):
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    def serves(self) -> bool:
        try:
            with connected(self.data_dir) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def pids(self) -> list[int]:
        pid = postgres_pid(embedded.layout(self.data_dir))
        return [pid] if pid else []


class Backend(Postgres):
    """One session of PostgreSQL: its death makes the server end all others and recover."""

    def start(self) -> None:
        """The postmaster does it."""

    def kill(self) -> None:
        """Return once the server has noticed and ends every session, this one too."""
        with contextlib.suppress(psycopg.Error), connected(self.data_dir) as canary:
            super().kill()
            until = time.monotonic() + 10
            while time.monotonic() < until:
                canary.execute("SELECT 1")
                time.sleep(0.01)

    def pids(self) -> list[int]:
        sessions = [
            pid
            for pid in sorted(children(postgres_pid(embedded.layout(self.data_dir))))
            if "guildhall" in (command_line(pid) or "")
        ]
        # Not the youngest: that is the one which watches.
        return [random.choice(sessions[:-1])] if len(sessions) > 1 else sessions


class Valkey(Server):
    def start(self) -> None:
        embedded.ensure_running(self.data_dir, postgres=False)

    def serves(self) -> bool:
        try:
            return bool(client(self.data_dir).ping())
        except redis.RedisError:
            return False

    def pids(self) -> list[int]:
        pid = valkey_pid(embedded.layout(self.data_dir))
        return [pid] if pid else []


class Process(Server):
    """A Celery program in a process group of its own."""

    def __init__(self, name: str, data_dir: Path, *arguments: str) -> None:
        super().__init__(name, data_dir)
        self.arguments = arguments
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.log = data_dir / "logs" / f"{name}.log"

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.started_at = time.time()
        with self.log.open("ab") as log:
            log.write(f"--- started {self.started_at:.3f}\n".encode())
            log.flush()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "config.celery", *self.arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def pids(self) -> list[int]:
        return [-self.process.pid] if self.process is not None and self.process.poll() is None else []

    def kill(self) -> None:
        super().kill()
        if self.process is not None:
            self.process.wait()

    def watch(self, halt: threading.Event) -> None:
        """Until `halt`: start it again whenever it has ended by itself."""
        while not halt.wait(0.1):
            if self.process is None or self.process.poll() is None or not self.lock.acquire(blocking=False):
                continue
            try:
                if self.process.poll() is not None:
                    began = time.time() - 0.1
                    self.ends += 1
                    self.bring_up()
                    self.outages.append((began, time.time()))
            except TimeoutError as error:
                self.trouble = str(error)
            finally:
                self.lock.release()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.kill()


class Worker(Process):
    def __init__(self, name: str, data_dir: Path) -> None:
        self.host = f"{name}@chaos"
        super().__init__(
            name,
            data_dir,
            *("worker", "--concurrency", "2", "--loglevel", "INFO", "--hostname", self.host),
            *("--without-gossip", "--without-mingle"),
        )

    def serves(self) -> bool:
        """Whether this process, and not the one before it, has shown a heartbeat."""
        try:
            beaten = client(self.data_dir).zscore(WORKERS_KEY, self.host)
        except redis.RedisError:
            return False
        return beaten is not None and float(beaten) >= self.started_at


class Beat(Process):
    def __init__(self, name: str, data_dir: Path) -> None:
        schedule = data_dir / f"{name}.schedule"
        super().__init__(
            name, data_dir, "beat", "--schedule", str(schedule), "--pidfile", "", "--loglevel", "INFO"
        )

    def serves(self) -> bool:
        """Whether it has said, last of all before it begins, how it is set up."""
        return b"maxinterval" in self.log.read_bytes().rsplit(b"--- started", 1)[-1]


def connected(data_dir: Path) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        embedded.layout(data_dir).servers().database_url, autocommit=True, connect_timeout=5
    )


def client(data_dir: Path) -> redis.Redis:
    return redis.Redis.from_url(
        embedded.layout(data_dir).servers().redis_url, socket_timeout=2, socket_connect_timeout=2
    )


def children(pid: int | None) -> Iterator[int]:
    if pid is None:
        return
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                parent = int(place.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == pid:
                yield int(place.name)
