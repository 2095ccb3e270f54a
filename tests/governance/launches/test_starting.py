"""A wave that has earned it goes live at its time, and what was in force before gives way."""

from __future__ import annotations

import pytest
from django.utils import timezone

from governance.launches import services
from governance.models import Event, Launch, RuleVersion
from guilds.accounts.actor import Actor
from guilds.models import Market
from tests import factories

pytestmark = pytest.mark.django_db

SYSTEM = Actor.system("launches")


@pytest.fixture
def market(db: None) -> Market:
    return factories.market(
        "DE", regime=factories.regime(code="p2b", notice_days=15), timezone="Europe/Berlin"
    )


def test_a_wave_goes_live_when_its_time_has_come(market: Market) -> None:
    factories.guild("first", market=market)
    wave = factories.aged(factories.launch_ready(market))
    before = timezone.now()

    assert services.waves_start_due() == 1

    wave.refresh_from_db()
    version = RuleVersion.objects.get(pk=wave.launch.version_id)
    [period] = version.live_periods.all()
    assert (wave.status, wave.blocked_reason, version.status, version.door) == ("live", "", "live", "launch")
    assert wave.live_at == period.starts_at
    assert before <= period.starts_at <= timezone.now()
    assert (period.market, period.ends_at, period.share, period.holdout) == (market, None, 100, 0)
    assert (period.opened_by, period.salt) == (f"wave:{wave.pk}", wave.launch.salt)
    assert Launch.objects.get().status == "completed"
    [launched] = Event.objects.filter(act="rule.launched")
    assert launched.after == {
        "status": "live",
        "rule": version.rule.code,
        "version": 1,
        "wave": 1,
        "launch": str(wave.launch.public_id),
        "starts_at": period.starts_at.isoformat(),
        "markets": ["DE"],
        "share": 100,
        "holdout": 0,
    }
