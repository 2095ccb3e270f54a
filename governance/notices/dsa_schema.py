"""Whether a statement of reasons would be taken by the DSA Transparency Database. Pure: reads what it is handed.

Follows the validator of the Commission's API (StatementStoreRequest.php, schema of 2025-07-01) and, where its documentation is
stricter, the documentation: an end date does not lie before the application date, and the territory is named.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from governance.notices import dsa_terms as terms

Errors = dict[str, list[str]]

LAST_DAY = dt.date(2038, 1, 1)
FIRST_CONTENT_DAY = dt.date(2000, 1, 1)
FIRST_APPLICATION_DAY = dt.date(2020, 1, 1)
SHORT, LONG, FACTS = 500, 2_000, 5_000
#: Statements in one call of the batch interface.
BATCH = 100

DECISIONS = ("decision_visibility", "decision_monetary", "decision_provision", "decision_account")
#: field → (allowed values, whether it is a list)
CHOICES: dict[str, tuple[frozenset[str], bool]] = {
    "decision_visibility": (terms.VISIBILITY, True),
    "decision_monetary": (terms.MONETARY, False),
    "decision_provision": (terms.PROVISION, False),
    "decision_account": (terms.ACCOUNT, False),
    "account_type": (terms.ACCOUNT_TYPE, False),
    "decision_ground": (terms.GROUND, False),
    "incompatible_content_illegal": (terms.YES_NO, False),
    "category": (terms.CATEGORY, False),
    "category_addition": (terms.CATEGORY, True),
    "category_specification": (terms.KEYWORD, True),
    "content_type": (terms.CONTENT_TYPE, True),
    "content_language": (terms.LANGUAGES, False),
    "territorial_scope": (terms.EEA, True),
    "source_type": (terms.SOURCE, False),
    "automated_detection": (terms.YES_NO, False),
    "automated_decision": (terms.AUTOMATED_DECISION, False),
}
LENGTHS = {
    "decision_visibility_other": SHORT,
    "decision_monetary_other": SHORT,
    "decision_ground_reference_url": SHORT,
    "illegal_content_legal_ground": SHORT,
    "illegal_content_explanation": LONG,
    "incompatible_content_ground": SHORT,
    "incompatible_content_explanation": LONG,
    "category_specification_other": SHORT,
    "content_type_other": SHORT,
    "decision_facts": FACTS,
    "source_identity": SHORT,
    "puid": SHORT,
}
END_DATES = (
    "end_date_visibility_restriction",
    "end_date_monetary_restriction",
    "end_date_service_restriction",
    "end_date_account_restriction",
)
#: field → the first day it may be, if there is one
DATES: dict[str, dt.date | None] = {
    "content_date": FIRST_CONTENT_DAY,
    "application_date": FIRST_APPLICATION_DAY,
    **dict.fromkeys(END_DATES, None),
}
REQUIRED = (
    "decision_ground category content_type content_date territorial_scope application_date decision_facts source_type"
    " automated_detection automated_decision puid"
).split()
#: field → (the field it hangs on, the value that asks for it)
REQUIRED_WITH = {
    "decision_visibility_other": ("decision_visibility", terms.VISIBILITY_OTHER),
    "decision_monetary_other": ("decision_monetary", terms.MONETARY_OTHER),
    "illegal_content_legal_ground": ("decision_ground", terms.ILLEGAL),
    "illegal_content_explanation": ("decision_ground", terms.ILLEGAL),
    "incompatible_content_ground": ("decision_ground", terms.INCOMPATIBLE),
    "incompatible_content_explanation": ("decision_ground", terms.INCOMPATIBLE),
    "content_type_other": ("content_type", terms.CONTENT_TYPE_OTHER),
}
#: What the Commission's side drops unless the other field has the value.
KEPT_WITH = REQUIRED_WITH | {
    "incompatible_content_illegal": ("decision_ground", terms.INCOMPATIBLE),
    "category_specification_other": ("category_specification", terms.KEYWORD_OTHER),
}
#: Optional fields that are to be left out rather than sent as null.
NEVER_NULL = ("incompatible_content_illegal", "category_addition")
PUID = re.compile(r"[a-zA-Z0-9_-]+")
EAN = re.compile(r"[0-9]{13}")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")

#: The columns of the Commission's full dump, in its order.
COLUMNS = (
    "uuid decision_visibility decision_visibility_other end_date_visibility_restriction decision_monetary"
    " decision_monetary_other end_date_monetary_restriction decision_provision end_date_service_restriction"
    " decision_account end_date_account_restriction account_type decision_ground decision_ground_reference_url"
    " illegal_content_legal_ground illegal_content_explanation incompatible_content_ground"
    " incompatible_content_explanation incompatible_content_illegal category category_addition category_specification"
    " category_specification_other content_type content_type_other content_language content_date content_id_ean"
    " territorial_scope application_date decision_facts source_type source_identity automated_detection"
    " automated_decision platform_name platform_uid created_at"
).split()
FIELDS = frozenset({*CHOICES, *LENGTHS, *DATES, "content_id", "content_id_ean"})


def errors_of(statement: Mapping[str, Any]) -> Errors:
    """What is wrong with a statement, as the API words it: {field: [sentences]}; empty when it would be taken."""
    given = {name: value for name, value in statement.items() if value is not None}
    found: Errors = {}
    for faults in (
        _absence_faults(statement, given),
        _choice_faults(given),
        _length_faults(given),
        _date_faults(given),
        _form_faults(given),
    ):
        for name, words in faults:
            found.setdefault(name, []).append(words)
    return found


def dropped_by(statement: Mapping[str, Any]) -> list[str]:
    """The fields the database would not keep, without a word: unknown ones, and those another field does not ask for."""
    given = {name: value for name, value in statement.items() if value is not None}
    lost = {name for name in given if name not in FIELDS}
    lost |= {
        name
        for name, (on, wanted) in KEPT_WITH.items()
        if name in given and not _chose(given.get(on), wanted)
    }
    if given.get("source_type") == terms.SOURCE_VOLUNTARY and "source_identity" in given:
        lost.add("source_identity")
    return sorted(lost)


Faults = Iterator[tuple[str, str]]


def _absence_faults(statement: Mapping[str, Any], given: Mapping[str, Any]) -> Faults:
    for name in REQUIRED:
        if _blank(given.get(name)):
            yield name, f"The {name} field is required."
    if all(_blank(given.get(name)) for name in DECISIONS):
        for name in DECISIONS:
            others = " / ".join(other for other in DECISIONS if other != name)
            yield name, f"The {name} field is required when none of {others} are present."
    for name, (on, wanted) in REQUIRED_WITH.items():
        if _chose(given.get(on), wanted) and _blank(given.get(name)):
            yield name, f"The {name} field is required when {on} is {wanted}."
    for name in NEVER_NULL:
        if name in statement and statement[name] is None:
            yield name, f"Leave {name} out instead of sending null."


def _blank(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _chose(value: Any, wanted: str) -> bool:
    return wanted in value if isinstance(value, list) else value == wanted


def _choice_faults(given: Mapping[str, Any]) -> Faults:
    for name, (allowed, is_list) in CHOICES.items():
        value = given.get(name)
        if value is None:
            continue
        if is_list and not isinstance(value, list):
            yield name, f"The {name} field must be an array."
            continue
        for item in value if is_list else [value]:
            if not isinstance(item, str) or item not in allowed:
                yield name, f"The selected {name} is invalid: {item}."


def _length_faults(given: Mapping[str, Any]) -> Faults:
    for name, longest in LENGTHS.items():
        value = given.get(name)
        if value is not None and not isinstance(value, str):
            yield name, f"The {name} field must be a string."
        elif value is not None and len(value) > longest:
            yield name, f"The {name} field must not be greater than {longest} characters."


def _day(value: Any) -> dt.date | None:
    if not isinstance(value, str) or not DAY.fullmatch(value):
        return None
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        return None


def _date_faults(given: Mapping[str, Any]) -> Faults:
    start = _day(given.get("application_date"))
    for name, first in DATES.items():
        if name not in given:
            continue
        day = _day(given[name])
        if day is None:
            yield name, f"The {name} field must match the format Y-m-d."
        elif day > LAST_DAY:
            yield name, f"The {name} field must be a date before or equal to {LAST_DAY}."
        elif first is not None and day < first:
            yield name, f"The {name} field must be a date after or equal to {first}."
        elif name in END_DATES and start is not None and day < start:
            yield name, f"The {name} field must be a date after or equal to application_date."


def _form_faults(given: Mapping[str, Any]) -> Faults:
    """Addresses, identifiers and product numbers."""
    url = given.get("decision_ground_reference_url")
    if isinstance(url, str) and not _is_url(url):
        yield "decision_ground_reference_url", "The field must be a valid URL."
    puid = given.get("puid")
    if isinstance(puid, str) and puid and not PUID.fullmatch(puid):
        yield "puid", "The puid field may hold letters, digits, hyphens and underscores only."
    ean = given.get("content_id_ean")
    if ean is not None and not _is_ean(ean):
        yield "content_id_ean", "The content_id_ean field must be 13 digits."
    content_id = given.get("content_id")
    if content_id is not None and (not isinstance(content_id, dict) or set(content_id) != {"EAN-13"}):
        yield "content_id", "The content_id field must be an object with the key EAN-13 alone."
    elif content_id is not None and not _is_ean(content_id["EAN-13"]):
        yield "content_id", "EAN-13 must be 13 digits."


def _is_ean(value: Any) -> bool:
    return isinstance(value, str) and EAN.fullmatch(value) is not None


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", text)


def batch_errors(statements: Sequence[Mapping[str, Any]]) -> dict[str, Errors]:
    """The faults of a batch by `statement_0`, `statement_1`, …, as the batch interface answers them. A puid twice is one."""
    found: dict[str, Errors] = {}
    seen: set[Any] = set()
    for number, statement in enumerate(statements):
        errors = errors_of(statement)
        puid = statement.get("puid")
        if isinstance(puid, str):
            if puid in seen:
                errors.setdefault("puid", []).append("The puid field has a duplicate value in this batch.")
            seen.add(puid)
        if errors:
            found[f"statement_{number}"] = errors
    if not 1 <= len(statements) <= BATCH:
        found["statements"] = {"statements": [f"A batch holds 1 to {BATCH} statements."]}
    return found


def csv_row(statement: Mapping[str, Any]) -> list[str]:
    """A statement as a line of the Commission's dump; lists are JSON text. What only its server knows stays empty."""
    ean = statement.get("content_id_ean") or (statement.get("content_id") or {}).get("EAN-13")
    values = {**statement, "platform_uid": statement.get("puid"), "content_id_ean": ean}
    return [_cell(values.get(column)) for column in COLUMNS]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, list) else str(value)
