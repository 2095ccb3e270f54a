"""Assessments: what the data said on a day."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from governance.ledger.services import Entry, record_many
from governance.risks.models import Assessment
from guilds.accounts.actor import Actor
from guilds.accounts.enums import Role
from guilds.errors import NotAllowed

#: What a later run of the same day replaces: everything but what the row is about.
REPLACED = [
    column.name
    for column in Assessment._meta.concrete_fields
    if column.name not in {"id", "risk", "market", "on"}
]


@transaction.atomic
def assessments_record(*, actor: Actor, rows: Sequence[Assessment]) -> int:
    """Keep assessments, one per risk, market and day; a later run of a day replaces the earlier one. Returns how many.

    `rows` are not yet saved, as governance.insights.risk_facts makes them. Needs an analyst who reaches every market in them.
    Records `risks.assessed` once, about the day; nothing without rows.
    """
    actor.require_role(Role.ANALYST)
    if any(not actor.sees_market(row.market_id) for row in rows):
        raise NotAllowed("A market of these is outside your scope.", code="market_out_of_scope")
    if not rows:
        return 0
    # In one order, so that two runs at once wait for each other instead of for ever.
    ordered = sorted(rows, key=lambda row: (row.on, row.risk_id, row.market_id))
    Assessment.objects.bulk_create(
        ordered,
        update_conflicts=True,
        unique_fields=["risk", "market", "on"],
        update_fields=REPLACED,
        batch_size=500,
    )
    record_many(
        actor=actor,
        entries=[
            Entry(
                act="risks.assessed",
                object_type="assessment",
                object_id=f"{ordered[-1].on:%Y-%m-%d}",
                after={
                    "assessments": len(ordered),
                    "risks": len({row.risk_id for row in ordered}),
                    "markets": len({row.market_id for row in ordered}),
                    "window_days": ordered[0].window_days,
                },
            )
        ],
    )
    return len(ordered)
