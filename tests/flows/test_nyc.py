"""The sample of New York inspections, from the file to violations, against a recomputation that shares no code with ours.

Every second establishment with all it has in four years; NYC_WHOLE=1 takes the whole file, for twice the time.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from governance.launches.policy_file import policy_load
from governance.models import Detection, EvaluationFault, PendingSignal, Rule, Signal, Violation
from governance.signals.services import signals_ingest
from governance.violations.backtest_spans import Judged
from governance.violations.detection_backtest import backtest
from guilds.accounts.actor import Actor
from guilds.models import Guild
from tests.worker import Worker

POLICY = Path(__file__).with_name("nyc_policy.yaml")
SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "nyc-inspections.ndjson.gz"
WHOLE = os.environ.get("NYC_WHOLE", "") == "1"
LAST_QUARTER = dt.datetime(2014, 4, 1, tzinfo=dt.UTC)

#: (guild, time) of each violation.
Found = set[tuple[str, dt.datetime]]
Event = dict[str, Any]


def lines(most: int | None = None) -> Iterator[bytes]:
    """The lines of the sample, or the first of the whole file."""
    if not SAMPLE.exists():
        pytest.skip(f"{SAMPLE} is missing: the sample lies beside the checkout, not in it")
    with gzip.open(SAMPLE, "rb") as file:
        if WHOLE or most is not None:
            yield from islice(file, most)
        else:
            yield from (line for line in file if line.partition(b'"guild":"g-')[2][:1] in b"02468ace")


def sample_size() -> int:
    return sum(1 for _line in lines())


def import_sample(most: int | None = None) -> tuple[int, int]:
    """(accepted, duplicates)"""
    accepted = duplicates = 0
    source = lines(most)
    while batch := list(islice(source, 5_000)):
        report = signals_ingest(actor=Actor.system("import"), events=batch)
        assert report.rejected == []
        assert report.quarantined == 0
        accepted += report.accepted
        duplicates += report.duplicates
    return accepted, duplicates


# --- the recomputation: the contract's words, and nothing of the code under test ----------------------------------------
def by_guild(most: int | None = None) -> dict[str, list[tuple[dt.datetime, Event]]]:
    guilds: dict[str, list[tuple[dt.datetime, Event]]] = defaultdict(list)
    for line in lines(most):
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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_rules_find_what_a_plain_recomputation_finds(
    worker: Worker, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.GUILDHALL_ENV = "demo"
    policy_load(actor=Actor.system("test"), text=POLICY.read_text(), activate=True)

    # When the file has come in and a worker and the command have evaluated it
    worker.stop()
    events = sample_size()
    assert events > 100_000
    assert import_sample() == (events, 0)
    worker.start()
    call_command("detect", "--wait")
    assert PendingSignal.objects.count() == 0

    # Then each rule has opened exactly the violations of the recomputation
    wanted = expected(by_guild())
    assert set(wanted) == set(Rule.objects.values_list("code", flat=True))
    for code, violations in wanted.items():
        assert opened_by(code) == violations, code
    told = capsys.readouterr().out
    for code, violations in wanted.items():
        assert f"{code} opened={len(violations)}\n" in told
    total = sum(map(len, wanted.values()))
    assert f"evaluated={events} opened={total}\n" in told
    automatic = Violation.objects.filter(rule__code="NYC-BRONX")
    assert set(automatic.values_list("status", flat=True)) == {"confirmed"}
    assert not EvaluationFault.objects.exists()

    # And the same file a second time doubles nothing
    before = (Signal.objects.count(), Detection.objects.count(), Violation.objects.count())
    assert import_sample() == (0, events)
    call_command("detect", "--wait")
    assert "evaluated=0 opened=0\n" in capsys.readouterr().out
    assert (Signal.objects.count(), Detection.objects.count(), Violation.objects.count()) == before

    # And a backtest of each rule finds what live detection found
    for rule in Rule.objects.all():
        version = rule.versions.get()
        # A cooldown looks back on what was opened before, so that rule is run from its first day.
        since = version.effective_from if rule.code == "NYC-BRONX" else LAST_QUARTER
        opened: list[Judged] = []
        report = backtest(version, since=since, opened=opened.append)
        names = Guild.objects.in_bulk({signal.guild_id for signal in opened})
        found = {(names[signal.guild_id].external_id, signal.time) for signal in opened}
        assert found == {(guild, time) for guild, time in wanted[rule.code] if since is None or time >= since}
        assert report.matches == len(found) > 0
    assert (Detection.objects.count(), Violation.objects.count()) == before[1:]
