"""Findings: what turned out wrong with a rule version, so that the rule is put right and not only the case."""

from __future__ import annotations

from django.db import transaction

from governance.ledger.services import record
from governance.rules.enums import FindingStatus
from governance.rules.models import Finding, RuleVersion
from governance.rules.selectors import findings_visible_to
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import InvalidInput, InvalidTransition, NotFound


@transaction.atomic
def finding_open(
    *,
    actor: Actor,
    version_id: int,
    source_type: str,
    source_id: str,
    summary: str,
    guild_id: int | None = None,
    market_id: int | None = None,
) -> Finding:
    """Open an item on a rule version; one per source, so a repeated call returns the first. Records finding.opened."""
    version = RuleVersion.objects.select_related("rule").get(pk=version_id)
    finding, created = Finding.objects.get_or_create(
        version=version, source_type=source_type, source_id=source_id, defaults={"summary": summary}
    )
    if created:
        record(
            actor=actor,
            act="finding.opened",
            obj=finding,
            after={
                "rule": version.rule.code,
                "version": version.number,
                "source": f"{source_type}:{source_id}",
            },
            reason=summary,
            guild_id=guild_id,
            market_id=market_id,
        )
    return finding


@transaction.atomic
def finding_close(*, actor: Actor, finding_id: int, reason: str) -> Finding:
    """Settle a finding, saying how the rule was put right or why nothing was to be done. Records finding.closed.

    Analysts and approvers only. Raises NotAllowed, NotFound (not in the actor's markets), InvalidInput (no reason),
    InvalidTransition (closed already).
    """
    actor.require_role(Role.ANALYST, Role.APPROVER)
    finding = Finding.objects.select_for_update(of=("self",)).get(pk=finding_id)
    if not findings_visible_to(actor).filter(pk=finding_id).exists():
        raise NotFound("There is no such finding.")
    if not reason.strip():
        raise InvalidInput("Say how it was settled: the next author reads it.", field="reason")
    if finding.status != FindingStatus.OPEN:
        raise InvalidTransition("This finding is closed already.")
    finding.status, finding.resolution = FindingStatus.CLOSED, reason.strip()
    finding.save(update_fields=["status", "resolution"])
    before, after = {"status": FindingStatus.OPEN.value}, {"status": FindingStatus.CLOSED.value}
    record(actor=actor, act="finding.closed", obj=finding, before=before, after=after, reason=reason)
    return finding
