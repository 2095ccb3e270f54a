"""What a rule sees of one signal, made safe for the CEL runtime."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

MAX_PARTS = 2_000  # values inside one signal, all levels
MAX_TEXT = 16 * 1024  # characters of one text
MAX_TEXTS = 64 * 1024  # characters of all texts of one signal together
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


class KnownRecord(dict[str, Any]):
    """A record that many signals share, such as a guild: copied for the runtime once, not once a signal.

    Not to be changed after it is made.
    """

    __slots__ = ("safe",)

    def __init__(self, record: Mapping[str, Any]) -> None:
        super().__init__(record)
        self.safe = _Copy().record(record, 1)


def safe_record(record: Any) -> dict[str, Any]:
    """A copy with only what CEL can hold; anything but an object is an empty one. Raises
    SignalTooLargeError.

    Whole numbers beyond 64 bits become the nearest double, as they would in JavaScript; half characters
    become U+FFFD.
    """
    if type(record) is KnownRecord:
        return record.safe
    return _Copy().record(record, 1) if isinstance(record, Mapping) else {}


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


class _Copy:
    """One copy of one signal, with what it may still take. Written for speed: every signal passes here."""

    __slots__ = ("characters", "parts")

    def __init__(self) -> None:
        self.parts = MAX_PARTS
        self.characters = MAX_TEXTS

    def record(self, record: Mapping[Any, Any], level: int) -> dict[str, Any]:
        self.enter(len(record), level)
        copy: dict[str, Any] = {}
        for key, value in record.items():
            kind = type(value)
            if kind is not bool and kind is not float and value is not None:
                value = self.text(value) if kind is str else self.other(value, level)
            copy[self.text(key)] = value
        return copy

    def other(self, value: Any, level: int) -> Any:
        if type(value) is int:
            return value if INT_MIN <= value <= INT_MAX else _double(value)
        if isinstance(value, Mapping):
            return self.record(value, level + 1)
        if isinstance(value, (list, tuple)):
            self.enter(len(value), level + 1)
            return [self.item(item, level + 1) for item in value]
        if isinstance(value, Decimal):
            return safe_number(value)
        return self.text(value.isoformat() if isinstance(value, datetime) else str(value))

    def item(self, value: Any, level: int) -> Any:
        kind = type(value)
        if kind is bool or kind is float or value is None:
            return value
        return self.text(value) if kind is str else self.other(value, level)

    def enter(self, size: int, level: int) -> None:
        self.parts -= size
        if self.parts < 0:
            raise SignalTooLargeError(f"the signal has more than {MAX_PARTS} values")
        if level > MAX_LEVELS:
            raise SignalTooLargeError(f"the signal is nested deeper than {MAX_LEVELS} levels")

    def text(self, text: Any) -> str:
        if type(text) is not str:
            text = str(text)
        size = len(text)
        self.characters -= size
        if size > MAX_TEXT or self.characters < 0:
            raise SignalTooLargeError(
                f"texts of the signal are too long: {MAX_TEXT} characters each, {MAX_TEXTS} together"
            )
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            return str(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return str(text)


def _double(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
