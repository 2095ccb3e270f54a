"""Questions about violations: who sees which, what waits for whom, and what they rest on."""

from __future__ import annotations

from django.db.models import Case, IntegerField, QuerySet, Value, When

from governance.rules.enums import Severity
from governance.signals.models import Signal
from governance.violations.enums import DetectionOutcome, ViolationStatus
from governance.violations.models import Detection, EvaluationFault, Violation
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
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


def review_queue(actor: Actor) -> QuerySet[Violation]:
    """Open violations in the actor's markets that the actor has not judged: worst severity first, then the oldest.

    Empty for whoever is not a reviewer.
    """
    if actor.user_id is None or not actor.has_role(Role.REVIEWER):
        return Violation.objects.none()
    worst_first = Case(
        *(When(severity=severity, then=Value(rank)) for rank, severity in enumerate(Severity.values)),
        output_field=IntegerField(),
    )
    return (
        violations_visible_to(actor)
        .filter(status=ViolationStatus.OPEN)
        .exclude(reviews__reviewer_id=actor.user_id)
        .order_by(worst_first, "detected_at", "id")
    )


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
    """Versions that could not be evaluated on a signal; staff who reach every market see them all."""
    found = EvaluationFault.objects.select_related("version__rule", "signal_key__source")
    if actor.kind not in ("staff", "system") or actor.guild_id is not None:
        return found.none()
    return found


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
