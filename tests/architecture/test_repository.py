"""What must not be in the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: No address of a package index: where packages come from is the machine's business, not the repository's.
INDEX_ADDRESS = re.compile(
    r"--(?:extra-)?index-url|--find-links|--trusted-host|^\s*registry\s*=", re.MULTILINE
)
# Written with gaps, so that this line does not find itself.
LEFTOVERS = re.compile(
    "|".join([r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bXX" + r"X\b", "NotImplemented" + "Error"])
)


def tracked(*patterns: str) -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.fail("git does not list the files of this clone")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_lock_files_carry_hashes_and_no_address() -> None:
    for name in ("requirements.txt", "requirements-demo.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        pins = [line for line in text.splitlines() if re.match(r"^[a-z0-9]", line)]
        assert pins, name
        assert all("==" in pin and pin.rstrip().endswith("\\") for pin in pins), name
        assert "://" not in text, name


def test_production_is_contained_in_demo_and_demo_in_development() -> None:
    def pins(name: str) -> set[str]:
        return {
            line.split(" ")[0]
            for line in (ROOT / name).read_text().splitlines()
            if re.match(r"^[a-z0-9]", line)
        }

    assert pins("requirements.txt") <= pins("requirements-demo.txt") <= pins("requirements-dev.txt")


def test_no_index_address_anywhere() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in tracked("Makefile", "*.toml", "*.txt", "*.in", "*.cfg", ".ci/*")
        if INDEX_ADDRESS.search(path.read_text())
    ]
    assert found == []


def test_nothing_is_left_for_later() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked("*.py", "*.html", "Makefile")
        if (match := LEFTOVERS.search(path.read_text()))
    ]
    assert found == []


def test_states_document_is_up_to_date() -> None:
    from config.management.commands.states_doc import document

    assert (ROOT / "docs" / "states.md").read_text() == document()
