"""Where the register and the rules do not meet: risks nothing answers, and rules whose risk is gone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils import timezone

from governance.risks.models import Risk
from governance.risks.selectors import risks_standing
from governance.rules.models import LivePeriod, Rule, RuleVersion
from governance.rules.selectors import periods_covering
from guilds.accounts.actor import Actor
from guilds.models import Market

#: Codes of markets named in a line; more are counted.
MARKETS_NAMED = 12


@dataclass(frozen=True)
class Gap:
    """A risk that rules answer in some of the reader's markets only."""

    risk: Risk
    covered: int
    missing: Sequence[str]


@dataclass(frozen=True)
class Coverage:
    """`without_rule` have no rule at all, `not_live` have rules of which none is live anywhere; `gaps` are answered in some of
    the reader's markets. `retired_risk` are rules whose risk is off the register, the live ones first (`is_live`)."""

    without_rule: Sequence[Risk]
    not_live: Sequence[Risk]
    gaps: Sequence[Gap]
    retired_risk: Sequence[Rule]
    risks: int
    markets: int


def coverage_of(actor: Actor) -> Coverage:
    markets = _markets(actor)
    risks = list(risks_standing().annotate(rules_all=Count("rules")))
    live = _live_markets()
    without, not_live, gaps = [], [], []
    for risk in risks:
        if not risk.rules_all:  # an annotation
            without.append(risk)
        elif risk.pk not in live:
            not_live.append(risk)
        else:
            missing = [code for pk, code in markets.items() if pk not in live[risk.pk]]
            if missing:
                gaps.append(Gap(risk, len(markets) - len(missing), missing))
    return Coverage(without, not_live, gaps, list(rules_of_retired_risks()), len(risks), len(markets))


def rules_of_retired_risks() -> QuerySet[Rule]:
    """Rules that are not over (some version is a draft, in shadow, live or paused) and whose risk is; live ones first.

    Every rule names a risk, PostgreSQL sees to it; a retired one is the only way to be without."""
    versions = RuleVersion.objects.filter(rule=OuterRef("pk"))
    return (
        Rule.objects.filter(risk__retired_at__isnull=False)
        .annotate(is_live=Exists(versions.filter(status__in=["live", "paused"])))
        .filter(Exists(versions.exclude(status="retired")))
        .select_related("risk")
        .order_by("-is_live", "code")
    )


def _markets(actor: Actor) -> dict[int, str]:
    rows = Market.objects.order_by("code")
    if actor.market_ids is not None:
        rows = rows.filter(pk__in=actor.market_ids)
    return dict(rows.values_list("pk", "code"))


def _live_markets() -> dict[int, set[int]]:
    """Ids of the markets in which a rule against a risk is live now, by risk id. A paused version watches nothing."""
    periods = (
        LivePeriod.objects.filter(periods_covering(timezone.now()), version__status="live")
        .order_by()
        .values_list("version__rule__risk_id", "version__markets", "market_id")
    )
    codes = dict(Market.objects.values_list("code", "pk"))
    found: dict[int, set[int]] = defaultdict(set)
    for risk_id, named, market_id in periods:
        reach: Collection[int] = (
            codes.values() if "*" in named else [codes[code] for code in named if code in codes]
        )
        found[risk_id].update(reach if not market_id else {market_id}.intersection(reach))
    return dict(found)
