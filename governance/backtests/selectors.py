"""Questions about backtests: who may see which, which are at work, and what the two sides of one found."""

from __future__ import annotations

from typing import Literal

from django.db.models import Exists, OuterRef, QuerySet

from governance.backtests.enums import BacktestStatus, Side
from governance.backtests.models import Backtest, BacktestHit
from governance.rules.models import RuleVersion
from governance.rules.selectors import CURRENT
from guilds.accounts.actor import Actor
from guilds.errors import NotFound
from guilds.models import Market

AT_WORK = (BacktestStatus.QUEUED, BacktestStatus.RUNNING)

#: Hits by who found them; "both" are the tested side's.
Which = Literal["only_tested", "only_base", "both"]


def market_codes_of(actor: Actor) -> frozenset[str] | None:
    """The markets the actor reaches; None: every market."""
    if actor.market_ids is None:
        return None
    return frozenset(Market.objects.filter(pk__in=actor.market_ids).values_list("code", flat=True))


def backtests_visible_to(actor: Actor) -> QuerySet[Backtest]:
    """Runs within the actor's markets: one over every market is for those who reach every market."""
    found = Backtest.objects.select_related("version__rule", "compared_with__rule", "requested_by")
    if actor.guild_id is not None:
        return found.none()
    codes = market_codes_of(actor)
    if codes is None:
        return found
    return found.filter(markets__contained_by=sorted(codes)).exclude(markets=[])


def backtest_visible_to(actor: Actor, backtest_id: int) -> Backtest:
    """The run, or NotFound."""
    found = backtests_visible_to(actor).filter(pk=backtest_id).first()
    if found is None:
        raise NotFound("There is no such backtest.")
    return found


def backtests_at_work() -> list[int]:
    return list(Backtest.objects.filter(status__in=AT_WORK).order_by("pk").values_list("pk", flat=True))


def base_of(version: RuleVersion) -> RuleVersion | None:
    """What a version is compared with: the newest other one of its rule that is live or paused, if any."""
    others = RuleVersion.objects.filter(rule=version.rule_id, status__in=CURRENT).exclude(pk=version.pk)
    return others.order_by("-number").first()


def versions_to_test(actor: Actor) -> QuerySet[RuleVersion]:
    """Versions that the actor may run, the newest first: those that name one of the actor's markets."""
    found = RuleVersion.objects.select_related("rule").order_by("rule__code", "-number")
    codes = market_codes_of(actor)
    if codes is not None:
        found = found.filter(markets__overlap=["*", *sorted(codes)])
    return found


def hits_of(backtest: Backtest, which: Which) -> QuerySet[BacktestHit]:
    """Hits of one side without, or with, a hit of the other at the same moment on the same subject; the newest first."""
    side, other = (Side.BASE, Side.TESTED) if which == "only_base" else (Side.TESTED, Side.BASE)
    counterpart = BacktestHit.objects.filter(
        backtest=backtest, side=other, subject=OuterRef("subject"), occurred_at=OuterRef("occurred_at")
    )
    matched = Exists(counterpart) if which == "both" else ~Exists(counterpart)
    return (
        backtest.hits.filter(matched, side=side)
        .select_related("guild", "creator", "market")
        .order_by("-occurred_at", "-id")
    )
