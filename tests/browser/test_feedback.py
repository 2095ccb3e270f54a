"""A guild tells, an analyst sorts and answers in dialogs, the guild reads it: in a real browser, the guild's without script."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from governance.models import Feedback, Risk
from guilds.accounts.enums import Role
from guilds.console.page import admin_url
from tests import factories
from tests.browser.steps import PASSWORD, sign_in, sign_in_to_portal

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_from_the_guilds_page_to_the_answer(page: Page, browser: Browser, live_server: Any) -> None:
    risk = Risk.objects.create(code="DAT", name="False data", harm=3, likelihood=3, owner="Integrity")
    version = factories.version(factories.rule("DAT-IDLE", name="Idle streams", risk=risk))
    guild = factories.guild("aurora", name="Aurora Talent")
    earlier = Feedback.objects.create(
        source="business",
        channel="console",
        body="Idle streams: even short breaks are punished, they say.",
        created_at=version.created_at,
    )
    bare = browser.new_context(java_script_enabled=False)
    portal = bare.new_page()
    sign_in_to_portal(portal, live_server, factories.seat(guild, password=PASSWORD).user.email)
    portal.get_by_role("link", name="Feedback").click()
    portal.get_by_label("What is it about?").select_option(label="A rule is unfair or wrong")
    portal.get_by_label("Which rule? (optional)").select_option("DAT-IDLE")
    portal.get_by_label("Your message").fill("Even short breaks are punished as idle streams.")
    portal.get_by_role("button", name="Send").click()
    expect(portal.get_by_text("Received")).to_be_visible()

    complaints: list[str] = []
    page.on(
        "console", lambda seen: complaints.append(seen.text) if seen.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    sign_in(page, live_server, factories.staff(Role.ANALYST, password=PASSWORD))
    told = Feedback.objects.get(guild=guild)
    page.goto(live_server.url + admin_url(told))
    expect(page.get_by_role("link", name="Idle streams: even short breaks")).to_be_visible()

    page.keyboard.press("l")
    # The rule it names suggests the risk.
    expect(page.locator("#dialog select[name=risk]")).to_have_value(str(risk.pk))
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_text("Feedback linked")).to_be_visible()

    page.keyboard.press("a")
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_text("This field is required.")).to_be_visible()
    page.locator("#dialog textarea[name=answer]").fill("Breaks of fifteen minutes do not count.")
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_text("Feedback answered")).to_be_visible()

    page.goto(live_server.url + admin_url(earlier))
    page.keyboard.press("m")
    page.locator("#dialog input[name=other]").fill(str(told.public_id))
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_text("Feedback merged")).to_be_visible()
    assert complaints == []

    portal.reload()
    expect(portal.get_by_text("Breaks of fifteen minutes do not count.")).to_be_visible()
    bare.close()
