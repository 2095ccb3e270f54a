"""A rule made by clicks: problems and cures as it is written, text and clicks in step, tried, held to examples, and approved."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from governance.models import Approval, RuleVersion
from governance.workbench.page import page_url
from governance.workbench.selectors import approval_intact
from guilds.accounts.enums import Role
from guilds.console.page import list_url
from tests import factories
from tests.browser.steps import PASSWORD, heard, region, sign_in
from tests.governance.workbench import writing

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def complaints(page: Page) -> list[str]:
    return heard(page, refusals=True)


def history() -> None:
    """A month of signals of one type, by two guilds."""
    market = factories.market("DE", name="Germany", languages=["de"])
    for name in ("Nordlicht Live", "Moonrise"):
        guild = factories.guild(name.lower().replace(" ", "-"), name=name, market=market)
        for day in range(8):
            factories.signal(
                guild,
                type="gift.self_gifting",
                time=timezone.now() - dt.timedelta(days=3 * day, hours=1),
                data={"linked_share": round(0.1 * day, 2), "channel": ["web", "app"][day % 2]},
            )


def cel(page: Page) -> Locator:
    return page.get_by_label("Condition as CEL", exact=True)


def act(page: Page, name: str, words: str) -> None:
    page.locator("[hx-get]", has_text=name).first.click()
    page.locator("#dialog textarea").fill(words)
    page.locator("#dialog button[type=submit]").click()


def test_from_an_empty_rule_to_its_approval(page: Page, live_server: Any, complaints: list[str]) -> None:
    history()
    writing.risk()
    writing.ladder()
    alice = factories.staff(Role.ANALYST, password=PASSWORD)
    bob = factories.staff(Role.APPROVER, password=PASSWORD)
    sign_in(page, live_server, alice)

    # An empty rule.
    page.goto(f"{live_server.url}/admin/governance/draft/")
    page.get_by_role("link", name="New rule").click()
    page.get_by_label("Code").fill("gft-cycle")
    page.get_by_label("Name").fill("Gift cycling")
    page.get_by_label("Risk it answers").select_option("GFT")
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_role("heading", name="GFT-CYCLE v1 · Gift cycling")).to_be_visible()
    version = RuleVersion.objects.get()
    assert page.url == live_server.url + page_url(version)
    expect(region(page, "Problems and hints")).to_contain_text("name at least one signal type")

    # The types it listens to, and a measure.
    types = page.get_by_label("Add a signal type", exact=True).first
    types.fill("gift.self_gifting")
    types.press("Enter")
    expect(page.locator(".wb-chip", has_text="gift.self_gifting")).to_be_visible()
    page.get_by_role("button", name="Measure", exact=True).click()
    page.get_by_label("Name in the condition").fill("high_30d")
    page.get_by_text("Only signals where…").click()
    measure = page.get_by_role("group", name="Measure 1")
    measure.get_by_role("button", name="Condition", exact=True).click()
    expect(
        measure.get_by_label("Field", exact=True).locator("option", has_text="linked_share")
    ).to_have_count(1)
    measure.get_by_label("Field", exact=True).select_option("signal.linked_share")
    measure.get_by_label("Value", exact=True).fill("0.4")
    expect(page.get_by_label("Signals counted by measure 1 as CEL")).to_have_value(
        "signal.linked_share >= 0.4"
    )

    # The condition, by clicks.
    condition = region(page, "Condition")
    condition.get_by_role("button", name="Condition", exact=True).click()
    condition.get_by_label("Field", exact=True).select_option("signal.linked_share")
    condition.get_by_label("Value", exact=True).fill("0.5")
    expect(cel(page)).to_have_value("signal.linked_share >= 0.5")
    condition.get_by_role("button", name="Group", exact=True).first.click()
    inner = condition.locator(".wb-group .wb-group")
    inner.get_by_label("Field", exact=True).select_option("high_30d")
    inner.get_by_label("Value", exact=True).fill("2")
    inner.get_by_role("button", name="Condition", exact=True).click()
    inner.get_by_label("Field", exact=True).nth(1).select_option("signal.channel")
    inner.get_by_label("Value", exact=True).nth(1).fill("web")
    expect(cel(page)).to_have_value(
        'signal.linked_share >= 0.5 && (high_30d >= 2 || signal.channel == "web")'
    )
    expect(region(page, "Problems and hints")).not_to_contain_text("name at least one")

    # The same, as text: a problem with its place and cure, and the clicks follow once it is right.
    cel(page).fill("signal.linked_shaer >= 0.5 && hihg_30d >= 2")
    expect(condition.locator(".wb-fault")).to_contain_text("unknown name 'hihg_30d'")
    expect(condition.locator(".wb-fault")).to_contain_text("did you mean high_30d?")
    expect(condition.locator("mark.wb-fault-mark")).to_have_text("hihg_30d")
    expect(condition.locator(".wb-hint")).to_contain_text("Did you mean signal.linked_share?")
    cel(page).fill("signal.linked_share >= 0.3 && high_30d >= 2")
    expect(condition.locator(".wb-fault")).to_have_count(0)
    expect(condition.get_by_label("Field", exact=True).nth(1)).to_have_value("high_30d")
    expect(condition.get_by_label("Value", exact=True).nth(0)).to_have_value("0.3")

    # However soon the writer looks elsewhere.
    cel(page).fill("signal.linked_share >= 0.3 && high_30d >= 4")
    page.get_by_label("Name", exact=True).focus()
    expect(condition.get_by_label("Value", exact=True).nth(1)).to_have_value("4")
    condition.get_by_label("Value", exact=True).nth(1).fill("2")
    cel(page).focus()
    expect(cel(page)).to_have_value("signal.linked_share >= 0.3 && high_30d >= 2")

    # What follows, and the text guilds read.
    page.get_by_label("Ladder").select_option("standard")
    expect(region(page, "What follows")).to_contain_text("10 points each")
    page.get_by_label("Language to add").fill("de")
    page.get_by_role("button", name="Add a language").click()
    page.get_by_label("de", exact=True).fill("Geschenke müssen von Zuschauern kommen.")
    page.keyboard.press("Control+s")
    expect(page.locator(".wb-status")).to_have_text("Saved")
    stored = RuleVersion.objects.get()
    assert stored.spec["when"] == "signal.linked_share >= 0.3 && high_30d >= 2"
    assert stored.spec["measures"][0]["where"] == "signal.linked_share >= 0.4"
    assert stored.text == {"de": "Geschenke müssen von Zuschauern kommen."}

    # A recent signal, tried and kept; and one by hand.
    trying = region(page, "Try one signal")
    trying.get_by_role("button", name="Pick a recent one").click()
    trying.locator(".wb-picks button", has_text="linked_share 0.4").first.click()
    expect(trying.locator(".wb-verdict")).to_have_text("It matches")
    expect(trying.locator(".console-tree")).to_contain_text("high_30d >= 2")
    trying.get_by_label("Name of the example").fill("Found before")
    trying.get_by_role("button", name="It must match").click()
    expect(region(page, "Examples")).to_contain_text("Found before")
    trying.get_by_label("Signal as JSON").fill('{"linked_share": 0.1}')
    trying.get_by_role("button", name="Try", exact=True).click()
    expect(trying.locator(".wb-verdict")).to_have_text("It does not match")
    trying.get_by_label("Name of the example").fill("Hardly any")
    trying.get_by_role("button", name="It must not match").click()
    expect(region(page, "Examples").locator(".wb-example")).to_have_count(2)
    expect(region(page, "Before approval").locator(".wb-missing")).to_have_count(1)
    region(page, "What it would have matched lately").get_by_role("button", name="Look").click()
    expect(region(page, "What it would have matched lately")).to_contain_text("of the last 16 signals match")

    # Asked for, refused with reasons, written on, approved by another.
    act(page, "Ask for approval", "Please before May.")
    expect(page.locator("#dialog")).to_contain_text("Start a backtest")
    writing.backtest(version)
    page.goto(live_server.url + page_url(version))
    act(page, "Ask for approval", "Please before May.")
    expect(page.get_by_text("frozen since approval was asked for")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_be_disabled()
    assert Approval.objects.get().note == "Please before May."

    page.context.clear_cookies()
    sign_in(page, live_server, bob)
    page.goto(f"{live_server.url}{list_url(Approval)}?waiting=me")
    page.get_by_role("link", name="GFT-CYCLE v1").first.click()
    act(page, "Refuse", "Two findings are too few.")
    expect(page.get_by_text("Refused. The author may write on.")).to_be_visible()

    page.context.clear_cookies()
    sign_in(page, live_server, alice)
    page.goto(live_server.url + page_url(version))
    expect(page.get_by_text("Two findings are too few.").first).to_be_visible()
    condition.get_by_label("Value", exact=True).nth(1).fill("3")
    expect(cel(page)).to_have_value("signal.linked_share >= 0.3 && high_30d >= 3")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".wb-status")).to_have_text("Saved")
    writing.backtest(version)
    page.goto(live_server.url + page_url(version))
    act(page, "Ask for approval", "Three now.")
    expect(page.get_by_text("It waits for approval now.")).to_be_visible()

    page.context.clear_cookies()
    sign_in(page, live_server, bob)
    page.goto(live_server.url + page_url(version))
    act(page, "Approve", "Clear and fair.")
    expect(page.get_by_text("Approved. It may be launched.")).to_be_visible()
    assert approval_intact(RuleVersion.objects.get())
    assert complaints == []


def test_on_a_phone_by_keyboard_and_in_another_tab(
    page: Page, live_server: Any, complaints: list[str]
) -> None:
    history()
    alice = factories.staff(Role.ANALYST, password=PASSWORD)
    version = writing.save(
        alice, writing.empty(alice), on=("gift.self_gifting",), when="signal.linked_share > 0.5"
    )
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, live_server, alice)
    page.goto(live_server.url + page_url(version))
    expect(region(page, "Condition").get_by_label("Field", exact=True)).to_have_value("signal.linked_share")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_in_viewport()

    # By keyboard: another comparison, a row more, and out again.
    region(page, "Condition").get_by_label("Comparison").focus()
    page.keyboard.press("ArrowDown")
    expect(cel(page)).to_have_value("signal.linked_share <= 0.5")
    region(page, "Condition").get_by_role("button", name="Condition", exact=True).press("Enter")
    expect(region(page, "Condition").locator("select:focus")).to_have_attribute("aria-label", "Field")
    expect(region(page, "Condition")).to_contain_text("choose a field")
    region(page, "Condition").get_by_role("button", name="Remove this condition").nth(1).press("Enter")
    expect(region(page, "Condition")).not_to_contain_text("choose a field")

    # Somebody else saved meanwhile: nothing of either is lost.
    other = writing.save(writing.analyst(), version, name="Theirs", on=("gift.self_gifting",))
    page.keyboard.press("Control+s")
    expect(page.get_by_role("alert")).to_contain_text("after you opened it")
    expect(cel(page)).to_have_value("signal.linked_share <= 0.5")
    assert RuleVersion.objects.get().spec["name"] == other.spec["name"] == "Theirs"
    page.get_by_role("button", name="Put mine in its place").click()
    expect(page.locator(".wb-status")).to_have_text("Saved")
    assert RuleVersion.objects.get().spec["when"] == "signal.linked_share <= 0.5"

    # The same rule as text, both ways.
    text = page.get_by_label("The rule as YAML")
    expect(text).to_have_value(re.compile(re.escape("when: signal.linked_share <= 0.5")))
    text.fill(text.input_value().replace("<= 0.5", "<= 0.25"))
    page.get_by_label("Notes for colleagues").fill("Not lost by a change elsewhere.")
    expect(page.locator(".wb-status")).to_have_text("Not saved yet")
    page.wait_for_timeout(600)
    expect(text).to_have_value(re.compile(re.escape("<= 0.25")))
    page.get_by_role("button", name="Take over what is written here").click()
    expect(cel(page)).to_have_value("signal.linked_share <= 0.25")
    expect(region(page, "Condition").get_by_label("Value", exact=True)).to_have_value("0.25")
    assert complaints == []
