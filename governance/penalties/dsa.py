"""Statements of reasons for the DSA Transparency Database, made from the notices of penalties. Reads only.

One statement for each decision, that is for each notice of a sanction: the measures it tells of are combined. Nothing of a
person goes out (DSA art. 24(5)): no name or id of a guild or creator, and of the facts only what is a number, a yes or a no.
Which measure becomes which field is our reading, told in docs/reports.md.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet
from django.utils import translation

from governance.notices import dsa_terms as terms
from governance.notices.dsa_schema import BATCH, Errors, errors_of
from governance.notices.enums import AutomatedDecision, NoticeKind, SourceType
from governance.notices.models import Notice
from governance.penalties.enums import PenaltyKind as K
from governance.penalties.enums import PenaltyStatus
from governance.penalties.kinds import KINDS
from guilds.models import Market

#: Fields by kind. Warnings, interviews, training, public notices and the creators' right to leave restrict nothing in the sense
#: of DSA art. 17(1)(a) to (d).
MONETARY: Mapping[str, str] = {
    K.REWARD_FORFEITURE: "DECISION_MONETARY_TERMINATION",
    K.SETTLEMENT_HOLD: "DECISION_MONETARY_SUSPENSION",
    K.INCOME_DEDUCTION: terms.MONETARY_OTHER,
}
PROVISION: Mapping[str, str] = {
    K.RECRUITMENT_FREEZE: "DECISION_PROVISION_PARTIAL_SUSPENSION",
    K.REWARD_FREEZE: "DECISION_PROVISION_PARTIAL_SUSPENSION",
    K.TRAFFIC_LIMIT: "DECISION_PROVISION_PARTIAL_SUSPENSION",
    K.BACKSTAGE_REMOVAL: "DECISION_PROVISION_PARTIAL_SUSPENSION",
    K.TIER_REMOVAL: "DECISION_PROVISION_PARTIAL_SUSPENSION",
    K.SUSPENSION: "DECISION_PROVISION_TOTAL_SUSPENSION",
    K.CLEAR_OUT: "DECISION_PROVISION_TOTAL_TERMINATION",
}
ACCOUNT: Mapping[str, str] = {
    K.SUSPENSION: "DECISION_ACCOUNT_SUSPENDED",
    K.CLEAR_OUT: "DECISION_ACCOUNT_TERMINATED",
}
#: (field, its end date, values by kind, values from the harshest): of several the harshest is told.
DECISIONS = (
    (
        "decision_monetary",
        "end_date_monetary_restriction",
        MONETARY,
        ("DECISION_MONETARY_TERMINATION", "DECISION_MONETARY_SUSPENSION", terms.MONETARY_OTHER),
    ),
    (
        "decision_provision",
        "end_date_service_restriction",
        PROVISION,
        (
            "DECISION_PROVISION_TOTAL_TERMINATION",
            "DECISION_PROVISION_TOTAL_SUSPENSION",
            "DECISION_PROVISION_PARTIAL_SUSPENSION",
        ),
    ),
    (
        "decision_account",
        "end_date_account_restriction",
        ACCOUNT,
        ("DECISION_ACCOUNT_TERMINATED", "DECISION_ACCOUNT_SUSPENDED"),
    ),
)

OTHER_VIOLATION = "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"
SCAMS = "STATEMENT_CATEGORY_SCAMS_AND_FRAUD"
#: Category and keyword by violation code of the default policy; every other code breaches our terms and nothing more.
CATEGORIES: Mapping[str, tuple[str, str]] = {
    "MIN-01": ("STATEMENT_CATEGORY_PROTECTION_OF_MINORS", "KEYWORD_AGE_SPECIFIC_RESTRICTIONS_MINORS"),
    "SEX-01": (OTHER_VIOLATION, "KEYWORD_ADULT_SEXUAL_MATERIAL"),
    "FRD-01": (SCAMS, ""),
    "AML-01": (SCAMS, ""),
    "GFT-01": (SCAMS, "KEYWORD_INAUTHENTIC_ACCOUNTS"),
    "GFT-02": ("STATEMENT_CATEGORY_CONSUMER_INFORMATION", ""),
    "DAT-01": (SCAMS, "KEYWORD_INAUTHENTIC_ACCOUNTS"),
    "INC-01": (SCAMS, "KEYWORD_INAUTHENTIC_ACCOUNTS"),
    "REC-01": (SCAMS, ""),
    "REC-02": (SCAMS, "KEYWORD_IMPERSONATION_ACCOUNT_HIJACKING"),
    "ACC-01": (SCAMS, "KEYWORD_INAUTHENTIC_ACCOUNTS"),
    "BCK-01": ("STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS", ""),
    "HAR-01": ("STATEMENT_CATEGORY_CYBER_VIOLENCE", "KEYWORD_CYBER_HARASSMENT"),
}
SOURCES: Mapping[str, str] = {
    SourceType.AUTOMATIC_CHECK: terms.SOURCE_VOLUNTARY,
    SourceType.INTEGRATION: terms.SOURCE_VOLUNTARY,
    SourceType.AUDIT: terms.SOURCE_VOLUNTARY,
    SourceType.USER_REPORT: terms.SOURCE_OTHER_NOTIFICATION,
}
AUTOMATION: Mapping[Any, str] = {
    AutomatedDecision.FULLY: "AUTOMATED_DECISION_FULLY",
    AutomatedDecision.PARTIALLY: "AUTOMATED_DECISION_PARTIALLY",
    AutomatedDecision.NOT_AUTOMATED: "AUTOMATED_DECISION_NOT_AUTOMATED",
    # Notices from before the three were told apart.
    True: "AUTOMATED_DECISION_FULLY",
    False: "AUTOMATED_DECISION_NOT_AUTOMATED",
}
CONDUCT = "guild account conduct"
FACT = re.compile(r"^- (?P<name>[\w.]+) = (?P<value>-?\d+(?:\.\d+)?|[Tt]rue|[Ff]alse)$")
#: A fact of this name may be somebody's number.
PERSONAL = re.compile(r"(^|[._])(id|ids|guild|creator|user|payer|handler|name|phone|account)$")
#: No shorter text is looked for as a name: it would be found in every word.
SHORTEST_NAME = 3


@dataclass(frozen=True)
class Record:
    """What becomes of one notice: a statement with its faults, or (None) why there is none."""

    notice_id: str
    statement: dict[str, Any] | None = None
    errors: Errors = field(default_factory=dict)
    why_not: str = ""


def sanctions_told(
    since: dt.datetime, until: dt.datetime, *, market_ids: Iterable[int] | None = None
) -> QuerySet[Notice]:
    """Notices of sanctions issued with since ≤ t < until, oldest first, in some markets or (None) in all."""
    found = Notice.objects.filter(
        kind=NoticeKind.PENALTY_IMPOSED, issued_at__gte=since, issued_at__lt=until
    ).select_related("guild__market")
    if market_ids is not None:
        found = found.filter(guild__market_id__in=list(market_ids))
    return found.order_by("issued_at", "pk")


def records(notices: QuerySet[Notice], *, chunk: int = 500) -> Iterator[Record]:
    """The records of notices, read by cursor: a handful of queries for each chunk."""
    asked = notices.prefetch_related("penalties__violation__creator")
    for notice in asked.iterator(chunk_size=chunk):
        yield record_of(notice)


def record_of(notice: Notice) -> Record:
    """One notice as a checked record. Its penalties, their violations and creators are read off it."""
    market = notice.guild.market
    name = str(notice.public_id)
    territory = territory_of(market)
    if not territory:
        return Record(name, why_not="outside the European Economic Area")
    cancelled = {
        str(penalty.public_id)
        for penalty in notice.penalties.all()
        if penalty.status == PenaltyStatus.CANCELLED
    }
    told = notice.statement.get("measures") or []
    measures = [measure for measure in told if measure.get("penalty") not in cancelled]
    restricting = [measure for measure in measures if restricts(measure["kind"])]
    if not restricting:
        lost = any(restricts(measure["kind"]) for measure in told)
        return Record(name, why_not="cancelled before it began" if lost else "restricts nothing")
    statement = _statement(notice, market, territory, measures, restricting)
    return Record(name, statement, errors_of(statement))


def batches(statements: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The bodies of calls to the batch interface, as JSON, of at most 100 statements each."""
    waiting = iter(statements)
    while batch := list(islice(waiting, BATCH)):
        yield json.dumps({"statements": batch}, ensure_ascii=False, indent=1) + "\n"


def restricts(kind: str) -> bool:
    return kind in MONETARY or kind in PROVISION or kind in ACCOUNT


def territory_of(market: Market) -> list[str]:
    """The countries of the EEA in a market: what the settings say, else the country its code begins with; often none."""
    for line in settings.DSA_TERRITORIES:
        code, _, countries = line.partition("=")
        if code == market.code:
            return sorted(set(countries.split("+")) & terms.EEA)
    country = market.code.upper().partition("-")[0]
    country = {"EL": "GR"}.get(country, country)
    return [country] if country in terms.EEA else []


def _statement(
    notice: Notice,
    market: Market,
    territory: list[str],
    measures: Sequence[Mapping[str, Any]],
    restricting: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    told = notice.statement
    zone = ZoneInfo(market.timezone)
    category, keyword = CATEGORIES.get(told.get("code", ""), (OTHER_VIOLATION, ""))
    names = _names(notice)
    rule = f"{told.get('rule_name') or told.get('rule', '')} ({told.get('rule')}, version {told.get('rule_version')})"
    explanation = told.get("clause") or f"The terms for guilds do not allow this conduct: {rule}."
    statement: dict[str, Any] = {
        **_decisions(restricting, zone),
        "account_type": "ACCOUNT_TYPE_BUSINESS",
        "decision_ground": terms.INCOMPATIBLE,
        "incompatible_content_ground": without(rule, names)[:500],
        "incompatible_content_explanation": without(explanation, names)[:2_000],
        "category": category,
        "content_type": [terms.CONTENT_TYPE_OTHER],
        "content_type_other": CONDUCT,
        "content_date": _day(told.get("occurred_at"), zone)
        or f"{notice.issued_at.astimezone(zone):%Y-%m-%d}",
        "territorial_scope": territory,
        "application_date": min(_day(measure["starts_at"], zone) or "" for measure in restricting),
        "decision_facts": without(_facts(told, rule, measures), names)[:5_000],
        "source_type": SOURCES.get(told.get("source_type", ""), terms.SOURCE_VOLUNTARY),
        "automated_detection": "Yes" if told.get("automated_detection") else "No",
        "automated_decision": AUTOMATION.get(
            told.get("automated_decision"), "AUTOMATED_DECISION_NOT_AUTOMATED"
        ),
        "puid": f"guildhall-{notice.public_id}",
    }
    if keyword:
        statement["category_specification"] = [keyword]
    return statement


def _decisions(restricting: Sequence[Mapping[str, Any]], zone: ZoneInfo) -> dict[str, Any]:
    """The decision fields with their end dates: of several measures the harshest, until the last of its kind ends."""
    found: dict[str, Any] = {}
    for name, end_date, by_kind, harshest_first in DECISIONS:
        values = {by_kind[measure["kind"]] for measure in restricting if measure["kind"] in by_kind}
        if not values:
            continue
        chosen = next(value for value in harshest_first if value in values)
        found[name] = chosen
        meant = [measure for measure in restricting if by_kind.get(measure["kind"]) == chosen]
        ends = [_day(measure.get("ends_at"), zone) for measure in meant]
        if all(ends):
            found[end_date] = max(day for day in ends if day)
        if chosen == terms.MONETARY_OTHER:
            found["decision_monetary_other"] = "; ".join(in_english(measure) for measure in meant)[:500]
    return found


def _day(moment: str | None, zone: ZoneInfo) -> str | None:
    """The day of a moment in market time."""
    return f"{dt.datetime.fromisoformat(moment).astimezone(zone):%Y-%m-%d}" if moment else None


def in_english(measure: Mapping[str, Any]) -> str:
    with translation.override("en"):
        return KINDS[measure["kind"]].describe(measure)


def _facts(told: Mapping[str, Any], rule: str, measures: Sequence[Mapping[str, Any]]) -> str:
    """What happened, in numbers, and what followed."""
    values = [
        f"{match['name']} = {match['value']}"
        for match in map(FACT.match, str(told.get("facts", "")).splitlines())
        if match and not PERSONAL.search(match["name"])
    ]
    breach = f"{rule}, violation {told.get('code')}, severity {told.get('severity')}"
    lines = [
        f"A business account that manages live streamers (a guild) breached the terms for guilds: {breach}.",
        f"What was measured: {'; '.join(values)}." if values else "",
        f"Measures: {'; '.join(in_english(measure) for measure in measures)}.",
        f"Points charged: {told.get('points')}." if told.get("points") else "",
    ]
    return "\n".join(line for line in lines if line)


def _names(notice: Notice) -> list[str]:
    """Every name and id of the guild and of the creators in the case."""
    found = {notice.guild.name, notice.guild.external_id, str(notice.statement.get("subject") or "")}
    for penalty in notice.penalties.all():
        creator = penalty.violation.creator
        if creator is not None:
            found |= {creator.name, creator.external_id}
    return sorted((name for name in found if len(name) >= SHORTEST_NAME), key=len, reverse=True)


def without(text: str, names: Sequence[str]) -> str:
    """The text with every name struck out."""
    if not names:
        return text
    return re.sub("|".join(re.escape(name) for name in names), "[…]", text, flags=re.IGNORECASE)
