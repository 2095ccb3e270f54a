"""What stops a version from judging: an exception for a guild, its day of expiry, the end of its shadow."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.models import (
    Detection,
    Event,
    LivePeriod,
    PendingSignal,
    RuleException,
    RuleVersion,
    Violation,
)
from governance.rules.exceptions import exception_end, exception_grant
from governance.rules.models import Rule
from governance.rules.selectors import was_live
from governance.rules.services import version_pause, version_resume, version_retire, versions_expire_due
from governance.rules.shadow import shadow_extend, shadow_start, shadow_stop
from governance.violations.detection_queue import release
from guilds.accounts.actor import Actor
from guilds.models import Guild
from tests import factories
from tests.governance.violations.detecting import DAY, START, arrive, days, detect

pytestmark = pytest.mark.django_db

LAUNCHER = Actor.system("launcher")
SECOND = dt.timedelta(seconds=1)


def silenced(rule: Rule, guild: Guild, since: float, until: float, **fields: Any) -> RuleException:
    """An exception between days after START, as if it had been granted then."""
    return RuleException.objects.create(
        rule=rule,
        guild=guild,
        reason="A pilot with the partner.",
        starts_at=START + since * DAY,
        expires_at=START + until * DAY,
        granted_by=factories.staff("approver"),
        **fields,
    )


def outcomes(version: RuleVersion) -> list[str]:
    return list(
        Detection.objects.filter(version=version).order_by("occurred_at").values_list("outcome", flat=True)
    )


def written(version: RuleVersion, **fields: Any) -> RuleVersion:
    """Columns that a draft carries before it judges; the wording is fixed afterwards."""
    RuleVersion.objects.filter(pk=version.pk).update(**fields)
    version.refresh_from_db()
    return version


def live_until(expires_at: dt.datetime, rule: Rule | None = None, **fields: Any) -> RuleVersion:
    version = written(factories.version(rule, status="draft", **fields), expires_at=expires_at)
    LivePeriod.objects.create(version=version, starts_at=START - 1000 * DAY)
    return written(version, status="live", door="demo")


# --- exceptions ---------------------------------------------------------------------------------------------------------
def test_an_exception_silences_one_rule_for_one_guild_between_its_ends() -> None:
    version, other = factories.version(), factories.version()
    guild, neighbour = factories.guild(), factories.guild()
    silenced(version.rule, guild, 1, 3)
    for day in (0, 1, 2.99, 3):
        arrive(guild, day)
    arrive(neighbour, 2)
    detect()
    assert outcomes(version) == ["opened", "excepted", "opened", "excepted", "opened"]
    assert days(version) == [0, 2, 3]
    assert days(other) == [0, 1, 2, 2.99, 3]
    excepted = Detection.objects.filter(outcome="excepted")
    assert excepted.filter(guild=guild, violation=None, mode="live").count() == excepted.count() == 2


def test_an_exception_ended_early_silences_until_then() -> None:
    version, guild = factories.version(), factories.guild()
    silenced(version.rule, guild, 0, 10, ended_at=START + 2 * DAY)
    arrive(guild, 1)
    arrive(guild, 2)
    detect()
    assert outcomes(version) == ["excepted", "opened"]


def test_an_exception_of_the_charged_guild_counts_and_holds_for_every_version() -> None:
    rule = factories.rule()
    old, new = factories.version(rule, charge="own"), factories.version(rule, charge="own", live_since=None)
    holder, charged = factories.guild(), factories.guild()
    LivePeriod.objects.create(
        version=new, market=holder.market, starts_at=START, holdout=50, share=1, salt="s"
    )
    silenced(rule, charged, 0, 10)
    arrive(holder, 1, named_guild=charged)
    detect()
    # in the newer one whatever part the guild has: an exception is in neither arm of what is measured
    assert (outcomes(old), outcomes(new)) == (["excepted"], ["excepted"])
    arrive(charged, 2, named_guild=holder)
    detect()
    assert Violation.objects.get().guild == holder


def test_an_exception_uses_up_no_cap_and_shields_nothing() -> None:
    version, guild = factories.version(cap=1, cooldown="30d"), factories.guild()
    silenced(version.rule, guild, 0, 5)
    for day in (1, 2, 6):
        arrive(guild, day)
    detect()
    assert outcomes(version) == ["excepted", "excepted", "opened"]
    version.refresh_from_db()
    assert version.status == "live"


def test_a_shadow_sees_what_an_exception_silences() -> None:
    rule = factories.rule()
    factories.version(rule)
    shadow = factories.version(rule, status="shadow", live_since=None)
    guild = factories.guild()
    silenced(rule, guild, 0, 5)
    arrive(guild, 1)
    detect()
    assert outcomes(shadow) == ["shadow"]


def test_what_a_service_grants_and_ends_is_what_detection_reads() -> None:
    version, guild = factories.version(), factories.guild()
    approver = Actor.staff(factories.staff("approver"))
    arrive(guild, time=timezone.now() - DAY)
    granted = exception_grant(
        actor=approver,
        rule_id=version.rule_id,
        guild_id=guild.pk,
        expires_at=timezone.now() + DAY,
        reason="A pilot with the partner.",
    )
    arrive(guild, time=timezone.now())
    detect()
    assert outcomes(version) == ["opened", "excepted"]  # never for what happened before it was granted
    exception_end(actor=approver, exception_id=granted.pk, reason="The pilot is over.")
    arrive(guild, time=timezone.now())
    detect()
    assert outcomes(version) == ["opened", "excepted", "opened"]


# --- expiry -------------------------------------------------------------------------------------------------------------
def test_a_version_judges_what_happened_before_its_expiry_and_nothing_from_it_on() -> None:
    expires_at = START + 10 * DAY
    version = live_until(expires_at)
    guild = factories.guild()
    arrive(guild, time=expires_at - SECOND)
    arrive(guild, time=expires_at)
    arrive(guild, time=expires_at + DAY)
    detect()
    assert days(version) == [(10 * DAY - SECOND) / DAY]
    assert was_live(version, guild.market_id, expires_at - SECOND)
    assert not was_live(version, guild.market_id, expires_at)

    assert versions_expire_due() == 1
    version.refresh_from_db()
    period = LivePeriod.objects.get()
    assert (version.status, version.withdrawn_at, period.ends_at) == ("retired", None, expires_at)
    event = Event.objects.get(act="rule_version.expired")
    assert (event.actor_label, event.before, event.object_id) == (
        "expiry",
        {"status": "live"},
        version.public_id,
    )
    # late signals go by their own time, after the sweep as before it
    arrive(guild, 9)
    arrive(guild, 11)
    detect()
    assert days(version) == [9, (10 * DAY - SECOND) / DAY]
    assert versions_expire_due() == 0
    assert Event.objects.filter(act="rule_version.expired").count() == 1


def test_an_expired_version_makes_way_for_the_older_one() -> None:
    rule = factories.rule()
    old = factories.version(rule)
    new = live_until(START + 10 * DAY, rule)
    guild = factories.guild()
    arrive(guild, 9)
    arrive(guild, 11)
    detect()
    assert (days(new), days(old)) == ([9], [11])
    versions_expire_due()
    arrive(guild, 8)
    arrive(guild, 12)
    detect()
    assert (days(new), days(old)) == ([8, 9], [11, 12])


def test_a_version_that_has_not_expired_is_left_alone() -> None:
    version = live_until(timezone.now() + DAY)
    assert versions_expire_due() == 0
    version.refresh_from_db()
    assert version.status == "live"
    assert not Event.objects.exists()


def test_a_paused_version_that_expires_keeps_asking_and_is_retired_once_it_resumed() -> None:
    version = live_until(START + 10 * DAY)
    version_pause(actor=LAUNCHER, version_id=version.pk, reason="Look again.")
    guild = factories.guild()
    arrive(guild, 9)
    arrive(guild, 11)
    detect()
    assert PendingSignal.objects.get().time == START + 9 * DAY
    assert versions_expire_due() == 0
    assert versions_expire_due() == 0
    version.refresh_from_db()
    assert version.status == "paused"
    assert LivePeriod.objects.get().ends_at == START + 10 * DAY
    assert Event.objects.filter(act="rule_version.expired").count() == 1
    assert release() == 0
    version_resume(actor=LAUNCHER, version_id=version.pk, reason="It was right.")
    release()
    assert versions_expire_due() == 1
    detect()
    assert days(version) == [9]


def test_a_version_withdrawn_before_its_expiry_does_not_come_back_with_it() -> None:
    version = live_until(START + 10 * DAY)
    version_retire(actor=LAUNCHER, version_id=version.pk, reason="It was wrong.")
    arrive(factories.guild(), 9)
    detect()
    assert not Detection.objects.exists()
    assert versions_expire_due() == 0


def test_a_shadow_expires_as_well() -> None:
    version = written(factories.version(status="draft", live_since=None), expires_at=START + 10 * DAY)
    written(version, status="shadow", frozen_at=START, shadow_until=timezone.now() + DAY)
    arrive(factories.guild(), 9)
    arrive(factories.guild(), 10)
    detect()
    assert outcomes(version) == ["shadow"]
    assert versions_expire_due() == 1
    version.refresh_from_db()
    assert version.status == "retired"


# --- the end of a shadow ------------------------------------------------------------------------------------------------
def test_a_shadow_judges_until_its_end_and_goes_on_when_it_is_extended() -> None:
    version = factories.version(status="draft", live_since=None)
    shadow_start(actor=LAUNCHER, version_id=version.pk, reason="See what it finds.")
    guild = factories.guild()
    arrive(guild, 0)
    arrive(guild, time=timezone.now() + 15 * DAY)  # dated beyond the end
    detect()
    assert outcomes(version) == ["shadow"]
    shadow_stop(actor=LAUNCHER, version_id=version.pk, reason="Seen enough.")
    arrive(guild, 1)
    assert detect() == 1
    assert outcomes(version) == ["shadow"]
    shadow_extend(actor=LAUNCHER, version_id=version.pk, until=timezone.now() + DAY, reason="Not quite.")
    arrive(guild, 2)
    detect()
    assert outcomes(version) == ["shadow", "shadow"]
    assert not Violation.objects.exists()


def test_a_shadow_looks_at_the_markets_it_names_only() -> None:
    here = factories.market("HERE")
    version = factories.version(status="shadow", live_since=None, markets=["HERE"])
    arrive(factories.guild(market=here))
    arrive(factories.guild())
    detect()
    assert Detection.objects.get(version=version).market == here
