"""Examples and trying: facts and measures are those of live detection, kept whole, and run at every save."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.utils import timezone

from governance.engine import MeasureSpec, SignalFacts
from governance.models import Example, RuleVersion, Signal
from governance.workbench import facts
from governance.workbench.selectors import spec_of
from governance.workbench.services import example_add, example_change, example_remove
from governance.workbench.trying import compiled_or_reason, judge, snapshot_of_pasted, snapshot_of_stored
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, InvalidInput, NotAllowed, NotFound
from guilds.models import Market, User
from tests import factories
from tests.governance.workbench import writing

pytestmark = pytest.mark.django_db

MEASURES = (
    MeasureSpec("low_7d", where="signal.score < 10", window=dt.timedelta(days=7)),
    MeasureSpec("worst_7d", window=dt.timedelta(days=7), aggregate="max(data.score)"),
    MeasureSpec("people_7d", window=dt.timedelta(days=7), aggregate="distinct(creator)"),
)


def draft(by: User, **changes: Any) -> RuleVersion:
    if not Market.objects.exists():
        factories.market("HERE")
    return writing.save(by, writing.empty(by), **changes)


def add(by: User, version: RuleVersion, must_match: bool = True, **values: Any) -> Example:
    given = {"name": "An example", "pasted": '{"score": 3}', **values}
    return example_add(actor=Actor.staff(by), version_id=version.pk, must_match=must_match, **given)


# --- adding -----------------------------------------------------------------------------------------------------------
def test_a_stored_signal_is_kept_with_its_facts_and_measures_as_of_its_time() -> None:
    alice, now = writing.analyst(), timezone.now()
    version = draft(alice, measures=MEASURES, when="low_7d >= 2 && guild.tier == 'gold'")
    guild = factories.guild("guild-a", tier="gold", onboarded_at=now - dt.timedelta(days=400))
    creator = factories.creator("creator-a")
    for days, score in ((20, 1), (3, 5), (2, 40)):
        factories.signal(guild, type="gift.score", time=now - dt.timedelta(days=days), data={"score": score})
    signal = factories.signal(
        guild, type="gift.score", time=now - dt.timedelta(days=1), creator=creator, data={"score": 9}
    )
    factories.signal(guild, type="gift.score", time=now, data={"score": 0})
    example = add(alice, version, signal_id=signal.pk)
    assert example.measures == {"low_7d": 2, "worst_7d": 40, "people_7d": 1}
    assert (example.facts["type"], example.facts["data"]) == ("gift.score", {"score": 9})
    assert example.facts["guild"]["id"] == "guild-a"
    assert example.facts["creator"]["id"] == "creator-a"
    assert dt.datetime.fromisoformat(example.facts["time"]) == signal.time
    assert example.result == "passed"
    assert [part["state"] for part in example.explanation["conditions"]] == ["true", "true"]
    assert writing.events("example.added")[0].after["measures"] == example.measures
    # It says the same whatever becomes of the guild.
    guild.tier = "standard"
    guild.save()
    writing.save(alice, version, measures=MEASURES, when="low_7d >= 1 && guild.tier == 'gold'")
    assert Example.objects.get().result == "passed"


def test_a_signal_written_by_hand_counts_beside_what_really_happened() -> None:
    alice, now = writing.analyst(), timezone.now()
    version = draft(alice, measures=MEASURES, when="low_7d >= 2")
    guild = factories.guild("guild-a")
    factories.signal(guild, type="gift.score", time=now - dt.timedelta(hours=1), data={"score": 5})
    stored = Signal.objects.count()
    snapshot = snapshot_of_pasted(
        Actor.staff(alice),
        spec_of(version),
        facts.read_pasted(
            json.dumps({"type": "gift.score", "guild": "guild-a", "creator": "new", "data": {"score": 8}})
        ),
    )
    assert snapshot.measures == {"low_7d": 2, "worst_7d": 8, "people_7d": 1}
    assert snapshot.notes == ()
    assert Signal.objects.count() == stored


def test_a_guild_nobody_knows_has_no_past() -> None:
    alice = writing.analyst()
    version = draft(alice, measures=MEASURES, when="low_7d >= 1")
    factories.signal(factories.guild(), type="gift.score", data={"score": 1})
    example = add(alice, version, pasted='{"score": 3}')
    assert example.measures == {"low_7d": 1, "worst_7d": 3, "people_7d": 0}
    assert (example.facts["guild"]["id"], example.facts["creator"]) == ("example", None)


def test_a_month_without_signals_is_tried_without_the_signal_itself() -> None:
    alice = writing.analyst()
    version = draft(alice, measures=MEASURES, when="low_7d >= 1")
    pasted = facts.read_pasted('{"type": "gift.score", "time": "2003-01-01T00:00:00Z", "data": {"score": 3}}')
    snapshot = snapshot_of_pasted(Actor.staff(alice), spec_of(version), pasted)
    assert snapshot.measures["low_7d"] == 0
    assert "No signals of that month" in snapshot.notes[0]


def test_the_holder_of_the_creator_answers_as_in_detection() -> None:
    alice, now = writing.analyst(), timezone.now()
    version = draft(alice)
    holder, named = factories.guild("holder"), factories.guild("named")
    creator = factories.creator("creator-a")
    factories.membership(creator, holder, now - dt.timedelta(days=10))
    pasted = facts.read_pasted(
        '{"type": "gift.score", "guild": "named", "creator": "creator-a", "data": {"score": 3}}'
    )
    snapshot = snapshot_of_pasted(Actor.staff(alice), spec_of(version), pasted)
    assert snapshot.facts.guild["id"] == "holder"
    assert named.pk != holder.pk


def test_measures_may_be_set_by_hand() -> None:
    alice = writing.analyst()
    version = draft(alice, measures=MEASURES, when="low_7d >= 5")
    assert add(alice, version, measures={"low_7d": 7}).result == "passed"
    assert add(alice, version, name="Fewer", measures={"low_7d": 4}).result == "failed"


def test_examples_run_at_every_save() -> None:
    alice = writing.analyst()
    version = draft(alice)
    add(alice, version, name="Low")
    add(alice, version, name="High", must_match=False, pasted='{"score": 30}')
    add(alice, version, name="None at all", must_match=False, pasted="{}")

    def results() -> dict[str, str]:
        return dict(Example.objects.values_list("name", "result"))

    assert results() == {"Low": "passed", "High": "passed", "None at all": "passed"}
    writing.save(alice, version, when="signal.score < 40")
    assert results() == {"Low": "passed", "High": "failed", "None at all": "passed"}
    writing.save(alice, version, when="signal.score <")
    assert results() == dict.fromkeys(("Low", "High", "None at all"), "error")
    assert "when at character" in Example.objects.all()[0].explanation["reason"]
    writing.save(alice, version, on=("other.type",))
    assert results() == {"Low": "failed", "High": "passed", "None at all": "passed"}
    assert "does not listen to gift.score" in Example.objects.get(name="Low").explanation["reason"]
    writing.save(alice, version, when="signal.score.contains('x')")
    assert set(results().values()) == {"error", "passed"}


def test_a_rule_that_does_not_hold_in_the_market_does_not_match() -> None:
    alice = writing.analyst()
    here, there = factories.market("HERE"), factories.market("ELSE")
    version = draft(alice, markets=("ELSE",))
    rule = compiled_or_reason(spec_of(version))
    assert not isinstance(rule, str)
    found = SignalFacts({"score": 1}, "gift.score", timezone.now(), market={"code": here.code})
    assert judge(rule, found, {}).state == "unheard"
    found = SignalFacts({"score": 1}, "gift.score", timezone.now(), market={"code": there.code})
    assert judge(rule, found, {}).matched


def test_examples_are_changed_and_taken_out_and_the_ledger_keeps_both() -> None:
    alice = writing.analyst()
    version = draft(alice)
    example = add(alice, version)
    other = {**example.facts, "data": {"score": 50}, "secret": "dropped"}
    changed = example_change(
        actor=Actor.staff(alice), example_id=example.pk, name="High", must_match=False, facts_kept=other
    )
    assert (changed.name, changed.must_match, changed.result) == ("High", False, "passed")
    assert (changed.facts["data"], "secret" in changed.facts) == ({"score": 50}, False)
    assert writing.events("example.changed")[0].before["name"] == "An example"
    example_remove(actor=Actor.staff(alice), example_id=example.pk)
    assert Example.objects.count() == 0
    assert writing.events("example.removed")[0].before["facts"]["data"] == {"score": 50}


def test_names_are_unique_within_a_version() -> None:
    alice = writing.analyst()
    version = draft(alice)
    add(alice, version)
    with pytest.raises(Conflict):
        add(alice, version, name=" An example ")
    assert Example.objects.count() == 1


def test_examples_of_others_are_out_of_reach() -> None:
    alice = writing.analyst()
    here, there = factories.market("HERE"), factories.market("ELSE")
    version = draft(alice, markets=("HERE",))
    example = add(alice, version)
    bob, recorded = writing.analyst(markets=[there]), writing.recorded()
    for person in (bob, factories.staff(Role.APPROVER), factories.staff(Role.AUDITOR)):
        with pytest.raises(NotAllowed):
            add(person, version, name="Mine")
        with pytest.raises(NotAllowed):
            example_change(actor=Actor.staff(person), example_id=example.pk, must_match=False)
        with pytest.raises(NotAllowed):
            example_remove(actor=Actor.staff(person), example_id=example.pk)
    assert (Example.objects.get().must_match, writing.recorded()) == (True, recorded)
    elsewhere = factories.signal(factories.guild(market=there), type="gift.score")
    local = writing.analyst(markets=[here])
    with pytest.raises(NotFound):
        add(local, version, name="Theirs", signal_id=elsewhere.pk)
    with pytest.raises(NotFound):
        snapshot_of_stored(Actor.staff(local), spec_of(version), elsewhere.pk)
    foreign = facts.read_pasted(
        json.dumps({"type": "gift.score", "guild": elsewhere.guild.external_id, "data": {}})
    )
    assert snapshot_of_pasted(Actor.staff(local), spec_of(version), foreign).facts.guild["name"] == ""
    assert (Example.objects.count(), writing.recorded()) == (1, recorded)


# --- what may be pasted -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("pasted", "words"),
    [
        ("", "Paste a signal"),
        ("{", "not JSON"),
        ('{"score": NaN}', "not JSON"),
        ("[]", "JSON object in braces"),
        ("17", "JSON object in braces"),
        ('{"a": "\\u0000"}', "U+0000"),
        ('{"a": "\ud800"}', "half a character"),
        ('{"a": "\\ud800"}', ""),
        ('{"type": "x", "data": []}', '"data" is a JSON object'),
        ('{"type": 3, "data": {}}', '"type" is a text'),
        ('{"type": "x", "time": "yesterday", "data": {}}', "2026-03-01"),
        ('{"type": "x", "time": "0001-01-01T00:00:00+23:00", "data": {}}', "between 2000"),
        ('{"type": "x", "market": "NOWHERE", "data": {}}', "No market NOWHERE"),
        ('{"a": ' + "[" * 1_000 + "]" * 1_000 + "}", "nested"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "bytes"),
        ('{"a": "' + "x" * 200_000 + '"}', "bytes"),
    ],
)
def test_what_is_no_signal_is_refused_in_words(pasted: str, words: str) -> None:
    alice = writing.analyst()
    version = draft(alice)
    recorded = writing.recorded()
    with pytest.raises(InvalidInput) as refusal:
        add(alice, version, pasted=pasted)
    assert words in refusal.value.message
    assert (Example.objects.count(), writing.recorded()) == (0, recorded)


@pytest.mark.parametrize(
    "changes",
    [
        {"facts_kept": []},
        {"facts_kept": {"type": "gift.score", "time": "2026-01-01T00:00:00Z"}},
        {"facts_kept": {"type": "", "time": "2026-01-01T00:00:00Z", "data": {}}},
        {"facts_kept": {"type": "x", "time": None, "data": {}}},
        {
            "facts_kept": {
                "type": "x",
                "time": "2026-01-01T00:00:00Z",
                "data": {},
                "guild": {"onboarded_at": 3},
            }
        },
        {
            "facts_kept": {
                "type": "x",
                "time": "2026-01-01T00:00:00Z",
                "data": {},
                "guild": {"tier": {"a": 1}},
            }
        },
        {"facts_kept": {"type": "x", "time": "2026-01-01T00:00:00Z", "data": {}, "market": 3}},
        {"measures": []},
        {"measures": {"low_7d": "many"}},
        {"measures": {"low_7d": True}},
        {"measures": {"low_7d": float("inf")}},
        {"measures": {"low_7d": 2**80}},
        {"name": ""},
        {"name": "x" * 201},
    ],
)
def test_an_example_keeps_only_what_rules_can_read(changes: dict[str, Any]) -> None:
    alice = writing.analyst()
    example = add(alice, draft(alice))
    recorded = writing.recorded()
    with pytest.raises(InvalidInput):
        example_change(actor=Actor.staff(alice), example_id=example.pk, **changes)
    assert Example.objects.get().facts == example.facts
    assert writing.recorded() == recorded
