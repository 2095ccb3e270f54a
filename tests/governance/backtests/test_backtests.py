"""Backtests as jobs: asked for, stepped, cancelled, gone on with; and what they say in the end."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import DataError
from django.utils import timezone

from governance.backtests import steps, tasks
from governance.backtests.models import Backtest, BacktestHit
from governance.backtests.selectors import backtests_visible_to, hits_of
from governance.backtests.services import (
    backtest_cancel,
    backtest_go_on,
    backtest_request,
    backtest_step,
    hits_forget,
)
from governance.ledger.models import Event
from governance.models import Approval, Detection, RuleVersion, Violation
from governance.violations.backtest_spans import Judged
from governance.violations.detection_backtest import backtest as rehearse
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, DomainError, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Market
from tests import factories
from tests.governance.violations.detecting import DAY, START, arrive, detect

pytestmark = pytest.mark.django_db

UNTIL = START + 90 * DAY


def analyst(*markets: Market) -> Actor:
    return Actor.staff(factories.staff("analyst", markets=markets or None))


def asked(version: RuleVersion, actor: Actor | None = None, **fields: Any) -> Backtest:
    usual: dict[str, Any] = {"since": START, "until": UNTIL}
    return backtest_request(actor=actor or analyst(), version_id=version.pk, **{**usual, **fields})


def run(backtest: Backtest) -> Backtest:
    for _ in range(100):
        if not backtest_step(backtest.pk):
            break
    backtest.refresh_from_db()
    return backtest


def events(backtest: Backtest) -> list[str]:
    found = Event.objects.filter(object_type="backtest", object_id=str(backtest.public_id))
    return list(found.order_by("id").values_list("act", flat=True))


def hits(backtest: Backtest, side: str = "tested") -> list[tuple[int, str, dt.datetime]]:
    rows = backtest.hits.filter(side=side).order_by("occurred_at", "signal_id")
    return list(rows.values_list("signal_id", "subject", "occurred_at"))


def world() -> tuple[RuleVersion, RuleVersion]:
    """A live wording and a stricter draft; three guilds in two markets over three months; live detection has run."""
    here, there = factories.market("HERE"), factories.market("THERE")
    guilds = [
        factories.guild(market=here, tier="gold"),
        factories.guild(market=there, tier="silver"),
        factories.guild(market=here, tier="gold"),
    ]
    rule = factories.rule("JOB")
    live = factories.version(rule, cooldown="3d", review="human")
    draft = factories.version(
        rule,
        status="draft",
        live_since=None,
        cooldown="3d",
        measures=[{"name": "n", "window": "10d", "where": "signal.bad == true", "aggregate": "count"}],
        when="n >= 3 && signal.bad == true || signal.worse == true",
    )
    for number in range(60):
        arrive(guilds[number % 3], number * 1.3, data={"bad": number % 4 != 0, "worse": number == 0})
    detect()
    return live, draft


@pytest.mark.parametrize("step", [1, 10, 10**9])
def test_the_base_finds_what_live_detection_found_however_many_steps(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, draft = world()
    monkeypatch.setattr(steps, "STEP_SIGNALS", step)
    backtest = run(asked(draft))
    assert backtest.status == "done"
    assert backtest.compared_with == live
    found = Violation.objects.filter(version=live).order_by("occurred_at", "subject")
    assert {(subject, at) for _, subject, at in hits(backtest, "base")} == set(
        found.values_list("subject", "occurred_at")
    )
    assert len(hits(backtest, "base")) == found.count() > 5
    assert backtest.signals_done == backtest.signals_total == 120
    assert backtest.reached == UNTIL
    assert backtest.carried == {}
    assert events(backtest) == ["backtest.requested", "backtest.done"]


def test_the_tested_wording_finds_what_it_would_find_live() -> None:
    _, draft = world()
    backtest = run(asked(draft, compare=False))
    assert backtest.compared_with is None
    assert backtest.result["compared"] is None
    expected: list[Judged] = []
    rehearse(draft, opened=expected.append)
    assert hits(backtest) == [(hit.signal_id, hit.subject, hit.time) for hit in expected]
    assert len(expected) > 2
    assert Detection.objects.filter(version=draft).count() == 0


def test_what_only_one_side_found_is_told_apart_and_adds_up() -> None:
    _, draft = world()
    backtest = run(asked(draft))
    result = backtest.result
    tested = {row[1:] for row in hits(backtest)}
    base = {row[1:] for row in hits(backtest, "base")}
    assert result["compared"] == {
        "both": len(tested & base),
        "only_tested": len(tested - base),
        "only_base": len(base - tested),
    }
    assert hits_of(backtest, "both").count() == len(tested & base)
    assert hits_of(backtest, "only_tested").count() == len(tested - base) > 0
    assert hits_of(backtest, "only_base").count() == len(base - tested) > 0
    for part in ("by_market", "by_tier", "by_month"):
        assert sum(row["tested"] for row in result[part]) == len(tested)
        assert sum(row["base"] for row in result[part]) == len(base)
    assert {row["name"] for row in result["by_tier"]} <= {"gold", "silver"}
    assert (
        result["totals"]["tested"]["matches"] == len(tested) == sum(row["hits"] for row in result["guilds"])
    )
    assert sum(count for _, count in result["per_day"]["series"]) == len(tested)
    assert result["per_day"]["days"] == 90


def test_penalties_climb_the_ladder_within_its_window() -> None:
    ladder = {
        "window": "10d",
        "points": 4,
        "steps": [[{"kind": "warning"}], [{"kind": "recruitment_freeze", "days": 7}]],
    }
    version = factories.version(ladder=ladder)
    first, second = factories.guild(), factories.guild()
    for day in (0, 9, 18.5, 40):  # 1st; 2nd; 2nd, for the 1st has left; 1st again
        factories.signal(first, time=START + day * DAY)
    factories.signal(second, time=START)
    penalties = run(asked(version)).result["penalties"]
    assert penalties["kinds"] == {"recruitment_freeze": 2, "warning": 3}
    assert (penalties["points"], penalties["guilds"]) == (20, 2)
    assert "bands" in penalties["note"]


def test_penalties_are_those_of_the_market() -> None:
    market = factories.market("OWN")
    ladder = {
        "window": "30d",
        "points": 4,
        "steps": [[{"kind": "warning"}], [{"kind": "recruitment_freeze", "days": 7}]],
        "by_market": {"OWN": {"points": 1, "window": "5d"}},
    }
    version = factories.version(ladder=ladder)
    for guild in (factories.guild(), factories.guild(market=market)):
        for day in (0, 9):
            factories.signal(guild, time=START + day * DAY)
    penalties = run(asked(version)).result["penalties"]
    assert penalties["kinds"] == {"recruitment_freeze": 1, "warning": 3}
    assert penalties["points"] == 10


def test_precision_counts_what_people_decided_and_refuses_to_guess_from_few() -> None:
    version = factories.version(review="human")
    other = factories.version(violation_code=version.violation_code, status="retired")
    guild = factories.guild()
    reviewer = factories.staff("reviewer")

    def decided(day: int, status: str, *, reviewed: bool = True, by: RuleVersion = version) -> None:
        at = START + day * DAY
        signal = factories.signal(guild, time=at)
        violation = factories.violation(guild, by, status=status, occurred_at=at, evidence=False)
        Detection.objects.create(
            version=by, signal_key_id=signal.pk, violation=violation, mode="live", outcome="opened", guild=guild,
            market=guild.market, occurred_at=at, detected_at=at,
        )  # fmt: skip
        if reviewed:
            violation.reviews.create(
                reviewer=reviewer, verdict="confirm", reason="r", created_at=timezone.now()
            )

    for day in range(5):
        decided(day, "confirmed")
    decided(5, "confirmed", by=other)  # found by another rule, same breach
    decided(6, "confirmed", reviewed=False)  # nobody looked
    decided(7, "open", reviewed=False)
    for day in (8, 9):
        decided(day, "dismissed")
    decided(10, "overturned")
    factories.signal(guild, time=START + 20 * DAY)
    few = run(asked(version, compare=False)).result["precision"]
    assert few == {"n": 9, "right": 6, "point": None, "low": None, "high": None, "state": "insufficient data"}
    decided(11, "confirmed")
    enough = run(asked(version, compare=False)).result["precision"]
    assert (enough["n"], enough["right"], enough["point"], enough["state"]) == (10, 7, 0.7, "known")
    assert enough["low"] == pytest.approx(0.39677, abs=1e-4)
    assert enough["high"] == pytest.approx(0.89220, abs=1e-4)


def test_overlap_says_which_other_rules_found_the_same_signals() -> None:
    version = factories.version()
    factories.version(factories.rule("OTHER"), when="signal.worse == true")
    guild = factories.guild()
    for day in range(4):
        arrive(guild, day, data={"bad": True, "worse": day == 0})
    detect()
    assert run(asked(version)).result["overlap"] == [{"rule": "OTHER", "both": 1, "share": 0.25}]


def test_a_cancelled_run_stops_at_once_and_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    _, draft = world()
    whole = run(asked(draft))
    monkeypatch.setattr(steps, "STEP_SIGNALS", 1)
    actor = analyst()
    backtest = asked(draft, actor)
    assert backtest_step(backtest.pk)
    assert backtest_step(backtest.pk)
    backtest_cancel(actor=actor, backtest_id=backtest.pk, reason="enough")
    assert not backtest_step(backtest.pk)
    backtest.refresh_from_db()
    assert (backtest.status, backtest.signals_done > 0) == ("cancelled", True)
    kept = backtest.hits.count()
    with pytest.raises(InvalidTransition):
        backtest_cancel(actor=actor, backtest_id=backtest.pk)
    backtest_go_on(actor=actor, backtest_id=backtest.pk)
    run(backtest)
    assert backtest.status == "done"
    assert backtest.hits.count() > kept
    assert (hits(backtest), hits(backtest, "base")) == (hits(whole), hits(whole, "base"))
    assert {**backtest.result} == {**whole.result}
    assert events(backtest) == [
        "backtest.requested", "backtest.cancelled", "backtest.resumed", "backtest.done"
    ]  # fmt: skip


def test_a_step_that_was_cancelled_meanwhile_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _, draft = world()
    backtest = asked(draft)
    assert backtest_step(backtest.pk)

    def slow(running: Backtest) -> Any:
        step = steps.step_of(running)
        Backtest.objects.filter(pk=running.pk).update(status="cancelled")
        return step

    monkeypatch.setattr("governance.backtests.services.step_of", slow)
    assert not backtest_step(backtest.pk)
    backtest.refresh_from_db()
    assert (backtest.hits.count(), backtest.signals_done) == (0, 0)


def test_a_failure_is_readable_and_can_be_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    _, draft = world()
    actor = analyst()
    backtest = asked(draft, actor)
    assert backtest_step(backtest.pk)
    with monkeypatch.context() as broken:

        def refuse(_: Backtest) -> Any:
            raise DataError("numeric field overflow\nDETAIL: more")

        broken.setattr("governance.backtests.services.step_of", refuse)
        assert not backtest_step(backtest.pk)
    backtest.refresh_from_db()
    assert (backtest.status, backtest.error) == ("failed", "numeric field overflow")
    backtest_go_on(actor=actor, backtest_id=backtest.pk)
    run(backtest)
    assert (backtest.status, backtest.error) == ("done", "")
    assert events(backtest)[1] == "backtest.failed"


def test_a_draft_that_changes_meanwhile_is_run_as_it_was() -> None:
    factories.signal(factories.guild(), time=START)
    draft = factories.version(status="draft", live_since=None)
    backtest = asked(draft)
    draft.spec = {**draft.spec, "when": "signal.never == true"}
    draft.written_at = timezone.now()
    draft.save()
    assert run(backtest).result["totals"]["tested"]["matches"] == 1


def refused(error: type[DomainError], actor: Actor, version: RuleVersion, **fields: Any) -> DomainError:
    before = (Backtest.objects.count(), Event.objects.count())
    with pytest.raises(error) as refusal:
        asked(version, actor, **fields)
    assert (Backtest.objects.count(), Event.objects.count()) == before
    return refusal.value


def test_who_may_ask_for_what() -> None:
    here, there = factories.market("HERE"), factories.market("THERE")
    version = factories.version()
    local = factories.version(markets=["THERE"])
    for role in ("reviewer", "enforcer", "adjudicator", "auditor"):
        refused(NotAllowed, Actor.staff(factories.staff(role)), version)
    assert refused(NotAllowed, analyst(here), version, markets=["THERE"]).code == "market_out_of_scope"
    refused(InvalidInput, analyst(here), local)
    refused(InvalidInput, analyst(), version, markets=["NOWHERE"])
    refused(InvalidInput, analyst(), local, markets=["HERE"])
    refused(InvalidInput, analyst(), version, until=START)
    refused(InvalidInput, analyst(), factories.version(when="nonsense >"))
    with pytest.raises(NotFound):
        backtest_request(actor=analyst(), version_id=10**9, since=START, until=UNTIL)
    assert asked(version, analyst(here)).markets == ["HERE"]
    assert asked(local, analyst(there)).markets == ["THERE"]
    assert asked(version, analyst()).markets == []
    refused(Conflict, analyst(), version)


def test_a_run_covers_its_markets_alone_and_is_seen_within_them() -> None:
    here, there = factories.market("HERE"), factories.market("THERE")
    version = factories.version()
    for market in (here, there):
        factories.signal(factories.guild(market=market), time=START)
    local, every = run(asked(version, analyst(here))), run(asked(version, analyst()))
    assert [row["name"] for row in local.result["by_market"]] == ["HERE"]
    assert [row["name"] for row in every.result["by_market"]] == ["HERE", "THERE"]
    assert list(backtests_visible_to(analyst(here))) == [local]
    assert list(backtests_visible_to(analyst(there))) == []
    assert set(backtests_visible_to(analyst())) == {local, every}
    before = Event.objects.count()
    with pytest.raises(NotFound):
        backtest_go_on(actor=analyst(there), backtest_id=local.pk)
    with pytest.raises(InvalidTransition):
        backtest_cancel(actor=analyst(here), backtest_id=local.pk)
    assert Event.objects.count() == before


def test_old_hits_go_but_for_those_an_approval_refers_to() -> None:
    version = factories.version()
    factories.signal(factories.guild(), time=START)
    old, fresh, evidence = (run(asked(version)) for _ in range(3))
    now = timezone.now()
    Approval.objects.create(
        version=version, backtest=evidence, frozen={}, digest="", requested_by=factories.staff("analyst"), requested_at=now
    )  # fmt: skip
    Backtest.objects.exclude(pk=fresh.pk).update(finished_at=now - dt.timedelta(days=91))
    assert hits_forget(actor=Actor.system("test"), now=now) == 1
    assert set(BacktestHit.objects.values_list("backtest", flat=True)) == {fresh.pk, evidence.pk}
    old.refresh_from_db()
    assert old.result["totals"]["tested"]["matches"] == 1
    assert hits_forget(actor=Actor.system("test"), now=now) == 0


def test_a_step_beyond_the_workers_time_fails_with_a_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.signal(factories.guild(), time=START)
    backtest = asked(factories.version())

    def long(_: int) -> bool:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr("governance.backtests.services.backtest_step", long)
    assert tasks.run(backtest.pk) is False
    backtest.refresh_from_db()
    assert backtest.status == "failed"
    assert "fewer markets" in backtest.error
    assert tasks.go_on() == 0


def test_the_sweep_nudges_what_is_at_work() -> None:
    factories.signal(factories.guild(), time=START)
    version = factories.version()
    run(asked(version))
    asked(version)
    assert tasks.go_on() == 1
    assert tasks.forget() == 0
