"""By when a case is wanted, and which queue it goes to: plain arithmetic."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import pytest

from governance.review import ranking
from governance.review.ranking import Promise, accuracy_from, default_promise, in_words, urgent_at
from governance.review.routing import Subject, first_fitting

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
TEN_HOURS = Promise(hours=10)


def test_the_time_of_a_target_is_shortened_for_harm_and_for_a_source_that_is_right() -> None:
    def after(harm: int | None, accuracy: float | None) -> dt.timedelta:
        return urgent_at(NOON, TEN_HOURS, harm=harm, accuracy=accuracy) - NOON

    assert after(1, 0.0) == 10 * HOUR
    assert after(5, 0.0) == 7 * HOUR
    assert after(1, 1.0) == 7 * HOUR
    assert after(5, 1.0) == 4 * HOUR
    assert after(3, 0.5) == 7 * HOUR
    assert after(None, None) == 8.5 * HOUR


def test_age_beats_weight_once_its_own_time_is_nearer() -> None:
    grave = urgent_at(NOON, default_promise("S1"), harm=5, accuracy=1.0)
    old = urgent_at(NOON - 100 * HOUR, default_promise("S4"), harm=1, accuracy=0.0)
    older = urgent_at(NOON - 119 * HOUR, default_promise("S4"), harm=1, accuracy=0.0)
    assert older < grave < old


@pytest.mark.parametrize(("severity", "hours"), [("S1", 4), ("S2", 24), ("S3", 72), ("S4", 120)])
def test_what_is_promised_without_a_target(severity: str, hours: int) -> None:
    promise = default_promise(severity)
    assert ranking.due_at(NOON, promise) == NOON + hours * HOUR
    assert promise.lead == hours * HOUR / 4


def test_a_warning_leads_by_what_is_left_of_the_time() -> None:
    assert Promise(hours=10, warn_percent=80).lead == 2 * HOUR


def test_few_decisions_say_little_about_a_source() -> None:
    assert accuracy_from(0, 0) == 0.5
    assert accuracy_from(1, 1) == pytest.approx(2 / 3)
    assert accuracy_from(98, 98) == 0.99
    assert accuracy_from(0, 98) == 0.01


def test_the_place_in_the_queue_is_explained_in_sentences() -> None:
    said = ranking.reasons(
        severity="S2",
        opened_at=NOON,
        due_at=NOON + 24 * HOUR,
        harm=4,
        accuracy=0.8,
        escalated=False,
        now=NOON + 20 * HOUR,
    )
    assert said == [
        "To be decided within 4 h 0 min.",
        "Severity S2 gives it 24 h 0 min in all.",
        "It waits since 20 h 0 min.",
        "Harm 4 of 5: wanted 22 % earlier.",
        "Reviewers uphold 80 % of what this rule finds: wanted 24 % earlier.",
    ]


def test_an_escalated_and_overdue_case_says_so_first() -> None:
    said = ranking.reasons(
        severity="S1",
        opened_at=NOON,
        due_at=NOON + 4 * HOUR,
        harm=None,
        accuracy=None,
        escalated=True,
        now=NOON + 5 * HOUR,
    )
    assert said[:2] == ["Escalated: it goes before everything that was not.", "Overdue by 1 h 0 min."]
    assert len(said) == 4


@pytest.mark.parametrize(
    ("minutes", "words"), [(0, "0 min"), (59, "59 min"), (61, "1 h 1 min"), (2 * 1440 + 61, "2 d 1 h")]
)
def test_times_are_told_as_exactly_as_it_matters(minutes: int, words: str) -> None:
    assert in_words(dt.timedelta(minutes=minutes)) == words


# --- routes -------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Plain:
    name: str
    kinds: list[str] = field(default_factory=list)
    severities: list[str] = field(default_factory=list)
    markets: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)


CASE = Subject(kind="verdict", severity="S1", market="DE", rule="HYG-1")


def test_the_first_route_that_fits_is_taken() -> None:
    routes = [
        Plain("audits", kinds=["quality", "coverage"]),
        Plain("grave in France", severities=["S1"], markets=["FR"]),
        Plain("grave", severities=["S1", "S2"]),
        Plain("everything"),
    ]
    chosen = first_fitting(routes, CASE)
    assert chosen is not None
    assert chosen.name == "grave"


@pytest.mark.parametrize(
    "route",
    [
        Plain("no", kinds=["golden"]),
        Plain("no", severities=["S2"]),
        Plain("no", markets=["FR"]),
        Plain("no", rules=["HYG-2"]),
        Plain("no", severities=["S1"], markets=["DE"], rules=["HYG-2"]),
    ],
)
def test_every_list_of_a_route_has_to_fit(route: Plain) -> None:
    assert first_fitting([route], CASE) is None


def test_a_guild_day_has_no_rule_and_fits_no_route_that_names_one() -> None:
    day = Subject(kind="coverage", severity="S3", market="DE")
    assert first_fitting([Plain("no", rules=["HYG-1"])], day) is None
    assert first_fitting([Plain("yes", kinds=["coverage"])], day) is not None
