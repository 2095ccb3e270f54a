"""The workbench's form as it is sent: the wording in the form of RuleSpec.to_dict, with trees for conditions built by clicks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from governance.engine import MeasureSpec, RuleError, RuleSpec, parse_duration
from governance.engine.builder import from_builder
from governance.workbench.wording import MOST_MEASURES, unfit

LONGEST_SOURCE = 20_000
MOST = 200  # of any list

Read = TypeVar("Read")


@dataclass(frozen=True)
class Problem:
    """Something to put right. `where` is a field of the rule; `position` and `end` (0-based) and `line` (from 1) a place in its
    source; `place` one in the builder's tree, such as items[1].value."""

    where: str
    message: str
    cure: str = ""
    position: int | None = None
    end: int | None = None
    line: int | None = None
    place: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "where": self.where,
            "message": self.message,
            "cure": self.cure,
            "position": self.position,
            "end": self.end,
            "line": self.line,
            "place": self.place,
        }


class FaultyError(ValueError):
    """A value of the form that is not what its field takes."""


@dataclass
class Form:
    """What was read: a wording, and what could not be read, for which the stored wording stands in."""

    spec: RuleSpec
    problems: list[Problem] = field(default_factory=list)


def read_form(raw: Any, stored: RuleSpec, trees: Any = None) -> Form:
    """The wording sent, whatever was sent: a field that makes no sense keeps its stored value and becomes a problem."""
    sent = raw if isinstance(raw, Mapping) else {}
    reading = _Reading(sent, trees if isinstance(trees, Mapping) else {})
    take = reading.take
    violation = sent.get("violation")
    inner = _Reading(violation if isinstance(violation, Mapping) else {}, {}, reading.problems)
    # Whether a word is one of the few allowed is asked of the whole wording, not of its form.
    review: Any = take("review", text, str(stored.review))
    charge: Any = take("charge", text, str(stored.charge or ""))
    spec = replace(
        stored,
        name=take("name", text, stored.name),
        description=take("description", text, stored.description),
        violation_code=inner.take("code", text, stored.violation_code, "violation_code").strip(),
        severity=inner.take("severity", text, stored.severity),
        on=take("on", texts, stored.on),
        measures=reading.measures(stored),
        when=reading.source("when", "when", stored.when),
        cooldown=take("cooldown", duration, stored.cooldown),
        expires_at=take("expires", moment, stored.expires_at),
        effective_from=take("effective_from", moment, stored.effective_from),
        review=review,
        cap=take("cap", whole, stored.cap),
        ladder=take("ladder", text, stored.ladder),
        markets=take("markets", texts, stored.markets),
        charge=charge or None,
        share=take("share", number, stored.share),
        text=take("text", wordings, stored.text),
        notice_days=take("notice_days", whole, stored.notice_days),
        second_person=take("second_person", texts, stored.second_person),
    )
    return Form(spec, reading.problems)


class _Reading:
    def __init__(
        self, sent: Mapping[str, Any], trees: Mapping[str, Any], problems: list[Problem] | None = None
    ) -> None:
        self.sent = sent
        self.trees = trees
        self.problems: list[Problem] = [] if problems is None else problems

    def take(self, name: str, read: Callable[[Any], Read], stored: Read, where: str = "") -> Read:
        if name not in self.sent:
            return stored
        try:
            return read(self.sent[name])
        except FaultyError as error:
            self.problems.append(Problem(where or name, str(error)))
            return stored

    def source(self, name: str, where: str, stored: str) -> str:
        """A condition: written by the builder where its tree was sent, else as typed."""
        typed = self.take(name, source, stored, where)
        if where not in self.trees:
            return typed
        tree = self.trees[where]
        try:
            return from_builder(tree if isinstance(tree, Mapping) else {})
        except RuleError as error:
            self.problems.append(problem_of(error, where=where, place=error.where))
        except RecursionError:
            self.problems.append(Problem(where, _("This is nested too deeply.")))
        return typed

    def measures(self, stored: RuleSpec) -> tuple[MeasureSpec, ...]:
        if "measures" not in self.sent:
            return stored.measures
        rows = self.sent["measures"]
        if not isinstance(rows, list) or len(rows) > MOST_MEASURES:
            self.problems.append(Problem("measures", _("At most 20 measures.")))
            return stored.measures
        return tuple(self.measure(row, f"measures[{index}]") for index, row in enumerate(rows))

    def measure(self, row: Any, where: str) -> MeasureSpec:
        inner = _Reading(row if isinstance(row, Mapping) else {}, self.trees, self.problems)
        usual = MeasureSpec(name="")
        per: Any = inner.take("per", text, str(usual.per), f"{where}.per")
        return MeasureSpec(
            name=inner.take("name", text, "", f"{where}.name").strip(),
            types=inner.take("types", texts, (), f"{where}.types"),
            where=inner.source("where", f"{where}.where", "").strip() or None,
            window=inner.take("window", duration, usual.window, f"{where}.window"),
            per=per,
            aggregate=inner.take("aggregate", text, usual.aggregate, f"{where}.aggregate").strip(),
        )


# --- values -----------------------------------------------------------------------------------------------------------
def text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise FaultyError(_("A text is expected."))
    return _storable(value)


def _storable(value: str) -> str:
    if unfit(value):
        raise FaultyError(_("It holds a character that cannot be stored: U+0000 or half a character."))
    return value


def source(value: Any) -> str:
    written = text(value)
    if len(written) > LONGEST_SOURCE:
        raise FaultyError(_("At most %(count)s characters.") % {"count": LONGEST_SOURCE})
    return written


def texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST or not all(isinstance(item, str) for item in value):
        raise FaultyError(_("A list of texts is expected."))
    return tuple(dict.fromkeys(_storable(item.strip()) for item in value if item.strip()))


def wordings(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping) or len(value) > MOST:
        raise FaultyError(_("Texts by language are expected."))
    if not all(isinstance(words, str) for words in value.values()):
        raise FaultyError(_("A text is expected."))
    return tuple(sorted((_storable(str(language)), _storable(words)) for language, words in value.items()))


def whole(value: Any) -> int | None:
    if value in (None, ""):
        return None
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 10:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 10**9:
        raise FaultyError(_("A whole number is expected, or nothing."))
    return value


def number(value: Any) -> float | None:
    if value in (None, ""):
        return None
    try:
        found = float(value) if isinstance(value, str | int | float) else None
    except (ValueError, OverflowError):
        found = None
    if found is None or isinstance(value, bool) or not abs(found) < 1e9:
        raise FaultyError(_("A number is expected, or nothing."))
    return found


def duration(value: Any) -> dt.timedelta:
    try:
        return parse_duration(text(value).strip() or "0d")
    except (ValueError, OverflowError):
        raise FaultyError(_("Write a whole number and d, h or m, such as 30d, 12h or 15m.")) from None


def moment(value: Any) -> dt.datetime | None:
    """An aware moment, or a date, which is its midnight in UTC."""
    written = text(value).strip()
    if not written:
        return None
    try:
        found = dt.datetime.fromisoformat(written)
    except ValueError:
        raise FaultyError(_("Write a date such as 2027-01-31.")) from None
    if not 1970 <= found.year <= 9000:
        raise FaultyError(_("Write a date such as 2027-01-31."))
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


# --- problems ---------------------------------------------------------------------------------------------------------
def problem_of(error: RuleError, *, where: str = "", written: str = "", place: str | None = None) -> Problem:
    """A fault of the rule language with its cure apart, and how far in the source it reaches."""
    message, _semicolon, cure = error.message.partition("; ")
    if not cure and ": " in error.message:
        message, _colon, cure = error.message.partition(": ")
    end = None
    if error.position is not None:
        end = _end_of_word(written, error.position) if written else error.position + 1
    return Problem(where or error.where, message, cure, error.position, end, error.line, place)


def _end_of_word(written: str, start: int) -> int:
    end = start
    while end < len(written) and (written[end].isalnum() or written[end] in "_."):
        end += 1
    return max(end, start + 1)
