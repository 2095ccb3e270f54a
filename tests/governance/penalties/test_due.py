"""The dry run says what will happen, and does nothing."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from governance.models import EnforcementStop, Event, LivePeriod, Notice, Penalty, Violation
from governance.penalties import services
from governance.penalties.due import penalties_due, with_fault
from governance.penalties.selectors import with_lawfulness
from governance.penalties.services.execution import unlawful
from guilds.accounts.actor import Actor
from guilds.models import Market
from tests import factories

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
FREEZE = {**factories.LADDER, "points": 0, "steps": [[{"kind": "recruitment_freeze", "days": 3}]]}
SYSTEM = Actor.system("test")


@pytest.fixture
def enforcer() -> Actor:
    return Actor.staff(factories.staff("enforcer"))


def scheduled(market: Market, *, starts_in: dt.timedelta = dt.timedelta(hours=2)) -> Penalty:
    version = factories.version(ladder=FREEZE)
    violation = factories.violation(factories.guild(market=market), version, status="confirmed")
    services.sanctions_decide_due(limit=10)
    starts = timezone.now() + starts_in
    Penalty.objects.filter(violation=violation).update(starts_at=starts, ends_at=starts + 3 * DAY)
    return Penalty.objects.get(violation=violation)


def state() -> tuple[list[object], int]:
    return list(Penalty.objects.order_by("pk").values_list()), Event.objects.count()


def test_starts_and_ends_are_counted_by_kind_and_market() -> None:
    one, two = factories.market("ONE"), factories.market("TWO")
    scheduled(one)
    scheduled(one, starts_in=5 * DAY)
    scheduled(two)
    running = scheduled(two)
    Penalty.objects.filter(pk=running.pk).update(
        status="in_force", applied_at=timezone.now(), ends_at=running.starts_at + DAY / 2
    )
    before = state()
    day = penalties_due(timezone.now() + DAY, actor=SYSTEM)
    assert [(line.market, line.kind, line.starts, line.ends) for line in day.lines] == [
        ("ONE", "recruitment_freeze", 1, 0),
        ("TWO", "recruitment_freeze", 1, 1),
    ]
    week = penalties_due(timezone.now() + 7 * DAY, actor=SYSTEM)
    assert [(line.market, line.starts, line.ends) for line in week.lines] == [("ONE", 2, 1), ("TWO", 1, 2)]
    assert state() == before


def test_what_a_stop_holds_is_counted_as_waiting_with_its_reason(enforcer: Actor) -> None:
    here = factories.market()
    scheduled(here)
    services.stop_open(actor=enforcer, kind="", market_id=here.pk, reason="The payout moves.")
    coming = penalties_due(timezone.now() + 7 * DAY, actor=SYSTEM)
    [line] = coming.lines
    assert line.held_by is not None
    assert (line.held_by.reason, line.starts, line.ends, coming.waiting) == ("The payout moves.", 1, 0, 1)
    assert [stop.reason for stop in coming.stops] == ["The payout moves."]


def test_what_a_stop_outlasted_is_said_to_fall_away() -> None:
    here, now = factories.market(), timezone.now()
    penalty = scheduled(here, starts_in=-2 * DAY)
    Penalty.objects.filter(pk=penalty.pk).update(ends_at=now - DAY)
    EnforcementStop.objects.create(reason="x", opened_at=now - 3 * DAY, closed_at=now)
    [line] = penalties_due(now + DAY, actor=SYSTEM).lines
    assert (line.starts, line.ends, line.falls_away) == (0, 0, 1)


def test_a_cap_that_would_trip_is_announced(enforcer: Actor) -> None:
    here = factories.market()
    services.cap_set(actor=enforcer, kind="recruitment_freeze", market_id=None, per_hour=2, reason="Care.")
    same = timezone.now().replace(minute=30, second=0, microsecond=0) + DAY / 2
    for _ in range(3):
        penalty = scheduled(here)
        Penalty.objects.filter(pk=penalty.pk).update(starts_at=same)
    [line] = penalties_due(timezone.now() + DAY, actor=SYSTEM).lines
    assert (line.cap, line.busiest, line.trips) == (2, 3, True)
    assert not EnforcementStop.objects.exists()


def late_notice(penalty: Penalty) -> Notice:
    return Notice.objects.create(
        guild=penalty.guild,
        kind="penalty_imposed",
        object_type="violation",
        object_id="x",
        language="en",
        subject="s",
        body="b",
        issued_at=penalty.starts_at + DAY,
    )


def test_what_would_fail_is_what_does_fail() -> None:
    """The faults in SQL are those of the execution, for every combination."""
    here = factories.market()
    good, overturned, not_live, untold = (scheduled(here) for _ in range(4))
    Violation.objects.filter(pk=overturned.violation_id).update(status="overturned")
    LivePeriod.objects.filter(version=not_live.version_id).update(ends_at=timezone.now() - 30 * DAY)
    Penalty.objects.filter(pk=untold.pk).update(notice=late_notice(untold))
    foretold = dict(with_fault(Penalty.objects.all(), timezone.now()).values_list("pk", "fault"))  # type: ignore[misc]
    assert foretold == {
        good.pk: "",
        overturned.pk: "violation",
        not_live.pk: "not_live",
        untold.pk: "no_notice",
    }
    at = good.starts_at + dt.timedelta(minutes=1)
    for penalty in with_lawfulness(Penalty.objects.all()):
        assert bool(unlawful(penalty, at)) is bool(foretold[penalty.pk])
    coming = penalties_due(timezone.now() + DAY, actor=SYSTEM)
    assert sorted((refusal.why.value, refusal.number) for refusal in coming.refusals) == [
        ("no_notice", 1),
        ("not_live", 1),
        ("violation", 1),
    ]
    assert (coming.total("starts"), coming.total("fails")) == (1, 3)
    services.penalties_apply_due(now=at)
    assert Penalty.objects.filter(status="failed").count() == 3
    good.refresh_from_db()
    assert good.status == "in_force"


def test_one_sees_what_comes_in_ones_markets() -> None:
    here, there = factories.market("HERE"), factories.market("THERE")
    scheduled(here)
    scheduled(there)
    EnforcementStop.objects.create(market=there, reason="Not yours.", opened_at=timezone.now())
    local = Actor.staff(factories.staff("auditor", markets=[here]))
    coming = penalties_due(timezone.now() + DAY, actor=local)
    assert ([line.market for line in coming.lines], coming.stops) == (["HERE"], [])


# --- as a command and as a page ---------------------------------------------------------------------------------------
def test_the_command_prints_and_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    scheduled(factories.market("HERE"))
    before = state()
    call_command("penalties_due", "--until", (timezone.now() + 7 * DAY).isoformat())
    told = capsys.readouterr().out
    assert "HERE" in told
    assert "starts=1 waiting=0 ends=1 fails=0 falls_away=0 stuck=0" in told
    assert state() == before


@pytest.mark.parametrize("until", ["tomorrow", "2026-01-31", "2026-13-01T00:00:00Z"])
def test_the_command_refuses_a_moment_it_cannot_read(until: str) -> None:
    with pytest.raises(CommandError, match="--until"):
        call_command("penalties_due", "--until", until)


def page(role: str = "enforcer", markets: list[Market] | None = None, **asked: str) -> str:
    client = Client()
    client.force_login(factories.staff(role, markets=markets))
    answer = client.get(reverse("admin:governance_penalty_coming"), asked)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_shows_the_next_day_or_week(enforcer: Actor) -> None:
    here = factories.market("HERE")
    scheduled(here, starts_in=3 * DAY)
    assert "Nothing starts or ends." in page()
    services.stop_open(actor=enforcer, kind="", market_id=None, reason="The payout moves.")
    week = page(hours="168")
    assert "Recruitment freeze" in week
    assert "The payout moves." in week
    assert "Nothing starts or ends." in page(hours="168", markets=[factories.market()])


def test_the_page_is_for_staff_with_a_role() -> None:
    client = Client()
    client.force_login(factories.staff())
    assert client.get(reverse("admin:governance_penalty_coming")).status_code == 403


def test_the_page_asks_no_more_for_more_penalties() -> None:
    client = Client()
    client.force_login(factories.staff("auditor"))
    url = reverse("admin:governance_penalty_coming")
    scheduled(factories.market())
    client.get(url)
    with CaptureQueriesContext(connection) as few:
        client.get(url)
    for _ in range(6):
        scheduled(factories.market())
    with CaptureQueriesContext(connection) as many:
        client.get(url)
    assert len(many) == len(few)
