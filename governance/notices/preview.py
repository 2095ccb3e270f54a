"""A wording as a guild would read it: with the values of a notice that was really sent, and examples where it has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from governance.notices.models import Notice
from governance.notices.selectors import notices_visible_to
from governance.notices.wording import PLACEHOLDERS, Text, Wordings, check_wording, read_back
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput

#: How many notices are looked at for one that was made of a wording still in use.
LOOKED_AT = 10

EXAMPLES: Mapping[str, str] = {
    "answer": "Thank you. We have changed the rule as you proposed.",
    "appeal_by": "2026-12-07 23:59 (Europe/Berlin)",
    "appeal_url": "https://guildhall.test/portal/penalties/",
    "automation": "the breach was found by automated means",
    "change_url": "https://guildhall.test/portal/changes/",
    "clause": "Whoever streams for a guild does so in person.",
    "costs": "- first time: Warning, 5 points",
    "decide_by": "2026-12-07 23:59 (Europe/Berlin)",
    "decided_at": "2026-12-01 10:00 (Europe/Berlin)",
    "decided_by": "by a member of our staff, after looking at the evidence; the rule sets the measure",
    "detected_by": "an automatic check of platform data",
    "due_at": "2026-12-07 23:59 (Europe/Berlin)",
    "facts": "- idle_hours_30d = 14",
    "feedback_url": "https://guildhall.test/portal/feedback/",
    "filed_at": "2026-11-22 10:00 (Europe/Berlin)",
    "guild": "Aurora Talent",
    "lesson": "Live means live",
    "lesson_url": "https://guildhall.test/portal/lessons/live/",
    "lessons": "Make sure that everybody who streams for you knows it.",
    "market": "Germany",
    "measure": "Recruitment freeze for 7 days",
    "measures": "- Recruitment freeze for 7 days, from 2026-11-22 10:00 (Europe/Berlin) until 2026-11-29 10:00 (Europe/Berlin)",
    "occurred_at": "2026-11-20 21:14 (Europe/Berlin)",
    "outcome": "Reduced",
    "pending": "These measures begin and end at the times given.",
    "points": "10",
    "quote": "The rule on gifts is hard to follow.",
    "reason": "The recording shows somebody else.",
    "redress": "You keep every right that the law of your market gives you.",
    "rule": "Live means live",
    "rule_code": "DAT-02",
    "rule_version": "3",
    "score": "90",
    "sent_at": "2026-11-20 09:00 (Europe/Berlin)",
    "starts_at": "2026-12-15 00:00 (Europe/Berlin)",
    "subject": "creator-1042",
    "taken_back_at": "2026-12-01 10:00 (Europe/Berlin)",
    "territory": "Germany",
    "violation_code": "DAT-02",
    "why": "a rule changes on 2026-12-15",
}


@dataclass(frozen=True)
class Preview:
    """`notice` is the one whose values were taken, None when they are all examples."""

    subject: str
    body: str
    notice: Notice | None
    faults: list[dict[str, Any]]


def preview(actor: Actor, kind: str, text: Text) -> Preview:
    """What a guild would read, with every fault that would keep the wording from being saved."""
    try:
        check_wording(kind, text.subject, text.body)
        faults: list[dict[str, Any]] = []
    except InvalidInput as error:
        faults = error.errors
    notice, values = real_values(actor, kind)
    try:
        subject, body = text.fill(_Shown({**EXAMPLES, **values}, PLACEHOLDERS[kind]))
    except (ValueError, KeyError, IndexError, AttributeError):
        return Preview("", "", notice, faults)
    return Preview(subject, body, notice, faults)


class _Shown(dict[str, str]):
    """Values by placeholder; one that does not exist is shown as it was written."""

    def __init__(self, values: Mapping[str, str], known: frozenset[str]) -> None:
        super().__init__({name: value for name, value in values.items() if name in known})

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def real_values(actor: Actor, kind: str) -> tuple[Notice | None, dict[str, str]]:
    """The newest notice of the kind in the actor's markets that was made of a wording still in use, and what filled it."""
    wordings = Wordings()
    recent = notices_visible_to(actor).filter(kind=kind).order_by("-pk")[:LOOKED_AT]
    for notice in recent:
        found = wordings.at(kind, notice.language, notice.guild.market.regime_id)
        values = read_back(found[1], notice.subject, notice.body) if found else None
        if values is not None:
            return notice, values
    return None, {}
