"""A guild on the portal in a real browser, at a desk and on a phone: read a penalty, appeal with a file, take it back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from appeals.models import Appeal, Evidence
from guilds.accounts.actor import Actor
from guilds.accounts.services import guild_user_invite, one_time_link
from tests.appeals.cases import STATEMENT, Case, build_case
from tests.appeals.files import EXE, PDF
from tests.browser.steps import heard, sign_in_to_portal

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}


@pytest.fixture
def case(settings: Any, tmp_path: Path) -> Case:
    settings.MEDIA_ROOT = tmp_path / "uploads"
    return build_case()


@pytest.fixture
def complaints(page: Page) -> list[str]:
    return heard(page, refusals=True)


def _fits(page: Page) -> None:
    """Nothing sticks out sideways. Waits for the page: right after a click it may be between two documents."""
    page.wait_for_load_state()
    page.wait_for_function("document.documentElement !== null && document.readyState !== 'loading'")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), (
        page.url
    )


@pytest.mark.parametrize("size", SIZES)
def test_sign_in_read_appeal_withdraw(
    page: Page, live_server: Any, case: Case, complaints: list[str], tmp_path: Path, size: str
) -> None:
    page.set_viewport_size(SIZES[size])  # type: ignore[arg-type]
    proof, virus = tmp_path / "contract.pdf", tmp_path / "contract.exe"
    proof.write_bytes(PDF)
    virus.write_bytes(EXE)

    sign_in_to_portal(page, live_server, "olga@guild.test")
    expect(page.get_by_text("90").first).to_be_visible()
    _fits(page)

    # The penalty and its reasons
    page.get_by_role("link", name="All penalties").click()
    _fits(page)
    page.get_by_role("link", name=re.compile("Recruitment freeze for 7 days")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recruitment freeze for 7 days")
    expect(page.get_by_text("Do not do REC-02.").first).to_be_visible()
    expect(page.get_by_text("days left").first).to_be_visible()
    _fits(page)

    # A file of the wrong kind, then a good one; what was typed stays
    page.get_by_role("link", name="Appeal against this").click()
    page.get_by_label("It was not our guild or creator").check()
    page.get_by_label("Your statement").fill(STATEMENT)
    page.get_by_label("Files").set_input_files(virus)
    page.get_by_role("button", name="File the appeal").click()
    expect(page.get_by_text("contract.exe: this type is not accepted.")).to_be_visible()
    expect(page.get_by_label("Your statement")).to_have_value(STATEMENT)
    expect(page.get_by_label("It was not our guild or creator")).to_be_checked()
    _fits(page)
    assert not Appeal.objects.exists()
    page.get_by_label("Files").set_input_files(proof)
    page.get_by_role("button", name="File the appeal").click()
    expect(page.get_by_text("Your appeal has been filed.")).to_be_visible()
    _fits(page)

    # The own file comes back as it was
    with page.expect_download() as downloading:
        page.get_by_role("link", name="contract.pdf").click()
    assert Path(downloading.value.path()).read_bytes() == PDF
    assert Evidence.objects.get().name == "contract.pdf"

    # A message, then the appeal is taken back
    page.get_by_label("Add a message").fill("Account 1123 is not ours.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Account 1123 is not ours.")).to_be_visible()
    page.get_by_role("link", name="Withdraw this appeal").click()
    _fits(page)
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("Your appeal has been withdrawn.")).to_be_visible()
    assert Appeal.objects.get().status == "withdrawn"

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert complaints == []


def test_an_invited_person_chooses_a_password_with_the_keyboard_alone(
    page: Page, live_server: Any, case: Case, complaints: list[str]
) -> None:
    seat = guild_user_invite(actor=Actor.system("test"), email="nina@guild.test", guild=case.guild)
    page.goto(live_server.url + urlsplit(one_time_link(seat.user)).path)

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("seven new lanterns")
    page.keyboard.press("Tab")
    page.keyboard.type("seven new lanterns")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Your standing")).to_be_visible()
    expect(page.get_by_text("nina@guild.test")).to_be_visible()
    assert complaints == []


def test_the_portal_works_without_any_script(browser: Any, live_server: Any, case: Case) -> None:
    context = browser.new_context(java_script_enabled=False, viewport=SIZES["phone"], color_scheme="dark")
    page = context.new_page()
    sign_in_to_portal(page, live_server, "vera@guild.test")

    page.get_by_role("link", name=re.compile("^Messages")).click()
    page.get_by_role("link", name=re.compile("Decision about Aurora Talent")).click()
    expect(page.get_by_text("What we decided")).to_be_visible()
    page.goto(f"{live_server.url}/portal/penalties/{case.penalty.public_id}/appeal/")
    expect(page.get_by_text("up to an owner or manager of your guild")).to_be_visible()
    context.close()
