"""What blocks whom: everything open launches still wait for, and who owes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from governance.launches.enums import GateKind, Team, WaveStatus
from governance.launches.gating import GateState, gate_states
from governance.launches.models import Launch, Wave
from governance.launches.selectors import OPEN_WAVES, launches_open
from governance.launches.staffing import AppealHistory
from guilds.accounts.actor import Actor

#: Launches looked at for one page; more are not run at a time.
LAUNCHES = 60
#: A word is owed this long before the planned start.
DECIDE_BEFORE = dt.timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Owed:
    """One thing somebody owes a launch. `due_on` None: whenever."""

    who: str
    team: str
    launch: Launch
    what: str
    why: str
    due_on: dt.date | None
    overdue: bool


@dataclass(frozen=True, kw_only=True)
class Standing:
    """An open launch with its gates as they stand, and its next wave."""

    launch: Launch
    states: Sequence[GateState]
    next_wave: Wave | None
    waves: Sequence[Wave]

    @property
    def passed(self) -> int:
        return sum(state.passed for state in self.states)

    @property
    def blocks(self) -> list[GateState]:
        return [state for state in self.states if not state.passed]


def standing_of(launch: Launch, history: AppealHistory | None = None) -> Standing:
    waves = sorted(launch.waves.all(), key=lambda wave: (wave.planned_at, wave.number))
    coming = [wave for wave in waves if wave.status in OPEN_WAVES]
    next_wave = coming[0] if coming else None
    return Standing(
        launch=launch,
        states=gate_states(launch, next_wave, history),
        next_wave=next_wave,
        waves=[wave for wave in waves if wave.status != WaveStatus.CANCELLED],
    )


def standings(actor: Actor) -> list[Standing]:
    history = AppealHistory()
    return [standing_of(launch, history) for launch in launches_open(actor)[:LAUNCHES]]


def owed(open_launches: Iterable[Standing], today: dt.date) -> list[Owed]:
    """All that is owed, overdue first, then by date."""
    found: list[Owed] = []
    for standing in open_launches:
        found += _gates(standing, today)
        found += _waves(standing, today)
    return sorted(found, key=lambda one: (not one.overdue, one.due_on or dt.date.max, one.team, one.who))


def _gates(standing: Standing, today: dt.date) -> Iterable[Owed]:
    for state in standing.blocks:
        # While the notice runs nobody owes anything but patience.
        if state.kind == GateKind.NOTICE and standing.next_wave and standing.next_wave.announced_at:
            continue
        yield Owed(
            who=str(state.gate.owner or ""),
            team=str(Team(state.gate.team).label) if state.gate.team else "",
            launch=standing.launch,
            what=str(GateKind(state.kind).label),
            why=state.reason,
            due_on=state.gate.due_on,
            overdue=state.overdue(today),
        )


def _waves(standing: Standing, today: dt.date) -> Iterable[Owed]:
    launch = standing.launch
    owner = str(launch.owner)
    if standing.next_wave is None:
        yield _owe(launch, owner, _("Plan a wave"), _("No wave is to come."), None, today)
        return
    for wave in standing.waves:
        name = _("wave %(number)d") % {"number": wave.number}
        planned = wave.planned_at.date()
        if wave.status == WaveStatus.GO and wave.blocked_reason:
            yield _owe(
                launch,
                owner,
                _("Clear the way of %(wave)s") % {"wave": name},
                wave.blocked_reason,
                planned,
                today,
            )
        elif wave.status == WaveStatus.NO_GO:
            yield _owe(launch, owner, _("Plan %(wave)s anew") % {"wave": name}, wave.reason, planned, today)
        elif wave.status == WaveStatus.PLANNED and wave.announced_at is not None:
            due = (wave.planned_at - DECIDE_BEFORE).date()
            yield _owe(
                launch, owner, _("Decide on %(wave)s") % {"wave": name}, _("Nobody has said go."), due, today
            )


def _owe(launch: Launch, who: str, what: Any, why: Any, due_on: dt.date | None, today: dt.date) -> Owed:
    return Owed(
        who=who,
        team=str(_("Launch")),
        launch=launch,
        what=str(what),
        why=str(why),
        due_on=due_on,
        overdue=due_on is not None and due_on < today,
    )
