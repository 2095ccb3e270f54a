"""The demo world: the same seed makes the same world, every queue has work, and the truth fits what the detectors saw."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import stat
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from appeals.models import Appeal
from appeals.selectors import appeals_visible_to, open_appeals
from config.world.behaviour import draw_behaviour
from config.world.population import draw_population
from config.world.seed import Seeded, seed_world
from config.world.spec import load_world
from governance.education.selectors import lessons_for
from governance.engine import check_rule
from governance.launches.gating import start_blocks
from governance.models import (
    Approval,
    Assessment,
    Attempt,
    Completion,
    Detection,
    Endpoint,
    EvaluationFault,
    Event,
    Feedback,
    Launch,
    LivePeriod,
    Penalty,
    PendingSignal,
    PointEntry,
    QuarantinedSignal,
    Restriction,
    Review,
    RuleVersion,
    Signal,
    Standing,
    Violation,
)
from governance.penalties.enums import PenaltyKind
from governance.penalties.selectors import penalties_visible_to
from governance.review.selectors import my_queue
from governance.risks.selectors import risks_without_rule
from governance.rules.policy import parse_policy
from governance.workbench.selectors import approvals_waiting
from guilds.accounts.actor import Actor
from guilds.models import Activity, Creator, Guild, GuildUser, Membership, User

TODAY = dt.datetime.now(tz=dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
GUILDS, DAYS, SEED = 24, 100, 11
PORTAL_GUILDS = ("demo-de", "demo-mx", "demo-br")


@dataclass(frozen=True)
class Built:
    """One world in the database, what an earlier build of it looked like, and its files."""

    seeded: Seeded
    earlier: dict[str, str]
    data_dir: Path

    def truth(self) -> Any:
        return json.loads((self.data_dir / "demo-truth.json").read_text())

    def logins(self) -> Any:
        return json.loads((self.data_dir / "demo-logins.json").read_text())


@pytest.fixture(scope="module")
def built(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
    """A small world, built twice with other keys in the database, rolled back when the module is through."""
    data_dir = tmp_path_factory.mktemp("demo")

    def build() -> Seeded:
        return seed_world(guilds=GUILDS, days=DAYS, seed=SEED, today=TODAY, data_dir=data_dir)

    with django_db_blocker.unblock(), override_settings(GUILDHALL_ENV="demo"), transaction.atomic():
        before = transaction.savepoint()
        build()
        earlier = digests()
        transaction.savepoint_rollback(before)
        yield Built(build(), earlier, data_dir)
        transaction.set_rollback(True)


def digests() -> dict[str, str]:
    """A hash per table over everything but keys, random ids and passwords."""
    rows = {
        "guilds": Guild.objects.values_list("external_id", "name", "market__code", "tier", "status"),
        "creators": Creator.objects.values_list("external_id", "name", "market__code"),
        "memberships": Membership.objects.values_list(
            "guild__external_id", "creator__external_id", "starts_at", "ends_at"
        ),
        "activity": Activity.objects.values_list(
            "guild__external_id", "date", "live_hours", "active_creators", "gift_revenue"
        ),
        "signals": Signal.objects.values_list(
            "event_id", "time", "type", "guild__external_id", "creator__external_id", "data", "received_at"
        ),
        "violations": Violation.objects.values_list(
            "rule__code", "guild__external_id", "occurred_at", "detected_at", "status", "decided_at"
        ),
        "reviews": Review.objects.values_list(
            "violation__occurred_at", "reviewer__email", "verdict", "created_at"
        ),
        "points": PointEntry.objects.values_list(
            "guild__external_id", "points", "reason", "at", "expires_at"
        ),
        "standings": Standing.objects.values_list("guild__external_id", "score", "band"),
        "penalties": Penalty.objects.values_list(
            "guild__external_id", "version__rule__code", "kind", "status", "starts_at", "ends_at", "ended_at"
        ),
        "restrictions": Restriction.objects.values_list(
            "guild__external_id", "kind", "starts_at", "lifted_at"
        ),
        "appeals": Appeal.objects.values_list(
            "guild__external_id", "filed_at", "grounds", "status", "outcome", "settled_at"
        ),
        # The receiver of webhooks and the launch are made after the world's year, at the true time.
        # What samples draw hangs on the keys of the database, and so does who judges it.
        "events": Event.objects.filter(at__lte=TODAY)
        .exclude(act__in=["sample.drawn", "sample.handed_out", "case.judged", "finding.opened"])
        .values_list("at", "act", "guild__external_id", "reason"),
    }
    return {
        table: hashlib.sha256("\n".join(sorted(map(repr, found))).encode()).hexdigest()
        for table, found in rows.items()
    }


def staff(role: str) -> Actor:
    return Actor.staff(User.objects.get(email=f"{role}@demo.guildhall.test"))


def owner(guild: str) -> Actor:
    return Actor.guild_user(GuildUser.objects.get(guild__external_id=guild, role="owner"))


# --- the files ------------------------------------------------------------------------------------------------------
def test_the_default_policy_covers_every_code_of_the_taxonomy_and_every_rule_is_sound() -> None:
    world = load_world()
    policy = parse_policy(world.policy_text, known_kinds=PenaltyKind.values)
    codes = {
        *("MIN-01", "SEX-01", "FRD-01", "AML-01", "BRB-01", "GFT-01", "GFT-02", "DAT-01", "DAT-02", "INC-01"),
        *("POA-01", "POA-02", "REC-01", "REC-02", "REC-03", "CON-01", "CON-02", "PAY-01", "ACC-01", "BCK-01"),
        *("HAR-01", "RPT-01", "OBS-01", "EDU-01", "LIC-01"),
    }
    assert {rule.violation_code for rule in policy.rules} == codes
    assert {rule.code: check_rule(rule) for rule in policy.rules if check_rule(rule)} == {}
    assert {rule.risk for rule in policy.rules} == {risk.code for risk in policy.risks}
    assert all(rule.review == "dual" for rule in policy.rules if rule.severity == "S1")
    assert {ladder.points for ladder in policy.ladders} == {50, 10, 5, 2}
    assert [band.at_or_below for band in policy.bands] == [80, 70, 60, 50]
    assert len(policy.markets) == 12


# --- the drawing, without a database ----------------------------------------------------------------------------------
def test_detectors_see_as_much_and_as_truly_as_the_files_say() -> None:
    world = load_world()
    population = draw_population(world, seed=3, today=TODAY, guilds=300, days=365)
    behaviour = draw_behaviour(world, population, seed=3)
    raised = Counter((alarm.rule, alarm.true) for alarm in behaviour.alarms if not marked(behaviour, alarm))
    true_days: Counter[str] = Counter()
    for (guild, rule), days in behaviour.misdeeds.items():
        true_days[rule] += sum((guild, rule, day) not in behaviour.marked for day in days)
    for rule, conduct in world.conducts.items():
        caught, false = raised[rule, True], raised[rule, False]
        expected = true_days[rule] * conduct.recall
        spread = math.sqrt(true_days[rule] * conduct.recall * (1 - conduct.recall))
        assert abs(caught - expected) <= 4 * spread + 1, rule
        wrong = expected * (1 - conduct.precision) / conduct.precision
        assert abs(false - wrong) <= 4 * math.sqrt(wrong) + 1, rule
    assert sum(true_days.values()) > 500


def marked(behaviour: Any, alarm: Any) -> bool:
    return (alarm.guild, alarm.rule, alarm.day) in behaviour.marked


def test_another_seed_is_another_world_and_no_guild_is_ever_empty_handed() -> None:
    world = load_world()
    one, two = (draw_population(world, seed=seed, today=TODAY, guilds=40, days=120) for seed in (1, 2))
    assert [life.name for life in one.guilds.values()] != [life.name for life in two.guilds.values()]
    assert {life.market for life in one.guilds.values()} == {market.code for market in world.policy.markets}
    moved = Counter(stay.creator for stay in one.stays())
    assert max(moved.values()) == 2
    assert all(life.stays for life in one.guilds.values())


# --- the database -----------------------------------------------------------------------------------------------------
def test_the_same_seed_makes_the_same_world(built: Built) -> None:
    assert digests() == built.earlier


def test_rules_fire_on_every_alarm_and_on_nothing_else(built: Built) -> None:
    alarms = {(alarm["guild"], alarm["rule"], alarm["date"]) for alarm in built.truth()["alarms"]}
    found = {
        (guild, rule, at.date().isoformat())
        for guild, rule, at in Detection.objects.filter(mode="live").values_list(
            "guild__external_id", "version__rule__code", "occurred_at"
        )
    }
    assert found == alarms
    assert len(alarms) > 20


def test_the_truth_knows_who_was_accused_wrongly(built: Built) -> None:
    truth = built.truth()
    true_days = {(one["guild"], one["rule"], one["date"]) for one in truth["misbehaviour"]}
    for alarm in truth["alarms"]:
        assert alarm["true"] == ((alarm["guild"], alarm["rule"], alarm["date"]) in true_days)
    assert set(truth["reviewers"]) == {f"reviewer{which}@demo.guildhall.test" for which in ("", "2", "3")}
    assert truth["detectors"]["GFT-CYCLE"] == {
        "type": "gift.self_gifting",
        "source": "/detectors/gifts",
        "recall": 0.8,
        "precision": 0.85,
        "rate_per_guild_year": 0.22,
    }


def test_no_signal_was_charged_to_a_guild_that_did_not_hold_the_creator(built: Built) -> None:
    held = defaultdict(list)
    for creator, guild, starts_at, ends_at in Membership.objects.values_list(
        "creator_id", "guild_id", "starts_at", "ends_at"
    ):
        held[creator].append((guild, starts_at, ends_at or TODAY))
    signals = Signal.objects.filter(creator__isnull=False).values_list("creator_id", "guild_id", "time")
    assert signals
    for creator, guild, time in signals:
        assert any(who == guild and start <= time < end for who, start, end in held[creator])


def test_history_is_dated_in_the_order_in_which_it_happened(built: Built) -> None:
    for violation in Violation.objects.all():
        assert violation.occurred_at < violation.detected_at <= TODAY
        assert violation.decided_at is None or violation.detected_at <= violation.decided_at <= TODAY
    for penalty in Penalty.objects.filter(applied_at__isnull=False).select_related("violation", "notice"):
        assert penalty.notice is not None
        assert penalty.violation.decided_at is not None
        assert penalty.applied_at is not None
        assert penalty.violation.decided_at <= penalty.notice.issued_at <= penalty.applied_at <= TODAY
    times = list(Event.objects.order_by("id").values_list("at", flat=True))
    assert times == sorted(times)
    assert times[0] == TODAY - dt.timedelta(days=DAYS)


def test_the_reviewer_has_open_violations_of_every_severity(built: Built) -> None:
    assert set(my_queue(staff("reviewer")).values_list("severity", flat=True)) == {"S1", "S2", "S3", "S4"}
    assert my_queue(staff("reviewer2")).exists()
    assert EvaluationFault.objects.filter(status="open").count() == 1


def test_the_enforcer_has_held_scheduled_and_running_penalties(built: Built) -> None:
    status = Counter(penalties_visible_to(staff("enforcer")).values_list("status", flat=True))
    assert {"held", "scheduled", "in_force", "lifted"} <= set(status)


def test_the_adjudicator_has_an_open_appeal_with_messages(built: Built) -> None:
    waiting = open_appeals(staff("adjudicator"))
    assert waiting.filter(messages__from_guild=True).filter(messages__from_guild=False).exists()
    assert set(Appeal.objects.filter(status="decided").values_list("outcome", flat=True)) >= {"upheld"}


def test_analyst_approver_and_launcher_have_rules_to_look_at(built: Built) -> None:
    status = Counter(RuleVersion.objects.values_list("status", flat=True))
    assert (status["draft"], status["shadow"], status["paused"]) == (2, 1, 1)
    approvals = dict(Approval.objects.values_list("version__rule__code", "status"))
    assert approvals == {"GFT-CYCLE": "requested", "REC-DECEIVE": "approved"}
    assert [approval.version.rule.code for approval in approvals_waiting(staff("approver"))] == ["GFT-CYCLE"]
    assert not approvals_waiting(staff("analyst")).exists()
    paused = RuleVersion.objects.get(status="paused")
    assert PendingSignal.objects.filter(version=paused).count() == 1


def test_a_rule_is_on_its_way_market_by_market(built: Built) -> None:
    launch = Launch.objects.get()
    assert launch.version.rule.code == "REC-DECEIVE"
    waves = {
        tuple(wave.markets.order_by("code").values_list("code", flat=True)): wave
        for wave in launch.waves.order_by("number")
    }
    assert {markets: wave.status for markets, wave in waves.items()} == {
        ("GB", "US"): "go",
        ("DE", "ES"): "go",
        ("BR", "JP", "MX"): "planned",
        ("FR",): "planned",
    }
    # Where nothing but the clock is in the way the wave starts by itself; elsewhere the law's notice period runs.
    first, second = waves["GB", "US"], waves["DE", "ES"]
    assert start_blocks(first, first.planned_at + dt.timedelta(seconds=1)) == []
    assert {block.gate for block in start_blocks(second, timezone.now())} >= {"notice"}
    assert not LivePeriod.objects.filter(version=launch.version).exists()


def test_the_register_has_assessments_a_risk_without_a_rule_and_feedback_in_every_state(built: Built) -> None:
    assert [risk.code for risk in risks_without_rule() if not risk.rules.exists()] == ["AIS"]
    assert Assessment.objects.filter(on=TODAY.date(), upheld__gt=0).exists()
    assert set(Feedback.objects.values_list("status", flat=True)) == {"new", "triaged", "merged", "answered"}
    assert Attempt.objects.filter(passed=False).exists()


def test_the_administrator_has_quarantine_a_provisional_guild_and_a_paused_receiver(built: Built) -> None:
    reasons = QuarantinedSignal.objects.filter(status="waiting").values_list("reason", flat=True)
    assert set(reasons) == {"unknown_guild", "unknown_creator", "unknown_market"}
    assert Guild.objects.get(provisional=True).external_id == "acquired-90"
    assert [endpoint.is_active for endpoint in Endpoint.objects.all()] == [False]


@pytest.mark.parametrize("guild", PORTAL_GUILDS)
def test_the_portal_of_each_guild_has_penalties_an_open_appeal_and_lessons(built: Built, guild: str) -> None:
    actor = owner(guild)
    assert actor.guild_id is not None
    assert penalties_visible_to(actor).filter(status="in_force").exists()
    assert appeals_visible_to(actor).filter(status="open", messages__isnull=False).exists()
    assert lessons_for(actor.guild_id).count() == 2
    assert Completion.objects.filter(guild_id=actor.guild_id).count() == 1


def test_everybody_signs_in_with_the_password_of_the_installation(built: Built) -> None:
    logins = built.logins()
    roles = {login["role"] for login in logins}
    assert {
        "analyst",
        "approver",
        "reviewer",
        "enforcer",
        "adjudicator",
        "launcher",
        "auditor",
        "admin",
    } <= roles
    assert {login["password"] for login in logins} == {logins[0]["password"]}
    for login in logins:
        user = User.objects.get(email=login["email"])
        assert user.check_password(login["password"])
        assert user.is_staff == (login["where"] == "/admin/")
    passwordless = User.objects.exclude(email__in=[login["email"] for login in logins])
    assert not any(user.has_usable_password() for user in passwordless)


def test_its_files_are_for_the_owner_of_the_installation_only(built: Built) -> None:
    for name in ("demo-truth.json", "demo-logins.json"):
        assert stat.S_IMODE((built.data_dir / name).stat().st_mode) == 0o600


def test_seeding_again_changes_nothing(built: Built) -> None:
    before, logins = digests(), built.logins()
    again = seed_world(guilds=30, days=DAYS, seed=5, today=TODAY, data_dir=built.data_dir)
    assert again == Seeded(fresh=False)
    assert digests() == before
    assert built.logins() == logins


@pytest.mark.parametrize("environment", ["production", "test"])
def test_seeding_is_refused_outside_the_demo(built: Built, environment: str, tmp_path: Path) -> None:
    events = Event.objects.count()
    with (
        override_settings(GUILDHALL_ENV=environment, DATA_DIR=tmp_path),
        pytest.raises(CommandError, match="demo only"),
    ):
        call_command("seed_demo", verbosity=0)
    assert Event.objects.count() == events
    assert list(tmp_path.iterdir()) == []
