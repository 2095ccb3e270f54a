"""The words of notices: files shipped with the code, replaced by `Template` rows where ops wrote their own.

Shipped files lie under `templates/<language>/` and, for a regime, under `templates/regimes/<its code>/<language>/`. What a
regime says goes before what is said everywhere, language by language in the guild's order; English comes last.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from governance.notices.enums import NoticeKind
from governance.notices.models import Template
from guilds.errors import InvalidInput
from guilds.models import Regime

FALLBACK_LANGUAGE = "en"
FOLDER = Path(__file__).parent / "templates"

#: What each kind of notice may speak of. A template naming anything else is refused when it is saved.
PLACEHOLDERS: dict[str, frozenset[str]] = {
    NoticeKind.PENALTY_IMPOSED: frozenset(
        "guild market rule rule_code rule_version clause violation_code occurred_at subject facts detected_by automation "
        "decided_by measures pending points score territory appeal_by appeal_url redress".split()
    ),
    NoticeKind.PENALTY_CHANGED: frozenset(
        "guild market rule reason measures score appeal_by appeal_url".split()
    ),
    NoticeKind.PENALTY_REVERSED: frozenset(
        "guild market rule violation_code reason measures points score".split()
    ),
    NoticeKind.APPEAL_RECEIVED: frozenset("guild market measure filed_at decide_by appeal_url".split()),
    NoticeKind.APPEAL_DECIDED: frozenset("guild market measure outcome answer decided_at appeal_url".split()),
    NoticeKind.FEEDBACK_ANSWERED: frozenset("guild market sent_at quote answer feedback_url".split()),
    NoticeKind.RULE_CHANGE: frozenset(
        "guild market rule rule_code rule_version clause costs starts_at lessons change_url".split()
    ),
    NoticeKind.RULE_CHANGE_WITHDRAWN: frozenset(
        "guild market rule rule_code rule_version taken_back_at reason change_url".split()
    ),
    NoticeKind.LESSON_ASSIGNED: frozenset("guild market lesson why due_at lesson_url".split()),
    NoticeKind.LESSON_REMINDER: frozenset("guild market lesson why due_at lesson_url".split()),
}

#: What the body of each kind must say, or the guild is not told what the law and the Santa Clara Principles promise it.
REQUIRED: dict[str, frozenset[str]] = {
    NoticeKind.PENALTY_IMPOSED: frozenset(
        "rule_version clause facts detected_by automation decided_by measures pending territory appeal_by appeal_url "
        "redress".split()
    ),
    NoticeKind.PENALTY_CHANGED: frozenset("reason measures appeal_by appeal_url".split()),
    NoticeKind.PENALTY_REVERSED: frozenset("reason measures points".split()),
    NoticeKind.APPEAL_RECEIVED: frozenset("decide_by appeal_url".split()),
    NoticeKind.APPEAL_DECIDED: frozenset("outcome answer".split()),
    NoticeKind.FEEDBACK_ANSWERED: frozenset(["answer"]),
    NoticeKind.RULE_CHANGE: frozenset("rule clause costs starts_at".split()),
    NoticeKind.RULE_CHANGE_WITHDRAWN: frozenset("rule taken_back_at reason".split()),
    NoticeKind.LESSON_ASSIGNED: frozenset("lesson lesson_url".split()),
    NoticeKind.LESSON_REMINDER: frozenset("lesson due_at lesson_url".split()),
}


@dataclass(frozen=True)
class Text:
    """A subject line and a body with `{placeholders}`."""

    subject: str
    body: str

    def fill(self, values: Mapping[str, Any]) -> tuple[str, str]:
        """Subject, on one line of at most 200 characters, and body."""
        subject = " ".join(self.subject.format_map(values).split())
        return subject[:200], self.body.format_map(values)


class Origin(Enum):
    """Whose wording it is, the first found going before the others within a language."""

    REGIME_WRITTEN = "regime_written"
    REGIME_SHIPPED = "regime_shipped"
    WRITTEN = "written"
    SHIPPED = "shipped"


def shipped_path(kind: str, language: str, regime_code: str = "") -> Path:
    folder = FOLDER / "regimes" / regime_code if regime_code else FOLDER
    return folder / language / f"{kind}.txt"


@cache
def shipped(kind: str, language: str, regime_code: str = "") -> Text | None:
    """The wording in our own files: first line the subject, then a blank line, then the body."""
    path = shipped_path(kind, language, regime_code)
    if not path.is_file():
        return None
    subject, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    return Text(subject.strip(), body.strip() + "\n")


@cache
def redress(language: str, regime_code: str = "") -> tuple[str, str]:
    """(language, text): what a guild can do beyond its appeal, by its regime, in its language where we have it, else English."""
    for code in dict.fromkeys([regime_code, ""]):
        for tag in dict.fromkeys([*tags([language]), FALLBACK_LANGUAGE]):
            path = shipped_path("redress", tag, code)
            if path.is_file():
                return tag, path.read_text(encoding="utf-8").strip()
    raise LookupError("templates/en/redress.txt is missing")


def tags(languages: Iterable[str]) -> Iterator[str]:
    """Each language, and after it the one without its region: pt-BR, pt."""
    for language in languages:
        yield language
        if "-" in language:
            yield language.partition("-")[0]


class Wordings:
    """Every wording as it stands now: read once, then no more however many notices are written."""

    def __init__(self) -> None:
        self.written: dict[tuple[str, str, int | None], Text] = {
            (kind, language, regime_id): Text(subject, body)
            for kind, language, regime_id, subject, body in Template.objects.values_list(
                "kind", "language", "regime_id", "subject", "body"
            )
        }
        self.regime_codes: dict[int, str] | None = None

    def code_of(self, regime_id: int | None) -> str:
        if regime_id is None:
            return ""
        if self.regime_codes is None:
            self.regime_codes = dict(Regime.objects.values_list("pk", "code"))
        return self.regime_codes.get(regime_id, "")

    def find(self, kind: str, languages: Sequence[str], regime_id: int | None = None) -> tuple[str, Text]:
        """The first of the languages that has a wording, the regime's before the general one, else English; with the wording."""
        for language in dict.fromkeys([*tags(languages), FALLBACK_LANGUAGE]):
            found = self.at(kind, language, regime_id)
            if found:
                return language, found[1]
        raise InvalidInput(f"There is no wording for {kind} in any of {', '.join(languages)} nor in English.")

    def at(self, kind: str, language: str, regime_id: int | None = None) -> tuple[Origin, Text] | None:
        """The wording used for exactly this language and regime, and whose it is."""
        places: list[tuple[Origin, Text | None]] = []
        if regime_id is not None:
            places += [
                (Origin.REGIME_WRITTEN, self.written.get((kind, language, regime_id))),
                (Origin.REGIME_SHIPPED, shipped(kind, language, self.code_of(regime_id))),
            ]
        places += [
            (Origin.WRITTEN, self.written.get((kind, language, None))),
            (Origin.SHIPPED, shipped(kind, language)),
        ]
        return next(((origin, text) for origin, text in places if text), None)


# --- checking ---------------------------------------------------------------------------------------------------------
def parts(text: str) -> list[tuple[str, str | None]]:
    """(what stands there, the placeholder after it or None) in order. Raises ValueError for braces that do not match."""
    return [(literal, name) for literal, name, _spec, _conversion in string.Formatter().parse(text)]


def check_wording(kind: str, subject: str, body: str) -> None:
    """Refuse wording with broken braces, unknown placeholders or without what it must say, naming each."""
    known = PLACEHOLDERS[kind]
    faults: list[dict[str, Any]] = []
    used: set[str] = set()
    for field, text in (("subject", subject), ("body", body)):
        if not text.strip():
            faults.append({"field": field, "message": "Is empty."})
            continue
        try:
            found = list(string.Formatter().parse(text))
        except ValueError as error:
            faults.append(
                {"field": field, "message": f"Braces do not match: {error}. Write {{{{ for a brace."}
            )
            continue
        names = [name for _literal, name, _spec, _conversion in found if name is not None]
        faults += [
            {
                "field": field,
                "message": f"Unknown placeholder {{{name}}}; known are {', '.join(sorted(known))}.",
            }
            for name in dict.fromkeys(names)
            if name not in known
        ]
        if any(spec or conversion for _literal, _name, spec, conversion in found):
            faults.append({"field": field, "message": "A placeholder is a name in braces and nothing more."})
        if field == "body":
            used = set(names)
            missing = sorted(REQUIRED[kind] - used)
            if missing:
                said = ", ".join(f"{{{name}}}" for name in missing)
                faults.append({"field": field, "message": f"The guild must also be told: {said}."})
    if "\n" in subject.strip():
        faults.append({"field": "subject", "message": "The subject is one line."})
    if faults:
        raise InvalidInput("The template has faults.", errors=faults)


def read_back(text: Text, subject: str, body: str) -> dict[str, str] | None:
    """The values a notice was filled with, found by laying the wording over it; None when it was not made of this wording.

    From left to right, each value as short as it can be; what comes out fills the wording to the same notice again.
    """
    values: dict[str, str] = {}
    for pattern, filled in ((text.subject, subject), (text.body, body)):
        pieces, place = parts(pattern), 0
        for index, (literal, name) in enumerate(pieces):
            if not filled.startswith(literal, place):
                return None
            place += len(literal)
            if name is None:
                continue
            after = pieces[index + 1][0] if index + 1 < len(pieces) else ""
            end = filled.find(after, place) if after else len(filled)
            if end < 0:
                return None
            values.setdefault(name, filled[place:end])
            place += len(filled[place:end])
    return values if text.fill(values) == (subject, body) else None
