"""A wording written with its preview beside it, and an owner naming an address on a phone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from governance.models import Contact, Template
from guilds.accounts.enums import Role
from tests import factories
from tests.appeals.cases import Case, build_case
from tests.browser.steps import PASSWORD, heard, sign_in, sign_in_to_portal

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def case() -> Case:
    return build_case()


@pytest.fixture
def complaints(page: Page) -> list[str]:
    return heard(page, refusals=True)


def test_a_wording_is_previewed_as_it_is_typed(
    page: Page, live_server: Any, case: Case, complaints: list[str]
) -> None:
    sign_in(page, live_server, factories.staff(Role.ADMIN, password=PASSWORD))
    page.goto(f"{live_server.url}/admin/governance/template/")
    page.get_by_role("row").filter(has_text="en · eu").get_by_role("link").first.click()
    preview = page.locator("#wording-preview")
    expect(preview).to_contain_text("Aurora Talent")

    body = page.locator("[name=body]")
    words = body.input_value()
    body.fill("{guild}, this is all. {nonsense}")
    expect(preview).to_contain_text("Aurora Talent, this is all. {nonsense}")
    expect(preview).to_contain_text("Unknown placeholder {nonsense}")
    expect(preview).to_contain_text("The guild must also be told:")
    body.fill(words + "\nYours, the platform")
    expect(preview).to_contain_text("Yours, the platform")
    expect(preview).not_to_contain_text("Unknown placeholder")

    page.locator("[name=reason]").fill("A friendlier end.")
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_url(re.compile(r"/template/\d+/change/"))
    assert Template.objects.get().body.endswith("Yours, the platform\n")
    assert complaints == []


def test_an_owner_names_an_address_on_a_phone(
    page: Page, live_server: Any, case: Case, complaints: list[str]
) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    sign_in_to_portal(page, live_server, "olga@guild.test")
    page.goto(f"{live_server.url}/portal/contacts/")

    page.get_by_label("E-mail").fill("legal@aurora.test")
    page.get_by_label("Penalty imposed (statement of reasons)").check()
    page.get_by_role("button", name="Add").press("Enter")

    expect(page.get_by_text("From now on your messages go to this address as well.")).to_be_visible()
    expect(page.get_by_role("list").filter(has_text="legal@aurora.test")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it fits the phone"
    assert Contact.objects.get().kinds == ["penalty_imposed"]
    assert complaints == []
