"""The last guards before a version counts as live: nothing opens without a launch that stands behind it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from governance.models import Event, LivePeriod, RuleVersion
from governance.rules.enums import VersionStatus
from governance.rules.periods import period_open, periods_close
from governance.rules.services import move
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, DomainError, InvalidInput, InvalidTransition, NotAllowed
from tests import factories

pytestmark = pytest.mark.django_db

MINUTE = dt.timedelta(minutes=1)
DAY = dt.timedelta(days=1)


def launched(*, expires_at: dt.datetime | None = None, **fields: Any) -> RuleVersion:
    """A version as a launch leaves it just before its first period opens."""
    version = factories.version(live_since=None, status="draft", author=factories.staff("analyst"), **fields)
    RuleVersion.objects.filter(pk=version.pk).update(
        status="live", door="launch", approver=factories.staff("approver"), expires_at=expires_at
    )
    version.refresh_from_db()
    return version


def refuses(kind: type[DomainError], version: RuleVersion, **fields: Any) -> DomainError:
    fields = {"market_ids": [], "starts_at": timezone.now(), "opened_by": "wave:1", **fields}
    before = list(LivePeriod.objects.values())
    with pytest.raises(kind) as refused:
        period_open(version=version, **fields)
    assert list(LivePeriod.objects.values()) == before
    assert not Event.objects.exists()
    return refused.value


def replaced(**fields: Any) -> RuleVersion:
    """A version that was live once and may come back by a rollback."""
    version = factories.version(live_since=None, **fields)
    before = timezone.now() - DAY
    LivePeriod.objects.create(version=version, starts_at=before, ends_at=before)
    return version


def test_a_period_opens_per_market_with_its_share() -> None:
    here, there = factories.market(), factories.market()
    version, now = replaced(), timezone.now()
    period_open(
        version=version,
        market_ids=[here.pk, there.pk],
        starts_at=now,
        share=10,
        holdout=5,
        salt="salt",
        opened_by="rollback:7",
    )
    rows = version.live_periods.filter(ends_at=None).values_list(
        "market", "starts_at", "share", "holdout", "salt"
    )
    assert set(rows) == {(here.pk, now, 10, 5, "salt"), (there.pk, now, 10, 5, "salt")}


def test_a_launched_version_without_a_wave_is_refused_by_the_database() -> None:
    here, version = factories.market(), launched()
    for opened_by in ("wave:1", "rollback:1"):
        with pytest.raises(DatabaseError, match="approval"), transaction.atomic():
            period_open(version=version, market_ids=[here.pk], starts_at=timezone.now(), opened_by=opened_by)
    assert not LivePeriod.objects.exists()


@pytest.mark.parametrize("status", [status for status in VersionStatus.values if status != "live"])
def test_only_a_version_that_a_launch_made_live_gets_a_period(status: str) -> None:
    here = factories.market()
    version = factories.version(status=status, live_since=None)
    refused = refuses(NotAllowed, version, market_ids=[here.pk])
    assert refused.code == "launch_required"
    # what the caller holds in memory does not count
    version.status, version.door = "live", "launch"
    refuses(NotAllowed, version, market_ids=[here.pk])


@pytest.mark.parametrize("opened_by", ["", "me", "demo", "wave", "wave:", "wave:x", "launch:1"])
def test_an_opener_that_is_no_wave_opens_nothing(opened_by: str) -> None:
    assert refuses(NotAllowed, launched(), opened_by=opened_by).code == "launch_required"


def test_what_the_demo_made_live_comes_back_and_gets_nothing_new() -> None:
    here = factories.market()
    refuses(NotAllowed, replaced(), market_ids=[here.pk], opened_by="wave:1")
    refuses(NotAllowed, factories.version(live_since=None), market_ids=[here.pk], opened_by="rollback:1")


def test_an_approver_who_had_a_hand_in_the_wording_does_not_count() -> None:
    here, version = factories.market(), launched()
    assert version.approver is not None
    version.writers.add(version.approver)
    assert refuses(NotAllowed, version, market_ids=[here.pk]).code == "approval_required"


def test_a_period_begins_now() -> None:
    here, version, now = factories.market(), launched(), timezone.now()
    for starts_at in (now - DAY, now - 2 * MINUTE, now + 2 * MINUTE):
        assert (
            refuses(InvalidInput, version, market_ids=[here.pk], starts_at=starts_at).code == "invalid_input"
        )


def test_shares_and_markets_are_checked() -> None:
    here, there = factories.market("HERE"), factories.market("THERE")
    version = launched(markets=["HERE"])
    refuses(InvalidInput, version, market_ids=[there.pk])
    refuses(InvalidInput, version, market_ids=[here.pk, there.pk])
    refuses(InvalidInput, version, market_ids=[])
    refuses(InvalidInput, version, market_ids=[0])
    for fields in ({"share": 0}, {"share": 101}, {"holdout": -1}, {"holdout": 51}):
        refuses(InvalidInput, version, market_ids=[here.pk], salt="s", **fields)
    for fields in ({"share": 50}, {"holdout": 5}):
        refuses(InvalidInput, version, market_ids=[here.pk], **fields)


def test_an_expired_version_does_not_go_live() -> None:
    here, version = factories.market(), launched(expires_at=timezone.now() - MINUTE)
    assert refuses(NotAllowed, version, market_ids=[here.pk]).code == "expired"


def test_a_version_is_live_once_at_a_time() -> None:
    here, version = factories.market(), replaced()
    comes_back: dict[str, Any] = {"market_ids": [here.pk], "opened_by": "rollback:1"}
    period_open(version=version, starts_at=timezone.now(), **comes_back)
    refuses(Conflict, version, **comes_back)
    everywhere = replaced()
    LivePeriod.objects.create(version=everywhere, starts_at=timezone.now())
    refuses(Conflict, everywhere, **comes_back)


def test_closing_ends_what_is_open_and_never_in_the_past() -> None:
    here, there, version = factories.market(), factories.market(), factories.version(live_since=None)
    for market in (here, there):
        LivePeriod.objects.create(version=version, market=market, starts_at=timezone.now() - DAY)
    with pytest.raises(InvalidInput):
        periods_close(version=version, at=timezone.now() - 2 * MINUTE)
    assert version.live_periods.filter(ends_at__isnull=True).count() == 2
    now = timezone.now()
    assert periods_close(version=version, at=now, market_ids=[here.pk]) == [here.pk]
    assert version.live_periods.get(ends_at__isnull=True).market == there
    assert periods_close(version=version, at=now, market_ids=[here.pk]) == []
    assert periods_close(version=version, at=now) == [there.pk]
    assert set(version.live_periods.values_list("ends_at", flat=True)) == {now}


@pytest.mark.parametrize("status", ["draft", "shadow", "retired"])
def test_the_common_step_of_the_services_makes_nothing_live(status: str) -> None:
    version = factories.version(status=status, live_since=None)
    with pytest.raises((NotAllowed, InvalidTransition)):
        move(Actor.system("shell"), version, VersionStatus.LIVE, "Now.", act="rule_version.resumed")
    version.refresh_from_db()
    assert version.status == status
    assert not Event.objects.exists()
