"""Every way round approval, notice and shares that we could think of: each is refused, and refusing leaves no trace.

The wave of these tests has everything it needs, and its time has come. Each test takes one thing away and then tries all doors:
the service, as a person and as the platform; the sweep; and PostgreSQL itself, with the status written by hand.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pgtrigger
import pytest
from django.db import DatabaseError, IntegrityError, ProgrammingError, connection, transaction
from django.db.models import F
from django.utils import timezone

from governance.launches import services
from governance.launches.models import Announcement, Gate, Wave
from governance.launches.selectors import clock
from governance.models import Approval, Event, LivePeriod, RuleVersion
from governance.rules.periods import period_open
from governance.rules.services import move, version_resume
from guilds.accounts.actor import Actor
from guilds.accounts.models import StaffRole
from guilds.errors import Conflict, DomainError, InvalidInput, InvalidTransition, NotAllowed
from guilds.models import Market, Regime, User
from tests import factories
from tests.governance.launches.launching import SYSTEM, launcher, nothing_changes, send_all

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)


@pytest.fixture
def market(db: None) -> Market:
    place = factories.market(
        "DE", regime=factories.regime(code="p2b", notice_days=15), timezone="Europe/Berlin"
    )
    factories.guild("first", market=place)
    return place


@pytest.fixture
def wave(market: Market) -> Wave:
    return factories.aged(factories.launch_ready(market))


def version_of(wave: Wave) -> RuleVersion:
    return RuleVersion.objects.get(pk=wave.launch.version_id)


def force(wave: Wave) -> None:
    """Write by hand all that the service would have written, the live period last."""
    now = clock()
    Wave.objects.filter(pk=wave.pk).update(status="live", live_at=now, announced_at=F("announced_at"))
    wave.launch.__class__.objects.filter(pk=wave.launch_id).update(status="running")
    RuleVersion.objects.filter(pk=wave.launch.version_id).update(status="live", door="launch")
    wave.refresh_from_db()
    for market_id in wave.markets.values_list("pk", flat=True):
        LivePeriod.objects.create(
            version_id=wave.launch.version_id,
            market_id=market_id,
            starts_at=now,
            share=wave.share,
            holdout=wave.holdout,
            salt=wave.launch.salt,
            opened_by=f"wave:{wave.pk}",
        )


# --- one thing is missing ---------------------------------------------------------------------------------------------
def approval_withdrawn(wave: Wave) -> None:
    Approval.objects.update(status="withdrawn")


def approval_only_asked_for(wave: Wave) -> None:
    with pgtrigger.ignore("governance.Approval:approval_fixed"):
        Approval.objects.update(status="requested", decided_by=None, decided_at=None)


def wording_changed(wave: Wave) -> None:
    with pgtrigger.ignore("governance.RuleVersion:rule_version_wording_fixed"):
        version = version_of(wave)
        version.spec |= {"when": "true"}
        version.save(update_fields=["spec"])


def ladder_changed(wave: Wave) -> None:
    with pgtrigger.ignore("governance.RuleVersion:rule_version_wording_fixed"):
        RuleVersion.objects.filter(pk=wave.launch.version_id).update(ladder={"steps": []})


def example_added(wave: Wave) -> None:
    version_of(wave).examples.create(name="later", must_match=True, facts={})


def approver_wrote_it(wave: Wave) -> None:
    version = version_of(wave)
    assert version.approver is not None
    version.writers.add(version.approver)


def approver_replaced(wave: Wave) -> None:
    RuleVersion.objects.filter(pk=wave.launch.version_id).update(approver=factories.staff("approver"))


def decider_wrote_it(wave: Wave) -> None:
    assert wave.decided_by is not None
    version_of(wave).writers.add(wave.decided_by)


def decider_is_the_author(wave: Wave) -> None:
    Wave.objects.filter(pk=wave.pk).update(decided_by=version_of(wave).author)


def decider_lost_the_role(wave: Wave) -> None:
    assert wave.decided_by is not None
    StaffRole.objects.filter(user=wave.decided_by).delete()


def decider_left(wave: Wave) -> None:
    assert wave.decided_by is not None
    User.objects.filter(pk=wave.decided_by.pk).update(is_active=False)


def decider_lost_the_market(wave: Wave) -> None:
    assert wave.decided_by is not None
    User.objects.filter(pk=wave.decided_by.pk).update(all_markets=False)


def nobody_said_go(wave: Wave) -> None:
    Wave.objects.filter(pk=wave.pk).update(decided_by=None)


def too_early(wave: Wave) -> None:
    Wave.objects.filter(pk=wave.pk).update(planned_at=timezone.now() + dt.timedelta(minutes=10))


def told_yesterday(wave: Wave) -> None:
    """All is as it was, but the guilds have known for a day only."""
    with pgtrigger.ignore("governance.Announcement:announcement_fixed"):
        Announcement.objects.update(asked_at=timezone.now() - DAY, sent_at=timezone.now() - DAY)


def one_day_of_notice_short(wave: Wave) -> None:
    with pgtrigger.ignore("governance.Announcement:announcement_fixed"):
        Announcement.objects.update(sent_at=timezone.now() - 15 * DAY)


def told_a_later_date(wave: Wave) -> None:
    with pgtrigger.ignore("governance.Announcement:announcement_fixed"):
        Announcement.objects.update(told_at=timezone.now() + DAY)


def law_changed(wave: Wave) -> None:
    Regime.objects.filter(code="p2b").update(notice_days=30)


def market_under_another_law(wave: Wave) -> None:
    Market.objects.filter(code="DE").update(regime=factories.regime(code="strict", notice_days=60))


def market_slipped_in(wave: Wave) -> None:
    wave.markets.add(factories.market("FR"))


def not_all_were_told(wave: Wave) -> None:
    with pgtrigger.ignore("governance.Announcement:announcement_fixed"):
        Announcement.objects.update(sent_at=None)


def all_markets_gone(wave: Wave) -> None:
    wave.markets.clear()


def lesson_withdrawn(wave: Wave) -> None:
    wave.launch.version.rule.lessons.update(withdrawn_at=timezone.now())


def lesson_not_learnt(wave: Wave) -> None:
    wave.launch.__class__.objects.update(lesson_percent=80)


def lesson_in_another_language(wave: Wave) -> None:
    wave.launch.version.rule.lessons.update(title={"fr": "Une leçon"}, body={"fr": "Le texte."})


def market_speaks_another_language(wave: Wave) -> None:
    Market.objects.filter(code="DE").update(languages=["de", "en"])


def gate_reopened(wave: Wave) -> None:
    Gate.objects.filter(kind="reviewer_guide").update(status="open")


def gate_removed(wave: Wave) -> None:
    Gate.objects.filter(kind="product").delete()


def reviewers_gone(wave: Wave) -> None:
    Gate.objects.filter(kind="staffing").update(figures={"capacity_hours_per_day": 0})


def holdout_for_the_worst(wave: Wave) -> None:
    with pgtrigger.ignore("governance.RuleVersion:rule_version_wording_fixed"):
        RuleVersion.objects.update(severity="S1")
    Wave.objects.update(holdout=10)


def version_expired(wave: Wave) -> None:
    with pgtrigger.ignore("governance.RuleVersion:rule_version_wording_fixed"):
        RuleVersion.objects.update(expires_at=timezone.now() - DAY)


def version_retired(wave: Wave) -> None:
    RuleVersion.objects.update(status="retired")


def version_paused(wave: Wave) -> None:
    RuleVersion.objects.update(status="paused", door="launch")


def holds_later_by_its_wording(wave: Wave) -> None:
    with pgtrigger.ignore("governance.RuleVersion:rule_version_wording_fixed"):
        RuleVersion.objects.update(effective_from=timezone.now() + DAY)


def launch_given_up(wave: Wave) -> None:
    wave.launch.__class__.objects.update(status="cancelled")


def newer_version_live(wave: Wave) -> None:
    newer = factories.version(wave.launch.version.rule, live_since=None)
    LivePeriod.objects.create(version=newer, market=wave.markets.get(), starts_at=timezone.now())


GRAVE: list[Callable[[Wave], None]] = [
    approval_withdrawn,
    approval_only_asked_for,
    approver_wrote_it,
    approver_replaced,
    decider_wrote_it,
    decider_is_the_author,
    nobody_said_go,
    too_early,
    told_yesterday,
    one_day_of_notice_short,
    told_a_later_date,
    law_changed,
    market_under_another_law,
    market_slipped_in,
    not_all_were_told,
    gate_reopened,
    gate_removed,
    holdout_for_the_worst,
]
OTHER: list[Callable[[Wave], None]] = [
    wording_changed,
    ladder_changed,
    example_added,
    decider_lost_the_role,
    decider_left,
    decider_lost_the_market,
    all_markets_gone,
    lesson_withdrawn,
    lesson_not_learnt,
    lesson_in_another_language,
    market_speaks_another_language,
    reviewers_gone,
    version_expired,
    version_retired,
    version_paused,
    holds_later_by_its_wording,
    launch_given_up,
    newer_version_live,
]


def test_with_everything_in_place_it_starts(wave: Wave) -> None:
    """Otherwise the refusals below would prove nothing."""
    services.wave_start(actor=SYSTEM, wave_id=wave.pk)

    assert LivePeriod.objects.filter(ends_at__isnull=True).count() == 1


def test_with_everything_in_place_the_database_agrees(wave: Wave) -> None:
    force(wave)

    assert LivePeriod.objects.filter(ends_at__isnull=True).count() == 1


@pytest.mark.parametrize("take_away", [*GRAVE, *OTHER], ids=lambda act: act.__name__)
@pytest.mark.parametrize("actor", [SYSTEM, None], ids=["platform", "launcher"])
def test_the_service_refuses(wave: Wave, take_away: Callable[[Wave], None], actor: Actor | None) -> None:
    take_away(wave)
    actor = actor or launcher()

    with nothing_changes(), pytest.raises(Conflict) as refused:
        services.wave_start(actor=actor, wave_id=wave.pk)

    assert refused.value.code == "launch_blocked"
    assert refused.value.errors


@pytest.mark.parametrize("take_away", [*GRAVE, *OTHER], ids=lambda act: act.__name__)
def test_the_sweep_writes_down_why_and_records_it_once(wave: Wave, take_away: Callable[[Wave], None]) -> None:
    take_away(wave)
    wave.refresh_from_db()

    for _again in range(3):
        assert services.waves_start_due() == 0

    periods = LivePeriod.objects.filter(version=wave.launch.version)
    assert not periods.exists()
    due = wave.planned_at <= timezone.now()
    wave.refresh_from_db()
    assert bool(wave.blocked_reason) == due
    assert (wave.status, wave.live_at) == ("go", None)
    assert Event.objects.filter(act="wave.blocked").count() == int(due)
    assert not Event.objects.filter(act__in=["rule.launched", "wave.started"]).exists()


@pytest.mark.parametrize("take_away", GRAVE, ids=lambda act: act.__name__)
def test_postgresql_refuses_what_is_written_by_hand(wave: Wave, take_away: Callable[[Wave], None]) -> None:
    take_away(wave)
    wave.refresh_from_db()

    with nothing_changes(), pytest.raises(DatabaseError), transaction.atomic():
        force(wave)


# --- other doors ------------------------------------------------------------------------------------------------------
def test_a_faster_clock_on_one_machine_starts_nothing(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave = factories.launch_ready(market)
    later = timezone.now() + 60 * DAY
    monkeypatch.setattr(timezone, "now", lambda: later)

    with nothing_changes(), pytest.raises(Conflict):
        services.wave_start(actor=SYSTEM, wave_id=wave.pk)
    assert services.waves_start_due() == 0


@pytest.mark.parametrize("opened_by", ["wave:999999", "wave:", "", "demo", "rollback:1", "launch:1"])
def test_a_period_cannot_be_opened_beside_the_launch(wave: Wave, opened_by: str) -> None:
    version = version_of(wave)
    RuleVersion.objects.update(status="live", door="launch")

    with nothing_changes(), pytest.raises((NotAllowed, DatabaseError)), transaction.atomic():
        period_open(
            version=version,
            market_ids=[wave.markets.get().pk],
            starts_at=timezone.now(),
            opened_by=opened_by,
        )


@pytest.mark.parametrize(
    "forged",
    [
        {"share": 100, "salt": "another"},
        {"holdout": 20},
        {"share": 50},
        {"starts_at": -DAY},
        {"starts_at": DAY},
        {"market": None},
    ],
    ids=str,
)
def test_a_period_is_exactly_what_the_wave_says(wave: Wave, forged: dict[str, Any]) -> None:
    services.wave_start(actor=SYSTEM, wave_id=wave.pk)
    [period] = LivePeriod.objects.all()
    other = factories.market("AT")
    wave.markets.add(other)
    fields = {
        "version": period.version,
        "market": other,
        "starts_at": timezone.now(),
        "salt": period.salt,
        "opened_by": period.opened_by,
    }
    if "starts_at" in forged:
        forged = {"starts_at": timezone.now() + forged["starts_at"]}

    with nothing_changes(), pytest.raises(DatabaseError), transaction.atomic():
        LivePeriod.objects.create(**(fields | forged))


@pytest.mark.parametrize(
    "change",
    [
        {"ends_at": None},
        {"starts_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)},
        {"share": 1},
        {"holdout": 50},
        {"salt": "another"},
        {"opened_by": "wave:1"},
    ],
    ids=str,
)
def test_a_period_that_ended_stays_as_it_was(wave: Wave, change: dict[str, Any]) -> None:
    services.wave_start(actor=SYSTEM, wave_id=wave.pk)
    services.launch_rollback(actor=launcher(), launch_id=wave.launch_id, reason="Wrong.")

    with nothing_changes(), pytest.raises(ProgrammingError), transaction.atomic():
        LivePeriod.objects.update(**change)


def test_a_version_gets_no_door_without_anothers_approval(market: Market) -> None:
    version = factories.draft()
    with nothing_changes():
        for fields in (
            {"status": "live"},
            {"status": "paused"},
            {"status": "live", "door": "launch"},
            {"status": "live", "door": "launch", "approver": version.author},
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                RuleVersion.objects.filter(pk=version.pk).update(**fields)


def test_services_of_rules_make_nothing_live(market: Market) -> None:
    version = factories.approved(factories.draft())
    with nothing_changes():
        with pytest.raises(InvalidTransition):
            version_resume(actor=launcher(), version_id=version.pk, reason="Now.")
        with pytest.raises(NotAllowed), transaction.atomic():
            move(SYSTEM, version, "live", "Now.", act="rule_version.resumed")  # type: ignore[arg-type]
        with pytest.raises(NotAllowed):
            services.versions_activate_without_launch(actor=SYSTEM, version_ids=[version.pk])


def test_a_version_that_was_never_live_judges_nothing_when_it_is_resumed(wave: Wave) -> None:
    """Somebody writes the status of a paused version by hand and resumes it: it has no period, so it is in force nowhere."""
    version_paused(wave)
    version_resume(actor=launcher(), version_id=wave.launch.version_id, reason="Go on.")

    assert not LivePeriod.objects.exists()
    assert services.wave_start(actor=SYSTEM, wave_id=wave.pk).status == "live"


def test_a_launch_keeps_its_version_and_its_draw(wave: Wave) -> None:
    """Another salt would draw another holdout; another version would inherit what was announced of this one."""
    launches = type(wave.launch).objects
    other = factories.draft()
    with nothing_changes():
        for change in ({"salt": "again"}, {"version": other}):
            with pytest.raises(DatabaseError), transaction.atomic():
                launches.update(**change)
        with pytest.raises(DatabaseError), transaction.atomic():
            launches.filter(pk=wave.launch_id)._raw_delete("default")


# --- announcements cannot be forged -----------------------------------------------------------------------------------
def announcement(wave: Wave, **fields: Any) -> Announcement:
    now = timezone.now()
    return Announcement(
        **({"wave": wave, "market": wave.markets.get(), "told_at": now + DAY, "asked_at": now} | fields)
    )


def test_announcements_are_not_dated_back(wave: Wave) -> None:
    long_ago = timezone.now() - 30 * DAY
    with nothing_changes():
        for forged in (
            announcement(wave, asked_at=long_ago),
            announcement(wave, sent_at=timezone.now()),
            announcement(wave, told_at=None),
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                forged.save()


def test_an_announcement_is_sent_when_every_guild_has_its_notice(wave: Wave) -> None:
    standing = announcement(wave)
    standing.save()
    with nothing_changes():
        for moment in (timezone.now(), timezone.now() - 30 * DAY):
            with pytest.raises(IntegrityError), transaction.atomic():
                Announcement.objects.filter(pk=standing.pk).update(sent_at=moment)
    send_all(services.announcements_send)
    standing.refresh_from_db()
    assert standing.sent_at is not None
    assert timezone.now() - standing.sent_at < dt.timedelta(minutes=1)


def test_an_announcement_stays_what_it_was(wave: Wave) -> None:
    earlier = timezone.now() - 60 * DAY
    with nothing_changes():
        for change in (
            {"sent_at": earlier},
            {"asked_at": earlier},
            {"told_at": earlier},
            {"notice_days": 0},
            {"market": factories.market("XX")},
        ):
            with pytest.raises(DatabaseError), transaction.atomic():
                Announcement.objects.filter(sent_at__isnull=False).update(**change)
        with pytest.raises(DatabaseError), transaction.atomic():
            Announcement.objects.all().delete()


def test_a_guild_without_notice_holds_the_wave_until_it_is_told(wave: Wave, market: Market) -> None:
    """It was there when the others were told, in a state in which it was not counted."""
    guild = factories.guild("back-again", market=market)
    type(guild).objects.filter(pk=guild.pk).update(created_at=timezone.now() - 90 * DAY)
    with nothing_changes(), pytest.raises(Conflict):
        services.wave_start(actor=SYSTEM, wave_id=wave.pk)

    assert services.latecomers_tell() == 1

    assert services.wave_start(actor=SYSTEM, wave_id=wave.pk).status == "live"


# --- who may ----------------------------------------------------------------------------------------------------------
def test_the_platform_plans_signs_announces_and_decides_nothing(market: Market) -> None:
    ready = factories.launch_ready(market)
    gate = ready.launch.gates.get(kind="product")
    acts: list[Callable[[], object]] = [
        lambda: services.launch_create(actor=SYSTEM, version_id=factories.draft().pk),
        lambda: services.gate_reopen(actor=SYSTEM, gate_id=gate.pk, reason="So."),
        lambda: services.gate_sign(actor=SYSTEM, gate_id=gate.pk, evidence="Done."),
        lambda: services.gate_assign(actor=SYSTEM, gate_id=gate.pk, owner_id=None),
        lambda: services.wave_announce(actor=SYSTEM, wave_id=ready.pk),
        lambda: services.wave_decide(actor=SYSTEM, wave_id=ready.pk, decision="no_go", reason="So."),
        lambda: services.wave_change(actor=SYSTEM, wave_id=ready.pk, share=50),
        lambda: services.wave_remove(actor=SYSTEM, wave_id=ready.pk, reason="So."),
        lambda: services.launch_cancel(actor=SYSTEM, launch_id=ready.launch_id, reason="So."),
        lambda: services.wave_widen(actor=SYSTEM, wave_id=ready.pk, share=100, reason="So."),
    ]
    for act in acts:
        before = RuleVersion.objects.count()
        with pytest.raises(NotAllowed):
            act()
        assert RuleVersion.objects.count() >= before
    assert set(Event.objects.filter(actor_kind="system").values_list("act", flat=True)) <= {
        "notice.sent",
        "lesson.assigned",
        "wave.announced",
    }


@pytest.mark.parametrize(
    "role", ["analyst", "approver", "reviewer", "enforcer", "adjudicator", "auditor", "admin"]
)
def test_other_roles_run_no_launch(market: Market, role: str) -> None:
    ready = factories.launch_ready(market)
    version = factories.draft()
    gate = ready.launch.gates.get(kind="product")
    actor = Actor.staff(factories.staff(role))
    acts: list[Callable[[], object]] = [
        lambda: services.launch_create(actor=actor, version_id=version.pk),
        lambda: services.gate_reopen(actor=actor, gate_id=gate.pk, reason="So."),
        lambda: services.gate_assign(actor=actor, gate_id=gate.pk, owner_id=actor.user_id),
        lambda: services.wave_add(
            actor=actor, launch_id=ready.launch_id, market_ids=[market.pk], planned_at=timezone.now() + DAY
        ),
        lambda: services.wave_announce(actor=actor, wave_id=ready.pk),
        lambda: services.wave_decide(actor=actor, wave_id=ready.pk, decision="no_go", reason="So."),
        lambda: services.wave_change(actor=actor, wave_id=ready.pk, share=50),
        lambda: services.wave_remove(actor=actor, wave_id=ready.pk, reason="So."),
        lambda: services.wave_start(actor=actor, wave_id=ready.pk),
        lambda: services.launch_cancel(actor=actor, launch_id=ready.launch_id, reason="So."),
        lambda: services.wave_widen(actor=actor, wave_id=ready.pk, share=100, reason="So."),
    ]
    if role != "approver":
        acts.append(lambda: services.launch_rollback(actor=actor, launch_id=ready.launch_id, reason="So."))
    with nothing_changes():
        for act in acts:
            with pytest.raises(NotAllowed):
                act()


def test_launchers_stay_within_their_markets(wave: Wave, market: Market) -> None:
    elsewhere = factories.market("JP")
    actor = launcher(markets=[elsewhere])
    acts: list[Callable[[], object]] = [
        lambda: services.wave_add(
            actor=actor, launch_id=wave.launch_id, market_ids=[market.pk], planned_at=timezone.now() + DAY
        ),
        lambda: services.wave_announce(actor=actor, wave_id=wave.pk),
        lambda: services.wave_decide(actor=actor, wave_id=wave.pk, decision="no_go", reason="So."),
        lambda: services.wave_change(actor=actor, wave_id=wave.pk, share=50),
        lambda: services.wave_remove(actor=actor, wave_id=wave.pk, reason="So."),
        lambda: services.wave_start(actor=actor, wave_id=wave.pk),
        lambda: services.launch_cancel(actor=actor, launch_id=wave.launch_id, reason="So."),
    ]
    with nothing_changes():
        for act in acts:
            with pytest.raises(NotAllowed):
                act()


@pytest.mark.parametrize("hand", ["author", "writer", "example"])
def test_nobody_says_go_to_a_rule_they_had_a_hand_in(market: Market, hand: str) -> None:
    writer = factories.staff("launcher", "analyst")
    version = factories.draft()
    if hand == "author":
        with pgtrigger.ignore("governance.RuleVersion:rule_version_identity_fixed"):
            RuleVersion.objects.filter(pk=version.pk).update(author=writer)
    else:
        version.writers.add(writer)
    version.refresh_from_db()
    ready = factories.launch_ready(market, of=version)
    services.wave_decide(actor=launcher(), wave_id=ready.pk, decision="no_go", reason="Wait.")

    with nothing_changes(), pytest.raises(NotAllowed) as refused:
        services.wave_decide(actor=Actor.staff(writer), wave_id=ready.pk, decision="go", reason="I like it.")
    assert refused.value.code == "own_rule"
    # The brake is for everybody.
    services.wave_decide(actor=launcher(), wave_id=ready.pk, decision="go", reason="Now.")
    services.wave_decide(actor=Actor.staff(writer), wave_id=ready.pk, decision="no_go", reason="Stop.")


def test_a_wave_is_not_started_from_a_plan_or_a_no_go(wave: Wave) -> None:
    for status in ("planned", "no_go", "cancelled", "rolled_back"):
        Wave.objects.filter(pk=wave.pk).update(status=status)
        with nothing_changes(), pytest.raises(DomainError):
            services.wave_start(actor=SYSTEM, wave_id=wave.pk)
        assert services.waves_start_due() == 0


def test_what_people_gave_is_asked_of_them_again_when_the_plan_changes(wave: Wave, market: Market) -> None:
    actor = launcher()
    changes: list[dict[str, Any]] = [
        {"planned_at": timezone.now() + 40 * DAY},
        {"share": 50},
        {"holdout": 5},
        {"market_ids": [market.pk, factories.market("CH").pk]},
    ]
    for change in changes:
        Wave.objects.filter(pk=wave.pk).update(
            status="go", decided_by=wave.decided_by, planned_at=timezone.now() + 30 * DAY
        )
        changed = services.wave_change(actor=actor, wave_id=wave.pk, **change)
        assert (changed.status, changed.decided_by, changed.reason) == ("planned", None, "")


def test_the_plan_lies_in_the_future(market: Market) -> None:
    ready = factories.launch_ready(market)
    with nothing_changes():
        for moment in (timezone.now() - DAY, timezone.now(), dt.datetime(2030, 1, 1)):
            with pytest.raises(InvalidInput):
                services.wave_change(actor=launcher(), wave_id=ready.pk, planned_at=moment)


def test_the_guard_is_there(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_trigger WHERE tgname = 'live_period_guard' AND tgenabled = 'O'"
        )
        assert cursor.fetchone() == (1,)
