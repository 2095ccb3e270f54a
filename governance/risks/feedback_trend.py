"""Messages week by week, as a drawing of bars per topic or risk and as the table beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from django.db.models import Count, F, QuerySet
from django.db.models.functions import Coalesce, TruncWeek
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.risks.enums import FeedbackTopic
from governance.risks.models import Feedback, Risk

Grouping = Literal["topic", "risk"]

WEEKS = 26
#: The drawing in whole units, which no locale writes with a comma: a bar with the gap beside it, and the greatest height.
STEP, GAP, HEIGHT = 20, 4, 400


@dataclass(frozen=True)
class Bar:
    """One week; `x`, `y`, `width` and `height` in the drawing's units."""

    week: dt.date
    count: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Series:
    name: str
    counts: Sequence[int]
    bars: Sequence[Bar]
    total: int
    latest: int


@dataclass(frozen=True)
class FeedbackTrend:
    """Every series on one scale, whose top is `most`; the busiest first. `weeks` are Mondays (UTC), oldest first."""

    weeks: Sequence[dt.date]
    series: Sequence[Series]
    most: int
    total: int
    width: int = WEEKS * STEP
    height: int = HEIGHT


def trend_of(rows: QuerySet[Feedback], *, by: Grouping, now: dt.datetime | None = None) -> FeedbackTrend:
    """The last WEEKS weeks of these messages, this one included; merged ones count, with the risk of what they repeat."""
    today = (now or timezone.now()).astimezone(dt.UTC).date()
    this_week = today - dt.timedelta(days=today.weekday())
    weeks = [this_week - dt.timedelta(weeks=back) for back in range(WEEKS - 1, -1, -1)]
    since = dt.datetime.combine(weeks[0], dt.time(), dt.UTC)
    key = Coalesce("merged_into__risk__code", "risk__code") if by == "risk" else F("topic")
    found = (
        rows.filter(created_at__gte=since)
        .order_by()
        .annotate(week=TruncWeek("created_at", tzinfo=dt.UTC), key=key)
        .values_list("key", "week")
        .annotate(n=Count("pk"))
    )
    counted: dict[str | None, dict[dt.date, int]] = {}
    for name, week, n in found:
        counted.setdefault(name, {})[week.date()] = n
    most = max((n for by_week in counted.values() for n in by_week.values()), default=0)
    names = _names(by)
    series = [
        _series(
            names.get(key or "", key or _("No risk yet")),
            [by_week.get(week, 0) for week in weeks],
            weeks,
            most,
        )
        for key, by_week in counted.items()
    ]
    series.sort(key=lambda one: (-one.total, one.name))
    return FeedbackTrend(weeks, series, most, sum(one.total for one in series))


def _names(by: Grouping) -> dict[str, str]:
    if by == "topic":
        return {topic.value: str(topic.label) for topic in FeedbackTopic}
    return {risk.code: str(risk) for risk in Risk.objects.all()}


def _series(name: str, counts: Sequence[int], weeks: Sequence[dt.date], most: int) -> Series:
    bars = []
    for place, (week, count) in enumerate(zip(weeks, counts, strict=True)):
        height = round(HEIGHT * count / most) if most else 0
        bars.append(Bar(week, count, place * STEP, HEIGHT - height, STEP - GAP, height))
    return Series(name, counts, bars, sum(counts), counts[-1])
