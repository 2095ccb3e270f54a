"""The yearly figures of P2B Regulation 2019/1150, art. 11(4): complaints, main types, how long they took, what came of them.

A complaint is an appeal. It counts in the period in which it was filed, by the day in its market's own time. Its processing
time runs from filing to decision; one that is open or was withdrawn has none. "Not upheld" is the complaint's point of view, as
platforms publish it: the penalty stands. A complaint that led to a reduction was upheld in part.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from zoneinfo import ZoneInfo

from appeals.enums import AppealStatus, Grounds, Outcome
from appeals.selectors import appeals_visible_to
from guilds.accounts.actor import Actor
from guilds.errors import InvalidInput

HUNDREDTH = Decimal("0.01")
DAY = dt.timedelta(days=1)


@dataclass
class Figures:
    """The figures of one market, regime, or all together."""

    name: str
    complaints: int = 0
    open: int = 0
    withdrawn: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    grounds: Counter[str] = field(default_factory=Counter)
    processing: dt.timedelta = dt.timedelta()

    @property
    def decided(self) -> int:
        return self.outcomes.total()

    @property
    def not_upheld(self) -> int:
        return self.outcomes[Outcome.UPHELD]

    @property
    def upheld_in_part(self) -> int:
        return self.outcomes[Outcome.REDUCED]

    @property
    def upheld(self) -> int:
        return self.outcomes[Outcome.OVERTURNED]

    @property
    def average_days(self) -> Decimal | None:
        """From filing to decision, in days to two places; None when nothing was decided."""
        if not self.decided:
            return None
        seconds = Decimal(self.processing // dt.timedelta(seconds=1))
        return (seconds / (86_400 * self.decided)).quantize(HUNDREDTH, ROUND_HALF_UP)

    @property
    def main_types(self) -> list[tuple[str, int]]:
        """Grounds with their number, the most frequent first."""
        return sorted(self.grounds.items(), key=lambda item: (-item[1], item[0]))

    def count(self, status: str, outcome: str, grounds: str, took: dt.timedelta | None) -> None:
        self.complaints += 1
        self.grounds[grounds] += 1
        if status == AppealStatus.OPEN:
            self.open += 1
        elif status == AppealStatus.WITHDRAWN:
            self.withdrawn += 1
        else:
            self.outcomes[outcome] += 1
            self.processing += took or dt.timedelta()


@dataclass(frozen=True)
class Report:
    """`first` and `last` are days, both included."""

    first: dt.date
    last: dt.date
    total: Figures
    lines: list[Figures]


#: What a line may stand for.
GROUPINGS = ("market", "regime")


def p2b_report(
    actor: Actor, first: dt.date, last: dt.date, *, by: str = "market", regimes: Sequence[str] = ()
) -> Report:
    """The figures of the days `first` to `last` within the actor's reach, of some regimes (codes) or of all.

    Raises InvalidInput (a period that ends before it begins, an unknown grouping).
    """
    if last < first:
        raise InvalidInput("The last day must not lie before the first.", field="last")
    if by not in GROUPINGS:
        raise InvalidInput(f"Choose among {', '.join(GROUPINGS)}.", field="by")
    total, lines = Figures("all"), dict[str, Figures]()
    for market, regime, zone, status, outcome, grounds, filed_at, settled_at in _rows(
        actor, first, last, regimes
    ):
        if not first <= filed_at.astimezone(_zone(zone)).date() <= last:
            continue
        took = settled_at - filed_at if settled_at is not None else None
        name = market if by == "market" else regime
        for figures in (total, lines.setdefault(name, Figures(name))):
            figures.count(status, outcome, grounds, took)
    return Report(first, last, total, [lines[name] for name in sorted(lines)])


Row = tuple[str, str, str, str, str, str, dt.datetime, dt.datetime | None]


def _rows(actor: Actor, first: dt.date, last: dt.date, regimes: Sequence[str]) -> Iterator[Row]:
    """Everything filed on these days anywhere in the world; a day of a market may begin a day sooner or later than in UTC."""
    found = appeals_visible_to(actor).filter(
        filed_at__gte=dt.datetime.combine(first, dt.time(), dt.UTC) - DAY,
        filed_at__lt=dt.datetime.combine(last, dt.time(), dt.UTC) + 2 * DAY,
    )
    if regimes:
        found = found.filter(market__regime__code__in=regimes)
    columns = (
        "market__code",
        "market__regime__code",
        "market__timezone",
        "status",
        "outcome",
        "grounds",
        "filed_at",
        "settled_at",
    )
    yield from found.order_by("pk").values_list(*columns).iterator(chunk_size=5_000)


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


COLUMNS = (
    "first_day last_day scope complaints average_days not_upheld upheld_in_part upheld withdrawn open".split()
    + [f"type_{grounds.value}" for grounds in Grounds]
)


def csv_lines(report: Report) -> Iterator[list[str]]:
    """The report as a table: a header, one line for each market or regime, and all together last."""
    yield COLUMNS
    for figures in (*report.lines, report.total):
        average = figures.average_days
        yield [
            report.first.isoformat(),
            report.last.isoformat(),
            figures.name,
            str(figures.complaints),
            "" if average is None else str(average),
            *(str(number) for number in (figures.not_upheld, figures.upheld_in_part, figures.upheld)),
            str(figures.withdrawn),
            str(figures.open),
            *(str(figures.grounds[grounds.value]) for grounds in Grounds),
        ]
