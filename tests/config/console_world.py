"""One object of every page of the console in one market, and a second market to look in from."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from appeals.models import Appeal
from governance.backtests.services import backtest_request, backtest_step
from governance.education.services import attempt_make, lesson_assign, questions_set
from governance.ledger.services import Entry, record_many
from governance.models import (
    Absence,
    Alarm,
    Approval,
    Assessment,
    Assignment,
    Attempt,
    Backtest,
    Band,
    Case,
    Compensation,
    Contact,
    Delivery,
    Desk,
    Difference,
    Dispatch,
    Draft,
    Endpoint,
    EnforcementCap,
    EnforcementStop,
    EvaluationFault,
    Event,
    Feedback,
    Finding,
    GoldenCase,
    Judgement,
    Ladder,
    Lesson,
    Notice,
    Penalty,
    QuarantinedSignal,
    Queue,
    Reconciliation,
    Replay,
    Risk,
    Route,
    RuleException,
    RuleVersion,
    Safeguard,
    Sample,
    SampleItem,
    SignalKey,
    SignalSource,
    Target,
    Template,
    Violation,
)
from governance.review.selectors import queue_default
from governance.review.services import cases_open_due
from governance.risks.scoring import Background, Facts, score
from guilds.accounts.actor import Actor
from guilds.models import Guild, Market, User
from tests import factories
from tests.governance.education.cases import answers, published

GUILD_BOUND = (
    "guilds.guild guilds.guilduser governance.event governance.notice governance.penalty governance.signal"
    " governance.quarantinedsignal governance.evaluationfault governance.violation governance.delivery governance.finding"
    " governance.assessment governance.feedback governance.assignment governance.attempt"
    " appeals.appeal governance.alarm governance.backtest governance.ruleexception guilds.market guilds.creator guilds.client"
    " governance.case governance.compensation governance.contact governance.dispatch governance.safeguard"
    " guilds.user governance.sample governance.sampleitem governance.goldencase"
    " governance.enforcementstop governance.enforcementcap governance.reconciliation governance.difference"
).split()
#: Roles for which the objects of a page do not exist: who may be asked a golden case does not read its answer.
HIDDEN_FROM = {"governance.goldencase": frozenset({"reviewer", "enforcer", "launcher", "approver"})}


@dataclass(frozen=True)
class World:
    here: Market
    elsewhere: Market
    guild: Guild
    pages: dict[str, Model]


def notice(of: Guild, **fields: Any) -> Notice:
    fields = {
        "subject": "About you",
        "body": "What we decided",
        "language": "en",
        "kind": "penalty_imposed",
    } | fields
    return Notice.objects.create(
        guild=of,
        object_type="penalty",
        object_id="-",
        issued_at=timezone.now(),
        appeal_by=timezone.now() + dt.timedelta(days=15),
        **fields,
    )


def penalty(of: Violation, status: str = "in_force", **fields: Any) -> Penalty:
    """A penalty in any status, as its services would have left it."""
    now = timezone.now()
    held = status == "held"
    return Penalty.objects.create(
        guild=of.guild,
        market=of.market,
        violation=of,
        version=of.version,
        kind=fields.pop("kind", "warning"),
        params=fields.pop("params", {"kind": "warning"}),
        status=status,
        notice=None if held else notice(of.guild),
        proposed_at=now,
        starts_at=now,
        ends_at=now + dt.timedelta(days=7),
        applied_at=now if status in {"in_force", "lifted"} else None,
        **fields,
    )


def compensation(of: Guild) -> Compensation:
    """What is owed for a suspension that did not stand."""
    fallen = penalty(
        factories.violation(of, status="overturned"),
        "reversed",
        kind="suspension",
        params={"kind": "suspension", "days": 7},
    )
    return Compensation.objects.create(
        penalty=fallen,
        guild=of,
        market=of.market,
        basis={"measure": "suspension", "days": 3.0, "gift_revenue": "10.00", "per_day_before": "20.00"},
        estimate=50,
        opened_at=timezone.now(),
    )


def appeal(against: Penalty) -> Appeal:
    now = timezone.now()
    return Appeal.objects.create(
        penalty=against,
        guild=against.guild,
        market=against.market,
        grounds="facts_wrong",
        statement="It was somebody else entirely, as the recording shows.",
        filed_at=now,
        decide_by=now + dt.timedelta(days=15),
    )


def fault(of: Guild) -> EvaluationFault:
    signal = factories.signal(of)
    return EvaluationFault.objects.create(
        version=factories.version(),
        signal_key_id=signal.pk,
        error="divide by zero",
        created_at=timezone.now(),
    )


def quarantined(market: Market, event_id: str = "lost-1") -> QuarantinedSignal:
    source, _ = SignalSource.objects.get_or_create(uri="/lost")
    key = SignalKey.objects.create(source=source, event_id=event_id, time=timezone.now())
    event = {"specversion": "1.0", "id": event_id, "source": "/lost", "type": "test.signal", "data": {}}
    return QuarantinedSignal.objects.create(
        key=key,
        reason="unknown_creator",
        event=event,
        creator_ref="nobody",
        market_ref=market.code,
        received_at=timezone.now(),
    )


def delivery(of: Guild, status: str = "failed") -> Delivery:
    endpoint = Endpoint.objects.create(
        name="Payout", url="https://payout.example.test/", secret="whsec_x", types=["penalty.applied"]
    )
    return Delivery.objects.create(endpoint=endpoint, event=event(of), status=status, attempts=3)


def replay(of: Endpoint) -> Replay:
    now = timezone.now()
    return Replay.objects.create(
        endpoint=of,
        since=now - dt.timedelta(days=2),
        until=now,
        types=of.types,
        reason="The receiver lost its database.",
        asked_at=now,
    )


def event(of: Guild, act: str = "penalty.applied") -> Event:
    entry = Entry(act=act, object_type="penalty", object_id="p-1", guild_id=of.pk, market_id=of.market_id)
    with transaction.atomic():
        record_many(actor=Actor.system("test"), entries=[entry])
    return Event.objects.latest("id")


def finding(of: Guild) -> Finding:
    found = Finding.objects.create(
        version=factories.version(), source_type="appeal", source_id="a-1", summary="Too broad."
    )
    entry = Entry(
        act="finding.opened",
        object_type="finding",
        object_id=str(found.public_id),
        guild_id=of.pk,
        market_id=of.market_id,
    )
    with transaction.atomic():
        record_many(actor=Actor.system("test"), entries=[entry])
    return found


def assessment(of: Risk, market: Market) -> Assessment:
    found = score(Facts(live_hours=10), Background(None, 10), harm=of.harm, likelihood=of.likelihood)
    now = timezone.now()
    return Assessment.objects.create(
        risk=of,
        market=market,
        on=now.date(),
        window_days=90,
        live_hours=10,
        guilds=1,
        violations=0,
        upheld=0,
        guilds_upheld=0,
        feedback=0,
        rate=0.0,
        trend=found.trend,
        priority=found.priority,
        parts=found.parts,
        made_at=now,
    )


def feedback(of: Guild, **fields: Any) -> Feedback:
    fields = {"source": "guild", "channel": "portal", "body": "The rule is hard to follow."} | fields
    return Feedback.objects.create(guild=of, market=of.market, created_at=timezone.now(), **fields)


def approval(of: RuleVersion, by: User) -> Approval:
    frozen = {
        "spec": of.spec,
        "ladder": of.ladder,
        "text": of.text,
        "languages": [],
        "examples": [],
        "backtest": {"none": ""},
    }
    return Approval.objects.create(
        version=of, frozen=frozen, digest="0" * 64, requested_by=by, requested_at=timezone.now()
    )


def rule_exception(of: Guild) -> RuleException:
    now = timezone.now()
    return RuleException.objects.create(
        rule=factories.version().rule,
        guild=of,
        reason="A pilot with the partner.",
        starts_at=now - dt.timedelta(days=1),
        expires_at=now + dt.timedelta(days=30),
        granted_by=factories.staff("approver"),
    )


def alarm(of: Guild) -> Alarm:
    now = timezone.now()
    return Alarm.objects.create(
        rule=factories.version().rule,
        market=of.market,
        kind="surge",
        window_start=now - dt.timedelta(days=1),
        window_end=now,
        observed=40,
        expected=2.5,
        baseline_days=28,
        p_value=1e-9,
        raised_at=now,
    )


def sampled(of: Violation) -> tuple[Sample, SampleItem]:
    """A sample of one decision, which an audit saw otherwise."""
    now = timezone.now()
    sample = Sample.objects.create(
        kind="decisions",
        name="A week",
        since=now - dt.timedelta(days=7),
        until=now,
        markets=[of.market.code],
        seed=1,
        size=1,
        strata=[{"key": "all", "population": 4, "drawn": 1}],
        created_at=now,
    )
    item = SampleItem.objects.create(
        sample=sample,
        stratum="all",
        probability=0.25,
        violation=of,
        guild=of.guild,
        decided="confirmed",
        case=judged(of),
    )
    return sample, item


def judged(of: Violation, opinion: str = "dismiss") -> Case:
    """An audit of a violation, done by somebody."""
    now, reader = timezone.now(), factories.staff("reviewer")
    case = Case.objects.create(
        kind="quality",
        status="done",
        queue=queue_default(),
        violation=of,
        rule=of.rule,
        guild=of.guild,
        market=of.market,
        severity=of.severity,
        opened_at=now,
        urgent_at=now,
        due_at=now,
        done_at=now,
        done_by=reader,
    )
    Judgement.objects.create(
        case=case, reviewer=reader, opinion=opinion, reason="Another guild’s.", created_at=now
    )
    return case


def golden(of: Violation) -> GoldenCase:
    return GoldenCase.objects.create(
        violation=of, expected="confirm", explanation="The clip shows it.", created_at=timezone.now()
    )


def taught(guild: Guild) -> tuple[Lesson, Assignment, Attempt]:
    """A lesson with a quiz, asked of the guild and tried by it."""
    lesson = published("lesson", title={"en": "Gifts", "de": "Geschenke"}, body={"en": "Text", "de": "Text"})
    questions_set(
        actor=Actor.system("test"),
        code="lesson",
        questions=[
            {
                "prompt": {"en": "Which?", "de": "Welche?"},
                "options": {"en": ["A", "B"], "de": ["C", "D"]},
                "correct": 0,
            }
        ],
    )
    [assignment] = lesson_assign(
        actor=Actor.system("test"), lesson_id=lesson.pk, guild_ids=[guild.pk], source="staff"
    )
    attempt = attempt_make(
        actor=Actor.guild_user(factories.seat(guild)), code="lesson", answers=answers(lesson, 1)
    )
    return lesson, assignment, attempt


def backtest(market: Market, *, steps: int = 20) -> Backtest:
    """Asked for by an analyst of this market alone, and run to its end unless stopped before."""
    analyst = Actor.staff(factories.staff("analyst", markets=[market]))
    now = timezone.now()
    found = backtest_request(
        actor=analyst, version_id=factories.version().pk, since=now - dt.timedelta(days=9), until=now
    )
    for _ in range(steps):
        backtest_step(found.pk)
    found.refresh_from_db()
    return found


def wording(*_guild: Guild) -> Template:
    return Template.objects.create(kind="appeal_received", language="xx", subject="S", body="B")


def mailed(of: Guild, status: str = "sent") -> tuple[Contact, Dispatch]:
    """An address of the guild, and a notice on its way there."""
    contact = Contact.objects.create(guild=of, email="desk@guild-here.test")
    dispatch = Dispatch.objects.create(
        notice=notice(of), channel="mail", contact=contact, address=contact.email, status=status, attempts=1
    )
    return contact, dispatch


def launched(market: Market) -> list[Model]:
    """A launch that waits for its day, with a wave and a gate."""
    wave = factories.launch_ready(market)
    return [wave.launch, wave, wave.launch.gates.get(kind="staffing")]


def case(of: Guild) -> Case:
    """A case that waits, about an open violation of the guild."""
    found = factories.violation(of, factories.version(review="human"))
    cases_open_due()
    return found.cases.get()


def arranged(market: Market) -> list[Model]:
    """How the work of reviewers is arranged: a queue with a route, a desk, an absence to come and a target."""
    queue = Queue.objects.create(code="gifts", name="Gifts")
    person = factories.staff("reviewer", markets=[market])
    desk = Desk.objects.create(user=person, capacity_per_day=40)
    desk.queues.add(queue)
    now = timezone.now()
    return [
        queue,
        Route.objects.create(position=1, queue=queue, severities=["S1"]),
        desk,
        Absence.objects.create(
            user=person, starts_at=now + dt.timedelta(days=1), ends_at=now + dt.timedelta(days=8)
        ),
        Target.objects.create(severity="S2", market=market, hours=12),
    ]


def stop(market: Market) -> EnforcementStop:
    return EnforcementStop.objects.create(
        kind="clear_out", market=market, reason="Something is wrong.", opened_at=timezone.now()
    )


def cap(market: Market) -> EnforcementCap:
    return EnforcementCap.objects.create(kind="clear_out", market=market, per_hour=5)


def difference(about: Penalty) -> Difference:
    """What a comparison of the penalty's market found: another system does not hold it."""
    compared = Reconciliation.objects.create(
        source="Payout", market=about.market, reported=0, expected=1, agreed=0, at=timezone.now()
    )
    return Difference.objects.create(reconciliation=compared, kind="missing", penalty=about)


def safeguard(guild: Guild) -> Safeguard:
    return Safeguard.objects.create(market=guild.market, large_creators=50)


def enforcement(of: Penalty) -> list[Model]:
    """What stands around a penalty: a stop, a cap, a comparison of its market and the difference it found."""
    found = difference(of)
    return [stop(of.market), cap(of.market), found, found.reconciliation]


def build() -> World:
    here, elsewhere = factories.market("HERE"), factories.market("ELSE")
    guild = factories.guild("guild-here", market=here)
    violation = factories.violation(guild)
    imposed = penalty(violation)
    version = violation.version
    sent = delivery(guild)
    signal = factories.signal(guild)
    colleague: User = factories.staff("auditor", markets=[here])
    risk = Risk.objects.create(code="A-RISK", name="Harm", harm=3, likelihood=4, owner="Integrity")
    objects: list[Model] = [
        guild,
        factories.creator("creator-here", market=here),
        here,
        here.regime,
        colleague,
        factories.seat(guild),
        factories.client("penalties:read", markets=[here]),
        risk,
        assessment(risk, here),
        feedback(guild),
        version.rule,
        version,
        Draft.objects.get(pk=version.pk),
        approval(version, colleague),
        Ladder.objects.create(code="standard", spec=version.ladder),
        finding(guild),
        rule_exception(guild),
        alarm(guild),
        backtest(here),
        *launched(here),
        *taught(guild),
        signal,
        quarantined(here),
        fault(guild),
        violation,
        case(guild),
        *arranged(here),
        *sampled(violation),
        golden(violation),
        imposed,
        *enforcement(imposed),
        safeguard(guild),
        compensation(guild),
        Band.objects.create(code="watch", name="Watch", at_or_below=80, penalties=[{"kind": "interview"}]),
        imposed.notice or notice(guild),
        wording(),
        *mailed(guild),
        appeal(imposed),
        sent.endpoint,
        replay(sent.endpoint),
        sent,
        sent.event,
    ]
    return World(here, elsewhere, guild, {obj._meta.label_lower: obj for obj in objects})
