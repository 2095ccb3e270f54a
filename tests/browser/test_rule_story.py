"""The other half of the loop, as its people see it: an empty rule, proved, approved, launched in one market wave, taken back.

Everything is real: the pages in Chromium, the worker that runs the backtest, tells the guilds and judges a signal. Nobody writes
code. STORY_PICTURES=DIR keeps pictures of the way.
"""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from governance.launches.services import waves_start_due
from governance.ledger.selectors import verify
from governance.ledger.services import seal_everything
from governance.models import Backtest, Detection, Launch, Notice, RuleVersion, Violation, Wave
from governance.signals.services import signals_ingest
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.page import admin_url
from guilds.models import Guild, User
from tests import factories
from tests.browser.steps import PASSWORD, picture, region, wait_for
from tests.browser.steps import sign_in as sign_in_at
from tests.governance.workbench import writing
from tests.worker import Worker

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

DETECTOR = Actor.system("detector")


def act(page: Page, name: str, **fields: str) -> None:
    """Press a button of the console, fill in its dialog and send it."""
    page.locator(f"[hx-get][aria-label='{name}'], [hx-get]:has-text('{name}')").first.click()
    send = page.locator("#dialog button[type=submit]")
    expect(send).to_be_visible()
    for field, value in fields.items():
        page.locator(f"#dialog [name={field}]").fill(value)
    send.click()


def history(guild: Guild) -> None:
    """Three weeks of findings about linked accounts, already judged by whatever rules there were."""
    for day in range(1, 22):
        factories.signal(
            guild,
            type="gift.self_gifting",
            time=timezone.now() - dt.timedelta(days=day),
            data={"linked_share": round(day / 25, 2), "gift_revenue_7d": 100.0 * day},
        )


def report(guild: Guild, number: int) -> None:
    """A detector reports the guild now."""
    answer = signals_ingest(
        actor=DETECTOR,
        events=[
            {
                "specversion": "1.0",
                "id": f"story-{number}",
                "source": "/detectors/gifts",
                "type": "gift.self_gifting",
                "time": timezone.now().isoformat(),
                "guild": guild.external_id,
                "data": {"linked_share": 0.9, "gift_revenue_7d": 900.0},
            }
        ],
    )
    assert answer.accepted == 1


@pytest.mark.timeout(420)
def test_from_an_empty_rule_to_live_and_back(page: Page, live_server: LiveServer, worker: Worker) -> None:
    cache.clear()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_viewport_size({"width": 1280, "height": 900})
    market = factories.market("SG", name="Singapore", timezone="Asia/Singapore")
    guild = factories.guild("lion-live", name="Lion Live", market=market)
    history(guild)
    writing.risk()
    writing.ladder()
    alice = factories.staff(Role.ANALYST, password=PASSWORD, name="Alice, analyst")
    bob = factories.staff(Role.APPROVER, password=PASSWORD, name="Bob, approver")
    lena = factories.staff(Role.LAUNCHER, password=PASSWORD, name="Lena, launcher")

    def sign_in(user: User) -> None:
        page.context.clear_cookies()
        sign_in_at(page, live_server, user)

    # The analyst writes the rule by clicks.
    sign_in(alice)
    page.goto(f"{live_server.url}/admin/governance/draft/")
    page.get_by_role("link", name="New rule").click()
    page.get_by_label("Code").fill("GFT-LINKED")
    page.get_by_label("Name").fill("Gifts from linked accounts")
    page.get_by_label("Risk it answers").select_option("GFT")
    page.locator("#dialog button[type=submit]").click()
    types = page.get_by_label("Add a signal type", exact=True).first
    types.fill("gift.self_gifting")
    types.press("Enter")
    condition = region(page, "Condition")
    condition.get_by_role("button", name="Condition", exact=True).click()
    condition.get_by_label("Field", exact=True).select_option("signal.linked_share")
    condition.get_by_label("Value", exact=True).fill("0.5")
    condition.get_by_role("button", name="Condition", exact=True).click()
    condition.get_by_label("Field", exact=True).nth(1).select_option("signal.gift_revenue_7d")
    condition.get_by_label("Value", exact=True).nth(1).fill("400")
    expect(page.get_by_label("Condition as CEL", exact=True)).to_have_value(
        "signal.linked_share >= 0.5 && signal.gift_revenue_7d >= 400"
    )
    page.get_by_label("Ladder").select_option("standard")
    page.get_by_label("Language to add").fill("en")
    page.get_by_role("button", name="Add a language").click()
    page.get_by_label("en", exact=True).fill("Gifts have to come from viewers.")
    page.keyboard.press("Control+s")
    expect(page.locator(".wb-status")).to_have_text("Saved")
    version = RuleVersion.objects.get()

    # Two examples that have to hold from now on.
    trying = region(page, "Try one signal")
    for name, signal, verdict, button in (
        (
            "Nearly all of it",
            '{"linked_share": 0.9, "gift_revenue_7d": 800.0}',
            "It matches",
            "It must match",
        ),
        (
            "A friend or two",
            '{"linked_share": 0.1, "gift_revenue_7d": 80.0}',
            "It does not match",
            "It must not match",
        ),
    ):
        trying.get_by_label("Signal as JSON").fill(signal)
        trying.get_by_role("button", name="Try", exact=True).click()
        expect(trying.locator(".wb-verdict")).to_have_text(verdict)
        trying.get_by_label("Name of the example").fill(name)
        trying.get_by_role("button", name=button).click()
        expect(region(page, "Examples")).to_contain_text(name)
    picture(page, "workbench")

    # Proved on history, by a worker.
    page.get_by_role("link", name="Start a backtest").click()
    page.locator("[name=version]").select_option(str(version.pk))
    page.locator("form button[type=submit]:visible").last.click()
    backtest = wait_for(lambda: Backtest.objects.filter(status="done").first(), "the backtest")
    assert backtest.result["totals"]["tested"]["matches"] == 9  # the share is half and more on nine days
    page.goto(f"{live_server.url}/admin/governance/backtest/{backtest.pk}/change/")
    expect(page.get_by_text("Done: 21 signals judged.")).to_be_visible()
    picture(page, "backtest")

    # Somebody else approves; the author is not even offered to.
    page.goto(f"{live_server.url}/admin/governance/draft/{version.pk}/change/")
    act(page, "Ask for approval", note="Nine cases in three weeks, all of one guild.")
    expect(page.get_by_text("It waits for approval now.")).to_be_visible()
    expect(page.locator("[hx-get]", has_text="Approve")).to_have_count(0)
    sign_in(bob)
    page.goto(f"{live_server.url}/admin/")
    page.get_by_role("link", name="GFT-LINKED v1").first.click()
    act(page, "Approve", reason="Clear and fair.")
    expect(page.get_by_text("Approved. It may be launched.")).to_be_visible()

    # The launcher plans a wave for one market; every gate answers for itself or is signed.
    factories.lesson(version.rule)
    sign_in(lena)
    page.goto(f"{live_server.url}/admin/governance/launch/")
    page.get_by_role("link", name="Plan a launch").click()
    page.locator("#dialog [name=version]").select_option(str(version.pk))
    page.locator("#dialog [name=lesson_percent]").fill("0")
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_text("The launch is planned.")).to_be_visible()
    page.get_by_role("link", name="Add a wave").first.click()
    page.locator("#dialog input[name=markets]").check()
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(hours=2)
    page.locator("#dialog [name=planned_at]").fill(f"{soon:%Y-%m-%dT%H:%M}")
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_text("The wave is planned.")).to_be_visible()
    for gate in ("Reviewer guide", "Review staffing", "Appeal staffing", "Product ready"):
        page.get_by_role("link", name=f"Sign {gate}", exact=True).click()
        page.locator("#dialog [name=evidence]").fill("Seen and tried.")
        if "staffing" in gate:
            page.locator("#dialog [name=capacity_hours_per_day]").fill("4")
            page.locator("#dialog [name=shortfall_reason]").fill("One market, one guild.")
        page.locator("#dialog button[type=submit]").click()
        expect(page.get_by_role("link", name=f"Reopen {gate}", exact=True)).to_be_visible(timeout=15_000)
    act(page, "Announce 1")
    wave = Wave.objects.get()
    wait_for(lambda: Wave.objects.get().announced_at, "every guild to be told")
    assert Notice.objects.get(kind="rule_change").guild == guild
    expect(page.get_by_role("progressbar", name="Guilds told")).to_be_hidden(timeout=20_000)
    page.goto(live_server.url + admin_url(Launch.objects.get()))
    act(page, "Go 1", reason="Everybody is ready.")
    expect(page.get_by_text("It is a go.")).to_be_visible()
    picture(page, "launch")

    # Not a moment early: a signal now finds nothing, and no sweep starts the wave.
    assert waves_start_due() == 0
    report(guild, 1)
    worker.settle()
    assert not Detection.objects.exists()

    # Its time comes (three hours are taken off the clock of what was said and planned).
    factories.aged(wave, dt.timedelta(hours=3))
    assert waves_start_due() == 1
    page.goto(live_server.url + admin_url(Launch.objects.get()))
    expect(page.get_by_role("row", name="1 Live SG")).to_be_visible()
    picture(page, "launch-live")
    report(guild, 2)
    violation = wait_for(Violation.objects.first, "the violation")
    assert (violation.version, violation.guild) == (version, guild)

    # And back: one act, with a reason. What was found stays with people; nothing new is found.
    act(page, "Roll back", reason="It hits guilds it should not.")
    expect(page.get_by_text("Rolled back. What held before holds again.")).to_be_visible()
    picture(page, "launch-rolled-back")
    assert Launch.objects.get().status == "rolled_back"
    assert RuleVersion.objects.get().status == "retired"
    report(guild, 3)
    worker.settle()
    assert Violation.objects.count() == 1
    assert problems == []
    seal_everything()
    assert not verify().fault
