"""A dry run: what would start, end, wait and fail until a moment. Looks, and changes nothing."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field

from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    Func,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextChoices,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Greatest, Left, TruncHour
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from governance.penalties.enforcement import Stops, caps_by_place, overtaken, stops_open
from governance.penalties.enums import PenaltyKind, PenaltyStatus
from governance.penalties.models import EnforcementStop, Penalty
from governance.penalties.selectors import with_lawfulness
from governance.violations.enums import ViolationStatus
from guilds.accounts.actor import Actor
from guilds.console.lists import in_markets

SHOWN = 20


class Fault(TextChoices):
    """Why a start would fail; the same tests as `unlawful`, in SQL."""

    VIOLATION = "violation", _("Its violation is not confirmed, or no longer.")
    NOT_LIVE = "not_live", _("The rule version was not live in this market on the day of the violation.")
    NO_NOTICE = "no_notice", _("The guild will not have been given notice by then.")


@dataclass
class Line:
    """One kind in one market. `held_by` is the stop that keeps the starts waiting; `busiest` the most starts of one hour."""

    kind: str
    market_id: int
    market: str
    starts: int = 0
    ends: int = 0
    fails: int = 0
    falls_away: int = 0
    first: dt.datetime | None = None
    held_by: EnforcementStop | None = None
    cap: int | None = None
    busiest: int = 0

    @property
    def label(self) -> str:
        return str(PenaltyKind(self.kind).label)

    @property
    def trips(self) -> bool:
        """Whether the cap would open a stop."""
        return self.cap is not None and self.held_by is None and self.busiest > self.cap


@dataclass(frozen=True)
class Refusal:
    kind: str
    market: str
    why: Fault
    number: int


@dataclass(frozen=True)
class Coming:
    """What is due until `until`. `stuck` are penalties in force whose lifting was tried and failed."""

    now: dt.datetime
    until: dt.datetime
    lines: list[Line] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    stops: list[EnforcementStop] = field(default_factory=list)
    stuck: list[Penalty] = field(default_factory=list)

    def total(self, name: str) -> int:
        return sum(getattr(line, name) for line in self.lines)

    @property
    def waiting(self) -> int:
        return sum(line.starts for line in self.lines if line.held_by)


def with_fault(penalties: QuerySet[Penalty], now: dt.datetime) -> QuerySet[Penalty]:
    """Adds `fault`: why each would fail when it starts, or an empty string."""
    late = Q(notice__isnull=True) | Q(notice__issued_at__gt=Greatest(F("starts_at"), Value(now)))
    return with_lawfulness(penalties).annotate(
        fault=Case(
            When(~Q(violation__status=ViolationStatus.CONFIRMED), then=Value(Fault.VIOLATION.value)),
            When(was_live=False, then=Value(Fault.NOT_LIVE.value)),
            When(late, then=Value(Fault.NO_NOTICE.value)),
            default=Value(""),
        )
    )


def penalties_due(until: dt.datetime, *, actor: Actor, now: dt.datetime | None = None) -> Coming:
    """What would happen by itself until then, within the actor's markets, by kind and market."""
    now = now or timezone.now()
    stops = stops_open()
    lines: dict[tuple[str, int], Line] = {}
    refusals: list[Refusal] = []
    starting = in_markets(
        Penalty.objects.filter(status=PenaltyStatus.SCHEDULED, starts_at__lte=until), actor
    ).order_by()
    fallen = overtaken(now)
    place = ("kind", "market_id", "market__code")
    counted = with_fault(starting.exclude(fallen), now).values(*place, "fault")
    for row in counted.annotate(number=Count("pk"), first=Min("starts_at")):
        line = _line(lines, row)
        if row["fault"]:
            line.fails += row["number"]
            refusals.append(Refusal(row["kind"], row["market__code"], Fault(row["fault"]), row["number"]))
        else:
            line.starts += row["number"]
            line.first = row["first"]
            line.held_by = stops.of(row["kind"], row["market_id"])
    for row in starting.filter(fallen).values(*place).annotate(number=Count("pk")):
        _line(lines, row).falls_away += row["number"]
    ending = in_markets(Penalty.objects.filter(status=PenaltyStatus.IN_FORCE, ends_at__lte=until), actor)
    for row in ending.order_by().values(*place).annotate(number=Count("pk")):
        _line(lines, row).ends += row["number"]
    both = with_fault(starting.filter(ends_at__lte=until).exclude(fallen | stops.holds()), now)
    for row in both.filter(Q(("fault", ""))).values(*place).annotate(number=Count("pk")):
        _line(lines, row).ends += row["number"]
    _caps(lines, starting, stops, now)
    stuck = in_markets(
        Penalty.objects.filter(status=PenaltyStatus.IN_FORCE, ends_at__lte=now).exclude(last_error=""), actor
    )
    return Coming(
        now=now,
        until=until,
        lines=sorted(lines.values(), key=lambda line: (line.market, line.kind)),
        refusals=sorted(refusals, key=lambda refusal: -refusal.number),
        stops=[stop for stop in stops.rows if stop.market_id is None or actor.sees_market(stop.market_id)],
        stuck=list(stuck.select_related("guild", "market").order_by("ends_at")[:SHOWN]),
    )


def _line(lines: dict[tuple[str, int], Line], row: dict[str, object]) -> Line:
    kind, market_id = str(row["kind"]), int(str(row["market_id"]))
    return lines.setdefault((kind, market_id), Line(kind, market_id, str(row["market__code"])))


def _caps(
    lines: dict[tuple[str, int], Line], starting: QuerySet[Penalty], stops: Stops, now: dt.datetime
) -> None:
    """The most starts of one hour by the clock, for kinds with a cap; what is due already counts now."""
    caps = caps_by_place()
    capped = {kind for kind, _market in caps}
    if not capped:
        return
    hours: dict[tuple[str, int], int] = defaultdict(int)
    due = starting.filter(kind__in=capped).annotate(
        hour=TruncHour(Greatest(F("starts_at"), Value(now)), tzinfo=dt.UTC)
    )
    for row in due.values("kind", "market_id", "hour").annotate(number=Count("pk")):
        key = (row["kind"], row["market_id"])
        hours[key] = max(hours[key], row["number"])
    for key, line in lines.items():
        cap = caps.get(key) or caps.get((line.kind, None))
        if cap is not None:
            line.cap, line.busiest = cap.per_hour, hours[key]


def first_line(column: str) -> Left:
    """The first line of a fault, at most 150 characters: what faults are grouped by."""
    line = Func(F(column), Value("\n"), Value(1), function="split_part", output_field=TextField())
    return Left(line, 150)


def stop_reason() -> Case:
    """For lists: the reason of the stop that holds a scheduled penalty, or an empty string."""
    holding = EnforcementStop.objects.filter(
        Q(kind="") | Q(kind=OuterRef("kind")),
        Q(market__isnull=True) | Q(market=OuterRef("market_id")),
        closed_at__isnull=True,
    )
    return Case(
        When(
            Exists(holding),
            status=PenaltyStatus.SCHEDULED,
            then=Subquery(holding.order_by("pk").values("reason")[:1]),
        ),
        default=Value(""),
        output_field=TextField(),
    )
