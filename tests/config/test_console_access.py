"""Who may open which page of the console: every page × role × market, with the exact status."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory
from django.urls import resolve, reverse

from guilds.accounts.enums import Role
from guilds.console.page import admin_url, list_url
from guilds.models import User
from tests import factories
from tests.config import console_world
from tests.config.console_world import GUILD_BOUND, HIDDEN_FROM, World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def world(db: None) -> World:
    return console_world.build()


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def status(user: User, url: str) -> int:
    """What the page's view answers this person. The page is not rendered: that is `test_every_page_is_rendered`."""
    request = RequestFactory().get(url)
    request.user = user
    found = resolve(request.path)
    try:
        answer: HttpResponseBase = found.func(request, *found.args, **found.kwargs)
    except PermissionDenied:
        return 403
    except Http404:
        return 404
    return answer.status_code


def statuses(user: User, world: World) -> dict[str, tuple[int, int]]:
    """(list, object page) by model."""
    person = User.objects.get(pk=user.pk)
    return {
        label: (status(person, list_url(type(obj))), status(person, admin_url(obj)))
        for label, obj in world.pages.items()
    }


def readable(world: World, role: str) -> dict[str, tuple[int, int]]:
    """Everything, but for the objects a role must not know of."""
    return {label: (200, 404 if role in HIDDEN_FROM.get(label, ()) else 200) for label in world.pages}


def test_the_world_of_these_tests_has_every_page_of_the_console(world: World) -> None:
    assert set(world.pages) == {model._meta.label_lower for model in admin.site._registry}


@pytest.mark.parametrize("role", Role.values)
def test_every_role_reads_every_page_within_its_market(world: World, role: str) -> None:
    person = factories.staff(role, markets=[world.here])
    # An endpoint, a rule and the like belong to no market; everything else is in this one.
    assert statuses(person, world) == readable(world, role)
    assert status(person, reverse("admin:index")) == 200
    assert status(person, reverse("admin:governance_case_mine")) == 200


@pytest.mark.parametrize("role", Role.values)
def test_every_market_reads_everything(world: World, role: str) -> None:
    assert statuses(factories.staff(role), world) == readable(world, role)


def test_every_page_is_rendered(world: World) -> None:
    client = signed_in(User.objects.create_superuser("boss@example.test"))
    for label, obj in world.pages.items():
        for url in (list_url(type(obj)), f"{list_url(type(obj))}?q=guild-here", admin_url(obj)):
            answer = client.get(url)
            assert (label, answer.status_code) == (label, 200)
            assert "<script>" not in answer.content.decode(), f"{url} has an inline script"
    for tab in "signals violations penalties restrictions appeals notices creators activity history".split():
        assert client.get(admin_url(world.guild), {"tab": tab}).status_code == 200


@pytest.mark.parametrize("role", Role.values)
def test_outside_its_market_a_page_does_not_exist(world: World, role: str) -> None:
    person = factories.staff(role, markets=[world.elsewhere])
    expected = {label: (200, 404 if label in GUILD_BOUND else 200) for label in world.pages}
    assert statuses(person, world) == expected


def test_lists_and_exports_hold_no_row_of_another_market(world: World) -> None:
    client = signed_in(factories.staff(Role.ADMIN, markets=[world.elsewhere]))
    for label in GUILD_BOUND:
        obj = world.pages[label]
        listed = client.get(list_url(type(obj))).context["cl"].result_list
        assert obj.pk not in {row.pk for row in listed}, label
        exported = b"".join(client.get(f"{list_url(type(obj))}export.csv").streaming_content)  # type: ignore[attr-defined]
        assert b"guild-here" not in exported, label
        assert b"Guild Here" not in exported, label


def no_role(world: World) -> User:
    return factories.staff(markets=[world.here])


def closed_account(world: World) -> User:
    return factories.staff(Role.ADMIN, is_active=False)


def person_of_a_guild(world: World) -> User:
    return factories.seat(world.guild).user


@pytest.mark.parametrize(
    ("who", "expected"), [(no_role, 403), (closed_account, 302), (person_of_a_guild, 302)]
)
def test_others_get_nothing(world: World, who: Callable[[World], User], expected: int) -> None:
    person = who(world)
    client = signed_in(person)
    assert statuses(person, world) == dict.fromkeys(world.pages, (expected, expected))
    for obj in world.pages.values():
        assert client.get(f"{list_url(type(obj))}export.csv").status_code == expected
    assert client.get(reverse("admin:governance_case_mine")).status_code == expected
    found = client.get(reverse("admin:search"), {"s": "Guild Here", "extended": "1"})
    assert b"/admin/guilds/guild/" not in found.content


def test_strangers_are_sent_to_the_sign_in_page(world: World) -> None:
    answer = Client().get(admin_url(world.guild))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/?next=")


def test_an_account_without_a_role_is_told_so(world: World) -> None:
    page = signed_in(no_role(world)).get(reverse("admin:index"))
    assert page.status_code == 200
    assert "has no role yet" in page.content.decode()


def test_no_page_adds_deletes_or_edits_by_form(world: World) -> None:
    client = signed_in(User.objects.create_superuser("boss@example.test"))
    for label, obj in world.pages.items():
        for path in ("add/", f"{obj.pk}/delete/", f"{obj.pk}/history/"):
            assert client.get(f"{list_url(type(obj))}{path}", follow=True).status_code == 404, (label, path)
        assert client.post(admin_url(obj), {"name": "changed"}).status_code == 405, label


def test_pages_of_libraries_are_not_part_of_the_console() -> None:
    assert {model._meta.app_label for model in admin.site._registry} == {"appeals", "governance", "guilds"}


def test_signing_in_at_the_console_leads_to_the_console(world: World) -> None:
    factories.staff(Role.REVIEWER, password="a-long-password", email="reviewer@example.test")
    page = Client().get("/admin/login/").content.decode()
    assert 'name="next" value="/admin/"' in page
    answer = Client().post(
        "/admin/login/",
        {"username": "Reviewer@Example.test", "password": "a-long-password", "next": "/admin/"},
    )
    assert answer.headers["Location"] == "/admin/"
