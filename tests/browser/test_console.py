"""The console in a real browser under its content security policy: decide by keyboard, be refused, find by Ctrl-K."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import site
from playwright.sync_api import Page, expect

from governance.ledger.models import Event
from governance.models import Violation
from guilds.accounts.enums import Role
from guilds.console.page import admin_url, list_url
from guilds.models import Guild, User
from tests import factories
from tests.browser.steps import PASSWORD, sign_in
from tests.config import console_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def guild(db: None) -> Guild:
    return factories.guild("guild-here", name="Nordlicht Live", market=factories.market("HERE"))


def test_a_verdict_on_the_page_of_a_violation_by_keyboard(
    page: Page, live_server: Any, guild: Guild, complaints: list[str]
) -> None:
    violation = factories.violation(guild, factories.version(review="human"))
    sign_in(page, live_server, factories.staff(Role.REVIEWER, password=PASSWORD))
    page.goto(live_server.url + admin_url(violation))

    page.keyboard.press("c")
    expect(page.get_by_label("Reason")).to_be_focused()
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_text("This field is required.")).to_be_visible()
    assert Violation.objects.get(pk=violation.pk).status == "open"

    page.get_by_label("Reason").fill("The recording shows it.")
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_text("Your verdict is given.")).to_be_visible()
    assert Violation.objects.get(pk=violation.pk).status == "confirmed"
    assert Event.objects.get(act="violation.confirmed").reason == "The recording shows it."
    assert complaints == []


def test_whoever_comes_too_late_sees_why_and_keeps_the_words(
    page: Page, live_server: Any, guild: Guild, complaints: list[str]
) -> None:
    violation = factories.violation(guild, factories.version(review="human"))
    sign_in(page, live_server, factories.staff(Role.REVIEWER, password=PASSWORD))
    page.goto(live_server.url + admin_url(violation))
    page.get_by_role("link", name="Confirm").click()
    page.get_by_label("Reason").fill("I saw it.")
    Violation.objects.filter(pk=violation.pk).update(status="dismissed", decided_at=violation.detected_at)
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot become confirmed")
    expect(page.get_by_label("Reason")).to_have_value("I saw it.")
    assert complaints == []


def test_ctrl_k_finds_a_guild_and_goes_there(
    page: Page, live_server: Any, guild: Guild, complaints: list[str]
) -> None:
    sign_in(page, live_server, factories.staff(Role.AUDITOR, password=PASSWORD))
    page.keyboard.press("Control+k")
    search = page.get_by_placeholder("Type to search")
    expect(search).to_be_focused()
    page.keyboard.type("nordl", delay=20)
    expect(page.locator("#command-results-list a").filter(has_text="Nordlicht Live").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(live_server.url + admin_url(guild))
    expect(page.get_by_role("heading", name="Nordlicht Live", level=2)).to_be_visible()
    assert complaints == []


def test_no_page_breaks_the_content_security_policy(
    page: Page, live_server: Any, complaints: list[str]
) -> None:
    world = console_world.build()
    person = User.objects.create_superuser("boss@example.test", PASSWORD)
    sign_in(page, live_server, person)
    for model in site._registry:
        page.goto(live_server.url + list_url(model))
        page.goto(live_server.url + admin_url(world.pages[model._meta.label_lower]))
        assert complaints == [], page.url
