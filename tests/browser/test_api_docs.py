"""The page of the API in a real browser: it shows every operation, and its content policy blocks nothing it needs."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_page_shows_every_operation_and_a_way_to_authorise(live_server: LiveServer, page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))

    page.goto(f"{live_server.url}/api/docs/")

    expect(page.locator(".opblock")).to_have_count(19, timeout=20_000)
    expect(page.get_by_role("button", name="Authorize")).to_be_visible()
    assert complaints == []
    assert hosts == {live_server.url.split("/")[2]}
