"""Which rung, which points and when: the arithmetic of ladders, and the same rule in two markets."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.models import Penalty, PointEntry, RuleVersion
from governance.penalties import services
from governance.penalties.enums import HoldReason
from governance.penalties.ladders import LadderSpec, hold_reason_of, rung_of, start_of
from governance.penalties.step_words import ladder_words, step_words
from tests import factories

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
FREEZE = {"kind": "recruitment_freeze", "days": 7}


def ladder(**changes: Any) -> dict[str, Any]:
    return {**factories.LADDER, **changes}


def test_a_market_overrides_what_it_names_and_nothing_else() -> None:
    spec = ladder(by_market={"JP": {"points": 3, "steps": [[{"kind": "training"}]]}, "FR": {"window": "30d"}})
    general, jp, fr = (LadderSpec.read(spec, severity="S3", market=code) for code in ("DE", "JP", "FR"))
    assert (general.points, general.window, len(general.steps)) == (10, 180 * DAY, 3)
    assert (jp.points, jp.window, jp.decay, jp.rung(4)) == (3, 180 * DAY, 180 * DAY, [{"kind": "training"}])
    assert (fr.points, fr.window, fr.decay, fr.steps) == (10, 30 * DAY, 180 * DAY, general.steps)


@pytest.mark.parametrize(
    ("severity", "own", "decay"),
    [("S3", {"decay": "never"}, None), ("S3", {"decay": "10d"}, 10 * DAY), ("S1", {"decay": "10d"}, None)],
)
def test_how_long_points_stay_is_the_markets_but_those_of_the_worst_severity_stay(
    severity: str, own: dict[str, str], decay: dt.timedelta | None
) -> None:
    assert LadderSpec.read(ladder(by_market={"JP": own}), severity=severity, market="JP").decay == decay


@pytest.mark.parametrize("nth", [1, 2, 9])
def test_a_red_line_is_the_last_rung_every_time(nth: int) -> None:
    version = RuleVersion(ladder=ladder(red_line=True), severity="S2")
    assert rung_of(version, "DE", nth) == [{"kind": "settlement_hold", "days": 30}]


def test_grace_delays_the_start_and_a_termination_waits_for_the_longer_of_both() -> None:
    market = factories.market(regime=factories.regime(code="p2b", termination_days=30))
    assert start_of({**FREEZE, "grace": "7d"}, now=NOON, market=market) == NOON + 7 * DAY
    notice = dt.datetime(2026, 4, 2, tzinfo=dt.UTC)
    assert start_of({"kind": "clear_out", "grace": "7d"}, now=NOON, market=market) == notice
    assert start_of({"kind": "clear_out", "grace": "40d"}, now=NOON, market=market) == NOON + 40 * DAY
    at_once = {"kind": "clear_out", "immediate_ground": "legal_duty"}
    assert start_of(at_once, now=NOON, market=market) == NOON


@pytest.mark.parametrize(
    ("kind", "given", "reason"),
    [
        ("clear_out", {"severity": "S4"}, HoldReason.KIND),
        ("suspension", {"severity": "S1"}, HoldReason.SEVERITY),
        ("warning", {"severity": "S1"}, None),
        ("warning", {"named": ["warning"]}, HoldReason.RULE),
        ("recruitment_freeze", {"large": True}, HoldReason.SIZE),
        ("warning", {"large": True}, None),
        ("suspension", {"shielded": True}, HoldReason.SHIELD),
        ("recruitment_freeze", {"shielded": True}, None),
        ("recruitment_freeze", {"shielded": True, "last_rung": True}, HoldReason.SHIELD),
        ("recruitment_freeze", {"last_rung": True}, None),
        ("warning", {"shielded": True, "last_rung": True}, None),
        # The weightiest reason is the one that is given.
        ("clear_out", {"severity": "S1", "large": True, "shielded": True}, HoldReason.KIND),
    ],
)
def test_why_a_penalty_waits_for_a_second_person(
    kind: str, given: dict[str, Any], reason: HoldReason | None
) -> None:
    assert hold_reason_of(kind, **{"severity": "S3", "named": (), **given}) == reason


def test_a_step_says_when_it_starts_and_what_stops_it() -> None:
    step = {**FREEZE, "grace": "36h", "stops": ["correction", "appeal"], "stack": "after"}
    assert step_words(step) == (
        "Recruitment freeze for 7 days; starts 36 hours later; does not start if put right by then, and waits for the answer "
        "to an appeal; begins when one of its kind ends"
    )
    assert step_words(FREEZE) == "Recruitment freeze for 7 days"


def test_a_ladder_in_words_by_market() -> None:
    spec = ladder(by_market={"JP": {"points": 3, "window": "30d", "steps": [[{"kind": "warning"}], []]}})
    assert ladder_words(spec, market="JP") == [
        "1.: Warning",
        "2.: nothing",
        "3 points each, counted within 30 days",
    ]
    assert ladder_words(spec)[-1] == "10 points each, counted within 180 days"
    assert ladder_words(ladder(red_line=True))[0] == "every time: Settlement hold for 30 days"


# --- decided ----------------------------------------------------------------------------------------------------------
def test_the_same_rule_costs_two_markets_what_each_has_written() -> None:
    own = {
        "points": 4,
        "window": "30d",
        "decay": "60d",
        "steps": [[FREEZE], [{"kind": "reward_freeze", "days": 3}]],
    }
    here, there = factories.market("AA"), factories.market("BB")
    version, now = factories.version(ladder=ladder(by_market={"BB": own})), timezone.now()
    for market in (here, there):
        guild = factories.guild(market=market)
        for days in (40, 1):
            factories.violation(guild, version, status="confirmed", occurred_at=now - days * DAY)

    services.sanctions_decide_due(now=now)

    found = {
        market.code: list(Penalty.objects.filter(market=market).order_by("pk").values_list("kind", flat=True))
        for market in (here, there)
    }
    # Forty days apart is the second offence where the window is 180 days, and the first again where it is 30.
    assert found == {
        "AA": ["warning", "recruitment_freeze"],
        "BB": ["recruitment_freeze", "recruitment_freeze"],
    }
    points = PointEntry.objects.order_by("pk").values_list("guild__market__code", "points", "expires_at")
    assert list(points) == [
        ("AA", 10, now + 180 * DAY),
        ("AA", 10, now + 180 * DAY),
        ("BB", 4, now + 60 * DAY),
        ("BB", 4, now + 60 * DAY),
    ]


def test_a_red_line_is_decided_as_the_last_rung_from_the_first_offence_on() -> None:
    version = factories.version(ladder=ladder(red_line=True))
    violation = factories.violation(factories.guild(), version, status="confirmed")
    services.sanctions_decide_due()
    assert [penalty.kind for penalty in Penalty.objects.all()] == ["settlement_hold"]
    assert violation.sanction.nth == 1, "it is still the first, though it does not matter"


def test_grace_is_told_and_the_penalty_starts_after_it() -> None:
    now = timezone.now()
    version = factories.version(ladder=ladder(steps=[[{**FREEZE, "grace": "7d", "stops": ["appeal"]}]]))
    factories.violation(factories.guild(), version, status="confirmed")
    services.sanctions_decide_due(now=now)
    penalty = Penalty.objects.get()
    assert (penalty.starts_at, penalty.ends_at) == (now + 7 * DAY, now + 14 * DAY)
    assert services.penalties_apply_due(now=now + 6 * DAY) == 0
    assert services.penalties_apply_due(now=now + 7 * DAY) == 1
    penalty.refresh_from_db()
    assert penalty.status == "in_force"
    assert penalty.notice is not None
    assert "appeal" in penalty.notice.body
