"""The embedded servers: start, keep, recover, stop."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from django.core.exceptions import ImproperlyConfigured

from config import embedded, embedded_postgres

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("embedded")]


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    embedded.stop(tmp_path / "data")


def query(servers: embedded.Servers, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(servers.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def process_ids(data_dir: Path) -> tuple[int, int]:
    place = embedded.layout(data_dir)
    return (
        int((place.postgres / "postmaster.pid").read_text().split()[0]),
        int(place.valkey_pid.read_text()),
    )


def test_they_start_once_and_keep_their_rows_over_a_stop(data_dir: Path) -> None:
    assert embedded.find_running(data_dir) is None
    servers = embedded.ensure_running(data_dir)
    before = process_ids(data_dir)
    assert embedded.ensure_running(data_dir) == servers == embedded.find_running(data_dir)
    assert process_ids(data_dir) == before
    query(servers, "CREATE TABLE kept AS SELECT 42 AS answer")
    redis.Redis.from_url(servers.redis_url).set("kept", "42")

    embedded.stop(data_dir)
    assert embedded.find_running(data_dir) is None
    assert all(embedded.command_line(pid) is None for pid in before)
    embedded.stop(data_dir)  # nothing to do is no error

    servers = embedded.ensure_running(data_dir)
    assert query(servers, "SELECT answer FROM kept") == [(42,)]
    assert redis.Redis.from_url(servers.redis_url).get("kept") == b"42"


def test_they_are_durable_and_listen_on_sockets_only(data_dir: Path) -> None:
    servers = embedded.ensure_running(data_dir)
    wanted = "('fsync', 'synchronous_commit', 'listen_addresses', 'shared_preload_libraries', 'TimeZone')"
    rows = query(servers, f"SELECT name, setting FROM pg_settings WHERE name IN {wanted}")
    assert dict(rows) == {  # type: ignore[arg-type]
        "fsync": "on",
        "synchronous_commit": "on",
        "listen_addresses": "",
        "shared_preload_libraries": "pg_stat_statements",
        "TimeZone": "UTC",
    }
    assert redis.Redis.from_url(servers.redis_url).config_get("port") == {"port": "0"}
    assert data_dir.stat().st_mode & 0o077 == 0


def test_they_recover_from_being_killed(data_dir: Path) -> None:
    servers = embedded.ensure_running(data_dir)
    query(servers, "CREATE TABLE kept AS SELECT 42 AS answer")
    redis.Redis.from_url(servers.redis_url).set("kept", "42")
    time.sleep(1.1)  # Valkey writes its log once a second
    for pid in process_ids(data_dir):
        os.kill(pid, signal.SIGKILL)

    servers = embedded.ensure_running(data_dir)
    assert query(servers, "SELECT answer FROM kept") == [(42,)]
    assert redis.Redis.from_url(servers.redis_url).get("kept") == b"42"


def test_a_pid_taken_over_by_another_program_does_not_block_the_start(data_dir: Path) -> None:
    embedded.ensure_running(data_dir)
    embedded.stop(data_dir)
    place = embedded.layout(data_dir)
    (place.postgres / "postmaster.pid").write_text(f"1\n{place.postgres}\n")
    place.valkey_pid.write_text("1\n")
    assert query(embedded.ensure_running(data_dir), "SELECT 1") == [(1,)]


def test_an_interrupted_first_start_is_begun_again(data_dir: Path) -> None:
    (data_dir / "postgres" / "base").mkdir(parents=True)
    assert query(embedded.ensure_running(data_dir), "SELECT 1") == [(1,)]


def test_root_without_user_namespaces_becomes_nobody_and_back(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files change hands in both directions, in a directory that only root may enter."""
    works = embedded_postgres._works
    for allowed in (True, False, True):
        monkeypatch.setattr(
            embedded_postgres,
            "_works",
            lambda command, ok=allowed: (ok or command[0] != "unshare") and works(command),
        )
        servers = embedded.ensure_running(data_dir)
        assert query(servers, "SELECT 1") == [(1,)]
        if not allowed and os.geteuid() == 0:
            assert (data_dir / "postgres").owner() == "nobody"
        embedded.stop(data_dir)


def test_two_at_once_start_one_pair(data_dir: Path) -> None:
    failures: list[embedded.EmbeddedServerError] = []

    def start() -> None:
        try:
            embedded.ensure_running(data_dir)
        except embedded.EmbeddedServerError as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert embedded.find_running(data_dir) is not None


@pytest.mark.parametrize("name", ["with a space", "x" * 90])
def test_awkward_paths(tmp_path: Path, name: str) -> None:
    """A socket's path takes 107 bytes: a longer one moves the sockets to a short directory that goes with the stop."""
    data_dir = tmp_path / name / "data"
    servers = embedded.ensure_running(data_dir)
    run = embedded.layout(data_dir).run
    try:
        assert len(str(run / "valkey.sock")) <= embedded.LONGEST_SOCKET_PATH
        assert query(servers, "SELECT 1") == [(1,)]
        assert redis.Redis.from_url(servers.redis_url).ping()
        assert embedded.find_running(data_dir) == servers
    finally:
        embedded.stop(data_dir)
    assert run.is_relative_to(data_dir) or not run.exists()


def test_settings_refuse_what_does_not_run(data_dir: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="start them with `make demo`"):
        embedded.urls(data_dir, database_url="", redis_url="", environment="demo")
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL must be set when GUILDHALL_ENV is production"):
        embedded.urls(data_dir, database_url="postgresql://x/y", redis_url="", environment="production")
    given = embedded.urls(
        data_dir, database_url="postgresql://x/y", redis_url="redis://z/0", environment="production"
    )
    assert given == embedded.Servers("postgresql://x/y", "redis://z/0", "redis://z/0")


def test_the_local_secret_is_made_once_and_private(data_dir: Path) -> None:
    secret = embedded.local_secret(data_dir)
    assert len(secret) >= 50
    assert embedded.local_secret(data_dir) == secret
    assert (data_dir / "secret-key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in data_dir.iterdir()] == ["secret-key"]
