"""What the console shows of what waits: why a penalty is held, what is to be put right, ladders and bands in words."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.models import Band, Ladder, Penalty, Safeguard
from governance.penalties import services
from guilds.accounts.actor import Actor
from guilds.console.page import admin_url
from tests import factories
from tests.governance.penalties.test_rectification import asked, detect

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def console() -> Client:
    client = Client()
    client.force_login(factories.staff("enforcer"))
    return client


def text(console: Client, obj: object) -> str:
    answer = console.get(admin_url(obj))  # type: ignore[arg-type]
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_held_penalty_says_why(console: Client) -> None:
    Safeguard.objects.create(large_creators=1)
    guild = factories.guild()
    factories.membership(factories.creator(), guild, timezone.now() - DAY)
    ladder = {**factories.LADDER, "steps": [[{"kind": "recruitment_freeze", "days": 7}]]}
    factories.violation(guild, factories.version(ladder=ladder), status="confirmed")
    services.sanctions_decide_due()
    assert "A large guild" in text(console, Penalty.objects.get())


def test_what_is_to_be_put_right_and_what_came_of_it(console: Client) -> None:
    penalty = asked()
    assert "To be put right" in text(console, penalty)
    services.rectification_submit(
        actor=Actor.guild_user(factories.seat(penalty.guild)),
        penalty_id=penalty.pk,
        statement="The clause is gone.",
    )
    assert "The clause is gone." in text(console, penalty)
    found = factories.violation(
        penalty.guild, penalty.version, occurred_at=penalty.proposed_at + DAY, evidence=False
    )
    detect(penalty, days_after=1, violation=found, outcome="opened")
    services.rectifications_check_due(now=penalty.starts_at)
    shown = text(console, penalty)
    assert "Not put right" in shown
    assert admin_url(found) in shown


def test_a_penalty_that_asks_nothing_says_nothing_of_it(console: Client) -> None:
    factories.violation(factories.guild(), status="confirmed")
    services.sanctions_decide_due()
    assert "To be put right" not in text(console, Penalty.objects.get())


def test_a_ladder_is_shown_in_words_market_by_market(console: Client) -> None:
    spec = {**factories.LADDER, "by_market": {"JP": {"points": 3}}}
    shown = text(console, Ladder.objects.create(code="standard", spec=spec))
    assert "10 points each, counted within 180 days" in shown
    assert "In JP" in shown
    assert "3 points each, counted within 180 days" in shown


def test_a_band_is_shown_with_its_market(console: Client) -> None:
    market = factories.market("JP", name="Japan")
    step = {"kind": "interview", "days": 14, "grace": "7d"}
    band = Band.objects.create(code="talk", name="Talk", at_or_below=80, market=market, penalties=[step])
    shown = text(console, band)
    assert "Japan" in shown
    assert "starts 7 days later" in shown


def test_the_page_of_an_open_violation_shows_what_confirming_leads_to(console: Client) -> None:
    Band.objects.create(code="watch", name="Under watch", at_or_below=90, penalties=[])
    step = {"kind": "recruitment_freeze", "days": 7, "grace": "7d", "stops": ["correction"]}
    ladder = {**factories.LADDER, "steps": [[step], [{"kind": "clear_out"}]]}
    violation = factories.violation(factories.guild(), factories.version(ladder=ladder))
    shown = text(console, violation)
    assert "does not start if put right by then" in shown
    assert "Under watch" in shown
    assert "At the next offence" in shown
    assert "Clear-out (termination)" in shown


def test_only_administrators_set_a_safeguard_for_a_market() -> None:
    market, url = factories.market(), reverse("admin:governance_safeguard_create")
    values = {
        "market_id": market.pk,
        "large_creators": 20,
        "shield_days": 30,
        "hold_hours": 24,
        "reason": "Small.",
    }
    client = Client()
    for role, status in (("enforcer", 403), ("approver", 403), ("admin", 302)):
        assert not Safeguard.objects.exists()
        client.force_login(factories.staff(role))
        assert client.post(url, values).status_code == status
    assert Safeguard.objects.values_list("market", "large_creators").get() == (market.pk, 20)


def test_a_safeguards_page_shows_what_it_sets(console: Client) -> None:
    row = Safeguard.objects.create(market=factories.market("JP", name="Japan"), large_creators=20)
    shown = text(console, row)
    assert "Creators that make a guild large" in shown
    assert "Japan" in shown
