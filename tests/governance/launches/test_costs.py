"""What guilds are told a change costs: the ladder as it is in their market."""

from __future__ import annotations

from governance.launches.wording import costs_in_words
from tests import factories

OWN = {
    "points": 1,
    "steps": [[{"kind": "recruitment_freeze", "days": 7, "grace": "7d", "stops": ["correction"]}]],
}
LADDER = {**factories.LADDER, "by_market": {"JP": OWN}}


def test_a_market_reads_its_own_costs_and_what_stops_them() -> None:
    assert costs_in_words("en", LADDER, market="JP").splitlines() == [
        "- step 1 and beyond: Recruitment freeze for 7 days; starts 7 days later; does not start if put right by then",
        "- each time 1 point",
    ]


def test_the_others_read_what_holds_everywhere() -> None:
    assert costs_in_words("en", LADDER, market="DE") == costs_in_words("en", factories.LADDER)
    assert costs_in_words("en", LADDER, market="DE").splitlines()[-1] == "- each time 10 points"


def test_a_red_line_is_told_as_one() -> None:
    assert costs_in_words("en", {**factories.LADDER, "red_line": True}).splitlines()[0] == (
        "- every time: Settlement hold for 30 days"
    )
