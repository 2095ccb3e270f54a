"""What a rule sees of one signal, made safe for the CEL runtime."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

MAX_PARTS = 5_000  # values inside one signal, all levels
MAX_TEXT = 32 * 1024  # characters of one text
MAX_TEXTS = 256 * 1024  # characters of all texts of one signal together
MAX_LEVELS = 32

INT_MIN, INT_MAX = -(2**63), 2**63 - 1


class SignalTooLargeError(ValueError):
    """The signal is beyond what rules evaluate; every rule's outcome on it is an error, none matches."""


@dataclass(frozen=True, slots=True)
class SignalFacts:
    """One signal and who it is about.

    `signal` is the event's data, `signal_time` aware. `guild`, `creator` and `market` carry the keys of
    `environment.KNOWN_KEYS`; `creator` is empty when the signal names none, `guild["onboarded_at"]` is
    aware or None.
    """

    signal: Mapping[str, Any]
    signal_type: str
    signal_time: datetime
    guild: Mapping[str, Any] = field(default_factory=dict)
    creator: Mapping[str, Any] = field(default_factory=dict)
    market: Mapping[str, Any] = field(default_factory=dict)


def safe_record(record: Any) -> dict[str, Any]:
    """A copy with only what CEL can hold; anything but an object is an empty one. Raises
    SignalTooLargeError.

    Whole numbers beyond 64 bits become the nearest double, as they would in JavaScript; half characters
    become U+FFFD.
    """
    if not isinstance(record, Mapping):
        return {}
    budget = [MAX_PARTS, MAX_TEXTS]
    return {_text(key, budget): _safe(part, budget, 1) for key, part in record.items()}


def safe_number(value: Any) -> int | float | None:
    """A measure's value for CEL: whole Decimals become int, other ones and too large ones double, None
    stays.
    """
    if isinstance(value, Decimal):
        value = int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if INT_MIN <= value <= INT_MAX else _double(value)
    return value if isinstance(value, float) else None


def _safe(value: Any, budget: list[int], level: int) -> Any:
    kind = type(value)
    if kind is str:
        return _text(value, budget)
    budget[0] -= 1
    if budget[0] < 0:
        raise SignalTooLargeError(f"the signal has more than {MAX_PARTS} values")
    if kind is bool or kind is float or value is None:
        return value
    if kind is int:
        return value if INT_MIN <= value <= INT_MAX else _double(value)
    if level > MAX_LEVELS:
        raise SignalTooLargeError(f"the signal is nested deeper than {MAX_LEVELS} levels")
    if isinstance(value, Mapping):
        return {_text(key, budget): _safe(part, budget, level + 1) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_safe(part, budget, level + 1) for part in value]
    if isinstance(value, Decimal):
        return safe_number(value)
    return _text(value.isoformat() if isinstance(value, datetime) else str(value), budget)


def _text(value: Any, budget: list[int]) -> str:
    text = value if type(value) is str else str(value)
    budget[0] -= 1
    budget[1] -= len(text)
    if len(text) > MAX_TEXT or budget[1] < 0 or budget[0] < 0:
        raise SignalTooLargeError(
            f"texts of the signal are too long: {MAX_TEXT} characters each, {MAX_TEXTS} together"
        )
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
