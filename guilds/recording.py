"""The record of acts as this package, the lowest of the house, sees it.

The ledger stands above and may not be imported from here; it plugs itself in when Django starts (governance/apps.py).
An act that cannot be recorded must not happen, so without a recorder `record` raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from guilds.accounts.actor import Actor


class Recorder(Protocol):
    def __call__(
        self,
        *,
        actor: Actor,
        act: str,
        obj: Any,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        reason: str = "",
        guild_id: int | None = None,
        market_id: int | None = None,
    ) -> Any: ...


_plugged_in: list[Recorder] = []


def use(recorder: Recorder) -> None:
    """Called once, by whoever keeps the ledger."""
    _plugged_in[:] = [recorder]


def record(
    *,
    actor: Actor,
    act: str,
    obj: Any,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    guild_id: int | None = None,
    market_id: int | None = None,
) -> None:
    """Write one event in the caller's transaction; see governance.ledger.services.record."""
    if not _plugged_in:
        raise RuntimeError("nothing records acts: the governance app is not installed")
    _plugged_in[0](
        actor=actor,
        act=act,
        obj=obj,
        before=before,
        after=after,
        reason=reason,
        guild_id=guild_id,
        market_id=market_id,
    )
