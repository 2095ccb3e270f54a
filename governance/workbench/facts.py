"""Signals as the workbench takes them: pasted as JSON or picked from the store, and kept whole with an example."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.utils import timezone

from governance.engine import SignalFacts
from governance.engine.environment import KNOWN_KEYS
from governance.signals.cloudevents import DATA_BYTES, TYPE_LENGTH
from guilds.errors import InvalidInput

#: Bytes of a pasted signal, with its attributes.
PASTED_BYTES = 2 * DATA_BYTES
REF_LENGTH = 120
TEXT_LENGTH = 200
#: What marks a JSON object as a whole event; anything else is taken for an event's data.
_ATTRIBUTES = frozenset({"type", "data"})


@dataclass(frozen=True)
class Pasted:
    """A signal somebody wrote by hand. References are external ids, "" where none was given; `time` is aware."""

    type: str
    time: dt.datetime
    data: Mapping[str, Any]
    guild: str = ""
    creator: str = ""
    market: str = ""


def refuse(message: str, field: str = "signal") -> InvalidInput:
    return InvalidInput(message, field=field)


def read_pasted(text: str, *, default_type: str = "") -> Pasted:
    """A CloudEvent, or the bare `data` of one, out of JSON. InvalidInput with the cure for whatever else it is.

    Lenient where a sender may not be: only what a rule can read is asked for, and a missing time is now.
    """
    raw = _object(text)
    whole = "specversion" in raw or raw.keys() >= _ATTRIBUTES
    event = raw if whole else {"type": default_type, "data": raw}
    signal_type = _text(event, "type", TYPE_LENGTH) or default_type
    if not signal_type:
        raise refuse('Say which type of signal it is: choose one above, or write "type" beside "data".')
    content = event.get("data")
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise refuse('"data" is a JSON object, such as {"score": 3}.')
    return Pasted(
        type=signal_type,
        time=moment(event["time"]) if event.get("time") is not None else timezone.now(),
        data=content,
        guild=_text(event, "guild", REF_LENGTH),
        creator=_text(event, "creator", REF_LENGTH),
        market=_text(event, "market", REF_LENGTH),
    )


def _object(text: str) -> dict[str, Any]:
    if not text.strip():
        raise refuse('Paste a signal: a JSON object such as {"score": 3}, or a whole CloudEvent.')
    try:
        packed = text.encode()
        if len(packed) > PASTED_BYTES:
            raise refuse(f"This has {len(packed)} bytes; a signal has at most {PASTED_BYTES}.")
        raw = orjson.loads(packed)
    except UnicodeEncodeError:
        raise refuse("This holds half a character (a lone surrogate): copy it again.") from None
    except orjson.JSONDecodeError as error:
        raise refuse(
            f"This is not JSON: {error.msg} (line {error.lineno}, character {error.colno})."
        ) from None
    if not isinstance(raw, dict):
        raise refuse('A signal is a JSON object in braces, such as {"score": 3}.')
    storable(raw)
    return raw


def storable(value: Any, field: str = "signal") -> None:
    """InvalidInput for JSON that PostgreSQL or the rule language cannot hold."""
    try:
        packed = orjson.dumps(value)
    except (TypeError, ValueError):
        raise refuse(
            "It is nested too deeply, or holds a number or text that cannot be kept: use plain values.", field
        ) from None
    if len(packed) > PASTED_BYTES:
        raise refuse(f"This has {len(packed)} bytes; at most {PASTED_BYTES} are kept.", field)
    if b"\\u0000" in packed:
        raise refuse("It holds the character U+0000, which cannot be stored: remove it.", field)


def _text(event: Mapping[str, Any], name: str, longest: int) -> str:
    value = event.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest:
        raise refuse(f'"{name}" is a text of at most {longest} characters.')
    return value


def moment(value: Any) -> dt.datetime:
    """An aware moment in UTC out of ISO 8601; InvalidInput."""
    try:
        found = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise refuse('"time" is written like 2026-03-01T12:00:00Z.') from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=dt.UTC)
    if not 2000 <= found.year <= 2100:
        raise refuse('"time" lies between 2000 and 2100.')
    return found.astimezone(dt.UTC)


# --- what an example keeps ----------------------------------------------------------------------------------------------
def to_json(facts: SignalFacts) -> dict[str, Any]:
    """As `Example.facts` keeps it."""
    guild = dict(facts.guild)
    if isinstance(guild.get("onboarded_at"), dt.datetime):
        guild["onboarded_at"] = guild["onboarded_at"].astimezone(dt.UTC).isoformat()
    return {
        "type": facts.signal_type,
        "time": facts.signal_time.astimezone(dt.UTC).isoformat(),
        "data": dict(facts.signal),
        "guild": guild,
        "creator": dict(facts.creator) or None,
        "market": dict(facts.market),
    }


def from_json(stored: Mapping[str, Any]) -> SignalFacts:
    """Inverse of `to_json`."""
    guild = dict(stored.get("guild") or {})
    if guild.get("onboarded_at") is not None:
        guild["onboarded_at"] = moment(guild["onboarded_at"])
    return SignalFacts(
        signal=stored.get("data") or {},
        signal_type=str(stored["type"]),
        signal_time=moment(stored["time"]),
        guild=guild,
        creator=dict(stored.get("creator") or {}),
        market=dict(stored.get("market") or {}),
    )


def checked_facts(raw: Any) -> dict[str, Any]:
    """Facts written by hand in the form of `Example.facts`, with only what rules can read. InvalidInput otherwise."""
    if not isinstance(raw, Mapping):
        raise refuse("The facts of an example are a JSON object.", "facts")
    storable(dict(raw), "facts")
    signal_type, content = raw.get("type"), raw.get("data")
    if not isinstance(signal_type, str) or not 0 < len(signal_type) <= TYPE_LENGTH:
        raise refuse("The facts need the type of the signal.", "facts")
    if not isinstance(content, dict):
        raise refuse('The facts need "data", a JSON object.', "facts")
    found: dict[str, Any] = {
        "type": signal_type,
        "time": moment(raw.get("time")).isoformat(),
        "data": content,
    }
    for name, known in KNOWN_KEYS.items():
        record = raw.get(name) or {}
        if not isinstance(record, Mapping):
            raise refuse(f'"{name}" is a JSON object.', "facts")
        kept = {key: record[key] for key in sorted(known) if key in record}
        if any(isinstance(value, dict) or len(str(value)) > TEXT_LENGTH for value in kept.values()):
            raise refuse(f'"{name}" holds plain, short values.', "facts")
        found[name] = kept
    if found["guild"].get("onboarded_at") is not None:
        found["guild"]["onboarded_at"] = moment(found["guild"]["onboarded_at"]).isoformat()
    found["creator"] = found["creator"] or None
    return found


def checked_measures(raw: Any) -> dict[str, Any]:
    """Values of measures by name: numbers, or null for a max over nothing. InvalidInput otherwise."""
    if raw is None:
        return {}
    if not isinstance(raw, Mapping) or len(raw) > 50:
        raise refuse("Measures are a JSON object of name and number.", "measures")
    for name, value in raw.items():
        number = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        if not isinstance(name, str) or len(name) > 63 or not number:
            raise refuse(f"The measure {str(name)[:63]!r} needs a number.", "measures")
        if isinstance(value, float) and not math.isfinite(value):
            raise refuse(f"The measure {name!r} needs a finite number.", "measures")
    storable(dict(raw), "measures")
    return dict(raw)


def checked_text(value: Any) -> str:
    """A text, "" for none; InvalidInput for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise refuse("A text is expected.")
    if "\0" in value:
        raise refuse("It holds the character U+0000, which cannot be stored: remove it.")
    return value
