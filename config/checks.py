"""What must hold before Guildhall serves anybody: in production each of these settings stops the start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register, run_checks
from django.core.exceptions import ImproperlyConfigured

TAG = "guildhall"
SHORTEST_SECRET = 50
FEWEST_DISTINCT = 10

#: (id, holds when unsafe, what is wrong, what to do). Only production is this strict. That there is a secret key at
#: all, the settings ask themselves.
UNSAFE: tuple[tuple[str, Callable[[], bool], str, str], ...] = (
    (
        "E001",
        lambda: (
            bool(settings.SECRET_KEY)
            and (
                len(settings.SECRET_KEY) < SHORTEST_SECRET or len(set(settings.SECRET_KEY)) < FEWEST_DISTINCT
            )
        ),
        "The secret key is short or repetitive.",
        "Set GUILDHALL_SECRET_KEY to 50 or more random characters.",
    ),
    (
        "E002",
        lambda: bool(settings.DEBUG),
        "DEBUG is on.",
        "Unset GUILDHALL_DEBUG: its pages show settings and data.",
    ),
    (
        "E003",
        lambda: not settings.ALLOWED_HOSTS,
        "No host name is allowed.",
        "Set GUILDHALL_ALLOWED_HOSTS to the names Guildhall is reached by, separated by commas.",
    ),
    (
        "E004",
        lambda: any(host == "*" or host == "." for host in settings.ALLOWED_HOSTS),
        "Every host name is allowed.",
        "Name the hosts in GUILDHALL_ALLOWED_HOSTS: links in mails are made from the host.",
    ),
    (
        "E005",
        lambda: not (settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE),
        "Cookies may travel unencrypted.",
        "Unset GUILDHALL_HTTPS, or set it to 1.",
    ),
    (
        "E006",
        lambda: not settings.SESSION_COOKIE_HTTPONLY,
        "Scripts can read the session cookie.",
        "Leave SESSION_COOKIE_HTTPONLY on.",
    ),
    (
        "E007",
        lambda: settings.SECURE_HSTS_SECONDS == 0,
        "Browsers are not told to insist on HTTPS.",
        "Unset GUILDHALL_HSTS_SECONDS, or set it to a year's worth of seconds.",
    ),
    (
        "E008",
        lambda: not (settings.SECURE_SSL_REDIRECT or settings.SECURE_PROXY_SSL_HEADER),
        "Plain HTTP is served.",
        "Unset GUILDHALL_SSL_REDIRECT, or set GUILDHALL_BEHIND_PROXY=1 behind a proxy that does HTTPS.",
    ),
    (
        "E009",
        lambda: any(not origin.startswith("https://") for origin in settings.CSRF_TRUSTED_ORIGINS),
        "A trusted origin is not HTTPS.",
        "Start every part of GUILDHALL_TRUSTED_ORIGINS with https://.",
    ),
    (
        "E010",
        lambda: bool(settings.ALLOWED_HOSTS) and not settings.SITE_URL.startswith("https://"),
        "The address in notices, mails and webhooks is not HTTPS.",
        "Set GUILDHALL_SITE_URL to the public address, starting with https://.",
    ),
    (
        "E011",
        lambda: any("MD5" in hasher for hasher in settings.PASSWORD_HASHERS),
        "Passwords are hashed with a broken algorithm.",
        "Leave PASSWORD_HASHERS alone.",
    ),
)


@register(TAG)
def check_production_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.GUILDHALL_ENV != "production":
        return []
    return [
        Error(wrong, hint=remedy, id=f"guildhall.{number}")
        for number, unsafe, wrong, remedy in UNSAFE
        if unsafe()
    ]


def refuse_unsafe_settings() -> None:
    """Raise ImproperlyConfigured with everything that is unsafe: web and worker call this before they serve."""
    found = run_checks(tags=[TAG])
    if found:
        lines = "\n".join(f"  {message.id}: {message.msg} {message.hint}" for message in found)
        raise ImproperlyConfigured(f"Guildhall does not start with unsafe settings:\n{lines}")
