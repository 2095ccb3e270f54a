"""The policy file into the database: all or nothing, only what changed, and the demo's door to live."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from governance.launches.policy_file import LoadReport, policy_load
from governance.launches.services import versions_activate_without_launch
from governance.ledger.models import Event
from governance.models import Band, Ladder, LivePeriod, Risk, Rule, RuleVersion
from governance.rules.services import version_pause, version_retire
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput, NotAllowed
from guilds.models import Market, Regime
from tests import factories

pytestmark = pytest.mark.django_db

ACTOR = Actor.system("test")
POLICY = """\
regimes: [{code: eu, name: European Union, notice_days: 15, appeal_days: 184, termination_days: 30}]
markets:
  - {code: DE, name: Germany, timezone: Europe/Berlin, languages: [de, en], regime: eu}
  - {code: US, name: United States, timezone: America/New_York, languages: [en], regime: none}
risks: [{code: HYG, name: Hygiene, harm: 4, likelihood: 3, owner: analyst}]
ladders:
  - {code: standard, window: 180d, points: 10, decay: never, steps: [[{kind: warning}], [{kind: settlement_hold, days: 30}]]}
bands:
  - {code: watch, name: Watch, at_or_below: 80, penalties: [{kind: interview}]}
  - {code: out, name: Out, at_or_below: 50, penalties: [{kind: clear_out}]}
rules:
  - code: HYG-CLOSE
    name: Closed by inspectors
    risk: HYG
    violation: {code: HYG-01, severity: S1}
    on: [inspection.citation]
    when: signal.action == "closed"
    effective_from: 2010-01-01
    review: auto
    cap: 200
    ladder: standard
    markets: ["*"]
  - code: HYG-DE
    name: Only in Germany
    risk: HYG
    violation: {code: HYG-02, severity: S3}
    on: [inspection.citation]
    when: signal.critical == true
    ladder: standard
    markets: [DE]
    text: {en: Keep it clean., de: Haltet es sauber.}
"""


def load(text: str = POLICY, **options: Any) -> LoadReport:
    return policy_load(actor=ACTOR, text=text, filename="policy.yaml", **options)


def outcomes(report: LoadReport) -> list[str]:
    return [str(change) for change in report.changed]


def counts() -> list[int]:
    models = (Regime, Market, Risk, Ladder, Band, Rule, RuleVersion, LivePeriod, Event)
    return [model.objects.count() for model in models]


@pytest.fixture
def demo(settings: Any) -> None:
    settings.GUILDHALL_ENV = "demo"


def test_a_file_brings_everything_it_names_as_drafts() -> None:
    load()
    assert Market.objects.get(code="DE").regime == Regime.objects.get(code="eu")
    assert Market.objects.get(code="US").regime.code == "none"
    assert Regime.objects.get(code="eu").appeal_days == 184
    assert Risk.objects.get().priority == 12
    assert Ladder.objects.get().spec == {
        "code": "standard",
        "window": "180d",
        "points": 10,
        "decay": "never",
        "steps": [[{"kind": "warning"}], [{"kind": "settlement_hold", "days": 30}]],
    }
    assert list(Band.objects.values_list("code", "at_or_below", "penalties")) == [
        ("watch", 80, [{"kind": "interview"}]),
        ("out", 50, [{"kind": "clear_out"}]),
    ]
    version = RuleVersion.objects.get(rule__code="HYG-CLOSE")
    assert (version.number, version.status, version.cap, version.severity) == (1, "draft", 200, "S1")
    assert version.effective_from == dt.datetime(2010, 1, 1, tzinfo=dt.UTC)
    assert version.ladder == Ladder.objects.get().spec
    assert RuleVersion.objects.get(rule__code="HYG-DE").text["de"] == "Haltet es sauber."
    assert not LivePeriod.objects.exists()
    event = Event.objects.get(act="policy.loaded")
    assert "rule HYG-CLOSE: version 1 created" in event.after["changed"]
    assert Event.objects.filter(act="rule_version.created").count() == 2


def test_loading_it_again_changes_and_records_nothing() -> None:
    load()
    before = counts()
    assert outcomes(load()) == []
    assert counts() == before


def test_only_what_changed_gets_a_new_version() -> None:
    load()
    changed = POLICY.replace('signal.action == "closed"', 'signal.action == "reclosed"')
    assert outcomes(load(changed)) == ["rule HYG-CLOSE: version 2 created"]
    # back to the first wording is a change too
    assert outcomes(load()) == ["rule HYG-CLOSE: version 3 created"]


def test_a_changed_ladder_makes_new_versions_and_leaves_the_old_ones_their_own() -> None:
    load()
    assert outcomes(load(POLICY.replace("points: 10", "points: 12"))) == [
        "ladder standard: changed",
        "rule HYG-CLOSE: version 2 created",
        "rule HYG-DE: version 2 created",
    ]
    assert sorted(RuleVersion.objects.values_list("number", "ladder__points")) == [
        (1, 10),
        (1, 10),
        (2, 12),
        (2, 12),
    ]


def test_bands_may_trade_places_and_markets_may_change() -> None:
    load()
    text = POLICY.replace("at_or_below: 80", "at_or_below: X").replace("at_or_below: 50", "at_or_below: 80")
    text = text.replace("at_or_below: X", "at_or_below: 50").replace("name: Germany", "name: Deutschland")
    assert outcomes(load(text)) == ["market DE: changed", "band watch: changed", "band out: changed"]
    assert Band.objects.get(code="watch").at_or_below == 50
    event = Event.objects.get(act="market.changed")
    assert (event.before, event.after) == ({"name": "Germany"}, {"name": "Deutschland"})


@pytest.mark.parametrize(
    ("find", "put", "line", "field"),
    [
        ("timezone: Europe/Berlin", "timezone: Mars", 3, "markets[0].timezone"),
        ("harm: 4", "harm: 9", 5, "risks[0].harm"),
        ("kind: warning", "kind: tickle", 7, "ladders[0].steps[0][0].kind"),
        ("at_or_below: 50", "at_or_below: 80", 10, "bands[1].at_or_below"),
        ('signal.action == "closed"', "signl.action > 3", 17, "rules[0].when"),
        ("code: HYG-01, ", f"code: {'X' * 50}, ", 15, "rules[0].violation.code"),
        ("markets: [DE]", "markets: [FR]", 30, "rules[1].markets"),
    ],
)
def test_a_fault_refuses_the_whole_file_with_its_line(find: str, put: str, line: int, field: str) -> None:
    assert find in POLICY
    with pytest.raises(InvalidInput) as refusal:
        load(POLICY.replace(find, put))
    fault = refusal.value.errors[0]
    assert (fault["line"], fault["field"]) == (line, field)
    assert fault["message"]
    assert counts() == [0] * 9


def test_only_analysts_load() -> None:
    with pytest.raises(NotAllowed):
        policy_load(actor=Actor.staff(factories.staff("reviewer")), text=POLICY)
    assert counts() == [0] * 9
    author = factories.staff("analyst")
    policy_load(actor=Actor.staff(author), text=POLICY)
    assert set(RuleVersion.objects.values_list("author", flat=True)) == {author.pk}


# --- the demo's door ----------------------------------------------------------------------------------------------------
def test_activation_is_refused_outside_the_demo_and_nothing_is_written() -> None:
    with pytest.raises(NotAllowed):
        load(activate=True)
    assert counts() == [0] * 9
    load()
    before = counts()
    with pytest.raises(NotAllowed):
        versions_activate_without_launch(
            actor=ACTOR, version_ids=list(RuleVersion.objects.values_list("pk", flat=True))
        )
    assert counts() == before


def test_activation_makes_versions_live_from_their_day(demo: None) -> None:
    now = timezone.now()
    load(activate=True)
    assert set(RuleVersion.objects.values_list("status", flat=True)) == {"live"}
    dated = LivePeriod.objects.get(version__rule__code="HYG-CLOSE")
    assert (dated.starts_at, dated.ends_at, dated.market) == (
        dt.datetime(2010, 1, 1, tzinfo=dt.UTC),
        None,
        None,
    )
    assert LivePeriod.objects.get(version__rule__code="HYG-DE").starts_at >= now
    assert Event.objects.filter(act="rule.launched").count() == 2
    before = counts()
    assert outcomes(load(activate=True)) == []
    assert counts() == before


def test_a_draft_loaded_before_can_be_activated(demo: None) -> None:
    load()
    assert outcomes(load(activate=True)) == [
        "rule HYG-CLOSE: version 1 activated",
        "rule HYG-DE: version 1 activated",
    ]


def test_a_successor_takes_over_on_its_day(demo: None) -> None:
    load(activate=True)
    later = timezone.now() + dt.timedelta(days=10)
    text = POLICY.replace("effective_from: 2010-01-01", f"effective_from: {later.date()}")
    load(text, activate=True)
    old, new = RuleVersion.objects.filter(rule__code="HYG-CLOSE").order_by("number")
    assert (old.status, new.status) == ("retired", "live")
    assert old.status_reason == "Succeeded by HYG-CLOSE/2."
    ends = LivePeriod.objects.get(version=old).ends_at
    assert ends == LivePeriod.objects.get(version=new).starts_at
    assert ends is not None
    assert ends.date() == later.date()


def test_a_rule_dated_back_says_what_it_will_not_look_at(
    demo: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    factories.signal(
        factories.guild(), time=dt.datetime(2012, 1, 1, tzinfo=dt.UTC), type="inspection.citation"
    )
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    call_command("load_policy", str(file), "--activate")
    told = capsys.readouterr().err
    assert told.startswith("note: HYG-CLOSE: signals evaluated before it went live are not evaluated again")
    assert "HYG-DE" not in told


def test_a_paused_rule_is_left_to_a_person_and_a_retired_one_needs_a_new_wording(demo: None) -> None:
    load(activate=True)
    version = RuleVersion.objects.get(rule__code="HYG-DE")
    version_pause(actor=ACTOR, version_id=version.pk, reason="Wait.")
    assert outcomes(load(activate=True)) == ["rule HYG-DE: version 1 is paused: resume it in the console"]
    version_retire(actor=ACTOR, version_id=version.pk, reason="Gone.")
    before = counts()
    with pytest.raises(InvalidInput, match="1 fault") as refusal:
        load(activate=True)
    assert refusal.value.errors[0]["line"] == 23
    assert counts() == before


# --- the command --------------------------------------------------------------------------------------------------------
def test_the_command_prints_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    call_command("load_policy", str(file))
    assert "rule HYG-CLOSE: version 1 created" in capsys.readouterr().out
    call_command("load_policy", str(file))
    assert capsys.readouterr().out == "changed=0 unchanged=9\n"


def test_the_command_names_every_fault_by_line_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY.replace("harm: 4", "harm: 9").replace("markets: [DE]", "markets: [FR]"))
    with pytest.raises(CommandError, match="2 faults"):
        call_command("load_policy", str(file))
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("line 5: risks[0].harm: ")
    assert second.startswith("line 30: rules[1].markets: ")
    assert counts() == [0] * 9
    with pytest.raises(CommandError, match="No such file"):
        call_command("load_policy", str(tmp_path / "missing.yaml"))


def test_the_command_refuses_to_activate_outside_the_demo(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    with pytest.raises(CommandError, match="goes live by a launch"):
        call_command("load_policy", str(file), "--activate")
    assert counts() == [0] * 9


def test_a_market_may_have_bands_and_ladder_values_of_its_own() -> None:
    load()
    own = POLICY.replace(
        "bands:\n",
        "bands:\n  - {code: watch, market: DE, at_or_below: 80, penalties: [{kind: warning}]}\n",
        1,
    )
    assert own != POLICY
    assert outcomes(load(own)) == ["band watch in DE: created"]
    assert outcomes(load(own)) == []
    assert outcomes(load(own.replace("market: DE, at_or_below: 80", "market: DE, at_or_below: 50"))) == [
        "band watch in DE: changed"
    ]
    assert set(Band.objects.values_list("code", "market__code", "at_or_below")) == {
        ("out", None, 50),
        ("watch", "DE", 50),
        ("watch", None, 80),
    }
    taken = own.replace("bands:\n", "bands:\n  - {code: other, market: DE, at_or_below: 80}\n", 1)
    before = counts()
    with pytest.raises(InvalidInput) as refusal:
        load(taken)
    assert "begins at 80 already" in str(refusal.value.errors)
    assert counts() == before


def test_a_ladder_with_a_markets_values_is_kept_with_the_version() -> None:
    step = "steps: [[{kind: warning, grace: 7d, stops: [correction]}]]"
    text = POLICY.replace(
        "points: 10,", "points: 10, red_line: true, by_market: {DE: {points: 3, " + step + "}},", 1
    )
    assert text != POLICY
    load(text)
    kept = RuleVersion.objects.get(rule__code="HYG-DE").ladder
    assert kept["red_line"] is True
    assert kept["by_market"] == {
        "DE": {"points": 3, "steps": [[{"kind": "warning", "grace": "7d", "stops": ["correction"]}]]}
    }
