"""A backtest decides as live detection does, sees no future, and leaves no trace."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from governance.ledger.models import Event
from governance.models import Detection, EvaluationFault, PendingSignal, Violation
from governance.violations import detection_backtest
from governance.violations.detection_backtest import backtest
from guilds.errors import InvalidInput
from tests import factories
from tests.governance.violations.detecting import DAY, START, arrive, days, detect

pytestmark = pytest.mark.django_db

RULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "cooldown": {"cooldown": "2d"},
    "measured": {
        "measures": [{"name": "n", "window": "3d", "where": "signal.bad == true", "aggregate": "count"}],
        "when": "n >= 3",
    },
    "own act": {"charge": "own"},
    "one market": {"markets": ["HERE"], "cooldown": "1d"},
}


@pytest.mark.parametrize("spec", RULES.values(), ids=RULES)
@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_a_backtest_finds_what_live_detection_finds(
    spec: dict[str, Any], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detection_backtest, "CHUNK_SIGNALS", chunk)
    version = factories.version(**spec)
    here, there = factories.market("HERE"), factories.market("THERE")
    guilds = [factories.guild(market=here), factories.guild(market=there), factories.guild(market=here)]
    creator = factories.creator()
    for number in range(30):
        arrive(
            guilds[number % 3],
            number * 0.7 + 25,  # over the end of a month
            creator=creator if number % 4 == 0 else None,
            named_guild=guilds[(number + 1) % 3] if number % 5 == 0 else None,
            data={"bad": number % 6 != 0},
        )
        arrive(guilds[number % 3], number * 0.7 + 25)
    detect()
    found: list[float] = []
    report = backtest(version, opened=lambda signal: found.append((signal.time - START) / DAY))
    assert sorted(found) == days()
    assert report.matches == len(days()) > 3
    assert sum(report.by_month.values()) == report.matches


def test_a_backtest_leaves_no_trace_and_asks_neither_status_nor_cap() -> None:
    version = factories.version(status="draft", live_since=None, cap=1)
    guild = factories.guild()
    for day in range(3):
        arrive(guild, day)
    before = PendingSignal.objects.count()
    assert backtest(version).matches == 3
    assert (Violation.objects.count(), Detection.objects.count(), Event.objects.count()) == (0, 0, 0)
    assert PendingSignal.objects.count() == before
    version.refresh_from_db()
    assert version.status == "draft"


def test_bounds_limit_the_matches_but_not_what_windows_look_back_on() -> None:
    version = factories.version(
        measures=[{"name": "n", "window": "10d", "aggregate": "count"}], when="n >= 2"
    )
    guild = factories.guild()
    for day in (0, 1, 2, 3):
        factories.signal(guild, time=START + day * DAY)
    found: list[float] = []
    backtest(
        version,
        since=START + DAY,
        until=START + 3 * DAY,
        opened=lambda signal: found.append((signal.time - START) / DAY),
    )
    assert found == [1, 2]


def test_faults_are_counted_and_a_wording_that_does_not_compile_is_refused() -> None:
    factories.signal(factories.guild(), data={"amount": 1})
    assert backtest(factories.version(when='signal.amount > "x"')).faults == 1
    assert not EvaluationFault.objects.exists()
    with pytest.raises(InvalidInput, match="cannot be evaluated"):
        backtest(factories.version(when="nonsense >"))


def test_the_command_prints_matches_by_market_and_month_and_the_cost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rule = factories.rule("HYG-CLOSE")
    factories.version(rule, status="retired")
    factories.version(rule, when="signal.worse == true")
    guild = factories.guild(market=factories.market("HERE"))
    for day in (0, 1, 40):
        factories.signal(guild, time=START + day * DAY)
    call_command("backtest", "HYG-CLOSE")
    assert "rule=HYG-CLOSE/2 signals=3 matches=0 faults=0 seconds=" in capsys.readouterr().out
    call_command("backtest", "HYG-CLOSE", "--version", "1")
    assert capsys.readouterr().out.startswith(
        "market=HERE month=2024-03 matches=2\nmarket=HERE month=2024-04 matches=1\nrule=HYG-CLOSE/1 signals=3 matches=3"
    )
    call_command("backtest", "HYG-CLOSE", "--version", "1", "--since", "2024-03-02", "--until", "2024-04-01")
    assert "signals=1 matches=1" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no rule"):
        call_command("backtest", "NONE")
    with pytest.raises(CommandError, match="no version 9"):
        call_command("backtest", "HYG-CLOSE", "--version", "9")
    with pytest.raises(CommandError, match="not a date"):
        call_command("backtest", "HYG-CLOSE", "--since", "yesterday")
