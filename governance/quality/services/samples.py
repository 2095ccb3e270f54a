"""Samples: drawn, handed to the queue, closed."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Collection, Mapping

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance.ledger.services import record
from governance.quality import frames, transitions
from governance.quality.enums import Allocation, SampleKind, SampleStatus
from governance.quality.models import Sample, SampleItem
from governance.quality.sampling import Draw, rank_of
from governance.quality.selectors import DRAWN_BY, draw_preview, locked_sample, market_ids_of
from governance.review.enums import CaseKind
from governance.review.services.opening import case_ask
from governance.review.services.withdrawing import cases_withdraw
from governance.violations.models import Violation
from guilds.accounts.actor import Actor
from guilds.errors import Conflict, InvalidInput, InvalidTransition
from guilds.models import Market

#: Items of one sample at most: more than reviewers would ever get through.
LARGEST = 5_000
#: Cases made in one go.
AT_ONCE = 200
CASE_KINDS = {SampleKind.DECISIONS: CaseKind.QUALITY, SampleKind.COVERAGE: CaseKind.COVERAGE}


@transaction.atomic
def sample_draw(
    *,
    actor: Actor,
    kind: str,
    name: str,
    since: dt.datetime,
    until: dt.datetime,
    size: int,
    markets: Collection[str] = (),
    seed: int | None = None,
    allocation: str = Allocation.PROPORTIONAL,
    shares: Mapping[str, float] | None = None,
    automatic: bool = False,
) -> Sample:
    """Draw from what happened with since ≤ t < until (aware), and keep each item with its chance of having been drawn.

    `kind` decisions: every violation decided then, by whomever, in strata rule × severity × automatic or human. `kind` coverage:
    every guild-day with activity and without a violation of any status, in strata market × tier; its days are those from
    the UTC date of `since` to before `until`. `markets` are codes, none for all the actor reaches. The same seed on the same
    population draws the same; without one a random one is taken, so that nobody chooses what is drawn. `shares`, by
    stratum, are for Neyman's allocation; what earlier samples found where none are given. `automatic` is the clock's own.

    Nothing is asked of anybody yet: see `sample_hand_out`. Analysts and administrators. Records `sample.drawn`. Raises
    NotAllowed, NotFound (market), InvalidInput (also when there is nothing to draw from), Conflict (`drawn_already`).
    """
    actor.require_role(*DRAWN_BY)
    if kind not in SampleKind.values:
        raise InvalidInput(_("Choose what to sample."), field="kind")
    if allocation not in Allocation.values:
        raise InvalidInput(_("Choose how to share the sample out."), field="allocation")
    if not name.strip() or len(name.strip()) > 120:
        raise InvalidInput(_("Give the sample a name of at most 120 characters."), field="name")
    if size > LARGEST:
        raise InvalidInput(_("At most %(most)s items, please.") % {"most": LARGEST}, field="size")
    if seed is not None and not 0 <= seed < 2**63:
        raise InvalidInput(_("A seed is a whole number from 0 to 2⁶³ − 1."), field="seed")
    market_ids = market_ids_of(actor, markets)
    seed = secrets.randbits(62) if seed is None else seed
    found = draw_preview(
        kind=SampleKind(kind),
        since=since,
        until=until,
        market_ids=market_ids,
        size=size,
        seed=seed,
        allocation=Allocation(allocation),
        shares=shares,
    )
    if not found.chosen:
        raise InvalidInput(_("Nothing of this kind happened in the period."), field="until", code="empty")
    sample = _sample_saved(
        Sample(
            kind=kind,
            name=name.strip(),
            since=since,
            until=until,
            markets=sorted(markets) or _codes_of(actor),
            seed=seed,
            size=size,
            allocation=allocation,
            strata=[
                {"key": stratum.key, "population": stratum.population, "drawn": stratum.drawn}
                for stratum in found.strata
            ],
            automatic=automatic,
            created_by_id=actor.user_id,
            created_at=timezone.now(),
        )
    )
    SampleItem.objects.bulk_create(_items(sample, found), batch_size=1_000)
    record(
        actor=actor,
        act="sample.drawn",
        obj=sample,
        after={
            "name": sample.name,
            "kind": sample.kind,
            "since": since.isoformat(),
            "until": until.isoformat(),
            "markets": sample.markets,
            "allocation": sample.allocation,
            "population": sum(stratum.population for stratum in found.strata),
            "drawn": len(found.chosen),
            "strata": len(found.strata),
        },
    )
    return sample


def _sample_saved(sample: Sample) -> Sample:
    try:
        with transaction.atomic():
            sample.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict(_("The sample of this period has been drawn."), code="drawn_already") from error
    return sample


def _codes_of(actor: Actor) -> list[str]:
    """What "all" means for whoever does not reach every market."""
    if actor.market_ids is None:
        return []
    return list(
        Market.objects.filter(pk__in=actor.market_ids).order_by("code").values_list("code", flat=True)
    )


def _items(sample: Sample, found: Draw) -> list[SampleItem]:
    chance = {stratum.key: float(stratum.probability) for stratum in found.strata}
    if sample.kind == SampleKind.COVERAGE:
        days = [(stratum, frames.guild_day_of(unit)) for stratum, unit in found.chosen]
        return [
            SampleItem(sample=sample, stratum=stratum, probability=chance[stratum], guild_id=guild, day=day)
            for stratum, (guild, day) in days
        ]
    keys = [frames.violation_of(unit) for _stratum, unit in found.chosen]
    violations = {
        key: (guild, status)
        for key, guild, status in Violation.objects.filter(pk__in=keys).values_list("pk", "guild", "status")
    }
    return [
        SampleItem(
            sample=sample,
            stratum=stratum,
            probability=chance[stratum],
            violation_id=key,
            guild_id=violations[key][0],
            decided=violations[key][1],
        )
        for (stratum, _unit), key in zip(found.chosen, keys, strict=True)
    ]


@transaction.atomic
def sample_hand_out(*, actor: Actor, sample_id: int, limit: int = AT_ONCE) -> int:
    """Put up to `limit` items that nobody has been asked about into the queue; returns how many.

    In an order drawn by the seed, so that what has been judged so far is a sample as well. Nobody is assigned: whoever has
    not judged the violation before may take the case. Analysts and administrators. Records `sample.handed_out` when there
    was something to hand out. Raises NotFound, NotAllowed, InvalidTransition (closed).
    """
    sample = locked_sample(sample_id, actor=actor)
    actor.require_role(*DRAWN_BY)
    if sample.status != SampleStatus.DRAWN:
        raise InvalidTransition(_("This sample is closed already."))
    waiting = list(sample.items.filter(case__isnull=True).values_list("pk", flat=True))
    waiting.sort(key=lambda pk: rank_of(f"item {pk}", sample.seed))
    chosen = sample.items.select_related("violation__rule__risk", "violation__market", "guild__market")
    items = chosen.in_bulk(waiting[:limit])
    for pk in waiting[:limit]:
        item = items[pk]
        kind = CASE_KINDS[SampleKind(sample.kind)]
        if item.violation is not None:
            item.case = case_ask(kind=kind, violation=item.violation)
        else:
            item.case = case_ask(kind=kind, guild=item.guild, day=item.day)
        item.save(update_fields=["case"])
    if items:
        record(
            actor=actor,
            act="sample.handed_out",
            obj=sample,
            after={"cases": len(items), "left": len(waiting) - len(items)},
        )
    return len(items)


@transaction.atomic
def sample_close(*, actor: Actor, sample_id: int, reason: str) -> Sample:
    """Nothing more is judged: what still waits is withdrawn from the queue, what has been judged counts.

    Analysts and administrators. Records `sample.closed`, and `case.withdrawn` for each case. Raises NotFound, NotAllowed,
    InvalidInput (no reason), InvalidTransition.
    """
    sample = locked_sample(sample_id, actor=actor)
    transitions.check(sample.status, SampleStatus.CLOSED)
    actor.require_role(*DRAWN_BY)
    if not reason.strip():
        raise InvalidInput(_("Give a reason."), field="reason")
    cases = list(sample.items.filter(case__isnull=False).values_list("case", flat=True))
    withdrawn = cases_withdraw(actor=actor, case_ids=cases, reason=reason.strip())
    sample.status, sample.closed_at = SampleStatus.CLOSED, timezone.now()
    sample.save(update_fields=["status", "closed_at"])
    judged = sample.items.judged().count()
    record(
        actor=actor,
        act="sample.closed",
        obj=sample,
        before={"status": SampleStatus.DRAWN.value},
        after={"status": SampleStatus.CLOSED.value, "judged": judged, "withdrawn": withdrawn},
        reason=reason.strip(),
    )
    return sample
