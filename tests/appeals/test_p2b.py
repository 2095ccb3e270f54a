"""The P2B report, from recorded complaints to the digits a platform publishes."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appeals.models import Appeal
from appeals.p2b import Report, csv_lines, p2b_report
from governance.models import Notice, Penalty
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput
from guilds.models import Guild
from tests import factories

pytestmark = pytest.mark.django_db

SYSTEM = Actor.system("test")
#: Apple App Store, P2B art. 11(4): first day of the year reported on (12 July to 11 July), complaints, average days, not upheld.
APPLE = [
    (2020, 12, "11.25", 2),
    (2021, 64, "4.83", 4),
    (2022, 45, "4.18", 6),
    (2023, 42, "4.33", 5),
    (2024, 48, "3.96", 5),
    (2025, 116, "4.23", 14),
]


def penalised(guild: Guild, *, starts_at: dt.datetime) -> Penalty:
    violation = factories.violation(guild, status="confirmed", evidence=False)
    notice = Notice.objects.create(
        guild=guild,
        kind="penalty_imposed",
        object_type="violation",
        object_id=str(violation.public_id),
        language="en",
        subject="s",
        body="b",
        issued_at=starts_at,
    )
    return Penalty.objects.create(
        guild=guild,
        market=guild.market,
        violation=violation,
        version=violation.version,
        kind="warning",
        status="in_force",
        notice=notice,
        proposed_at=starts_at,
        starts_at=starts_at,
        applied_at=starts_at,
    )


def complaint(
    against: Penalty,
    filed_at: dt.datetime,
    *,
    took: dt.timedelta | None = None,
    outcome: str = "",
    status: str = "",
    grounds: str = "facts_wrong",
) -> Appeal:
    """A recorded complaint: decided after `took` with an outcome, else in the status given."""
    return Appeal.objects.create(
        penalty=against,
        guild=against.guild,
        market=against.market,
        grounds=grounds,
        statement="It was not us.",
        status=status or ("decided" if outcome else "open"),
        outcome=outcome,
        filed_at=filed_at,
        decide_by=filed_at + dt.timedelta(days=15),
        settled_at=None if took is None else filed_at + took,
    )


def printed(report: Report) -> list[dict[str, str]]:
    header, *lines = csv_lines(report)
    return [dict(zip(header, line, strict=True)) for line in lines]


def dublin() -> Guild:
    market = factories.market(
        "IE", timezone="Europe/Dublin", regime=factories.regime(code="eu", appeal_days=184)
    )
    return factories.guild(market=market)


def test_the_published_figures_of_six_years_come_out_of_recorded_complaints() -> None:
    """Apple publishes averages, not single cases. Assumed here: every complaint took a whole number of days, all of a year as
    equal as their sum allows; that sum is the whole number of days nearest to complaints × average; and those that were not
    "not upheld" were upheld. Filed evenly over the year, the first on its first and the last on its last day.
    """
    guild = dublin()
    zone = ZoneInfo("Europe/Dublin")
    against = penalised(guild, starts_at=dt.datetime(2020, 7, 1, tzinfo=dt.UTC))
    for year, complaints, average, not_upheld in APPLE:
        days = round(complaints * Decimal(average))
        first = dt.datetime(year, 7, 12, 0, 30, tzinfo=zone)
        for number in range(complaints):
            filed_at = first + dt.timedelta(days=364 * number // (complaints - 1))
            took = dt.timedelta(days=days // complaints + (number < days % complaints))
            complaint(against, filed_at, took=took, outcome="upheld" if number < not_upheld else "overturned")

    for year, complaints, average, not_upheld in APPLE:
        report = p2b_report(SYSTEM, dt.date(year, 7, 12), dt.date(year + 1, 7, 11))
        for line in printed(report):
            assert (line["complaints"], line["average_days"], line["not_upheld"]) == (
                str(complaints),
                average,
                str(not_upheld),
            ), year
            assert line["upheld"] == str(complaints - not_upheld)
            assert (line["open"], line["withdrawn"]) == ("0", "0")
    everything = p2b_report(SYSTEM, dt.date(2020, 7, 12), dt.date(2026, 7, 11))
    assert everything.total.complaints == sum(row[1] for row in APPLE)


def test_outcomes_open_and_withdrawn_are_told_apart_and_only_decisions_took_time() -> None:
    against = penalised(dublin(), starts_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    noon = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    hours = dt.timedelta(hours=1)
    complaint(against, noon, took=36 * hours, outcome="upheld")
    complaint(against, noon, took=60 * hours, outcome="reduced", grounds="disproportionate")
    complaint(against, noon, took=25 * hours, outcome="overturned", grounds="disproportionate")
    complaint(against, noon, took=500 * hours, status="withdrawn", grounds="other")
    complaint(against, noon, grounds="new_evidence")
    [line, total] = printed(p2b_report(SYSTEM, dt.date(2026, 1, 1), dt.date(2026, 12, 31)))
    assert line == {
        "first_day": "2026-01-01",
        "last_day": "2026-12-31",
        "scope": "IE",
        "complaints": "5",
        "average_days": "1.68",  # 121 hours by 3 are 1.6805… days
        "not_upheld": "1",
        "upheld_in_part": "1",
        "upheld": "1",
        "withdrawn": "1",
        "open": "1",
        "type_facts_wrong": "1",
        "type_not_ours": "0",
        "type_rule_misread": "0",
        "type_disproportionate": "2",
        "type_new_evidence": "1",
        "type_other": "1",
    }
    assert total == line | {"scope": "all"}


def test_the_main_types_come_first() -> None:
    against = penalised(dublin(), starts_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    noon = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    for grounds in ("other", "not_ours", "not_ours", "facts_wrong"):
        complaint(against, noon, took=dt.timedelta(days=1), outcome="upheld", grounds=grounds)
    report = p2b_report(SYSTEM, dt.date(2026, 1, 1), dt.date(2026, 12, 31))
    assert report.total.main_types == [("not_ours", 2), ("facts_wrong", 1), ("other", 1)]


@pytest.mark.parametrize(
    ("zone", "filed_at", "counted"),
    [
        ("Pacific/Kiritimati", "2026-07-11T09:59:59+00:00", False),
        ("Pacific/Kiritimati", "2026-07-11T10:00:00+00:00", True),
        ("Pacific/Kiritimati", "2027-07-11T09:59:59+00:00", True),
        ("Pacific/Kiritimati", "2027-07-11T10:00:00+00:00", False),
        ("Pacific/Pago_Pago", "2026-07-12T10:59:59+00:00", False),
        ("Pacific/Pago_Pago", "2026-07-12T11:00:00+00:00", True),
        ("Pacific/Pago_Pago", "2027-07-12T10:59:59+00:00", True),
        ("Pacific/Pago_Pago", "2027-07-12T11:00:00+00:00", False),
    ],
)
def test_the_year_begins_and_ends_at_the_markets_midnight(zone: str, filed_at: str, counted: bool) -> None:
    guild = factories.guild(market=factories.market(timezone=zone))
    moment = dt.datetime.fromisoformat(filed_at)
    complaint(penalised(guild, starts_at=moment), moment)
    report = p2b_report(SYSTEM, dt.date(2026, 7, 12), dt.date(2027, 7, 11))
    assert report.total.complaints == int(counted)


def test_by_regime_and_of_one_regime_alone() -> None:
    noon = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    eu = factories.regime(code="eu")
    for code, regime in (("IE", eu), ("FR", eu), ("JP", factories.regime(code="none"))):
        guild = factories.guild(market=factories.market(code, regime=regime))
        complaint(penalised(guild, starts_at=noon), noon)
    year = dt.date(2026, 1, 1), dt.date(2026, 12, 31)
    found = p2b_report(SYSTEM, *year, by="regime")
    assert [(line.name, line.complaints) for line in found.lines] == [("eu", 2), ("none", 1)]
    only = p2b_report(SYSTEM, *year, regimes=["eu"])
    assert [(line.name, line.complaints) for line in only.lines] == [("FR", 1), ("IE", 1)]
    assert only.total.complaints == 2


def test_staff_see_the_figures_of_their_markets() -> None:
    noon = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    here, there = factories.market("HERE"), factories.market("THERE")
    for market in (here, there):
        complaint(penalised(factories.guild(market=market), starts_at=noon), noon)
    actor = Actor.staff(factories.staff("auditor", markets=[here]))
    report = p2b_report(actor, dt.date(2026, 1, 1), dt.date(2026, 12, 31))
    assert [line.name for line in report.lines] == ["HERE"]
    assert report.total.complaints == 1


def test_a_year_without_complaints_has_no_average() -> None:
    report = p2b_report(SYSTEM, dt.date(2026, 1, 1), dt.date(2026, 12, 31))
    assert (report.lines, report.total.average_days) == ([], None)
    assert printed(report)[0]["average_days"] == ""


def test_what_makes_no_period_is_refused() -> None:
    with pytest.raises(InvalidInput):
        p2b_report(SYSTEM, dt.date(2026, 1, 2), dt.date(2026, 1, 1))
    with pytest.raises(InvalidInput):
        p2b_report(SYSTEM, dt.date(2026, 1, 1), dt.date(2026, 1, 2), by="guild")


def test_many_complaints_cost_no_query_more() -> None:
    noon = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    against = penalised(dublin(), starts_at=noon)
    costs = []
    for count in (2, 20):
        for _ in range(count):
            complaint(against, noon, took=dt.timedelta(days=1), outcome="upheld")
        with CaptureQueriesContext(connection) as asked:
            p2b_report(SYSTEM, dt.date(2026, 1, 1), dt.date(2026, 12, 31))
        costs.append(len(asked))
    assert costs == [1, 1]


def test_the_command_prints_the_same_or_writes_it(tmp_path: Path) -> None:
    against = penalised(dublin(), starts_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    complaint(
        against,
        dt.datetime(2026, 7, 12, 12, tzinfo=dt.UTC),
        took=dt.timedelta(days=4.5),
        outcome="upheld",
    )
    report = p2b_report(SYSTEM, dt.date(2026, 7, 12), dt.date(2027, 7, 11))
    out = io.StringIO()
    call_command("export_p2b", "--from=2026-07-12", "--to=2027-07-11", stdout=out)
    assert list(csv.reader(io.StringIO(out.getvalue()))) == list(csv_lines(report))
    file = tmp_path / "p2b.csv"
    out = io.StringIO()
    call_command("export_p2b", "--from=2026-07-12", "--to=2027-07-11", f"--out={file}", stdout=out)
    assert out.getvalue() == f"complaints=1 average_days=4.50 not_upheld=1 file={file}\n"
    with file.open(encoding="utf-8", newline="") as lines:
        assert list(csv.reader(lines)) == list(csv_lines(report))
    with pytest.raises(CommandError):
        call_command("export_p2b", "--from=2026-07-12", "--to=2026-07-11", stdout=out)
