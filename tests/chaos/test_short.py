"""The short form of the storm, and the model it is judged by."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.model import (
    SWEEP_SECONDS,
    WORK_SECONDS,
    Found,
    Planned,
    differences,
    merged,
    working_seconds,
)

ROOT = Path(__file__).resolve().parent.parent.parent
PLANNED = Planned("p", "g", "suspension", 100.0, 200.0)
GOOD = Found("lifted", [101.0], [201.0], [], 1, 1)
#: On a quiet machine it takes a minute.
TIMEOUT_SECONDS = 420
ALLOWED = SWEEP_SECONDS + WORK_SECONDS


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_SECONDS + 90)
def test_six_hundred_penalties_through_half_a_minute_of_kills() -> None:
    storm = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.chaos", "--minutes", "0.42", "--penalties", "600"),
            *("--every", "4", "--seed", "7"),
            # Beside the rest of the suite nothing is said about speed; the long form does that.
            *("--work", "120"),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        told, _none = storm.communicate(timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        storm.terminate()  # and let it end what it has started
        told, _none = storm.communicate(timeout=60)
    assert storm.returncode == 0, told
    assert "No difference." in told


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (None, "lost"),
        (Found("in_force", [101.0], [], [], 1, 0), "lifted 0 times"),
        (Found("lifted", [101.0, 102.0], [201.0], [], 1, 1), "applied 2 times"),
        (Found("lifted", [99.0], [201.0], [], 1, 1), "1.0 s early"),
        (Found("lifted", [101.0], [199.0], [], 1, 1), "lifted 1.0 s early"),
        (Found("lifted", [101.0 + ALLOWED], [201.0], [], 1, 1), "applied late: 21.0 s"),
        (Found("lifted", [101.0], [201.0], ["penalty.failed"], 1, 1), "penalty.failed"),
        (Found("lifted", [101.0], [201.0], [], 2, 2), "2 restrictions"),
        (Found("lifted", [101.0], [201.0], [], 1, 0), "0 of them lifted"),
    ],
)
def test_the_model_sees_every_sort_of_harm(found: Found | None, word: str) -> None:
    assert any(word in line for line in differences(PLANNED, found, []))


def test_the_model_is_content_with_what_was_promised() -> None:
    assert differences(PLANNED, GOOD, []) == []
    warned = Planned("p", "g", "warning", 100.0, None)
    assert differences(warned, Found("in_force", [101.0], [], [], 0, 0), []) == []
    assert differences(warned, Found("in_force", [101.0], [150.0], [], 0, 0), []) != []


def test_time_that_something_was_down_does_not_count_as_late() -> None:
    late = Found("lifted", [130.0], [201.0], [], 1, 1)
    assert differences(PLANNED, late, [(105.0, 114.0)]) == [
        "applied late: 21.0 s in which everything was up, 30.0 s by the clock"
    ]
    assert differences(PLANNED, late, [(105.0, 116.0)]) == []
    assert merged([(5, 7), (1, 3), (2, 4), (7, 8)]) == [(1, 4), (5, 8)]
    assert working_seconds(0, 10, [(1, 4), (5, 20)]) == 2
