"""A rule version as plain, immutable values: what is stored, compared and hashed. Nothing here is checked
or compiled.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal, Self, cast

from governance.engine.durations import format_duration, parse_duration

Per = Literal["guild", "creator"]
Review = Literal["auto", "human", "dual"]
Charge = Literal["own", "share"]

_AGGREGATE = re.compile(r"(count)|(sum|max|distinct)\((creator|data((?:\.[A-Za-z_][A-Za-z0-9_]*)+))\)")


@dataclass(frozen=True)
class Aggregate:
    """A parsed aggregate: `function` count, sum, max or distinct, over `path` inside the event's data, or
    over the creator.
    """

    function: Literal["count", "sum", "max", "distinct"]
    path: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """True when the result is a whole number of things and never null."""
        return self.function in ("count", "distinct")


def parse_aggregate(text: str) -> Aggregate:
    """Read `count`, `sum(data.a.b)`, `max(data.a)`, `distinct(creator)` or `distinct(data.a)`; ValueError
    otherwise.
    """
    match = _AGGREGATE.fullmatch(text)
    if match is None or (match[3] == "creator" and match[2] != "distinct"):
        raise ValueError(
            f"{text!r} is not an aggregate: write count, sum(data.field), max(data.field), "
            "distinct(creator) or distinct(data.field)"
        )
    if match[1]:
        return Aggregate("count")
    function = cast("Literal['sum', 'max', 'distinct']", match[2])
    return Aggregate(function, tuple(match[4][1:].split(".")) if match[4] else ())


@dataclass(frozen=True)
class MeasureSpec:
    """A windowed aggregate over (t - window, t] of the guild's or creator's signals; `types` empty means
    the rule's `on`.
    """

    name: str
    types: tuple[str, ...] = ()
    where: str | None = None
    window: timedelta = timedelta(days=30)
    per: Per = "guild"
    aggregate: str = "count"

    @cached_property
    def key(self) -> str:
        """Equal for measures that yield the same value whatever they are called: such are computed once."""
        return json.dumps(
            [
                self.aggregate,
                self.per,
                format_duration(self.window),
                sorted(set(self.types)),
                (self.where or "").strip(),
            ],
            separators=(",", ":"),
            ensure_ascii=False,
        )

    @cached_property
    def variable(self) -> str:
        """The name under which rules that share an activation see this measure."""
        return "m_" + hashlib.sha256(self.key.encode("utf-8", "surrogatepass")).hexdigest()[:20]

    @cached_property
    def nullable(self) -> bool:
        """True when null is a value: max over nothing. Elsewhere null stands for "not known"."""
        return parse_aggregate(self.aggregate).function == "max"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form; durations as `30d`."""
        return {
            "name": self.name,
            "types": list(self.types),
            "where": self.where,
            "window": format_duration(self.window),
            "per": self.per,
            "aggregate": self.aggregate,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`; missing optional fields take their defaults."""
        return cls(
            name=stored["name"],
            types=tuple(stored.get("types") or ()),
            where=stored.get("where"),
            window=parse_duration(stored["window"]),
            per=stored.get("per", "guild"),
            aggregate=stored.get("aggregate", "count"),
        )


@dataclass(frozen=True)
class RuleSpec:
    """One wording of a rule.

    `markets` is ("*",) for every market. `cap` counts detections per market and hour, None is no cap.
    `effective_from` and `expires_at` are aware or None; the rule judges nothing from `expires_at` on. `text`
    is the policy's wording as (language, words) pairs, "*" for one wording in no particular language.
    `share` is the part of the points a guild carries for a managed creator, 0 to 1.
    """

    code: str
    name: str
    risk: str
    violation_code: str
    severity: str
    on: tuple[str, ...]
    when: str
    measures: tuple[MeasureSpec, ...] = ()
    cooldown: timedelta = timedelta(0)
    effective_from: datetime | None = None
    review: Review = "human"
    cap: int | None = None
    ladder: str = ""
    markets: tuple[str, ...] = ("*",)
    charge: Charge | None = None
    share: float | None = None
    text: tuple[tuple[str, str], ...] = ()
    description: str = ""
    notice_days: int | None = None
    second_person: tuple[str, ...] = field(default=())
    expires_at: datetime | None = None

    @property
    def everywhere(self) -> bool:
        """True when the rule holds in every market, also those created later."""
        return "*" in self.markets

    def to_dict(self) -> dict[str, Any]:
        """Canonical JSON-able form: every field, always in this order; durations as `30d`, times as ISO
        8601.
        """
        return {
            "code": self.code,
            "name": self.name,
            "risk": self.risk,
            "violation": {"code": self.violation_code, "severity": self.severity},
            "on": list(self.on),
            "measures": [measure.to_dict() for measure in self.measures],
            "when": self.when,
            "cooldown": format_duration(self.cooldown),
            "effective_from": self.effective_from.isoformat() if self.effective_from else None,
            "expires": self.expires_at.isoformat() if self.expires_at else None,
            "review": self.review,
            "cap": self.cap,
            "ladder": self.ladder,
            "markets": list(self.markets),
            "charge": self.charge,
            "share": self.share,
            "text": dict(self.text),
            "description": self.description,
            "notice_days": self.notice_days,
            "second_person": list(self.second_person),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`; missing optional fields take their defaults."""
        moment = stored.get("effective_from")
        end = stored.get("expires")
        return cls(
            code=stored["code"],
            name=stored["name"],
            risk=stored["risk"],
            violation_code=stored["violation"]["code"],
            severity=stored["violation"]["severity"],
            on=tuple(stored["on"]),
            measures=tuple(MeasureSpec.from_dict(measure) for measure in stored.get("measures") or ()),
            when=stored["when"],
            cooldown=parse_duration(stored.get("cooldown", "0d")),
            effective_from=datetime.fromisoformat(moment) if moment else None,
            review=stored.get("review", "human"),
            cap=stored.get("cap"),
            ladder=stored.get("ladder", ""),
            markets=tuple(stored.get("markets") or ("*",)),
            charge=stored.get("charge"),
            share=stored.get("share"),
            text=tuple(sorted((stored.get("text") or {}).items())),
            description=stored.get("description", ""),
            notice_days=stored.get("notice_days"),
            second_person=tuple(stored.get("second_person") or ()),
            expires_at=datetime.fromisoformat(end) if end else None,
        )

    def digest(self) -> str:
        """SHA-256 (hex) of the canonical form: equal exactly when the wording is equal."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()
