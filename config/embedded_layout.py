"""Where embedded servers keep their things, and how to tell whether they live."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

DATABASE = "guildhall"
PG_SOCKET = ".s.PGSQL.5432"
# The kernel takes 108 bytes for the path of a socket, the terminating zero included.
LONGEST_SOCKET_PATH = 107
START_SECONDS = 60
STOP_SECONDS = 10


class EmbeddedServerError(RuntimeError):
    """An embedded server cannot be started or stopped; the message says which, why, and where its log is."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses of a pair of servers. `cache_url` is another database of the same Valkey."""

    database_url: str
    redis_url: str
    cache_url: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the servers of one data directory keep their things."""

    data_dir: Path

    @property
    def postgres(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def valkey(self) -> Path:
        return self.data_dir / "valkey"

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"

    @property
    def run_recorded(self) -> Path:
        """Names the socket directory when the data directory's own path is too long for one."""
        return self.data_dir / "run-dir"

    @property
    def run(self) -> Path:
        try:
            return Path(self.run_recorded.read_text().strip())
        except FileNotFoundError:
            return self.data_dir / "run"

    @property
    def postgres_socket(self) -> Path:
        return self.run / PG_SOCKET

    @property
    def valkey_socket(self) -> Path:
        return self.run / "valkey.sock"

    @property
    def valkey_pid(self) -> Path:
        return self.valkey / "valkey.pid"

    def servers(self) -> Servers:
        return Servers(
            database_url=f"postgresql://postgres@/{DATABASE}?host={quote(str(self.run))}",
            redis_url=f"unix://{self.valkey_socket}?db=0",
            cache_url=f"unix://{self.valkey_socket}?db=1",
        )


def layout(data_dir: Path | str) -> Layout:
    return Layout(Path(data_dir).absolute())


# --- processes and sockets ----------------------------------------------------------------------------------------
def command_line(pid: int) -> str | None:
    """The command line of a live process; None when there is none, or only its zombie."""
    proc = Path("/proc") / str(pid)
    try:
        if proc.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] in {"Z", "X"}:
            return None
        # A process on its way out has no command line any more.
        return proc.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace") or None
    except (FileNotFoundError, ProcessLookupError):
        return None


def pid_in(path: Path) -> int | None:
    try:
        return int(path.read_text().split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def postgres_pid(place: Layout) -> int | None:
    """The postmaster of this data directory if it lives. A reused pid of something else does not count."""
    pid = pid_in(place.postgres / "postmaster.pid")
    return pid if pid and str(place.postgres) in (command_line(pid) or "") else None


def valkey_pid(place: Layout) -> int | None:
    pid = pid_in(place.valkey_pid)
    return pid if pid and "valkey" in (command_line(pid) or "") else None


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def wait_gone(pid: int, seconds: float, *, zombie: bool = True) -> bool:
    """True once the process is gone. `zombie`: and has been buried, for PostgreSQL takes a zombie for a live server."""
    until = time.monotonic() + seconds
    while Path("/proc", str(pid)).exists() if zombie else command_line(pid) is not None:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def log_tail(log: Path, lines: int = 8) -> str:
    try:
        last = log.read_text(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return ""
    return f"\n{log}:\n  " + "\n  ".join(last)
