"""Production refuses each unsafe setting, by name; the same settings start when they are safe."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import checks
from tests.conftest import ROOT

SAFE: dict[str, Any] = {
    "GUILDHALL_ENV": "production",
    "SECRET_KEY": "kT9-" * 5 + "abcdefghijklmnopqrstuvwxyz0123456789",
    "DEBUG": False,
    "ALLOWED_HOSTS": ["guildhall.example"],
    "SITE_URL": "https://guildhall.example",
    "CSRF_TRUSTED_ORIGINS": ["https://guildhall.example"],
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "SESSION_COOKIE_HTTPONLY": True,
    "SECURE_HSTS_SECONDS": 31_536_000,
    "SECURE_SSL_REDIRECT": True,
    "SECURE_PROXY_SSL_HEADER": None,
    "PASSWORD_HASHERS": ["django.contrib.auth.hashers.PBKDF2PasswordHasher"],
}


@pytest.fixture
def production(settings: Any) -> Any:
    for name, value in SAFE.items():
        setattr(settings, name, value)
    return settings


def test_safe_settings_start(production: Any) -> None:
    assert checks.check_production_settings(None) == []
    checks.refuse_unsafe_settings()


@pytest.mark.parametrize(
    ("unsafe", "number"),
    [
        ({"SECRET_KEY": "short"}, "E001"),
        ({"SECRET_KEY": "ab" * 40}, "E001"),
        ({"DEBUG": True}, "E002"),
        ({"ALLOWED_HOSTS": []}, "E003"),
        ({"ALLOWED_HOSTS": ["guildhall.example", "*"]}, "E004"),
        ({"SESSION_COOKIE_SECURE": False}, "E005"),
        ({"CSRF_COOKIE_SECURE": False}, "E005"),
        ({"SESSION_COOKIE_HTTPONLY": False}, "E006"),
        ({"SECURE_HSTS_SECONDS": 0}, "E007"),
        ({"SECURE_SSL_REDIRECT": False}, "E008"),
        ({"CSRF_TRUSTED_ORIGINS": ["http://guildhall.example"]}, "E009"),
        ({"SITE_URL": "http://guildhall.example"}, "E010"),
        ({"PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"]}, "E011"),
    ],
)
def test_each_unsafe_setting_is_refused(production: Any, unsafe: dict[str, Any], number: str) -> None:
    for name, value in unsafe.items():
        setattr(production, name, value)
    assert [message.id for message in checks.check_production_settings(None)] == [f"guildhall.{number}"]
    with pytest.raises(ImproperlyConfigured, match=f"guildhall.{number}"):
        checks.refuse_unsafe_settings()


def test_every_check_has_a_test() -> None:
    assert [number for number, *_ in checks.UNSAFE] == [f"E{number:03}" for number in range(1, 12)]


def test_behind_a_proxy_that_does_https_the_redirect_may_be_off(production: Any) -> None:
    production.SECURE_SSL_REDIRECT = False
    production.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert checks.check_production_settings(None) == []


def test_the_demo_is_not_held_to_it(production: Any) -> None:
    production.GUILDHALL_ENV = "demo"
    production.DEBUG = True
    assert checks.check_production_settings(None) == []


def start(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *(part.replace("{tmp}", variables["GUILDHALL_DATA_DIR"]) for part in command)],
        cwd=ROOT,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


STARTS = {
    "manage": ["manage.py", "check"],
    "web": ["-c", "import config.wsgi"],
    "worker": ["-m", "celery", "-A", "config.celery", "worker"],
    "beat": ["-m", "celery", "-A", "config.celery", "beat", "--pidfile", "", "--schedule", "{tmp}/beat"],
}
URLS = {"DATABASE_URL": "postgresql://guildhall@127.0.0.1:1/guildhall", "REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.mark.slow
def test_manage_py_in_production_asks_for_its_servers(tmp_path: Any) -> None:
    done = start(
        ["manage.py", "check"], GUILDHALL_DATA_DIR=str(tmp_path), GUILDHALL_SECRET_KEY=SAFE["SECRET_KEY"]
    )
    assert done.returncode == 1
    assert "DATABASE_URL and REDIS_URL must be set" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", STARTS.values(), ids=STARTS.keys())
def test_nothing_starts_in_production_without_a_secret_key(command: list[str], tmp_path: Any) -> None:
    done = start(
        command, **URLS, GUILDHALL_DATA_DIR=str(tmp_path), GUILDHALL_ALLOWED_HOSTS="guildhall.example"
    )
    assert done.returncode != 0
    assert "GUILDHALL_SECRET_KEY is not set" in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", STARTS.values(), ids=STARTS.keys())
def test_nothing_starts_in_production_with_an_unsafe_setting(command: list[str], tmp_path: Any) -> None:
    done = start(command, **URLS, GUILDHALL_DATA_DIR=str(tmp_path), GUILDHALL_SECRET_KEY=SAFE["SECRET_KEY"])
    assert done.returncode != 0
    assert "guildhall.E003" in done.stdout + done.stderr


@pytest.mark.slow
def test_production_starts_with_safe_settings(tmp_path: Any) -> None:
    done = start(
        ["-c", "import config.wsgi"],
        **URLS,
        GUILDHALL_DATA_DIR=str(tmp_path),
        GUILDHALL_ALLOWED_HOSTS="guildhall.example",
        GUILDHALL_SECRET_KEY=SAFE["SECRET_KEY"],
    )
    assert done.returncode == 0, done.stderr
