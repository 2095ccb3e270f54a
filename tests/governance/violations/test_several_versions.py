"""Several versions of a rule live at once: which one judges whom, what the others keep, and what pausing one of them means."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from governance.models import (
    Detection,
    EvaluationFault,
    Event,
    LivePeriod,
    PendingSignal,
    RuleVersion,
    Violation,
)
from governance.rules.rollout import governed
from governance.rules.services import version_pause, version_resume, version_retire
from governance.violations import detection_writing
from governance.violations.detection_queue import release
from guilds.accounts.actor import Actor
from guilds.models import Guild, Market
from tests import factories
from tests.governance.violations.detecting import DAY, START, arrive, days, detect, wait

pytestmark = pytest.mark.django_db

LAUNCHER = Actor.system("launcher")
SALT = "a launch"


@pytest.fixture
def here() -> Market:
    return factories.market("HERE")


def guild_that_is(part: str, market: Market, *, share: int = 50, holdout: int = 20) -> Guild:
    """A guild that the salt puts there."""
    number = Guild.objects.count()
    while governed(f"g{number}", salt=SALT, share=share, holdout=holdout) != part:
        number += 1
    return factories.guild(f"g{number}", market=market)


def rolled_out(
    version: RuleVersion,
    market: Market | None,
    *,
    since: dt.datetime = START,
    until: dt.datetime | None = None,
    share: int = 50,
    holdout: int = 20,
) -> None:
    LivePeriod.objects.create(
        version=version,
        market=market,
        starts_at=since,
        ends_at=until,
        share=share,
        holdout=holdout,
        salt=SALT,
    )


def two_versions(here: Market, **newer: Any) -> tuple[RuleVersion, RuleVersion]:
    """One live everywhere, and its successor live in one market for half of its guilds less a fifth."""
    rule = factories.rule()
    old = factories.version(rule)
    new = factories.version(rule, live_since=None, **newer)
    rolled_out(new, here)
    return old, new


def found(version: RuleVersion) -> list[tuple[str, str]]:
    rows = Detection.objects.filter(version=version).order_by("occurred_at", "id")
    return [(str(guild), outcome) for guild, outcome in rows.values_list("guild__external_id", "outcome")]


# --- who is judged by which -----------------------------------------------------------------------------------------
def test_the_newest_version_judges_its_guilds_and_the_older_one_the_rest(here: Market) -> None:
    old, new = two_versions(here)
    inside, waiting, out = (guild_that_is(part, here) for part in ("governed", "waiting", "held_out"))
    elsewhere = factories.guild("elsewhere")
    for guild in (inside, waiting, out, elsewhere):
        arrive(guild)
    detect()
    assert set(Violation.objects.values_list("guild", "version")) == {
        (inside.pk, new.pk),
        (waiting.pk, old.pk),
        (out.pk, old.pk),
        (elsewhere.pk, old.pk),
    }
    assert set(found(new)) == {
        (inside.external_id, "opened"),
        (waiting.external_id, "held_out"),
        (out.external_id, "held_out"),
    }
    held = Detection.objects.filter(outcome="held_out")
    assert held.filter(mode="live", violation=None).count() == held.count() == 2
    assert held.exclude(explanation={}).count() == 2
    assert Event.objects.count() == 4  # of violations; holding out is not an act


def test_without_an_older_version_a_guild_held_out_is_only_looked_at(here: Market) -> None:
    version = factories.version(live_since=None)
    rolled_out(version, here)
    out = guild_that_is("held_out", here)
    arrive(out, data={"bad": False})
    arrive(out)
    detect()
    assert found(version) == [(out.external_id, "held_out")]
    assert not Violation.objects.exists()
    assert not Event.objects.exists()


def test_held_out_is_noted_once_per_version_and_signal(here: Market) -> None:
    two_versions(here)
    signal = arrive(guild_that_is("held_out", here))
    detect()
    wait(signal)
    detect()
    assert Detection.objects.filter(outcome="held_out").count() == 1
    assert Violation.objects.count() == 1


def test_three_versions_are_asked_from_the_newest_on(here: Market) -> None:
    rule = factories.rule()
    oldest = factories.version(rule)
    middle = factories.version(rule, live_since=None, when="signal.worse == true")
    rolled_out(middle, here, share=100, holdout=0)
    newest = factories.version(rule, live_since=None)
    rolled_out(newest, here)
    out = guild_that_is("held_out", here)
    arrive(out, 0)
    arrive(out, 1, data={"worse": True})
    detect()
    assert found(newest) == [(out.external_id, "held_out")]
    assert found(middle) == [(out.external_id, "opened")]
    assert found(oldest) == []  # the middle one was in force, and did not match on the first day


def test_the_charged_guild_decides_not_the_one_that_sent(here: Market) -> None:
    old, new = two_versions(here, charge="own")
    inside, out = guild_that_is("governed", here), guild_that_is("held_out", here)
    arrive(inside, 0, named_guild=out)
    arrive(out, 1, named_guild=inside)
    detect()
    assert found(new) == [(out.external_id, "held_out"), (inside.external_id, "opened")]
    # the older wording charges the holder, and each decides for itself whom it would charge
    assert Violation.objects.filter(version=old).get().guild == inside


def test_a_growing_share_counts_from_its_own_moment_on(here: Market) -> None:
    rule = factories.rule()
    first, new = factories.version(rule), factories.version(rule, live_since=None)
    rolled_out(new, here, until=START + 10 * DAY, holdout=0)
    rolled_out(new, here, since=START + 10 * DAY, share=100, holdout=0)
    waiting = guild_that_is("waiting", here, holdout=0)
    arrive(waiting, 9)
    arrive(waiting, 10)
    detect()
    assert (days(first), days(new)) == ([9], [10])


def test_a_period_of_every_market_is_of_those_that_the_version_names(here: Market) -> None:
    rule = factories.rule()
    old = factories.version(rule)
    new = factories.version(rule, markets=["HERE"])  # live since ever as well, by the demo's door
    there = factories.guild()
    arrive(factories.guild(market=here))
    arrive(there)
    detect()
    assert Violation.objects.get(version=old).guild == there
    assert Violation.objects.get(version=new).market == here


def test_a_fault_of_the_newer_version_does_not_stop_the_older_one(here: Market) -> None:
    _old, new = two_versions(here, when='signal.bad == true && signal.amount > "x"')
    out, inside = guild_that_is("held_out", here), guild_that_is("governed", here)
    arrive(out, data={"bad": True, "amount": 1})
    arrive(inside, data={"bad": True, "amount": 1})
    detect()
    assert Violation.objects.get().guild == out
    assert set(EvaluationFault.objects.values_list("version", flat=True)) == {new.pk}
    assert EvaluationFault.objects.count() == 2


# --- superseded and withdrawn ------------------------------------------------------------------------------------------
def test_a_superseded_version_answers_for_late_signals_and_a_withdrawn_one_does_not(here: Market) -> None:
    rule = factories.rule()
    first = factories.version(rule, status="retired")
    LivePeriod.objects.filter(version=first).update(ends_at=START + 10 * DAY)
    rolled_back = factories.version(rule, live_since=None)
    rolled_out(rolled_back, here, since=START + 10 * DAY, share=100, holdout=0)
    version_retire(actor=LAUNCHER, version_id=rolled_back.pk, reason="It hit the wrong guilds.")
    LivePeriod.objects.filter(version=rolled_back).update(ends_at=START + 20 * DAY)
    third = factories.version(rule, live_since=None)
    rolled_out(third, here, since=START + 30 * DAY, share=100, holdout=0)
    guild = factories.guild(market=here)
    for day in (5, 15, 35):
        arrive(guild, day)
    detect()
    assert (days(first), days(rolled_back), days(third)) == ([5], [], [35])


# --- pausing one of several ---------------------------------------------------------------------------------------------
def test_pausing_a_version_stops_that_version_alone(here: Market) -> None:
    old, new = two_versions(here)
    inside, out = guild_that_is("governed", here), guild_that_is("held_out", here)
    version_pause(actor=LAUNCHER, version_id=new.pk, reason="Look again.")
    arrive(inside)
    arrive(out)
    detect()
    assert Violation.objects.get().guild == out  # by the older version, which goes on
    # both wait for the paused one: the one to be judged, the other to be looked at
    assert list(PendingSignal.objects.values_list("version", flat=True)) == [new.pk] * 2
    assert release() == 0
    version_resume(actor=LAUNCHER, version_id=new.pk, reason="All is well.")
    assert release() == 2
    detect()
    assert set(found(new)) == {(inside.external_id, "opened"), (out.external_id, "held_out")}
    assert found(old) == [(out.external_id, "opened")]
    assert Violation.objects.count() == 2
    assert not PendingSignal.objects.exists()


def test_pausing_the_older_version_leaves_the_newer_one(here: Market) -> None:
    old, new = two_versions(here)
    inside, out = guild_that_is("governed", here), guild_that_is("held_out", here)
    version_pause(actor=LAUNCHER, version_id=old.pk, reason="Look again.")
    arrive(inside)
    arrive(out)
    detect()
    assert Violation.objects.get().guild == inside
    assert list(PendingSignal.objects.values_list("version", flat=True)) == [old.pk]
    version_resume(actor=LAUNCHER, version_id=old.pk, reason="All is well.")
    release()
    detect()
    assert found(old) == [(out.external_id, "opened")]
    assert set(found(new)) == {(inside.external_id, "opened"), (out.external_id, "held_out")}


def test_a_superseded_version_waits_only_while_no_other_is_live(here: Market) -> None:
    rule = factories.rule()
    first = factories.version(rule, status="retired")
    LivePeriod.objects.filter(version=first).update(ends_at=START + 10 * DAY)
    second, third = factories.version(rule, live_since=None), factories.version(rule, live_since=None)
    rolled_out(second, here, since=START + 10 * DAY, share=100, holdout=0)
    # far from the days of the signals below, so that their batch does not even meet it
    rolled_out(third, here, since=START + 400 * DAY, share=100, holdout=0)
    guild = factories.guild(market=here)
    version_pause(actor=LAUNCHER, version_id=second.pk, reason="Wait.")
    arrive(guild, 1)
    detect()
    assert days(first) == [1]

    version_pause(actor=LAUNCHER, version_id=third.pk, reason="Wait.")
    arrive(guild, 2)
    detect()
    assert days(first) == [1]
    assert release() == 0
    version_resume(actor=LAUNCHER, version_id=third.pk, reason="Go on.")
    assert release() == 1
    detect()
    assert days(first) == [1, 2]


def test_what_waits_for_a_version_taken_back_to_shadow_is_judged_there() -> None:
    from governance.rules.shadow import shadow_start

    version = factories.version(status="paused")
    arrive(factories.guild())
    detect()
    shadow_start(actor=LAUNCHER, version_id=version.pk, reason="Only look.")
    assert release() == 1
    detect()
    assert list(Detection.objects.values_list("mode", "outcome")) == [("shadow", "shadow")]
    assert not Violation.objects.exists()


# --- the cap of several ---------------------------------------------------------------------------------------------------
def test_a_second_version_does_not_double_the_cap(here: Market) -> None:
    rule = factories.rule()
    old = factories.version(rule, cap=3)
    new = factories.version(rule, live_since=None, cap=3)
    rolled_out(new, here, holdout=0)
    inside, waiting = (guild_that_is(part, here, holdout=0) for part in ("governed", "waiting"))
    for day in range(5):
        arrive(inside, day)
        arrive(waiting, day)
    detect()
    assert Violation.objects.count() == 3
    assert set(RuleVersion.objects.values_list("status", flat=True)) == {"paused"}
    assert PendingSignal.objects.filter(version__in=[old.pk, new.pk]).count() >= 7


def test_a_version_without_a_cap_goes_on_when_the_other_stops(here: Market) -> None:
    rule = factories.rule()
    old = factories.version(rule)
    new = factories.version(rule, live_since=None, cap=1)
    rolled_out(new, here, holdout=0)
    inside, waiting = (guild_that_is(part, here, holdout=0) for part in ("governed", "waiting"))
    for day in range(3):
        arrive(inside, day)
    detect()
    arrive(waiting, 5)
    detect()
    new.refresh_from_db()
    old.refresh_from_db()
    assert (new.status, old.status) == ("paused", "live")
    assert (days(new), days(old)) == ([0], [5])


def test_a_superseded_version_at_its_cap_stops_every_version_in_force(here: Market) -> None:
    rule = factories.rule()
    old = factories.version(rule, status="retired", cap=1)
    LivePeriod.objects.filter(version=old).update(ends_at=START + 10 * DAY)
    two, three = factories.version(rule, live_since=None), factories.version(rule, live_since=None)
    for version in (two, three):
        rolled_out(version, here, since=START + 10 * DAY)
    guild = factories.guild(market=here)
    for day in (1, 2):
        arrive(guild, day)
    detect()
    assert days() == [1]
    for version in (two, three):
        version.refresh_from_db()
        assert version.status == "paused"
        assert "More than 1 violations in market HERE" in version.status_reason
    assert PendingSignal.objects.get().version == old


@pytest.mark.parametrize("becomes", ["paused", "retired", "shadow"])
def test_a_version_stopped_while_a_batch_judges_opens_nothing(
    monkeypatch: pytest.MonkeyPatch, becomes: str
) -> None:
    from django.utils import timezone

    version = factories.version()
    arrive(factories.guild())
    lock = detection_writing._lock

    def stop_and_lock(live: Any) -> None:
        withdrawn = timezone.now() if becomes == "retired" else None
        RuleVersion.objects.filter(pk=version.pk).update(status=becomes, withdrawn_at=withdrawn)
        lock(live)

    monkeypatch.setattr(detection_writing, "_lock", stop_and_lock)
    detect()
    assert not Violation.objects.exists()
    assert PendingSignal.objects.get().version == version
    monkeypatch.undo()
    release()
    detect()
    assert not Violation.objects.exists()
    assert Detection.objects.filter(outcome="shadow").count() == (becomes == "shadow")


def test_resuming_onto_a_backlog_beyond_the_cap_pauses_again() -> None:
    version = factories.version(cap=2)
    guild = factories.guild()
    for day in range(5):
        arrive(guild, day)
    detect()
    for opened in (2, 4, 5):
        assert Violation.objects.count() == opened
        version.refresh_from_db()
        if opened == 5:
            break
        assert version.status == "paused"
        # within the hour the cap is still used up: it stops again at once, and opens nothing
        version_resume(actor=LAUNCHER, version_id=version.pk, reason="Go on.")
        release()
        detect()
        version.refresh_from_db()
        assert (version.status, Violation.objects.count()) == ("paused", opened)
        Violation.objects.update(detected_at=START)
        version_resume(actor=LAUNCHER, version_id=version.pk, reason="Go on.")
        release()
        detect()
    assert version.status == "live"
    assert not PendingSignal.objects.exists()
    assert Event.objects.filter(act="rule_version.paused").count() == 4
