"""The desk of reviewers in real browsers: thirty cases by keyboard alone, two people at one case, and without JavaScript.

STORY_PICTURES=DIR keeps pictures of the way.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pgtrigger
import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from governance.ledger.models import Event
from governance.ledger.selectors import verify
from governance.ledger.services import seal_everything
from governance.models import Band, Case, Detection, Review, RuleVersion, Standing, Violation
from governance.review.services import (
    case_ask,
    case_assign,
    case_claim,
    case_decide,
    case_escalate,
    cases_open_due,
)
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.page import admin_url
from guilds.models import Activity, Guild, User
from tests import factories
from tests.browser.steps import PASSWORD, heard, picture, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

MINE = "/admin/governance/case/mine/"
PHONE = {"width": 390, "height": 844}


# --- the world --------------------------------------------------------------------------------------------------------
@pytest.fixture
def guild(db: None) -> Guild:
    market = factories.market("SG", name="Singapore", timezone="Asia/Singapore")
    found = factories.guild("nordlicht", name="Nordlicht Live", market=market)
    today = timezone.now().date()
    Activity.objects.bulk_create(
        Activity(
            guild=found,
            date=today - dt.timedelta(days=back),
            live_hours=180 + back,
            active_creators=24,
            gift_revenue=4_200 + 10 * back,
        )
        for back in range(30)
    )
    Standing.objects.create(guild=found, points=15, score=85, updated_at=timezone.now())
    Band.objects.create(code="watch", name="Interview", at_or_below=80, penalties=[{"kind": "interview"}])
    return found


def rule(**spec: Any) -> RuleVersion:
    """A rule people know, worded in two languages."""
    number = RuleVersion.objects.count() + 1
    found = factories.version(
        factories.rule(f"GFT-{number:02}", name="Gifts from linked accounts"),
        **({"review": "human", "severity": "S2", "when": "signal.linked_share >= 0.5"} | spec),
    )
    text = {
        "en": "Gifts have to come from viewers. A guild must not circulate gifts among accounts it controls.",
        "zh": "礼物必须来自观众。公会不得在其控制的账号之间循环送礼。",
    }
    with pgtrigger.ignore("governance.RuleVersion:rule_version_wording_fixed"):
        RuleVersion.objects.filter(pk=found.pk).update(text=text)
    found.refresh_from_db()
    return found


def suspected(guild: Guild, by: RuleVersion, number: int = 0, **fields: Any) -> Violation:
    """A violation with evidence and its explanation, and a case for whoever reviews."""
    found = factories.violation(
        guild,
        by,
        evidence=False,
        occurred_at=timezone.now() - dt.timedelta(hours=2, minutes=number),
        creator=factories.creator(name=f"Mira {number}") if number else None,
        **fields,
    )
    signal = factories.signal(
        guild,
        type="gift.self_gifting",
        time=found.occurred_at,
        source="/detectors/gifts",
        data={"linked_share": 0.81, "gift_revenue_7d": 2_140.0, "accounts": 7, "device_overlap": True},
    )
    Violation.objects.filter(pk=found.pk).update(
        explanation={
            "state": "true",
            "when": by.spec["when"],
            "conditions": [
                {
                    "source": "signal.linked_share >= 0.5",
                    "state": "true",
                    "values": {"signal.linked_share": 0.81},
                }
            ],
            "measures": {},
        }
    )
    Detection.objects.create(
        version=by,
        signal_key_id=signal.pk,
        violation=found,
        mode="live",
        outcome="opened",
        guild=guild,
        market=guild.market,
        occurred_at=found.occurred_at,
        detected_at=found.detected_at,
        explanation={},
    )
    return found


def reviewer(name: str) -> User:
    return factories.staff(Role.REVIEWER, password=PASSWORD, name=name)


def desk_of(page: Page, live_server: LiveServer, case: Case) -> None:
    """Open a case and wait until its page listens to keys."""
    page.goto(live_server.url + admin_url(case))
    ready(page)


def ready(page: Page) -> None:
    expect(page.locator("#desk[data-ready]")).to_be_attached()


def decide(page: Page, key: str, reason: str) -> None:
    """The whole of a decision, by keyboard."""
    page.keyboard.press(key)
    expect(page.locator("#desk-reason")).to_be_focused()
    page.keyboard.type(reason)
    page.keyboard.press("Control+Enter")


# --- thirty cases -----------------------------------------------------------------------------------------------------
@pytest.mark.timeout(420)
def test_thirty_cases_by_keyboard_alone(
    page: Page, live_server: LiveServer, guild: Guild, complaints: list[str]
) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    versions = [rule(severity=severity) for severity in ("S1", "S2", "S3")]
    factories.violation(
        guild, versions[1], status="dismissed", occurred_at=timezone.now() - dt.timedelta(days=40)
    )
    for number in range(1, 31):
        suspected(guild, versions[number % 3], number)
    cases_open_due()
    sign_in(page, live_server, reviewer("Alice, reviewer"))
    picture(page, "review-home")
    page.goto(live_server.url + MINE)
    expect(page.get_by_text("0 of 60")).to_be_visible()
    picture(page, "review-queue")
    page.keyboard.press("n")
    ready(page)
    picture(page, "review-desk", whole=False)
    page.emulate_media(color_scheme="dark")
    page.reload()
    picture(page, "review-desk-dark", whole=False)
    page.emulate_media(color_scheme="light")
    page.reload()
    ready(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    picture(page, "review-keys", whole=False)
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.locator("#desk-evidence")).to_be_focused()
    page.keyboard.press("m")
    page.keyboard.type("Seen the same devices in another guild.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".desk-notes article")).to_contain_text("Seen the same devices")
    ready(page)

    plan = ["c", "d", "c", "x", "c", "d", "h", "c", "c", "u"] * 3
    seen: list[str] = []
    for number, key in enumerate(plan):
        case = page.locator("#desk").get_attribute("data-case")
        assert case is not None
        assert case not in seen
        seen.append(case)
        page.keyboard.press(key)
        expect(page.locator("#desk-reason")).to_be_focused()
        if number % 5 == 2:
            page.keyboard.press("1")  # a frequent reason
            expect(page.locator("#desk-reason")).not_to_have_value("")
        else:
            page.keyboard.type(f"Case {number}: the recording shows it.")
        if number == 2:
            picture(page, "review-deciding", whole=False)
        page.keyboard.press("Control+Enter")
        if number < len(plan) - 1:
            expect(page.locator(f"#desk[data-ready]:not([data-case='{case}'])")).to_be_attached()
    expect(page).to_have_url(live_server.url + MINE)
    expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    picture(page, "review-done")

    assert Counter(Case.objects.values_list("status", flat=True)) == {"done": 21, "on_hold": 3, "waiting": 6}
    assert Counter(Violation.objects.exclude(status="open").values_list("status", flat=True)) == {
        "confirmed": 15,
        "dismissed": 7,
    }
    assert Case.objects.filter(escalated_by__name="Alice, reviewer").count() == 6  # six x and u
    assert Review.objects.count() == 21
    assert Event.objects.filter(act="case.claimed").count() == 30
    assert not Case.objects.filter(done_by__isnull=False, seconds__isnull=True).exists()
    seal_everything()
    assert not verify().fault
    assert complaints == []


# --- two people -------------------------------------------------------------------------------------------------------
def other_browser(browser: Browser, live_server: LiveServer, person: User) -> Page:
    page = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900}).new_page()
    sign_in(page, live_server, person)
    return page


def test_whoever_comes_second_is_told_who_and_why_and_keeps_the_words(
    page: Page, browser: Browser, live_server: LiveServer, guild: Guild
) -> None:
    complaints = heard(page, refusals=True)
    for number in (1, 2, 3):
        suspected(guild, rule(), number)
    cases_open_due()
    case = Case.objects.earliest("pk")
    bob = reviewer("Bob, second")
    sign_in(page, live_server, bob)
    desk_of(page, live_server, case)
    expect(page.locator("#desk")).to_have_attribute("data-state", "mine")
    page.keyboard.press("d")
    page.keyboard.type("It is the guild's own test account.")

    # A lead takes it away from him and gives it to Alice, who decides.
    alice = reviewer("Alice, first")
    boss = Actor.staff(factories.staff(Role.ADMIN, name="Lena, lead"))
    case_assign(actor=boss, case_id=case.pk, user_id=alice.pk, reason="Alice knows the guild.")
    first = other_browser(browser, live_server, alice)
    desk_of(first, live_server, case)
    expect(first.locator("#desk")).to_have_attribute("data-state", "mine")
    expect(first.locator("#desk-looking")).to_contain_text("Bob, second")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#desk-lost")).to_contain_text("Alice, first has taken it over")
    expect(page.locator("#desk-reason")).to_have_value("It is the guild's own test account.")
    picture(page, "review-taken-over", whole=False)

    decide(first, "c", "Seven accounts on one device.")
    expect(first.get_by_text("confirmed, and its consequences follow")).to_be_visible()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#desk-lost")).to_contain_text("confirmed it")
    expect(page.locator("#desk-lost")).to_contain_text("Seven accounts on one device.")

    # He sends all the same: nothing changes, nothing he wrote is lost.
    page.keyboard.press("Control+Enter")
    expect(page.locator(".desk-bar .console-refusal")).to_contain_text("Seven accounts on one device.")
    expect(page.locator("#desk-reason")).to_have_value("It is the guild's own test account.")
    picture(page, "review-collision", whole=False)
    assert Violation.objects.get(cases=case).status == "confirmed"
    assert Review.objects.count() == 1
    page.locator("#desk-next").click()
    ready(page)
    expect(page.locator("#desk-reason")).to_have_value("")
    first.context.close()
    assert complaints == []


def test_several_at_once_with_what_follows_for_each(
    page: Page, live_server: LiveServer, guild: Guild, complaints: list[str]
) -> None:
    for number in (1, 2, 3):
        suspected(guild, rule(), number)
    cases_open_due()
    page.set_viewport_size({"width": 1280, "height": 900})
    sign_in(page, live_server, reviewer("Alice, reviewer"))
    page.goto(live_server.url + MINE)
    for box in page.get_by_role("checkbox", name="Choose GFT").all():
        box.check()
    page.get_by_label("With the chosen").select_option("confirm")
    page.get_by_role("button", name="Look at what follows").click()
    expect(page.get_by_role("heading", name="Confirm: 3 rows")).to_be_visible()
    expect(page.get_by_text("10 points (85 → 75)")).to_have_count(3)
    picture(page, "review-bulk")
    gone = Case.objects.latest("pk")
    other = Actor.staff(reviewer("Bob, second"))
    case_decide(actor=other, case_id=gone.pk, opinion="dismiss", reason="A test account.")
    page.get_by_label("Reason").fill("One ring of accounts.")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Confirm: 2 of 3 done")).to_be_visible()
    expect(page.get_by_text("A test account.")).to_be_visible()
    picture(page, "review-bulk-done")
    assert sorted(Violation.objects.values_list("status", flat=True)) == [
        "confirmed",
        "confirmed",
        "dismissed",
    ]
    assert complaints == []


def test_where_the_work_stands(
    page: Page, live_server: LiveServer, guild: Guild, complaints: list[str]
) -> None:
    for number in range(1, 6):
        suspected(guild, rule(severity="S2"), number)
    cases_open_due()
    late, up, *_rest = Case.objects.order_by("pk")
    Case.objects.filter(pk=late.pk).update(due_at=timezone.now() - dt.timedelta(hours=3))
    alice, bob = reviewer("Alice, reviewer"), reviewer("Bob, reviewer")
    case_escalate(actor=Actor.staff(alice), case_id=up.pk, reason="The press has asked about it.")
    case_claim(actor=Actor.staff(bob), case_id=late.pk)
    lead = factories.staff(Role.ADMIN, password=PASSWORD, name="Lena, lead")
    page.set_viewport_size({"width": 1280, "height": 900})
    sign_in(page, live_server, lead)
    page.goto(f"{live_server.url}/admin/governance/case/team/")
    expect(page.get_by_role("region", name="Escalated")).to_contain_text("The press has asked about it.")
    picture(page, "review-team")
    page.get_by_role("region", name="Escalated").get_by_role("link", name="Reassign").click()
    page.get_by_label("To whom").select_option(label="Bob, reviewer")
    page.get_by_label("Reason").fill("Bob knows the guild.")
    page.get_by_role("button", name="Reassign").click()
    expect(page.get_by_text("The case has changed hands.")).to_be_visible()
    up.refresh_from_db()
    assert up.assigned_to == bob
    assert complaints == []


def test_two_judge_blind_and_neither_sees_the_other(
    page: Page, browser: Browser, live_server: LiveServer, guild: Guild
) -> None:
    violation = suspected(guild, rule(review="dual"), 1)
    cases_open_due()
    one, two = Case.objects.order_by("place")
    alice, bob = reviewer("Alice, first"), reviewer("Bob, second")
    sign_in(page, live_server, alice)
    desk_of(page, live_server, one)
    decide(page, "c", "Seven accounts on one device.")
    expect(page.get_by_text("another reviewer judges it too")).to_be_visible()

    second = other_browser(browser, live_server, bob)
    answer = second.goto(live_server.url + admin_url(violation))
    assert answer is not None
    assert answer.status == 403
    expect(second.get_by_text("You are still to judge it.")).to_be_visible()
    picture(second, "review-blind")
    second.get_by_role("link", name="To the case").click()
    ready(second)
    body = second.locator("#desk").inner_text()
    assert "Alice" not in body
    assert "Seven accounts" not in body
    expect(second.locator("#desk")).to_have_attribute("data-case", str(two.pk))
    decide(second, "c", "The devices are the same.")
    expect(second.get_by_text("confirmed, and its consequences follow")).to_be_visible()
    answer = second.goto(live_server.url + admin_url(violation))
    assert answer is not None
    assert answer.status == 200
    expect(second.get_by_text("Seven accounts on one device.").first).to_be_visible()
    second.context.close()


def test_an_unflagged_guild_day_is_looked_through(
    page: Page, live_server: LiveServer, guild: Guild, complaints: list[str]
) -> None:
    live = rule()
    day = timezone.now().date() - dt.timedelta(days=1)
    noon = dt.datetime.combine(day, dt.time(4), dt.UTC)  # noon in Singapore
    factories.signal(guild, type="live.session", time=noon, data={"minutes": 320, "viewers": 41})
    case = case_ask(kind="coverage", guild=guild, day=day)
    page.set_viewport_size({"width": 1440, "height": 900})
    sign_in(page, live_server, reviewer("Alice, reviewer"))
    desk_of(page, live_server, case)
    expect(page.get_by_text("live.session")).to_be_visible()
    page.keyboard.press("c")
    expect(page.get_by_label("What was missed")).to_be_focused()
    page.get_by_label("What was missed").select_option(live.violation_code)
    page.locator("#desk-reason").fill("One still picture for five hours.")
    picture(page, "review-coverage", whole=False)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("your answer is noted")).to_be_visible()
    case.refresh_from_db()
    assert (case.status, case.judgement.opinion, case.judgement.code) == (
        "done",
        "confirm",
        live.violation_code,
    )
    assert complaints == []


# --- other ways -------------------------------------------------------------------------------------------------------
def test_without_javascript_on_a_phone(browser: Browser, live_server: LiveServer, guild: Guild) -> None:
    for number in (1, 2):
        suspected(guild, rule(), number)
    cases_open_due()
    page = browser.new_context(java_script_enabled=False, viewport=PHONE, locale="en-GB").new_page()  # type: ignore[arg-type]
    sign_in(page, live_server, reviewer("Alice, reviewer"))
    page.goto(live_server.url + MINE)
    page.get_by_role("button", name="Begin with the first").click()
    page.get_by_role("radio", name="Confirm").check(force=True)
    page.get_by_role("textbox", name="Reason").fill("Seven accounts on one device.")
    page.get_by_role("button", name="Send and take the next").click()
    expect(page.get_by_text("confirmed, and its consequences follow")).to_be_visible()
    page.get_by_role("radio", name="Dismiss").check(force=True)
    page.get_by_role("button", name="Send and take the next").click()
    expect(page.get_by_role("alert").filter(has_text="a decision needs a reason")).to_be_visible()
    expect(page.get_by_role("radio", name="Dismiss")).to_be_checked()
    page.get_by_role("textbox", name="Reason").fill("A friend, not an account of theirs.")
    page.get_by_role("button", name="Send and take the next").click()
    expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    assert sorted(Violation.objects.values_list("status", flat=True)) == ["confirmed", "dismissed"]
    page.context.close()


def test_on_a_phone_nothing_is_wider_than_the_screen(
    page: Page, live_server: LiveServer, guild: Guild, complaints: list[str]
) -> None:
    suspected(guild, rule(), 1)
    cases_open_due()
    case = Case.objects.get()
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="dark")
    person = reviewer("Alice, reviewer")
    sign_in(page, live_server, person)
    for url, name in ((MINE, "review-queue-phone"), (admin_url(case), "review-desk-phone")):
        page.goto(live_server.url + url)
        picture(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], url
    ready(page)
    page.get_by_role("radio", name="Confirm").check(force=True)
    expect(page.locator("#desk-reason")).to_be_visible()
    picture(page, "review-deciding-phone", whole=False)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert complaints == []


def test_what_is_typed_survives_leaving_the_page(page: Page, live_server: LiveServer, guild: Guild) -> None:
    suspected(guild, rule(), 1)
    cases_open_due()
    case = Case.objects.get()
    sign_in(page, live_server, reviewer("Alice, reviewer"))
    desk_of(page, live_server, case)
    page.keyboard.press("d")
    page.keyboard.type("Half a thought")
    page.goto(live_server.url + MINE)
    desk_of(page, live_server, case)
    expect(page.locator("#desk-reason")).to_have_value("Half a thought")
    expect(page.get_by_role("radio", name="Dismiss")).to_be_checked()
    page.keyboard.press("Escape")
    expect(page.locator("#desk-reason")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page).to_have_url(live_server.url + MINE)
    assert Violation.objects.get().status == "open"


def test_the_claim_goes_on_while_the_page_is_open(page: Page, live_server: LiveServer, guild: Guild) -> None:
    suspected(guild, rule(), 1)
    cases_open_due()
    case = Case.objects.get()
    alice = reviewer("Alice, reviewer")
    sign_in(page, live_server, alice)
    desk_of(page, live_server, case)
    expect(page.locator("#desk")).to_have_attribute("data-state", "mine")
    Case.objects.update(claimed_until=timezone.now() + dt.timedelta(seconds=5))
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#desk-claim")).to_contain_text("stays yours")
    page.wait_for_timeout(500)
    case.refresh_from_db()
    assert case.claimed_until is not None
    assert case.claimed_until > timezone.now() + dt.timedelta(seconds=60)
    other = Actor.staff(reviewer("Bob, second"))
    with pytest.raises(Exception, match="Alice, reviewer has been at this case"):
        case_claim(actor=other, case_id=case.pk)
