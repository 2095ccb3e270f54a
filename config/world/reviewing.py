"""The reviewers of the demo world: their queues and desks, samples judged blind, and golden cases with known answers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from config.world.people import People
from config.world.population import DAY
from config.world.replay import Replay
from config.world.spec import Person, dice
from governance.quality.enums import SampleKind
from governance.quality.models import GoldenCase, Sample
from governance.quality.services import golden_make, golden_mix, plan_set, sample_draw, sample_hand_out
from governance.review.enums import Assignment, CaseKind, CaseStatus, Opinion
from governance.review.models import Case
from governance.review.selectors import has_judged
from governance.review.services import (
    absence_add,
    case_decide,
    case_hold,
    desk_save,
    note_add,
    queue_routes_save,
    queue_save,
    target_save,
)
from governance.rules.enums import Severity
from governance.violations.enums import Verdict, ViolationStatus
from governance.violations.models import Violation
from guilds.accounts.actor import Actor
from guilds.models import User

WHY = "How the demo's reviewers share their work."
QUEUES = (("gravest", "Gravest cases"), ("money", "Money and gifts"))
MONEY = ["AML-FLOWS", "FRD-DISPUTES", "GFT-COERCE", "GFT-CYCLE", "PAY-LATE"]
HOURS = {Severity.S1: 24, Severity.S2: 72, Severity.S3: 240, Severity.S4: 336}
#: Golden cases are made from what was decided rightly long before today.
GOLDEN, GOLDEN_DAYS = 6, 60
#: (kind, days before today on which it is drawn, days it looks back on, size, days in which all of it is judged).
SAMPLES = (
    (SampleKind.DECISIONS, 80, 120, 36, 12),
    (SampleKind.COVERAGE, 78, 120, 40, 12),
    (SampleKind.DECISIONS, 12, 68, 36, 30),
    (SampleKind.COVERAGE, 10, 68, 30, 30),
)
#: How often a judge of an unflagged guild-day overlooks what happened, and sees what did not.
OVERLOOKS, IMAGINES = 0.1, 0.01


def desks_set(people: People) -> None:
    """Queues, routes, promises and desks, by the administrator, before anything else happens."""
    admin = people.staff["admin"]
    for code, name in QUEUES:
        queue_save(actor=admin, code=code, name=name, assignment=Assignment.PULL, reason=WHY)
    routes = [{"queue": "gravest", "severities": [Severity.S1.value]}, {"queue": "money", "rules": MONEY}]
    queue_routes_save(actor=admin, routes=routes, reason=WHY)
    for severity, hours in HOURS.items():
        target_save(actor=admin, severity=severity.value, hours=hours, reason=WHY)
    for reviewer, _person in people.reviewers:
        assert reviewer.user_id is not None
        desk_save(actor=admin, user_id=reviewer.user_id, capacity_per_day=40, reason=WHY)


@dataclass
class Auditing:
    """Samples and golden cases on the replay's agenda."""

    replay: Replay

    def plan(self) -> None:
        replay = self.replay
        for kind, ago, back, size, within in SAMPLES:
            at = replay.population.today - ago * DAY
            if at - back * DAY < replay.population.begin:
                continue
            since = at - back * DAY
            replay.plan(at, f"sample {kind} {ago}", partial(self._draw, kind, since, at, size, within))
        replay.plan(replay.population.today - GOLDEN_DAYS * DAY, "golden cases", self._make_golden)
        for week in range(GOLDEN_DAYS // 7):
            at = replay.population.today - (GOLDEN_DAYS - 7 * week - 1) * DAY
            replay.plan(at, f"golden case of week {week}", self._mix_golden)

    def _draw(self, kind: SampleKind, since: dt.datetime, until: dt.datetime, size: int, within: int) -> None:
        analyst = self.replay.people.staff["analyst"]
        sample = sample_draw(
            actor=analyst,
            kind=kind,
            name=f"{kind.label}, {since:%d %b} to {until:%d %b %Y}",
            since=since,
            until=until,
            size=size,
            seed=self.replay.seed,
        )
        while sample_hand_out(actor=analyst, sample_id=sample.pk):
            pass
        self._plan_judging(sample, within)

    def _plan_judging(self, sample: Sample, within: int) -> None:
        cases = Case.objects.filter(sample_item__sample=sample).select_related("violation__rule", "guild")
        for number, case in enumerate(cases.order_by("pk")):
            name = f"{sample.kind} {sample.until:%Y-%m-%d} {number}"
            at = self.replay.later(name, "audit", [0.2, float(within)])
            self.replay.plan(at, name, partial(self._judge, case, name))

    def _judge(self, case: Case, name: str) -> None:
        """The first reviewer, in an order drawn for the case, who has not judged it before says what they see."""
        case.refresh_from_db(fields=["status", "assigned_to"])
        if case.status != CaseStatus.WAITING:
            return
        people = list(self.replay.people.reviewers)
        rng = dice(self.replay.seed, "audit", name)
        rng.shuffle(people)
        for actor, person in people:
            assert actor.user_id is not None
            if case.assigned_to_id in (None, actor.user_id) and not has_judged(actor.user_id, case):
                opinion, code = self._opinion(case, person, rng.random())
                words = self.replay.words("confirm" if opinion == Opinion.CONFIRM else "dismiss", name)
                case_decide(actor=actor, case_id=case.pk, opinion=opinion.value, code=code, reason=words)
                return

    def _opinion(self, case: Case, person: Person, drawn: float) -> tuple[Opinion, str]:
        if case.violation is not None:
            true = self.replay.case_of(case.violation).true
            wrong = drawn < person.error["dismisses_true" if true else "confirms_false"]
            return (Opinion.CONFIRM if true != wrong else Opinion.DISMISS), ""
        assert case.day is not None
        code = self._broken(case.guild.external_id, case.day)
        if code:
            return (Opinion.DISMISS, "") if drawn < OVERLOOKS else (Opinion.CONFIRM, code)
        return (Opinion.CONFIRM, "DAT-02") if drawn < IMAGINES else (Opinion.DISMISS, "")

    def _broken(self, guild: str, day: dt.date) -> str:
        """The code of a rule the guild truly broke on a day nobody noticed, or nothing."""
        number = (day - self.replay.population.begin.date()).days
        for rule in self.replay.world.policy.rules:
            if self.replay.behaviour.true(guild, rule.code, number):
                return rule.violation_code
        return ""

    def _make_golden(self) -> None:
        """From each side of the truth some that were decided rightly, in an order that does not hang on keys."""
        decided = Violation.objects.filter(
            status__in=[ViolationStatus.CONFIRMED, ViolationStatus.DISMISSED]
        ).select_related("rule")
        for expected, status in (
            (Verdict.CONFIRM, ViolationStatus.CONFIRMED),
            (Verdict.DISMISS, ViolationStatus.DISMISSED),
        ):
            rightly = self._rightly(decided.filter(status=status, reviews__isnull=False).distinct(), expected)
            for violation in list(rightly)[: GOLDEN // 2]:
                golden_make(
                    actor=self.replay.people.staff["analyst"],
                    violation_id=violation.pk,
                    expected=expected,
                    explanation=self.replay.words(expected.value, f"golden {violation.code}"),
                )

    def _rightly(self, decided: Iterable[Violation], expected: Verdict) -> Iterable[Violation]:
        known = [(self.replay.case_of(violation), violation) for violation in decided]
        for case, violation in sorted(known, key=lambda one: one[0].name):
            if case.true == (expected == Verdict.CONFIRM):
                yield violation

    def _mix_golden(self) -> None:
        if not GoldenCase.objects.exists():
            return
        golden_mix(now=self.replay.clock.at)
        fresh = Case.objects.filter(
            kind=CaseKind.GOLDEN, status=CaseStatus.WAITING, opened_at=self.replay.clock.at
        )
        for case in fresh.select_related("violation__rule", "assigned_to").order_by("assigned_to__email"):
            name = f"golden {case.assigned_to} {self.replay.clock.at:%Y-%m-%d}"
            self.replay.plan(
                self.replay.later(name, "golden", [0.1, 3.0]),
                name,
                partial(self._judge, case, name),
            )


def desks_leave(replay: Replay) -> None:
    """At the end of the year: a case on hold with a note, somebody away soon, and samples drawn by the week from now on."""
    people, now = replay.people, replay.clock.at
    reviewer = people.reviewers[0][0]
    waiting = Case.objects.filter(kind=CaseKind.VERDICT, status=CaseStatus.WAITING, severity=Severity.S2)
    asked = waiting.exclude(violation__reviews__reviewer=reviewer.user_id).order_by("urgent_at").last()
    if asked is not None:
        note_add(
            actor=reviewer, case_id=asked.pk, body="The payments team looks at the refunds of that week."
        )
        case_hold(
            actor=reviewer,
            case_id=asked.pk,
            until=now + 2 * DAY,
            reason="Waits for the refunds of that week from the payments team.",
        )
    _away(people.reviewers[-1][0], people.staff["admin"], now)
    for kind, weekly in ((SampleKind.DECISIONS, 20), (SampleKind.COVERAGE, 15)):
        plan_set(
            actor=people.staff["analyst"], kind=kind.value, weekly=weekly, reason="To know how good we are."
        )


def _away(reviewer: Actor, admin: Actor, now: dt.datetime) -> None:
    assert reviewer.user_id is not None
    absence_add(
        actor=admin,
        user_id=User.objects.get(pk=reviewer.user_id).pk,
        starts_at=now + 9 * DAY,
        ends_at=now + 14 * DAY,
        reason="On leave.",
    )
