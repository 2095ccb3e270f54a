"""The statement of reasons: every field P2B and DSA ask for, typed, and in words a guild can act upon."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from governance.models import Detection, Notice, Penalty, Violation
from governance.notices.enums import AutomatedDecision, SourceType
from governance.penalties import services
from governance.penalties.origins import Origin, automated_decision, origins_of, source_type_of
from governance.penalties.services.reasons import pending_in_words
from guilds.accounts.actor import Actor
from guilds.models import Guild
from tests import factories

pytestmark = pytest.mark.django_db


def sanctioned(
    guild: Guild | None = None,
    *,
    source: str = "/detectors/gifts",
    now: dt.datetime | None = None,
    **version: Any,
) -> tuple[Violation, Notice]:
    guild = guild or factories.guild()
    violation = factories.violation(guild, factories.version(**version), status="confirmed", evidence=False)
    detected(violation, source)
    services.sanctions_decide_due(limit=10, now=now)
    return violation, Notice.objects.filter(kind="penalty_imposed", guild=guild).latest("pk")


def detected(violation: Violation, source: str) -> None:
    fact = factories.signal(violation.guild, time=violation.occurred_at, source=source)
    Detection.objects.create(
        version=violation.version,
        signal_key_id=fact.pk,
        violation=violation,
        mode="live",
        outcome="opened" if not violation.detections.exists() else "joined",
        guild=violation.guild,
        market=violation.market,
        occurred_at=violation.occurred_at,
        detected_at=violation.detected_at,
        explanation={},
    )


def ladder(*steps: dict[str, Any]) -> dict[str, Any]:
    return {**factories.LADDER, "steps": [list(steps)]}


def test_a_statement_has_every_field_and_its_words() -> None:
    market = factories.market(
        "DE",
        name="Germany",
        timezone="Europe/Berlin",
        regime=factories.regime(code="eu-p2b-dsa", appeal_days=184),
    )
    violation, notice = sanctioned(
        factories.guild(market=market),
        review="auto",
        ladder=ladder({"kind": "recruitment_freeze", "days": 7}),
    )

    penalty = Penalty.objects.get()
    deadline = notice.appeal_by
    assert deadline is not None
    local = deadline.astimezone(ZoneInfo("Europe/Berlin"))
    statement = dict(notice.statement)
    [measure] = statement.pop("measures")
    assert statement.pop("redress").startswith("Your appeal is the internal complaint")
    assert isinstance(statement.pop("facts"), str)
    assert statement == {
        "violation": str(violation.public_id),
        "code": violation.code,
        "severity": violation.severity,
        "subject": str(violation.guild),
        "occurred_at": violation.occurred_at.isoformat(),
        "rule": violation.rule.code,
        "rule_name": violation.version.name,
        "rule_version": violation.version.number,
        "clause": f"Do not do {violation.rule.code}.",
        "source_type": "automatic_check",
        "source_types": ["automatic_check"],
        "automated_detection": True,
        "automated_decision": "fully",
        "points": 10,
        "score": 90,
        "territory": "DE",
        "territory_name": "Germany",
        "appeal_by": deadline.isoformat(),
        "appeal_by_local": f"{local:%Y-%m-%d} 23:59 (Europe/Berlin)",
        "timezone": "Europe/Berlin",
    }
    words = measure.pop("words")
    assert measure == {
        "penalty": str(penalty.public_id),
        "kind": "recruitment_freeze",
        "days": 7,
        "starts_at": penalty.starts_at.isoformat(),
        "ends_at": (penalty.starts_at + dt.timedelta(days=7)).isoformat(),
        "pending": False,
        "stops": [],
    }
    for told in (
        words,
        f"Do not do {violation.rule.code}.",
        f"version {violation.version.number}",
        "How we found out: an automatic check of platform data.",
        "Automated means: the breach was found by automated means.",
        "Who decided: automatically, by the rule.",
        "Where it applies: Germany.",
        f"until {local:%Y-%m-%d} 23:59 (Europe/Berlin)",
        "out-of-court dispute settlement body",
        "article 17 of Regulation (EU) 2022/2065",
    ):
        assert told in notice.body


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("/detectors/gifts", "automatic_check"),
        ("/detectors/reports", "automatic_check"),
        ("https://platform.test/api/integrations/payments", "integration"),
        ("/reports/creators", "user_report"),
        ("urn:elsewhere", "integration"),
        ("/audit/contracts", "audit"),
        ("/test", "integration"),
        ("", "integration"),
    ],
)
def test_a_source_says_what_it_is(uri: str, kind: str) -> None:
    assert source_type_of(uri).value == kind


@pytest.mark.parametrize(
    ("source", "automated", "words"),
    [
        ("/detectors/gifts", True, "an automatic check of platform data"),
        ("/integrations/payments", True, "data from another system of the platform"),
        ("/reports/guilds", False, "a report by a person or guild"),
        ("/audit/contracts", False, "an audit by our staff"),
    ],
)
def test_how_it_was_found_comes_from_the_evidence(source: str, automated: bool, words: str) -> None:
    _violation, notice = sanctioned(source=source)

    assert notice.statement["automated_detection"] is automated
    assert notice.statement["source_type"] == source_type_of(source).value
    assert f"How we found out: {words}." in notice.body


def test_what_opened_the_case_goes_first_among_several_sources() -> None:
    violation = factories.violation(factories.guild(), evidence=False)
    for source in ("/reports/creators", "/detectors/gifts", "/reports/guilds"):
        detected(violation, source)

    origin = origins_of([violation])[violation.pk]

    assert origin.sources == (SourceType.USER_REPORT, SourceType.AUTOMATIC_CHECK)
    assert (origin.source_type, origin.automated_detection) == (SourceType.USER_REPORT, False)


def test_origins_of_many_cost_one_query() -> None:
    violations = [factories.violation(factories.guild()) for _ in range(5)]
    bare = factories.violation(factories.guild(), evidence=False)
    with CaptureQueriesContext(connection) as queries:
        found = origins_of([*violations, bare])
    assert len(queries) == 1
    assert len(found) == 6
    assert found[bare.pk] == Origin(())


@pytest.mark.parametrize(
    ("review", "released", "expected"),
    [
        ("auto", False, AutomatedDecision.FULLY),
        ("auto", True, AutomatedDecision.PARTIALLY),
        ("human", False, AutomatedDecision.PARTIALLY),
        ("human", True, AutomatedDecision.NOT_AUTOMATED),
        ("dual", False, AutomatedDecision.NOT_AUTOMATED),
    ],
)
def test_how_much_of_the_decision_no_person_took(
    review: str, released: bool, expected: AutomatedDecision
) -> None:
    violation = Violation(review=review)
    penalty = Penalty(released_by_id=7 if released else None)

    assert automated_decision(violation, [penalty]) == expected


def test_a_released_penalty_tells_that_a_person_released_it() -> None:
    violation = factories.violation(
        factories.guild(),
        factories.version(review="auto", ladder=ladder({"kind": "clear_out"})),
        status="confirmed",
    )
    services.sanctions_decide_due(limit=10)
    penalty = Penalty.objects.get(violation=violation)

    services.penalty_release(
        actor=Actor.staff(factories.staff("enforcer")), penalty_id=penalty.pk, reason="Looked at it."
    )

    penalty.refresh_from_db()
    assert penalty.notice is not None
    assert penalty.notice.statement["automated_decision"] == "partially"
    assert "with no end date" in penalty.notice.body


@pytest.mark.parametrize(
    ("zone", "told", "local"),
    [
        ("Pacific/Kiritimati", "2026-11-22T10:30:00Z", "2026-12-08 23:59 (Pacific/Kiritimati)"),
        ("America/New_York", "2026-10-25T15:00:00Z", "2026-11-09 23:59 (America/New_York)"),
        ("Asia/Kathmandu", "2026-11-22T18:15:00Z", "2026-12-08 23:59 (Asia/Kathmandu)"),
    ],
)
def test_the_deadline_is_the_end_of_the_last_local_day(zone: str, told: str, local: str) -> None:
    guild = factories.guild(market=factories.market(timezone=zone, regime=factories.regime(appeal_days=15)))

    _violation, notice = sanctioned(guild, now=dt.datetime.fromisoformat(told))

    assert notice.statement["appeal_by_local"] == local
    assert f"until {local}" in notice.body
    assert notice.appeal_by is not None
    assert (notice.appeal_by + dt.timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).time() == dt.time()


def test_what_can_still_be_stopped_says_by_what_and_until_when() -> None:
    _violation, notice = sanctioned(
        ladder=ladder(
            {"kind": "recruitment_freeze", "days": 7, "grace": "7d", "stops": ["correction", "appeal"]},
            {"kind": "warning"},
        )
    )

    freeze = next(one for one in notice.statement["measures"] if one["kind"] == "recruitment_freeze")
    assert (freeze["pending"], freeze["stops"]) == (True, ["correction", "appeal"])
    begins = f"{dt.datetime.fromisoformat(freeze['starts_at']):%Y-%m-%d %H:%M} (UTC)"
    assert f"does not begin if you put right what is wrong and tell us so by {begins}." in notice.body
    assert f"does not begin while an appeal filed before {begins} is open." in notice.body


def test_nothing_pending_is_said_too() -> None:
    _violation, notice = sanctioned(ladder=ladder({"kind": "warning"}))

    assert "These measures begin and end at the times given." in notice.body
    assert pending_in_words("en", [], notice.guild.market, notice.issued_at) in notice.body


def test_a_termination_without_notice_states_its_ground() -> None:
    market = factories.market(regime=factories.regime(code="p2b", termination_days=30))
    violation = factories.violation(
        factories.guild(market=market),
        factories.version(ladder=ladder({"kind": "clear_out", "immediate_ground": "repeated_infringement"})),
        status="confirmed",
    )
    services.sanctions_decide_due(limit=10)
    penalty = Penalty.objects.get(violation=violation)
    assert penalty.starts_at == penalty.proposed_at

    services.penalty_release(
        actor=Actor.staff(factories.staff("enforcer")), penalty_id=penalty.pk, reason="Third time."
    )

    penalty.refresh_from_db()
    assert penalty.notice is not None
    assert penalty.notice.statement["measures"][0]["immediate_ground"] == "repeated_infringement"
    assert "It takes effect without notice because of repeated infringement" in penalty.notice.body
