"""Live periods: the rows that prove where and when a version was in force, and the last guards before one is written.

These functions are steps of other services (a launch's waves, the demo's door, retirement, expiry), never acts of their own: the
caller has locked the version, checked the actor, and records the event. The guards here hold all the same, whoever calls, and
PostgreSQL keeps the door of launches once more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Greatest
from django.utils import timezone

from governance.rules.enums import Door, VersionStatus
from governance.rules.models import LivePeriod, RuleVersion
from guilds.errors import Conflict, InvalidInput, NotAllowed
from guilds.models import Market

#: How far a start or an end may lie from now: the time between a service's look at the clock and its last write.
CLOCK_SLACK = dt.timedelta(minutes=1)


def period_open(
    *,
    version: RuleVersion,
    market_ids: Collection[int],
    starts_at: dt.datetime,
    share: int = 100,
    holdout: int = 0,
    salt: str = "",
    opened_by: str,
) -> list[LivePeriod]:
    """Open one period per market, without an end. `starts_at` is now: a version is never live before the act that makes it so.

    The version must be live already, through a door. For a launched one `opened_by` names its wave ("wave:12") or the rollback
    that brings it back ("rollback:12"), and a trigger of PostgreSQL asks those whether it has been earned; one that the demo made
    live only ever comes back. Raises NotAllowed (`launch_required`, `approval_required`, `expired`), InvalidInput, Conflict (the
    version has an open period there).
    """
    stored = RuleVersion.objects.select_for_update(of=("self",), no_key=True).get(pk=version.pk)
    _check_door(stored, opened_by)
    now = timezone.now()
    if abs(starts_at - now) > CLOCK_SLACK:
        raise InvalidInput("A version goes live at the moment of the act.", field="starts_at")
    if stored.expires_at is not None and stored.expires_at <= now:
        raise NotAllowed("This version has expired.", code="expired")
    if not (1 <= share <= 100 and 0 <= holdout <= 50):
        raise InvalidInput("The share is 1 to 100 per cent, the holdout 0 to 50.", field="share")
    if not salt and (share < 100 or holdout):
        raise InvalidInput("A share or a holdout is drawn from a salt.", field="salt")
    _check_markets(stored, market_ids)
    try:
        with transaction.atomic():
            return [
                LivePeriod.objects.create(
                    version=stored,
                    market_id=market_id,
                    starts_at=starts_at,
                    share=share,
                    holdout=holdout,
                    salt=salt,
                    opened_by=opened_by,
                )
                for market_id in sorted(set(market_ids))
            ]
    except IntegrityError as error:
        raise Conflict("The version is live in one of these markets already.", code="already_live") from error


def _check_door(version: RuleVersion, opened_by: str) -> None:
    door, _, source = opened_by.partition(":")
    known = door in {"wave", "rollback"} and source.isdecimal()
    if version.status != VersionStatus.LIVE or not version.door or not known:
        raise NotAllowed("A rule goes live by a launch.", code="launch_required")
    if version.door == Door.DEMO:
        if door != "rollback" or not version.live_periods.filter(ends_at__isnull=False).exists():
            raise NotAllowed("A rule goes live by a launch.", code="launch_required")
        return
    approver = version.approver_id
    if approver is None or approver == version.author_id or version.writers.filter(pk=approver).exists():
        raise NotAllowed(
            "A version goes live only with the approval of somebody who had no hand in it.",
            code="approval_required",
        )


def _check_markets(version: RuleVersion, market_ids: Collection[int]) -> None:
    codes = dict(Market.objects.filter(pk__in=market_ids).values_list("pk", "code"))
    if not codes or len(codes) != len(set(market_ids)):
        raise InvalidInput("Name markets that exist.", field="markets")
    beyond = sorted(
        code for code in codes.values() if "*" not in version.markets and code not in version.markets
    )
    if beyond:
        raise InvalidInput(f"The version does not name {', '.join(beyond)}.", field="markets")
    if version.live_periods.filter(market__isnull=True, ends_at__isnull=True).exists():
        raise Conflict("The version is live in every market it names already.", code="already_live")


def open_periods(version: RuleVersion, market_ids: Collection[int] | None = None) -> QuerySet[LivePeriod]:
    """The version's periods without an end, of all markets or of these.

    A period of the demo's door, of every market at once, is not among those of some markets: it cannot end for a part.
    """
    found = LivePeriod.objects.filter(version=version, ends_at__isnull=True)
    return found if market_ids is None else found.filter(market__in=market_ids)


def periods_close(
    *, version: RuleVersion, at: dt.datetime, market_ids: Collection[int] | None = None
) -> list[int | None]:
    """End the version's open periods at the moment, all or those of some markets; returns whose ended (None: every market).

    One that has not begun by then becomes empty. What was live stays so: an end lies at now or later, or at the version's
    expiry. Raises InvalidInput for an earlier one.
    """
    earliest = timezone.now() - CLOCK_SLACK
    if at < earliest and at != version.expires_at:
        raise InvalidInput("A live period does not end in the past.", field="ends_at")
    found = open_periods(version, market_ids)
    markets: list[int | None] = list(found.values_list("market_id", flat=True))
    found.update(ends_at=Greatest(F("starts_at"), at))
    return markets
