"""Which guilds a live period governs: a stable share of them, less a holdout drawn at random. Plain functions, no storage.

Each guild has two fixed numbers in [0, 1) per salt, one for the share and one for the holdout, both from SHA-256. They are
independent of each other, so the holdout is a random sample of governed and waiting guilds alike, and it stays the same guilds
while the share grows. A guild that is governed at some share is governed at every greater one.
"""

from __future__ import annotations

import hashlib
from typing import Literal

Part = Literal["governed", "waiting", "held_out"]

_BITS = 53  # what a float holds exactly


def unit(guild_key: str, *, salt: str, purpose: str) -> float:
    """A number in [0, 1) that the guild keeps for this salt and purpose, on every machine and in every process."""
    digest = hashlib.sha256(f"{salt}\0{purpose}\0{guild_key}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> (64 - _BITS)) / float(1 << _BITS)


def governed(guild_key: str, *, salt: str, share: int, holdout: int) -> Part:
    """The guild's part in a rollout to `share` per cent of guilds of which `holdout` per cent are never governed.

    `guild_key` is the guild's external id. "held_out" for the holdout, whatever the share; else "governed" within the share and
    "waiting" for a greater one.
    """
    if holdout and unit(guild_key, salt=salt, purpose="holdout") * 100 < holdout:
        return "held_out"
    if share >= 100 or unit(guild_key, salt=salt, purpose="share") * 100 < share:
        return "governed"
    return "waiting"
