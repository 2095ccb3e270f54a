"""Reading CloudEvents 1.0 (https://github.com/cloudevents/spec): one event in, a checked `Event` or its faults out.

Every event goes the fast way first, which only says yes or "look closer". `_examine` looks closer and finds every fault.
No Django here, and nothing is looked up: whether the guild exists is for the caller.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypedDict

import orjson

SOURCE_LENGTH = ID_LENGTH = 300
TYPE_LENGTH = 200
REF_LENGTH = 120
MARKET_LENGTH = 20
#: Bytes of `data` as compact UTF-8 JSON.
DATA_BYTES = 64 * 1024
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
#: A sender's clock may run ahead by this much.
AHEAD = timedelta(days=1)

_INT64 = (-(2**63), 2**63 - 1)
_INT32 = (-(2**31), 2**31 - 1)
_LIMITS = {
    "source": SOURCE_LENGTH,
    "id": ID_LENGTH,
    "type": TYPE_LENGTH,
    "guild": REF_LENGTH,
    "creator": REF_LENGTH,
    "market": MARKET_LENGTH,
}
_CURES = {
    "source": "say where the event comes from, such as /detectors/gifts",
    "id": "give every event an id that is unique within its source",
    "type": "say what happened, such as gift.self_gifting",
    "time": "say when it happened, such as 2026-03-01T12:00:00Z",
}
_COMMON = frozenset(
    ("specversion", "id", "source", "type", "time", "guild", "creator", "market", "data", "datacontenttype")
)
_KNOWN = _COMMON | {"subject", "dataschema", "data_base64"}
_utc = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII).fullmatch
_rfc3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
).fullmatch
_attribute_name = re.compile(r"[a-z0-9]+", re.ASCII).fullmatch
_json_type = re.compile(r"application/(?:[\w.+-]+\+)?json\s*(?:;.*)?", re.ASCII | re.IGNORECASE).fullmatch
#: What CloudEvents keeps out of its strings: control characters, lone surrogates, and code points that are no characters.
_unfit = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]").search
_new = tuple.__new__


class Fault(TypedDict):
    """What is wrong with one field of an event, and how to cure it."""

    field: str
    message: str


class Event(NamedTuple):
    """A well-formed event. `time` is aware UTC, and `stamp` the same as text; `data` is compact JSON; references left out are
    empty strings."""

    source: str
    id: str
    type: str
    time: datetime
    guild: str
    creator: str
    market: str
    data: bytes
    raw: dict[str, Any]
    stamp: str


def latest_time(now: datetime) -> datetime:
    """The latest time an event may carry when it arrives at `now`."""
    return now + AHEAD


def check(raw: Any, *, latest: datetime, source: str = "") -> Event | list[Fault]:
    """The event, or every fault found in it. `source` fills in where the event has none. Never raises."""
    if type(raw) is not dict:
        return [{"field": "", "message": f"An event is a JSON object; this is {_kind(raw)}."}]
    if source and raw.get("source") is None:
        raw = {**raw, "source": source}
    return _read(raw, latest) or _examine(raw, latest)


def check_json(text: bytes, *, latest: datetime, source: str = "") -> tuple[Any, Event | list[Fault]]:
    """What the JSON text holds (None if it is no JSON), and the outcome of `check` for it."""
    try:
        raw = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return None, [{"field": "", "message": f"This is not JSON: {error}."}]
    return raw, check(raw, latest=latest, source=source)


def event_id(raw: Any) -> str | None:
    """The id to report a refused event by; None when it has none that can be shown."""
    value = raw.get("id") if isinstance(raw, dict) else None
    return value[:ID_LENGTH].encode("utf-8", "replace").decode() if isinstance(value, str) else None


def _read(raw: dict[str, Any], latest: datetime) -> Event | None:
    """The event when nothing about it is unusual, else None. Written for speed: every good event passes here."""
    get = raw.get
    source, id_, type_, time = get("source"), get("id"), get("type"), get("time")
    guild, creator, market, content = get("guild"), get("creator"), get("market"), get("data")
    if not (
        get("specversion") == "1.0"
        and type(source) is str
        and type(id_) is str
        and type(type_) is str
        and type(time) is str
        and 0 < len(source) <= SOURCE_LENGTH
        and 0 < len(id_) <= ID_LENGTH
        and 0 < len(type_) <= TYPE_LENGTH
        and (guild is None or (type(guild) is str and 0 < len(guild) <= REF_LENGTH))
        and (creator is None or (type(creator) is str and 0 < len(creator) <= REF_LENGTH))
        and (market is None or (type(market) is str and 0 < len(market) <= MARKET_LENGTH))
        and (guild or creator)
        and f"{source}{id_}{type_}{guild}{creator}{market}".isprintable()
        and " " not in f"{guild}{creator}{market}"
        and (content is None or type(content) is dict)
        and _utc(time)
        and _COMMON.issuperset(raw)
        and get("datacontenttype") in (None, "application/json")
    ):
        return None
    try:
        at = datetime.fromisoformat(time)
        packed = orjson.dumps(content) if content else b"{}"
    except (ValueError, TypeError):
        return None
    if len(packed) > DATA_BYTES or not EARLIEST <= at <= latest:
        return None
    # A character U+0000 shows as an escape; most data has none, and one backslash is found faster than six characters.
    if b"\\" in packed and b"\\u0000" in packed:
        return None
    if content:
        for value in content.values():
            kind = type(value)
            if kind is int and not _INT64[0] <= value <= _INT64[1]:
                return None
            if (kind is dict or kind is list) and _unkept_value(content):
                return None
    # The class itself would first pass the fields through a Python function.
    return _new(Event, (source, id_, type_, at, guild or "", creator or "", market or "", packed, raw, time))


def _examine(raw: dict[str, Any], latest: datetime) -> Event | list[Fault]:
    """The slow way: every fault of the event, or the event if it is unusual but fine."""
    faults: list[Fault] = []

    def fault(field: str, message: str) -> None:
        faults.append({"field": field, "message": message})

    if raw.get("specversion") != "1.0":
        fault("specversion", 'Must be "1.0": only CloudEvents 1.0 is understood.')
    texts = {name: _text(raw.get(name), name, limit, fault) for name, limit in _LIMITS.items()}
    at = _time(raw.get("time"), latest, fault)
    if raw.get("guild") is None and raw.get("creator") is None:
        fault("guild", "Name a guild or a creator: an event about nobody cannot be charged.")
    packed = _data(raw, fault)
    for name in raw.keys() - _COMMON:
        _other_attribute(name, raw[name], fault)
    content_type = raw.get("datacontenttype")
    if content_type is not None and not (isinstance(content_type, str) and _json_type(content_type)):
        fault("datacontenttype", "Must be application/json or left out: data is a JSON object.")
    if faults or at is None:
        return faults
    return Event(
        texts["source"],
        texts["id"],
        texts["type"],
        at,
        texts["guild"],
        texts["creator"],
        texts["market"],
        packed,
        raw,
        at.isoformat(),
    )


def _text(value: Any, name: str, limit: int, fault: Any) -> str:
    if value is None:
        if name in _CURES:
            fault(name, f"Missing: {_CURES[name]}.")
        return ""
    if not isinstance(value, str):
        fault(name, f"Must be a string, not {_kind(value)}: put it in quotes.")
    elif not value:
        fault(name, f"Is empty: {_CURES.get(name, 'leave it out, or name one')}.")
    elif len(value) > limit:
        fault(name, f"Has {len(value)} characters; at most {limit} are kept, so shorten it.")
    elif found := _unfit(value):
        fault(name, f"Holds the character U+{ord(found.group()):04X}, which CloudEvents forbids: remove it.")
    elif name not in _CURES and value.strip() != value:
        fault(name, "Starts or ends with a space: remove it, or it would name somebody else.")
    else:
        return value
    return ""


def _time(value: Any, latest: datetime, fault: Any) -> datetime | None:
    if value is None:
        fault("time", f"Missing: {_CURES['time']}.")
        return None
    found = _rfc3339(value) if isinstance(value, str) else None
    if found is None:
        fault("time", "Must be an RFC 3339 time with its zone, such as 2026-03-01T12:00:00Z.")
        return None
    day, minute, second, fraction, zone = found.groups()
    # A leap second has no place in Python or PostgreSQL; it counts as the last microsecond before it.
    whole = f"{minute}:59.999999" if second == "60" else f"{minute}:{second}{(fraction or '')[:7]}"
    try:
        at = datetime.fromisoformat(f"{day}T{whole}{zone.upper()}").astimezone(UTC)
    except (ValueError, OverflowError):
        fault("time", "Is not a moment of the calendar: check day, hour and zone.")
        return None
    if at < EARLIEST:
        fault("time", "Is before 2000: check the sender's clock.")
    elif at > latest:
        fault("time", "Is more than a day ahead of our clock: check the sender's clock and zone.")
    else:
        return at
    return None


def _data(raw: dict[str, Any], fault: Any) -> bytes:
    content = raw.get("data")
    if content is None:
        return b"{}"
    if not isinstance(content, dict):
        fault("data", f"Must be a JSON object, not {_kind(content)}.")
        return b""
    try:
        packed = orjson.dumps(content)
    except TypeError as error:
        fault("data", f"Cannot be kept as JSON ({error}): use plain values, at most 200 levels deep.")
        return b""
    if len(packed) > DATA_BYTES:
        fault("data", f"Has {len(packed)} bytes; at most {DATA_BYTES} are kept, so send what rules need.")
    elif path := _unkept_value(content):
        fault(*path)
    return packed


def _unkept_value(content: dict[str, Any]) -> tuple[str, str] | None:
    """(field, message) of the first value PostgreSQL or the rule language cannot hold."""
    waiting: list[tuple[str, Any]] = [("data", content)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            if any("\0" in key for key in value):
                return path, "Has a name with the character U+0000, which cannot be stored: remove it."
            waiting += [(f"{path}.{key}", item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{path}[{index}]", item) for index, item in enumerate(value)]
        elif isinstance(value, str) and "\0" in value:
            return path, "Holds the character U+0000, which cannot be stored: remove it."
        elif isinstance(value, int) and not _INT64[0] <= value <= _INT64[1]:
            return path, "Is beyond the whole numbers of 64 bits: send it as a string."
    return None


def _other_attribute(name: Any, value: Any, fault: Any) -> None:
    """Extensions we do not know are allowed, and not kept, as long as they are CloudEvents attributes."""
    shown = str(name)[:60].encode("utf-8", "replace").decode()
    if name == "data_base64":
        fault(shown, "Is not read: send the facts as a JSON object in data.")
    elif name not in _KNOWN and not _attribute_name(str(name)):
        fault(shown, "Is no CloudEvents attribute (lower-case letters and digits): put facts into data.")
    elif isinstance(value, int) and not isinstance(value, bool):
        if not _INT32[0] <= value <= _INT32[1]:
            fault(shown, "Is beyond the whole numbers of 32 bits that an attribute may hold: send a string.")
    elif not (value is None or isinstance(value, str | bool)):
        fault(shown, f"Must be a string, whole number or boolean, not {_kind(value)}: put it into data.")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    names = {dict: "an object", list: "an array", str: "a string", type(None): "null"}
    return names.get(type(value), "a number")
