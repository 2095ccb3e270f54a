"""Signals in: stored once, charged to who held the creator, and one bad event spoils no other."""

from __future__ import annotations

import datetime as dt
from typing import Any
from unittest.mock import patch

import orjson
import pytest

from governance.ledger.models import Event
from governance.models import PendingSignal, QuarantinedSignal, Signal, SignalKey, SignalSource
from governance.signals.enums import QuarantineReason
from governance.signals.models import SHARDS
from governance.signals.selectors import signal_counts, signals_visible_to
from governance.signals.services import IngestReport, signals_ingest
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import NotAllowed
from guilds.models import Creator, Guild
from tests import factories
from tests.governance.signals.events import event

pytestmark = pytest.mark.django_db

DETECTOR = Actor.system("detector")
TIME = dt.datetime(2026, 2, 1, 10, tzinfo=dt.UTC)


def ingest(*events: Any, actor: Actor = DETECTOR, source: str = "") -> IngestReport:
    report = signals_ingest(actor=actor, events=events, source=source)
    total = report.accepted + report.duplicates + report.quarantined + len(report.rejected)
    assert total == len(events)
    return report


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    return report.accepted, report.duplicates, report.quarantined, len(report.rejected)


def nothing_stored() -> bool:
    return not (SignalKey.objects.exists() or Signal.objects.exists() or PendingSignal.objects.exists())


def client_of(**fields: Any) -> Actor:
    return Actor.client(factories.client("signals:write", **fields), scopes=["signals:write"])


# --- stored -----------------------------------------------------------------------------------------------------------
def test_a_signal_is_stored_and_waits_for_detection() -> None:
    guild = factories.guild()

    report = ingest(
        event(id="a", guild=guild.external_id, data={"amount": 5, "note": 'tab\t, "\\" and 公会'})
    )

    assert counts(report) == (1, 0, 0, 0)
    signal = Signal.objects.get()
    assert (signal.event_id, signal.type, signal.source.uri) == ("a", "gift.self", "/detectors/gifts")
    assert (signal.time, signal.guild, signal.named_guild, signal.creator) == (TIME, guild, None, None)
    assert signal.market == guild.market
    assert signal.data == {"amount": 5, "note": 'tab\t, "\\" and 公会'}
    assert SignalKey.objects.get().pk == signal.pk
    waiting = PendingSignal.objects.get()
    assert (waiting.signal_id, waiting.time, waiting.version) == (signal.pk, TIME, None)
    assert waiting.shard == guild.pk % SHARDS
    assert not Event.objects.exists()


def test_texts_with_a_meaning_to_copy_survive() -> None:
    guild = factories.guild(external_id="g\\N")
    ingest(event(id="\\.", guild="g\\N", type="a\\tb", source="/\\n", data={"a": "\\N\n\\"}))
    signal = Signal.objects.get()
    assert (signal.event_id, signal.type, signal.source.uri) == ("\\.", "a\\tb", "/\\n")
    assert (signal.guild, signal.data) == (guild, {"a": "\\N\n\\"})


def test_ids_follow_the_order_of_the_batch() -> None:
    guild = factories.guild().external_id
    ingest(*(event(id=name, guild=guild) for name in ("c", "a", "b")))
    assert list(Signal.objects.order_by("id").values_list("event_id", flat=True)) == ["c", "a", "b"]


def test_every_month_gets_its_partition() -> None:
    guild = factories.guild().external_id
    times = ["2003-05-31T23:59:59Z", "2003-06-01T00:00:00Z", "2019-12-31T23:30:00-01:00"]
    assert counts(ingest(*(event(time=time, guild=guild) for time in times))) == (3, 0, 0, 0)
    assert signal_counts().pending == 3


def test_an_empty_batch_is_fine() -> None:
    assert counts(ingest()) == (0, 0, 0, 0)


# --- once -------------------------------------------------------------------------------------------------------------
def test_sent_again_nothing_doubles() -> None:
    guild = factories.guild()
    events = [event(id=str(number), guild=guild.external_id) for number in range(5)]
    ingest(*events)
    before = list(Signal.objects.order_by("id").values())

    changed = [{**again, "time": "2026-02-02T10:00:00Z", "data": {"amount": 6}} for again in events]
    assert counts(ingest(*changed, *events)) == (0, 10, 0, 0)

    assert list(Signal.objects.order_by("id").values()) == before
    assert (SignalKey.objects.count(), PendingSignal.objects.count()) == (5, 5)


def test_twice_in_one_batch_counts_once_and_the_first_stands() -> None:
    guild = factories.guild().external_id
    report = ingest(event(id="a", guild=guild, data={"n": 1}), event(id="a", guild=guild, data={"n": 2}))
    assert counts(report) == (1, 1, 0, 0)
    assert Signal.objects.get().data == {"n": 1}


def test_the_same_id_of_another_source_is_another_signal() -> None:
    guild = factories.guild().external_id
    events = [event(id="a", guild=guild, source=source) for source in ("/a", "/b")]
    assert counts(ingest(*events)) == (2, 0, 0, 0)
    assert SignalSource.objects.count() == 2


# --- bad events -------------------------------------------------------------------------------------------------------
def test_one_bad_event_spoils_no_other() -> None:
    guild = factories.guild().external_id
    report = ingest(
        "text", event(id="a", guild=guild), event(id="b", guild=guild, time="?"), event(id="c", guild=guild)
    )
    assert counts(report) == (2, 0, 0, 2)
    assert [(row["index"], row["id"]) for row in report.rejected] == [(0, None), (2, "b")]
    assert report.rejected[1]["errors"][0]["field"] == "time"
    assert set(Signal.objects.values_list("event_id", flat=True)) == {"a", "c"}


def test_events_may_come_as_json_text() -> None:
    guild = factories.guild().external_id
    report = ingest(orjson.dumps(event(id="a", guild=guild)), b"{", orjson.dumps(event(id="b", type=None)))
    assert counts(report) == (1, 0, 0, 2)
    assert [(row["index"], row["id"]) for row in report.rejected] == [(1, None), (2, "b")]


def test_a_source_fills_in() -> None:
    guild = factories.guild().external_id
    ingest(event(source=None, guild=guild), event(source="/own", guild=guild), source="/file")
    assert set(SignalSource.objects.values_list("uri", flat=True)) == {"/file", "/own"}


def test_a_batch_that_fails_leaves_nothing() -> None:
    guild = factories.guild().external_id
    with (
        patch("governance.signals.staging.ensure_months", side_effect=RuntimeError("disk full")),
        pytest.raises(RuntimeError),
    ):
        ingest(event(guild=guild, market=None))
    assert nothing_stored()
    assert not SignalSource.objects.exists()


# --- who is charged -------------------------------------------------------------------------------------------------------
def test_the_guild_that_held_the_creator_then_is_charged() -> None:
    before, now = factories.guild(), factories.guild()
    creator = factories.creator()
    factories.membership(creator, before, TIME - dt.timedelta(days=30), TIME)
    factories.membership(creator, now, TIME)

    ingest(
        event(id="before", creator=creator.external_id, time="2026-02-01T09:59:59Z"),
        event(id="at", creator=creator.external_id, guild=before.external_id),
        event(id="after", creator=creator.external_id, guild=now.external_id, time="2026-02-02T00:00:00Z"),
        event(id="earlier", creator=creator.external_id, guild=now.external_id, time="2025-12-01T00:00:00Z"),
    )

    charged = {
        signal.event_id: (signal.guild, signal.named_guild, signal.creator) for signal in Signal.objects.all()
    }
    assert charged == {
        "before": (before, None, creator),
        "at": (now, before, creator),
        "after": (now, None, creator),
        "earlier": (now, None, creator),
    }


def test_the_events_market_counts_else_the_guilds() -> None:
    guild, other = factories.guild(), factories.market()
    ingest(event(id="a", guild=guild.external_id), event(id="b", guild=guild.external_id, market=other.code))
    markets = dict(Signal.objects.values_list("event_id", "market_id"))
    assert markets == {"a": guild.market_id, "b": other.pk}


def test_an_unknown_guild_in_a_known_market_is_made_provisionally() -> None:
    market = factories.market()

    report = ingest(
        event(guild="new", market=market.code, creator="c-new"), event(guild="new", market=market.code)
    )

    assert counts(report) == (2, 0, 0, 0)
    guild = Guild.objects.get(external_id="new")
    assert (guild.provisional, guild.market, guild.status) == (True, market, "active")
    creator = Creator.objects.get(external_id="c-new")
    assert creator.market == market
    assert set(Signal.objects.values_list("guild_id", "creator_id")) == {
        (guild.pk, creator.pk),
        (guild.pk, None),
    }
    history = guild.history.get()  # type: ignore[attr-defined]
    assert history.pgh_context.metadata["reason"] == "first met in a signal"
    assert history.pgh_context.metadata["actor"] == "detector"


def test_a_named_unknown_guild_is_kept_though_another_is_charged() -> None:
    holder, creator = factories.guild(), factories.creator()
    factories.membership(creator, holder, TIME - dt.timedelta(days=1))
    ingest(
        event(id="a", creator=creator.external_id, guild="new", market=holder.market.code),
        event(id="b", creator=creator.external_id, guild="nowhere"),
    )
    named = Signal.objects.get(event_id="a").named_guild
    assert named is not None
    assert (named.external_id, named.provisional) == ("new", True)
    signal = Signal.objects.get(event_id="b")
    assert (signal.guild, signal.named_guild) == (holder, None)


# --- quarantine -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"guild": "nobody"}, QuarantineReason.UNKNOWN_GUILD),
        ({"guild": "nobody", "creator": "known"}, QuarantineReason.UNKNOWN_GUILD),
        ({"guild": "known", "market": "XX"}, QuarantineReason.UNKNOWN_MARKET),
        ({"guild": "nobody", "market": "XX"}, QuarantineReason.UNKNOWN_MARKET),
        ({"creator": "nobody"}, QuarantineReason.UNKNOWN_CREATOR),
        ({"creator": "nobody", "market": "M"}, QuarantineReason.UNKNOWN_CREATOR),
        ({"creator": "known"}, QuarantineReason.NO_MEMBERSHIP),
    ],
)
def test_who_cannot_be_charged_waits_in_quarantine(fields: dict[str, str], reason: QuarantineReason) -> None:
    factories.guild(external_id="known", market=factories.market("M"))
    factories.creator(external_id="known")
    sent = event(id="a", **fields)

    assert counts(ingest(sent)) == (0, 0, 1, 0)
    assert counts(ingest(sent)) == (0, 1, 0, 0)

    row = QuarantinedSignal.objects.get()
    assert (row.reason, row.status, row.event) == (reason, "waiting", sent)
    assert (row.guild_ref, row.creator_ref, row.market_ref) == tuple(
        fields.get(name, "") for name in ("guild", "creator", "market")
    )
    assert not Signal.objects.exists()
    assert not PendingSignal.objects.exists()
    assert (Guild.objects.count(), Creator.objects.count()) == (1, 1)
    assert signal_counts().quarantined == 1


# --- who may send -----------------------------------------------------------------------------------------------------
def test_a_client_of_some_markets_sends_only_for_these() -> None:
    ours, theirs = factories.guild(), factories.guild()
    creator = factories.creator()
    factories.membership(creator, theirs, TIME - dt.timedelta(days=1))
    actor = client_of(markets=[ours.market])
    code = ours.market.code

    report = ingest(
        event(id="ours", guild=ours.external_id),
        event(id="new", guild="new", market=code),
        event(id="market", guild=ours.external_id, market=theirs.market.code),
        event(id="unknown", guild="new", market="XX"),
        event(id="guild", guild=theirs.external_id),
        event(id="disguised", guild=theirs.external_id, market=code),
        event(id="creator", guild=ours.external_id, creator=creator.external_id),
        event(id="waits", guild="nobody"),
        actor=actor,
    )

    assert counts(report) == (2, 0, 1, 5)
    refused = {row["id"]: [fault["field"] for fault in row["errors"]] for row in report.rejected}
    assert refused == {
        "market": ["market"],
        "unknown": ["market"],
        "guild": ["guild"],
        "disguised": ["guild"],
        "creator": ["creator"],
    }
    assert code in report.rejected[0]["errors"][0]["message"]
    assert set(Signal.objects.values_list("event_id", flat=True)) == {"ours", "new"}
    assert QuarantinedSignal.objects.get().client_id == actor.client_id


def test_a_client_of_one_guild_sends_only_for_it() -> None:
    ours, theirs = factories.guild(), factories.guild()
    held, lost = factories.creator(), factories.creator()
    factories.membership(held, ours, TIME - dt.timedelta(days=1))
    factories.membership(lost, theirs, TIME - dt.timedelta(days=1))
    report = ingest(
        event(id="named", guild=ours.external_id),
        event(id="held", creator=held.external_id),
        event(id="other", guild=theirs.external_id),
        event(id="new", guild="new", market=ours.market.code),
        event(id="lost", creator=lost.external_id),
        event(id="charged", guild=ours.external_id, creator=lost.external_id),
        actor=client_of(guild=ours),
    )
    assert counts(report) == (2, 0, 0, 4)
    refused = {row["id"]: row["errors"][0]["field"] for row in report.rejected}
    assert refused == {"other": "guild", "new": "guild", "lost": "creator", "charged": "creator"}
    assert not Guild.objects.filter(external_id="new").exists()


def test_an_administrator_of_some_markets_leaves_nothing_in_quarantine() -> None:
    guild = factories.guild()
    admin = Actor.staff(factories.staff(Role.ADMIN, markets=[guild.market]))
    report = ingest(event(id="a", guild=guild.external_id), event(id="b", guild="nobody"), actor=admin)
    assert counts(report) == (1, 0, 0, 1)
    assert "name a guild and a market" in report.rejected[0]["errors"][0]["message"]


def test_guilds_and_other_staff_may_not_send() -> None:
    guild = factories.guild()
    for actor in (
        Actor.guild_user(factories.seat(guild)),
        Actor.staff(factories.staff(Role.REVIEWER, Role.ENFORCER)),
    ):
        with pytest.raises(NotAllowed):
            signals_ingest(actor=actor, events=[event(guild=guild.external_id)])
    assert nothing_stored()


def test_who_sees_which_signals() -> None:
    ours, theirs = factories.guild(), factories.guild()
    ingest(event(id="a", guild=ours.external_id), event(id="b", guild=theirs.external_id))
    everywhere = Actor.staff(factories.staff(Role.AUDITOR))
    here = Actor.staff(factories.staff(Role.AUDITOR, markets=[ours.market]))
    seat = Actor.guild_user(factories.seat(theirs))
    seen = [
        set(signals_visible_to(actor).values_list("event_id", flat=True))
        for actor in (everywhere, here, seat)
    ]
    assert seen == [{"a", "b"}, {"a"}, {"b"}]


def test_detection_is_woken_for_the_shards_with_work(django_capture_on_commit_callbacks: Any) -> None:
    guilds = [factories.guild() for _ in range(3)]
    events = [event(guild=guild.external_id) for guild in guilds for _ in range(2)]
    with (
        patch("guilds.nudges.current_app.send_task") as send,
        django_capture_on_commit_callbacks(execute=True),
    ):
        ingest(*events)
        assert not send.called
    woken = [(call.args[0], call.kwargs["args"]) for call in send.call_args_list]
    shards = sorted({guild.pk % SHARDS for guild in guilds})
    assert woken == [("governance.violations.detect", (shard,)) for shard in shards]
