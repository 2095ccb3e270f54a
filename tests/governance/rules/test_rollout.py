"""Which guilds a live period governs: stable, in proportion, and the holdout independent of the share."""

from __future__ import annotations

import pytest

from governance.rules.rollout import Part, governed, unit

GUILDS = [f"guild-{number}" for number in range(20_000)]


@pytest.mark.parametrize(
    ("purpose", "sha256"),
    [
        # printf 's\0share\0alpha' | sha256sum, and the same of the holdout
        ("share", "0563f84f990ec4b49d2f46039e7a089a8f00ef7c66a1509aee16750923e29894"),
        ("holdout", "1998bb055975b578026549d22ba1be4ee7e7d3618331bdb25108a5c9b198a64a"),
    ],
)
def test_the_number_of_a_guild_is_its_hash(purpose: str, sha256: str) -> None:
    assert unit("alpha", salt="s", purpose=purpose) == pytest.approx(int(sha256[:16], 16) / 2**64, abs=1e-15)


def test_a_guild_is_governed_from_its_number_on() -> None:
    # 0x0563f8… / 2⁶⁴ = 0.0210…: from a share of three per cent on; 0x1998bb… / 2⁶⁴ = 0.09998…: held out from ten per cent on
    assert governed("alpha", salt="s", share=2, holdout=0) == "waiting"
    assert governed("alpha", salt="s", share=3, holdout=0) == "governed"
    assert governed("alpha", salt="s", share=100, holdout=9) == "governed"
    assert governed("alpha", salt="s", share=100, holdout=10) == "held_out"
    assert governed("alpha", salt="s", share=2, holdout=10) == "held_out"


@pytest.mark.parametrize(("share", "holdout"), [(1, 0), (10, 5), (50, 20), (100, 50), (100, 0)])
def test_shares_are_met(share: int, holdout: int) -> None:
    parts = [governed(guild, salt="launch", share=share, holdout=holdout) for guild in GUILDS]
    expected: dict[Part, float] = {
        "held_out": holdout / 100,
        "governed": share / 100 * (1 - holdout / 100),
        "waiting": (1 - share / 100) * (1 - holdout / 100),
    }
    for part, wanted in expected.items():
        # five standard errors of a proportion among 20,000
        bound = 5 * (wanted * (1 - wanted) / len(GUILDS)) ** 0.5
        assert parts.count(part) / len(GUILDS) == pytest.approx(wanted, abs=bound)


def test_who_is_governed_stays_so_while_the_share_grows_and_the_holdout_stays_the_same() -> None:
    before: set[str] = set()
    held = {guild for guild in GUILDS if governed(guild, salt="x", share=1, holdout=10) == "held_out"}
    for share in (1, 5, 20, 50, 100):
        parts = {guild: governed(guild, salt="x", share=share, holdout=10) for guild in GUILDS}
        now = {guild for guild, part in parts.items() if part == "governed"}
        assert before <= now
        assert {guild for guild, part in parts.items() if part == "held_out"} == held
        before = now
    assert before == set(GUILDS) - held


def test_another_salt_draws_other_guilds() -> None:
    one, two = (
        {guild for guild in GUILDS if governed(guild, salt=salt, share=50, holdout=0) == "governed"}
        for salt in ("one", "two")
    )
    assert len(one & two) / len(GUILDS) == pytest.approx(0.25, abs=0.02)
