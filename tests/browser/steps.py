"""What stories in the browser have in common: signing in, waiting, and pictures of the way (STORY_PICTURES=DIR keeps them)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from guilds.models import User
from tests.appeals.cases import PASSWORD

__all__ = ["PASSWORD"]

PICTURES = os.environ.get("STORY_PICTURES", "")
PATIENCE_SECONDS = 60


def sign_in(page: Page, live_server: Any, person: User) -> None:
    """Into the console, as a person made with PASSWORD."""
    page.goto(f"{live_server.url}/admin/login/")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{live_server.url}/admin/")


def sign_in_to_portal(page: Page, live_server: Any, email: str) -> None:
    page.goto(f"{live_server.url}/portal/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign in")).to_have_count(0)


def heard(page: Page, *, refusals: bool = False) -> list[str]:
    """What the browser objects to from here on: blocked scripts and styles, errors of ours, answers that failed.

    With `refusals`, answers of 4xx are part of the story.
    """
    found: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        refused = refusals and "the server responded with a status of 4" in message.text
        if message.type in {"error", "warning"} and not refused:
            found.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def wait_for(found: Callable[[], Any], what: str) -> Any:
    """The first true answer; another process is at work on it."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not (value := found()):
        assert time.monotonic() < until, f"waited {PATIENCE_SECONDS} seconds for {what}"
        time.sleep(0.1)
    return value


def picture(page: Page, name: str, *, whole: bool = True) -> None:
    """The whole page, or what the window shows of it."""
    if PICTURES:
        page.wait_for_timeout(300)
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=whole)


def region(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)
