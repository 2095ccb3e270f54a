"""The statement of reasons: what a guild is told when a penalty is imposed, as fields and in words.

As fields (`Notice.statement`), all times ISO 8601 in UTC:

    violation, code, severity, occurred_at        which breach, of whom (`subject`) and when
    rule, rule_name, rule_version, clause         the ground: the rule's code, name, number, and its text as the guild reads it
    facts                                         the values the rule looked at, one a line
    source_type, source_types                     automatic_check | integration | user_report | audit; what opened the case first
    automated_detection                           true | false
    automated_decision                            fully | partially | not_automated
    measures                                      a list of {penalty, kind, days?, share?, until_trained?, immediate_ground?,
                                                  starts_at, ends_at, pending, stops: [correction | appeal], words}
    points, score, amnesty?                       what was charged, and what is left of 100
    territory, territory_name                     the market
    appeal_by, appeal_by_local, timezone          the deadline, as a moment and as the guild reads it
    redress                                       what the guild can do beyond its appeal, by its regime
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _

from governance.education.models import Lesson
from governance.education.selectors import in_language
from governance.notices.enums import ImmediateGround, NoticeKind
from governance.notices.models import Notice
from governance.notices.periods import GROUND_KEY
from governance.notices.selectors import appeal_deadline, in_words
from governance.notices.services import notice_draft, portal_url
from governance.notices.wording import Wordings, redress
from governance.penalties.kinds import KINDS
from governance.penalties.ladders import APPEAL, CORRECTION, stopped_by
from governance.penalties.models import Penalty
from governance.penalties.origins import Origin, automated_decision, origins_of
from governance.penalties.training import until_trained
from governance.violations.models import Violation
from guilds.models import Guild, Market


@cache
def _described(language: str, kind: str, days: int | None, share: float | None, trained: bool) -> str:
    with translation.override(language):
        return KINDS[kind].describe({"days": days, "share": share, "until_trained": trained})


def described(language: str, params: Mapping[str, Any]) -> str:
    """A ladder step in words of a language."""
    return _described(
        language, params["kind"], params.get("days"), params.get("share"), until_trained(params)
    )


def measure_in_words(language: str, penalty: Penalty, market: Market) -> str:
    """One penalty: what, from when, until when, in market time, and on what ground where it begins without notice."""
    with translation.override(language):
        line = f"{described(language, penalty.params)}, " + _("from %s") % in_words(penalty.starts_at, market)
        if penalty.ends_at:
            line += " " + _("until %s") % in_words(penalty.ends_at, market)
        elif not until_trained(penalty.params):
            line += ", " + _("with no end date")
        if ground := penalty.params.get(GROUND_KEY):
            line += ". " + _("It takes effect without notice because of %s") % ImmediateGround(ground).label
        return line


def measures_in_words(language: str, penalties: Sequence[Penalty], guild: Guild) -> str:
    """One line per penalty."""
    lines = [f"- {measure_in_words(language, penalty, guild.market)}" for penalty in penalties]
    with translation.override(language):
        return "\n".join(lines) or "- " + _("no measure beyond the points")


def pending_in_words(language: str, penalties: Sequence[Penalty], market: Market, now: dt.datetime) -> str:
    """What has not begun yet and what keeps it from beginning, one line each; else that all of it begins as told."""
    lines = []
    with translation.override(language):
        for penalty in penalties:
            if penalty.starts_at <= now:
                continue
            asked = {
                "measure": described(language, penalty.params),
                "when": in_words(penalty.starts_at, market),
            }
            if stopped_by(penalty.params, CORRECTION):
                lines.append(
                    _("%(measure)s does not begin if you put right what is wrong and tell us so by %(when)s.")
                    % asked
                )
            if stopped_by(penalty.params, APPEAL):
                lines.append(
                    _("%(measure)s does not begin while an appeal filed before %(when)s is open.") % asked
                )
        return "\n".join(lines) or _("These measures begin and end at the times given.")


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
    origin: Origin | None = None,
) -> Notice:
    """The statement of reasons for the penalties of one sanction, not yet saved.

    `amnesty` is the lesson for whose sake it is a warning alone, which the guild is told. Batches give the `origin`, which
    otherwise costs a query.
    """
    market, version = guild.market, violation.version
    language, _text = wordings.find(NoticeKind.PENALTY_IMPOSED, market.languages, market.regime_id)
    origin = origin or origins_of([violation])[violation.pk]
    decision = automated_decision(violation, penalties)
    appeal_by = appeal_deadline(now, market)
    _language, remedies = redress(language, market.regime.code)
    with translation.override(language):
        detected = _(" and ").join(str(source.label) for source in origin.sources or [origin.source_type])
        automation = (
            _("the breach was found by automated means")
            if origin.automated_detection
            else _("the breach was not found by automated means")
        )
        decided = str(decision.label)
        measures = measures_in_words(language, penalties, guild)
        if amnesty is not None:
            title = in_language(amnesty.title, language)[1]
            measures += "\n- " + _(
                "A warning alone and no points, because your guild had just done the lesson “%(lesson)s”. "
                "This happens once per rule."
            ) % {"lesson": title}
    told = {
        "rule_version": version.number,
        "clause": clause(version.text, market.languages),
        "facts": facts_in_words(violation.explanation),
        "points": points,
        "score": score,
        "subject": str(violation.creator) if violation.creator_id else str(guild),
        "redress": remedies,
    }
    values = told | {
        "rule": version.name,
        "rule_code": violation.rule.code,
        "violation_code": violation.code,
        "occurred_at": in_words(violation.occurred_at, market),
        "detected_by": detected,
        "automation": automation,
        "decided_by": decided,
        "measures": measures,
        "pending": pending_in_words(language, penalties, market, now),
        "territory": market.name,
        "appeal_by": in_words(appeal_by, market),
        "appeal_url": portal_url("penalties/"),
    }
    statement = told | {
        "violation": str(violation.public_id),
        "code": violation.code,
        "severity": violation.severity,
        "rule": violation.rule.code,
        "rule_name": version.name,
        "occurred_at": violation.occurred_at.isoformat(),
        "source_type": origin.source_type.value,
        "source_types": [source.value for source in origin.sources],
        "automated_detection": origin.automated_detection,
        "automated_decision": decision.value,
        "measures": [
            {
                **penalty.params,
                "penalty": str(penalty.public_id),
                "starts_at": penalty.starts_at.isoformat(),
                "ends_at": penalty.ends_at.isoformat() if penalty.ends_at else None,
                "pending": penalty.starts_at > now,
                "stops": list(penalty.params.get("stops") or []),
                "words": measure_in_words(language, penalty, market),
            }
            for penalty in penalties
        ],
        **({"amnesty": amnesty.code} if amnesty is not None else {}),
        "territory": market.code,
        "territory_name": market.name,
        "appeal_by": appeal_by.isoformat(),
        "appeal_by_local": in_words(appeal_by, market),
        "timezone": market.timezone,
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
