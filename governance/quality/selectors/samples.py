"""Samples: who sees what of them, what a draw would bring, and what was found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.quality import frames
from governance.quality.enums import Allocation, SampleKind
from governance.quality.models import WERE_CONFIRMED, Plan, Sample, SampleItem, SampleItemQuerySet
from governance.quality.sampling import Draw, draw
from governance.quality.statistics import Estimate, Judged, estimate
from governance.review.enums import CaseStatus, Opinion
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, NotAllowed, NotFound
from guilds.models import Market

#: Who draws samples, hands them out, closes and settles them.
DRAWN_BY = (Role.ANALYST, Role.ADMIN)
#: Items of each kind that the clock draws in a week, unless a Plan says otherwise.
WEEKLY: dict[SampleKind, int] = {SampleKind.DECISIONS: 100, SampleKind.COVERAGE: 50}
#: How far back earlier samples tell where errors are to be expected.
REMEMBERED = dt.timedelta(days=365)


def weekly_size(kind: SampleKind) -> int:
    plan = Plan.objects.filter(kind=kind).first()
    return plan.weekly if plan is not None else WEEKLY[kind]


# --- who sees what ------------------------------------------------------------------------------------------------------
def samples_visible_to(actor: Actor) -> QuerySet[Sample]:
    """Samples that reach into the actor's markets; figures of a sample name no guild. None for guilds and clients."""
    found = Sample.objects.select_related("created_by")
    if actor.kind not in ("staff", "system") or actor.guild_id is not None:
        return found.none()
    if actor.market_ids is None:
        return found
    codes = Market.objects.filter(pk__in=actor.market_ids).values_list("code", flat=True)
    return found.filter(Q(markets=[]) | Q(markets__overlap=list(codes)))


def items_visible_to(actor: Actor) -> SampleItemQuerySet:
    """Items of the actor's markets. Whoever judges cases sees an item only once it has been judged: a judge stays blind."""
    found = SampleItem.objects.all()
    if actor.kind not in ("staff", "system") or actor.guild_id is not None:
        return found.none()
    if actor.market_ids is not None:
        found = found.filter(
            Q(violation__market_id__in=actor.market_ids)
            | Q(violation__isnull=True, guild__market_id__in=actor.market_ids)
        )
    return found.judged() if actor.kind == "staff" and Role.REVIEWER in actor.roles else found


def locked_sample(sample_id: int, *, actor: Actor) -> Sample:
    """The sample, locked until the transaction ends. NotFound where the actor does not see it."""
    found = samples_visible_to(actor).select_for_update(of=("self",), no_key=True).filter(pk=sample_id)
    sample = found.first()
    if sample is None:
        raise NotFound(_("There is no such sample."))
    return sample


def market_ids_of(actor: Actor, codes: Collection[str]) -> list[int] | None:
    """The markets a draw covers: those named, else all the actor's; None for all there are. NotFound, NotAllowed."""
    if not codes:
        return None if actor.market_ids is None else sorted(actor.market_ids)
    known = dict(Market.objects.filter(code__in=codes).values_list("code", "pk"))
    for code in codes:
        if code not in known:
            raise NotFound(_("There is no market %(code)s.") % {"code": code}, field="markets")
        if not actor.sees_market(known[code]):
            raise NotAllowed(
                _("The market %(code)s is outside your scope.") % {"code": code}, code="market_out_of_scope"
            )
    return sorted(known.values())


# --- what a draw would bring ----------------------------------------------------------------------------------------------
def draw_preview(
    *,
    kind: SampleKind,
    since: dt.datetime,
    until: dt.datetime,
    market_ids: Collection[int] | None,
    size: int,
    seed: int,
    allocation: Allocation = Allocation.PROPORTIONAL,
    shares: Mapping[str, float] | None = None,
) -> Draw:
    """The draw as `sample_draw` would make it now, written nowhere. InvalidInput for a period or size that is none.

    `shares`, by stratum, is what Neyman's allocation expects; what earlier samples found where none are given.
    """
    if until <= since:
        raise InvalidInput(_("A period ends after it begins."), field="until")
    if until > timezone.now() + dt.timedelta(days=1):
        raise InvalidInput(_("The period is not over yet."), field="until")
    if size < 1:
        raise InvalidInput(_("A sample has at least one item."), field="size")
    if shares is not None and any(not 0 <= share <= 1 for share in shares.values()):
        raise InvalidInput(_("A share lies between 0 and 1."), field="shares")
    expected = None
    if allocation == Allocation.NEYMAN:
        expected = shares_known(kind) if shares is None else dict(shares)
    return draw(_units(kind, since, until, market_ids), size=size, seed=seed, shares=expected)


def _units(
    kind: SampleKind, since: dt.datetime, until: dt.datetime, market_ids: Collection[int] | None
) -> Iterator[tuple[str, str]]:
    if kind == SampleKind.DECISIONS:
        return frames.decisions(since=since, until=until, market_ids=market_ids)
    return frames.unflagged_days(
        first=since.astimezone(dt.UTC).date(),
        end=_end_of(until.astimezone(dt.UTC)),
        market_ids=market_ids,
    )


def _end_of(until: dt.datetime) -> dt.date:
    """The day after the last that has begun before `until`."""
    day = until.date()
    return day if until.time() == dt.time() else day + dt.timedelta(days=1)


def shares_known(kind: SampleKind) -> dict[str, float]:
    """The share found wrong by stratum in the samples of the last year, drawn towards one half as if one more unit had been
    half wrong, so that no stratum is ever thought to be without error."""
    counted = (
        SampleItem.objects.judged()
        .with_answers()
        .filter(sample__kind=kind, sample__created_at__gte=timezone.now() - REMEMBERED, right__isnull=False)
        .order_by()
        .values_list("stratum", "right")
        .annotate(times=Count("pk"))
    )
    wrong: dict[str, int] = {}
    judged: dict[str, int] = {}
    for stratum, right, times in counted:
        judged[stratum] = judged.get(stratum, 0) + times
        wrong[stratum] = wrong.get(stratum, 0) + (0 if right else times)
    return {stratum: (wrong[stratum] + 0.5) / (judged[stratum] + 1) for stratum in judged}


# --- what was found -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class StratumFound:
    """Of `population` units `drawn` were drawn, `handed` are or were in the queue, and `judged` have an answer.

    `confirmed` of the judged had been confirmed by the decision; `right_confirmed` of these are thought right, and so on.
    `unclear` could not be told and are in neither.
    """

    key: str
    population: int
    drawn: int
    handed: int
    right_confirmed: int
    wrong_confirmed: int
    right_dismissed: int
    wrong_dismissed: int
    unclear: int

    @property
    def right(self) -> int:
        return self.right_confirmed + self.right_dismissed

    @property
    def wrong(self) -> int:
        return self.wrong_confirmed + self.wrong_dismissed

    @property
    def clear(self) -> int:
        return self.right + self.wrong

    @property
    def judged(self) -> int:
        return self.clear + self.unclear

    @property
    def probability(self) -> float:
        return self.drawn / self.population


@dataclass(frozen=True)
class Found:
    """What a sample says. Items nobody could tell count as not judged.

    Of decisions: `accuracy` is the share of all that are right, `precision` that of the confirmed, `missed` the share of the
    dismissed that were violations. Of unflagged days: `prevalence` is the share with a violation nobody had found.
    """

    strata: tuple[StratumFound, ...]
    accuracy: Estimate | None
    precision: Estimate | None
    missed: Estimate | None
    prevalence: Estimate | None


def found_in(sample: Sample) -> Found:
    """One query: the strata as drawn with what has been found in them, and the estimates for the population."""
    counted = (
        SampleItem.objects.filter(sample=sample)
        .with_answers()
        .order_by()
        .values("stratum", "right", "case__judgement__opinion")
        .annotate(
            times=Count("pk"),
            handed=Count("case"),
            confirmed=Count("pk", filter=Q(decided__in=WERE_CONFIRMED)),
        )
        .order_by("stratum")
    )
    groups = {key: list(rows) for key, rows in groupby(counted, key=lambda row: row["stratum"])}
    strata = []
    for frame in sorted(sample.strata, key=lambda one: str(one["key"])):
        rows = groups.get(frame["key"], [])
        right = [row for row in rows if row["right"] is True]
        wrong = [row for row in rows if row["right"] is False]
        strata.append(
            StratumFound(
                key=frame["key"],
                population=frame["population"],
                drawn=frame["drawn"],
                handed=sum(row["handed"] for row in rows),
                right_confirmed=sum(row["confirmed"] for row in right),
                wrong_confirmed=sum(row["confirmed"] for row in wrong),
                right_dismissed=sum(row["times"] - row["confirmed"] for row in right),
                wrong_dismissed=sum(row["times"] - row["confirmed"] for row in wrong),
                unclear=sum(
                    row["times"] for row in rows if row["case__judgement__opinion"] == Opinion.UNCLEAR
                ),
            )
        )
    if sample.kind == SampleKind.COVERAGE:
        seen = [Judged(one.population, one.clear, one.clear, one.wrong) for one in strata]
        return Found(tuple(strata), None, None, None, estimate(seen))
    return Found(
        tuple(strata),
        estimate([Judged(one.population, one.clear, one.clear, one.right) for one in strata]),
        estimate(
            [
                Judged(
                    one.population,
                    one.clear,
                    one.right_confirmed + one.wrong_confirmed,
                    one.right_confirmed,
                )
                for one in strata
            ]
        ),
        estimate(
            [
                Judged(
                    one.population,
                    one.clear,
                    one.right_dismissed + one.wrong_dismissed,
                    one.wrong_dismissed,
                )
                for one in strata
            ]
        ),
        None,
    )


def progress_of(samples: Collection[int]) -> dict[int, tuple[int, int, int]]:
    """(drawn, handed out, judged) by sample."""
    counted = (
        SampleItem.objects.filter(sample__in=samples)
        .order_by()
        .values_list("sample")
        .annotate(
            drawn=Count("pk"),
            handed=Count("case"),
            judged=Count("pk", filter=Q(case__status=CaseStatus.DONE)),
        )
    )
    return {sample: (drawn, handed, judged) for sample, drawn, handed, judged in counted}
