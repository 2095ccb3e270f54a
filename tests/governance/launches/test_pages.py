"""The pages of launches: what they show, to whom, and that they read only."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance.launches import services
from governance.launches.calendar_grid import Month
from governance.launches.owed import owed, standings
from governance.models import Launch, Notice, Wave
from guilds.accounts.actor import Actor
from guilds.console.page import admin_url
from guilds.models import Guild, Market
from tests import factories
from tests.governance.launches.launching import acting, launcher, nothing_changes

pytestmark = pytest.mark.django_db

PAGES = ("board", "calendar", "blockers")


@pytest.fixture
def market(db: None) -> Market:
    return factories.market("DE")


def page(name: str, query: str = "") -> str:
    return reverse(f"admin:governance_launch_{name}") + query


def signed_in(*roles: str) -> Client:
    client = Client()
    client.force_login(factories.staff(*roles))
    return client


@pytest.mark.parametrize("name", PAGES)
def test_all_staff_read_and_nobody_else(market: Market, name: str) -> None:
    factories.launch_ready(market)
    client = signed_in("auditor")
    with nothing_changes():
        assert client.get(page(name)).status_code == 200
    client.force_login(factories.staff())
    assert client.get(page(name)).status_code == 403
    client.force_login(factories.seat(factories.guild(market=market)).user)
    assert client.get(page(name)).status_code == 302


@pytest.mark.parametrize("name", PAGES)
def test_empty_pages_say_so(db: None, name: str) -> None:
    text = signed_in("launcher").get(page(name)).content.decode()
    words = {
        "board": "None.",
        "calendar": "No wave in these weeks.",
        "blockers": "Nobody owes a launch anything.",
    }
    assert words[name] in text


def test_the_board_has_a_card_per_launch_with_its_gates_and_what_blocks_it(market: Market) -> None:
    factories.guild(market=market)
    wave = factories.launch_ready(market)
    over = factories.launch_ready(factories.market("FR"))
    services.launch_cancel(actor=launcher(), launch_id=over.launch_id, reason="No need any more.")

    columns = {
        str(column["title"]): column for column in signed_in("launcher").get(page("board")).context["columns"]
    }

    [card] = columns["Planning"]["cards"]
    assert (card.launch, card.passed, len(card.states), card.next_wave) == (wave.launch, 7, 8, wave)
    assert [state.kind for state in card.blocks] == ["notice"]
    assert columns["Cancelled"]["cards"] == [over.launch]


def test_the_calendar_has_every_wave_on_its_day(market: Market) -> None:
    wave = factories.launch_ready(market)
    client = signed_in("auditor")
    month = f"?month={wave.planned_at:%Y-%m}"

    weeks = client.get(page("calendar", month)).context["weeks"]

    found = [(day.date, wave) for week in weeks for day, waves in week for wave, _badge in waves]
    assert found == [(wave.planned_at.date(), wave)]
    for nonsense in ("?month=2026-13", "?month=x", "?month=0000-01", "?month="):
        assert client.get(page("calendar", nonsense)).status_code == 200


def test_a_month_is_whole_weeks_from_monday() -> None:
    month = Month.asked("2026-11", dt.date(2026, 1, 1))

    assert (month.previous, month.following) == ("2026-10", "2026-12")
    assert (month.since, month.until) == (
        dt.datetime(2026, 10, 26, tzinfo=dt.UTC),
        dt.datetime(2026, 12, 7, tzinfo=dt.UTC),
    )
    assert Month.asked("tomorrow", dt.date(2026, 5, 9)).first == dt.date(2026, 5, 1)


def test_what_blocks_whom_is_sorted_by_what_is_overdue(market: Market) -> None:
    actor = launcher()
    launch = services.launch_create(actor=actor, version_id=factories.draft().pk)
    owner = factories.staff("reviewer")
    today = timezone.now().date()
    guide = launch.gates.get(kind="reviewer_guide")
    services.gate_assign(
        actor=actor, gate_id=guide.pk, owner_id=owner.pk, due_on=today - dt.timedelta(days=2)
    )

    found = owed(standings(actor), today)

    assert [(one.who, one.what, one.overdue) for one in found][:2] == [
        (str(owner), "Reviewer guide", True),
        ("", "Approved by another person, and unchanged since", False),
    ]
    assert {one.what for one in found} >= {"Plan a wave", "Review staffing", "Lesson published and completed"}
    assert len(found) == 9


def test_who_waits_for_time_alone_owes_nothing(market: Market) -> None:
    factories.guild(market=market)
    wave = factories.launch_ready(market)
    assert owed(standings(launcher()), timezone.now().date()) == []

    Wave.objects.filter(pk=wave.pk).update(blocked_reason="Not signed.")
    [one] = owed(standings(launcher()), timezone.now().date())
    assert (one.who, one.what, one.why) == (str(wave.launch.owner), "Clear the way of wave 1", "Not signed.")


def test_the_launch_page_offers_each_only_what_is_theirs(market: Market) -> None:
    wave = factories.launch_ready(market)
    gate = wave.launch.gates.get(kind="product")
    owner = factories.staff("reviewer")
    services.gate_assign(actor=launcher(), gate_id=gate.pk, owner_id=owner.pk)
    services.gate_reopen(actor=acting(owner), gate_id=gate.pk, reason="Not yet.")
    sign, go = f"/gate/{gate.pk}/sign/", f"/wave/{wave.pk}/no-go/"

    def text(client: Client) -> str:
        return client.get(admin_url(wave.launch)).content.decode()

    client = Client()
    client.force_login(owner)
    assert sign in text(client)
    assert go not in text(client)
    assert sign not in text(signed_in("reviewer"))
    for_launcher = text(signed_in("launcher"))
    assert sign in for_launcher
    assert go in for_launcher


def test_acts_of_the_console_say_what_the_service_says(market: Market) -> None:
    factories.guild(market=market)
    wave = factories.launch_ready(market)
    client = signed_in("launcher")

    with nothing_changes():
        answer = client.post(reverse("admin:governance_wave_start", args=[wave.pk]))
        assert answer.status_code == 409
        assert "Its time has not come." in answer.content.decode()
        assert (
            signed_in("analyst").post(reverse("admin:governance_wave_start", args=[wave.pk])).status_code
            == 403
        )

    factories.aged(wave)
    answer = client.post(reverse("admin:governance_wave_start", args=[wave.pk]))
    assert (answer.status_code, answer.headers["Location"]) == (302, admin_url(wave.launch))
    assert Launch.objects.get().status == "completed"


# --- the portal -------------------------------------------------------------------------------------------------------
@pytest.fixture
def guild(market: Market) -> Guild:
    return factories.guild("aurora", market=market)


def test_a_guild_reads_what_comes_and_says_that_it_has(guild: Guild, market: Market) -> None:
    wave = factories.launch_ready(market)
    owner = factories.seat(guild).user
    client = Client()
    client.force_login(owner)

    text = client.get("/portal/changes/").content.decode()
    for words in (wave.launch.version.name, "To come", "Do not do", "Warning", "each time 10 points"):
        assert words in text
    letter = Notice.objects.get(guild=guild, kind="rule_change")
    answer = client.post(f"/portal/changes/{letter.public_id}/read/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/portal/changes/")
    letter.refresh_from_db()
    assert letter.read_at is not None
    assert "Marked as read" in client.get("/portal/changes/").content.decode()

    services.wave_start(actor=Actor.system("launches"), wave_id=factories.aged(wave).pk)
    assert "In force" in client.get("/portal/changes/").content.decode()
    services.launch_rollback(actor=launcher(), launch_id=wave.launch_id, reason="Wrong.")
    text = client.get("/portal/changes/").content.decode()
    assert "Taken back" in text
    assert "What a breach costs" not in text


def test_a_guild_that_was_told_nothing_reads_that(guild: Guild) -> None:
    client = Client()
    client.force_login(factories.seat(guild).user)
    assert "No changes" in client.get("/portal/changes/").content.decode()
