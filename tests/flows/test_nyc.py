"""The sample of New York inspections, from the file to violations, against a recomputation that shares no code with ours."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Count

from governance.launches.policy_file import policy_load
from governance.models import Detection, PendingSignal, Rule, Signal, Violation
from governance.signals.models import SHARDS
from governance.signals.services import signals_ingest
from governance.violations.detection_backtest import backtest
from governance.violations.detection_facts import StoredSignal
from governance.violations.services import detect_batch
from guilds.accounts.actor import Actor
from guilds.models import Guild

POLICY = Path(__file__).with_name("nyc_policy.yaml")
SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "nyc-inspections.ndjson.gz"
EVENTS = 252_378

#: (guild, time) of each violation.
Found = set[tuple[str, dt.datetime]]
Event = dict[str, Any]


def lines() -> Iterator[bytes]:
    with gzip.open(SAMPLE, "rb") as file:
        yield from file


def import_sample() -> tuple[int, int]:
    """(accepted, duplicates)"""
    accepted = duplicates = 0
    source = lines()
    while batch := list(islice(source, 5_000)):
        report = signals_ingest(actor=Actor.system("import"), events=batch)
        assert report.rejected == []
        assert report.quarantined == 0
        accepted += report.accepted
        duplicates += report.duplicates
    return accepted, duplicates


def detect_everything() -> int:
    evaluated = 0
    for shard in range(SHARDS):
        while done := detect_batch(shard=shard):
            evaluated += done
    return evaluated


# --- the recomputation: the contract's words, and nothing of the code under test ----------------------------------------
def by_guild() -> dict[str, list[tuple[dt.datetime, Event]]]:
    guilds: dict[str, list[tuple[dt.datetime, Event]]] = defaultdict(list)
    for line in lines():
        event = json.loads(line)
        guilds[event["guild"]].append((dt.datetime.fromisoformat(event["time"]), event))
    for events in guilds.values():
        events.sort(key=lambda item: item[0])
    return guilds


def windows(events: list[tuple[dt.datetime, Event]], days: int) -> Iterator[tuple[dt.datetime, list[Event]]]:
    """For each distinct time t, the events with t − days < time ≤ t."""
    for moment in sorted({time for time, _ in events}):
        start = moment - dt.timedelta(days=days)
        yield moment, [event for time, event in events if start < time <= moment]


def expected(guilds: dict[str, list[tuple[dt.datetime, Event]]]) -> dict[str, Found]:
    found: dict[str, Found] = defaultdict(set)
    for guild, events in guilds.items():
        for time, event in events:
            if event["data"]["action"] == "closed":
                found["NYC-CLOSED"].add((guild, time))
            if event["data"]["score"] is not None and event["data"]["score"] > 27:
                found["NYC-SCORE"].add((guild, time))
        for moment, seen in windows(events, 30):
            critical_now = any(event["data"]["critical"] is True for time, event in events if time == moment)
            if critical_now and sum(event["data"]["critical"] is True for event in seen) >= 3:
                found["NYC-CRITICALS"].add((guild, moment))
        for moment, seen in windows(events, 90):
            if len({event["data"]["code"] for event in seen} - {None}) >= 10:
                found["NYC-MANY-KINDS"].add((guild, moment))
        last: dt.datetime | None = None
        for time, event in events:
            if time < dt.datetime(2011, 3, 1, tzinfo=dt.UTC) or event["market"] not in (
                "US-NY-BX",
                "US-NY-SI",
            ):
                continue
            if event["data"]["critical"] is True and (last is None or time - last >= dt.timedelta(days=90)):
                last = time
                found["NYC-BRONX"].add((guild, time))
    return found


def opened_by(code: str) -> Found:
    rows = Violation.objects.filter(rule__code=code).values_list("guild__external_id", "occurred_at")
    found = list(rows)
    assert len(found) == len(set(found))
    return set(found)


def test_five_rules_find_what_a_plain_recomputation_finds(
    db: None, settings: Any, record_property: Callable[[str, object], None]
) -> None:
    settings.GUILDHALL_ENV = "demo"
    if not SAMPLE.exists():
        pytest.skip(f"{SAMPLE} is missing: the sample lies beside the checkout, not in it")
    policy_load(actor=Actor.system("test"), text=POLICY.read_text(), activate=True)

    # When the file comes in and everything is evaluated
    assert import_sample() == (EVENTS, 0)
    assert detect_everything() == EVENTS

    # Then each rule has opened exactly the violations of the recomputation
    wanted = expected(by_guild())
    assert set(wanted) == set(Rule.objects.values_list("code", flat=True))
    for code, violations in wanted.items():
        assert opened_by(code) == violations, code
    automatic = Violation.objects.filter(rule__code="NYC-BRONX")
    assert set(automatic.values_list("status", "sanction_due")) == {("confirmed", True)}

    # And the same file a second time doubles nothing
    before = (Signal.objects.count(), Detection.objects.count(), Violation.objects.count())
    assert import_sample() == (0, EVENTS)
    assert PendingSignal.objects.count() == 0
    assert detect_everything() == 0
    assert (Signal.objects.count(), Detection.objects.count(), Violation.objects.count()) == before

    # And a backtest of each rule finds what live detection found, since the day the rule took effect
    names = dict(Guild.objects.values_list("pk", "external_id"))
    stored = Violation.objects.values("rule").annotate(total=Count("pk"))
    for rule in Rule.objects.filter(pk__in=stored.values("rule")):
        version = rule.versions.get()
        opened: list[StoredSignal] = []
        report = backtest(version, since=version.effective_from, opened=opened.append)
        found = {(names[signal.guild_id], signal.time) for signal in opened}
        assert found == wanted[rule.code], rule.code
        assert report.matches == len(found)
