"""From a confirmed violation to points, rungs, bands, penalties and the notice."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.models import (
    Band,
    BandCrossing,
    Event,
    Notice,
    Penalty,
    PointEntry,
    Sanction,
    Standing,
    Violation,
)
from governance.penalties import services
from governance.penalties.selectors import standing_of
from tests import factories

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def kinds_of(violation: Violation) -> list[str]:
    return list(violation.penalties.order_by("pk").values_list("kind", flat=True))


def test_the_first_three_offences_climb_the_ladder_and_the_top_rung_repeats() -> None:
    guild, version, now = factories.guild(), factories.version(), timezone.now()
    cases = [
        factories.violation(guild, version, status="confirmed", occurred_at=now - (4 - nth) * DAY)
        for nth in range(4)
    ]

    assert services.sanctions_decide_due(limit=10) == 4

    assert [kinds_of(case) for case in cases] == [
        ["warning"],
        ["recruitment_freeze"],
        ["settlement_hold"],
        ["settlement_hold"],
    ]
    assert [case.sanction.nth for case in cases] == [1, 2, 3, 4]
    assert standing_of(guild.pk)["score"] == 60


def test_an_offence_outside_the_window_counts_as_the_first() -> None:
    guild, version, now = factories.guild(), factories.version(), timezone.now()
    factories.violation(guild, version, status="confirmed", occurred_at=now - 180 * DAY)
    recent = factories.violation(guild, version, status="confirmed", occurred_at=now)

    services.sanctions_decide_due(limit=10)

    assert recent.sanction.nth == 1
    assert kinds_of(recent) == ["warning"]


def test_another_code_another_guild_and_an_overturned_violation_do_not_count() -> None:
    guild, version, now = factories.guild(), factories.version(), timezone.now()
    factories.violation(factories.guild(), version, status="confirmed", occurred_at=now - DAY)
    factories.violation(guild, factories.version(), status="confirmed", occurred_at=now - DAY)
    gone = factories.violation(guild, version, status="confirmed", occurred_at=now - DAY)
    services.sanctions_decide_due(limit=10)
    Sanction.objects.filter(violation=gone).update(reversed_at=now)
    last = factories.violation(guild, version, status="confirmed", occurred_at=now)

    services.sanctions_decide_due(limit=10)

    assert last.sanction.nth == 1


def test_everything_a_violation_leads_to_is_recorded_and_told() -> None:
    guild = factories.guild(market=factories.market(languages=["en"], timezone="Asia/Jakarta"))
    violation = factories.violation(guild, status="confirmed")

    services.sanctions_decide_due(limit=10)

    violation.refresh_from_db()
    assert not violation.sanction_due
    penalty = Penalty.objects.get()
    assert (penalty.status, penalty.kind, penalty.market_id) == ("scheduled", "warning", guild.market_id)
    assert penalty.ends_at == penalty.starts_at + 180 * DAY
    notice = Notice.objects.get()
    assert penalty.notice == notice
    assert notice.issued_at <= penalty.starts_at
    assert violation.rule.code in notice.body
    assert "Asia/Jakarta" in notice.body
    assert notice.appeal_by is not None
    assert notice.appeal_by.astimezone(dt.timezone(dt.timedelta(hours=7))).time() == dt.time.max
    acts = list(Event.objects.order_by("id").values_list("act", flat=True))
    assert acts == ["notice.sent", "points.charged", "penalty.scheduled"]


def test_a_second_call_finds_nothing_left() -> None:
    factories.violation(factories.guild(), status="confirmed")
    assert services.sanctions_decide_due(limit=10) == 1
    assert services.sanctions_decide_due(limit=10) == 0
    assert (Penalty.objects.count(), PointEntry.objects.count()) == (1, 1)


@pytest.mark.parametrize("status", ["open", "dismissed", "overturned"])
def test_only_a_confirmed_violation_has_consequences(status: str) -> None:
    factories.violation(factories.guild(), status=status)
    assert services.sanctions_decide_due(limit=10) == 0
    assert not Penalty.objects.exists()
    assert not PointEntry.objects.exists()


def test_the_worst_severity_waits_for_a_second_person_and_its_points_never_expire() -> None:
    version = factories.version(
        severity="S1",
        ladder={**factories.LADDER, "points": 50, "steps": [[{"kind": "settlement_hold", "days": 30}]]},
    )
    factories.violation(factories.guild(), version, status="confirmed")

    services.sanctions_decide_due(limit=10)

    penalty = Penalty.objects.get()
    assert (penalty.status, penalty.notice) == ("held", penalty.notice)
    assert penalty.notice is None
    assert PointEntry.objects.get().expires_at is None


def test_a_kind_the_version_marks_waits_for_a_second_person() -> None:
    version = factories.version(
        second_person=["recruitment_freeze"],
        ladder={
            **factories.LADDER,
            "steps": [[{"kind": "recruitment_freeze", "days": 7}, {"kind": "warning"}]],
        },
    )
    factories.violation(factories.guild(), version, status="confirmed")
    services.sanctions_decide_due(limit=10)
    assert set(Penalty.objects.values_list("kind", "status")) == {
        ("recruitment_freeze", "held"),
        ("warning", "scheduled"),
    }


def test_clear_out_waits_for_the_second_person_and_for_the_regimes_notice_period() -> None:
    market = factories.market(regime=factories.regime(code="p2b", termination_days=30))
    version = factories.version(ladder={**factories.LADDER, "steps": [[{"kind": "clear_out"}]]})
    factories.violation(factories.guild(market=market), version, status="confirmed")
    services.sanctions_decide_due(limit=10)
    penalty = Penalty.objects.get()
    assert penalty.status == "held"
    assert 30 * DAY < penalty.starts_at - penalty.proposed_at <= 31 * DAY, "thirty whole days of the market"


def test_a_managed_creators_violation_counts_in_part() -> None:
    guild = factories.guild()
    version = factories.version(share=0.25, charge="share")
    factories.violation(guild, version, status="confirmed", creator=factories.creator())
    services.sanctions_decide_due(limit=10)
    assert PointEntry.objects.get().points == 3  # a quarter of ten, rounded half up


@pytest.fixture
def bands() -> None:
    Band.objects.create(
        code="interview", name="Interview", at_or_below=80, penalties=[{"kind": "interview", "days": 14}]
    )
    Band.objects.create(
        code="hold", name="Hold", at_or_below=70, penalties=[{"kind": "settlement_hold", "days": 30}]
    )


@pytest.mark.usefixtures("bands")
def test_a_band_fires_once_per_crossing_and_again_after_the_score_has_recovered() -> None:
    guild, version, now = factories.guild(), factories.version(), timezone.now()

    def offend(count: int) -> None:
        for _ in range(count):
            factories.violation(guild, version, status="confirmed", occurred_at=timezone.now())
        services.sanctions_decide_due(limit=10)

    offend(1)
    assert not BandCrossing.objects.exists()
    offend(1)
    assert list(BandCrossing.objects.values_list("band__code", "score")) == [("interview", 80)]
    offend(1)
    assert list(BandCrossing.objects.order_by("pk").values_list("band__code", flat=True)) == [
        "interview",
        "hold",
    ]
    assert Standing.objects.get(guild=guild).band == "hold"
    offend(1)
    assert BandCrossing.objects.count() == 2, "still inside both bands"
    assert Penalty.objects.filter(crossing__isnull=False).count() == 2

    services.points_expire_due(now=now + 200 * DAY)
    assert standing_of(guild.pk)["score"] == 100
    assert Standing.objects.get(guild=guild).band == "healthy"
    assert not BandCrossing.objects.filter(left_at__isnull=True).exists()
    offend(2)
    assert BandCrossing.objects.count() == 3


@pytest.mark.usefixtures("bands")
def test_one_heavy_violation_enters_every_band_on_its_way() -> None:
    version = factories.version(ladder={**factories.LADDER, "points": 45})
    factories.violation(factories.guild(), version, status="confirmed")
    services.sanctions_decide_due(limit=10)
    assert list(BandCrossing.objects.order_by("pk").values_list("band__code", flat=True)) == [
        "interview",
        "hold",
    ]


def test_points_expire_by_an_opposite_entry_and_only_once() -> None:
    guild = factories.guild()
    factories.violation(guild, status="confirmed")
    services.sanctions_decide_due(limit=10)
    later = timezone.now() + 181 * DAY

    assert services.points_expire_due(now=timezone.now()) == 0
    assert services.points_expire_due(now=later) == 1
    assert services.points_expire_due(now=later) == 0

    assert list(PointEntry.objects.order_by("pk").values_list("points", "reason")) == [
        (10, "violation"),
        (-10, "expiry"),
    ]
    assert standing_of(guild.pk)["score"] == 100
    assert standing_of(guild.pk)["points"] == []


def test_statements_do_not_multiply_with_the_batch() -> None:
    steps = [
        [{"kind": "recruitment_freeze", "days": 7, "grace": "7d", "stops": ["correction"], "stack": "after"}]
    ]
    version = factories.version(ladder={**factories.LADDER, "steps": steps})

    def statements(count: int) -> int:
        for _ in range(count):
            factories.violation(factories.guild(), version, status="confirmed", evidence=False)
        with CaptureQueriesContext(connection) as asked:
            assert services.sanctions_decide_due(limit=200) == count
        return len(asked)

    assert statements(2) == statements(40) <= 32
