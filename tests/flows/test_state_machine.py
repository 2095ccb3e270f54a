"""Whatever happens to a guild, in whatever order: what weighs on it is what the ledger tells, and all of it can be undone.

`DEEP_STORIES=500` looks at so many stories instead of a few; with `DEEP_SHRINK=1` hypothesis shortens one that fails.
"""

from __future__ import annotations

import datetime as dt
import os
import random
from collections.abc import Callable, Iterable
from typing import Any
from unittest import mock

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from appeals.corrections import violation_correct
from appeals.models import Appeal
from appeals.selectors import eligible_adjudicators
from appeals.services import appeal_decide, appeal_file, appeal_withdraw
from governance.education.services import attempt_make
from governance.models import EnforcementStop, Event, Penalty, Violation
from governance.penalties import services
from governance.penalties.selectors import points_left
from governance.penalties.services.rectification import rectification_submit
from governance.review.services import violation_confirm, violation_dismiss
from guilds.accounts.actor import Actor
from guilds.errors import DomainError
from guilds.models import Guild
from tests import factories
from tests.flows.standing_model import (
    as_at_the_beginning,
    check_effects,
    check_offences,
    check_penalties,
    check_points,
    weight_of,
)
from tests.flows.story_world import LADDERS, SWEEPS, World, at_once
from tests.governance.education.cases import answers

SHRINK = bool(os.environ.get("DEEP_SHRINK"))
DEEP = int(os.environ.get("DEEP_STORIES", "0"))
ANSWER = "We have looked at it again and this is what we found."
HOUR = dt.timedelta(hours=1)
PICK = st.integers(0, 30)


class GuildStory(RuleBasedStateMachine):
    """One story; the clock only moves by its own rules, a second with every act."""

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.world = World()
        self.clock_patch = mock.patch("django.utils.timezone.now", side_effect=self.now)
        self.clock_patch.start()
        self.dice = random.Random(0)
        #: The last event of the ledger when all was last held against it: where nothing was recorded nothing moves.
        self.looked_at: int | None = None

    def now(self) -> dt.datetime:
        return self.world.clock

    @initialize(seed=st.integers(0, 1000))
    def shuffle(self, seed: int) -> None:
        self.dice = random.Random(seed)

    @property
    def guild(self) -> Guild:
        return self.world.guild

    def act(self, service: Callable[..., object], **arguments: Any) -> bool:
        """Do it; refused, nothing has changed and nothing was recorded."""
        self.world.clock += dt.timedelta(seconds=1)
        before = (Event.objects.count(), weight_of(self.guild))
        try:
            with transaction.atomic():
                service(**arguments)
        except DomainError:
            assert (Event.objects.count(), weight_of(self.guild)) == before
            return False
        return True

    def penalties(self, *statuses: str) -> Iterable[Penalty]:
        return Penalty.objects.filter(guild=self.guild, status__in=statuses).order_by("pk")

    def violations(self, status: str) -> Iterable[Violation]:
        return Violation.objects.filter(guild=self.guild, status=status).order_by("pk")

    # --- what happens -------------------------------------------------------------------------------------------
    @rule(name=st.sampled_from(sorted(LADDERS)), hours_ago=st.sampled_from([0, 0, 0, 30, 200]))
    def something_is_seen(self, name: str, hours_ago: int) -> None:
        self.world.clock += dt.timedelta(seconds=1)
        self.see(name, hours_ago)

    def see(self, name: str, hours_ago: int = 0) -> Violation:
        at = self.world.clock - hours_ago * HOUR
        return factories.violation(self.guild, self.world.versions[name], occurred_at=at, evidence=False)

    @rule(
        name=st.sampled_from(["mild", "mild", "hard", "hard", "patient", "patient", "worst"]),
        hours_ago=st.sampled_from([0, 0, 0, 30, 200]),
        times=st.integers(1, 3),
    )
    def it_offends(self, name: str, hours_ago: int, times: int) -> None:
        for _ in range(times):
            self.world.clock += dt.timedelta(seconds=1)
            violation = self.see(name, hours_ago)
            for reviewer in self.world.reviewers[:2]:
                self.act(violation_confirm, actor=reviewer, violation_id=violation.pk, reason="Seen.")
        if times != 2:
            self.sweep("sanction")
            self.sweep("apply")

    @rule(pick=PICK, who=st.integers(0, 2), confirm=st.booleans())
    def somebody_judges(self, pick: int, who: int, confirm: bool) -> None:
        violation = at_once(self.violations("open"), pick)
        if violation is not None:
            verdict = violation_confirm if confirm else violation_dismiss
            self.act(
                verdict, actor=self.world.reviewers[who], violation_id=violation.pk, reason="Looked at it."
            )

    @rule(hours=st.sampled_from([1, 30, 80, 80, 200, 800, 2500]), settle=st.booleans())
    def time_passes(self, hours: int, settle: bool) -> None:
        self.world.clock += hours * HOUR
        if settle:
            self.world.settle()

    @rule(name=st.sampled_from(sorted(SWEEPS)))
    def sweep(self, name: str) -> None:
        self.world.clock += dt.timedelta(seconds=1)
        while SWEEPS[name]():
            pass

    @rule(pick=PICK, who=st.integers(0, 1), yes=st.booleans())
    def a_second_person_answers(self, pick: int, who: int, yes: bool) -> None:
        penalty = at_once(self.penalties("held"), pick)
        if penalty is not None:
            answer = services.penalty_release if yes else services.penalty_refuse
            self.act(answer, actor=self.world.enforcers[who], penalty_id=penalty.pk, reason="Looked at it.")

    @rule(
        pick=PICK,
        act=st.sampled_from([services.penalty_lift, services.penalty_cancel, services.penalty_retry]),
    )
    def an_enforcer_acts(self, pick: int, act: Callable[..., object]) -> None:
        penalty = at_once(self.penalties("scheduled", "in_force", "failed", "stayed"), pick)
        if penalty is not None:
            self.act(act, actor=self.world.enforcers[0], penalty_id=penalty.pk, reason="Called off.")

    @rule(pick=PICK)
    def it_appeals(self, pick: int) -> None:
        penalty = at_once(self.penalties("scheduled", "stayed", "in_force", "lifted", "failed"), pick)
        if penalty is not None:
            self.act(
                appeal_file,
                actor=self.world.owner,
                penalty_id=penalty.pk,
                grounds="facts_wrong",
                statement="No.",
            )

    def open_appeals(self) -> Iterable[Appeal]:
        return Appeal.objects.filter(guild=self.guild, status="open").order_by("pk")

    @precondition(lambda self: self.open_appeals())
    @rule(pick=PICK)
    def it_withdraws(self, pick: int) -> None:
        appeal = at_once(self.open_appeals(), pick)
        assert appeal is not None
        self.act(appeal_withdraw, actor=self.world.owner, appeal_id=appeal.pk)

    @precondition(lambda self: self.open_appeals())
    @rule(
        pick=PICK,
        outcome=st.sampled_from(["upheld", "reduced", "overturned", "overturned"]),
        share=st.floats(0, 0.99),
    )
    def an_appeal_is_decided(self, pick: int, outcome: str, share: float) -> None:
        appeal = at_once(self.open_appeals(), pick)
        assert appeal is not None
        reduction: dict[str, int] = {}
        if outcome == "reduced":
            penalty = appeal.penalty
            if penalty.ends_at is not None:
                reduction["days"] = int((penalty.ends_at - penalty.starts_at).days * share)
            if penalty.crossing_id is None and share > 0.3 and (left := points_left(penalty.violation_id)):
                reduction["points"] = int(left * share)
        judge = at_once(eligible_adjudicators(appeal), pick)
        if judge is not None:
            self.act(
                appeal_decide,
                actor=Actor.staff(judge),
                appeal_id=appeal.pk,
                outcome=outcome,
                answer=ANSWER,
                reduction=reduction,
            )

    @rule(pick=PICK)
    def the_platform_corrects_itself(self, pick: int) -> None:
        violation = at_once(self.violations("confirmed"), pick)
        if violation is not None:
            judge = Actor.staff(self.world.adjudicators[pick % 4])
            self.act(violation_correct, actor=judge, violation_id=violation.pk, reason=ANSWER)

    @rule(pick=PICK)
    def it_puts_things_right(self, pick: int) -> None:
        asked = self.penalties("scheduled", "stayed")
        penalty = at_once([one for one in asked if hasattr(one, "rectification")], pick)
        if penalty is not None:
            self.act(
                rectification_submit, actor=self.world.owner, penalty_id=penalty.pk, statement="Done now."
            )

    @rule(right=st.sampled_from([0, 0, 1]))
    def it_takes_the_quiz(self, right: int) -> None:
        lesson = self.world.lesson
        self.act(attempt_make, actor=self.world.owner, code=lesson.code, answers=answers(lesson, right))
        self.sweep("credit")

    @rule(kind=st.sampled_from(["", "suspension", "settlement_hold"]))
    def somebody_pulls_the_brake(self, kind: str) -> None:
        standing = EnforcementStop.objects.filter(closed_at__isnull=True).first()
        actor = self.world.enforcers[0]
        if standing is not None:
            self.act(services.stop_close, actor=actor, stop_id=standing.pk, reason="All is well.")
        else:
            self.act(
                services.stop_open, actor=actor, kind=kind, market_id=self.world.market.pk, reason="Wait."
            )

    # --- what holds ---------------------------------------------------------------------------------------------
    @invariant()
    def everything_adds_up(self) -> None:
        last = Event.objects.order_by("-id").values_list("id", flat=True).first()
        if last == self.looked_at:
            return
        self.looked_at = last
        check_points(self.guild)
        check_effects(self.guild)
        check_penalties(self.guild)
        check_offences(self.guild)
        self.check_stays()

    def check_stays(self) -> None:
        """What is stayed waits for an open appeal, and every open appeal is about something."""
        asked = {appeal.penalty for appeal in self.open_appeals()}
        cases = {one.violation_id for one in asked if one.crossing_id is None}
        for penalty in self.penalties("stayed"):
            assert penalty.violation_id in cases or penalty in asked
        assert all(one.status not in ("reversed", "held") for one in asked), "an appeal about nothing"

    # --- the end ------------------------------------------------------------------------------------------------
    def teardown(self) -> None:
        try:
            self.undo_everything()
        finally:
            self.clock_patch.stop()
            transaction.set_rollback(True)
            self.savepoint.__exit__(None, None, None)

    def undo_everything(self) -> None:
        left = list(self.violations("confirmed"))
        self.dice.shuffle(left)
        for violation in left:
            self.world.clock += dt.timedelta(seconds=1)
            # Whoever moved the rungs of a later offence has taken part in that one too.
            judge = Actor.staff(factories.staff("adjudicator"))
            violation_correct(actor=judge, violation_id=violation.pk, reason=ANSWER)
            check_points(self.guild)
            check_effects(self.guild)
            check_penalties(self.guild)
            check_offences(self.guild)
        as_at_the_beginning(self.guild)
        assert not self.open_appeals()
        for _ in range(2):
            self.world.clock += 100 * HOUR
            self.world.settle()
        as_at_the_beginning(self.guild)


@pytest.mark.slow
@pytest.mark.timeout(0 if DEEP else 300)
@pytest.mark.django_db
def test_whatever_happens_adds_up_and_can_be_undone() -> None:
    run_state_machine_as_test(
        GuildStory,
        settings=settings(
            max_examples=DEEP or 4,
            stateful_step_count=30 if DEEP else 20,
            deadline=None,
            derandomize=not DEEP,
            database=None,
            phases=[Phase.explicit, Phase.generate] if not SHRINK else list(Phase),
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
