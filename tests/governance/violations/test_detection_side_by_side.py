"""Several workers at once: who holds a shard, what they share, and the command and tasks that drive them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from governance.models import Detection, LivePeriod, PendingSignal, RuleVersion, Violation
from governance.rules.services import version_resume
from governance.signals.models import SHARDS
from governance.violations import tasks
from governance.violations.detection import DETECT_LOCK, evaluate_batch
from governance.violations.services import detect_batch
from guilds.accounts.actor import Actor
from tests import factories
from tests.governance.violations.detecting import DAY, START, arrive, days
from tests.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def held_by_another(shard: int) -> Iterator[None]:
    """Another connection holds the shard while the block runs."""
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [DETECT_LOCK + shard])
            taken.set()
            done.wait(30)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(30)
    try:
        yield
    finally:
        done.set()
        thread.join()


def side_by_side(workers: int) -> None:
    """Each thread works every shard until nothing is left."""
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            while PendingSignal.objects.filter(shard__lt=SHARDS).exists():
                for shard in range(SHARDS):
                    detect_batch(shard=(shard + number) % SHARDS, limit=7)
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


def test_one_worker_at_a_time_judges_a_shard() -> None:
    factories.version()
    guild = factories.guild()
    arrive(guild)
    shard = guild.pk % SHARDS
    with held_by_another(shard):
        assert evaluate_batch(shard=shard) is None
        assert tasks.detect(shard) == 0
        assert PendingSignal.objects.count() == 1
    assert detect_batch(shard=shard) == 1


def test_a_cap_holds_over_all_shards_and_nothing_is_lost() -> None:
    version = factories.version(cap=25)
    market = factories.market()
    guilds = [factories.guild(market=market) for _ in range(16)]
    for number in range(160):
        arrive(guilds[number % 16], number)
    side_by_side(4)
    assert Violation.objects.count() == 25
    version.refresh_from_db()
    assert version.status == "paused"
    assert PendingSignal.objects.count() == 135
    assert Detection.objects.count() == 25


def test_two_versions_share_one_cap_over_all_shards() -> None:
    rule = factories.rule()
    market = factories.market()
    old = factories.version(rule, cap=25)
    new = factories.version(rule, cap=25, live_since=None)
    LivePeriod.objects.create(version=new, market=market, starts_at=START - DAY, share=50, salt="s")
    guilds = [factories.guild(market=market) for _ in range(16)]
    for number in range(160):
        arrive(guilds[number % 16], number)
    side_by_side(4)
    assert Violation.objects.count() == 25
    assert set(RuleVersion.objects.values_list("status", flat=True)) == {"paused"}
    # each signal was judged once by the version in force for its guild, or waits for it
    opened = Detection.objects.filter(outcome="opened").values_list("signal_key", flat=True)
    waiting = PendingSignal.objects.values_list("signal_id", flat=True)
    assert len(set(opened) | set(waiting)) == 160
    assert set(PendingSignal.objects.values_list("version", flat=True)) == {old.pk, new.pk}


def test_own_acts_charged_across_shards_open_one_violation_per_cooldown() -> None:
    factories.version(charge="own", cooldown="30d")
    holders = [factories.guild() for _ in range(16)]
    charged = factories.guild()
    for number in range(96):
        arrive(holders[number % 16], number / 100, named_guild=charged)
    side_by_side(4)
    assert Violation.objects.count() == 1
    assert Detection.objects.count() == 96


def test_the_command_needs_no_worker_and_leaves_what_waits_for_a_paused_rule(
    capsys: pytest.CaptureFixture[str],
) -> None:
    factories.version(factories.rule("LIVE"))
    paused = factories.version(factories.rule("PAUSED"), status="paused")
    for number in range(9):
        arrive(factories.guild(), number)
    call_command("detect")
    assert capsys.readouterr().out == "pending=9\n"
    call_command("detect", "--wait")
    assert capsys.readouterr().out == "LIVE opened=9\nPAUSED paused, waiting=9\nevaluated=9 opened=9\n"
    call_command("detect", "--wait")
    assert capsys.readouterr().out == "PAUSED paused, waiting=9\nevaluated=0 opened=0\n"
    version_resume(actor=Actor.system("launcher"), version_id=paused.pk, reason="Go on.")
    call_command("detect", "--wait")
    assert capsys.readouterr().out == "PAUSED opened=9\nevaluated=9 opened=9\n"


def test_a_worker_judges_what_it_is_nudged_for_and_the_sweep_finds_the_rest(worker: Worker) -> None:
    from celery import current_app

    paused = factories.version(cap=1)
    guild, other = factories.guild(), factories.guild()
    arrive(guild)
    arrive(guild, 1)
    arrive(other)
    current_app.send_task("governance.violations.detect", args=[guild.pk % SHARDS])
    worker.wait_idle()
    assert days() == [0]
    assert PendingSignal.objects.filter(shard__lt=SHARDS).count() == 1
    Violation.objects.update(detected_at=START - DAY)
    version_resume(actor=Actor.system("launcher"), version_id=paused.pk, reason="Go on.")  # nudges the sweep
    worker.wait_idle()
    paused.refresh_from_db()
    assert paused.status == "live"
    assert Violation.objects.count() == 3
    assert not PendingSignal.objects.exists()
