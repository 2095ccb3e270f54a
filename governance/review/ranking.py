"""By when a case is wanted, and why it stands where it stands. Plain arithmetic, no storage.

The queue is ordered by `urgent_at`, earliest first: the moment of detection plus the time the target allows, shortened by up to
30 % for the harm of the rule's risk and by up to 30 % for the accuracy of its source. A moment instead of a score, because then
age needs no recomputing: an old case of little weight overtakes a fresh grave one once its own time is nearer. `due_at` is
the promise itself, the whole time of the target.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils.translation import gettext as _

from governance.rules.enums import Severity

#: Hours until a case is to be decided where no target says otherwise.
DEFAULT_HOURS = {Severity.S1: 4, Severity.S2: 24, Severity.S3: 72, Severity.S4: 120}
DEFAULT_WARN_PERCENT = 75
#: The share of the time that the greatest harm, or a source that is always right, takes off.
HARM_SHARE = 0.3
ACCURACY_SHARE = 0.3
LEAST_HARM, GREATEST_HARM = 1, 5
#: What is not known counts as neither good nor bad.
UNKNOWN_ACCURACY = 0.5
#: An escalated case is wanted this much earlier: before everything that was not escalated, and in the same order among its like.
ESCALATION_LEAD = dt.timedelta(days=3650)


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What a target says: so many hours, and a warning when so much of them is over."""

    hours: int
    warn_percent: int = DEFAULT_WARN_PERCENT

    @property
    def time(self) -> dt.timedelta:
        return dt.timedelta(hours=self.hours)

    @property
    def lead(self) -> dt.timedelta:
        """How long before the due moment the warning is given. A hold moves both."""
        return self.time * (100 - self.warn_percent) / 100


def default_promise(severity: str) -> Promise:
    return Promise(hours=DEFAULT_HOURS[Severity(severity)])


def due_at(opened_at: dt.datetime, promise: Promise) -> dt.datetime:
    return opened_at + promise.time


def urgent_at(
    opened_at: dt.datetime, promise: Promise, *, harm: int | None, accuracy: float | None
) -> dt.datetime:
    """`harm` is the risk's, 1 to 5; `accuracy` the share of what the rule found that people upheld, 0 to 1; None: not known."""
    return opened_at + promise.time * (1 - _harm_off(harm) - _accuracy_off(accuracy))


def accuracy_from(upheld: int, decided: int) -> float:
    """The share upheld, drawn towards one half while little is decided (Laplace's rule of succession)."""
    return (upheld + 1) / (decided + 2)


def reasons(
    *,
    severity: str,
    opened_at: dt.datetime,
    due_at: dt.datetime,
    harm: int | None,
    accuracy: float | None,
    escalated: bool,
    now: dt.datetime,
) -> list[str]:
    """Why a case stands where it stands, in sentences, the weightiest first."""
    said = []
    if escalated:
        said.append(_("Escalated: it goes before everything that was not."))
    left = due_at - now
    if left < dt.timedelta(0):
        said.append(_("Overdue by %(time)s.") % {"time": in_words(-left)})
    else:
        said.append(_("To be decided within %(time)s.") % {"time": in_words(left)})
    said.append(
        _("Severity %(severity)s gives it %(time)s in all.")
        % {"severity": severity, "time": in_words(due_at - opened_at)}
    )
    said.append(_("It waits since %(time)s.") % {"time": in_words(max(now - opened_at, dt.timedelta(0)))})
    if harm is not None:
        said.append(
            _("Harm %(harm)s of 5: wanted %(percent)s %% earlier.")
            % {"harm": harm, "percent": round(100 * _harm_off(harm))}
        )
    if accuracy is not None:
        said.append(
            _("Reviewers uphold %(share)s %% of what this rule finds: wanted %(percent)s %% earlier.")
            % {"share": round(100 * accuracy), "percent": round(100 * _accuracy_off(accuracy))}
        )
    return said


def in_words(time: dt.timedelta) -> str:
    """Days and hours, or hours and minutes: as exact as it matters."""
    minutes = int(time.total_seconds() // 60)
    if minutes >= 48 * 60:
        return _("%(days)s d %(hours)s h") % {"days": minutes // 1440, "hours": minutes % 1440 // 60}
    if minutes >= 60:
        return _("%(hours)s h %(minutes)s min") % {"hours": minutes // 60, "minutes": minutes % 60}
    return _("%(minutes)s min") % {"minutes": minutes}


def _harm_off(harm: int | None) -> float:
    if harm is None:
        return 0.0
    return HARM_SHARE * (harm - LEAST_HARM) / (GREATEST_HARM - LEAST_HARM)


def _accuracy_off(accuracy: float | None) -> float:
    return ACCURACY_SHARE * (UNKNOWN_ACCURACY if accuracy is None else accuracy)
