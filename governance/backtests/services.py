"""The writers of backtests. A run goes in steps, each its own transaction; what a killed worker did not commit is done again."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from governance.backtests import transitions
from governance.backtests.enums import BacktestStatus
from governance.backtests.models import Backtest, BacktestHit
from governance.backtests.result import result_of
from governance.backtests.selectors import (
    AT_WORK,
    backtest_visible_to,
    base_of,
    market_codes_of,
)
from governance.backtests.steps import rule_of, signals_of, step_of
from governance.engine import RuleSpec
from governance.ledger.services import record
from governance.rules.models import RuleVersion
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import Conflict, DomainError, InvalidInput, NotAllowed, NotFound
from guilds.models import Market
from guilds.nudges import nudge

RUN = "governance.backtests.run"
ROLES = (Role.ANALYST, Role.APPROVER, Role.LAUNCHER)
#: One worker at a time steps a run: an advisory lock, so that cancelling need not wait for the step.
STEP_LOCK = 7_170_040
#: How long the hits of a finished run are kept.
HITS_KEPT = dt.timedelta(days=90)
#: Runs of one person at work at the same time.
AT_ONCE = 5


@transaction.atomic
def backtest_request(
    *,
    actor: Actor,
    version_id: int,
    since: dt.datetime,
    until: dt.datetime,
    markets: Sequence[str] = (),
    compare: bool = True,
) -> Backtest:
    """Ask for a run over the signals with since ≤ t < until, aware times; it begins when a worker is free.

    `markets` are codes within the actor's reach; none are all of them. With `compare` the rule's version in force runs
    beside it. The wording is run as it is now, whatever becomes of a draft meanwhile. Records backtest.requested. Raises
    InvalidInput for a wording that does not compile, an empty span or unknown markets, NotAllowed for markets out of reach,
    Conflict when the same run is at work.
    """
    actor.require_role(*ROLES)
    version = RuleVersion.objects.select_related("rule").filter(pk=version_id).first()
    if version is None:
        raise NotFound("There is no such rule version.")
    if until <= since:
        raise InvalidInput("The end must come after the beginning.", field="until")
    wanted = _markets(actor, version, markets)
    rule_of(version.spec)
    digest = RuleSpec.from_dict(version.spec).digest()
    at_work = Backtest.objects.filter(status__in=AT_WORK)
    if at_work.filter(version=version, digest=digest, since=since, until=until, markets=wanted).exists():
        raise Conflict("This very backtest is at work already.")
    if actor.user_id is not None and at_work.filter(requested_by=actor.user_id).count() >= AT_ONCE:
        raise Conflict(f"{AT_ONCE} of your backtests are at work; wait for one, or cancel it.")
    backtest = Backtest(
        version=version,
        compared_with=base_of(version) if compare else None,
        spec=version.spec,
        digest=digest,
        since=since,
        until=until,
        markets=wanted,
        requested_by_id=actor.user_id,
        created_at=timezone.now(),
    )
    backtest.full_clean()
    backtest.save()
    after = {
        "version": version.public_id,
        "compared_with": backtest.compared_with.public_id if backtest.compared_with else None,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "markets": wanted,
    }
    record(actor=actor, act="backtest.requested", obj=backtest, after=after)
    nudge(RUN, backtest.pk)
    return backtest


def _markets(actor: Actor, version: RuleVersion, markets: Sequence[str]) -> list[str]:
    """The markets of the run as codes, sorted; an empty list is every market."""
    wanted = set(markets)
    unknown = wanted - set(Market.objects.filter(code__in=wanted).values_list("code", flat=True))
    if unknown:
        raise InvalidInput(f"Unknown markets: {', '.join(sorted(unknown))}.", field="markets")
    reach = market_codes_of(actor)
    if reach is not None:
        if wanted - reach:
            raise NotAllowed(
                f"Outside your markets: {', '.join(sorted(wanted - reach))}.", code="market_out_of_scope"
            )
        wanted = wanted or set(reach)
    if "*" not in version.markets and (wanted or reach is not None):
        if not wanted & set(version.markets):
            raise InvalidInput("This version holds in none of these markets.", field="markets")
        wanted &= set(version.markets)
    if reach is not None and not wanted:
        raise NotAllowed("You have no market to run this in.", code="market_out_of_scope")
    return sorted(wanted)


@transaction.atomic
def backtest_cancel(*, actor: Actor, backtest_id: int, reason: str = "") -> Backtest:
    """Stop a run for now; the step under way is dropped. Records backtest.cancelled. NotFound, InvalidTransition."""
    backtest = _locked(actor, backtest_id)
    _become(backtest, BacktestStatus.CANCELLED)
    backtest.finished_at = timezone.now()
    backtest.save(update_fields=["status", "finished_at"])
    record(actor=actor, act="backtest.cancelled", obj=backtest, reason=reason)
    return backtest


@transaction.atomic
def backtest_go_on(*, actor: Actor, backtest_id: int, reason: str = "") -> Backtest:
    """Go on with a cancelled or failed run from where it stopped. Records backtest.resumed. NotFound, InvalidTransition."""
    backtest = _locked(actor, backtest_id)
    _become(backtest, BacktestStatus.QUEUED)
    backtest.error, backtest.finished_at = "", None
    backtest.save(update_fields=["status", "error", "finished_at"])
    record(actor=actor, act="backtest.resumed", obj=backtest, reason=reason)
    nudge(RUN, backtest.pk)
    return backtest


def _locked(actor: Actor, backtest_id: int) -> Backtest:
    actor.require_role(*ROLES)
    if actor.kind != "system":
        backtest_visible_to(actor, backtest_id)
    # Steps write hits that point at the row, which this lock lets them
    found = Backtest.objects.select_for_update(of=("self",), no_key=True).filter(pk=backtest_id).first()
    if found is None:
        raise NotFound("There is no such backtest.")
    return found


def _become(backtest: Backtest, status: BacktestStatus) -> None:
    transitions.check(backtest.status, status)
    backtest.status = status


def backtest_step(backtest_id: int) -> bool:
    """One bounded step, committed with its hits; True when there is more to do. Safe to call twice, or to be killed in.

    Does nothing when the run is not at work or another worker steps it. What goes wrong ends the run as failed, with the
    words of the error. Records backtest.done and backtest.failed.
    """
    try:
        return _step(backtest_id)
    except (DatabaseError, DomainError) as error:
        first = str(error).strip().splitlines()[:1]
        backtest_fail(backtest_id=backtest_id, error=first[0] if first else type(error).__name__)
        return False


@transaction.atomic
def _step(backtest_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [STEP_LOCK, backtest_id])
        if not cursor.fetchone()[0]:
            return False
    found = Backtest.objects.select_related("version__rule", "compared_with__rule")
    backtest = found.filter(pk=backtest_id, status__in=AT_WORK).first()
    if backtest is None:
        return False
    if backtest.status == BacktestStatus.QUEUED:
        return _start(backtest)
    began = time.monotonic()
    step = step_of(backtest)
    result = result_of(backtest) if step is None else {}
    current = Backtest.objects.select_for_update(of=("self",), no_key=True).get(pk=backtest_id)
    if current.status != BacktestStatus.RUNNING:
        # Cancelled meanwhile: what this step wrote goes with it.
        transaction.set_rollback(True)
        return False
    backtest.seconds += time.monotonic() - began
    if step is None:
        _become(backtest, BacktestStatus.DONE)
        backtest.result, backtest.reached, backtest.finished_at = result, backtest.until, timezone.now()
        backtest.carried = {}
        backtest.save(update_fields=["status", "result", "reached", "finished_at", "carried", "seconds"])
        totals = result["totals"]["tested"]
        record(actor=_SYSTEM, act="backtest.done", obj=backtest, after={"matches": totals["matches"]})
        return False
    backtest.signals_done += step.signals
    backtest.faults += step.faults
    backtest.reached, backtest.carried = step.span.until, step.carried
    backtest.save(update_fields=["signals_done", "faults", "reached", "carried", "seconds"])
    return True


_SYSTEM = Actor.system("backtests")


def _start(backtest: Backtest) -> bool:
    total = signals_of(backtest)
    current = Backtest.objects.select_for_update(of=("self",), no_key=True).get(pk=backtest.pk)
    if current.status != BacktestStatus.QUEUED:
        return False
    _become(backtest, BacktestStatus.RUNNING)
    backtest.started_at = backtest.started_at or timezone.now()
    backtest.signals_total = total
    backtest.save(update_fields=["status", "started_at", "signals_total"])
    return True


@transaction.atomic
def backtest_fail(*, backtest_id: int, error: str) -> None:
    """End a run at work as failed, with what a person should read. Records backtest.failed."""
    backtest = Backtest.objects.select_for_update(of=("self",), no_key=True).get(pk=backtest_id)
    if backtest.status not in AT_WORK:
        return
    _become(backtest, BacktestStatus.FAILED)
    backtest.error, backtest.finished_at = error[:2_000], timezone.now()
    backtest.save(update_fields=["status", "error", "finished_at"])
    record(actor=_SYSTEM, act="backtest.failed", obj=backtest, reason=backtest.error)


@transaction.atomic
def hits_forget(*, actor: Actor, now: dt.datetime) -> int:
    """Delete the hits of runs that ended more than 90 days ago and that no approval refers to. Results stay. Returns runs.

    Records backtest.hits_forgotten for each.
    """
    old = (
        Backtest.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .filter(finished_at__lt=now - HITS_KEPT, pk__in=BacktestHit.objects.values("backtest"))
        .exclude(status__in=AT_WORK)
        # Approvals stand above this package and point here
        .exclude(approvals__isnull=False)
        .order_by("pk")[:50]
    )
    forgotten = 0
    for backtest in old:
        deleted, _ = BacktestHit.objects.filter(backtest=backtest).delete()
        record(actor=actor, act="backtest.hits_forgotten", obj=backtest, after={"hits": deleted})
        forgotten += 1
    return forgotten
