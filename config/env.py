"""Typed readers of environment variables. A value that is present and wrong stops the program with its name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})


def text(name: str, default: str = "") -> str:
    """The variable without surrounding blanks; unset and empty are the same."""
    return os.environ.get(name, "").strip() or default


def required(name: str, why: str) -> str:
    value = text(name)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set: {why}")
    return value


def flag(name: str, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be one of {', '.join(sorted(TRUE | FALSE))}, not {value!r}.")


def integer(name: str, default: int, *, lowest: int, highest: int) -> int:
    value = text(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.") from None
    if not lowest <= number <= highest:
        raise ImproperlyConfigured(f"{name} must lie between {lowest} and {highest}, not {number}.")
    return number


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = text(name, default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}, not {value!r}.")
    return value


def listing(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """Comma-separated values; empty parts are dropped."""
    value = text(name)
    return [part.strip() for part in value.split(",") if part.strip()] if value else list(default)


def database(url: str, *, name: str = "DATABASE_URL", connect_timeout: int | None = None) -> dict[str, Any]:
    """Django's settings for `postgresql://user:password@host:port/database?option=value`.

    A socket directory goes into the query: `postgresql://user@/database?host=/run/postgresql`.
    Every other query part becomes a libpq option (`sslmode`, `application_name`, …). `connect_timeout` is in
    seconds and gives way to one in the URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ImproperlyConfigured(
            f"{name} must start with postgresql://: Guildhall speaks to no other database."
        )
    database_name = unquote(parts.path.lstrip("/"))
    if not database_name:
        raise ImproperlyConfigured(f"{name} names no database: postgresql://user@host/DATABASE.")
    try:
        port = parts.port
    except ValueError:
        raise ImproperlyConfigured(f"{name} has a port that is not a number.") from None
    options: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    if connect_timeout is not None:
        options.setdefault("connect_timeout", connect_timeout)
    host = options.pop("host", "") or unquote(parts.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": database_name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(port) if port else options.pop("port", ""),
        "OPTIONS": options,
    }


def _redis_parts(url: str, name: str) -> tuple[str, str, int]:
    """(scheme, what stands between scheme and database number, database number) of a Redis or Valkey URL."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    if parts.scheme in {"unix", "redis+socket"}:
        number = options.get("db", options.get("virtual_host", "0"))
        return "unix", parts.path, _database_number(number, name)
    if parts.scheme in {"redis", "rediss"}:
        number = parts.path.strip("/") or options.get("db", "0")
        return parts.scheme, parts.netloc, _database_number(number, name)
    raise ImproperlyConfigured(f"{name} must start with redis://, rediss:// or unix://.")


def _database_number(value: str, name: str) -> int:
    if not value.isdecimal():
        raise ImproperlyConfigured(f"{name} has the database {value!r}; it must be a number.")
    return int(value)


def redis(url: str, *, database: int | None = None, name: str = "REDIS_URL") -> str:
    """The URL as redis-py wants it (`unix:///path?db=0`, `redis://host/0`), on another database when one is given."""
    scheme, middle, number = _redis_parts(url, name)
    number = number if database is None else database
    return f"unix://{middle}?db={number}" if scheme == "unix" else f"{scheme}://{middle}/{number}"


def celery_broker(url: str, *, name: str = "REDIS_URL") -> str:
    """The URL as Celery wants it, which spells unix sockets differently from redis-py."""
    scheme, middle, number = _redis_parts(url, name)
    if scheme == "unix":
        return f"redis+socket://{quote(middle)}?virtual_host={number}"
    return redis(url, name=name)


@dataclass(frozen=True)
class Mail:
    """Where mail goes, as Django's EMAIL_ settings want it. `tls` from the first byte, `starttls` after greeting."""

    backend: str
    host: str = "localhost"
    port: int = 25
    user: str = ""
    password: str = ""
    tls: bool = False
    starttls: bool = False
    folder: str | None = None


def mail(url: str, *, name: str = "GUILDHALL_MAIL_URL") -> Mail:
    """`smtp://user:password@host:587/?starttls=1`, `smtps://user:password@host`, `file:///folder`, `console:`, `memory:`.

    Empty: the mail server of this machine, without encryption. User names and passwords are percent-encoded.
    """
    backends = "django.core.mail.backends"
    parts = urlsplit(url or "smtp://localhost")
    if parts.scheme in {"console", "memory"}:
        return Mail(f"{backends}.{'console' if parts.scheme == 'console' else 'locmem'}.EmailBackend")
    if parts.scheme == "file":
        if not parts.path.startswith("/"):
            raise ImproperlyConfigured(f"{name} needs a whole path: file:///var/spool/guildhall.")
        return Mail(f"{backends}.filebased.EmailBackend", folder=unquote(parts.path))
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ImproperlyConfigured(f"{name} must be smtp://host, smtps://host, file:///folder or console:.")
    try:
        port = parts.port
    except ValueError:
        raise ImproperlyConfigured(f"{name} has a port that is not a number.") from None
    tls, starttls = parts.scheme == "smtps", dict(parse_qsl(parts.query)).get("starttls", "").lower() in TRUE
    if tls and starttls:
        raise ImproperlyConfigured(f"{name}: smtps:// is encrypted from the start; leave starttls out.")
    return Mail(
        f"{backends}.smtp.EmailBackend",
        host=parts.hostname,
        port=port or (465 if tls else 587 if starttls else 25),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=tls,
        starttls=starttls,
    )
