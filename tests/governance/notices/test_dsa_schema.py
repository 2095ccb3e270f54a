"""The validator of DSA statements, against the rules as the Commission's page and code tell them, typed from there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from governance.notices import dsa_terms as terms
from governance.notices.dsa_schema import COLUMNS, batch_errors, csv_row, dropped_by, errors_of

MINIMAL: dict[str, Any] = {
    "decision_account": "DECISION_ACCOUNT_SUSPENDED",
    "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
    "incompatible_content_ground": "Section 4.2 of the terms for guilds",
    "incompatible_content_explanation": "Guilds do not charge fees for leaving.",
    "category": "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
    "content_type": ["CONTENT_TYPE_OTHER"],
    "content_type_other": "guild account conduct",
    "content_date": "2026-03-01",
    "territorial_scope": ["DE"],
    "application_date": "2026-03-10",
    "decision_facts": "Seven complaints in 30 days.",
    "source_type": "SOURCE_VOLUNTARY",
    "automated_detection": "Yes",
    "automated_decision": "AUTOMATED_DECISION_PARTIALLY",
    "puid": "guildhall-1",
}
ABSENT = object()


def changed(**fields: Any) -> dict[str, Any]:
    merged = {**MINIMAL, **fields}
    return {name: value for name, value in merged.items() if value is not ABSENT}


ILLEGAL = {
    "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
    "incompatible_content_ground": ABSENT,
    "incompatible_content_explanation": ABSENT,
    "illegal_content_legal_ground": "Article 5 of the act",
    "illegal_content_explanation": "It is forbidden there.",
}

VALID: dict[str, dict[str, Any]] = {
    "the minimal set": {},
    "visibility alone": {
        "decision_account": ABSENT,
        "decision_visibility": ["DECISION_VISIBILITY_CONTENT_DEMOTED"],
    },
    "several visibilities, one of them other": {
        "decision_visibility": ["DECISION_VISIBILITY_CONTENT_LABELLED", "DECISION_VISIBILITY_OTHER"],
        "decision_visibility_other": "Taken off the front page",
    },
    "visibility null beside another decision": {"decision_visibility": None},
    "money alone": {"decision_account": ABSENT, "decision_monetary": "DECISION_MONETARY_TERMINATION"},
    "money other": {
        "decision_monetary": "DECISION_MONETARY_OTHER",
        "decision_monetary_other": "10 % of the commission",
    },
    "service alone": {
        "decision_account": ABSENT,
        "decision_provision": "DECISION_PROVISION_PARTIAL_SUSPENSION",
    },
    "all four decisions": {
        "decision_visibility": ["DECISION_VISIBILITY_CONTENT_REMOVED"],
        "decision_monetary": "DECISION_MONETARY_SUSPENSION",
        "decision_provision": "DECISION_PROVISION_TOTAL_SUSPENSION",
    },
    "an end on the first day": {"end_date_account_restriction": "2026-03-10"},
    "an end on the last day there is": {"end_date_account_restriction": "2038-01-01"},
    "an end null: indefinite": {"end_date_account_restriction": None},
    "an account type": {"account_type": "ACCOUNT_TYPE_BUSINESS"},
    "illegal content": ILLEGAL,
    "against the terms and illegal as well": {"incompatible_content_illegal": "Yes"},
    "an address of the clause": {"decision_ground_reference_url": "https://example.test/terms#4-2"},
    "an address of 500 characters": {"decision_ground_reference_url": "https://e.test/" + "a" * 485},
    "further categories": {
        "category_addition": ["STATEMENT_CATEGORY_SCAMS_AND_FRAUD", "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"]
    },
    "keywords of any category": {
        "category_specification": ["KEYWORD_PHISHING", "KEYWORD_STALKING", "KEYWORD_NUDITY"]
    },
    "another keyword": {
        "category_specification": ["KEYWORD_OTHER"],
        "category_specification_other": "exit fees",
    },
    "another keyword without words": {"category_specification": ["KEYWORD_OTHER"]},
    "several content types": {"content_type": ["CONTENT_TYPE_VIDEO", "CONTENT_TYPE_SYNTHETIC_MEDIA"]}
    | {"content_type_other": ABSENT},
    "a language outside the EU": {"content_language": "ZH"},
    "the first day of content": {"content_date": "2000-01-01"},
    "the first day of application": {"application_date": "2020-01-01"},
    "a leap day": {"content_date": "2024-02-29"},
    "a product number": {"content_id": {"EAN-13": "4006381333931"}},
    "a product number, the other way": {"content_id_ean": "4006381333931"},
    "the whole EEA": {
        "territorial_scope": (
            "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK IS LI NO".split()
        )
    },
    "a reporter named": {"source_type": "SOURCE_TRUSTED_FLAGGER", "source_identity": "An NGO"},
    "an article 16 notice": {"source_type": "SOURCE_ARTICLE_16"},
    "another notification": {"source_type": "SOURCE_TYPE_OTHER_NOTIFICATION"},
    "nothing automatic": {
        "automated_detection": "No",
        "automated_decision": "AUTOMATED_DECISION_NOT_AUTOMATED",
    },
    "everything automatic": {"automated_decision": "AUTOMATED_DECISION_FULLY"},
    "a puid with every character allowed": {"puid": "aZ09-_"},
    "a puid of 500 characters": {"puid": "a" * 500},
    "texts of full length": {
        "decision_facts": "a" * 5_000,
        "incompatible_content_explanation": "a" * 2_000,
        "incompatible_content_ground": "a" * 500,
    },
}

#: what is changed → the fields found at fault
INVALID: dict[str, tuple[dict[str, Any], set[str]]] = {
    "no decision": (
        {"decision_account": ABSENT},
        {"decision_visibility", "decision_monetary", "decision_provision", "decision_account"},
    ),
    "an empty list is no decision": (
        {"decision_account": ABSENT, "decision_visibility": []},
        {"decision_visibility", "decision_monetary", "decision_provision", "decision_account"},
    ),
    "an unknown visibility": (
        {"decision_visibility": ["DECISION_VISIBILITY_HIDDEN"]},
        {"decision_visibility"},
    ),
    "visibility no list": (
        {"decision_visibility": "DECISION_VISIBILITY_CONTENT_REMOVED"},
        {"decision_visibility"},
    ),
    "other visibility without words": (
        {"decision_visibility": ["DECISION_VISIBILITY_OTHER"]},
        {"decision_visibility_other"},
    ),
    "other visibility with too many words": (
        {"decision_visibility": ["DECISION_VISIBILITY_OTHER"], "decision_visibility_other": "a" * 501},
        {"decision_visibility_other"},
    ),
    "an unknown monetary decision": ({"decision_monetary": "DECISION_MONETARY_FINE"}, {"decision_monetary"}),
    "money as a list": ({"decision_monetary": ["DECISION_MONETARY_SUSPENSION"]}, {"decision_monetary"}),
    "other money without words": (
        {"decision_monetary": "DECISION_MONETARY_OTHER"},
        {"decision_monetary_other"},
    ),
    "other money with blanks": (
        {"decision_monetary": "DECISION_MONETARY_OTHER", "decision_monetary_other": "  "},
        {"decision_monetary_other"},
    ),
    "an unknown service decision": (
        {"decision_provision": "DECISION_PROVISION_SUSPENSION"},
        {"decision_provision"},
    ),
    "an unknown account decision": ({"decision_account": "DECISION_ACCOUNT_DELETED"}, {"decision_account"}),
    "an end before the beginning": (
        {"end_date_account_restriction": "2026-03-09"},
        {"end_date_account_restriction"},
    ),
    "an end too far away": (
        {"end_date_account_restriction": "2038-01-02"},
        {"end_date_account_restriction"},
    ),
    "an end with a time": (
        {"end_date_service_restriction": "2026-04-01T00:00:00Z"},
        {"end_date_service_restriction"},
    ),
    "an end the wrong way round": (
        {"end_date_monetary_restriction": "01-04-2026"},
        {"end_date_monetary_restriction"},
    ),
    "an end that is no day": (
        {"end_date_visibility_restriction": "2026-02-30"},
        {"end_date_visibility_restriction"},
    ),
    "an unknown account type": ({"account_type": "BUSINESS"}, {"account_type"}),
    "no ground": ({"decision_ground": ABSENT}, {"decision_ground"}),
    "an unknown ground": ({"decision_ground": "DECISION_GROUND_OTHER"}, {"decision_ground"}),
    "illegal without the law": (
        ILLEGAL | {"illegal_content_legal_ground": ABSENT},
        {"illegal_content_legal_ground"},
    ),
    "illegal without an explanation": (
        ILLEGAL | {"illegal_content_explanation": ABSENT},
        {"illegal_content_explanation"},
    ),
    "illegal explained at too great length": (
        ILLEGAL | {"illegal_content_explanation": "a" * 2_001},
        {"illegal_content_explanation"},
    ),
    "incompatible without the clause": (
        {"incompatible_content_ground": ABSENT},
        {"incompatible_content_ground"},
    ),
    "incompatible without an explanation": (
        {"incompatible_content_explanation": ABSENT},
        {"incompatible_content_explanation"},
    ),
    "a clause too long": ({"incompatible_content_ground": "a" * 501}, {"incompatible_content_ground"}),
    "an answer that is no Yes or No": (
        {"incompatible_content_illegal": True},
        {"incompatible_content_illegal"},
    ),
    "a null to leave out": ({"incompatible_content_illegal": None}, {"incompatible_content_illegal"}),
    "another null to leave out": ({"category_addition": None}, {"category_addition"}),
    "an address without a scheme": (
        {"decision_ground_reference_url": "example.test/terms"},
        {"decision_ground_reference_url"},
    ),
    "an address of a script": (
        {"decision_ground_reference_url": "javascript:alert(1)"},
        {"decision_ground_reference_url"},
    ),
    "an address too long": (
        {"decision_ground_reference_url": "https://e.test/" + "a" * 486},
        {"decision_ground_reference_url"},
    ),
    "no category": ({"category": ABSENT}, {"category"}),
    "two categories in one": (
        {"category": ["STATEMENT_CATEGORY_VIOLENCE", "STATEMENT_CATEGORY_SELF_HARM"]},
        {"category"},
    ),
    "a category of before July 2025": (
        {"category": "STATEMENT_CATEGORY_SCOPE_OF_PLATFORM_SERVICE"},
        {"category"},
    ),
    "another one of before": (
        {"category": "STATEMENT_CATEGORY_PORNOGRAPHY_OR_SEXUALIZED_CONTENT"},
        {"category"},
    ),
    "an unknown further category": ({"category_addition": ["VIOLENCE"]}, {"category_addition"}),
    "a leftover keyword": (
        {"category_specification": ["KEYWORD_DANGEROUS_TOYS"]},
        {"category_specification"},
    ),
    "a keyword of before": (
        {"category_specification": ["KEYWORD_MISINFORMATION"]},
        {"category_specification"},
    ),
    "keywords no list": ({"category_specification": "KEYWORD_PHISHING"}, {"category_specification"}),
    "a keyword explained at too great length": (
        {"category_specification": ["KEYWORD_OTHER"], "category_specification_other": "a" * 501},
        {"category_specification_other"},
    ),
    "no content type": ({"content_type": ABSENT}, {"content_type"}),
    "an empty list of content types": ({"content_type": []}, {"content_type"}),
    "an unknown content type": ({"content_type": ["CONTENT_TYPE_LIVE"]}, {"content_type"}),
    "other content without words": ({"content_type_other": ABSENT}, {"content_type_other"}),
    "a language in lower case": ({"content_language": "de"}, {"content_language"}),
    "a language with a region": ({"content_language": "DE-AT"}, {"content_language"}),
    "no content date": ({"content_date": ABSENT}, {"content_date"}),
    "content of the last century": ({"content_date": "1999-12-31"}, {"content_date"}),
    "content of the far future": ({"content_date": "2038-01-02"}, {"content_date"}),
    "a product number too short": ({"content_id_ean": "400638133393"}, {"content_id_ean"}),
    "a product number with letters": ({"content_id": {"EAN-13": "400638133393X"}}, {"content_id"}),
    "another identifier": ({"content_id": {"ISBN": "9783161484100"}}, {"content_id"}),
    "no territory": ({"territorial_scope": ABSENT}, {"territorial_scope"}),
    "an empty territory": ({"territorial_scope": []}, {"territorial_scope"}),
    "the United Kingdom": ({"territorial_scope": ["DE", "GB"]}, {"territorial_scope"}),
    "Switzerland": ({"territorial_scope": ["CH"]}, {"territorial_scope"}),
    "Greece by its other code": ({"territorial_scope": ["EL"]}, {"territorial_scope"}),
    "no application date": ({"application_date": ABSENT}, {"application_date"}),
    "applied before the database": ({"application_date": "2019-12-31"}, {"application_date"}),
    "no facts": ({"decision_facts": ABSENT}, {"decision_facts"}),
    "blank facts": ({"decision_facts": "\n "}, {"decision_facts"}),
    "too many facts": ({"decision_facts": "a" * 5_001}, {"decision_facts"}),
    "facts that are no text": ({"decision_facts": 7}, {"decision_facts"}),
    "no source": ({"source_type": ABSENT}, {"source_type"}),
    "an unknown source": ({"source_type": "SOURCE_OTHER"}, {"source_type"}),
    "a reporter's name too long": (
        {"source_type": "SOURCE_ARTICLE_16", "source_identity": "a" * 501},
        {"source_identity"},
    ),
    "detection untold": ({"automated_detection": ABSENT}, {"automated_detection"}),
    "detection as a boolean": ({"automated_detection": True}, {"automated_detection"}),
    "detection in small letters": ({"automated_detection": "yes"}, {"automated_detection"}),
    "decision untold": ({"automated_decision": ABSENT}, {"automated_decision"}),
    "decision by the older words": ({"automated_decision": "Yes"}, {"automated_decision"}),
    "no puid": ({"puid": ABSENT}, {"puid"}),
    "a puid with a dot": ({"puid": "a.b"}, {"puid"}),
    "a puid with a blank": ({"puid": "a b"}, {"puid"}),
    "a puid with a line break at its end": ({"puid": "ab\n"}, {"puid"}),
    "a puid too long": ({"puid": "a" * 501}, {"puid"}),
}


@pytest.mark.parametrize("case", VALID)
def test_what_the_page_allows_is_taken(case: str) -> None:
    assert errors_of(changed(**VALID[case])) == {}


@pytest.mark.parametrize("case", INVALID)
def test_what_the_page_forbids_is_refused_by_field(case: str) -> None:
    fields, expected = INVALID[case]
    found = errors_of(changed(**fields))
    assert set(found) == expected
    assert all(words for words in found.values())


def test_errors_are_worded_as_the_interface_words_them() -> None:
    assert errors_of(changed(category=ABSENT, puid="a b", content_language="de")) == {
        "category": ["The category field is required."],
        "content_language": ["The selected content_language is invalid: de."],
        "puid": ["The puid field may hold letters, digits, hyphens and underscores only."],
    }


@pytest.mark.parametrize(
    ("fields", "lost"),
    [
        ({}, []),
        ({"decision_visibility_other": "x"}, ["decision_visibility_other"]),
        ({"decision_monetary_other": "x"}, ["decision_monetary_other"]),
        ({"illegal_content_legal_ground": "x"}, ["illegal_content_legal_ground"]),
        (
            ILLEGAL | {"incompatible_content_illegal": "No", "incompatible_content_ground": "x"},
            ["incompatible_content_ground", "incompatible_content_illegal"],
        ),
        (
            {"category_specification": ["KEYWORD_NUDITY"], "category_specification_other": "x"},
            ["category_specification_other"],
        ),
        ({"content_type": ["CONTENT_TYPE_TEXT"]}, ["content_type_other"]),
        ({"source_identity": "x"}, ["source_identity"]),
        ({"content_language_other": "x"}, ["content_language_other"]),
        ({"end_date_provision_restriction": "2026-04-01"}, ["end_date_provision_restriction"]),
    ],
)
def test_what_would_be_dropped_is_no_error_but_is_told(fields: dict[str, Any], lost: list[str]) -> None:
    assert errors_of(changed(**fields)) == {}
    assert dropped_by(changed(**fields)) == lost


def test_a_batch_answers_by_number_and_takes_no_puid_twice() -> None:
    good, bad = changed(), changed(puid="guildhall-2", category=ABSENT)
    assert batch_errors([good, bad, changed(puid="guildhall-3")]) == {
        "statement_1": {"category": ["The category field is required."]}
    }
    assert set(batch_errors([good, good])["statement_1"]) == {"puid"}


@pytest.mark.parametrize(("count", "taken"), [(0, False), (1, True), (100, True), (101, False)])
def test_a_batch_holds_one_to_a_hundred(count: int, taken: bool) -> None:
    found = batch_errors([changed(puid=f"p-{number}") for number in range(count)])
    assert (found == {}) is taken


def test_a_line_of_the_dump_has_its_columns_in_its_order() -> None:
    assert len(COLUMNS) == 38
    assert COLUMNS[:3] == ["uuid", "decision_visibility", "decision_visibility_other"]
    assert COLUMNS[-4:] == ["automated_decision", "platform_name", "platform_uid", "created_at"]
    row = dict(
        zip(
            COLUMNS,
            csv_row(changed(territorial_scope=["DE", "FR"], content_id={"EAN-13": "4006381333931"})),
            strict=True,
        )
    )
    assert json.loads(row["territorial_scope"]) == ["DE", "FR"]
    assert json.loads(row["content_type"]) == ["CONTENT_TYPE_OTHER"]
    assert row["content_id_ean"] == "4006381333931"
    assert row["platform_uid"] == "guildhall-1"
    assert (row["uuid"], row["created_at"], row["decision_visibility"]) == ("", "", "")


def test_the_vocabulary_is_as_long_as_the_page_says() -> None:
    sizes = {
        "VISIBILITY": 7,
        "MONETARY": 3,
        "PROVISION": 4,
        "ACCOUNT": 2,
        "CATEGORY": 16,
        "KEYWORD": 69,
        "CONTENT_TYPE": 8,
        "SOURCE": 4,
        "AUTOMATED_DECISION": 3,
        "EEA": 30,
        "LANGUAGES": 184,
    }
    assert {name: len(getattr(terms, name)) for name in sizes} == sizes
