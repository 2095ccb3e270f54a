"""The system that carries penalties out, and those who look after it: acknowledgements, comparisons, stops, what is owed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from config.world.people import SYSTEM
from config.world.population import DAY
from config.world.replay import Replay
from config.world.spec import dice
from governance.notices.services import contact_add
from governance.penalties.enums import PenaltyKind, PenaltyStatus, RectificationStatus
from governance.penalties.models import Compensation, Penalty, Rectification
from governance.penalties.services import (
    cap_set,
    compensation_settle,
    penalty_acknowledge,
    reconcile,
    rectification_submit,
    stop_open,
)
from governance.penalties.services.reconciliation import Reported
from guilds.accounts.actor import Actor
from guilds.accounts.clients import client_create
from guilds.accounts.enums import Scope
from guilds.models import Market

#: The enforcing system was connected so many days before today; nobody confirmed anything before.
CONNECTED_DAYS = 60
#: Of what it does, so many of a hundred confirmations get lost.
LOST_PERCENT = 4
#: Guilds that put things right in time, of a hundred.
CORRECT_PERCENT = 60
SETTLED_AFTER_DAYS = 20
DESKS = (("legal", "Legal"), ("operations", "Operations"))
NOT_ENFORCED = (PenaltyKind.WARNING, PenaltyKind.INTERVIEW, PenaltyKind.TRAINING, PenaltyKind.PUBLIC_NOTICE)
ENFORCED = [kind.value for kind in PenaltyKind if kind not in NOT_ENFORCED]


def contacts_add(replay: Replay) -> None:
    """The portal's guilds say where their notices go, beside the portal."""
    for entry in replay.world.portal:
        for desk, name in DESKS:
            contact_add(
                actor=replay.people.owners[entry.guild],
                guild_id=replay.guilds[entry.guild].pk,
                email=f"{desk}@{entry.guild}.demo.guildhall.test",
                name=name,
            )


@dataclass
class Enforcement:
    """A machine that confirms what begins and ends, day after day."""

    replay: Replay
    confirmed: set[tuple[int, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        client, _secret = client_create(
            actor=SYSTEM, name="Backstage (example)", scopes=[Scope.PENALTIES_READ, Scope.PENALTIES_ACK]
        )
        self.actor = Actor.client(client, scopes=client.allowed_scopes)

    def plan(self) -> None:
        today = self.replay.population.today
        for day in range(CONNECTED_DAYS):
            self.replay.plan(today - (day + 0.01) * DAY, f"backstage {day:03d}", self._confirm)

    def _confirm(self) -> None:
        since = self.replay.population.today - CONNECTED_DAYS * DAY
        known = Penalty.objects.filter(applied_at__gte=since).exclude(kind__in=NOT_ENFORCED)
        for penalty in known.filter(
            status__in=[PenaltyStatus.IN_FORCE, PenaltyStatus.LIFTED, PenaltyStatus.REVERSED]
        ).select_related("violation__rule", "guild"):
            step = (penalty.pk, penalty.status)
            if step in self.confirmed:
                continue
            self.confirmed.add(step)
            name = f"{self.replay.case_of(penalty.violation).name} {penalty.kind} {penalty.status}"
            if dice(self.replay.seed, "backstage", name).random() * 100 >= LOST_PERCENT:
                penalty_acknowledge(actor=self.actor, penalty_id=penalty.pk)

    def leave(self) -> None:
        """Today: its own list lacks one, has one too many, and lets one run on; a stop; a cap; what is owed is made good."""
        people, now = self.replay.people, self.replay.clock.at
        held = (
            Penalty.objects.filter(status=PenaltyStatus.IN_FORCE, applied_at__lt=now - 2 * DAY)
            .exclude(kind__in=NOT_ENFORCED)
            .select_related("guild")
            .order_by("applied_at", "guild__external_id", "kind")
        )
        theirs = [
            Reported(row.public_id, row.kind, row.guild.external_id, row.ends_at, tells_end=True)
            for row in held
        ]
        over = (
            Penalty.objects.filter(status=PenaltyStatus.LIFTED, ended_at__lt=now - DAY, ends_at__isnull=False)
            .exclude(kind__in=NOT_ENFORCED)
            .select_related("guild")
            .order_by("-ended_at", "guild__external_id", "kind")
            .first()
        )
        theirs = theirs[1:]
        if theirs and theirs[0].ends_at is not None:
            theirs[0] = replace(theirs[0], ends_at=theirs[0].ends_at + 7 * DAY)
        if over is not None:
            theirs.append(
                Reported(over.public_id, over.kind, over.guild.external_id, over.ends_at, tells_end=True)
            )
        reconcile(actor=self.actor, rows=theirs, kinds=ENFORCED)
        cap_set(
            actor=people.staff["admin"],
            kind=PenaltyKind.SETTLEMENT_HOLD,
            market_id=None,
            per_hour=25,
            reason="More holds than this in an hour have never been right.",
        )
        stop_open(
            actor=people.staff["enforcer"],
            kind=PenaltyKind.TRAFFIC_LIMIT,
            market_id=Market.objects.get(code="TR").pk,
            reason="The traffic service of this market is being moved; it would take limits and forget them.",
        )
        old = Compensation.objects.filter(
            settled_at__isnull=True, opened_at__lt=now - SETTLED_AFTER_DAYS * DAY
        )
        for owed in old.order_by("pk"):
            compensation_settle(
                actor=people.staff["admin"],
                compensation_id=owed.pk,
                amount=owed.estimate or 0,
                note="Paid with the settlement of the month.",
            )


def corrections_plan(replay: Replay, penalty: Penalty) -> None:
    """A guild that is to put something right says that it has, or does not."""
    asked = Rectification.objects.filter(penalty=penalty, status=RectificationStatus.OPEN).first()
    if asked is None:
        return
    case = replay.case_of(penalty.violation)
    name = f"{case.name} correction {penalty.kind}"
    if dice(replay.seed, "correction", name).random() * 100 >= CORRECT_PERCENT:
        return
    days = max((asked.due_at - replay.clock.at) / DAY, 0.2)

    def submit() -> None:
        waiting = Rectification.objects.filter(
            pk=asked.pk,
            status=RectificationStatus.OPEN,
            due_at__gt=replay.clock.at,
            penalty__status=PenaltyStatus.SCHEDULED,
            penalty__starts_at__gt=replay.clock.at,
        )
        if waiting.exists():
            rectification_submit(
                actor=replay.people.owner(replay.guilds[case.guild]),
                penalty_id=penalty.pk,
                statement="We have paid what was open and changed who signs it off.",
            )

    replay.plan(replay.later(name, "correction", [0.1 * days, 0.8 * days]), name, submit)
