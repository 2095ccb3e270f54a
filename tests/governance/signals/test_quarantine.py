"""What had to wait: released once the registry knows its people, or discarded for a reason."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection

from governance.ledger.models import Event
from governance.models import PendingSignal, QuarantinedSignal, Signal
from governance.signals import tasks
from governance.signals.models import SHARDS
from governance.signals.selectors import quarantine_visible_to
from governance.signals.services import quarantine_discard, quarantine_retry, signals_ingest
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Client
from tests import factories
from tests.governance.signals.events import event

pytestmark = pytest.mark.django_db

SWEEP = Actor.system("retry_quarantine")
TIME = dt.datetime(2026, 2, 1, 10, tzinfo=dt.UTC)


def quarantine(*, actor: Actor | None = None, **fields: Any) -> QuarantinedSignal:
    report = signals_ingest(actor=actor or Actor.system("detector"), events=[event(**fields)])
    assert report.quarantined == 1
    return QuarantinedSignal.objects.latest("pk")


def retry() -> int:
    return quarantine_retry(actor=SWEEP)


def test_nothing_is_tried_before_the_registry_knows() -> None:
    row = quarantine(guild="g-late")
    assert retry() == 0
    row.refresh_from_db()
    assert (row.status, row.attempts, row.last_attempt_at) == ("waiting", 0, None)
    assert not Event.objects.exists()


def test_released_when_the_guild_becomes_known() -> None:
    row = quarantine(id="a", guild="g-late", creator="c-new", data={"amount": 7})
    guild = factories.guild(external_id="g-late")

    assert retry() == 1
    assert retry() == 0

    signal = Signal.objects.get()
    assert (signal.pk, signal.guild, signal.market) == (row.pk, guild, guild.market)
    assert (signal.event_id, signal.time, signal.data) == ("a", TIME, {"amount": 7})
    assert signal.received_at == row.received_at
    assert signal.creator is not None
    assert signal.creator.external_id == "c-new"
    waiting = PendingSignal.objects.get()
    assert (waiting.signal_id, waiting.shard, waiting.time) == (signal.pk, guild.pk % SHARDS, TIME)
    row.refresh_from_db()
    assert (row.status, row.attempts) == ("released", 1)
    assert row.settled_at is not None
    recorded = Event.objects.get()
    assert (recorded.act, recorded.object_id, recorded.guild) == (
        "quarantined_signal.released",
        str(row.pk),
        guild,
    )
    sent_again = signals_ingest(actor=SWEEP, events=[row.event])
    assert (sent_again.duplicates, Signal.objects.count()) == (1, 1)


def test_released_when_the_market_becomes_known() -> None:
    quarantine(guild="g-new", market="NEW")
    market = factories.market("NEW")
    assert retry() == 1
    guild = Signal.objects.get().guild
    assert (guild.external_id, guild.provisional, guild.market) == ("g-new", True, market)


def test_released_when_a_guild_is_found_to_have_held_the_creator() -> None:
    quarantine(creator="c-1")
    creator, guild = factories.creator(external_id="c-1"), factories.guild()
    factories.membership(creator, guild, TIME + dt.timedelta(seconds=1))
    assert retry() == 0
    factories.membership(creator, guild, TIME - dt.timedelta(days=1), TIME + dt.timedelta(seconds=1))
    assert retry() == 1
    assert (Signal.objects.get().guild, Signal.objects.get().creator) == (guild, creator)


def test_a_limited_client_stays_limited() -> None:
    ours, theirs = factories.market(), factories.market()
    sender = factories.client("signals:write", markets=[ours])
    actor = Actor.client(sender, scopes=["signals:write"])
    within = quarantine(guild="g-ours", actor=actor)
    outside = quarantine(guild="g-theirs", actor=actor)
    factories.guild(external_id="g-ours", market=ours)
    factories.guild(external_id="g-theirs", market=theirs)

    assert retry() == 1

    assert Signal.objects.get().pk == within.pk
    outside.refresh_from_db()
    assert outside.status == "discarded"
    recorded = Event.objects.get(act="quarantined_signal.discarded")
    assert recorded.object_id == str(outside.pk)
    assert "may not send for" in recorded.reason
    assert Client.objects.get(pk=sender.pk).quarantined.count() == 2


def test_retry_takes_the_longest_untried_first_within_its_limit() -> None:
    rows = [quarantine(guild="g-late") for _ in range(3)]
    factories.guild(external_id="g-late")
    assert quarantine_retry(actor=SWEEP, limit=2) == 2
    assert set(Signal.objects.values_list("pk", flat=True)) == {rows[0].pk, rows[1].pk}


def test_the_sweep_releases_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "RETRY_ROWS", 2)
    for _ in range(5):
        quarantine(guild="g-late")
    factories.guild(external_id="g-late")
    assert tasks.retry_quarantine() == 5


def test_partitions_are_there_two_months_ahead() -> None:
    tasks.ensure_partitions()
    tasks.ensure_partitions()
    now = dt.datetime.now(dt.UTC)
    months = [
        (now.year + (now.month - 1 + ahead) // 12, (now.month - 1 + ahead) % 12 + 1) for ahead in range(3)
    ]
    with connection.cursor() as cursor:
        for year, month in months:
            cursor.execute("SELECT to_regclass(%s)", [f"governance_signal_{year}{month:02}"])
            assert cursor.fetchone()[0] is not None


def test_discarded_for_a_reason_and_for_good() -> None:
    row = quarantine(guild="g-late")
    admin = Actor.staff(factories.staff(Role.ADMIN))

    quarantine_discard(actor=admin, key_id=row.pk, reason=" Test traffic. ")

    row.refresh_from_db()
    assert row.status == "discarded"
    recorded = Event.objects.get()
    assert (recorded.act, recorded.reason, recorded.actor_label) == (
        "quarantined_signal.discarded",
        "Test traffic.",
        admin.label,
    )
    factories.guild(external_id="g-late")
    assert retry() == 0
    assert signals_ingest(actor=SWEEP, events=[row.event]).duplicates == 1
    with pytest.raises(InvalidTransition):
        quarantine_discard(actor=admin, key_id=row.pk, reason="Again.")


def test_refused_discards_change_nothing() -> None:
    row = quarantine(guild="g-late")
    market = factories.market()
    admin = Actor.staff(factories.staff(Role.ADMIN))
    local = Actor.staff(factories.staff(Role.ADMIN, markets=[market]))
    reviewer = Actor.staff(factories.staff(Role.REVIEWER))
    for actor, key, reason, error in (
        (admin, row.pk, "  ", InvalidInput),
        (admin, row.pk + 1, "No such row.", NotFound),
        (local, row.pk, "Not in my market.", NotFound),
        (reviewer, row.pk, "Not my role.", NotAllowed),
    ):
        with pytest.raises(error):
            quarantine_discard(actor=actor, key_id=key, reason=reason)
    with pytest.raises(NotAllowed):
        quarantine_retry(actor=reviewer)
    row.refresh_from_db()
    assert row.status == "waiting"
    assert not Event.objects.exists()


def test_who_sees_the_quarantine() -> None:
    market, guild = factories.market(), factories.guild()
    far = quarantine(guild="g-late")
    near = quarantine(creator="c-late", market=market.code)
    everywhere = Actor.staff(factories.staff(Role.ADMIN))
    local = Actor.staff(factories.staff(Role.ADMIN, markets=[market]))
    seat = Actor.guild_user(factories.seat(guild))
    seen = [set(quarantine_visible_to(actor)) for actor in (everywhere, local, seat)]
    assert seen == [{far, near}, {near}, set()]
