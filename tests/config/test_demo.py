"""`python -m config.demo`, which is `make demo` after the installation: up, watched, and gone without a trace."""

from __future__ import annotations

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
from pathlib import Path

import pytest

from config import demo_marker, embedded
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
STOP_SECONDS = 15


class Run:
    """A demo as a process of its own, and everything that it started."""

    def __init__(self, data_dir: Path, port: int, **variables: str) -> None:
        self.data_dir, self.port = data_dir, port
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.environment = {
            **kept,
            "GUILDHALL_DATA_DIR": str(data_dir),
            "GUILDHALL_PORT": str(port),
            "GUILDHALL_SEED": "none",
            **variables,
        }
        self.log = data_dir.with_suffix(".log")
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.demo"],
                cwd=ROOT,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        return self.log.read_text()

    def status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def wait_for(self, text: str, seconds: float = 150) -> None:
        until = time.monotonic() + seconds
        while text not in self.output():
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < until, self.output()
            time.sleep(0.2)

    def processes(self) -> dict[int, str]:
        """Live processes that carry this data directory in their environment or command line."""
        found = {}
        for proc in Path("/proc").iterdir():
            if proc.name.isdecimal():
                try:
                    text = proc.joinpath("environ").read_bytes() + proc.joinpath("cmdline").read_bytes()
                except (FileNotFoundError, ProcessLookupError, PermissionError):
                    continue
                if str(self.data_dir).encode() in text and (command := embedded.command_line(int(proc.name))):
                    found[int(proc.name)] = command
        return found

    def stop(self, number: signal.Signals) -> float:
        """Seconds until the demo had ended."""
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=60)
        return time.monotonic() - started


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    demo = Run(tmp_path / "data", free_port())
    yield demo
    if demo.process.poll() is None:
        demo.stop(signal.SIGTERM)
    embedded.stop(demo.data_dir)


def test_it_serves_lets_manage_py_join_and_leaves_nothing(run: Run) -> None:
    run.wait_for("Ctrl-C stops everything.")
    pages = (
        "/readyz",
        "/healthz",
        "/admin/login/",
        "/portal/login/",
        "/api/docs/",
        "/static/unfold/css/styles.css",
    )
    assert {page: run.status(page) for page in pages} == dict.fromkeys(pages, 200)
    assert f"http://localhost:{run.port}/admin/" in run.output()

    joined = subprocess.run(
        [
            sys.executable,
            "manage.py",
            "shell",
            "-v",
            "0",
            "-c",
            "from django.conf import settings as s; print(s.GUILDHALL_ENV)",
        ],
        cwd=ROOT,
        env={name: value for name, value in run.environment.items() if name != "GUILDHALL_SEED"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert joined.stdout.strip().splitlines()[-1:] == ["demo"], joined.stderr
    second = subprocess.run(
        [sys.executable, "-m", "config.demo"],
        cwd=ROOT,
        env=run.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (second.returncode, "a demo already runs" in second.stdout) == (1, True)
    assert run.status("/readyz") == 200

    assert run.stop(signal.SIGTERM) < STOP_SECONDS
    assert run.process.returncode == 0
    assert run.processes() == {}
    assert embedded.find_running(run.data_dir) is None
    assert demo_marker.running(run.data_dir) is None


def test_a_child_that_dies_is_reported_and_everything_stops(run: Run) -> None:
    run.wait_for("Ctrl-C stops everything.")
    beat = next(pid for pid, command in run.processes().items() if " beat " in command)
    os.kill(beat, signal.SIGKILL)
    assert run.process.wait(timeout=30) == 1
    assert "beat ended by itself with -9" in run.output()
    assert run.processes() == {}


def test_an_interrupt_while_it_starts_leaves_nothing(run: Run) -> None:
    run.wait_for("Migrating")
    assert run.stop(signal.SIGINT) < STOP_SECONDS
    assert run.process.returncode == 0
    assert run.processes() == {}


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        demo = Run(tmp_path / "data", int(taken.getsockname()[1]))
        assert demo.process.wait(timeout=30) == 1
    assert f"port {demo.port} cannot be used" in demo.output()
    assert "Traceback" not in demo.output()
    assert demo.processes() == {}


def test_manage_py_joins_only_a_demo_that_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo_marker.leave(tmp_path, {"GUILDHALL_ENV": "demo"})
    assert (tmp_path / demo_marker.FILE).stat().st_mode & 0o777 == 0o600
    assert demo_marker.written_by(tmp_path) == os.getpid()
    assert demo_marker.running(tmp_path) is None  # this process lives, but it is no demo
    (tmp_path / demo_marker.FILE).write_text(
        json.dumps({"pid": 2**22 + 1, "environment": {"GUILDHALL_ENV": "demo"}})
    )
    assert demo_marker.running(tmp_path) is None
    monkeypatch.setenv("GUILDHALL_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("GUILDHALL_ENV")
    demo_marker.join_running_demo()
    assert "GUILDHALL_ENV" not in os.environ
