"""Reading the rows of a registry upsert: plain values in, clean values or faults with field and cure out. No database."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, NamedTuple, TypeAlias

from guilds.registry import contacts
from guilds.registry.enums import GuildStatus, GuildTier

_unfit = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search


#: What is wrong with one field of one row, such as `guilds[3].market`, and how to cure it: {"field", "message"}.
Fault: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A clean row: its place in the list it came in, and the values given; what was left out is not there."""

    index: int
    values: dict[str, Any]


class Unreadable(ValueError):
    """A value that is wrong; the message says how to cure it."""


class Column(NamedTuple):
    """How one field is read. `read` gets anything but null and raises Unreadable."""

    read: Callable[[Any], Any]
    required: bool = False
    nullable: bool = False


def text(limit: int, *, blank: bool = False) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise Unreadable("Must be a string: put it in quotes.")
        if not value and not blank:
            raise Unreadable("Is empty.")
        if len(value) > limit:
            raise Unreadable(f"Has {len(value)} characters; at most {limit} are kept, so shorten it.")
        if found := _unfit(value):
            raise Unreadable(f"Holds the character U+{ord(found.group()):04X}: remove it.")
        if value.strip() != value:
            raise Unreadable("Starts or ends with a space: remove it.")
        return value

    return read


def choice(options: Sequence[str]) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in options:
            raise Unreadable(f"Must be one of: {', '.join(options)}.")
        return str(value)

    return read


def moment(value: Any) -> datetime:
    """An aware time in UTC, from an aware datetime or RFC 3339 text."""
    try:
        at = (
            datetime.fromisoformat(value.upper())
            if isinstance(value, str) and "T" in value.upper()
            else value
        )
        if isinstance(at, datetime) and at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Unreadable("Is not a moment of the calendar: check day, hour and zone.") from error
    raise Unreadable("Must be an RFC 3339 time with its zone, such as 2026-03-01T12:00:00Z.")


def day(value: Any) -> date:
    try:
        found = date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError as error:
        raise Unreadable("Is not a date of the calendar, such as 2026-03-01.") from error
    if isinstance(found, datetime) or not isinstance(found, date):
        raise Unreadable("Must be a date, such as 2026-03-01.")
    return found


def amount(digits: int) -> Callable[[Any], Decimal]:
    """A number of at least 0 with at most `digits` digits, two of them decimals; further ones are rounded, half up."""

    def read(value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise Unreadable("Must be a number, such as 12.5.")
        try:
            found = Decimal(str(value)).quantize(Decimal("0.01"), ROUND_HALF_UP)
        except InvalidOperation as error:
            raise Unreadable("Must be a number, such as 12.5.") from error
        if not found.is_finite() or not 0 <= found < 10 ** (digits - 2):
            raise Unreadable(f"Must be at least 0 and below 1{'0' * (digits - 2)}.")
        return found

    return read


def whole_number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unreadable("Must be a whole number.")
    if not 0 <= value < 2**31:
        raise Unreadable("Must be at least 0 and below 2147483648.")
    return value


def contact_list(value: Any) -> list[dict[str, Any]]:
    try:
        return contacts.read(value)
    except ValueError as error:
        raise Unreadable(str(error)) from error


GUILD = {
    "external_id": Column(text(120), required=True),
    "name": Column(text(200, blank=True)),
    "market": Column(text(20)),
    "tier": Column(choice(GuildTier.values)),
    "status": Column(choice(GuildStatus.values)),
    "onboarded_at": Column(moment, nullable=True),
    "contacts": Column(contact_list),
}
CREATOR = {
    "external_id": Column(text(120), required=True),
    "name": Column(text(200, blank=True)),
    "market": Column(text(20), nullable=True),
}
MEMBERSHIP = {
    "creator": Column(text(120), required=True),
    "guild": Column(text(120), required=True),
    "starts_at": Column(moment, required=True),
    "ends_at": Column(moment, nullable=True),
}
ACTIVITY = {
    "guild": Column(text(120), required=True),
    "date": Column(day, required=True),
    "live_hours": Column(amount(10), required=True),
    "active_creators": Column(whole_number, required=True),
    "gift_revenue": Column(amount(14)),
}


def read_rows(
    kind: str, rows: Sequence[Any], columns: Mapping[str, Column], key: Sequence[str], faults: list[Fault]
) -> list[Row]:
    """The clean rows among these; adds to `faults` what is wrong with the others. `key` must be unique among them."""
    found: list[Row] = []
    seen: dict[tuple[Any, ...], int] = {}
    for index, given in enumerate(rows):
        place = f"{kind}[{index}]"
        if not isinstance(given, Mapping):
            faults.append({"field": place, "message": "Must be an object."})
            continue
        before = len(faults)
        values = _read_row(place, given, columns, faults)
        if len(faults) > before:
            continue
        identity = tuple(values[name] for name in key)
        if identity in seen:
            message = f"Is in this batch twice, first as {kind}[{seen[identity]}]: send each {' and '.join(key)} once."
            faults.append({"field": f"{place}.{key[0]}", "message": message})
            continue
        seen[identity] = index
        found.append(Row(index, values))
    return found


def _read_row(
    place: str, given: Mapping[Any, Any], columns: Mapping[str, Column], faults: list[Fault]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in given.keys() - columns.keys():
        shown = str(name)[:60].encode("utf-8", "replace").decode()
        known = ", ".join(columns)
        faults.append({"field": f"{place}.{shown}", "message": f"Is not known; the fields are: {known}."})
    for name, column in columns.items():
        value = given.get(name)
        if value is None:
            if column.required or (name in given and not column.nullable):
                faults.append({"field": f"{place}.{name}", "message": "Is missing."})
            elif name in given:
                values[name] = None
            continue
        try:
            values[name] = column.read(value)
        except Unreadable as error:
            faults.append({"field": f"{place}.{name}", "message": str(error)})
    return values
