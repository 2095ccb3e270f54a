"""A sample drawn in a real browser: seen before it happens, by dialog, on a wide screen and on a phone."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from governance.models import Sample, SampleItem
from governance.quality import services
from guilds.accounts.enums import Role
from guilds.console.page import admin_url, list_url
from guilds.models import Guild
from tests import factories
from tests.browser.steps import PASSWORD, sign_in
from tests.governance.quality.sampling_world import (
    SINCE,
    UNTIL,
    analyst,
    handed_out,
    judge,
    rule_with,
    several,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def guild(db: None) -> Guild:
    return factories.guild("guild-here", name="Nordlicht Live", market=factories.market("HERE"))


def test_a_draw_is_seen_before_it_happens(
    page: Page, live_server: Any, guild: Guild, complaints: list[str]
) -> None:
    several(guild, rule_with("ONE"), 40)
    several(guild, rule_with("TWO"), 4)
    sign_in(page, live_server, factories.staff(Role.ANALYST, password=PASSWORD))
    page.goto(live_server.url + list_url(Sample))
    page.get_by_role("link", name="Draw a sample").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Name").fill("First week of March")
    dialog.locator("[name=since]").fill(f"{SINCE:%Y-%m-%d}")
    dialog.locator("[name=until]").fill(f"{UNTIL - dt.timedelta(days=1):%Y-%m-%d}")
    dialog.locator("[name=size]").fill("12")
    expect(dialog.get_by_text("What would be drawn", exact=True)).to_have_count(0)
    dialog.locator("button[type=submit]").click()
    expect(dialog.get_by_role("alert")).to_contain_text("12 of 44")
    expect(dialog.get_by_role("cell", name="ONE · S2 · automatic")).to_be_visible()
    assert Sample.objects.count() == 0
    dialog.locator("button[type=submit]").click()
    expect(page.get_by_role("heading", name="First week of March", exact=True)).to_be_visible()
    assert SampleItem.objects.count() == 12
    assert complaints == []


def test_the_pages_of_quality_fit_a_phone(
    page: Page, live_server: Any, guild: Guild, complaints: list[str]
) -> None:
    several(guild, rule_with("ONE"), 12)
    sample = handed_out(analyst())
    for place, item in enumerate(SampleItem.objects.all()):
        judge(item, "confirm" if place else "dismiss")
    services.follow_up()
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, live_server, factories.staff(Role.ADMIN, password=PASSWORD))
    for url in (
        list_url(Sample),
        admin_url(sample),
        list_url(SampleItem, "answer=disputed"),
        admin_url(SampleItem.objects.disputed().get()),
        reverse("admin:governance_sample_doing"),
    ):
        page.goto(live_server.url + url)
        expect(page.locator("main, #content").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), url
    assert complaints == []
