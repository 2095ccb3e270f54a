"""From notices to statements for the DSA database: every kind, combinations, market time, and nothing of a person."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.models import Notice, Penalty
from governance.notices.dsa_schema import COLUMNS, dropped_by, errors_of
from governance.notices.dsa_terms import EEA
from governance.penalties import dsa, services
from governance.penalties.enums import PenaltyKind
from guilds.models import Creator, Guild
from tests import factories

pytestmark = pytest.mark.django_db

START = dt.datetime(2026, 3, 10, 23, 30, tzinfo=dt.UTC)  # already the 11th in Berlin
SINCE, UNTIL = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2027, 1, 1, tzinfo=dt.UTC)


def measure(kind: str, days: int | None = None, **params: Any) -> dict[str, Any]:
    ends_at = (START + dt.timedelta(days=days)).isoformat() if days else None
    told = {"kind": kind, "starts_at": START.isoformat(), "ends_at": ends_at, **params}
    return told | ({"days": days} if days else {})


def german() -> Guild:
    return factories.guild(
        "guild-berlin-7",
        name="Nordlicht Live",
        market=factories.market("DE-BE", timezone="Europe/Berlin"),
    )


def told(of: Guild, *measures: dict[str, Any], status: str = "in_force", **statement: Any) -> Notice:
    """A notice as the sanction left it, and its penalties."""
    version = factories.version(violation_code=statement.get("code", "REC-03"))
    creator, _made = Creator.objects.get_or_create(external_id="creator-4711")
    violation = factories.violation(of, version, status="confirmed", creator=creator)
    penalties = [
        Penalty(
            guild=of,
            market=of.market,
            violation=violation,
            version=version,
            kind=row["kind"],
            params={"kind": row["kind"]},
            status=status,
            proposed_at=START,
            starts_at=START,
            applied_at=START,
        )
        for row in measures
    ]
    notice = Notice.objects.create(
        guild=of,
        kind="penalty_imposed",
        object_type="violation",
        object_id=str(violation.public_id),
        language="en",
        subject="s",
        body="b",
        issued_at=START,
        statement={
            "violation": str(violation.public_id),
            "code": "REC-03",
            "severity": "S2",
            "rule": "EXIT-FEES",
            "rule_name": "Charging fees for leaving",
            "rule_version": 3,
            "clause": "Guilds charge creators nothing for joining or leaving.",
            "occurred_at": "2026-03-01T23:30:00+00:00",
            "facts": "",
            "source_type": "automatic_check",
            "automated_detection": True,
            "automated_decision": "partially",
            "measures": [
                row | {"penalty": str(penalty.public_id)}
                for row, penalty in zip(measures, penalties, strict=True)
            ],
            "points": 10,
            **statement,
        },
    )
    for penalty in penalties:
        penalty.notice = notice
        penalty.save()
    return notice


def statement_of(notice: Notice) -> dict[str, Any]:
    record = dsa.record_of(notice)
    assert record.statement is not None, record.why_not
    assert record.errors == {}
    assert dropped_by(record.statement) == []
    return record.statement


def decisions(statement: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in statement.items() if name.startswith(("decision_m", "end_date"))
    } | {
        name: statement[name]
        for name in ("decision_provision", "decision_account", "decision_visibility")
        if name in statement
    }


PARTIAL = "DECISION_PROVISION_PARTIAL_SUSPENSION"
END = "2026-03-18"
#: kind → the decision fields, typed from the table of suggested mappings; None: no restriction
EXPECTED: dict[str, dict[str, str] | None] = {
    "warning": None,
    "interview": None,
    "training": None,
    "public_notice": None,
    "free_exit": None,
    "recruitment_freeze": {"decision_provision": PARTIAL, "end_date_service_restriction": END},
    "reward_freeze": {"decision_provision": PARTIAL, "end_date_service_restriction": END},
    "traffic_limit": {"decision_provision": PARTIAL, "end_date_service_restriction": END},
    "backstage_removal": {"decision_provision": PARTIAL, "end_date_service_restriction": END},
    "tier_removal": {"decision_provision": PARTIAL, "end_date_service_restriction": END},
    "settlement_hold": {
        "decision_monetary": "DECISION_MONETARY_SUSPENSION",
        "end_date_monetary_restriction": END,
    },
    "reward_forfeiture": {
        "decision_monetary": "DECISION_MONETARY_TERMINATION",
        "end_date_monetary_restriction": END,
    },
    "income_deduction": {
        "decision_monetary": "DECISION_MONETARY_OTHER",
        "decision_monetary_other": "Income deduction for 7 days",
        "end_date_monetary_restriction": END,
    },
    "suspension": {
        "decision_provision": "DECISION_PROVISION_TOTAL_SUSPENSION",
        "end_date_service_restriction": END,
        "decision_account": "DECISION_ACCOUNT_SUSPENDED",
        "end_date_account_restriction": END,
    },
    "clear_out": {
        "decision_provision": "DECISION_PROVISION_TOTAL_TERMINATION",
        "end_date_service_restriction": END,
        "decision_account": "DECISION_ACCOUNT_TERMINATED",
        "end_date_account_restriction": END,
    },
}


def test_every_kind_is_told_of_here() -> None:
    assert set(EXPECTED) == set(PenaltyKind.values)


@pytest.mark.parametrize("kind", EXPECTED)
def test_each_kind_becomes_what_the_table_says(kind: str) -> None:
    notice = told(german(), measure(kind, 7))
    expected = EXPECTED[kind]
    if expected is None:
        assert dsa.record_of(notice) == dsa.Record(str(notice.public_id), why_not="restricts nothing")
    else:
        assert decisions(statement_of(notice)) == expected


def test_a_whole_statement() -> None:
    notice = told(
        german(), measure("recruitment_freeze", 7), facts="- complaints_30d = 7\n- share = 0.25\n- ok = true"
    )
    assert statement_of(notice) == {
        "decision_provision": PARTIAL,
        "end_date_service_restriction": "2026-03-18",
        "account_type": "ACCOUNT_TYPE_BUSINESS",
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "incompatible_content_ground": "Charging fees for leaving (EXIT-FEES, version 3)",
        "incompatible_content_explanation": "Guilds charge creators nothing for joining or leaving.",
        "category": "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
        "content_type": ["CONTENT_TYPE_OTHER"],
        "content_type_other": "guild account conduct",
        "content_date": "2026-03-02",
        "territorial_scope": ["DE"],
        "application_date": "2026-03-11",
        "decision_facts": (
            "A business account that manages live streamers (a guild) breached the terms for guilds: Charging fees for leaving"
            " (EXIT-FEES, version 3), violation REC-03, severity S2.\n"
            "What was measured: complaints_30d = 7; share = 0.25; ok = true.\n"
            "Measures: Recruitment freeze for 7 days.\n"
            "Points charged: 10."
        ),
        "source_type": "SOURCE_VOLUNTARY",
        "automated_detection": "Yes",
        "automated_decision": "AUTOMATED_DECISION_PARTIALLY",
        "puid": f"guildhall-{notice.public_id}",
    }


def test_several_measures_are_one_statement_with_the_harshest_and_the_last_end() -> None:
    notice = told(
        german(),
        measure("warning"),
        measure("recruitment_freeze", 7),
        measure("reward_freeze", 30),
        measure("settlement_hold", 14),
        measure("income_deduction", share=0.1),
    )
    assert decisions(statement_of(notice)) == {
        "decision_provision": PARTIAL,
        "end_date_service_restriction": "2026-04-10",
        "decision_monetary": "DECISION_MONETARY_SUSPENSION",
        "end_date_monetary_restriction": "2026-03-25",
    }
    assert "Income deduction of 10 %" in statement_of(notice)["decision_facts"]


def test_one_measure_without_an_end_leaves_the_end_open() -> None:
    notice = told(german(), measure("recruitment_freeze", 7), measure("backstage_removal"))
    assert decisions(statement_of(notice)) == {"decision_provision": PARTIAL}


def test_a_termination_beside_a_suspension_is_a_termination() -> None:
    notice = told(german(), measure("suspension", 30), measure("clear_out"))
    assert decisions(statement_of(notice)) == {
        "decision_provision": "DECISION_PROVISION_TOTAL_TERMINATION",
        "decision_account": "DECISION_ACCOUNT_TERMINATED",
    }


def test_what_was_cancelled_before_it_began_is_no_restriction() -> None:
    notice = told(german(), measure("recruitment_freeze", 7), status="cancelled")
    assert dsa.record_of(notice).why_not == "cancelled before it began"
    both = told(german_again(), measure("recruitment_freeze", 7), measure("settlement_hold", 7))
    both.penalties.filter(kind="settlement_hold").update(status="cancelled")
    assert decisions(statement_of(Notice.objects.get(pk=both.pk))) == {
        "decision_provision": PARTIAL,
        "end_date_service_restriction": "2026-03-18",
    }


def german_again() -> Guild:
    return factories.guild(market=factories.market("DE-HH", timezone="Europe/Berlin"))


# --- where, what and how --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "territory"),
    [
        ("DE", ["DE"]),
        ("FR-75", ["FR"]),
        ("GR", ["GR"]),
        ("EL-30", ["GR"]),
        ("IS", ["IS"]),
        ("NO-03", ["NO"]),
        ("GB", []),
        ("GB-LND", []),
        ("CH-ZH", []),
        ("US-NY-MN", []),
        ("JP", []),
        ("DEX", []),
        ("NORDICS", []),
    ],
)
def test_the_territory_is_the_country_of_the_market(code: str, territory: list[str]) -> None:
    assert dsa.territory_of(factories.market(code)) == territory


def test_settings_name_the_countries_of_markets_that_are_no_country(settings: Any) -> None:
    settings.DSA_TERRITORIES = ["NORDICS=SE+FI+GB", f"EUROPE={'+'.join(sorted(EEA))}"]
    assert dsa.territory_of(factories.market("NORDICS")) == ["FI", "SE"], "GB is not in the EEA"
    assert dsa.territory_of(factories.market("EUROPE")) == sorted(EEA)


def test_outside_the_eea_there_is_no_statement() -> None:
    notice = told(factories.guild(market=factories.market("JP")), measure("suspension", 7))
    assert dsa.record_of(notice) == dsa.Record(
        str(notice.public_id), why_not="outside the European Economic Area"
    )


@pytest.mark.parametrize(
    ("code", "category", "keywords"),
    [
        ("MIN-01", "STATEMENT_CATEGORY_PROTECTION_OF_MINORS", ["KEYWORD_AGE_SPECIFIC_RESTRICTIONS_MINORS"]),
        ("REC-02", "STATEMENT_CATEGORY_SCAMS_AND_FRAUD", ["KEYWORD_IMPERSONATION_ACCOUNT_HIJACKING"]),
        ("FRD-01", "STATEMENT_CATEGORY_SCAMS_AND_FRAUD", None),
        ("BCK-01", "STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS", None),
        ("POA-01", "STATEMENT_CATEGORY_OTHER_VIOLATION_TC", None),
        ("OUR-99", "STATEMENT_CATEGORY_OTHER_VIOLATION_TC", None),
    ],
)
def test_the_category_comes_from_the_violation_code(
    code: str, category: str, keywords: list[str] | None
) -> None:
    statement = statement_of(told(german(), measure("suspension", 7), code=code))
    assert (statement["category"], statement.get("category_specification")) == (category, keywords)


@pytest.mark.parametrize(
    ("fields", "source", "detection", "decision"),
    [
        ({"source_type": "user_report", "automated_detection": False}, "TYPE_OTHER_NOTIFICATION", "No", None),
        ({"source_type": "audit", "automated_detection": False}, "VOLUNTARY", "No", None),
        ({"source_type": "integration"}, "VOLUNTARY", "Yes", None),
        ({"automated_decision": "fully"}, "VOLUNTARY", "Yes", "FULLY"),
        ({"automated_decision": "not_automated"}, "VOLUNTARY", "Yes", "NOT_AUTOMATED"),
        ({"automated_decision": True}, "VOLUNTARY", "Yes", "FULLY"),
        ({"automated_decision": False, "source_type": None}, "VOLUNTARY", "Yes", "NOT_AUTOMATED"),
    ],
)
def test_source_and_automation_are_told_as_the_notice_tells_them(
    fields: dict[str, Any], source: str, detection: str, decision: str | None
) -> None:
    statement = statement_of(told(german(), measure("suspension", 7), **fields))
    assert (statement["source_type"], statement["automated_detection"], statement["automated_decision"]) == (
        f"SOURCE_{source}",
        detection,
        f"AUTOMATED_DECISION_{decision or 'PARTIALLY'}",
    )


FACTS = """
- signal.creator = 4711
- payer_id = 88
- signal.phone = 4930123456
- topic = Luna Star was charged
- complaints = 3
"""


def test_nothing_of_a_person_goes_out() -> None:
    notice = told(
        german(),
        measure("suspension", 7),
        subject="Luna Star",
        clause="As creator-4711 of Nordlicht Live was told, and NORDLICHT LIVE knows.",
        facts=FACTS,
    )
    text = json.dumps(statement_of(notice), ensure_ascii=False).lower()
    for word in ("4711", "88", "4930123456", "luna", "nordlicht", "guild-berlin-7"):
        assert word not in text.replace(str(notice.public_id), ""), word
    assert "complaints = 3" in text


def test_a_notice_of_an_older_kind_is_read_all_the_same() -> None:
    notice = told(german(), measure("recruitment_freeze", 7))
    old = {
        name: value
        for name, value in notice.statement.items()
        if name not in {"rule_name", "source_type", "clause", "points"}
    } | {"automated_decision": False}
    older = Notice(guild=notice.guild, kind="penalty_imposed", issued_at=START, statement=old)
    statement = dsa.record_of(_saved(older, notice)).statement
    assert statement is not None
    assert errors_of(statement) == {}
    assert statement["incompatible_content_ground"] == "EXIT-FEES (EXIT-FEES, version 3)"


def _saved(notice: Notice, like: Notice) -> Notice:
    notice.object_type, notice.object_id = like.object_type, like.object_id
    notice.save()
    return notice


def test_the_services_own_notices_make_valid_statements() -> None:
    guild, now = german(), timezone.now()
    version = factories.version()
    for nth in range(3):
        factories.violation(guild, version, status="confirmed", occurred_at=now - dt.timedelta(days=3 - nth))
    services.sanctions_decide_due(limit=10)
    found = list(dsa.records(dsa.sanctions_told(now - dt.timedelta(days=1), now + dt.timedelta(days=1))))
    assert [(record.why_not, record.errors) for record in found] == [("restricts nothing", {})] + [
        ("", {})
    ] * 2
    statements = [record.statement for record in found if record.statement]
    assert [statement.get("decision_provision") for statement in statements] == [PARTIAL, None]
    assert statements[1]["decision_monetary"] == "DECISION_MONETARY_SUSPENSION"


def test_many_notices_cost_no_query_more() -> None:
    guild = german()
    costs = []
    for more in (2, 10):
        for _ in range(more):
            told(guild, measure("suspension", 7), measure("settlement_hold", 7))
        with CaptureQueriesContext(connection) as asked:
            list(dsa.records(dsa.sanctions_told(SINCE, UNTIL)))
        costs.append(len(asked))
    assert costs[0] == costs[1]


# --- the command ----------------------------------------------------------------------------------------------------
def exported(folder: Path, *arguments: str) -> tuple[str, str, int]:
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command(
            "export_dsa",
            "--since=2026-01-01",
            "--until=2027-01-01",
            f"--out={folder}",
            *arguments,
            stdout=out,
            stderr=err,
        )
    except SystemExit as end:
        code = int(end.code or 0)
    return out.getvalue(), err.getvalue(), code


def test_batches_of_a_hundred_go_into_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guild = german()
    made = told(guild, measure("suspension", 7))
    told_of = [
        Notice(
            guild=guild,
            kind="penalty_imposed",
            object_type="violation",
            object_id=made.object_id,
            language="en",
            subject="s",
            body="b",
            issued_at=START,
            statement=made.statement,
        )
        for _ in range(204)
    ]
    Notice.objects.bulk_create(told_of)
    (tmp_path / "dsa-20260101-20270101-0009.json").write_text("from before")
    out, err, code = exported(tmp_path)
    assert (out, err, code) == (f"statements=205 invalid=0 none=0 files=3 folder={tmp_path}\n", "", 0)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [
        f"dsa-20260101-20270101-{number:04}.json" for number in (1, 2, 3)
    ]
    bodies = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    assert [len(body["statements"]) for body in bodies] == [100, 100, 5]
    assert all(set(body) == {"statements"} for body in bodies)
    puids = [statement["puid"] for body in bodies for statement in body["statements"]]
    assert len(set(puids)) == 205
    exported(tmp_path)
    again = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(tmp_path.iterdir())]
    assert again == bodies, "the same puid every time"


def test_one_csv_with_the_columns_of_the_dump(tmp_path: Path) -> None:
    notice = told(german(), measure("suspension", 7))
    out, _err, code = exported(tmp_path, "--format=csv")
    assert (code, "statements=1 invalid=0 none=0 files=1" in out) == (0, True)
    [file] = tmp_path.iterdir()
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == COLUMNS
    assert rows[0]["platform_uid"] == f"guildhall-{notice.public_id}"
    assert json.loads(rows[0]["territorial_scope"]) == ["DE"]


def test_what_would_be_refused_is_listed_and_left_out(tmp_path: Path) -> None:
    good = told(german(), measure("suspension", 7))
    bad = told(german_again(), measure("suspension", 7), occurred_at="1999-05-05T00:00:00+00:00")
    out, err, code = exported(tmp_path)
    assert code == 1
    assert "statements=1 invalid=1 none=0" in out
    assert err == (
        f"notice {bad.public_id}: content_date: The content_date field must be a date after or equal to 2000-01-01.\n"
    )
    [file] = tmp_path.iterdir()
    assert str(good.public_id) in file.read_text(encoding="utf-8")
    assert str(bad.public_id) not in file.read_text(encoding="utf-8")


def test_markets_and_period_narrow_it(tmp_path: Path) -> None:
    told(german(), measure("suspension", 7))
    factories.market("FR")
    assert "statements=0" in exported(tmp_path, "--market=FR")[0]
    assert "statements=1" in exported(tmp_path, "--market=FR", "--market=DE-BE")[0]
    assert not list(dsa.sanctions_told(START + dt.timedelta(seconds=1), UNTIL))
    assert not list(dsa.sanctions_told(SINCE, START)), "the end is not included"
    with pytest.raises(CommandError, match="No such market: XX"):
        exported(tmp_path, "--market=XX")
