"""Findings: what turned out wrong with a rule version, so that the rule is put right and not only the case."""

from __future__ import annotations

from django.db import transaction

from governance.ledger.services import record
from governance.rules.models import Finding, RuleVersion
from guilds.accounts.actor import Actor


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
