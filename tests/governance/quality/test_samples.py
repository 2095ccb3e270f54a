"""Samples from the draw to the last difference settled: what is drawn from, by whom, and what may not be changed."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from governance.models import Case, Sample, SampleItem, Violation
from governance.quality import services
from governance.quality.models import SampleItemQuerySet
from governance.quality.selectors import shares_known
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, NotAllowed, NotFound
from guilds.models import Guild, Market
from tests import factories
from tests.governance.quality.sampling_world import (
    SINCE,
    UNTIL,
    active,
    acts,
    analyst,
    decided,
    drawn,
    handed_out,
    judge,
    rule_with,
    several,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def market(db: None) -> Market:
    return factories.market("DE", timezone="Europe/Berlin")


@pytest.fixture
def guild(market: Market) -> Guild:
    return factories.guild("guild-one", market=market, tier="gold")


def strata_of(sample: Sample) -> dict[str, tuple[int, int]]:
    return {one["key"]: (one["population"], one["drawn"]) for one in sample.strata}


def items(sample: Sample) -> SampleItemQuerySet:
    return SampleItem.objects.filter(sample=sample)


# --- the frame of decisions ------------------------------------------------------------------------------------------
def test_all_decisions_of_the_period_are_drawn_from_automatic_ones_included(guild: Guild) -> None:
    one, other = rule_with("ONE", "S1"), rule_with("TWO", "S3")
    person = factories.staff("reviewer")
    several(guild, one, 3)
    several(guild, other, 2, status="dismissed", by=person)
    decided(guild, other, "overturned", by=person, at=SINCE)
    # Outside: before, at the end, undecided, elsewhere in time.
    decided(guild, one, at=SINCE - dt.timedelta(seconds=1))
    decided(guild, one, at=UNTIL)
    factories.violation(guild, one, evidence=False, occurred_at=SINCE + dt.timedelta(days=2))
    sample = drawn(analyst())
    assert strata_of(sample) == {"ONE · S1 · automatic": (3, 3), "TWO · S3 · human": (3, 3)}
    assert Counter(items(sample).values_list("decided", flat=True)) == {
        "confirmed": 3,
        "dismissed": 2,
        "overturned": 1,
    }
    assert set(items(sample).values_list("guild", flat=True)) == {guild.pk}
    assert acts("sample.drawn") == 1


def test_each_item_has_the_chance_of_its_stratum(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 20)
    several(guild, rule_with("TWO"), 4)
    sample = drawn(analyst(), size=12)
    assert strata_of(sample) == {"ONE · S2 · automatic": (20, 10), "TWO · S2 · automatic": (4, 2)}
    assert set(items(sample).values_list("probability", flat=True)) == {0.5}
    assert items(sample).count() == 12


def test_a_seed_draws_the_same_again_and_another_seed_others(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 30)
    by = analyst()
    once, again = drawn(by, size=8, seed=11), drawn(by, size=8, seed=11)
    other = drawn(by, size=8, seed=12)
    keys = [set(items(sample).values_list("violation", flat=True)) for sample in (once, again, other)]
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]


def test_without_a_seed_one_is_taken_at_random(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 2)
    assert drawn(analyst(), seed=None).seed != drawn(analyst(), seed=None).seed


def test_only_the_markets_named_and_only_those_of_the_actor(guild: Guild) -> None:
    there = factories.guild("guild-there", market=factories.market("FR"))
    version = rule_with("ONE")
    several(guild, version, 3)
    several(there, version, 2)
    assert drawn(analyst()).strata[0]["population"] == 5
    assert drawn(analyst(), markets=["FR"]).strata[0]["population"] == 2
    local = analyst(markets=[guild.market])
    sample = drawn(local)
    assert sample.strata[0]["population"] == 3
    assert sample.markets == ["DE"]
    before = Sample.objects.count()
    with pytest.raises(NotAllowed):
        drawn(local, markets=["FR"])
    with pytest.raises(NotFound):
        drawn(local, markets=["XX"])
    assert (Sample.objects.count(), acts("sample.drawn")) == (before, before)


def test_neyman_asks_earlier_samples_where_errors_are(guild: Guild) -> None:
    good, bad = rule_with("GOOD"), rule_with("BAD")
    several(guild, good, 40)
    several(guild, bad, 40)
    by = analyst()
    first = handed_out(by, size=20)
    for item in items(first):
        judge(item, "dismiss" if item.stratum.startswith("BAD") and item.pk % 2 else "confirm")
    shares = shares_known("decisions")  # type: ignore[arg-type]
    assert shares["GOOD · S2 · automatic"] == 0.5 / 11
    assert shares["BAD · S2 · automatic"] == pytest.approx(5.5 / 11)
    second = strata_of(drawn(by, size=20, allocation="neyman"))
    assert second["BAD · S2 · automatic"][1] > second["GOOD · S2 · automatic"][1]
    told = strata_of(drawn(by, size=20, allocation="neyman", shares={"GOOD · S2 · automatic": 0.5}))
    assert told["GOOD · S2 · automatic"][1] > told["BAD · S2 · automatic"][1]


# --- the frame of unflagged days --------------------------------------------------------------------------------------
def test_unflagged_days_are_days_with_activity_and_without_any_violation(guild: Guild) -> None:
    quiet = factories.guild("guild-quiet", market=guild.market)
    version = rule_with("ONE")
    days = [dt.date(2026, 3, day) for day in range(1, 10)]
    for day in days:
        active(guild, day)
        active(quiet, day, "0")
    # Berlin is an hour ahead: this happened on the 4th there. A dismissed one flags its day as well.
    decided(guild, version, at=dt.datetime(2026, 3, 3, 23, 30, tzinfo=dt.UTC))
    decided(guild, version, "dismissed", at=dt.datetime(2026, 3, 5, 12, tzinfo=dt.UTC))
    factories.violation(
        guild, version, evidence=False, occurred_at=dt.datetime(2026, 3, 6, 22, 59, tzinfo=dt.UTC)
    )
    sample = drawn(analyst(), "coverage")
    assert strata_of(sample) == {"DE · gold": (4, 4)}
    assert set(items(sample).values_list("day", flat=True)) == {dt.date(2026, 3, day) for day in (2, 3, 7, 8)}
    assert set(items(sample).values_list("guild", "decided")) == {(guild.pk, "")}
    assert not items(sample).filter(violation__isnull=False).exists()


def test_a_part_of_a_day_counts_as_the_day(guild: Guild) -> None:
    active(guild, dt.date(2026, 3, 2))
    active(guild, dt.date(2026, 3, 3))
    sample = drawn(analyst(), "coverage", until=SINCE + dt.timedelta(days=1, minutes=1))
    assert items(sample).count() == 2


def test_strata_of_days_are_market_and_tier(guild: Guild) -> None:
    one, other = factories.market("M-0"), factories.market("M-1")
    for place, tier in ((one, "gold"), (other, "standard"), (one, "standard")):
        active(factories.guild(market=place, tier=tier), dt.date(2026, 3, 3))
    assert strata_of(drawn(analyst(), "coverage")) == {
        "M-0 · gold": (1, 1),
        "M-0 · standard": (1, 1),
        "M-1 · standard": (1, 1),
    }


# --- refused ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"size": 0}, "size"),
        ({"size": 5_001}, "size"),
        ({"until": SINCE}, "until"),
        ({"until": dt.datetime(2999, 1, 1, tzinfo=dt.UTC)}, "until"),
        ({"name": " "}, "name"),
        ({"seed": -1}, "seed"),
        ({"kind": "everything"}, "kind"),
        ({"allocation": "at will"}, "allocation"),
        ({"allocation": "neyman", "shares": {"a": 2.0}}, "shares"),
        ({"since": SINCE - dt.timedelta(days=30), "until": SINCE - dt.timedelta(days=20)}, "until"),
    ],
)
def test_what_cannot_be_drawn(guild: Guild, wrong: dict[str, Any], field: str) -> None:
    several(guild, rule_with("ONE"), 2)
    with pytest.raises(InvalidInput) as refused:
        drawn(analyst(), **wrong)
    assert refused.value.field == field
    assert (Sample.objects.count(), SampleItem.objects.count(), acts("sample.drawn")) == (0, 0, 0)


@pytest.mark.parametrize("role", ["reviewer", "auditor", "approver", "enforcer", "adjudicator", "launcher"])
def test_only_analysts_and_administrators_draw(guild: Guild, role: str) -> None:
    several(guild, rule_with("ONE"), 2)
    sample = drawn(analyst())
    person = Actor.staff(factories.staff(role))
    for act in (
        lambda: drawn(person),
        lambda: services.sample_hand_out(actor=person, sample_id=sample.pk),
        lambda: services.sample_close(actor=person, sample_id=sample.pk, reason="Enough."),
        lambda: services.plan_set(actor=person, kind="decisions", weekly=1, reason="Less."),
    ):
        with pytest.raises(NotAllowed):
            act()
    assert (Sample.objects.count(), Case.objects.count()) == (1, 0)
    assert acts("sample.handed_out", "sample.closed", "sampling_plan.set") == 0


def test_what_was_drawn_never_changes(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 2)
    sample = drawn(analyst())
    for change in (
        lambda: Sample.objects.update(seed=1),
        lambda: Sample.objects.update(strata=[]),
        lambda: SampleItem.objects.update(probability=0.5),
        lambda: SampleItem.objects.update(stratum="other"),
        lambda: SampleItem.objects.update(decided="dismissed"),
        lambda: items(sample).delete(),
        lambda: Sample.objects.filter(pk=sample.pk)._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError, match="pgtrigger"), transaction.atomic():
            change()
    assert items(sample).filter(probability=1, decided="confirmed").count() == 2


def test_the_number_of_queries_of_a_draw_does_not_grow(
    guild: Guild, django_assert_max_num_queries: Any
) -> None:
    several(guild, rule_with("ONE"), 60)
    by = analyst()
    with django_assert_max_num_queries(14):
        drawn(by, size=50)
    assert Violation.objects.count() == 60


def test_two_of_one_period_by_the_clock_are_refused(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 1)
    clock = Actor.system("quality")
    drawn(clock, automatic=True)
    with pytest.raises(Conflict) as refused:
        drawn(clock, automatic=True)
    assert refused.value.code == "drawn_already"
    assert (Sample.objects.count(), acts("sample.drawn")) == (1, 1)
