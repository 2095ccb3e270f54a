from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.test import Client
from redis.exceptions import ConnectionError as RedisConnectionError

from appeals.portal import throttle
from governance.models import Event
from guilds.accounts.services import one_time_link
from guilds.models import User
from tests import factories
from tests.appeals.cases import PASSWORD, Case

NEW_PASSWORD = "seven new lanterns"


@pytest.fixture(autouse=True)
def _fresh_counts() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def _sign_in(client: Client, email: str, password: str = PASSWORD, **fields: str) -> object:
    return client.post("/portal/login/", {"email": email, "password": password, **fields})


def _errors(response: object) -> str:
    page: str = response.content.decode()  # type: ignore[attr-defined]
    return " ".join(
        re.sub(r"<[^>]+>", " ", page[page.index('role="alert"') :].partition("</div>")[0]).split()
    )


def test_signing_in_and_out(case: Case, client: Client) -> None:
    response = _sign_in(client, " Olga@Guild.TEST ")
    assert (response.status_code, response["Location"]) == (302, "/portal/")  # type: ignore[attr-defined, index]
    page = client.get("/portal/").content.decode()
    assert "Aurora Talent" in page
    assert "olga@guild.test" in page

    assert client.post("/portal/logout/")["Location"] == "/portal/login/"
    assert client.get("/portal/").status_code == 302


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("olga@guild.test", "wrong"),
        ("nobody@guild.test", PASSWORD),
        ("closed@guild.test", PASSWORD),
        ("invited@guild.test", ""),
        ("olga@guild.test", ""),
        ("", PASSWORD),
        ("o\0lga@guild.test", PASSWORD),
        ("olga@guild.test'--", "' or 1=1--"),
        ("x" * 5_000, "y" * 5_000),
    ],
)
def test_every_wrong_pair_gets_the_same_answer(case: Case, client: Client, email: str, password: str) -> None:
    factories.user("closed@guild.test", password=PASSWORD, is_active=False)
    factories.user("invited@guild.test")

    response = _sign_in(client, email, password)

    assert response.status_code == 422  # type: ignore[attr-defined]
    assert _errors(response).endswith("E-mail and password do not match an account.")
    assert "_auth_user_id" not in client.session


def test_after_ten_attempts_that_account_waits_from_that_address(case: Case, client: Client) -> None:
    for _attempt in range(throttle.ATTEMPTS):
        assert _sign_in(client, "olga@guild.test", "wrong").status_code == 422  # type: ignore[attr-defined]

    response = _sign_in(client, "OLGA@guild.test")

    assert response.status_code == 429  # type: ignore[attr-defined]
    assert response["Retry-After"] == "900"  # type: ignore[index]
    assert "Wait 15 minutes" in _errors(response)
    assert "_auth_user_id" not in client.session
    # Neither another account nor another address is held up by it.
    assert _sign_in(client, "max@guild.test").status_code == 302  # type: ignore[attr-defined]
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    assert _sign_in(elsewhere, "olga@guild.test").status_code == 302  # type: ignore[attr-defined]


def test_a_success_forgets_the_failures(case: Case, client: Client) -> None:
    for _attempt in range(2):
        for _wrong in range(throttle.ATTEMPTS - 1):
            _sign_in(client, "olga@guild.test", "wrong")
        assert _sign_in(client, "olga@guild.test").status_code == 302  # type: ignore[attr-defined]
        client.logout()


def test_a_lost_cache_keeps_nobody_out(case: Case, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lost:
        def add(self, *args: object) -> None:
            raise RedisConnectionError

        delete = incr = add

    monkeypatch.setattr(throttle, "cache", Lost())

    assert _sign_in(client, "olga@guild.test").status_code == 302  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("wanted", "landing"),
    [
        ("/portal/penalties/?status=lifted", "/portal/penalties/?status=lifted"),
        ("https://evil.test/portal/", "/portal/"),
        ("//evil.test/", "/portal/"),
        ("javascript:alert(1)", "/portal/"),
        ("", "/portal/"),
    ],
)
def test_after_signing_in_people_land_here_and_nowhere_else(
    case: Case, client: Client, wanted: str, landing: str
) -> None:
    assert _sign_in(client, "olga@guild.test", next=wanted)["Location"] == landing  # type: ignore[index]


def test_staff_land_in_the_console(case: Case, client: Client) -> None:
    assert _sign_in(client, "ada@staff.test")["Location"] == "/admin/"  # type: ignore[index]
    page = client.get("/portal/")
    assert page.status_code == 403
    assert "member of staff" in page.content.decode()


def test_a_page_asked_for_is_remembered_through_signing_in(case: Case, client: Client) -> None:
    location = client.get("/portal/penalties/?status=lifted")["Location"]

    assert location == "/portal/login/?next=/portal/penalties/%3Fstatus%3Dlifted"
    assert 'value="/portal/penalties/?status=lifted"' in client.get(location).content.decode()


# --- one-time links ---------------------------------------------------------------------------------------------------
def _link(user: User) -> str:
    return urlsplit(one_time_link(user)).path


@pytest.mark.parametrize(("role", "landing"), [("owner", "/portal/"), (None, "/admin/")])
def test_a_one_time_link_sets_the_password_and_lets_in(
    case: Case, client: Client, role: str | None, landing: str
) -> None:
    person = factories.seat(case.guild, role).user if role else factories.staff("reviewer")
    link = _link(person)
    assert client.get(link).status_code == 200

    response = client.post(link, {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD})

    assert (response.status_code, response["Location"]) == (302, landing)
    assert client.session["_auth_user_id"] == str(person.pk)
    person.refresh_from_db()
    assert person.check_password(NEW_PASSWORD)
    event = Event.objects.get(act="user.password_set")
    assert (event.actor_kind, event.object_id) == ("guild_user" if role else "staff", str(person.pk))


def test_a_link_is_good_once(case: Case, client: Client) -> None:
    person = factories.seat(case.guild).user
    link = _link(person)
    client.post(link, {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD})

    for response in (
        client.get(link),
        client.post(link, {"new_password1": "another one entirely", "new_password2": "another one entirely"}),
    ):
        assert response.status_code == 410
    person.refresh_from_db()
    assert person.check_password(NEW_PASSWORD)
    assert Event.objects.filter(act="user.password_set").count() == 1


def test_spent_expired_and_made_up_links_look_alike(case: Case, client: Client, settings: object) -> None:
    person = factories.seat(case.guild).user
    closed = factories.seat(case.guild, is_active=False).user
    good = _link(person)
    uid = good.split("/")[3]
    pages = {
        client.get(address).content
        for address in (
            f"/portal/welcome/{uid}/abc-123/",
            f"/portal/welcome/AAAA/{good.split('/')[4]}/",
            "/portal/welcome/%00/%00/",
            "/portal/welcome/OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5/x-y/",
            _link(closed),
        )
    }
    assert {client.get(f"/portal/welcome/{uid}/abc-123/").status_code} == {410}
    # The address of the page is repeated in its language form, and the form's token differs every time.
    assert len({re.sub(rb'value="[^"]*"', b"", page) for page in pages}) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("short", "short"),
        ("password1234", "password1234"),
        ("123456789012345", "123456789012345"),
        ("a good long one", "b"),
    ],
)
def test_weak_and_unequal_passwords_are_refused(case: Case, client: Client, first: str, second: str) -> None:
    person = factories.seat(case.guild).user

    response = client.post(_link(person), {"new_password1": first, "new_password2": second})

    assert response.status_code == 422
    person.refresh_from_db()
    assert not person.has_usable_password()
    assert not Event.objects.filter(act="user.password_set").exists()


# --- several guilds ---------------------------------------------------------------------------------------------------
def test_a_person_with_several_seats_chooses_and_switches(case: Case, client: Client) -> None:
    case.other_guild.users.create(user=case.olga.user, role="viewer")
    _sign_in(client, "olga@guild.test")
    assert client.get("/portal/")["Location"] == "/portal/guild/"
    page = client.get("/portal/guild/").content.decode()
    assert "Aurora Talent" in page
    assert "Borealis Live" in page

    assert client.post("/portal/guild/", {"guild": "borealis"})["Location"] == "/portal/"
    assert client.get(f"/portal/penalties/{case.penalty.public_id}/").status_code == 404
    client.post("/portal/guild/", {"guild": "aurora"})
    assert client.get(f"/portal/penalties/{case.penalty.public_id}/").status_code == 200

    for wrong in ("", "unknown", "\0"):
        assert client.post("/portal/guild/", {"guild": wrong}).status_code == 422
    assert "Aurora Talent" in client.get("/portal/").content.decode()
