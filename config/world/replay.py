"""Living through the year: events come in, rules judge, people decide, penalties begin and end, guilds appeal.

Every act goes through the service that does it in earnest, at the world's time (clock.py). Chance is drawn per case from its
natural name, never from keys of the database, so that the same seed makes the same world in any database.
"""

from __future__ import annotations

import datetime as dt
import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from config.world.behaviour import Behaviour, Emitted
from config.world.clock import Clock
from config.world.people import SYSTEM, People
from config.world.population import DAY, Population
from config.world.spec import Happening, World, dice
from config.world.store import activity_write
from governance.education.services import assignments_remind_due
from governance.notices.services import dispatches_send_due
from governance.penalties.enums import PenaltyStatus
from governance.penalties.models import Penalty
from governance.penalties.services import (
    credits_apply_due,
    penalties_apply_due,
    penalties_lift_due,
    penalties_trained_due,
    penalty_refuse,
    penalty_release,
    points_expire_due,
    rectifications_check_due,
    sanctions_decide_due,
)
from governance.review.services import cases_open_due, violation_confirm, violation_dismiss
from governance.rules.enums import ReviewMode
from governance.signals.services import signals_ingest
from governance.violations.detection import BATCH_SIGNALS
from governance.violations.detection_facts import shard_of
from governance.violations.enums import ViolationStatus
from governance.violations.models import Violation
from governance.violations.services import detect_batch
from guilds.models import Guild
from guilds.registry.enums import GuildStatus

SANCTIONS = 500
SHUT_OUT = (GuildStatus.SUSPENDED, GuildStatus.TERMINATED)


@dataclass(frozen=True)
class Case:
    """A violation as chance and truth know it: rule, guild and day instead of keys."""

    rule: str
    guild: str
    day: int
    at: dt.datetime
    true: bool
    happening: Happening | None

    @property
    def name(self) -> str:
        return f"{self.rule} {self.guild} {self.at:%Y-%m-%dT%H:%M:%S}"


def detect(shards: Iterable[int]) -> None:
    """Judge everything that is pending in these shards."""
    for shard in sorted(shards):
        while detect_batch(shard=shard) == BATCH_SIGNALS:
            pass


@dataclass
class Replay:
    """The year under way. `silent` collects the guild-days that did not take place because the guild was shut out."""

    world: World
    population: Population
    behaviour: Behaviour
    people: People
    guilds: Mapping[str, Guild]
    clock: Clock
    seed: int
    silent: set[tuple[str, int]] = field(default_factory=set)
    bundle: list[Emitted] = field(default_factory=list)
    bundled: int = 0
    seen_violation: int = 0
    seen_penalty: int = 0
    agenda: list[tuple[dt.datetime, str, Callable[[], object]]] = field(default_factory=list)
    on_violation_sanctioned: Callable[[Case, Violation], None] | None = None
    on_penalty: Callable[[Penalty], None] | None = None

    def __post_init__(self) -> None:
        self.events_by_day: dict[int, list[Emitted]] = defaultdict(list)
        for emitted in self.behaviour.events:
            self.events_by_day[emitted.day].append(emitted)
        self.alarms_by_day: dict[int, set[str]] = defaultdict(set)
        for alarm in self.behaviour.alarms:
            self.alarms_by_day[alarm.day].add(alarm.guild)
        self.names = {guild.pk: name for name, guild in self.guilds.items()}
        self.work = self.world.raw["work"]

    def steps(self) -> Iterator[tuple[int, int]]:
        """(first day, day after the last) of each look at the world."""
        day = 0
        while day < self.population.days:
            left = self.population.days - day
            lengths = [length for until, length in self.world.raw["steps"] if left <= until]
            end = min(day + min(lengths, default=self.world.raw["first_step"]), self.population.days)
            yield day, end
            day = end

    def live_through(self, first: int, end: int) -> None:
        """Days first … end − 1: what people had planned for them, then the evening of the last."""
        self._work_until(self.population.moment(end))
        self.clock.move_to(self.population.moment(end))
        self._shut_out(first, end)
        activity_write(self.population, self.guilds, self.silent, range(first, end))
        self._take_in(first, end)
        # Where there is noise only nothing would be found, so it is judged together with the next alarm.
        detect(
            {shard_of(self.guilds[name].pk) for day in range(first, end) for name in self.alarms_by_day[day]}
        )
        self._plan_reviews()
        self._consequences()

    def _take_in(self, first: int, end: int) -> None:
        """The events of the days; what alarms nobody comes in bundles, as detectors send it in bulk."""
        self.bundle += [emitted for day in range(first, end) for emitted in self.events_by_day[day]]
        left = self.population.days - end
        bundled = end - self.bundled >= min(
            (every for until, every in self.world.raw["bundles"] if left <= until),
            default=self.world.raw["first_bundle"],
        )
        if bundled or not left:
            self.bundled = end
        due = [emitted for emitted in self.bundle if self.bundled == end or not emitted.noise]
        self.bundle = [] if self.bundled == end else [emitted for emitted in self.bundle if emitted.noise]
        events = [emitted.event for emitted in due if (emitted.guild, emitted.day) not in self.silent]
        if events:
            signals_ingest(actor=SYSTEM, events=events)

    def plan(self, at: dt.datetime, name: str, act: Callable[[], object]) -> None:
        """Put an act on the agenda; what falls beyond today is never reached and stays open."""
        heapq.heappush(self.agenda, (at, name, act))

    def later(self, name: str, what: str, days: tuple[float, float] | list[float]) -> dt.datetime:
        """A moment so many days after now, drawn for the case and the sort of work."""
        return self.clock.at + dice(self.seed, what, name).uniform(*days) * DAY

    def words(self, what: str, name: str) -> str:
        """One of the wordings of world.yaml, drawn for the case."""
        choices: list[str] = self.world.raw["words"][what]
        return dice(self.seed, "words", what, name).choice(choices)

    def case_of(self, violation: Violation) -> Case:
        """`violation` with its rule loaded. A violation of nobody we drew counts as true."""
        guild = self.names.get(violation.guild_id, "")
        day = (violation.occurred_at - self.population.begin).days
        rule = violation.rule.code
        return Case(
            rule=rule,
            guild=guild,
            day=day,
            at=violation.occurred_at,
            true=self.behaviour.true(guild, rule, day),
            happening=self.behaviour.marked.get((guild, rule, day)),
        )

    # --- what people do -------------------------------------------------------------------------------------------
    def _work_until(self, moment: dt.datetime) -> None:
        while self.agenda and self.agenda[0][0] < moment:
            at, _name, act = heapq.heappop(self.agenda)
            self.clock.move_to(at)
            act()

    def _plan_reviews(self) -> None:
        while cases_open_due():
            pass
        found = Violation.objects.filter(pk__gt=self.seen_violation).select_related("rule").order_by("pk")
        for violation in found:
            self.seen_violation = violation.pk
            if violation.status == ViolationStatus.OPEN:
                self._plan_review(violation)

    def _plan_review(self, violation: Violation) -> None:
        case = self.case_of(violation)
        if case.happening is not None and not case.happening.confirm:
            return
        reviewers = list(self.people.reviewers)
        rng = dice(self.seed, "reviewers", case.name)
        rng.shuffle(reviewers)
        needed = 2 if violation.review == ReviewMode.DUAL else 1
        verdicts: set[bool] = set()
        for place, (actor, person) in enumerate(reviewers, start=1):
            if place > needed and len(verdicts) < 2:
                break  # nobody has to break a tie
            error = person.error["dismisses_true" if case.true else "confirms_false"]
            confirms = case.true != (rng.random() < error) or case.happening is not None
            verdicts.add(confirms)
            act, what = (violation_confirm, "confirm") if confirms else (violation_dismiss, "dismiss")
            name = f"{case.name} {person.email}"
            at = self.later(name, "review", [0.1, 0.2] if case.happening else self.work["review"]["days"])
            if place > needed:
                at += self.work["review"]["days"][1] * DAY

            def give(act: Any = act, actor: Any = actor, what: str = what, name: str = name) -> None:
                act(actor=actor, violation_id=violation.pk, reason=self.words(what, name))

            self.plan(at, name, give)

    def _plan_release(self, penalty: Penalty) -> None:
        case = self.case_of(penalty.violation)
        name = f"{case.name} {penalty.kind} {penalty.crossing.band.code if penalty.crossing else ''}"
        if self.clock.at > self.population.today - self.work["release"]["waits_days"] * DAY:
            return
        chance = self.work["release"]["refused"].get(penalty.kind, 0)
        sure = case.happening is not None and case.happening.release
        refused = not sure and dice(self.seed, "release", name).random() < chance

        def decide() -> None:
            if not Penalty.objects.filter(pk=penalty.pk, status=PenaltyStatus.HELD).exists():
                return
            enforcer = self.people.staff["enforcer"]
            act, what = (penalty_refuse, "refuse") if refused else (penalty_release, "release")
            act(actor=enforcer, penalty_id=penalty.pk, reason=self.words(what, name))

        self.plan(self.later(name, "release", self.work["release"]["days"]), name, decide)

    # --- what the platform does ------------------------------------------------------------------------------------
    def _consequences(self) -> None:
        now = self.clock.at
        penalties_lift_due(now=now)
        penalties_trained_due(now=now)
        rectifications_check_due(now=now)
        points_expire_due(now=now)
        credits_apply_due(now=now)
        assignments_remind_due(now=now)
        while sanctions_decide_due(limit=SANCTIONS, now=now) == SANCTIONS:
            pass
        penalties_apply_due(now=now)
        while dispatches_send_due(limit=500, now=now):
            pass
        fresh = (
            Penalty.objects.filter(pk__gt=self.seen_penalty)
            .select_related("violation__rule", "crossing__band")
            .order_by("pk")
        )
        sanctioned: dict[int, Violation] = {}
        for penalty in fresh:
            self.seen_penalty = penalty.pk
            if penalty.status == PenaltyStatus.HELD:
                self._plan_release(penalty)
            if self.on_penalty:
                self.on_penalty(penalty)
            sanctioned[penalty.violation_id] = penalty.violation
        if self.on_violation_sanctioned:
            for violation in sanctioned.values():
                self.on_violation_sanctioned(self.case_of(violation), violation)

    def _shut_out(self, first: int, end: int) -> None:
        """Who is suspended or gone does nothing: its days are taken out of the truth before they happen."""
        for name in Guild.objects.filter(status__in=SHUT_OUT).values_list("external_id", flat=True):
            self.silent.update((name, day) for day in range(first, end))
