"""The hash chain: each digest covers the digest before it and every column of its event."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

GENESIS = b"\0" * 32


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    raise TypeError(f"{type(value).__name__} has no place in the ledger")


def canonical(row: Sequence[Any]) -> bytes:
    """One event as bytes: a JSON array of its columns, keys sorted, no spaces, times in UTC with microseconds."""
    return json.dumps(
        list(row), default=_plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()


def chained(previous: bytes, row: Sequence[Any]) -> bytes:
    """SHA-256 of the previous digest (32 bytes) followed by the canonical event."""
    return hashlib.sha256(previous + canonical(row)).digest()
