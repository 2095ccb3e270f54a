"""The statement of reasons: what a guild is told when a penalty is imposed, as fields and in words."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from governance.education.models import Lesson
from governance.education.selectors import in_language
from governance.notices.enums import NoticeKind
from governance.notices.models import Notice
from governance.notices.selectors import appeal_deadline, in_words
from governance.notices.services import notice_draft, portal_url
from governance.notices.wording import Wordings
from governance.penalties.kinds import KINDS
from governance.penalties.models import Penalty
from governance.penalties.training import until_trained
from governance.rules.enums import ReviewMode
from governance.violations.models import Violation
from guilds.models import Guild


@cache
def _described(language: str, kind: str, days: int | None, share: float | None, trained: bool) -> str:
    with translation.override(language):
        return KINDS[kind].describe({"days": days, "share": share, "until_trained": trained})


def described(language: str, params: Mapping[str, Any]) -> str:
    """A ladder step in words of a language."""
    return _described(
        language, params["kind"], params.get("days"), params.get("share"), until_trained(params)
    )


def measures_in_words(language: str, penalties: Sequence[Penalty], guild: Guild) -> str:
    """One line per penalty: what, from when, until when, in market time."""
    with translation.override(language):
        lines = []
        for penalty in penalties:
            line = f"- {described(language, penalty.params)}, " + _("from %s") % in_words(
                penalty.starts_at, guild.market
            )
            if penalty.ends_at:
                line += " " + _("until %s") % in_words(penalty.ends_at, guild.market)
            lines.append(line)
        return "\n".join(lines) or "- " + _("no measure beyond the points")


def facts_in_words(explanation: Mapping[str, Any]) -> str:
    """The values the rule looked at, one a line, from the stored explanation."""
    found: dict[str, Any] = dict(explanation.get("measures") or {})

    def walk(node: Any) -> None:
        if isinstance(node, Mapping):
            found.update(node.get("values") or {})
            for child in node.get("children") or []:
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(explanation.get("conditions"))
    return "\n".join(f"- {name} = {value}" for name, value in sorted(found.items()))


def clause(texts: Mapping[str, str], languages: Sequence[str]) -> str:
    """The policy wording in the first language there is, else English, else any."""
    for language in [*languages, "en"]:
        if texts.get(language):
            return texts[language]
    return next(iter(texts.values()), "")


def imposed_draft(
    *,
    guild: Guild,
    violation: Violation,
    penalties: Sequence[Penalty],
    points: int,
    score: int,
    wordings: Wordings,
    now: dt.datetime,
    amnesty: Lesson | None = None,
) -> Notice:
    """The statement of reasons for the penalties of one sanction, not yet saved.

    `amnesty` is the lesson for whose sake it is a warning alone, which the guild is told.
    """
    market, version = guild.market, violation.version
    language, _text = wordings.find(NoticeKind.PENALTY_IMPOSED, market.languages)
    appeal_by = appeal_deadline(now, market)
    automatic = violation.review == ReviewMode.AUTO
    with translation.override(language):
        detected = _("an automatic check of platform data")
        decided = (
            _("automatically, by the rule")
            if automatic
            else _("by a member of our staff, after looking at the evidence")
        )
        measures = measures_in_words(language, penalties, guild)
        if amnesty is not None:
            title = in_language(amnesty.title, language)[1]
            measures += "\n- " + _(
                "A warning alone and no points, because your guild had just done the lesson “%(lesson)s”. "
                "This happens once per rule."
            ) % {"lesson": title}
    wording = clause(version.text, market.languages)
    facts = facts_in_words(violation.explanation)
    subject = str(violation.creator) if violation.creator_id else str(guild)
    values = {
        "rule": version.name,
        "rule_code": violation.rule.code,
        "rule_version": version.number,
        "clause": wording,
        "violation_code": violation.code,
        "occurred_at": in_words(violation.occurred_at, market),
        "subject": subject,
        "facts": facts,
        "detected_by": detected,
        "decided_by": decided,
        "measures": measures,
        "points": points,
        "score": score,
        "territory": market.name,
        "appeal_by": in_words(appeal_by, market),
        "appeal_url": portal_url("penalties/"),
    }
    statement = {
        "violation": str(violation.public_id),
        "code": violation.code,
        "severity": violation.severity,
        "rule": violation.rule.code,
        "rule_version": version.number,
        "clause": wording,
        "occurred_at": violation.occurred_at.isoformat(),
        "facts": facts,
        "automated_detection": True,
        "automated_decision": automatic,
        "measures": [
            {
                "penalty": str(penalty.public_id),
                **penalty.params,
                "starts_at": penalty.starts_at.isoformat(),
                "ends_at": penalty.ends_at.isoformat() if penalty.ends_at else None,
            }
            for penalty in penalties
        ],
        "points": points,
        **({"amnesty": amnesty.code} if amnesty is not None else {}),
        "territory": market.code,
        "appeal_by": appeal_by.isoformat(),
    }
    return notice_draft(
        guild=guild,
        kind=NoticeKind.PENALTY_IMPOSED,
        object_type=Violation.ledger_type,
        object_id=str(violation.public_id),
        values=values,
        statement=statement,
        wordings=wordings,
        now=now,
        appealable=True,
    )
