"""The rows of a launch page: gates and waves, each with what this person may do about it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from governance.launches.enums import AnnouncementKind, GateStatus, LaunchStatus, WaveStatus
from governance.launches.gating import CAPACITY, GateState
from governance.launches.models import Gate, Launch, Wave
from governance.launches.notice_period import free_at
from governance.launches.owed import Standing
from governance.launches.selectors import OPEN_LAUNCHES, OPEN_WAVES, progress_of
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.console.page import Badge, Variant

LAUNCH_VARIANTS: dict[str, Variant] = {
    LaunchStatus.PLANNING: "info",
    LaunchStatus.RUNNING: "primary",
    LaunchStatus.COMPLETED: "success",
    LaunchStatus.ROLLED_BACK: "danger",
    LaunchStatus.CANCELLED: "default",
}
WAVE_VARIANTS: dict[str, Variant] = {
    WaveStatus.PLANNED: "info",
    WaveStatus.GO: "primary",
    WaveStatus.NO_GO: "warning",
    WaveStatus.LIVE: "success",
    WaveStatus.ROLLED_BACK: "danger",
    WaveStatus.CANCELLED: "default",
}


def launch_badge(launch: Launch) -> Badge:
    return Badge(launch.get_status_display(), LAUNCH_VARIANTS[launch.status])


def wave_badge(wave: Wave) -> Badge:
    if wave.status == WaveStatus.GO and wave.blocked_reason:
        return Badge(_("Blocked"), "danger")
    return Badge(wave.get_status_display(), WAVE_VARIANTS[wave.status])


@dataclass(frozen=True)
class Button:
    """An act of a row, opened as a dialog; a page of its own without JavaScript."""

    text: str
    url: str
    primary: bool = False
    danger: bool = False


def _button(obj: Gate | Wave, name: str, text: Any, *, primary: bool = False, danger: bool = False) -> Button:
    model = obj._meta.model_name
    return Button(str(text), reverse(f"admin:governance_{model}_{name}", args=[obj.pk]), primary, danger)


@dataclass(frozen=True, kw_only=True)
class GateRow:
    state: GateState
    badge: Badge
    buttons: Sequence[Button]
    figures: Sequence[tuple[str, str]] = field(default_factory=tuple)


def gate_rows(standing: Standing, actor: Actor, today: dt.date) -> list[GateRow]:
    return [
        GateRow(
            state=state,
            badge=_gate_badge(state, today),
            buttons=gate_buttons(state.gate, standing.launch, actor),
            figures=figures_of(state),
        )
        for state in standing.states
        if state.gate.pk
    ]


def _gate_badge(state: GateState, today: dt.date) -> Badge:
    if state.passed:
        return Badge(_("Passed"), "success")
    return Badge(_("Overdue"), "danger") if state.overdue(today) else Badge(_("Open"), "warning")


def gate_buttons(gate: Gate, launch: Launch, actor: Actor) -> list[Button]:
    if launch.status not in OPEN_LAUNCHES:
        return []
    launcher = actor.has_role(Role.LAUNCHER)
    mine = launcher or (actor.user_id is not None and actor.user_id == gate.owner_id)
    buttons = []
    if mine and not GateState(gate=gate, passed=False, reason="").automatic:
        if gate.status == GateStatus.OPEN:
            buttons.append(_button(gate, "sign", _("Sign"), primary=True))
        else:
            buttons.append(_button(gate, "reopen", _("Reopen")))
    if launcher:
        buttons.append(_button(gate, "assign", _("Assign")))
    return buttons


def figures_of(state: GateState) -> list[tuple[str, str]]:
    """Estimate and capacity of a staffing gate, and the grounds of the estimate."""
    figures = state.figures
    if "hours_per_day" not in figures:
        return []
    hours = figures["hours_per_day"]
    rows = [
        (
            _("Estimate"),
            _("%(hours)s h a day") % {"hours": f"{hours:g}"} if hours is not None else _("insufficient data"),
        )
    ]
    if state.gate.figures.get(CAPACITY) is not None:
        rows.append((_("At hand"), _("%(hours)s h a day") % {"hours": f"{state.gate.figures[CAPACITY]:g}"}))
    rows += [(code, _market_figures(work)) for code, work in list(figures.get("markets", {}).items())[:8]]
    if figures.get("backtest"):
        rows.append(
            (_("Grounds"), _("backtest of %(days)s days") % {"days": f"{figures['backtest_days']:g}"})
        )
    else:
        rows.append((_("Grounds"), _("no backtest of this wording")))
    return rows


def _market_figures(work: dict[str, Any]) -> str:
    count = work.get("violations_per_day", work.get("appeals_per_day"))
    if count is None:
        return _("insufficient history")
    return _("%(count)s a day, %(hours)s h") % {"count": f"{count:g}", "hours": f"{work['hours_per_day']:g}"}


@dataclass(frozen=True, kw_only=True)
class WaveRow:
    wave: Wave
    badge: Badge
    markets: Sequence[tuple[str, dt.datetime | None]]
    told: int
    to_tell: int
    sending: bool
    buttons: Sequence[Button]


def wave_rows(launch: Launch, actor: Actor) -> list[WaveRow]:
    rows = []
    waves = launch.waves.select_related("decided_by").prefetch_related("markets__regime", "announcements")
    for wave in waves.order_by("number"):
        wave.launch = launch
        coming = [one for one in wave.announcements.all() if one.kind == AnnouncementKind.COMING]
        told, to_tell = progress_of(wave)
        rows.append(
            WaveRow(
                wave=wave,
                badge=wave_badge(wave),
                markets=[
                    (market.code, free_at(coming, launch.version, market))
                    for market in sorted(wave.markets.all(), key=lambda market: market.code)
                ],
                told=told,
                to_tell=to_tell,
                sending=any(one.sent_at is None for one in wave.announcements.all()),
                buttons=wave_buttons(wave, actor),
            )
        )
    return rows


def wave_buttons(wave: Wave, actor: Actor) -> list[Button]:
    buttons = []
    if actor.has_role(Role.LAUNCHER):
        if wave.status in OPEN_WAVES:
            if wave.announced_at is None:
                buttons.append(_button(wave, "announce", _("Announce"), primary=True))
            if wave.status != WaveStatus.GO:
                buttons.append(_button(wave, "go", _("Go"), primary=wave.announced_at is not None))
            if wave.status != WaveStatus.NO_GO:
                buttons.append(_button(wave, "no_go", _("No go")))
            buttons += [_button(wave, "replan", _("Change")), _button(wave, "remove", _("Take out"))]
        if wave.status == WaveStatus.GO and wave.blocked_reason:
            buttons.insert(0, _button(wave, "start", _("Try again now"), primary=True))
        if wave.status == WaveStatus.LIVE and wave.share < 100:
            buttons.append(_button(wave, "widen", _("Widen"), primary=True))
        if wave.status == WaveStatus.LIVE and wave.holdout:
            buttons.append(_button(wave, "end_holdout", _("End the holdout")))
    if wave.status == WaveStatus.LIVE and actor.has_role(Role.LAUNCHER, Role.APPROVER):
        buttons.append(_button(wave, "roll_back", _("Roll back"), danger=True))
    return buttons


def blocks_of(standing: Standing) -> dict[str, Any]:
    """What keeps the next wave, in words, for its card."""
    wave = standing.next_wave
    words = [
        {"label": state.gate.get_kind_display(), "reason": state.reason, "who": state.gate.owner}
        for state in standing.blocks
    ]
    return {
        "wave": wave,
        "launch": standing.launch,
        "blocks": words,
        "undecided": wave is not None and wave.status != WaveStatus.GO,
        "open": standing.launch.status in OPEN_LAUNCHES,
    }
