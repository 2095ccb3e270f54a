"""A launch in a real browser: planned, announced, decided, live in one market, and taken back, all by its own page."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from governance.launches import services
from governance.models import Launch, LivePeriod, Notice, RuleVersion, Wave
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.page import admin_url
from guilds.models import Market
from tests import factories
from tests.browser.steps import PASSWORD, sign_in
from tests.governance.launches.launching import send_all

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LAST_COLUMN = 5


@pytest.fixture
def market(db: None) -> Market:
    market = factories.market("SG", timezone="Asia/Singapore")
    factories.guild("lion-live", name="Lion Live", market=market)
    return market


def dialog(page: Page, button: str, **fields: str) -> None:
    """Open an act by its button, fill its dialog in and send it."""
    page.get_by_role("link", name=button).first.click()
    send = page.locator("#dialog button[type=submit]")
    expect(send).to_be_visible()
    for label, value in fields.items():
        page.locator(f"#dialog [name={label}]").fill(value)
    send.click()


def test_from_plan_to_live_and_back(
    page: Page, live_server: Any, market: Market, complaints: list[str]
) -> None:
    version = factories.approved(factories.draft())
    factories.lesson(version.rule)
    sign_in(page, live_server, factories.staff(Role.LAUNCHER, password=PASSWORD))

    page.goto(f"{live_server.url}/admin/governance/launch/board/")
    expect(page.get_by_role("heading", name="Planning 0")).to_be_visible()
    page.goto(f"{live_server.url}/admin/governance/launch/")
    page.get_by_role("link", name="Plan a launch").click()
    page.locator("#dialog [name=version]").select_option(str(version.pk))
    page.locator("#dialog [name=lesson_percent]").fill("0")
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_text("The launch is planned.")).to_be_visible()
    launch = Launch.objects.get()
    expect(page).to_have_url(live_server.url + admin_url(launch))
    expect(page.get_by_text("No wave is planned.")).to_be_visible()

    page.get_by_role("link", name="Add a wave").first.click()
    page.locator("#dialog input[name=markets]").check()
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(hours=2)
    page.locator("#dialog [name=planned_at]").fill(f"{soon:%Y-%m-%dT%H:%M}")
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_text("The wave is planned.")).to_be_visible()

    for gate in ("Reviewer guide", "Review staffing", "Appeal staffing", "Product ready"):
        page.get_by_role("link", name=f"Sign {gate}", exact=True).click()
        evidence = page.locator("#dialog [name=evidence]")
        expect(evidence).to_be_focused()
        evidence.fill("Seen and tried.")
        if "staffing" in gate:
            page.locator("#dialog [name=capacity_hours_per_day]").fill("4")
            page.locator("#dialog [name=shortfall_reason]").fill("A small market: one person will do.")
        page.locator("#dialog button[type=submit]").click()
        expect(page.get_by_role("link", name=f"Reopen {gate}", exact=True)).to_be_visible(timeout=15_000)
    expect(page.get_by_text("7 of 8 passed")).to_be_visible()

    dialog(page, "Announce 1")
    expect(page.get_by_text("Guilds are being told.")).to_be_visible()
    expect(page.get_by_role("progressbar", name="Guilds told")).to_be_visible()
    send_all(services.announcements_send)
    expect(page.get_by_role("progressbar", name="Guilds told")).to_be_hidden(timeout=10_000)
    page.reload()
    dialog(page, "Go 1", reason="Everybody is ready.")
    expect(page.get_by_text("It is a go.")).to_be_visible()

    wave = factories.aged(Wave.objects.get(), dt.timedelta(hours=3))
    assert services.waves_start_due() == 1
    page.reload()
    expect(page.get_by_role("row", name="1 Live SG")).to_be_visible()
    assert LivePeriod.objects.filter(version=version, ends_at__isnull=True).count() == 1

    page.goto(f"{live_server.url}/admin/governance/launch/calendar/")
    expect(page.get_by_role("link", name=f"{version} SG Live")).to_be_visible()
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile(r"\?month=\d{4}-\d\d$"))

    page.goto(live_server.url + admin_url(launch))
    page.locator("a[href*='/launch/'][href$='/roll-back/']").click()
    page.locator("#dialog [name=reason]").fill("It hits guilds it should not.")
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_text("Rolled back. What held before holds again.")).to_be_visible()
    assert not LivePeriod.objects.filter(version=version, ends_at__isnull=True).exists()
    assert RuleVersion.objects.get(pk=version.pk).status == "retired"
    send_all(services.announcements_send)
    wave.refresh_from_db()
    assert wave.status == "rolled_back"
    assert list(Notice.objects.order_by("pk").values_list("kind", flat=True)) == [
        "rule_change",
        "lesson_assigned",
        "rule_change_withdrawn",
    ]
    assert complaints == []


def test_who_blocks_what_is_on_one_page(
    page: Page, live_server: Any, market: Market, complaints: list[str]
) -> None:
    version = factories.draft()
    launcher = factories.staff(Role.LAUNCHER, password=PASSWORD)
    person = Actor.staff(launcher)
    launch = services.launch_create(actor=person, version_id=version.pk)
    guide = launch.gates.get(kind="reviewer_guide")
    owner = factories.staff(Role.REVIEWER, email="rosa@example.test")
    services.gate_assign(
        actor=person,
        gate_id=guide.pk,
        owner_id=owner.pk,
        due_on=dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1),
    )
    sign_in(page, live_server, launcher)

    page.goto(f"{live_server.url}/admin/governance/launch/blockers/")

    rows = page.locator("main tbody tr, #main tbody tr")
    first = rows.first.inner_text()
    assert "OVERDUE" in first.upper()
    assert "rosa@example.test" in first
    assert "Reviewer guide" in first
    assert rows.count() == 9  # eight gates, and the wave nobody has planned
    assert complaints == []
