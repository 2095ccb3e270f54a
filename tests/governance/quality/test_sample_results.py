"""What becomes of a sample: cases, judgements, estimates, differences settled, and who sees what of it meanwhile."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest

from governance.models import Case, Feedback, Finding, Sample, SampleItem
from governance.quality import services
from governance.quality.models import SampleItemQuerySet
from governance.quality.selectors import found_in, items_visible_to, samples_visible_to
from governance.review.selectors import my_queue
from guilds.accounts.actor import Actor
from guilds.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed, NotFound
from guilds.models import Guild, Market
from tests import factories
from tests.governance.quality.sampling_world import (
    SINCE,
    active,
    acts,
    analyst,
    decided,
    drawn,
    handed_out,
    judge,
    reviewer,
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


def items(sample: Sample) -> SampleItemQuerySet:
    return SampleItem.objects.filter(sample=sample)


# --- handed out, judged, closed -----------------------------------------------------------------------------------------
def test_handing_out_makes_cases_of_one_severity_and_queue_with_the_others(guild: Guild) -> None:
    several(guild, rule_with("ONE", "S1"), 5)
    by = analyst()
    sample = drawn(by)
    assert services.sample_hand_out(actor=by, sample_id=sample.pk, limit=3) == 3
    assert services.sample_hand_out(actor=by, sample_id=sample.pk) == 2
    assert services.sample_hand_out(actor=by, sample_id=sample.pk) == 0
    cases = Case.objects.filter(sample_item__sample=sample)
    assert set(cases.values_list("kind", "severity", "status")) == {("quality", "S1", "waiting")}
    assert not cases.filter(assigned_to__isnull=False).exists()
    assert cases.values("violation").distinct().count() == 5
    assert acts("sample.handed_out") == 2


def test_who_judged_the_violation_is_not_asked_to_audit_it(guild: Guild) -> None:
    first, second = factories.staff("reviewer"), factories.staff("reviewer")
    version = rule_with("ONE")
    mine = decided(guild, version, by=first)
    decided(guild, version, by=second, at=SINCE)
    handed_out(analyst())
    queue = my_queue(Actor.staff(first))
    assert mine.pk not in set(queue.values_list("violation", flat=True))
    assert queue.count() == 1
    item = SampleItem.objects.get(violation=mine)
    with pytest.raises(DomainError):
        judge(item, "confirm", by=Actor.staff(first))
    assert not items(item.sample).judged().exists()


def test_unflagged_days_become_cases_about_the_day(guild: Guild) -> None:
    active(guild, dt.date(2026, 3, 3))
    handed_out(analyst(), "coverage")
    case = Case.objects.get()
    assert (case.kind, case.guild, case.day, case.market) == (
        "coverage",
        guild,
        dt.date(2026, 3, 3),
        guild.market,
    )


def test_closing_withdraws_what_waits_and_keeps_what_was_said(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 3)
    by = analyst()
    sample = handed_out(by)
    judge(items(sample)[0], "confirm")
    services.sample_close(actor=by, sample_id=sample.pk, reason="Enough for now.")
    sample.refresh_from_db()
    assert sample.status == "closed"
    assert sample.closed_at is not None
    statuses = Counter(Case.objects.values_list("status", flat=True))
    assert statuses == {"done": 1, "withdrawn": 2}
    assert (acts("sample.closed"), acts("case.withdrawn")) == (1, 2)
    with pytest.raises(InvalidTransition):
        services.sample_close(actor=by, sample_id=sample.pk, reason="Again.")
    with pytest.raises(InvalidTransition):
        services.sample_hand_out(actor=by, sample_id=sample.pk)
    assert acts("sample.closed") == 1


def test_closing_wants_a_reason(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 1)
    by = analyst()
    sample = drawn(by)
    with pytest.raises(InvalidInput):
        services.sample_close(actor=by, sample_id=sample.pk, reason=" ")
    sample.refresh_from_db()
    assert (sample.status, acts("sample.closed")) == ("drawn", 0)


def test_what_a_sample_of_decisions_found(guild: Guild) -> None:
    version = rule_with("ONE")
    person = factories.staff("reviewer")
    several(guild, version, 12)
    for number in range(12):
        at = SINCE + dt.timedelta(hours=number)
        decided(guild, version, "dismissed", by=person, at=at)
    sample = handed_out(analyst())
    for place, item in enumerate(items(sample).filter(decided="confirmed")):
        judge(item, ["dismiss", "dismiss", "unclear"][place] if place < 3 else "confirm")
    for place, item in enumerate(items(sample).filter(decided="dismissed")[:11]):
        judge(item, "confirm" if place == 0 else "dismiss")
    found = found_in(sample)
    automatic, human = found.strata
    assert (automatic.right, automatic.wrong, automatic.unclear, automatic.judged) == (9, 2, 1, 12)
    assert (human.right, human.wrong, human.judged, human.handed) == (10, 1, 11, 12)
    assert found.precision is not None
    assert found.missed is not None
    assert found.accuracy is not None
    assert found.precision.value == pytest.approx(9 / 11)
    assert found.missed.value == pytest.approx(1 / 11)
    assert found.accuracy.value == pytest.approx((9 / 11 + 10 / 11) / 2)
    assert (found.accuracy.n, found.accuracy.population) == (22, 24)
    assert found.prevalence is None


def test_too_few_judged_say_nothing(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 20)
    sample = handed_out(analyst())
    for item in items(sample)[:9]:
        judge(item, "confirm")
    found = found_in(sample)
    assert found.precision is not None
    assert found.precision.insufficient_data


def test_an_overturned_violation_was_a_confirmation(guild: Guild) -> None:
    decided(guild, rule_with("ONE"), "overturned")
    sample = handed_out(analyst())
    judge(items(sample).get(), "dismiss")
    assert [one.wrong_confirmed for one in found_in(sample).strata] == [1]
    assert SampleItem.objects.disputed().count() == 1


def test_prevalence_of_what_nobody_found(guild: Guild) -> None:
    for day in range(2, 9):
        active(guild, dt.date(2026, 3, day))
        active(factories.guild(market=guild.market, tier="gold"), dt.date(2026, 3, day))
    sample = handed_out(analyst(), "coverage")
    for place, item in enumerate(items(sample)):
        judge(item, "confirm" if place < 3 else "dismiss", code="X-01" if place < 3 else "")
    found = found_in(sample)
    assert found.prevalence is not None
    assert found.prevalence.value == pytest.approx(3 / 14)
    assert found.prevalence.low == pytest.approx(3 / 14)  # every day was judged
    assert (found.accuracy, found.precision, found.missed) == (None, None, None)


# --- who sees what ------------------------------------------------------------------------------------------------------
def test_reviewers_learn_which_cases_were_audits_only_afterwards(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 2)
    sample = handed_out(analyst())
    judge(items(sample)[0], "confirm")
    both = Actor.staff(factories.staff("reviewer", "analyst"))
    for actor, expected in ((reviewer(), 1), (both, 1), (analyst(), 2)):
        assert items_visible_to(actor).count() == expected
    assert items_visible_to(Actor.staff(factories.staff("auditor"))).count() == 2


def test_nothing_of_other_markets_or_for_guilds(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 2)
    sample = drawn(analyst(markets=[guild.market]))
    elsewhere = analyst(markets=[factories.market("FR")])
    seat = Actor.guild_user(factories.seat(guild))
    for actor in (elsewhere, seat):
        assert not samples_visible_to(actor).exists()
        assert not items_visible_to(actor).exists()
    with pytest.raises(NotFound):
        services.sample_hand_out(actor=elsewhere, sample_id=sample.pk)
    everywhere = drawn(analyst())
    assert set(samples_visible_to(elsewhere)) == {everywhere}
    assert not items_visible_to(elsewhere).exists()


# --- differences --------------------------------------------------------------------------------------------------------
def disputed(guild: Guild) -> SampleItem:
    decided(guild, rule_with("ONE"))
    sample = handed_out(analyst())
    item = items(sample).get()
    judge(item, "dismiss")
    return item


def test_a_difference_is_settled_by_somebody_who_took_no_part(guild: Guild) -> None:
    item = disputed(guild)
    services.item_settle(
        actor=Actor.staff(factories.staff("adjudicator")), item_id=item.pk, reason="Overturned today."
    )
    item.refresh_from_db()
    assert item.settled_at is not None
    assert (item.settlement, item.led_to) == ("Overturned today.", "")
    assert acts("sample_item.settled") == 1
    with pytest.raises(InvalidTransition):
        services.item_settle(actor=analyst(), item_id=item.pk, reason="Again.")
    assert acts("sample_item.settled") == 1


def test_who_decided_or_audited_does_not_settle(guild: Guild) -> None:
    decider, auditing = factories.staff("reviewer", "analyst"), factories.staff("reviewer", "analyst")
    decided(guild, rule_with("ONE"), by=decider)
    sample = handed_out(analyst())
    item = items(sample).get()
    judge(item, "dismiss", by=Actor.staff(auditing))
    for person in (decider, auditing):
        with pytest.raises(NotAllowed) as refused:
            services.item_settle(actor=Actor.staff(person), item_id=item.pk, reason="It was right.")
        assert refused.value.code == "took_part"
    item.refresh_from_db()
    assert (item.settled_at, acts("sample_item.settled")) == (None, 0)


def test_what_is_not_disputed_is_not_settled(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 2)
    sample = handed_out(analyst())
    agreed, open_ = items(sample)
    judge(agreed, "confirm")
    for item in (agreed, open_):
        with pytest.raises(InvalidTransition):
            services.item_settle(actor=analyst(), item_id=item.pk, reason="Done.")
    with pytest.raises(NotAllowed):
        services.item_settle(
            actor=Actor.staff(factories.staff("launcher")), item_id=agreed.pk, reason="Done."
        )
    assert acts("sample_item.settled") == 0


def seen(guild: Guild, code: str) -> SampleItem:
    active(guild, dt.date(2026, 3, 3))
    sample = handed_out(analyst(), "coverage")
    item = items(sample).get()
    judge(item, "confirm", code=code)
    return item


def test_a_rule_that_missed_a_violation_gets_a_finding(guild: Guild) -> None:
    version = rule_with("ONE")
    item = seen(guild, version.violation_code)
    assert services.follow_up() == 1
    finding = Finding.objects.get()
    assert (finding.version, finding.source_type, finding.source_id) == (version, "sample_item", str(item.pk))
    assert version.violation_code in finding.summary
    item.refresh_from_db()
    assert item.led_to == f"finding:{finding.public_id}"
    assert services.follow_up() == 0
    assert Finding.objects.count() == 1
    assert acts("finding.opened") == 1


@pytest.mark.parametrize(
    "of_the_rule", [{"markets": ["FR"]}, {"live_since": dt.datetime(2026, 5, 1, tzinfo=dt.UTC)}]
)
def test_a_rule_that_did_not_look_there_then_gets_none(guild: Guild, of_the_rule: dict[str, Any]) -> None:
    version = rule_with("ONE", **of_the_rule)
    item = seen(guild, version.violation_code)
    assert services.follow_up() == 0
    item.refresh_from_db()
    assert (item.settled_at, Finding.objects.count()) == (None, 0)


def test_what_no_rule_looks_for_is_passed_on_to_the_register(guild: Guild) -> None:
    item = seen(guild, "NEW-01")
    assert services.follow_up() == 0
    feedback = services.item_tell(actor=analyst(), item_id=item.pk, reason="Worth a risk of its own.")
    assert (feedback.guild, feedback.source, feedback.about_rule) == (guild, "reviewer", "NEW-01")
    assert "2026-03-03" in feedback.body
    assert "Worth a risk of its own." in feedback.body
    item.refresh_from_db()
    assert item.led_to == f"feedback:{feedback.public_id}"
    with pytest.raises(InvalidTransition):
        services.item_tell(actor=analyst(), item_id=item.pk, reason="Again.")
    assert Feedback.objects.count() == 1


def test_a_disputed_decision_is_not_passed_on(guild: Guild) -> None:
    item = disputed(guild)
    with pytest.raises(InvalidTransition):
        services.item_tell(actor=analyst(), item_id=item.pk, reason="Hm.")
    with pytest.raises(NotAllowed):
        services.item_tell(actor=Actor.staff(factories.staff("adjudicator")), item_id=item.pk, reason="Hm.")
    assert (Feedback.objects.count(), acts("sample_item.settled")) == (0, 0)


def test_a_sample_judged_to_the_end_closes_by_itself(guild: Guild) -> None:
    several(guild, rule_with("ONE"), 2)
    sample = handed_out(analyst())
    first, second = items(sample)
    judge(first, "confirm")
    services.follow_up()
    sample.refresh_from_db()
    assert sample.status == "drawn"
    judge(second, "confirm")
    services.follow_up()
    sample.refresh_from_db()
    assert (sample.status, acts("sample.closed")) == ("closed", 1)
