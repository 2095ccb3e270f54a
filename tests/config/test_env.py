"""Readers of environment variables: right values are typed, wrong ones stop the program by name."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import env


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("GUILDHALL_PROBE", raising=False)
    return "GUILDHALL_PROBE"


def test_unset_and_empty_are_the_same(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.text(variable, "fallback") == "fallback"
    monkeypatch.setenv(variable, "  ")
    assert env.text(variable, "fallback") == "fallback"
    assert env.flag(variable, True) is True
    assert env.integer(variable, 7, lowest=1, highest=9) == 7
    assert env.listing(variable, ("a",)) == ["a"]


def test_required_names_the_variable(variable: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="GUILDHALL_PROBE is not set: tokens are signed with it"):
        env.required(variable, "tokens are signed with it")


@pytest.mark.parametrize(
    ("value", "expected"), [("1", True), ("Yes", True), ("off", False), ("FALSE", False)]
)
def test_flag(variable: str, monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.setenv(variable, value)
    assert env.flag(variable, not expected) is expected


def test_a_flag_that_is_neither_stops_the_program(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "maybe")
    with pytest.raises(ImproperlyConfigured, match=r"GUILDHALL_PROBE must be one of .*, not 'maybe'"):
        env.flag(variable, False)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [("eight", "must be a whole number, not 'eight'"), ("0", "must lie between 1 and 9"), ("10", "not 10")],
)
def test_wrong_integers(variable: str, monkeypatch: pytest.MonkeyPatch, value: str, complaint: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ImproperlyConfigured, match=complaint):
        env.integer(variable, 5, lowest=1, highest=9)


def test_choice_and_listing(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "a, b,,c ")
    assert env.listing(variable) == ["a", "b", "c"]
    with pytest.raises(ImproperlyConfigured, match="must be one of demo, test"):
        env.choice(variable, "demo", ("demo", "test"))


def test_database_url_with_everything() -> None:
    read = env.database(
        "postgresql://gw:p%40ss%2Fword@db.example:6432/guild%20hall?sslmode=require", connect_timeout=5
    )
    assert read == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "guild hall",
        "USER": "gw",
        "PASSWORD": "p@ss/word",
        "HOST": "db.example",
        "PORT": "6432",
        "OPTIONS": {"sslmode": "require", "connect_timeout": 5},
    }


def test_database_url_with_a_socket_directory() -> None:
    read = env.database("postgres://postgres@/guildhall?host=%2Ftmp%2Fa%20b")
    assert (read["HOST"], read["PORT"], read["USER"], read["OPTIONS"]) == ("/tmp/a b", "", "postgres", {})


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("sqlite:///db.sqlite3", "must start with postgresql://"),
        ("mysql://root@localhost/x", "must start with postgresql://"),
        ("postgresql://localhost", "names no database"),
        ("postgresql://localhost:port/x", "port that is not a number"),
    ],
)
def test_wrong_database_urls(url: str, complaint: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=complaint):
        env.database(url)


@pytest.mark.parametrize(
    ("url", "for_redis", "for_celery"),
    [
        ("redis://h:6379/2", "redis://h:6379/2", "redis://h:6379/2"),
        ("rediss://:pw@h", "rediss://:pw@h/0", "rediss://:pw@h/0"),
        ("unix:///run/v.sock?db=3", "unix:///run/v.sock?db=3", "redis+socket:///run/v.sock?virtual_host=3"),
        ("redis+socket:///v.sock", "unix:///v.sock?db=0", "redis+socket:///v.sock?virtual_host=0"),
    ],
)
def test_redis_url_in_both_spellings(url: str, for_redis: str, for_celery: str) -> None:
    assert env.redis(url) == for_redis
    assert env.celery_broker(url) == for_celery


def test_redis_url_on_another_database() -> None:
    assert env.redis("unix:///v.sock?db=3", database=9) == "unix:///v.sock?db=9"
    assert env.redis("redis://h/1", database=9) == "redis://h/9"


@pytest.mark.parametrize("url", ["http://h/0", "redis://h/cache", "localhost:6379"])
def test_wrong_redis_urls(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL"):
        env.redis(url)


SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", env.Mail(SMTP)),
        ("smtp://relay.test", env.Mail(SMTP, host="relay.test")),
        ("smtp://relay.test:2525", env.Mail(SMTP, host="relay.test", port=2525)),
        (
            "smtp://a%40b:p%2Fw@relay.test/?starttls=1",
            env.Mail(SMTP, host="relay.test", port=587, user="a@b", password="p/w", starttls=True),
        ),
        ("smtps://relay.test", env.Mail(SMTP, host="relay.test", port=465, tls=True)),
        (
            "file:///var/spool/a%20b",
            env.Mail("django.core.mail.backends.filebased.EmailBackend", folder="/var/spool/a b"),
        ),
        ("console:", env.Mail("django.core.mail.backends.console.EmailBackend")),
        ("memory:", env.Mail("django.core.mail.backends.locmem.EmailBackend")),
    ],
)
def test_a_mail_address_becomes_djangos_settings(url: str, expected: env.Mail) -> None:
    assert env.mail(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "relay.test",
        "http://relay.test",
        "smtp://",
        "smtp://relay.test:x",
        "smtps://relay.test/?starttls=1",
        "file:mail",
    ],
)
def test_a_wrong_mail_address_is_refused_by_name(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="GUILDHALL_MAIL_URL"):
        env.mail(url)
