"""Making machine clients, by service and by command."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from governance.models import Event
from guilds.accounts.actor import Actor
from guilds.accounts.clients import client_create
from guilds.errors import InvalidInput, NotAllowed
from guilds.models import Client
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_client_is_made_bound_and_recorded_and_its_secret_kept_hashed() -> None:
    guild = factories.guild("aurora")
    admin = Actor.staff(factories.staff("admin"))

    client, secret = client_create(
        actor=admin,
        name=" Aurora's systems ",
        scopes=["appeals:read", "appeals:write", "appeals:read"],
        guild=guild,
    )

    client.refresh_from_db()
    assert (client.name, client.allowed_scopes, client.guild) == (
        "Aurora's systems",
        ["appeals:read", "appeals:write"],
        guild,
    )
    assert len(secret) >= 40
    assert secret not in client.client_secret
    [event] = Event.objects.all()
    assert (event.act, event.object_id, event.after["guild"]) == (
        "client.created",
        client.client_id,
        "aurora",
    )
    assert secret not in str(event.after)


@pytest.mark.parametrize(
    ("name", "scopes", "field"),
    [
        ("", ["events:read"], "name"),
        ("x" * 256, ["events:read"], "name"),
        ("x", [], "scope"),
        ("x", ["all"], "scope"),
    ],
)
def test_faulty_clients_are_refused(name: str, scopes: list[str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        client_create(actor=Actor.system("test"), name=name, scopes=scopes)

    assert refused.value.field == field
    assert not Client.objects.exists()
    assert not Event.objects.exists()


def test_only_administrators_make_clients_and_only_within_their_markets() -> None:
    mine, other = factories.market(), factories.market()
    admin = Actor.staff(factories.staff("admin", markets=[mine]))
    reviewer = Actor.staff(factories.staff("reviewer"))

    assert client_create(actor=admin, name="ours", scopes=["events:read"], markets=[mine])
    for actor, markets in ((reviewer, [mine]), (admin, [other]), (admin, [])):
        with pytest.raises(NotAllowed):
            client_create(actor=actor, name="theirs", scopes=["events:read"], markets=markets)
    with pytest.raises(NotAllowed):
        client_create(actor=admin, name="x", scopes=["events:read"], guild=factories.guild(market=other))
    assert Client.objects.count() == 1


@pytest.mark.parametrize("written", [["--scope", "a", "b"], ["--scope", "a", "--scope", "b"]])
def test_the_command_prints_id_and_secret_that_get_a_token(written: list[str]) -> None:
    from django.test import Client as Http

    factories.market("FR")
    scopes = {"a": "signals:write", "b": "registry:write"}
    out = io.StringIO()

    call_command(
        "create_client",
        "detector",
        *[scopes.get(part, part) for part in written],
        "--market",
        "FR",
        stdout=out,
    )

    printed = dict(line.split("=", 1) for line in out.getvalue().splitlines())
    assert printed.keys() == {"client_id", "client_secret"}
    token = Http().post("/oauth/token/", {"grant_type": "client_credentials", **printed})
    assert set(token.json()["scope"].split()) == {"signals:write", "registry:write"}
    assert [market.code for market in Client.objects.get().markets.all()] == ["FR"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--scope", "made:up"],
        ["--scope", "events:read", "--market", "XX"],
        ["--scope", "events:read", "--guild", "nobody"],
    ],
)
def test_the_command_refuses_with_the_reason(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="There is no"):
        call_command("create_client", "x", *arguments)

    assert not Client.objects.exists()
