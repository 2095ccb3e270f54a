"""The work a version will make: from its backtest and from history, and honest where either is too thin."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.launches import services
from governance.launches.gating import gate_states
from governance.launches.staffing import estimate
from governance.models import Backtest, Gate, Notice, Penalty, RuleVersion
from guilds.errors import InvalidInput
from guilds.models import Market
from tests import factories
from tests.governance.launches.launching import launcher, nothing_changes

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


@pytest.fixture
def market(db: None) -> Market:
    return factories.market("DE")


def finished(
    version: RuleVersion, hits: dict[str, int], *, penalties: int | None = None, **fields: Any
) -> Backtest:
    """A finished backtest of ten days of exactly this wording."""
    from governance.workbench.selectors import spec_of

    until = timezone.now()
    matches = sum(hits.values())
    return Backtest.objects.create(
        version=version,
        spec=version.spec,
        digest=spec_of(version).digest(),
        since=until - 10 * DAY,
        until=until,
        status="done",
        result={
            "totals": {"tested": {"matches": matches}},
            "by_market": [{"name": code, "tested": count, "base": 0} for code, count in hits.items()],
            "penalties": {"kinds": {"warning": matches if penalties is None else penalties}},
        },
        created_at=until,
        **fields,
    )


def history(market: Market, *, penalties: int, appeals: int) -> None:
    """Penalties of the last month and the appeals that were received."""
    guild = factories.guild(market=market)
    violation = factories.violation(guild, factories.version(), status="confirmed", evidence=False)
    now = timezone.now()
    letter = Notice.objects.create(
        guild=guild,
        kind="penalty_imposed",
        object_type="penalty",
        object_id="-",
        language="en",
        subject="S",
        body="B",
        issued_at=now,
    )
    for _number in range(penalties):
        Penalty.objects.create(
            guild=guild,
            market=market,
            version=violation.version,
            violation=factories.violation(guild, violation.version, status="confirmed", evidence=False),
            kind="warning",
            params={"kind": "warning"},
            status="in_force",
            notice=letter,
            proposed_at=now,
            starts_at=now,
            applied_at=now - 30 * DAY,
        )
    Notice.objects.bulk_create(
        Notice(
            guild=guild,
            kind="appeal_received",
            object_type="appeal",
            object_id=str(number),
            language="en",
            subject="S",
            body="B",
            issued_at=now - 30 * DAY,
        )
        for number in range(appeals)
    )


@pytest.mark.parametrize(("review", "hours"), [("auto", 0), ("human", 2.0), ("dual", 4.0)])
def test_reviewers_take_ten_minutes_and_two_take_twice_that(
    market: Market, review: str, hours: float
) -> None:
    version = factories.draft(review=review)
    finished(version, {"DE": 120, "FR": 999})

    figures = estimate(version, [market]).review_figures()

    # 120 violations in ten days are twelve a day.
    assert figures["hours_per_day"] == hours
    assert figures["markets"] == {"DE": {"violations_per_day": 12.0, "hours_per_day": hours}}
    assert figures["backtest_days"] == 10.0


def test_appeals_follow_the_markets_own_history(market: Market) -> None:
    history(market, penalties=40, appeals=10)
    version = factories.draft()
    finished(version, {"DE": 120}, penalties=60)

    figures = estimate(version, [market]).appeal_figures()

    # Twelve a day, half of them punished, a quarter of those appealed, 45 minutes each.
    assert figures["markets"] == {"DE": {"appeals_per_day": 1.5, "hours_per_day": 1.12, "grounds": "market"}}
    assert figures["hours_per_day"] == 1.12


def test_a_market_without_history_borrows_that_of_all(market: Market) -> None:
    history(market, penalties=40, appeals=20)
    france = factories.market("FR")
    version = factories.draft()
    finished(version, {"FR": 10})

    assert estimate(version, [france]).appeal_figures()["markets"] == {
        "FR": {"appeals_per_day": 0.5, "hours_per_day": 0.38, "grounds": "all_markets"}
    }


def test_too_little_history_is_said_and_not_guessed(market: Market) -> None:
    history(market, penalties=29, appeals=29)
    version = factories.draft()
    finished(version, {"DE": 10})

    figures = estimate(version, [market]).appeal_figures()

    assert figures["hours_per_day"] is None
    assert figures["markets"]["DE"] == {
        "appeals_per_day": None,
        "hours_per_day": None,
        "grounds": "insufficient",
    }


def test_where_the_wording_was_not_tested_nothing_is_known(market: Market) -> None:
    version = factories.draft()
    assert estimate(version, [market]).review_figures()["hours_per_day"] is None
    finished(version, {"FR": 10}, markets=["FR"])
    figures = estimate(version, [market]).review_figures()
    assert figures["hours_per_day"] is None
    assert figures["markets"]["DE"]["violations_per_day"] is None


def test_too_few_hands_need_a_reason_and_hold_the_gate_when_the_work_grows(market: Market) -> None:
    version = factories.draft(review="human")
    finished(version, {"DE": 120, "FR": 600})
    actor = launcher()
    launch = services.launch_create(actor=actor, version_id=version.pk)
    services.wave_add(
        actor=actor, launch_id=launch.pk, market_ids=[market.pk], planned_at=timezone.now() + 20 * DAY
    )
    gate = launch.gates.get(kind="staffing")

    def sign(hours: float | None, reason: str = "") -> Gate:
        return services.gate_sign(
            actor=actor,
            gate_id=gate.pk,
            evidence="Rota agreed.",
            capacity_hours_per_day=hours,
            shortfall_reason=reason,
        )

    with nothing_changes():
        for hours in (None, 1.9, -1):
            with pytest.raises(InvalidInput):
                sign(hours)
    sign(2.0)

    def state() -> tuple[bool, str]:
        found = {one.kind: one for one in gate_states(launch)}["staffing"]
        return found.passed, found.reason

    assert state()[0] is True
    services.wave_add(
        actor=actor,
        launch_id=launch.pk,
        market_ids=[factories.market("FR").pk],
        planned_at=timezone.now() + 30 * DAY,
    )
    assert state() == (False, "2 hours a day are at hand, 12 are needed.")
    services.gate_reopen(actor=actor, gate_id=gate.pk, reason="France comes as well.")
    sign(3.0, "Two colleagues help out from France.")
    assert state()[0] is True
