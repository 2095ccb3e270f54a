"""The guilds' side of the story: who appeals against what, what is said, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass

from appeals.enums import Grounds, Outcome
from appeals.models import Appeal
from appeals.policy import APPEALABLE, appeal_refusal
from appeals.services import appeal_assign, appeal_decide, appeal_file, appeal_message, appeal_withdraw
from config.world.population import DAY
from config.world.replay import Case, Replay
from config.world.spec import dice
from governance.penalties.enums import PenaltyKind, PenaltyStatus
from governance.penalties.models import Penalty
from governance.penalties.selectors import points_left
from governance.violations.models import Violation
from guilds.accounts.actor import Actor

#: What a guild would rather fight than a warning or a training.
MILD = (PenaltyKind.WARNING, PenaltyKind.TRAINING)


@dataclass
class Challenges:
    """Plans appeals for sanctioned violations on the replay's agenda."""

    replay: Replay

    def consider(self, case: Case, violation: Violation) -> None:
        """Whether and when the guild appeals; once per violation."""
        replay, work = self.replay, self.replay.work
        wanted = case.happening.appeal if case.happening else ""
        if wanted:
            days = (0.5, 1.0)
        else:
            chance = work["appeal_filed"]["if_right" if case.true else "if_wrong"]
            if case.happening or dice(replay.seed, "appeals", case.name).random() >= chance:
                return
            days = work["appeal_filed"]["days"]
        at = replay.later(case.name, "appeal", days)
        if wanted == "open":
            at = max(at, replay.population.today - 1.5 * DAY)
        replay.plan(at, f"{case.name} appeal", lambda: self._file(case, violation.pk, wanted))

    def _file(self, case: Case, violation_id: int, wanted: str) -> None:
        replay = self.replay
        owner = replay.people.owner(replay.guilds[case.guild])
        penalty = self._penalty(violation_id)
        if penalty is None or appeal_refusal(penalty, actor=owner, now=replay.clock.at):
            return
        options = (
            [Grounds.DISPROPORTIONATE, Grounds.RULE_MISREAD]
            if case.true
            else [Grounds.FACTS_WRONG, Grounds.NOT_OURS]
        )
        grounds = dice(replay.seed, "grounds", case.name).choice(options).value
        statement = replay.world.raw["words"]["appeal"][grounds][0]
        appeal = appeal_file(actor=owner, penalty_id=penalty.pk, grounds=grounds, statement=statement)
        settled_at = replay.later(case.name, "decision", replay.work["appeal_decided"]["days"])
        if wanted == "open":
            settled_at = replay.population.today + DAY
        rng = dice(replay.seed, "talk", case.name)
        if wanted or rng.random() < 0.25:
            said = replay.words("guild_message", case.name)
            replay.plan(
                min(replay.clock.at + 0.3 * DAY, settled_at),
                f"{case.name} guild message",
                lambda: self._say(owner, appeal, said),
            )
            replay.plan(
                min(replay.clock.at + 0.7 * DAY, settled_at),
                f"{case.name} staff message",
                lambda: self._answer(case, appeal),
            )
        if not wanted and rng.random() < replay.work["appeal_decided"]["withdrawn"]:
            replay.plan(settled_at, f"{case.name} withdrawal", lambda: self._withdraw(owner, appeal))
        else:
            replay.plan(settled_at, f"{case.name} decision", lambda: self._decide(case, appeal))

    def _penalty(self, violation_id: int) -> Penalty | None:
        """The hardest penalty of the violation that the guild knows of and may still challenge."""
        known = list(
            Penalty.objects.filter(violation=violation_id, crossing__isnull=True, status__in=APPEALABLE)
            .select_related("notice")
            .prefetch_related("appeals")
            .order_by("pk")
        )
        known.sort(key=lambda penalty: penalty.kind in MILD)
        return known[0] if known else None

    def _open(self, appeal: Appeal) -> bool:
        """An overturn elsewhere may have closed it meanwhile."""
        return Appeal.objects.filter(pk=appeal.pk, status="open").exists()

    def _say(self, owner: Actor, appeal: Appeal, body: str) -> None:
        if self._open(appeal):
            appeal_message(actor=owner, appeal_id=appeal.pk, body=body)

    def _answer(self, case: Case, appeal: Appeal) -> None:
        adjudicator = self.replay.people.staff["adjudicator"]
        if self._open(appeal):
            appeal_assign(actor=adjudicator, appeal_id=appeal.pk, user_id=adjudicator.user_id)
            appeal_message(
                actor=adjudicator, appeal_id=appeal.pk, body=self.replay.words("staff_message", case.name)
            )

    def _withdraw(self, owner: Actor, appeal: Appeal) -> None:
        if self._open(appeal):
            appeal_withdraw(actor=owner, appeal_id=appeal.pk, reason="We have settled this in another way.")

    def _decide(self, case: Case, appeal: Appeal) -> None:
        if not self._open(appeal):
            return
        replay = self.replay
        outcome = self._outcome(case)
        reduction = self._reduction(appeal) if outcome == Outcome.REDUCED else None
        if outcome == Outcome.REDUCED and reduction is None:
            outcome = Outcome.UPHELD
        appeal_decide(
            actor=replay.people.staff["adjudicator"],
            appeal_id=appeal.pk,
            outcome=outcome.value,
            answer=replay.words(outcome.value, case.name),
            reduction=reduction,
        )

    def _outcome(self, case: Case) -> Outcome:
        shares = self.replay.work["outcomes"]["if_right" if case.true else "if_wrong"]
        drawn = dice(self.replay.seed, "outcome", case.name).random()
        if drawn < shares["overturned"]:
            return Outcome.OVERTURNED
        return Outcome.REDUCED if drawn < shares["overturned"] + shares["reduced"] else Outcome.UPHELD

    def _reduction(self, appeal: Appeal) -> dict[str, int] | None:
        """Half the days of what is still under way, else half the points; None when neither can be halved."""
        penalty = Penalty.objects.get(pk=appeal.penalty_id)
        if penalty.status == PenaltyStatus.IN_FORCE and penalty.ends_at:
            days = (penalty.ends_at - penalty.starts_at).days
            if days > 1:
                return {"days": days // 2}
        points = points_left(penalty.violation_id)
        return {"points": points // 2} if points > 1 else None
