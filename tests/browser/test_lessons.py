"""A lesson from an empty page in the console to a guild that passes its quiz, by keyboard and on a phone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from governance.education.services import lesson_assign, quiz_of
from governance.models import Assignment, Attempt, Completion, Lesson
from governance.penalties.services import credits_apply_due
from guilds.accounts.enums import Role
from tests import factories
from tests.appeals.cases import Case, build_case
from tests.browser.steps import PASSWORD, heard, sign_in, sign_in_to_portal
from tests.governance.education.cases import ANALYST, published, question

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def case() -> Case:
    return build_case()


@pytest.fixture
def complaints(page: Page) -> list[str]:
    return heard(page, refusals=True)


def test_an_analyst_writes_a_lesson_with_a_quiz_by_keyboard(
    page: Page, live_server: Any, case: Case, complaints: list[str]
) -> None:
    rule = case.violation.rule
    sign_in(page, live_server, factories.staff(Role.ANALYST, password=PASSWORD))
    page.goto(f"{live_server.url}/admin/governance/lesson/")
    page.get_by_role("link", name="New lesson").click()

    page.get_by_label("Code").fill("our-logo")
    page.locator("[name=rule]").select_option(rule.code)
    page.locator("[name=title-en]").fill("Our logo is ours")
    page.locator("[name=body-en]").fill("Nobody may pose as the platform.\n\nAsk before you use our logo.")
    page.get_by_label("Another language").fill("de")
    page.get_by_role("button", name="Add the language").press("Enter")
    expect(page.locator("[name=title-de]")).to_be_focused()
    page.keyboard.type("Unser Logo gehört uns")
    page.locator("[name=body-de]").fill("Niemand gibt sich als Plattform aus.")

    page.get_by_role("button", name="Add a question").press("Enter")
    expect(page.locator("[name=q0-prompt-en]")).to_be_focused()
    page.keyboard.type("May you wear our logo?")
    page.locator("[name=q0-prompt-de]").fill("Dürfen Sie unser Logo tragen?")
    page.get_by_role("button", name="Add an answer").press("Enter")
    expect(page.locator("[name=q0-o2-en]")).to_be_focused()
    for place, (english, german) in enumerate(
        (("Always", "Immer"), ("Only if allowed", "Nur mit Erlaubnis"), ("On Sundays", "Sonntags"))
    ):
        page.locator(f"[name=q0-o{place}-en]").fill(english)
        page.locator(f"[name=q0-o{place}-de]").fill(german)
    page.get_by_role("radio").nth(1).check()
    page.locator("[name=q0-note-en]").fill("It looks like a promise of ours.")
    page.get_by_label("Credit, points").fill("4")
    page.get_by_label("Amnesty, days").fill("30")
    page.get_by_label("Amnesty, days").press("Enter")

    expect(page.get_by_role("heading", name="Our logo is ours").first).to_be_visible()
    lesson = Lesson.objects.get(code="our-logo")
    assert (lesson.rule, lesson.credit_points, lesson.amnesty_days) == (rule, 4, 30)
    [asked] = quiz_of(lesson)
    assert (asked["correct"], asked["options"]["de"]) == (1, ["Immer", "Nur mit Erlaubnis", "Sonntags"])

    page.get_by_role("link", name="As guilds see it").click()
    page.get_by_role("link", name="de", exact=True).click()
    expect(page.get_by_text("Dürfen Sie unser Logo tragen?")).to_be_visible()

    page.locator("[hx-get]", has_text="Publish").first.click()
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_text("The lesson is published.")).to_be_visible()

    page.locator("[hx-get]", has_text="Ask guilds to do it").first.click()
    page.get_by_label("Or these guilds").fill("aurora")
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_text("The guilds are asked.")).to_be_visible()
    assert Assignment.objects.get().guild == case.guild
    for tab in ("Completion", "Guilds and goes", "Asked"):
        page.get_by_role("link", name=tab, exact=True).click()
        expect(page.get_by_role("link", name=tab, exact=True)).to_have_attribute("aria-current", "page")
    assert complaints == []


def test_a_guild_fails_learns_and_passes_on_a_phone(
    page: Page, live_server: Any, case: Case, complaints: list[str]
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    lesson = published(
        title={"en": "Our logo is ours"},
        body={"en": "Nobody may pose as the platform.\n\nAsk before you use our logo."},
        rule=case.violation.rule,
        questions=[question(1, correct=0), question(2, correct=1)],
        credit_points=4,
        amnesty_days=30,
    )
    lesson_assign(actor=ANALYST, lesson_id=lesson.pk, guild_ids=[case.guild.pk], source="staff")
    sign_in_to_portal(page, live_server, "olga@guild.test")
    page.get_by_role("link", name="Do the lesson asked of you").click()
    expect(page.get_by_text("Passing takes up to 4 points off")).to_be_visible()

    page.get_by_role("group", name="What about 1?").get_by_text("1 a").click()
    page.get_by_role("group", name="What about 2?").get_by_text("2 c").click()
    page.get_by_role("button", name="Send the answers").click()
    expect(page.get_by_role("heading", name="Not passed yet")).to_be_visible()
    expect(page.get_by_text("Because of 2.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    page.get_by_role("link", name="Try again").click()
    page.get_by_label("1 a").check()
    page.get_by_label("2 b").check()
    page.get_by_role("button", name="Send the answers").click()
    expect(page.get_by_role("heading", name="Passed")).to_be_visible()
    expect(page.get_by_text("Done, as asked of your guild: Asked by staff")).to_be_visible()
    assert Completion.objects.get().guild == case.guild
    assert list(Attempt.objects.order_by("pk").values_list("passed", flat=True)) == [False, True]

    credits_apply_due()
    page.reload()
    expect(page.get_by_text("4 points have been taken off")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert complaints == []
