"""A Celery worker as a process of its own, on the database and queue of the running test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import redis
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
QUEUES = ("celery", "penalties")


class Worker:
    """Started on first use and kept for the run; `kill` and `start` are there for tests of crashes."""

    def __init__(self, data_dir: Path, *, processes: int = 2) -> None:
        self.processes = processes
        self.process: subprocess.Popen[bytes] | None = None
        self.redis_url = settings.REDIS_URL
        self.valkey = redis.Redis.from_url(self.redis_url)
        self.log = data_dir / f"worker-{connection.settings_dict['NAME']}.log"

    def start(self, *, timeout_seconds: float = 30, attempts: int = 3) -> None:
        """Return when the worker takes tasks; does nothing when it does already."""
        if self.process is not None and self.process.poll() is None:
            return
        for attempt in range(attempts):
            self._spawn()
            until = time.monotonic() + timeout_seconds
            while not self._beats():
                if self.process is None or self.process.poll() is not None or time.monotonic() > until:
                    break
                time.sleep(0.05)
            else:
                return
            seen = f"attempt {attempt + 1}: {self.redis_url} holds {self.valkey.keys()!r}"
            self.kill()
        raise AssertionError(
            f"The worker did not start ({seen}):\n{self.log.read_text(errors='replace')[-4000:]}"
        )

    def _spawn(self) -> None:
        self.valkey.flushdb()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", "config.celery", "worker"),
                    *("--concurrency", str(self.processes), "--loglevel", "INFO"),
                    *("--without-gossip", "--without-mingle", "--hostname", f"test-{os.getpid()}@localhost"),
                ],
                cwd=ROOT,
                env={
                    **os.environ,
                    "GUILDHALL_TEST_DATABASE": str(connection.settings_dict["NAME"]),
                    "REDIS_URL": self.redis_url,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _beats(self) -> bool:
        from config.celery import HEARTBEAT_LIFE_SECONDS, WORKERS_KEY

        return bool(self.valkey.zcount(WORKERS_KEY, time.time() - HEARTBEAT_LIFE_SECONDS, "+inf"))

    def unfinished(self) -> int:
        """Tasks waiting, plus tasks taken and not yet acknowledged (they are acknowledged when done)."""
        waiting = sum(int(self.valkey.llen(queue)) for queue in QUEUES)
        return waiting + int(self.valkey.hlen("unacked"))

    def wait_idle(self, *, timeout_seconds: float = 30) -> None:
        """Return once nothing is queued or running, twice in a row, so that a task sent by a task counts."""
        until = time.monotonic() + timeout_seconds
        quiet = 0
        while quiet < 2:
            if time.monotonic() > until:
                tail = self.log.read_text(errors="replace")[-4000:]
                raise AssertionError(
                    f"{self.unfinished()} tasks unfinished after {timeout_seconds} s:\n{tail}"
                )
            time.sleep(0.05)
            quiet = 0 if self.unfinished() else quiet + 1

    def settle(self) -> None:
        """Leave nothing behind for the next test: drop what waits, let what runs end, or else replace the worker."""
        self.valkey.delete(*QUEUES)
        until = time.monotonic() + 10
        while self.unfinished():
            if time.monotonic() > until or self.process is None or self.process.poll() is not None:
                self.kill()
                return
            time.sleep(0.05)

    def kill(self) -> None:
        """The machine went away: the worker and its pool get no chance to finish or to say goodbye."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            if number is signal.SIGTERM:
                self.process.terminate()
                try:
                    self.process.wait(timeout=15)
                except subprocess.TimeoutExpired:
                    os.killpg(self.process.pid, signal.SIGKILL)
            else:
                os.killpg(self.process.pid, number)
            self.process.wait()
        from config.celery import WORKERS_KEY

        self.valkey.delete(WORKERS_KEY)
        self.process = None
