"""The pages of rules and versions with what the root adds, and the dialog of exceptions."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.models import Event, RuleException, RuleVersion
from governance.rules.shadow import shadow_start
from guilds.accounts.actor import Actor
from guilds.console.page import admin_url, list_url
from guilds.models import Guild
from tests import factories
from tests.config import console_world
from tests.governance.violations.detecting import arrive, detect

pytestmark = pytest.mark.django_db

LAUNCHER = Actor.system("launcher")
GRANT = "admin:governance_ruleexception_grant"


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def guild(db: None) -> Guild:
    return factories.guild("guild-here", market=factories.market("HERE"))


def signed_in(*roles: str, **fields: Any) -> Client:
    client = Client()
    client.force_login(factories.staff(*roles, **fields))
    return client


def text_of(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def opened(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return text_of(answer.content.decode())


def values(of: RuleVersion, whom: Guild, **changes: Any) -> dict[str, Any]:
    until = timezone.now() + dt.timedelta(days=30)
    return {
        "rule": of.rule_id,
        "guild": whom.external_id,
        "until": f"{until:%Y-%m-%d}",
        "reason": "A pilot.",
    } | changes


# --- exceptions -----------------------------------------------------------------------------------------------------
def test_an_exception_is_granted_from_the_list(guild: Guild) -> None:
    version = factories.version()
    client = signed_in("approver", markets=[guild.market])
    assert reverse(GRANT) in client.get(list_url(RuleException)).content.decode()
    answer = client.post(reverse(GRANT), values(version, guild))
    granted = RuleException.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, admin_url(granted))
    assert (granted.rule, granted.guild, granted.reason) == (version.rule, guild, "A pilot.")
    day = timezone.now() + dt.timedelta(days=31)
    assert granted.expires_at == dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    assert Event.objects.get().act == "rule_exception.granted"
    assert "Guild Here Silenced" in opened(client, list_url(RuleException, "standing=now"))
    assert "Guild Here" not in opened(client, list_url(RuleException, "standing=over"))
    page = opened(client, admin_url(version.rule))
    assert "Guild Here Silenced" in page


@pytest.mark.parametrize("role", ["analyst", "reviewer", "enforcer", "adjudicator", "auditor", "admin"])
def test_nobody_else_finds_the_dialog(guild: Guild, role: str) -> None:
    client = signed_in(role)
    assert reverse(GRANT) not in client.get(list_url(RuleException)).content.decode()
    assert client.get(reverse(GRANT)).status_code == 403
    assert client.post(reverse(GRANT), values(factories.version(), guild)).status_code == 403
    assert not RuleException.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reason": " "}, "This field is required."),
        ({"guild": "nobody"}, "There is no such guild."),
        ({"rule": ""}, "This field is required."),
        ({"until": "2020-01-01"}, "An exception expires in the future."),
        ({"until": "2999-01-01"}, "An exception lasts 180 days at most."),
    ],
)
def test_the_dialog_says_what_is_wrong(guild: Guild, changes: dict[str, Any], message: str) -> None:
    answer = signed_in("launcher").post(reverse(GRANT), values(factories.version(), guild, **changes))
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not RuleException.objects.exists()
    assert not Event.objects.exists()


def test_a_guild_elsewhere_is_not_found_and_a_retired_rule_not_offered(guild: Guild) -> None:
    client = signed_in("launcher", markets=[factories.market("ELSE")])
    answer = client.post(reverse(GRANT), values(factories.version(), guild))
    assert "There is no such guild." in answer.content.decode()
    retired = factories.version(status="retired")
    answer = signed_in("launcher").post(reverse(GRANT), values(retired, guild))
    assert answer.status_code == 422
    assert not RuleException.objects.exists()


def test_the_longest_day_that_is_allowed_is_accepted(guild: Guild) -> None:
    last = timezone.now() + dt.timedelta(days=180)
    answer = signed_in("launcher").post(
        reverse(GRANT), values(factories.version(), guild, until=f"{last:%Y-%m-%d}")
    )
    assert answer.status_code == 302
    assert RuleException.objects.get().expires_at <= last + dt.timedelta(minutes=1)


# --- the pages --------------------------------------------------------------------------------------------------------
def test_a_version_in_shadow_shows_itself_beside_live(guild: Guild) -> None:
    live = factories.version()
    draft = factories.version(live.rule, status="draft", live_since=None, when="signal.amount > 5")
    shadow_start(actor=LAUNCHER, version_id=draft.pk, reason="See what it finds.")
    signal = arrive(guild, data={"bad": False, "amount": 9})
    arrive(guild, 1, data={"bad": True, "amount": 9})
    detect()
    client = signed_in("analyst", markets=[guild.market])
    answer = client.get(admin_url(draft)).content.decode()
    page = text_of(answer)
    assert "Shadow beside live" in page
    assert "Nothing was applied" in page
    # market, both, only shadow, only live, shadow, live, agreement
    assert "HERE 1 1 0 2 1 50%" in page
    assert f'href="{admin_url(signal)}"' in answer
    assert "Only shadow" in page
    elsewhere = signed_in("analyst", markets=[factories.market("ELSE")])
    other = opened(elsewhere, admin_url(draft))
    assert "Neither has matched a signal yet." in other
    assert signal.event_id not in other
    assert "Shadow beside live" not in opened(client, admin_url(live))


def test_a_shadow_without_a_live_version_says_so(guild: Guild) -> None:
    draft = factories.version(status="draft", live_since=None)
    shadow_start(actor=LAUNCHER, version_id=draft.pk, reason="See what it finds.")
    page = opened(signed_in("analyst"), admin_url(draft))
    assert "No version of this rule was live beside it" in page
    assert "Signals it matched 0" in page


def test_a_rule_shows_how_it_fires_and_every_version_in_force(guild: Guild) -> None:
    first = factories.version()
    factories.version(first.rule, status="paused")
    console_world.alarm(guild)
    client = signed_in("analyst", markets=[guild.market])
    page = opened(client, admin_url(first.rule))
    assert "How it fires" in page
    assert "HERE Insufficient data 0" in page
    listed = opened(client, list_url(first.rule.__class__))
    assert "v2 Paused v1 Live" in listed


def test_a_version_about_to_expire_says_so(guild: Guild) -> None:
    version = factories.version(status="draft", live_since=None)
    soon = timezone.now() + dt.timedelta(days=5, hours=1)
    RuleVersion.objects.filter(pk=version.pk).update(expires_at=soon)
    RuleVersion.objects.filter(pk=version.pk).update(status="live", door="demo")
    client = signed_in("launcher")
    assert "Expires in 5 d" in opened(client, admin_url(version))
