"""Every guild of a wave's markets is told once, in its language, and in time."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from governance.launches import services
from governance.launches.models import Announcement
from governance.launches.notice_period import free_at, over_at
from governance.launches.selectors import changes_for, progress_of
from governance.launches.services import announcing
from governance.models import Assignment, Event, Launch, Notice, Wave
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput
from guilds.models import Guild, Market
from tests import factories
from tests.governance.launches.launching import launcher, nothing_changes, send_all
from tests.worker import Worker

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
UTC = dt.UTC


@pytest.fixture
def market(db: None) -> Market:
    return factories.market(
        "DE", regime=factories.regime(code="p2b", notice_days=15), timezone="Europe/Berlin"
    )


def planned(*markets: Market, in_days: float = 20, **version: Any) -> Wave:
    """A wave of an approved version, planned and not yet announced."""
    draft = factories.approved(factories.draft(**version))
    factories.lesson(draft.rule)
    actor = launcher()
    launch = services.launch_create(actor=actor, version_id=draft.pk)
    return services.wave_add(
        actor=actor,
        launch_id=launch.pk,
        market_ids=[place.pk for place in markets],
        planned_at=timezone.now() + dt.timedelta(days=in_days),
    )


def test_every_guild_hears_what_changes_what_it_costs_and_from_when(market: Market) -> None:
    guilds = [factories.guild(market=market) for _ in range(3)]
    factories.guild(market=market, status="terminated")
    factories.guild(market=factories.market("FR"))
    wave = planned(market)

    services.wave_announce(actor=launcher(), wave_id=wave.pk)
    assert not Notice.objects.exists()
    wave.refresh_from_db()
    assert (wave.announced_at, progress_of(wave)) == (None, (0, 3))
    send_all(services.announcements_send)

    wave.refresh_from_db()
    order = Announcement.objects.get()
    assert wave.announced_at == order.sent_at
    assert (order.guilds, order.guilds_told, order.notice_days) == (3, 3, 15)
    letters = Notice.objects.filter(kind="rule_change").order_by("guild")
    assert [letter.guild for letter in letters] == guilds
    letter = letters[0]
    local = wave.planned_at.astimezone(ZoneInfo("Europe/Berlin"))
    assert letter.subject == f"A rule changes for {guilds[0]} on {local:%Y-%m-%d %H:%M} (Europe/Berlin)"
    rule = wave.launch.version.rule
    for words in (
        f"Do not do {rule.code}.",
        "- step 1: Warning\n- step 2: Recruitment freeze for 7 days\n- step 3 and beyond: Settlement hold for 30 days",
        "- each time 10 points",
        f"/portal/lessons/{rule.lessons.get().code}/",
        "/portal/changes/",
    ):
        assert words in letter.body
    assert letter.statement["starts_at"] == wave.planned_at.isoformat()
    assigned = Assignment.objects.filter(source="launch", source_id=str(wave.launch.public_id))
    assert {(one.guild_id, one.due_at) for one in assigned} == {
        (guild.pk, wave.planned_at) for guild in guilds
    }
    assert Event.objects.filter(act="notice.sent", object_id=str(letter.public_id)).count() == 1
    assert [event.act for event in Event.objects.filter(object_type="wave").order_by("id")] == [
        "wave.added",
        "wave.announcing",
        "wave.announced",
    ]


def test_guilds_are_told_in_the_language_of_their_market(db: None) -> None:
    place = factories.market("FR", languages=["fr", "en"])
    factories.guild(market=place)
    wave = planned(place)
    with nothing_changes(), pytest.raises(InvalidInput) as refused:
        services.wave_announce(actor=Actor.staff(wave.launch.owner), wave_id=wave.pk)
    assert refused.value.message == "The policy has no wording in the language of FR (fr)."


def test_nothing_is_announced_before_it_is_approved(market: Market) -> None:
    actor = launcher()
    launch = services.launch_create(actor=actor, version_id=factories.draft().pk)
    wave = services.wave_add(
        actor=actor, launch_id=launch.pk, market_ids=[market.pk], planned_at=timezone.now() + 20 * DAY
    )
    with nothing_changes(), pytest.raises(Conflict) as refused:
        services.wave_announce(actor=actor, wave_id=wave.pk)
    assert refused.value.code == "approval_required"


@pytest.mark.parametrize(
    ("own_days", "planned_days", "told"), [(None, 14, False), (30, 20, False), (30, 32, True)]
)
def test_a_date_that_leaves_no_time_is_refused(
    market: Market, own_days: int | None, planned_days: float, told: bool
) -> None:
    wave = planned(market, in_days=planned_days, notice_days=own_days)
    actor = launcher()
    if told:
        services.wave_announce(actor=actor, wave_id=wave.pk)
        assert Announcement.objects.get().notice_days == 30
    else:
        with nothing_changes(), pytest.raises(InvalidInput) as refused:
            services.wave_announce(actor=actor, wave_id=wave.pk)
        assert refused.value.code == "notice_too_short"


def test_whole_days_in_the_time_of_the_market() -> None:
    market = Market(code="DE", timezone="Europe/Berlin")
    late = dt.datetime(2026, 10, 20, 21, 59, tzinfo=UTC)  # 23:59 in Berlin

    assert over_at(late, 0, market) == late
    # Fifteen whole days after the 20th end with the 4th; the clocks change in between.
    assert over_at(late, 15, market) == dt.datetime(2026, 11, 4, 23, tzinfo=UTC)
    assert over_at(late + dt.timedelta(minutes=1), 15, market) == dt.datetime(2026, 11, 5, 23, tzinfo=UTC)


def test_the_guard_of_the_database_counts_the_same_days(market: Market) -> None:
    from django.db import connection

    for day in range(1, 60):
        sent = dt.datetime(2026, 9, 20, 22, 30, tzinfo=UTC) + day * dt.timedelta(hours=25)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT ((%s::timestamptz AT TIME ZONE 'Europe/Berlin')::date + 16)::timestamp AT TIME ZONE 'Europe/Berlin'",
                [sent],
            )
            [row] = cursor.fetchall()
        assert row[0] == over_at(sent, 15, market)


def test_an_earlier_date_is_announced_anew_and_a_later_one_needs_no_word(market: Market) -> None:
    guild = factories.guild(market=market)
    wave = planned(market, in_days=40)
    actor = launcher()
    services.wave_announce(actor=actor, wave_id=wave.pk)
    send_all(services.announcements_send)

    later = services.wave_change(actor=actor, wave_id=wave.pk, planned_at=timezone.now() + 50 * DAY)
    assert later.announced_at is not None
    with pytest.raises(Conflict):
        services.wave_announce(actor=actor, wave_id=wave.pk)

    sooner = services.wave_change(actor=actor, wave_id=wave.pk, planned_at=timezone.now() + 20 * DAY)
    assert not Wave.objects.filter(announced_at__isnull=False).exists()
    services.wave_announce(actor=actor, wave_id=wave.pk)
    send_all(services.announcements_send)

    sooner.refresh_from_db()
    assert sooner.announced_at is not None
    assert Notice.objects.filter(kind="rule_change", guild=guild).count() == 2
    [change] = changes_for(guild)
    assert change.told_at == sooner.planned_at
    told = Announcement.objects.all()
    assert free_at(told, wave.launch.version, market) == sooner.planned_at


def test_a_plan_is_not_changed_while_guilds_are_being_told(market: Market) -> None:
    factories.guild(market=market)
    wave = planned(market)
    actor = launcher()
    services.wave_announce(actor=actor, wave_id=wave.pk)
    with nothing_changes(), pytest.raises(Conflict) as refused:
        services.wave_change(actor=actor, wave_id=wave.pk, planned_at=timezone.now() + 60 * DAY)
    assert refused.value.code == "announcing"


def test_a_market_taken_out_hears_of_it_and_does_not_come_back_in(market: Market) -> None:
    france = factories.market("FR")
    there = factories.guild(market=france)
    factories.guild(market=market)
    wave = planned(market, france)
    actor = launcher()
    services.wave_announce(actor=actor, wave_id=wave.pk)
    send_all(services.announcements_send)

    services.wave_change(actor=actor, wave_id=wave.pk, market_ids=[market.pk])
    send_all(services.announcements_send)

    assert list(Notice.objects.filter(kind="rule_change_withdrawn").values_list("guild", flat=True)) == [
        there.pk
    ]
    with nothing_changes(), pytest.raises(Conflict):
        services.wave_change(actor=actor, wave_id=wave.pk, market_ids=[market.pk, france.pk])


def test_a_wave_given_up_half_told_stops_telling_and_tells_those_who_heard(market: Market) -> None:
    guilds = [factories.guild(market=market) for _ in range(5)]
    wave = planned(market)
    actor = launcher()
    services.wave_announce(actor=actor, wave_id=wave.pk)
    services.announcements_send(limit=2)

    services.wave_remove(actor=actor, wave_id=wave.pk, reason="No need any more.")
    send_all(services.announcements_send)

    assert Notice.objects.filter(kind="rule_change").count() == 2
    back = Notice.objects.filter(kind="rule_change_withdrawn")
    assert {letter.guild_id for letter in back} == {guild.pk for guild in guilds[:2]}


def test_guilds_that_come_later_are_told_while_the_wave_is_still_to_come(market: Market) -> None:
    wave = factories.launch_ready(market)
    late = factories.guild("late", market=market)

    assert send_all(services.latecomers_tell) == 1

    assert Notice.objects.filter(guild=late, kind="rule_change").count() == 1
    assert Assignment.objects.filter(guild=late, source="launch").count() == 1
    assert send_all(services.latecomers_tell) == 0
    services.wave_start(actor=Actor.system("launches"), wave_id=factories.aged(wave).pk)
    factories.guild("later-still", market=market)
    assert send_all(services.latecomers_tell) == 0


def test_telling_goes_on_where_it_stopped_and_tells_nobody_twice(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(7):
        factories.guild(market=market)
    wave = planned(market)
    services.wave_announce(actor=launcher(), wave_id=wave.pk)
    assert services.announcements_send(limit=3) == 3

    def fall_over(**_fields: object) -> None:
        raise RuntimeError("the worker died")

    with monkeypatch.context() as broken:
        broken.setattr(announcing, "lesson_assign", fall_over)
        with pytest.raises(RuntimeError):
            services.announcements_send(limit=3)

    # The batch that died left nothing: neither a notice nor an assignment.
    assert (Notice.objects.filter(kind="rule_change").count(), Assignment.objects.count()) == (3, 3)
    assert progress_of(wave) == (3, 7)
    send_all(lambda: services.announcements_send(limit=3))
    told = list(Notice.objects.filter(kind="rule_change").values_list("guild", flat=True))
    assert len(told) == len(set(told)) == 7


def test_many_guilds_are_told_in_bounded_steps(market: Market) -> None:
    Guild.objects.bulk_create(
        Guild(external_id=f"many-{number}", name=f"Many {number}", market=market) for number in range(1_200)
    )
    wave = planned(market)
    services.wave_announce(actor=launcher(), wave_id=wave.pk)

    steps = []
    while done := services.announcements_send():
        steps.append(done)

    assert steps == [500, 500, 200, 1]
    wave.refresh_from_db()
    assert wave.announced_at is not None


@pytest.mark.django_db(transaction=True)
def test_a_worker_tells_and_starts_and_another_goes_on_when_it_is_killed(worker: Worker) -> None:
    place = factories.market("DE")
    Guild.objects.bulk_create(
        Guild(external_id=f"many-{number}", name=f"Many {number}", market=place) for number in range(600)
    )
    wave = planned(place)
    services.wave_announce(actor=launcher(), wave_id=wave.pk)
    worker.kill()
    told_by_the_first = Notice.objects.filter(kind="rule_change").count()
    worker.start()
    from governance.launches.tasks import announce

    announce.delay()
    worker.wait_idle(timeout_seconds=120)

    wave.refresh_from_db()
    assert wave.announced_at is not None
    told = list(Notice.objects.filter(kind="rule_change").values_list("guild", flat=True))
    assert len(told) == len(set(told)) == 600
    assert told_by_the_first in {0, 500, 600}
    assert Launch.objects.get().status == "planning"
