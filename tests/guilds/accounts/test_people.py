from __future__ import annotations

from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from governance.models import Event
from guilds.accounts.actor import Actor
from guilds.accounts.selectors import seats_of, user_of_link
from guilds.accounts.services import guild_user_invite, link_accept, one_time_link, staff_create
from guilds.errors import Conflict, DomainError, InvalidInput, NotAllowed, NotFound
from guilds.models import GuildUser, StaffRole, User
from guilds.recording import record
from tests import factories

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")


def _state() -> tuple[Any, ...]:
    return (
        list(User.objects.order_by("pk").values()),
        list(GuildUser.objects.order_by("pk").values()),
        list(StaffRole.objects.order_by("pk").values()),
        list(User.markets.through.objects.order_by("pk").values()),
        Event.objects.count(),
    )


def _refused(error: type[DomainError], act: Any, **arguments: Any) -> DomainError:
    before = _state()
    with pytest.raises(error) as refused:
        act(**arguments)
    assert _state() == before
    return refused.value


# --- staff ------------------------------------------------------------------------------------------------------------
def test_a_new_member_of_staff_has_roles_and_every_market_unless_some_are_named() -> None:
    market = factories.market("DE")

    everywhere = staff_create(
        actor=SYSTEM, email=" Ana@Staff.Test ", roles=["analyst", "approver", "analyst"], name="Ana"
    )
    somewhere = staff_create(actor=SYSTEM, email="bo@staff.test", roles=["reviewer"], markets=[market])

    assert (everywhere.email, everywhere.name, everywhere.is_staff, everywhere.all_markets) == (
        "ana@staff.test",
        "Ana",
        True,
        True,
    )
    assert Actor.staff(everywhere).roles == {"analyst", "approver"}
    assert Actor.staff(everywhere).market_ids is None
    assert Actor.staff(somewhere).market_ids == frozenset({market.pk})
    assert not somewhere.has_usable_password()
    first, second = Event.objects.filter(act="staff.created").order_by("pk")
    assert first.after == {"is_staff": True, "roles": ["analyst", "approver"], "markets": "*"}
    assert second.after == {"is_staff": True, "roles": ["reviewer"], "markets": ["DE"]}


def test_creating_the_same_person_again_adds_and_records_only_what_is_new() -> None:
    first, second = factories.market("DE"), factories.market("FR")
    staff_create(actor=SYSTEM, email="bo@staff.test", roles=["reviewer"], markets=[first])

    staff_create(actor=SYSTEM, email="BO@staff.test", roles=["reviewer"])
    assert Event.objects.filter(act__startswith="staff.").count() == 1

    person = staff_create(actor=SYSTEM, email="bo@staff.test", roles=["enforcer"], markets=[second])
    assert User.objects.filter(is_staff=True).count() == 1
    assert Actor.staff(person).roles == {"reviewer", "enforcer"}
    assert Actor.staff(person).market_ids == frozenset({first.pk, second.pk})
    extended = Event.objects.get(act="staff.extended")
    assert (extended.before["markets"], extended.after["markets"]) == (["DE"], ["DE", "FR"])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"email": "no address"}, "email"),
        ({"email": ""}, "email"),
        ({"email": "a\0@staff.test"}, "email"),
        ({"email": "x" * 300 + "@staff.test"}, "email"),
        ({"roles": []}, "role"),
        ({"roles": ["king"]}, "role"),
    ],
)
def test_staff_is_not_made_of_nonsense(fields: dict[str, Any], field: str) -> None:
    error = _refused(
        InvalidInput,
        staff_create,
        **({"actor": SYSTEM, "email": "ana@staff.test", "roles": ["analyst"]} | fields),
    )

    assert error.field == field


def test_somebody_of_a_guild_does_not_become_staff() -> None:
    seat = factories.seat(factories.guild())

    error = _refused(Conflict, staff_create, actor=SYSTEM, email=seat.user.email.upper(), roles=["reviewer"])
    assert error.code == "conflict_of_interest"

    seat.is_active = False
    seat.save()
    _refused(Conflict, staff_create, actor=SYSTEM, email=seat.user.email, roles=["reviewer"])


def test_only_administrators_make_staff_and_only_within_their_markets() -> None:
    mine, other = factories.market(), factories.market()
    admin = Actor.staff(factories.staff("admin", markets=[mine]))
    make = {"email": "ana@staff.test", "roles": ["reviewer"]}

    _refused(NotAllowed, staff_create, actor=Actor.staff(factories.staff("analyst")), **make)
    assert _refused(NotAllowed, staff_create, actor=admin, **make).code == "market_out_of_scope"
    assert (
        _refused(NotAllowed, staff_create, actor=admin, **make, markets=[mine, other]).code
        == "market_out_of_scope"
    )
    staff_create(actor=admin, **make, markets=[mine])  # type: ignore[arg-type]


# --- people of guilds -------------------------------------------------------------------------------------------------
def test_the_first_person_of_a_guild_owns_and_the_next_manage() -> None:
    guild = factories.guild("aurora")

    first = guild_user_invite(actor=SYSTEM, email="Olga@Guild.test", guild=guild)
    second = guild_user_invite(actor=SYSTEM, email="max@guild.test", guild=guild)
    third = guild_user_invite(actor=SYSTEM, email="vera@guild.test", guild=guild, role="viewer")

    assert [seat.role for seat in (first, second, third)] == ["owner", "manager", "viewer"]
    assert first.user.email == "olga@guild.test"
    invited = Event.objects.filter(act="guild_user.invited").order_by("pk").first()
    assert invited
    assert invited.after == {"guild": "aurora", "role": "owner", "is_active": True}
    assert (invited.guild_id, invited.market_id) == (guild.pk, guild.market_id)


def test_a_known_address_gets_one_more_seat() -> None:
    first, second = factories.guild(), factories.guild()
    guild_user_invite(actor=SYSTEM, email="olga@guild.test", guild=first)

    guild_user_invite(actor=SYSTEM, email="OLGA@guild.test", guild=second)

    person = User.objects.get()
    assert {seat.guild for seat in seats_of(person)} == {first, second}


def test_inviting_again_changes_only_what_is_named() -> None:
    guild = factories.guild()
    seat = guild_user_invite(actor=SYSTEM, email="olga@guild.test", guild=guild)
    before = _state()
    assert guild_user_invite(actor=SYSTEM, email="olga@guild.test", guild=guild) == seat
    assert guild_user_invite(actor=SYSTEM, email="olga@guild.test", guild=guild, role="owner") == seat
    assert _state() == before

    assert (
        guild_user_invite(actor=SYSTEM, email="olga@guild.test", guild=guild, role="viewer").role == "viewer"
    )
    changed = Event.objects.filter(act="guild_user.invited").order_by("-pk").first()
    assert changed
    assert (changed.before["role"], changed.after["role"]) == ("owner", "viewer")

    GuildUser.objects.update(is_active=False)
    reopened = guild_user_invite(actor=SYSTEM, email="olga@guild.test", guild=guild)
    assert (reopened.pk, reopened.is_active, reopened.role) == (seat.pk, True, "viewer")


def test_staff_take_no_seat() -> None:
    guild = factories.guild()
    for person in (factories.staff("auditor"), factories.user(is_superuser=True)):
        error = _refused(Conflict, guild_user_invite, actor=SYSTEM, email=person.email, guild=guild)
        assert error.code == "conflict_of_interest"


def test_only_administrators_of_the_market_invite() -> None:
    guild = factories.guild()
    for actor in (
        Actor.staff(factories.staff("reviewer", "enforcer")),
        Actor.staff(factories.staff("admin", markets=[factories.market()])),
        Actor.guild_user(factories.seat(guild)),
    ):
        _refused(NotAllowed, guild_user_invite, actor=actor, email="max@guild.test", guild=guild)
    _refused(InvalidInput, guild_user_invite, actor=SYSTEM, email="max@guild.test", guild=guild, role="king")
    _refused(InvalidInput, guild_user_invite, actor=SYSTEM, email="nobody", guild=guild)


# --- one-time links ---------------------------------------------------------------------------------------------------
def test_a_link_is_absolute_and_spent_by_its_use(settings: Any) -> None:
    settings.SITE_URL = "https://guildhall.example"
    person = factories.user("olga@guild.test")

    link = one_time_link(person)

    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc) == ("https", "guildhall.example")
    _portal, _welcome, uid, token = parts.path.strip("/").split("/")
    assert user_of_link(uid, token) == person
    assert link_accept(uid=uid, token=token, password="seven new lanterns") == person
    assert user_of_link(uid, token) is None
    before = _state()
    with pytest.raises(NotFound):
        link_accept(uid=uid, token=token, password="eight new lanterns")
    assert _state() == before


def test_signing_in_spends_a_link_too() -> None:
    person = factories.user("olga@guild.test", password="seven new lanterns")
    uid, token = urlsplit(one_time_link(person)).path.strip("/").split("/")[2:]

    person.last_login = timezone.now()
    person.save()

    assert user_of_link(uid, token) is None


@pytest.mark.parametrize("uid", ["", "!", "\0", "LTE", "MQ", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "é", "MS4w"])
def test_made_up_links_belong_to_nobody(uid: str) -> None:
    assert user_of_link(uid, "abc-def") is None


# --- commands ---------------------------------------------------------------------------------------------------------
def _run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue().strip()


def test_create_staff_prints_a_link_that_lets_them_in(client: Client) -> None:
    factories.market("DE")
    link = _run("create_staff", "ana@staff.test", "--role", "analyst", "--role", "launcher", "--market", "DE")

    assert client.get(urlsplit(link).path).status_code == 200
    person = User.objects.get(email="ana@staff.test")
    assert set(person.staff_roles.values_list("role", flat=True)) == {"analyst", "launcher"}
    assert [market.code for market in person.markets.all()] == ["DE"]


def test_invite_guild_user_prints_a_link_that_lets_them_in(client: Client) -> None:
    factories.guild("aurora")
    link = _run("invite_guild_user", "olga@guild.test", "--guild", "aurora")

    assert client.get(urlsplit(link).path).status_code == 200
    assert GuildUser.objects.get().role == "owner"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create_staff", "ana@staff.test", "--role", "king"], "There is no role “king”"),
        (
            ["create_staff", "ana@staff.test", "--role", "analyst", "--market", "XX"],
            "There is no market “XX”",
        ),
        (["create_staff", "ana", "--role", "analyst"], "not an e-mail address"),
        (["create_staff", "ana@staff.test"], "--role"),
        (["create_staff", "olga@guild.test", "--role", "analyst"], "cannot sit in a guild"),
        (["invite_guild_user", "max@guild.test", "--guild", "nowhere"], "There is no guild “nowhere”"),
        (
            ["invite_guild_user", "max@guild.test", "--guild", "aurora", "--role", "king"],
            "There is no role “king”",
        ),
        (["invite_guild_user", "rita@staff.test", "--guild", "aurora"], "cannot sit in a guild"),
        (["invite_guild_user", "max@guild.test"], "--guild"),
    ],
)
def test_commands_refuse_with_a_reason_and_change_nothing(words: list[str], message: str) -> None:
    factories.seat(factories.guild("aurora"), email="olga@guild.test")
    factories.staff("reviewer", email="rita@staff.test")
    before = _state()

    with pytest.raises(CommandError, match=message):
        _run(*words)

    assert _state() == before


def test_nothing_happens_unrecorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guilds.recording._plugged_in", [])
    before = _state()

    with pytest.raises(RuntimeError, match="nothing records acts"):
        staff_create(actor=SYSTEM, email="ana@staff.test", roles=["analyst"])
    with pytest.raises(RuntimeError, match="nothing records acts"):
        record(actor=SYSTEM, act="test.done", obj=None)

    assert _state() == before
