"""Questions about violations: who sees which, what waits for whom, and what they rest on."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, QuerySet

from governance.ledger.models import Event
from governance.rules.enums import VersionStatus
from governance.rules.models import RuleVersion
from governance.signals.models import SHARDS, PendingSignal, Signal
from governance.violations.enums import DetectionOutcome
from governance.violations.models import Alarm, Detection, EvaluationFault, Violation
from guilds.accounts.actor import Actor
from guilds.errors import NotFound

#: The outcomes by which a signal becomes evidence of a violation.
EVIDENCE = (DetectionOutcome.OPENED, DetectionOutcome.JOINED)


def violations_visible_to(actor: Actor) -> QuerySet[Violation]:
    """A guild's own for whoever acts for a guild; for others those of their markets."""
    found = Violation.objects.select_related("rule", "version", "guild", "creator", "market")
    if actor.guild_id is not None:
        return found.filter(guild_id=actor.guild_id)
    if actor.market_ids is not None:
        return found.filter(market_id__in=actor.market_ids)
    return found


def violation_by_public_id(public_id: str, *, actor: Actor) -> Violation:
    """The violation if the actor may see it, else NotFound."""
    found = violations_visible_to(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such violation.")
    return found


def evidence_of(violation: Violation) -> QuerySet[Signal]:
    """The signals a violation rests on, oldest first. They all bear its own time, so one month's table is read."""
    keys = Detection.objects.filter(violation=violation, outcome__in=EVIDENCE).values("signal_key")
    return (
        Signal.objects.filter(pk__in=keys, time=violation.occurred_at).select_related("source").order_by("id")
    )


def faults_visible_to(actor: Actor) -> QuerySet[EvaluationFault]:
    """Versions that could not be evaluated on a signal of the actor's markets; none for guilds and clients."""
    found = EvaluationFault.objects.select_related("version__rule", "signal_key__source")
    if actor.kind not in ("staff", "system") or actor.guild_id is not None:
        return found.none()
    if actor.market_ids is None:
        return found
    signals = Signal.objects.filter(
        pk=OuterRef("signal_key_id"), time=OuterRef("signal_key__time"), market__in=actor.market_ids
    )
    return found.filter(Exists(signals))


def alarms_visible_to(actor: Actor) -> QuerySet[Alarm]:
    """Alarms of the actor's markets; none for whoever acts for a guild."""
    found = Alarm.objects.select_related("rule", "market")
    if actor.guild_id is not None:
        return found.none()
    return found if actor.market_ids is None else found.filter(market__in=actor.market_ids)


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A paused version: since when and why, whether it stopped by itself, and how many signals wait for it."""

    version: RuleVersion
    paused_at: dt.datetime | None
    by_itself: bool
    waiting: int


def versions_asking() -> list[Asking]:
    """The paused versions, those that ran into their cap first, then the worst severity. Three queries."""
    paused = {
        version.public_id: version
        for version in RuleVersion.objects.filter(status=VersionStatus.PAUSED)
        .select_related("rule")
        .order_by("severity", "rule__code", "number")
    }
    events = Event.objects.filter(
        object_type=RuleVersion.ledger_type, object_id__in=paused, act="rule_version.paused"
    )
    last = {event.object_id: event for event in events.order_by("id")}
    waiting = dict(
        PendingSignal.objects.filter(
            shard__gte=SHARDS, version__in=[version.pk for version in paused.values()]
        )
        .order_by()
        .values_list("version")
        .annotate(rows=Count("signal_id", distinct=True))
    )
    asking = [
        Asking(
            version=version,
            paused_at=last[label].at if label in last else None,
            by_itself=label in last and last[label].actor_kind == Event.ActorKind.SYSTEM,
            waiting=waiting.get(version.pk, 0),
        )
        for label, version in paused.items()
    ]
    return sorted(asking, key=lambda one: not one.by_itself)


def locked_violation(violation_id: int) -> Violation:
    """The violation, locked until the transaction ends. NotFound."""
    found = (
        Violation.objects.select_for_update(of=("self",), no_key=True)
        .select_related("rule", "version")
        .filter(pk=violation_id)
        .first()
    )
    if found is None:
        raise NotFound("There is no such violation.")
    return found
