"""What can be said about a rule from what it did: counts, and shares with their intervals."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, QuerySet

from governance.insights.intervals import Share
from governance.ledger.models import Event
from governance.penalties.enums import PenaltyKind
from governance.penalties.models import Penalty
from governance.rules.models import Rule
from governance.violations.enums import DetectionMode, ViolationStatus
from governance.violations.models import Detection, Violation
from guilds.accounts.actor import Actor

#: Appeals stand above this package, so they are read from the ledger: the acts, and the outcomes a decision may have.
FILED, DECIDED = "appeal.filed", "appeal.decided"
OUTCOMES = ("upheld", "reduced", "overturned")


@dataclass(frozen=True, kw_only=True)
class Scorecard:
    """One rule, all its versions, within [since, until) and the actor's reach; None leaves an end open.

    Detections, violations and penalties count by the time of detection (penalties: proposal), appeals by the time of the act.
    `confirmed`: of violations decided, those that stand confirmed; an overturned one does not. `overturned`: of appeals
    decided, those that overturned the penalty; it says nothing of penalties nobody appealed, so it is no error rate.
    """

    rule: str
    name: str
    since: dt.datetime | None
    until: dt.datetime | None
    detections: dict[str, int]
    violations: dict[str, int]
    penalties: dict[str, int]
    appeals: dict[str, int]
    confirmed: Share = field(init=False)
    overturned: Share = field(init=False)

    def __post_init__(self) -> None:
        confirmed = self.violations[ViolationStatus.CONFIRMED]
        decided = sum(self.violations.values()) - self.violations[ViolationStatus.OPEN]
        object.__setattr__(self, "confirmed", Share.of(confirmed, decided))
        object.__setattr__(self, "overturned", Share.of(self.appeals["overturned"], self.appeals["decided"]))


def rule_scorecard(
    *, actor: Actor, rule: Rule, since: dt.datetime | None = None, until: dt.datetime | None = None
) -> Scorecard:
    """The scorecard of a rule over a window, within the actor's guild or markets."""
    window = (actor, since, until)
    detections = _within(Detection.objects.filter(version__rule=rule), "detected_at", *window)
    violations = _within(Violation.objects.filter(rule=rule), "detected_at", *window)
    penalties = _within(Penalty.objects.filter(version__rule=rule), "proposed_at", *window)
    acts = _within(Event.objects.filter(object_type="appeal", act__in=[FILED, DECIDED]), "at", *window)
    return Scorecard(
        rule=rule.code,
        name=rule.name,
        since=since,
        until=until,
        detections=_counted(detections, "mode", DetectionMode.values),
        violations=_counted(violations, "status", ViolationStatus.values),
        penalties=_counted(penalties, "kind", PenaltyKind.values),
        appeals=_appeals(acts, rule.code),
    )


def _within(
    rows: QuerySet[Any], moment: str, actor: Actor, since: dt.datetime | None, until: dt.datetime | None
) -> QuerySet[Any]:
    if since:
        rows = rows.filter(**{f"{moment}__gte": since})
    if until:
        rows = rows.filter(**{f"{moment}__lt": until})
    if actor.guild_id is not None:
        return rows.filter(guild_id=actor.guild_id)
    if actor.market_ids is not None:
        return rows.filter(market_id__in=actor.market_ids)
    return rows


def _counted(rows: QuerySet[Any], column: str, values: Iterable[str]) -> dict[str, int]:
    """Rows per value of a column, with a zero for every value that has none."""
    found = dict(rows.order_by().values_list(column).annotate(n=Count("pk")))
    return {value: found.get(value, 0) for value in values}


def _appeals(acts: QuerySet[Event], code: str) -> dict[str, int]:
    """Appeals filed, decided, and decided each way, from the acts of appeals against this rule."""
    of_rule = acts.filter(after__rule=code).order_by()
    found: Counter[str] = Counter()
    for act, outcome, n in of_rule.values_list("act", "after__outcome").annotate(n=Count("pk")):
        found[act] += n
        if act == DECIDED:
            found[outcome] += n
    return {
        "filed": found[FILED],
        "decided": found[DECIDED],
        **{outcome: found[outcome] for outcome in OUTCOMES},
    }
