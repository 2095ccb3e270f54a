"""Shadow side by side with live: which signals both matched, which only one did, and over which span."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from governance.models import Detection, Event, LivePeriod, Penalty, RuleVersion, Violation
from governance.rules.rollout import governed
from governance.rules.services import version_retire
from governance.rules.shadow import shadow_start, shadow_stop
from governance.violations.shadow_report import Compared, ShadowReport, shadow_report, shadow_span
from guilds.accounts.actor import Actor
from guilds.models import Market
from tests import factories
from tests.governance.violations.detecting import arrive, detect

pytestmark = pytest.mark.django_db

LAUNCHER = Actor.system("launcher")
LIVE_ONLY, SHADOW_ONLY = {"bad": True, "amount": 1}, {"bad": False, "amount": 9}
BOTH, NEITHER = {"bad": True, "amount": 9}, {"bad": False, "amount": 1}


def in_shadow(live: RuleVersion, **fields: Any) -> RuleVersion:
    """A draft of the same rule with another wording, in shadow by the service."""
    fields = {"when": "signal.amount > 5", **fields}
    version = factories.version(live.rule, status="draft", live_since=None, **fields)
    return shadow_start(actor=LAUNCHER, version_id=version.pk, reason="See what it finds.")


def reported(version: RuleVersion, **fields: Any) -> ShadowReport:
    found = shadow_report(version, **fields)
    assert found is not None
    return found


def sent(market: Market, *datas: dict[str, Any]) -> list[str]:
    guild = factories.guild(market=market)
    ids = [arrive(guild, number, data=data).event_id for number, data in enumerate(datas)]
    detect()
    return ids


def test_signals_by_who_matched_them_market_by_market() -> None:
    here, there = factories.market("HERE"), factories.market("THERE")
    live = factories.version(cooldown="300d")
    shadow = in_shadow(live)
    both, also_both, only_live, only_shadow, *_ = sent(here, BOTH, BOTH, LIVE_ONLY, SHADOW_ONLY, NEITHER)
    sent(there, SHADOW_ONLY, SHADOW_ONLY)

    report = reported(shadow)
    assert report.live == (live,)
    assert [(market.code, compared) for market, compared in report.markets] == [
        ("HERE", Compared(both=2, only_shadow=1, only_live=1)),
        ("THERE", Compared(only_shadow=2)),
    ]
    assert report.total == Compared(both=2, only_shadow=3, only_live=1)
    assert (report.total.shadow, report.total.live) == (5, 3)
    assert report.markets[0][1].agreement == 0.5
    samples = {(sample.side, sample.event_id) for sample in report.samples if sample.market == "HERE"}
    assert samples == {
        ("both", both),
        ("both", also_both),
        ("only_live", only_live),
        ("only_shadow", only_shadow),
    }
    # nothing was applied on its account: the cooldown let one violation open, by the live version
    assert Violation.objects.get().version == live
    assert not Penalty.objects.exists()
    assert not Event.objects.filter(actor_label__contains=shadow.public_id).exists()


def test_a_reader_sees_their_markets_only() -> None:
    here, there = factories.market("HERE"), factories.market("THERE")
    shadow = in_shadow(factories.version())
    sent(here, BOTH)
    sent(there, SHADOW_ONLY, SHADOW_ONLY)
    report = reported(shadow, market_ids=[here.pk])
    assert report.total == Compared(both=1)
    assert {sample.market for sample in report.samples} == {"HERE"}
    assert reported(shadow, market_ids=[]).total == Compared()


def test_samples_are_the_latest_ten_of_each_side() -> None:
    here = factories.market()
    shadow = in_shadow(factories.version())
    ids = sent(here, *[SHADOW_ONLY] * 12, BOTH)
    report = reported(shadow)
    shown = [sample.event_id for sample in report.samples if sample.side == "only_shadow"]
    assert shown == ids[2:12][::-1]
    assert [sample.event_id for sample in report.samples if sample.side == "both"] == [ids[12]]


def test_without_a_live_version_there_is_nothing_to_compare_with() -> None:
    version = factories.version(status="draft", live_since=None)
    assert shadow_report(version) is None
    shadow_start(actor=LAUNCHER, version_id=version.pk, reason="Try it.")
    report = reported(version)
    assert (report.live, report.total, report.total.agreement) == ((), Compared(), None)
    sent(factories.market(), BOTH)
    assert reported(version).total == Compared(only_shadow=1)


def test_what_was_judged_before_the_shadow_began_or_after_it_ended_does_not_count() -> None:
    here = factories.market()
    live = factories.version()
    sent(here, BOTH, BOTH)
    shadow = in_shadow(live)
    sent(here, BOTH)
    shadow = shadow_stop(actor=LAUNCHER, version_id=shadow.pk, reason="Seen enough.")
    sent(here, BOTH, BOTH)
    assert Detection.objects.filter(version=live).count() == 5
    assert reported(shadow).total == Compared(both=1)


def test_markets_that_the_shadow_does_not_name_are_left_out() -> None:
    here, there = factories.market("HERE"), factories.market("THERE")
    shadow = in_shadow(factories.version(), markets=["HERE"])
    sent(here, LIVE_ONLY)
    sent(there, LIVE_ONLY)
    assert [(market.code, one) for market, one in reported(shadow).markets] == [
        ("HERE", Compared(only_live=1))
    ]


def test_a_signal_of_two_live_versions_counts_once_and_one_held_out_by_both_not_at_all() -> None:
    here = factories.market()
    rule = factories.rule()
    LivePeriod.objects.create(
        version=factories.version(rule, live_since=None),
        market=here,
        starts_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        holdout=50,
        salt="s",
    )
    shadow = in_shadow(factories.version(rule, live_since=None, status="draft"))
    names = (f"h{number}" for number in range(100))
    out = next(name for name in names if governed(name, salt="s", share=100, holdout=50) == "held_out")
    arrive(factories.guild(out, market=here), data=LIVE_ONLY)
    detect()
    assert Detection.objects.get().outcome == "held_out"
    assert reported(shadow).total == Compared()


def test_the_span_ends_when_the_version_leaves_the_shadow() -> None:
    shadow = in_shadow(factories.version())
    begun = Event.objects.get(act="rule_version.shadowed").at
    span = shadow_span(shadow)
    assert span is not None
    assert span[0] == begun
    assert abs(span[1] - timezone.now()) < dt.timedelta(seconds=5)
    version_retire(actor=LAUNCHER, version_id=shadow.pk, reason="No good.")
    shadow.refresh_from_db()
    left = Event.objects.get(act="rule_version.retired").at
    assert shadow_span(shadow) == (begun, left)


def test_the_number_of_queries_is_fixed(django_assert_max_num_queries: Any) -> None:
    shadow = in_shadow(factories.version())
    for number in range(5):
        sent(factories.market(f"N{number}"), BOTH, LIVE_ONLY, SHADOW_ONLY)
    with django_assert_max_num_queries(6):
        assert reported(shadow).total == Compared(both=5, only_shadow=5, only_live=5)
