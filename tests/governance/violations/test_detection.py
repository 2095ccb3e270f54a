"""From signals to violations: who is charged, when, by which version, and what opens nothing."""

from __future__ import annotations

import datetime as dt

import pytest

from governance.ledger.models import Event
from governance.models import Detection, EvaluationFault, LivePeriod, PendingSignal, RuleVersion, Violation
from governance.rules.services import version_pause, version_resume, version_retire
from governance.violations import detection_writing
from governance.violations.services import detect_batch, fault_retry
from guilds.accounts.actor import Actor
from guilds.errors import InvalidTransition
from tests import factories
from tests.governance.violations.detecting import DAY, START, arrive, days, detect, wait

pytestmark = pytest.mark.django_db

LAUNCHER = Actor.system("launcher")


def outcomes() -> list[str]:
    return list(Detection.objects.order_by("occurred_at", "id").values_list("outcome", flat=True))


# --- what opens -----------------------------------------------------------------------------------------------------
def test_an_automatic_rule_confirms_at_once_and_tells_the_ledger() -> None:
    version = factories.version(factories.rule("AUTO-1"), review="auto", severity="S2")
    guild = factories.guild("alpha")
    signal = arrive(guild)

    assert detect() == 1

    violation = Violation.objects.get()
    assert (violation.status, violation.sanction_due, violation.severity) == ("confirmed", True, "S2")
    assert violation.decided_at == violation.detected_at
    assert (violation.version, violation.occurred_at) == (version, START)
    detection = Detection.objects.get()
    assert (detection.signal_key_id, detection.violation, detection.outcome, detection.mode) == (
        signal.pk,
        violation,
        "opened",
        "live",
    )
    assert detection.explanation["conditions"][0]["values"] == {"signal.bad": True}
    assert violation.explanation == detection.explanation
    event = Event.objects.get()
    assert (event.act, event.object_id, event.actor_label) == (
        "violation.confirmed",
        str(violation.public_id),
        "rule AUTO-1/1",
    )
    assert event.after["guild"] == "alpha"
    assert (event.guild, event.market) == (guild, guild.market)
    assert not PendingSignal.objects.exists()


@pytest.mark.parametrize("review", ["human", "dual"])
def test_a_rule_with_reviewers_opens_and_waits(review: str) -> None:
    factories.version(review=review)
    arrive(factories.guild())
    detect()
    violation = Violation.objects.get()
    assert (violation.status, violation.sanction_due, violation.decided_at) == ("open", False, None)
    assert Event.objects.get().act == "violation.opened"


def test_what_does_not_match_leaves_no_trace() -> None:
    factories.version()
    guild = factories.guild()
    arrive(guild, data={"bad": False})
    arrive(guild, data={})
    arrive(guild, data={"bad": None})
    assert detect() == 3
    assert not Detection.objects.exists()
    assert not EvaluationFault.objects.exists()
    assert not PendingSignal.objects.exists()


def test_other_types_and_markets_are_not_its_business() -> None:
    here, there = factories.market("HERE"), factories.market("THERE")
    factories.version(markets=["HERE"])
    arrive(factories.guild(market=here), type="other.signal")
    arrive(factories.guild(market=there))
    inside = arrive(factories.guild(market=here))
    detect()
    assert list(Detection.objects.values_list("signal_key_id", flat=True)) == [inside.pk]


def test_measures_are_as_of_each_signals_own_time() -> None:
    factories.version(
        measures=[{"name": "bad_10d", "where": "signal.bad == true", "window": "10d", "aggregate": "count"}],
        when="bad_10d >= 3",
    )
    guild = factories.guild()
    for day in (30, 0, 12, 10, 5, 10.5):  # they may come in any order
        arrive(guild, day)
    detect()
    # 10: the one of day 0 is exactly ten days old and out; 10.5: 5, 10, 10.5; 12: 5, 10, 10.5, 12
    assert days() == [10.5, 12]


# --- one violation per subject and moment, cooldown ---------------------------------------------------------------------
def test_signals_of_one_moment_open_one_violation() -> None:
    factories.version()
    guild = factories.guild()
    first = arrive(guild)
    arrive(guild)
    detect()
    late = arrive(guild)
    detect()
    violation = Violation.objects.get()
    assert outcomes() == ["opened", "joined", "joined"]
    assert set(violation.detections.values_list("outcome", "violation")) == {
        ("opened", violation.pk),
        ("joined", violation.pk),
    }
    assert Detection.objects.get(outcome="opened").signal_key_id == first.pk
    assert Detection.objects.filter(signal_key=late.pk).get().outcome == "joined"
    assert Event.objects.count() == 1


def test_a_cooldown_shields_less_than_its_length_on_both_sides() -> None:
    factories.version(cooldown="7d")
    guild = factories.guild()
    arrive(guild, 0)
    arrive(guild, 6.999)
    arrive(guild, 7)
    detect()
    assert days() == [0, 7]
    # a signal that comes late is shielded by what follows it
    arrive(guild, -6.5)
    arrive(guild, -7)
    detect()
    assert days() == [-7, 0, 7]
    assert outcomes() == ["opened", "cooldown", "opened", "cooldown", "opened"]


def test_a_dismissed_violation_still_shields() -> None:
    version = factories.version(cooldown="7d")
    guild = factories.guild()
    factories.violation(guild, version, status="dismissed", occurred_at=START)
    arrive(guild, 3)
    arrive(guild, 0)
    detect()
    assert days() == [0]


def test_a_cooldown_is_the_subjects_own() -> None:
    factories.version(cooldown="7d")
    guild = factories.guild()
    arrive(guild, 0, creator=factories.creator())
    arrive(guild, 1, creator=factories.creator())
    arrive(guild, 2)
    arrive(factories.guild(), 3)
    detect()
    assert days() == [0, 1, 2, 3]


# --- who is charged -----------------------------------------------------------------------------------------------------
def test_the_holder_of_the_creator_answers_for_the_creator() -> None:
    factories.version(charge="share")
    holder, named, creator = factories.guild(), factories.guild(), factories.creator()
    arrive(holder, named_guild=named, creator=creator)
    detect()
    violation = Violation.objects.get()
    assert (violation.guild, violation.creator) == (holder, creator)
    assert violation.subject == f"g{holder.pk}c{creator.pk}"
    assert Detection.objects.get().guild == holder


def test_an_act_of_its_own_is_charged_to_the_guild_named() -> None:
    factories.version(charge="own")
    holder, named = factories.guild(), factories.guild()
    arrive(holder, named_guild=named, creator=factories.creator())
    arrive(holder, named_guild=named, creator=factories.creator())
    arrive(holder, 1)
    detect()
    assert not Violation.objects.filter(creator__isnull=False).exists()
    assert set(Violation.objects.values_list("guild", "subject")) == {
        (named.pk, f"g{named.pk}"),
        (holder.pk, f"g{holder.pk}"),
    }


# --- from when to when --------------------------------------------------------------------------------------------------
def test_nothing_opens_before_the_version_was_live() -> None:
    version = factories.version(live_since=START + DAY)
    guild = factories.guild()
    for day in (0, 0.99999, 1, 2):
        arrive(guild, day)
    detect()
    assert days(version) == [1, 2]


def test_a_live_period_may_be_of_one_market() -> None:
    here, there = factories.market("HERE"), factories.market("THERE")
    version = factories.version(live_since=None)
    LivePeriod.objects.create(version=version, market=here, starts_at=START)
    arrive(factories.guild(market=here))
    arrive(factories.guild(market=there))
    detect()
    assert Violation.objects.get().market == here


def test_a_superseded_version_answers_for_its_own_days_and_the_new_one_for_the_rest() -> None:
    rule = factories.rule()
    old = factories.version(rule, status="retired")
    LivePeriod.objects.filter(version=old).update(ends_at=START + 20 * DAY)
    new = factories.version(rule, live_since=START + 10 * DAY, when="signal.worse == true")
    guild = factories.guild()
    arrive(guild, 9, data={"bad": True})
    arrive(guild, 11, data={"bad": True})  # by then the new wording is in force
    arrive(guild, 12, data={"worse": True})
    detect()
    assert (days(old), days(new)) == ([9], [12])


def test_a_version_retired_by_a_person_is_out_at_once() -> None:
    version = factories.version()
    version_retire(actor=LAUNCHER, version_id=version.pk, reason="It was wrong.")
    arrive(factories.guild())
    assert detect() == 1
    assert not Detection.objects.exists()


def test_shadow_leaves_detections_and_nothing_else() -> None:
    shadow = factories.version(status="shadow", live_since=None, cooldown="30d")
    live = factories.version()
    guild = factories.guild()
    arrive(guild)
    arrive(guild, 1)
    detect()
    assert set(Violation.objects.values_list("version", flat=True)) == {live.pk}
    shadowed = Detection.objects.filter(version=shadow)
    assert list(shadowed.values_list("mode", "outcome")) == [("shadow", "shadow")] * 2
    assert not shadowed.filter(violation__isnull=False).exists()
    assert Event.objects.filter(actor_label__contains=shadow.public_id).count() == 0


# --- pause and cap --------------------------------------------------------------------------------------------------
def test_a_paused_rule_keeps_its_signals_until_it_resumes() -> None:
    paused, other = factories.version(), factories.version()
    guild = factories.guild()
    arrive(guild, 0)
    detect()
    version_pause(actor=LAUNCHER, version_id=paused.pk, reason="Too many complaints.")
    arrive(guild, 1)
    arrive(guild, 2, data={"bad": False})
    arrive(guild, 3, type="other.signal")
    assert detect() == 3
    assert (days(paused), days(other)) == ([0], [0, 1])
    assert detect() == 0
    assert list(PendingSignal.objects.values_list("version", flat=True)) == [paused.pk] * 2

    version_resume(actor=LAUNCHER, version_id=paused.pk, reason="It was right after all.")
    from governance.violations.detection_queue import release

    assert release() == 2
    assert detect() == 2
    assert (days(paused), days(other)) == ([0, 1], [0, 1])
    assert not PendingSignal.objects.exists()


def test_what_waits_for_a_rule_that_is_retired_is_dropped() -> None:
    from governance.violations.detection_queue import release

    version = factories.version(status="paused")
    arrive(factories.guild())
    detect()
    assert release() == 0
    version_retire(actor=LAUNCHER, version_id=version.pk, reason="Gone.")
    assert release() == 1
    assert detect() == 1
    assert not PendingSignal.objects.exists()
    assert not Detection.objects.exists()


def test_a_rule_that_hits_its_cap_pauses_itself_and_asks_a_human() -> None:
    from governance.violations.detection_queue import release

    capped, other = factories.version(cap=3), factories.version()
    guild = factories.guild()
    for day in range(6):
        arrive(guild, day)
    detect()
    assert (days(capped), days(other)) == ([0, 1, 2], [0, 1, 2, 3, 4, 5])
    capped.refresh_from_db()
    assert capped.status == "paused"
    assert "More than 3 violations" in capped.status_reason
    event = Event.objects.get(act="rule_version.paused")
    assert (event.actor_kind, event.object_id) == ("system", capped.public_id)
    assert PendingSignal.objects.count() == 3

    # what a human lets go on is judged from where it stopped; the hour is over by then
    Violation.objects.update(detected_at=START)
    version_resume(actor=LAUNCHER, version_id=capped.pk, reason="A real wave.")
    release()
    detect()
    assert days(capped) == [0, 1, 2, 3, 4, 5]
    assert not PendingSignal.objects.exists()


def test_a_cap_counts_per_market_and_the_last_hour_only() -> None:
    version = factories.version(cap=2)
    one, two = factories.guild(), factories.guild()
    an_hour_ago = dt.timedelta(minutes=61)
    arrive(one, 0)
    arrive(one, 1)
    detect()
    Violation.objects.update(detected_at=Violation.objects.first().detected_at - an_hour_ago)  # type: ignore[union-attr]
    arrive(one, 2)
    arrive(one, 3)
    arrive(two, 0)
    arrive(two, 1)
    detect()
    version.refresh_from_db()
    assert version.status == "live"
    assert Violation.objects.count() == 6


def test_exactly_the_cap_pauses_nothing_and_joining_costs_nothing() -> None:
    version = factories.version(cap=1)
    guild = factories.guild()
    for _ in range(3):
        arrive(guild)
    detect()
    version.refresh_from_db()
    assert (version.status, outcomes()) == ("live", ["opened", "joined", "joined"])


def test_a_superseded_version_at_its_cap_pauses_the_rule() -> None:
    rule = factories.rule()
    old = factories.version(rule, status="retired", cap=1)
    LivePeriod.objects.filter(version=old).update(ends_at=START + 10 * DAY)
    new = factories.version(rule, live_since=START + 10 * DAY)
    guild = factories.guild()
    for day in (1, 2, 11):
        arrive(guild, day)
    detect()
    new.refresh_from_db()
    assert new.status == "paused"
    assert days() == [1]
    assert PendingSignal.objects.count() == 2


# --- faults -------------------------------------------------------------------------------------------------------------
def test_a_version_that_fails_on_a_signal_leaves_a_fault_and_the_others_go_on() -> None:
    failing, other = factories.version(when='signal.bad == true && signal.amount > "x"'), factories.version()
    guild = factories.guild()
    signal = arrive(guild, data={"bad": True, "amount": 5})
    arrive(guild, 1, data={"bad": True})
    assert detect() == 2
    assert days(other) == [0, 1]
    fault = EvaluationFault.objects.get()
    assert (fault.version, fault.signal_key_id, fault.status) == (failing, signal.pk, "open")
    assert fault.error

    fault_retry(actor=LAUNCHER, fault_id=fault.pk, reason="Try again.")
    assert PendingSignal.objects.get().version == failing
    with pytest.raises(InvalidTransition):
        fault_retry(actor=LAUNCHER, fault_id=fault.pk, reason="Again.")
    assert detect() == 1
    fault.refresh_from_db()
    assert fault.status == "open"
    assert days(other) == [0, 1]


def test_a_version_that_does_not_compile_leaves_faults_and_the_others_go_on() -> None:
    broken, other = factories.version(when="nonsense >"), factories.version()
    arrive(factories.guild())
    arrive(factories.guild(), type="other.signal")
    detect()
    assert days(other) == [0]
    assert EvaluationFault.objects.get().version == broken


def test_a_measure_that_postgresql_refuses_leaves_faults_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from governance.engine.sql import measure_sql
    from governance.engine.where_sql import SqlFragment
    from governance.violations import measures

    monkeypatch.setattr(
        measures,
        "measure_sql",
        lambda measure, **options: (
            SqlFragment("SELECT 1/0", {}) if measure.window == 13 * DAY else measure_sql(measure, **options)
        ),
    )
    refused = factories.version(measures=[{"name": "n", "window": "13d"}], when="n > 0")
    other = factories.version(measures=[{"name": "n", "window": "14d"}], when="n > 0")
    arrive(factories.guild())
    detect()
    assert days(other) == [0]
    fault = EvaluationFault.objects.get()
    assert fault.version == refused
    assert "division by zero" in fault.error


def test_numbers_beyond_every_bound_do_not_stop_a_batch() -> None:
    from django.db import connection

    version = factories.version(when="signal.amount > 5")
    guild = factories.guild()
    for day, amount in enumerate(("1e400", "-1e400", "9" * 40, "6")):
        signal = factories.signal(guild, time=START + day * DAY, data={})
        with connection.cursor() as cursor:
            # Signals are append-only: the table's guard is set aside to plant what no import lets in.
            cursor.execute("ALTER TABLE governance_signal DISABLE TRIGGER signal_append_only")
            cursor.execute(
                "UPDATE governance_signal SET data = %s::jsonb WHERE id = %s",
                [f'{{"amount": {amount}}}', signal.pk],
            )
            cursor.execute("ALTER TABLE governance_signal ENABLE TRIGGER signal_append_only")
        wait(signal)
    assert detect() == 4
    assert days(version) == [0, 2, 3]


# --- once, and only once --------------------------------------------------------------------------------------------
def test_a_signal_judged_twice_leaves_what_the_first_time_left() -> None:
    factories.version()
    signal = arrive(factories.guild())
    detect()
    wait(signal)
    wait(signal)
    assert detect() == 2
    assert (Violation.objects.count(), Detection.objects.count(), Event.objects.count()) == (1, 1, 1)


def test_a_batch_that_dies_leaves_nothing_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.version(cap=1)
    guild = factories.guild()
    arrive(guild)
    arrive(guild, 1)

    def die(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(detection_writing, "_insert_faults", die)
        with pytest.raises(KeyboardInterrupt):
            detect()
    assert PendingSignal.objects.filter(version=None).count() == 2
    assert not Violation.objects.exists()
    assert not Detection.objects.exists()
    assert not Event.objects.exists()
    assert RuleVersion.objects.get().status == "live"
    detect()
    assert Violation.objects.count() == 1


def test_a_batch_takes_the_oldest_first() -> None:
    factories.version(cooldown="7d")
    guild = factories.guild()
    for day in (3, 2, 1, 0):
        arrive(guild, day)
    assert detect_batch(shard=guild.pk % 8, limit=1) == 1
    assert days() == [0]


def test_the_number_of_queries_does_not_grow_with_the_batch(django_assert_num_queries: object) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    for _ in range(3):
        factories.version(
            cap=10_000,
            cooldown="1h",
            measures=[{"name": "n", "where": "signal.bad == true", "window": "30d"}],
            when="signal.bad == true && n >= 1",
        )
    factories.version(when='signal.amount > "x"')
    guilds = [factories.guild() for _ in range(16)]
    counts = []
    for size in (4, 40):
        for index in range(size):
            arrive(guilds[0], index + size, data={"bad": True, "amount": 1})
            wait(factories.signal(guilds[8], time=START, creator=factories.creator()))
        PendingSignal.objects.update(shard=0)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert detect_batch(shard=0) == 2 * size
        counts.append(len(queries))
    assert counts[1] <= counts[0]
    assert counts[0] < 60
