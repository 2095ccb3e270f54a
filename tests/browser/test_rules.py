"""Rules in a real browser under the content security policy: silence one for a guild, read a shadow beside live."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from governance.models import RuleException
from governance.rules.shadow import shadow_start
from guilds.accounts.actor import Actor
from guilds.console.page import admin_url, list_url
from guilds.models import Guild
from tests import factories
from tests.browser.steps import PASSWORD, sign_in
from tests.browser.test_console import guild  # noqa: F401
from tests.config import console_world
from tests.governance.violations.detecting import arrive, detect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_launcher_silences_a_rule_and_reads_a_shadow(
    page: Page,
    live_server: Any,
    guild: Guild,  # noqa: F811
    complaints: list[str],
) -> None:
    live = factories.version(factories.rule("GFT-CYCLE"))
    draft = factories.version(live.rule, status="draft", live_since=None, when="signal.amount > 5")
    shadow_start(actor=Actor.system("launcher"), version_id=draft.pk, reason="See what it finds.")
    for day, (bad, amount) in enumerate(((True, 9), (False, 9), (True, 1), (True, 8))):
        arrive(guild, day, data={"bad": bad, "amount": amount})
    detect()
    console_world.alarm(guild)
    sign_in(page, live_server, factories.staff("launcher", password=PASSWORD))

    page.goto(f"{live_server.url}{list_url(RuleException)}")
    page.get_by_role("link", name="Silence a rule for a guild").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Rule").select_option(label="GFT-CYCLE")
    dialog.get_by_label("Guild").fill("guild-here")
    until = timezone.now() + dt.timedelta(days=20)
    dialog.get_by_label("Until").fill(f"{until:%Y-%m-%d}")
    dialog.get_by_label("Reason").fill("A pilot with the partner.")
    dialog.locator("button[type=submit]").click()
    expect(page.get_by_role("heading", name="GFT-CYCLE × Nordlicht Live", exact=True)).to_be_visible()
    assert RuleException.objects.get().guild == guild

    page.goto(f"{live_server.url}{admin_url(draft)}")
    section = page.locator("section", has=page.get_by_role("heading", name="Shadow beside live"))
    expect(section.get_by_role("row").nth(1)).to_contain_text("HERE")
    expect(section.get_by_role("row").nth(1)).to_contain_text("50%")
    page.goto(f"{live_server.url}{admin_url(live.rule)}")
    expect(page.get_by_role("heading", name="How it fires")).to_be_visible()
    assert complaints == []
