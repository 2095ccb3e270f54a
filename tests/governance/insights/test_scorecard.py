"""A rule's scorecard over what services did: detections, verdicts, penalties, appeals."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from appeals.services import appeal_decide, appeal_file, appeal_withdraw
from governance.insights.intervals import wilson
from governance.insights.selectors import rule_scorecard
from governance.models import Penalty, Rule
from governance.penalties.services import sanctions_decide_due
from guilds.accounts.actor import Actor
from tests import factories

pytestmark = pytest.mark.django_db

EVERYONE = Actor.system("test")
WORDS = "The stream in question was not ours, as the logs show."


def history() -> Rule:
    """Twelve confirmed violations in twelve guilds, two dismissed, one open; ten appeals decided, three of them won."""
    rule = factories.rule("R-1")
    version = factories.version(rule)
    regime = factories.regime(appeal_days=15)
    judge = Actor.staff(factories.staff("adjudicator"))
    for number in range(12):
        guild = factories.guild(market=factories.market(regime=regime))
        violation = factories.violation(guild, version, status="confirmed", detected_at=timezone.now())
        sanctions_decide_due(limit=10)
        seat = Actor.guild_user(factories.seat(guild))
        penalty = Penalty.objects.get(violation=violation)
        appeal = appeal_file(actor=seat, penalty_id=penalty.pk, grounds="facts_wrong", statement=WORDS)
        if number < 10:
            outcome = "overturned" if number < 3 else "upheld"
            appeal_decide(actor=judge, appeal_id=appeal.pk, outcome=outcome, answer=WORDS)
        elif number == 10:
            appeal_withdraw(actor=seat, appeal_id=appeal.pk)
    for status in ("dismissed", "dismissed", "open"):
        factories.violation(factories.guild(), version, status=status, evidence=False)
    return rule


def test_the_scorecard_counts_what_happened() -> None:
    rule = history()
    other = factories.version()
    factories.violation(factories.guild(), other, status="confirmed")

    card = rule_scorecard(actor=EVERYONE, rule=rule)

    assert card.detections == {"shadow": 0, "live": 12}
    assert card.violations == {"open": 1, "confirmed": 9, "dismissed": 2, "overturned": 3}
    assert {kind: n for kind, n in card.penalties.items() if n} == {"warning": 12}
    assert card.appeals == {"filed": 12, "decided": 10, "upheld": 7, "reduced": 0, "overturned": 3}
    assert (card.confirmed.successes, card.confirmed.n) == (9, 14)
    assert (card.overturned.value, card.overturned.low, card.overturned.high) == (0.3, *wilson(3, 10))


def test_the_window_takes_in_its_start_and_leaves_out_its_end() -> None:
    rule = factories.rule("R-1")
    version = factories.version(rule)
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    for day in range(3):
        factories.violation(
            factories.guild(), version, detected_at=start + dt.timedelta(days=day), evidence=False
        )

    card = rule_scorecard(actor=EVERYONE, rule=rule, since=start, until=start + dt.timedelta(days=2))

    assert card.violations["open"] == 2


def test_a_rule_that_did_nothing_has_zeros_and_no_shares() -> None:
    card = rule_scorecard(actor=EVERYONE, rule=factories.rule("R-1"))

    assert not any(card.violations.values())
    assert card.confirmed.insufficient_data
    assert card.overturned.insufficient_data
