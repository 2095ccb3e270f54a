"""The whole loop, as its people see it: a signal, a reviewer, a penalty, the guild, an appeal, an adjudicator, a reversal.

Everything is real: the API over HTTP with an OAuth client, the worker, the pages in Chromium. STORY_PICTURES=DIR keeps
pictures of the way.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import requests
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from governance.launches.policy_file import policy_load
from governance.launches.services import versions_activate_without_launch
from governance.ledger.selectors import verify
from governance.ledger.services import seal_everything
from governance.models import Penalty, RuleVersion, Violation
from guilds.accounts.actor import Actor
from guilds.accounts.clients import client_create
from guilds.accounts.enums import Scope
from guilds.models import Guild
from guilds.registry.services import registry_upsert
from tests import factories
from tests.browser.steps import PASSWORD, picture, wait_for
from tests.worker import Worker

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SYSTEM = Actor.system("story")


class Machine:
    """A standard OAuth 2 client of the API."""

    def __init__(self, base: str) -> None:
        client, secret = client_create(actor=SYSTEM, name="detector and enforcer", scopes=list(Scope.values))
        self.base = base
        answer = requests.post(
            f"{base}/oauth/token/",
            data={"grant_type": "client_credentials"},
            auth=(client.client_id, secret),
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        self.session = requests.Session()
        self.session.headers["authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str) -> Any:
        answer = self.session.get(f"{self.base}/api/v1/{path}", timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any, expected: int) -> Any:
        answer = self.session.post(f"{self.base}/api/v1/{path}", json=body, timeout=30)
        assert answer.status_code == expected, answer.text
        return answer.json()


def sign_in(page: Page, base: str, path: str, email: str) -> None:
    page.context.clear_cookies()
    page.goto(f"{base}{path}")
    page.fill("input[name=username], input[name=email]", email)
    page.fill("input[name=password]", PASSWORD)
    page.click("form:has(input[name=password]) button[type=submit]")


def act(page: Page, name: str, **fields: str) -> None:
    """Press a button of the console, fill in its dialog and send it."""
    page.locator(f"a[hx-get*='/{name}']").first.click()
    form = page.locator("#dialog-form")
    expect(form).to_be_visible()
    for name, value in fields.items():
        control = form.locator(f"[name={name}]")
        if control.first.get_attribute("type") == "radio":
            form.locator(f"[name={name}][value={value}]").check()
        else:
            control.fill(value)
    form.locator("button[type=submit]").click()


@pytest.mark.timeout(420)
def test_from_signal_to_reversal(
    page: Page, live_server: LiveServer, worker: Worker, settings: Settings, tmp_path: Path
) -> None:
    base = live_server.url
    settings.GUILDHALL_ENV = "demo"  # the door without a launch
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.set_viewport_size({"width": 1280, "height": 900})

    # The policy team has a rule live in Germany.
    policy_load(actor=SYSTEM, text=(Path(__file__).parent.parent / "flows" / "story_policy.yaml").read_text())
    versions_activate_without_launch(actor=SYSTEM, version_ids=[RuleVersion.objects.get().pk])

    # The platform's registry knows a guild and the creator it holds.
    registry_upsert(
        actor=SYSTEM,
        guilds=[{"external_id": "aurora", "name": "Aurora Live", "market": "DE", "tier": "gold"}],
        creators=[{"external_id": "c-1", "name": "Nightowl", "market": "DE"}],
        memberships=[{"creator": "c-1", "guild": "aurora", "starts_at": "2026-02-01T00:00:00Z"}],
    )
    guild = Guild.objects.get()
    owner = factories.seat(guild, "owner", password=PASSWORD).user
    reviewer = factories.staff("reviewer", password=PASSWORD, name="First reviewer")
    adjudicator = factories.staff("adjudicator", password=PASSWORD, name="Adjudicator")

    # A detector reports two facts; the second one makes the rule match.
    machine = Machine(base)
    now = timezone.now()
    events = [
        {
            "specversion": "1.0",
            "id": f"share-{number}",
            "source": "/detectors/bots",
            "type": "viewer.bot_share",
            "time": (now - dt.timedelta(hours=3 - number)).isoformat(),
            "creator": "c-1",
            "data": {"share": 0.55 + number / 10, "stream": f"s-{number}"},
        }
        for number in range(2)
    ]
    report = machine.post("signals", events, 202)
    assert (report["accepted"], report["rejected"]) == (2, [])
    violation = wait_for(Violation.objects.first, "the violation")
    assert (violation.status, violation.guild_id) == ("open", guild.pk)

    # A reviewer opens the case, reads why, and confirms.
    sign_in(page, base, "/admin/login/", reviewer.email)
    expect(page.locator("body")).to_contain_text("Review")
    picture(page, "01-console-home")
    page.goto(f"{base}/admin/governance/violation/{violation.pk}/change/")
    expect(page.locator("body")).to_contain_text("signal.share > 0.4")
    expect(page.locator("body")).to_contain_text("share-1")
    picture(page, "02-violation")
    act(page, "confirm", reason="Both streams show the same script of viewers.")
    wait_for(lambda: Violation.objects.filter(status="confirmed").exists(), "the confirmation")

    # The worker works out the consequences: points, two penalties of the rung and one of the band.
    wait_for(lambda: Penalty.objects.filter(status="in_force").count() == 3, "three penalties in force")
    standing = machine.get("guilds/aurora/standing")
    assert (standing["score"], standing["band"]) == (75, "interview")
    assert {row["kind"] for row in standing["restrictions"]} == {"settlement_hold", "suspension", "interview"}
    guild.refresh_from_db()
    assert guild.status == "suspended"
    [first, *_rest] = machine.get("penalties?guild=aurora&kind=settlement_hold")["results"]
    machine.post(f"penalties/{first['id']}/acknowledge", {}, 200)

    # The guild reads what happened and appeals with a file.
    sign_in(page, base, "/portal/login/", owner.email)
    expect(page.locator("main")).to_contain_text("75")
    picture(page, "03-portal-home")
    page.goto(f"{base}/portal/penalties/{first['id']}/")
    expect(page.locator("main")).to_contain_text("A guild must not buy, run or tolerate automated viewers")
    picture(page, "04-portal-penalty")
    proof = tmp_path / "invoice.pdf"
    proof.write_bytes(b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
    page.goto(f"{base}/portal/penalties/{first['id']}/appeal/")
    page.check("input[name=grounds][value=facts_wrong]")
    page.fill(
        "[name=statement]",
        "The viewers came from a raid that the platform itself featured. The invoice shows it.",
    )
    page.set_input_files("input[type=file]", proof)
    picture(page, "05-portal-appeal-form")
    page.get_by_role("button", name="File the appeal").click()
    expect(page.locator("main")).to_contain_text("invoice.pdf")
    picture(page, "06-portal-appeal-filed")

    # An adjudicator who took no part overturns it, with an answer in words. The reviewer would be refused.
    [appeal] = machine.get("appeals?status=open")["results"]
    sign_in(page, base, "/admin/login/", adjudicator.email)
    page.goto(f"{base}/admin/appeals/appeal/?q={appeal['id'][:8]}")
    page.locator("#result_list tbody th a").first.click()
    expect(page.locator("body")).to_contain_text("came from a raid")
    picture(page, "07-appeal-console")
    act(
        page,
        "decide",
        outcome="overturned",
        answer="You are right: the platform featured the stream that evening.",
    )
    wait_for(lambda: not Penalty.objects.filter(status="in_force").exists(), "the reversal")

    # Everything derived is back where it was, for the guild, for machines and in the ledger.
    sign_in(page, base, "/portal/login/", owner.email)
    expect(page.locator("main")).to_contain_text("100")
    picture(page, "08-portal-restored")
    page.goto(f"{base}/portal/appeals/{appeal['id']}/")
    expect(page.locator("main")).to_contain_text("the platform featured the stream")
    picture(page, "09-portal-answer")
    standing = machine.get("guilds/aurora/standing")
    assert {key: standing[key] for key in ("score", "band", "points", "restrictions")} == {
        "score": 100,
        "band": "healthy",
        "points": [],
        "restrictions": [],
    }
    guild.refresh_from_db()
    assert guild.status == "active"
    assert set(Penalty.objects.values_list("status", flat=True)) == {"reversed"}
    assert Violation.objects.get().status == "overturned"
    acts = [event["act"] for event in machine.get("events?limit=1000")["results"]]
    story = [
        "violation.opened",
        "violation.confirmed",
        "points.charged",
        "penalty.applied",
        "penalty.acknowledged",
        "appeal.filed",
        "appeal.decided",
        "violation.overturned",
        "penalty.reversed",
        "points.reversed",
    ]
    assert [act for act in dict.fromkeys(acts) if act in story] == story
    seal_everything()
    assert not verify().fault
    assert problems == []
