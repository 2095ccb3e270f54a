"""A step of a ladder in words: what it is, when it starts, and what keeps it from starting."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.penalties.enums import PenaltyKind
from governance.penalties.kinds import KINDS
from governance.penalties.ladders import APPEAL, CORRECTION, LadderSpec, grace_of, stopped_by


def step_words(step: Mapping[str, Any]) -> str:
    """The step in the active language: its kind and length, then its conditions."""
    kind = step.get("kind")
    words = KINDS[str(kind)].describe(step) if kind in PenaltyKind.values else "?"
    return "; ".join([words, *conditions_words(step)])


def conditions_words(step: Mapping[str, Any]) -> list[str]:
    """When it starts and what stops it, one phrase each; empty for a step that starts at once."""
    found = []
    if grace := grace_of(step):
        found.append(_("starts %(time)s later") % {"time": duration_words(grace)})
    if stopped := stops_words(step):
        found.append(stopped)
    if step.get("stack") == "after":
        found.append(_("begins when one of its kind ends"))
    return found


def stops_words(step: Mapping[str, Any]) -> str:
    """What keeps it from starting, or nothing."""
    correction, appeal = stopped_by(step, CORRECTION), stopped_by(step, APPEAL)
    if correction and appeal:
        return _("does not start if put right by then, and waits for the answer to an appeal")
    if correction:
        return _("does not start if put right by then")
    return _("waits for the answer to an appeal") if appeal else ""


def duration_words(span: dt.timedelta) -> str:
    """7 days, 12 hours or 15 minutes, in the largest unit that keeps it whole."""
    minutes = int(span.total_seconds()) // 60
    if minutes % 1440 == 0:
        return ngettext("%(n)d day", "%(n)d days", minutes // 1440) % {"n": minutes // 1440}
    if minutes % 60 == 0:
        return ngettext("%(n)d hour", "%(n)d hours", minutes // 60) % {"n": minutes // 60}
    return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}


def ladder_words(spec: Mapping[str, Any], *, severity: str = "", market: str = "") -> list[str]:
    """What a ladder costs, in one market or (empty) where it has no values of its own: a line a rung, then the points.

    `severity` may be left out where the points' life is not of interest.
    """
    ladder = LadderSpec.read({"window": "180d", "steps": [], **spec}, severity=severity, market=market)
    rungs = [ladder.steps[-1]] if ladder.red_line and ladder.steps else ladder.steps
    lines = []
    for nth, rung in enumerate(rungs, start=1):
        what = ", ".join(step_words(step) for step in rung) or _("nothing")
        if ladder.red_line:
            lines.append(_("every time: %(penalties)s") % {"penalties": what})
        else:
            lines.append(_("%(nth)s.: %(penalties)s") % {"nth": nth, "penalties": what})
    points = _("%(points)s points each, counted within %(window)s") % {
        "points": ladder.points,
        "window": duration_words(ladder.window),
    }
    return [*lines, points]


def markets_of(spec: Mapping[str, Any]) -> list[str]:
    """The codes of the markets in which the ladder has values of its own."""
    return sorted(spec.get("by_market") or ())
