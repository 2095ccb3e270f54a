"""The words of notices: files shipped with the code, replaced per language by `Template` rows where ops wrote their own."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from governance.notices.enums import NoticeKind
from governance.notices.models import Template
from guilds.errors import InvalidInput

FALLBACK_LANGUAGE = "en"
FOLDER = Path(__file__).parent / "templates"

#: What each kind of notice may speak of. A template naming anything else is refused when it is saved.
PLACEHOLDERS: dict[str, frozenset[str]] = {
    NoticeKind.PENALTY_IMPOSED: frozenset(
        "guild market rule rule_code rule_version clause violation_code occurred_at subject facts detected_by decided_by "
        "measures points score territory appeal_by appeal_url".split()
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


@dataclass(frozen=True)
class Text:
    """A subject line and a body with `{placeholders}`."""

    subject: str
    body: str

    def fill(self, values: Mapping[str, Any]) -> tuple[str, str]:
        return self.subject.format_map(values)[:200], self.body.format_map(values)


@cache
def shipped(kind: str, language: str) -> Text | None:
    """The wording in our own files: first line the subject, then a blank line, then the body."""
    path = FOLDER / language / f"{kind}.txt"
    if not path.is_file():
        return None
    subject, _, body = path.read_text(encoding="utf-8").partition("\n\n")
    return Text(subject.strip(), body.strip() + "\n")


class Wordings:
    """Every wording as it stands now: one query, then no more however many notices are written."""

    def __init__(self) -> None:
        self.written = {
            (template.kind, template.language): Text(template.subject, template.body)
            for template in Template.objects.all()
        }

    def find(self, kind: str, languages: list[str]) -> tuple[str, Text]:
        """The first of the languages that has a wording, else English, with the wording."""
        for language in [*languages, FALLBACK_LANGUAGE]:
            text = self.written.get((kind, language)) or shipped(kind, language)
            if text:
                return language, text
        raise InvalidInput(f"There is no wording for {kind} in any of {', '.join(languages)} nor in English.")


def check_wording(kind: str, subject: str, body: str) -> None:
    """Refuse wording with broken braces or unknown placeholders, naming each and listing the known ones."""
    known = PLACEHOLDERS[kind]
    faults: list[dict[str, Any]] = []
    for field, text in (("subject", subject), ("body", body)):
        try:
            names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
        except ValueError as error:
            faults.append(
                {"field": field, "message": f"Braces do not match: {error}. Write {{{{ for a brace."}
            )
            continue
        faults += [
            {
                "field": field,
                "message": f"Unknown placeholder {{{name}}}; known are {', '.join(sorted(known))}.",
            }
            for name in names
            if name not in known
        ]
    if faults:
        raise InvalidInput("The template has faults.", errors=faults)
