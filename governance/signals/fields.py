"""What signals hold: types met so far, and the fields of each with types and examples, learned from those last stored."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from governance.engine.literals import is_identifier, text_literal
from governance.signals.models import Signal
from guilds.remembering import remembered

Learned = TypeVar("Learned")

#: Signals looked at per type, the last stored first.
SAMPLE = 2_000
#: How far back they are looked for, in signals of any type: a type nobody sends does not read the whole table.
LOOKED_THROUGH = 500_000
#: Signals looked at to learn which types there are.
TYPES_SAMPLE = 20_000
KEPT_SECONDS = 300
MOST_FIELDS = 300
MOST_LEVELS = 6
MOST_ITEMS = 20  # of a list
EXAMPLES = 5
EXAMPLE_LENGTH = 40

#: Values that may lead to a person are not shown as examples: addresses, numbers to call, links, long digits.
_PERSONAL = re.compile(r"@|://|^\+?[\d\s().-]{8,}$|\d{7,}|^[0-9a-fA-F-]{16,}$")
#: Fields whose very name says that their values belong to somebody.
_PERSONAL_NAMES = re.compile(
    r"(^|_)(id|ids|uid|uuid|name|email|mail|phone|tel|mobile|address|ip|iban|passport|birth\w*|dob|note|comment|message"
    r"|text|url|link|token|hash|account|user|handle|lat|lon|latitude|longitude)($|_)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Field:
    """A field of the events' data.

    `path` is written as in a condition, such as `signal.shop.id` or `signal["odd name"]`; what lies inside a list has the list's
    path, `[]` and the rest: `signal.lines[].code`. `types` are text, whole, decimal, bool, list, object and null, the most
    frequent first. `share` (0 to 1) is the part of the sampled signals that have it, `count` their number.
    """

    path: str
    types: tuple[str, ...]
    share: float
    examples: tuple[Any, ...]
    count: int

    @property
    def in_list(self) -> bool:
        return "[]" in self.path


def fields_of(types: Collection[str], markets: Collection[int] | None = None) -> list[Field]:
    """The fields of these signal types, those most often there first; only of signals of the markets (ids), where given.

    Kept for some minutes, so a new field may take that long to be offered.
    """
    wanted = sorted(set(types))
    if not wanted:
        return []
    return _kept("fields", (wanted, _ids(markets)), lambda: _learned(wanted, markets))


def known_types(markets: Collection[int] | None = None) -> list[str]:
    """Types of the signals last stored, by name; only of the markets (ids), where given."""

    def learned() -> list[str]:
        last = _stored(markets).order_by("-id").values("type")[:TYPES_SAMPLE]
        return sorted({row["type"] for row in last})

    return _kept("types", _ids(markets), learned)


def _ids(markets: Collection[int] | None) -> list[int] | None:
    return None if markets is None else sorted(markets)


def _kept(what: str, asked: Any, learn: Callable[[], Learned]) -> Learned:
    digest = hashlib.sha256(repr(asked).encode("utf-8", "surrogatepass")).hexdigest()
    return remembered(f"signal-{what}:{digest}", KEPT_SECONDS, learn)


def _stored(markets: Collection[int] | None) -> Any:
    return Signal.objects.all() if markets is None else Signal.objects.filter(market_id__in=list(markets))


def _learned(types: list[str], markets: Collection[int] | None) -> list[Field]:
    seen: dict[str, _Seen] = {}
    signals = 0
    newest = Signal.objects.order_by("-id").values_list("id", flat=True).first() or 0
    for signal_type in types:
        last = _stored(markets).filter(type=signal_type, id__gt=newest - LOOKED_THROUGH).order_by("-id")
        for content in last.values_list("data", flat=True)[:SAMPLE]:
            signals += 1
            _look(content, seen)
    found = [known.field(path, signals) for path, known in seen.items()]
    return sorted(found, key=lambda known: (-known.count, known.path))


@dataclass
class _Seen:
    personal: bool
    signals: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    values: Counter[Any] = field(default_factory=Counter)

    def field(self, path: str, signals: int) -> Field:
        kinds = tuple(kind for kind, _ in self.kinds.most_common())
        return Field(path, kinds, round(self.signals / signals, 4), self.examples(), self.signals)

    def examples(self) -> tuple[Any, ...]:
        """The commonest values; of fields where nearly every value is another, such as amounts, three."""
        if self.personal:
            return ()
        common = self.values.most_common(EXAMPLES)
        various = len(self.values) > max(EXAMPLES, sum(self.values.values()) / 2)
        return tuple(value for (_, value), _ in (common[:3] if various else common))


def _look(content: Any, seen: dict[str, _Seen]) -> None:
    here: set[str] = set()
    for path, name, value in _walk(content):
        known = seen.get(path)
        if known is None:
            if len(seen) >= MOST_FIELDS:
                continue
            known = seen[path] = _Seen(personal=_PERSONAL_NAMES.search(name) is not None)
        if path not in here:
            here.add(path)
            known.signals += 1
        kind = kind_of(value)
        known.kinds[kind] += 1
        if _showable(kind, value) and len(known.values) < SAMPLE:
            # True and 1 are one key of a dictionary; the kind keeps them apart.
            known.values[kind, value] += 1


def _walk(content: Any) -> Iterator[tuple[str, str, Any]]:
    """(path, name, value) of every field, all levels."""
    if not isinstance(content, Mapping):
        return
    waiting: list[tuple[str, Mapping[str, Any], int]] = [("signal", content, 1)]
    while waiting:
        prefix, record, level = waiting.pop()
        for name, value in record.items():
            path = f"{prefix}{step(name)}"
            yield path, name, value
            if level >= MOST_LEVELS:
                continue
            if isinstance(value, Mapping):
                waiting.append((path, value, level + 1))
            elif isinstance(value, list):
                for item in islice(value, MOST_ITEMS):
                    if isinstance(item, Mapping):
                        waiting.append((f"{path}[]", item, level + 1))
                    else:
                        yield f"{path}[]", name, item


def step(name: str) -> str:
    """One step of a path as written in a condition."""
    return f".{name}" if is_identifier(name) else f"[{text_literal(name)}]"


def kind_of(value: Any) -> str:
    """The type of a JSON value, in the words of the builder of conditions."""
    if isinstance(value, bool):
        return "bool"
    kinds = {str: "text", int: "whole", float: "decimal", list: "list", dict: "object"}
    return kinds.get(type(value), "null")


def _showable(kind: str, value: Any) -> bool:
    if kind in ("whole", "decimal", "bool"):
        return True
    return kind == "text" and 0 < len(value) <= EXAMPLE_LENGTH and _PERSONAL.search(value) is None


def paths(fields: Iterable[Field]) -> frozenset[str]:
    return frozenset(known.path for known in fields)
