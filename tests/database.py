"""Test databases: migrated once into a template, then copied.

The template's name carries a hash of everything the schema is made from, so a changed migration makes a new one.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = "guildhall_template_"


def _fingerprint() -> str:
    """Migrations make the tables; models make the content types and permissions; the lock the tables of others."""
    apps = [ROOT / app for app in ("guilds", "governance", "appeals")]
    files = [
        path
        for app in apps
        for path in app.rglob("*.py")
        if {"migrations", "models"} & {*path.parts, path.stem}
    ]
    digest = hashlib.sha256()
    for path in [*sorted(files), ROOT / "requirements.txt"]:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _server() -> psycopg.Connection[tuple[Any, ...]]:
    """A connection that can make and drop databases, which nothing can from inside the database in question."""
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "password")
    return psycopg.connect(
        **{name: parameters[name] for name in names if parameters.get(name)},
        dbname="postgres",
        autocommit=True,
    )


def _migrate(name: str) -> None:
    connection.close()
    before = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = name
    try:
        call_command("migrate", verbosity=0, interactive=False)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def _ensure_template(server: psycopg.Connection[tuple[Any, ...]]) -> str:
    template = f"{TEMPLATES}{_fingerprint()}"
    rows = server.execute(
        "SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{TEMPLATES}%"]
    ).fetchall()
    existing = {row[0] for row in rows}
    if template not in existing:
        for stale in existing:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(stale)))
        # Renamed when complete: an interrupted migration must not pass for a template.
        draft = f"draft_{template}"
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(draft)))
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(draft)))
        _migrate(draft)
        rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
        server.execute(rename.format(sql.Identifier(draft), sql.Identifier(template)))
    return template


@contextmanager
def test_database(data_dir: Path, suffix: str) -> Iterator[None]:
    """Give Django a database of its own for the run and drop it afterwards."""
    name = f"test_guildhall_{suffix}"
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    before = connection.settings_dict["NAME"]
    with _server() as server:
        with (data_dir / "template.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            template = _ensure_template(server)
            server.execute(drop)
            copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            server.execute(copy.format(sql.Identifier(name), sql.Identifier(template)))
        connection.close()
        settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
        try:
            # On the class: under a browser's event loop Django hands out another connection than here.
            with patch.object(DatabaseOperations, "execute_sql_flush", _flush_append_only):
                yield
        finally:
            connection.close()
            settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = before
            server.execute(drop)


test_database.__test__ = False  # type: ignore[attr-defined]  # a context manager, not a test


def _flush_append_only(operations: DatabaseOperations, statements: list[str]) -> None:
    """Empty the tables after a test with `transaction=True`, those included whose triggers refuse it."""
    with operations.connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            for statement in statements:
                cursor.execute(statement)
        finally:
            cursor.execute("SET session_replication_role = DEFAULT")
